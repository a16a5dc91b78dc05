//! How much of the range one learner may take: their world's bytes, its doors, and files of the process.

use super::{Range, Script};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::thread;
use std::time::Duration;

const PROTOCOL: [(&str, &str); 1] = [("Sec-WebSocket-Protocol", "portcullis-range.v1")];

/// `VmRSS` of the range (proc(5)), in KiB.
fn resident(range: &Range) -> u64 {
    let status = super::read(format!("/proc/{}/status", range.process.id()).as_ref());
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The device that spoke first in the lobby.
fn speaker(script: &mut Script) -> Value {
    let page = json!({"conversation": LOBBY, "after": 0, "limit": 64});
    let page = script.ask("fetch", &page);
    page["data"]["envelopes"][0]["device"].clone()
}

const LOBBY: &str = "236c6f62627900000000000000000000";

/// Whoever sends without end fills their own world, is told so, and begins anew.
#[test]
fn a_flood_fills_one_world_alone() {
    let range = Range::start(&[]);
    for name in ["mira", "oleg"] {
        range.says(name, &["join", name]);
    }
    let mut mira = Script::open(&range.door("mira", "sender-spoof", "session"));
    let mut oleg = Script::open(&range.door("oleg", "sender-spoof", "session"));
    let device = speaker(&mut mira);
    let before = resident(&range);
    let body = "A".repeat(128 * 1024);
    let mut flood = (0..4_000_u64).map(|number| {
        let envelopes = [json!({"reference": format!("{number:032x}"), "body": body})];
        let data = json!({
            "conversation": LOBBY, "epoch": 0, "device": device, "envelopes": envelopes
        });
        let frame = json!({"id": number, "request": "submit", "data": data}).to_string();
        let sent = mira.0.send(tungstenite::Message::text(frame));
        loop {
            match (&sent, mira.hear()) {
                (Ok(()), Ok(frame)) if frame["id"] == number => return Ok(()),
                (_, Ok(_)) => {}
                (_, Err(why)) => return Err(why),
            }
        }
    });
    let ended = flood.find_map(Result::err);
    assert_eq!(ended.as_deref(), Some("this world is full; `reset sender-spoof` begins it anew"));
    let grown = resident(&range).saturating_sub(before);
    assert!(grown < 100 * 1024, "the range grew by {grown} KiB");
    assert_eq!(oleg.ask("channels", &json!({}))["reply"], "channels");
    let door = range.door("mira", "sender-spoof", "session");
    assert!(Script::open(&door).hear().unwrap_err().contains("is full"));
    range.says("mira", &["reset", "sender-spoof"]);
    let mut mira = Script::open(&range.door("mira", "sender-spoof", "session"));
    assert_eq!(mira.ask("channels", &json!({}))["reply"], "channels");
}

/// All doors of a world count together, whatever they lead to.
#[test]
fn a_world_has_so_many_doors() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let doors = ["connect", "workshop", "wire"];
    let doors = doors.map(|door| range.door("mira", "replay", door));
    let elsewhere = range.door("mira", "sender-spoof", "workshop");
    let mut around = doors.iter().cycle();
    let most = portcullis_range::limits::LINES;
    let mut open: Vec<Script> = around.by_ref().take(most).map(|door| Script::open(door)).collect();
    for door in &doors {
        assert!(Script::try_open(door, &PROTOCOL).err().unwrap().contains("409"), "{door}");
    }
    Script::open(&elsewhere);
    open.pop().unwrap().close();
    Script::open(&doors[1]);
}

/// So do all that a learner has open, of whatever world, so that nobody takes the range from the others.
#[test]
fn a_learner_has_so_much_open() {
    let range = Range::start(&[]);
    for name in ["mira", "oleg"] {
        range.says(name, &["join", name]);
    }
    let slugs = ["replay", "sender-spoof", "no-tag"];
    let doors = slugs.map(|slug| range.door("mira", slug, "workshop"));
    let each = portcullis_range::limits::LINES - 1;
    let most = portcullis_range::limits::OPEN;
    let all = doors.iter().flat_map(|door| std::iter::repeat_n(door, each));
    let mut open: Vec<Script> = all.take(most).map(|door| Script::open(door)).collect();
    assert_eq!(open.len(), most);
    assert!(Script::try_open(&doors[2], &PROTOCOL).err().unwrap().contains("429"));
    assert!(range.refuses("mira", &["watch"]).contains("close one"));
    Script::open(&range.door("oleg", "replay", "workshop"));
    open.pop().unwrap().close();
    Script::open(&doors[2]);
}

/// Who says nothing, or half of something, is not waited for.
#[test]
fn silent_connections_end() {
    let range = Range::start(&[]);
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\n", range.address);
    let check = |said: &str, expected: &str| {
        let mut stream = TcpStream::connect(&range.address).unwrap();
        // An answer that is being made may take longer than any of these.
        let sooner = Duration::from_millis(portcullis_range::limits::ANSWER_MILLIS / 2);
        stream.set_read_timeout(Some(sooner)).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert!(heard.starts_with(expected), "{said:?}: {heard:?}");
    };
    thread::scope(|scope| {
        scope.spawn(|| check("", ""));
        scope.spawn(|| check(&request, ""));
        scope.spawn(|| check(&format!("{request}\r\n"), "HTTP/1.1 200 OK"));
        let half = request.replace("GET /", "POST /api/learners");
        let half = format!("{half}Content-Length: 40\r\n\r\n{{\"name\":");
        scope.spawn(move || check(&half, "HTTP/1.1 408 "));
    });
}

/// Big frames come in several pages, of which a program that reads the wire prints all.
#[test]
fn a_page_of_the_wire_has_so_many_bytes() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let mut mira = Script::open(&range.door("mira", "sender-spoof", "session"));
    let device = speaker(&mut mira);
    let body = "A".repeat(128 * 1024);
    for number in 0..6 {
        let envelopes = [json!({"reference": format!("{number:032x}"), "body": body})];
        let data = json!({
            "conversation": LOBBY, "epoch": 0, "device": device, "envelopes": envelopes
        });
        mira.ask("submit", &data);
    }
    let token = super::read(&range.path("learner-mira/token"));
    let page = |after: &Value| {
        let request = format!(
            "GET /api/flaws/sender-spoof/wire?after={after} HTTP/1.1\r\nHost: {}\r\n\
             Authorization: Bearer {token}\r\nConnection: close\r\n\r\n",
            range.address
        );
        let answer = super::http(&range.address, &request);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        serde_json::from_str::<Value>(body).unwrap()["passages"].as_array().unwrap().clone()
    };
    let (mut after, mut pages, mut numbers) = (json!(0), 0, Vec::new());
    loop {
        let passages = page(&after);
        let Some(last) = passages.last() else { break };
        let lengths = passages.iter().map(|passage| passage["frame"].as_str().unwrap().len());
        let bytes: usize = lengths.sum();
        let most = portcullis_range::limits::PAGE_BYTES;
        assert!(bytes <= most || passages.len() == 1, "{bytes} bytes");
        after = last["number"].clone();
        numbers.extend(passages.iter().map(|passage| passage["number"].clone()));
        pages += 1;
    }
    assert!(pages >= 3, "{pages} pages");
    let printed = range.says("mira", &["wire", "sender-spoof", "--all", "--json"]);
    let printed = printed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let printed: Vec<Value> = printed.map(|passage| passage["number"].clone()).collect();
    assert_eq!(printed, numbers);
}

/// Who takes their hand off the wire does not open another's.
#[test]
fn what_one_door_holds_another_does_not_let_go() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let door = range.door("mira", "replay", "wire");
    let (mut one, mut other) = (Script::open(&door), Script::open(&door));
    one.send(&json!({"do": "hold", "on": true}));
    assert_eq!(one.hear().unwrap()["done"], true);
    assert_eq!(other.settled(), [Value::Null; 0]);
    other.close();
    one.send(&json!({"do": "say", "place": "#lobby", "text": "hello"}));
    assert!(one.hear().unwrap()["frame"].is_u64());
}

/// Files that are gone for a while do not take the teacher's door with them.
#[test]
fn the_teachers_door_outlives_a_lack_of_files() {
    let range =
        Range::start_by(Command::new("sh").args(["-c", "ulimit -n 40; exec \"$0\" \"$@\""]));
    let crowd: Vec<TcpStream> =
        (0..60).map(|_| TcpStream::connect(&range.address).unwrap()).collect();
    let files = format!("/proc/{}/fd", range.process.id());
    while std::fs::read_dir(&files).unwrap().count() < 40 {}
    // There is no file left to answer it with.
    let waiting = UnixStream::connect(range.path("range/teacher.sock")).unwrap();
    drop((crowd, waiting));
    assert!(range.teaches(&["progress"]).contains("flaws"));
}

/// Runs a program with files of 512 bytes at most: a disk that is full.
fn small_files() -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\""]);
    shell
}

/// What a full disk took half of is not in the way of what comes once there is room.
#[test]
fn a_full_disk_leaves_no_half_line() {
    let range = Range::start_by(&mut small_files());
    let path = range.path("range/progress.jsonl");
    let mut before = String::new();
    let join = |number: usize| {
        let name = format!("pupil{number}");
        range.learner(&name, &["join", &name]).status.success()
    };
    let refused = (0..20).find(|number| {
        before = super::read(&path);
        !join(*number)
    });
    let refused = refused.unwrap();
    assert_eq!(super::read(&path), before);
    let range = range.restart(&[]);
    range.says("again", &["join", &format!("pupil{refused}")]);
    (0..refused).for_each(|number| drop(range.says(&format!("pupil{number}"), &["board"])));
}

/// Where there is no room to forget somebody, nothing of the others is left in another file.
#[test]
fn a_full_disk_leaves_no_second_file() {
    let range = Range::start(&[]);
    for number in 0..8 {
        let name = format!("pupil{number}");
        range.says(&name, &["join", &name]);
    }
    let Range { process, folder, .. } = &mut { range };
    process.kill().unwrap();
    process.wait().unwrap();
    let folder = std::mem::replace(folder, tempfile::tempdir().unwrap());
    let left = folder.path().join("range/progress.new");
    std::fs::write(&left, "what a range left that was ended").unwrap();
    let range = Range::run(folder, small_files().arg(super::PROGRAM), &[]);
    assert!(!left.exists());
    let before = super::read(&range.path("range/progress.jsonl"));
    assert!(!range.teacher(&["forget", "pupil1"]).status.success());
    assert!(!left.exists());
    assert_eq!(super::read(&range.path("range/progress.jsonl")), before);
}
