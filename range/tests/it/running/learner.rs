//! A learner's way through one flaw, by the verbs and a script of their own.

use super::doors::nonce;
use super::{Range, Script};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_proto::{Timestamp, UserName};
use portcullis_range::plane::{Signer, Solved, Worth};
use serde_json::{Value, json};

/// The channel's id, as the learner finds it on the wire.
fn den(range: &Range, name: &str) -> Value {
    let wire = range.says(name, &["wire", "history-idor", "--all", "--json"]);
    let passages = wire.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let frames = passages
        .map(|passage| serde_json::from_str::<Value>(passage["frame"].as_str().unwrap()).unwrap());
    let mut named = frames.filter(|frame| frame["data"]["name"] == "#den");
    named.find_map(|frame| frame["data"].get("conversation").cloned()).unwrap()
}

/// What a learner's script finds: the last word of the last message.
fn steal(range: &Range, name: &str) -> String {
    let den = den(range, name);
    let mut script = Script::open(&range.door(name, "history-idor", "session"));
    let page = script.ask("fetch", &json!({"conversation": den, "after": 0, "limit": 64}));
    let last = page["data"]["envelopes"].as_array().unwrap().last().unwrap();
    let body = STANDARD.decode(last["body"].as_str().unwrap()).unwrap();
    let content: Value = serde_json::from_slice(&body[64..]).unwrap();
    content["text"].as_str().unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_learner_breaks_in_sees_why_and_mends_it() {
    let range = Range::start(&[]);
    assert!(range.refuses("mira", &["board"]).contains("join"));
    range.says("mira", &["join", "mira"]);
    assert!(range.says("mira", &["board"]).contains("history-idor"));
    let page = range.says("mira", &["show", "history-idor"]);
    assert!(page.contains("#den") && !page.contains("CVE"), "{page}");
    assert!(range.refuses("mira", &["diff", "history-idor"]).contains("once you have solved"));
    for count in 1..=4 {
        let hints = range.says("mira", &["hint", "history-idor"]);
        let named =
            ["look:", "why:", "where:", "how:"].iter().filter(|name| hints.contains(**name));
        assert_eq!(named.count(), count, "{hints}");
    }
    let flag = steal(&range, "mira");
    range.refuses("mira", &["submit", "history-idor", "00000-00000-00000-00000"]);
    assert!(range.says("mira", &["submit", "history-idor", &flag]).contains("solved"));
    assert!(range.says("mira", &["show", "history-idor"]).contains("CVE-2023-2787"));
    let diff = range.says("mira", &["diff", "history-idor"]);
    assert!(diff.contains("as the chat has it"), "{diff}");
    assert!(diff.contains("- ") && diff.contains("+ ") && diff.contains("any_login"), "{diff}");
    let verdicts: Vec<bool> = (1..=4)
        .map(|number| range.says("mira", &["fix", "history-idor", &number.to_string()]))
        .map(|said| said.contains("FAILED"))
        .collect();
    assert_eq!(verdicts.iter().filter(|failed| !**failed).count(), 1, "{verdicts:?}");
    assert!(range.says("mira", &["board"]).contains("solved and fixed"));
}

#[test]
fn a_receipt_is_checked_without_the_range() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    range.says("mira", &["hint", "history-idor"]);
    let flag = steal(&range, "mira");
    range.says("mira", &["submit", "history-idor", &flag.to_lowercase()]);
    let receipts = range.path("receipts");
    let receipt = range.says("mira", &["receipt"]);
    std::fs::write(&receipts, &receipt).unwrap();
    let check = |key: &[&str]| {
        let mut verb = std::process::Command::new(super::PROGRAM);
        let output = verb.arg("verify").arg(&receipts).args(key).output().unwrap();
        output.status.success().then(|| super::text(&output.stdout))
    };
    let read: Value = serde_json::from_str(receipt.lines().next().unwrap()).unwrap();
    let key = read["key"].as_str().unwrap();
    let checked = check(&["--key", key]).unwrap();
    let solved = "mira solved history-idor with 1 hint after 0 resets, in no class: ";
    assert_eq!(checked, format!("{solved}practice\n"));
    // Whoever names no key is told whose word it is, and not what it counts for.
    let unasked = check(&[]).unwrap();
    assert!(unasked.starts_with(&format!("{solved}made by the key {key}")), "{unasked}");
    assert!(!unasked.contains("practice") && unasked.contains("--key"), "{unasked}");
    let other = Signer::from_bytes(&[7; 32]);
    assert_eq!(check(&["--key", &other.key()]), None);
    // Somebody's own key signs whatever they like, and their terminal's orders are not obeyed.
    let forged = other.sign(&Solved {
        class: "\u{1b}[2J7b\nmira".to_owned(),
        learner: UserName::parse("mira").unwrap(),
        slug: "replay".to_owned(),
        resets: 0,
        hints: 0,
        at: Timestamp(1),
        worth: Worth::Evidence,
    });
    std::fs::write(&receipts, serde_json::to_string(&forged).unwrap()).unwrap();
    let unasked = check(&[]).unwrap();
    assert!(!unasked.contains("evidence") && !unasked.contains('\u{1b}'), "{unasked}");
    assert_eq!(unasked.lines().filter(|line| line.contains("mira")).count(), 1, "{unasked}");
    std::fs::write(&receipts, receipt.repeat(4_000)).unwrap();
    assert_eq!(check(&["--key", key]), None, "a file that is too long");
    for nothing in ["", "\n\n", "not a receipt\n", &receipt.replace("mira", "oleg")] {
        std::fs::write(&receipts, nothing).unwrap();
        assert_eq!(check(&[]), None, "{nothing:?}");
    }
}

/// A script that is copied finds another's flag, or nothing; a reset makes the old flag worthless.
#[test]
fn worlds_differ_and_resets_change_them() {
    let range = Range::start(&[]);
    for name in ["mira", "oleg"] {
        range.says(name, &["join", name]);
    }
    let (mira, oleg) = (steal(&range, "mira"), steal(&range, "oleg"));
    assert_ne!(mira, oleg);
    assert_ne!(den(&range, "mira"), den(&range, "oleg"));
    let foreign = range.refuses("oleg", &["submit", "history-idor", &mira]);
    assert!(foreign.contains("somebody else's"), "{foreign}");
    let door = range.door("mira", "history-idor", "session");
    let mut script = Script::open(&door);
    range.says("mira", &["reset", "history-idor"]);
    script.send(&json!({"id": 1, "request": "conversations", "data": {}}));
    while script.hear().is_ok() {}
    let closed = Script::try_open(&door, &[("Sec-WebSocket-Protocol", "portcullis-range.v1")]);
    assert!(closed.is_err(), "the old ticket opens a door");
    range.refuses("mira", &["submit", "history-idor", &mira]);
    let fresh = steal(&range, "mira");
    assert_ne!(fresh, mira);
    range.says("mira", &["submit", "history-idor", &fresh]);
}

/// What passed before the learner came is left out, and said to be.
#[test]
fn the_wire_begins_where_its_learner_does() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let numbers = |options: &[&str]| {
        let words = [&["wire", "sender-spoof", "--json"], options].concat();
        let told = range.says("mira", &words);
        let passages = told.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        passages.map(|passage| passage["number"].as_u64().unwrap()).collect::<Vec<u64>>()
    };
    assert_eq!(numbers(&[]), [0; 0]);
    let scene = numbers(&["--all"]);
    let told = range.says("mira", &["wire", "sender-spoof"]);
    assert!(told.starts_with(&format!("{} passages", scene.len())), "{told}");
    let mut script = Script::open(&range.door("mira", "sender-spoof", "session"));
    script.ask("channels", &json!({}));
    let own = numbers(&[]);
    assert!(!own.is_empty() && own.iter().all(|number| number > scene.last().unwrap()));
    assert_eq!(numbers(&["--all"]), [scene.clone(), own.clone()].concat());
    assert_eq!(numbers(&["--last", "2"]), own[own.len() - 2..]);
    assert_eq!(numbers(&["--all", "--last", "1000"]).len(), scene.len() + own.len());
    assert_eq!(numbers(&["--after", &scene[0].to_string()])[0], scene[1]);
}

/// Whoever has joined need not say again where, nor from which folder.
#[test]
fn where_somebody_has_joined_is_remembered() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let board = || {
        let mut verb = std::process::Command::new(super::PROGRAM);
        let verb = verb.arg("board").env("PORTCULLIS_RANGE_LEARNER", range.path("learner-mira"));
        verb.output().unwrap()
    };
    let told = board();
    assert!(super::text(&told.stdout).contains("0/4"), "{}", super::text(&told.stderr));
    // Whoever has lost what they come back with is a stranger there.
    std::fs::remove_file(range.path("learner-mira/token")).unwrap();
    assert!(super::text(&board().stderr).contains("join first"));
}

/// Who has read enough goes, and the verb ends in peace.
#[test]
fn nobody_has_to_read_to_the_end() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    range.says("mira", &["connect", "ghost-member"]);
    let home = range.path("learner-mira");
    for options in [&["--json"][..], &[]] {
        let mut verb = std::process::Command::new(super::PROGRAM)
            .args(["wire", "ghost-member", "--all", "--range", &range.address, "--learner"])
            .arg(&home)
            .args(options)
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(verb.stdout.take());
        let ended = verb.wait_with_output().unwrap();
        assert_eq!(super::text(&ended.stderr), "");
        assert!(ended.status.success());
    }
}

/// What somebody comes back with is never written over.
#[test]
fn who_has_joined_from_a_folder_keeps_it() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let token = super::read(&range.path("learner-mira/token"));
    let refused = range.refuses("mira", &["join", "oleg"]);
    assert!(refused.contains("learner-mira"), "{refused}");
    assert_eq!(super::read(&range.path("learner-mira/token")), token);
    // Who was refused tries another name from the same folder.
    range.refuses("oleg", &["join", "mira"]);
    range.says("oleg", &["join", "oleg"]);
}

#[test]
fn progress_survives_a_kill() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let flag = steal(&range, "mira");
    range.says("mira", &["submit", "history-idor", &flag]);
    let range = range.restart(&[]);
    let board = range.says("mira", &["board"]);
    let row = board.lines().find(|line| line.starts_with("history-idor")).unwrap();
    assert!(row.contains("solved"), "{row}");
    assert_eq!(steal(&range, "mira"), flag, "the same world comes back");
}

/// Whoever guesses waits, and is told how long; a right answer has to wait as well, for a guess may be one.
#[test]
fn guesses_are_limited() {
    let range = Range::start(&[]);
    for name in ["mira", "oleg"] {
        range.says(name, &["join", name]);
    }
    let flag = steal(&range, "mira");
    let token = super::read(&range.path("learner-mira/token"));
    let submit = |value: &str| {
        let (body, address) = (json!({"value": value}).to_string(), &range.address);
        let length = body.len();
        let request = format!(
            "POST /api/flaws/history-idor/submit HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Authorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        super::http(address, &request)
    };
    // A slow machine may have earned some more.
    let refused =
        (0..100).map(|_| submit("yyyyyyyyyyyyyyyyyyyy")).find(|answer| !answer.contains("wrong"));
    let refused = refused.unwrap();
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("retry-after: ") && refused.contains("too_often"), "{refused}");
    let told = range.refuses("mira", &["submit", "history-idor", &flag]);
    assert!(told.contains("the next try is in"), "{told}");
    let foreign = range.refuses("oleg", &["submit", "history-idor", &flag]);
    assert!(foreign.contains("somebody else's"), "{foreign}");
}

/// What has passed is read in a terminal of 80 columns, with names beside ids, and the time.
#[test]
fn the_wire_is_read_by_people_and_by_programs() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    range.says("mira", &["connect", "ghost-member"]);
    let text = range.says("mira", &["wire", "ghost-member", "--all"]);
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    let too_long = text.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_long, None);
    assert!(text.chars().all(|letter| letter == '\n' || !letter.is_control()), "{text}");
    let is_named = |field: &str, name: &str| {
        rows.iter().any(|row| row.get(1) == Some(&field) && row.get(3..) == Some(&[name]))
    };
    assert!(is_named("account", "mira") && is_named("conversation", "#lobby"), "{text}");
    let first = rows.iter().find(|row| row.first() == Some(&"1")).unwrap();
    assert_eq!(first[1..], ["0.000", "s", "server", "->", "you", "event", "hello"]);
    let json = range.says("mira", &["wire", "ghost-member", "--all", "--json"]);
    let passages: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let began = passages[0]["at"].as_u64().unwrap();
    for passage in &passages {
        assert_eq!(passage["since"].as_u64(), Some(passage["at"].as_u64().unwrap() - began));
    }
    let fields = passages.iter().flat_map(|passage| passage["fields"].as_array().unwrap());
    let names: Vec<&str> = fields.filter_map(|field| field["name"].as_str()).collect();
    for name in ["nina", "oleg", "#lobby", "a device of mira"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

/// Says something in the lobby in another's name.
pub(super) fn spoof(range: &Range, story: &str) {
    let mut script = Script::open(&range.door("mira", "sender-spoof", "session"));
    let lobby = "236c6f62627900000000000000000000";
    let page = script.ask("fetch", &json!({"conversation": lobby, "after": 0, "limit": 64}));
    let last = page["data"]["envelopes"].as_array().unwrap().last().unwrap();
    let body = STANDARD.encode(format!("pay {}", nonce(story)));
    let envelope = json!({"reference": "00112233445566778899aabbccddeeff", "body": body});
    let envelopes = json!([envelope]);
    let submit = json!({
        "conversation": lobby, "epoch": 0, "device": last["device"], "envelopes": envelopes
    });
    assert_eq!(script.ask("submit", &submit)["reply"], "submitted");
}

/// A solve by what happened is seen by itself, and told.
#[test]
fn a_broken_invariant_is_seen_at_once() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let story = range.says("mira", &["show", "sender-spoof"]);
    spoof(&range, &story);
    let board = range.says("mira", &["board"]);
    let row = board.lines().find(|line| line.starts_with("sender-spoof")).unwrap();
    assert!(row.contains("solved"), "{row}");
    assert!(
        range.says("mira", &["connect", "sender-spoof"]).contains("state               solved;")
    );
}
