//! What people are told where something is not as it should be: the true reason, and what to do.

use super::{PROGRAM, Range, Script, http, read, text};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

fn workshop(range: &Range, slug: &str, order: &Value) -> String {
    let mut workshop = Script::open(&range.door("mira", slug, "workshop"));
    workshop.send(order);
    let answer = workshop.hear().unwrap();
    answer["refused"].as_str().unwrap_or_default().to_owned()
}

fn joined() -> Range {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    range
}

#[test]
fn a_workshop_says_what_is_wrong_with_an_order() {
    let range = joined();
    let check = |slug: &str, order: &Value, expected: &str| {
        let told = workshop(&range, slug, order);
        assert!(told.contains(expected), "{order}: {told}");
    };
    let offer = |name: &str, content: &str| json!({"do": "offer", "place": "#lobby", "name": name, "content": content});
    let long = "x".repeat(portcullis_range::limits::FILE_BYTES + 1);
    check("sender-spoof", &offer("a/b", "hello"), "a file's name can't have any of");
    check("sender-spoof", &offer("", "hello"), "a file's name has 1 to 255 bytes");
    check("sender-spoof", &offer("nul", "hello"), "device");
    check("sender-spoof", &offer("a.txt", &long), "65536 bytes");
    check("sender-spoof", &json!({"do": "say", "place": "#nowhere", "text": "hello"}), "nobody");
    check("no-tag", &json!({"do": "pass", "frame": 99}), "no frame of this number is held");
    check("no-tag", &json!({"do": "replace", "frame": 7, "with": []}), "no frame of this number");
    let mut offers = Script::open(&range.door("mira", "sender-spoof", "workshop"));
    let mut refused = (0..100).find_map(|_| {
        offers.send(&offer("a.txt", "hello"));
        offers.hear().unwrap()["refused"].as_str().map(str::to_owned)
    });
    assert!(refused.take().unwrap().contains("32 files"), "{refused:?}");
}

/// A door whose world has gone says so, and not that its caller is a stranger.
#[test]
fn a_door_says_that_its_world_has_gone() {
    let range = joined();
    let knock = |door: &str| {
        let path = door.strip_prefix(&format!("ws://{}", range.address)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: portcullis-range.v1\r\n\r\n",
            range.address
        );
        let answer = http(&range.address, &request);
        assert!(answer.starts_with("HTTP/1.1 410 ") && answer.contains("world_gone"), "{answer}");
    };
    let door = range.door("mira", "replay", "connect");
    range.says("mira", &["reset", "replay"]);
    knock(&door);
    // The same secrets, and the same address, are another world's after a fix or a restart.
    let door = range.door("mira", "replay", "connect");
    let token = read(&range.path("learner-mira/token"));
    let asked = format!(
        "GET /api/flaws/replay/entrance HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n\r\n",
        range.address
    );
    let entrance = http(&range.address, &asked);
    let entrance: Value = serde_json::from_str(entrance.split_once("\r\n\r\n").unwrap().1).unwrap();
    let made = entrance["made"].as_u64().unwrap();
    Script::open(&format!("{door}?made={made}"));
    knock(&format!("{door}?made={}", made - 1));
    range.says("mira", &["fix", "replay", "1"]);
    knock(&format!("{door}?made={made}"));
    Script::open(&door);
}

#[test]
fn a_start_names_the_damaged_line() {
    let folder = tempfile::tempdir().unwrap();
    let range = Range::start_in(folder, &[]);
    range.says("mira", &["join", "mira"]);
    let path = range.path("range/progress.jsonl");
    let written = read(&path);
    drop(range.learner("mira", &["hint", "replay"]));
    let mut range = range;
    range.process.kill().unwrap();
    range.process.wait().unwrap();
    let start = |text: &[u8]| {
        std::fs::write(&path, text).unwrap();
        let mut start = Command::new(PROGRAM);
        start.args(["start", "--listen", "127.0.0.1:0", "--folder"]);
        let ended = start.arg(range.path("range")).output().unwrap();
        assert!(!ended.status.success());
        super::text(&ended.stderr)
    };
    for damaged in [&b"{\"what\":\"joined\"}\n"[..], b"\xff\xfe\n", b"\n"] {
        let told = start(&[written.as_bytes(), damaged, written.as_bytes()].concat());
        assert!(told.contains("progress.jsonl, line 2:"), "{told}");
        assert!(told.contains("take this line out"), "{told}");
    }
}

#[test]
fn receipts_and_keys_are_asked_for_plainly() {
    let range = joined();
    assert!(range.refuses("mira", &["receipt"]).contains("no receipt yet"));
    let verify = |arguments: &[&str], typed: &str| {
        let mut verb = Command::new(PROGRAM)
            .arg("verify")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Who does not read it is not made to.
        let _ = verb.stdin.take().unwrap().write_all(typed.as_bytes());
        let ended = verb.wait_with_output().unwrap();
        (ended.status.success(), text(&ended.stdout) + &text(&ended.stderr))
    };
    let signer = portcullis_range::plane::Signer::from_bytes(&[7; 32]);
    let receipt = signer.sign(&portcullis_range::plane::Solved {
        class: "7b".to_owned(),
        learner: portcullis_proto::UserName::parse("mira").unwrap(),
        slug: "replay".to_owned(),
        resets: 0,
        hints: 0,
        at: portcullis_proto::Timestamp(1),
        worth: portcullis_range::plane::Worth::Evidence,
    });
    let receipt = serde_json::to_string(&receipt).unwrap();
    let (passed, told) = verify(&["-", "--key", &signer.key()], &receipt);
    assert!(passed && told.contains("mira solved replay"), "{told}");
    let (passed, told) = verify(&["-", "--key", &signer.key()], "");
    assert!(!passed && told.contains("standard input: there is no receipt"), "{told}");
    for key in ["abc", "", "AAAA"] {
        let (passed, told) = verify(&["-", "--key", key], &receipt);
        assert!(!passed && told.contains("44 letters of base64"), "{key}: {told}");
    }
}

/// What can't be read is not taken for what is not there.
#[test]
fn a_token_that_cannot_be_read_is_named() {
    let range = joined();
    let token = range.path("learner-mira/token");
    let (words, mode) = (read(&token), |mode| std::fs::Permissions::from_mode(mode));
    std::fs::remove_file(&token).unwrap();
    // Not readable to whoever runs this, root included.
    std::fs::create_dir(&token).unwrap();
    let told = range.refuses("mira", &["board"]);
    assert!(told.contains("learner-mira/token"), "{told}");
    std::fs::remove_dir(&token).unwrap();
    std::fs::write(&token, words).unwrap();
    std::fs::set_permissions(&token, mode(0o600)).unwrap();
    range.says("mira", &["board"]);
    let address = range.path("learner-mira/range");
    std::fs::remove_file(&address).unwrap();
    std::fs::create_dir(&address).unwrap();
    let mut verb = Command::new(PROGRAM);
    let verb = verb.args(["board", "--learner"]).arg(range.path("learner-mira")).output().unwrap();
    assert!(text(&verb.stderr).contains("learner-mira/range"), "{}", text(&verb.stderr));
}

/// A flaw's name that is none never becomes part of an address.
#[test]
fn unknown_flaws_are_told_from_known_ones() {
    let range = joined();
    let check = |typed: &str, expected: &[&str]| {
        for verb in ["show", "hint", "connect", "chat", "wire", "diff", "reset"] {
            let told = range.refuses("mira", &[verb, typed]);
            assert!(expected.iter().all(|word| told.contains(word)), "{verb} {typed}: {told}");
        }
    };
    check("sender-spof", &["sender-spoof", "board"]);
    check("Replay", &["replay"]);
    check("../../manifest", &["there is no flaw of this name", "board"]);
    check("replay/../../board", &["there is no flaw of this name"]);
    check("\u{1b}[2J", &["there is no flaw of this name"]);
    let told = range.teacher(&["reset", "--flaw", "replai"]);
    assert!(text(&told.stderr).contains("replay"), "{}", text(&told.stderr));
}

#[test]
fn a_hint_says_what_it_costs_before_it_is_taken() {
    let range = joined();
    let first = |count: &str| {
        let told = range.says("mira", &["hint", "replay"]);
        let line = told.lines().next().unwrap().to_owned();
        assert_eq!(line, count);
    };
    first("hint 1 of 4; a receipt will name it");
    first("hint 2 of 4; a receipt will name it");
    range.says("mira", &["hint", "replay"]);
    range.says("mira", &["hint", "replay"]);
    first("all 4 hints are taken; a receipt will name them");
}

/// Who reads on as it passes is told when the world is another, and reads on there.
#[test]
fn the_wire_is_followed_into_a_new_world() {
    let range = joined();
    let talk = |times: usize| {
        let mut script = Script::open(&range.door("mira", "sender-spoof", "session"));
        (0..times).for_each(|_| drop(script.ask("channels", &json!({}))));
    };
    talk(9);
    let mut verb = Command::new(PROGRAM)
        .args(["wire", "sender-spoof", "--follow", "--json", "--range", &range.address])
        .arg("--learner")
        .arg(range.path("learner-mira"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut passages = BufReader::new(verb.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut mentions = BufReader::new(verb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let is_reply = |line: &String| line.contains("channels") && line.contains("reply");
    for _ in 0..9 {
        passages.find(is_reply).unwrap();
    }
    range.says("mira", &["reset", "sender-spoof"]);
    talk(1);
    assert!(mentions.any(|line| line.contains("begun anew")));
    passages.find(is_reply).unwrap();
    verb.kill().unwrap();
    verb.wait().unwrap();
}

/// A `watch` that listens, and what it prints.
fn watch(
    range: &Range,
    name: &str,
) -> (Child, impl Iterator<Item = String>, impl Iterator<Item = String>) {
    let mut verb = Command::new(PROGRAM)
        .args(["watch", "--range", &range.address, "--learner"])
        .arg(range.path(&format!("learner-{name}")))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(verb.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut complaints = BufReader::new(verb.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(complaints.next().unwrap().contains("listening"));
    (verb, lines, complaints)
}

#[test]
fn who_watches_hears_of_solves_and_of_their_end() {
    let range = joined();
    let (mut verb, mut lines, mut complaints) = watch(&range, "mira");
    let story = range.says("mira", &["show", "sender-spoof"]);
    super::learner::spoof(&range, &story);
    let solved: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(solved, json!({"flaw": "sender-spoof", "what": "solved"}));
    range.teaches(&["forget", "mira"]);
    let told: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
    assert_eq!(told, json!({"flaw": null, "what": "forgotten"}));
    assert_eq!(lines.next(), None);
    assert!(complaints.next().unwrap().contains("you were forgotten"));
    assert!(!verb.wait().unwrap().success());
}

/// However much has passed in the new world by then, it is told from the old one.
#[test]
fn who_follows_the_wire_misses_no_reset() {
    let range = joined();
    let talk = |times: usize| {
        let mut script = Script::open(&range.door("mira", "sender-spoof", "session"));
        (0..times).for_each(|_| drop(script.ask("channels", &json!({}))));
    };
    talk(1);
    let mut verb = range.follows("mira");
    let mut passages = BufReader::new(verb.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut mentions = BufReader::new(verb.stderr.take().unwrap()).lines().map_while(Result::ok);
    let is_reply = |line: &String| line.contains("channels") && line.contains("reply");
    passages.find(is_reply).unwrap();
    let signal = |signal: &str| {
        let sent = Command::new("kill").args([signal, &verb.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    signal("-STOP");
    range.says("mira", &["reset", "sender-spoof"]);
    talk(9);
    signal("-CONT");
    assert!(mentions.any(|line| line.contains("begun anew")));
    for _ in 0..9 {
        passages.find(is_reply).unwrap();
    }
    verb.kill().unwrap();
    verb.wait().unwrap();
}

/// As `wire --follow | head` does: nothing may ever pass again that could not be written.
#[test]
fn who_follows_ends_when_nobody_reads() {
    let range = joined();
    range.door("mira", "sender-spoof", "session");
    let mut verb = range.follows("mira");
    drop(verb.stdout.take());
    assert!(verb.wait().unwrap().success());
}

/// Where nobody hears why something failed, it still fails as it should.
#[test]
fn complaints_need_no_listener() {
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let mut verify = Command::new(PROGRAM);
    let failed = verify.args(["verify", "no-such-file"]).stderr(full()).status().unwrap();
    assert_eq!(failed.code(), Some(1));
}

#[test]
fn a_class_has_a_name_that_can_be_seen() {
    for class in ["", " ", "7b\n+---+", "\u{1b}[2J", "7\u{202e}b"] {
        let folder = tempfile::tempdir().unwrap();
        let mut start = Command::new(PROGRAM);
        start.args(["start", "--listen", "127.0.0.1:0", "--class", class, "--folder"]);
        let ended = start.arg(folder.path().join("range")).output().unwrap();
        assert!(!ended.status.success() && !folder.path().join("range").exists(), "{class:?}");
    }
}
