//! What keeps the range where it belongs.

use super::{PROGRAM, Range, Script, http, text};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn it_listens_on_loopback_only() {
    for address in ["0.0.0.0:0", "192.0.2.1:12399", "[::]:0"] {
        let folder = tempfile::tempdir().unwrap();
        let started = Command::new(PROGRAM)
            .args(["start", "--listen", address, "--folder"])
            .arg(folder.path().join("range"))
            .output()
            .unwrap();
        assert!(!started.status.success());
        assert!(text(&started.stderr).contains("loopback only"), "{}", text(&started.stderr));
    }
}

/// What can't run leaves nothing behind, and a class is not another's.
#[test]
fn a_start_that_fails_leaves_no_folder() {
    let range = Range::start(&[]);
    let start = |folder: &str, address: &str| {
        let folder = range.path(folder);
        let mut start = Command::new(PROGRAM);
        start.args(["start", "--class", "7b", "--listen", address, "--folder"]).arg(&folder);
        let ended = start.output().unwrap();
        assert!(!ended.status.success());
        (text(&ended.stderr), folder.exists())
    };
    let (_, exists) = start("busy", &range.address);
    assert!(!exists, "it was left behind");
    let (why, _) = start("range", "127.0.0.1:0");
    assert!(why.contains("another range runs in"), "{why}");
    let made = range.path("home");
    drop(portcullis_range::plane::Folder::open(&made, "").unwrap());
    let (why, _) = start("home", "127.0.0.1:0");
    assert!(why.contains("a range without a class"), "{why}");
}

#[test]
fn it_stays_out_of_the_chats_folders() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("portcullis.db"), b"").unwrap();
    let started = Command::new(PROGRAM)
        .args(["start", "--listen", "127.0.0.1:0", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(!started.status.success());
    assert!(text(&started.stderr).contains("belongs to the chat"), "{}", text(&started.stderr));
}

/// What learners ask goes to the range, and to nobody in between.
#[test]
fn no_proxy_is_asked() {
    let range = Range::start(&[]);
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let port = range.address.rsplit(':').next().unwrap();
    let home = range.path("learner-mira");
    for (words, at) in
        [(&["join", "mira"][..], range.address.clone()), (&["board"], format!("localhost:{port}"))]
    {
        let mut verb = Command::new(PROGRAM);
        for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            verb.env(name, &proxy);
        }
        verb.env_remove("no_proxy").env_remove("NO_PROXY");
        let asked = verb.args(words).args(["--range", &at, "--learner"]).arg(&home).output();
        let asked = asked.unwrap();
        assert!(asked.status.success(), "{at}: {}", text(&asked.stderr));
    }
}

#[test]
fn no_web_page_gets_in() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let door = range.door("mira", "sender-spoof", "session");
    let own = format!("http://{}", range.address);
    let protocol = ("Sec-WebSocket-Protocol", "portcullis-range.v1");
    let check = |headers: &[(&'static str, &str)], expected: bool| {
        assert_eq!(Script::try_open(&door, headers).is_ok(), expected, "{headers:?}");
    };
    check(&[protocol], true);
    check(&[protocol, ("Origin", &own)], true);
    check(&[protocol, ("Origin", "https://evil.example")], false);
    check(&[protocol, ("Host", "rebound.example")], false);
    check(&[], false);
    check(&[("Sec-WebSocket-Protocol", "portcullis.v1")], false);
    let rebound = "GET / HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n";
    assert!(http(&range.address, rebound).starts_with("HTTP/1.1 403"));
    let own = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", range.address);
    assert!(http(&range.address, &own).contains("NO SECURITY"));
}

/// What is not in somebody's power is refused, at every door.
#[test]
fn each_role_has_its_own_orders() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let say = r##"{"do":"say","place":"#lobby","text":"hello"}"##;
    let hold = r#"{"do":"hold","on":false}"#;
    let double = r#"{"do":"double","account":"00000000000000000000000000000000"}"#;
    let check = |slug: &str, order: &str, expected: bool| {
        let mut workshop = Script::open(&range.door("mira", slug, "workshop"));
        workshop.0.send(tungstenite::Message::text(order)).unwrap();
        let answer = workshop.hear().unwrap();
        assert_eq!(answer.get("done").is_some(), expected, "{slug} {order}: {answer}");
    };
    let rows = [
        ("sender-spoof", [true, false, false]),
        ("magic-frame", [true, true, false]),
        ("replay", [true, true, true]),
    ];
    for (slug, expected) in rows {
        let orders = [say, hold, double].into_iter().zip(expected);
        orders.for_each(|(order, expected)| check(slug, order, expected));
    }
    check("replay", r#"{"do":"package","double":7}"#, false);
    check("replay", r##"{"do":"say","place":"#nowhere","text":"hello"}"##, false);
}

/// A page is at an address of the learner's, and speaks to whoever comes, and to nobody else.
#[test]
fn a_page_waits_for_a_visitor() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let protocol = [("Sec-WebSocket-Protocol", "portcullis-range.v1")];
    let door = range.door("mira", "cross-site-socket", "page?at=https://cats.example");
    for wrong in ["https://chat.example", "https://cats.org", "", "null"] {
        let elsewhere = door.replace("https://cats.example", wrong);
        assert!(Script::try_open(&elsewhere, &protocol).is_err(), "{wrong}");
    }
    let nowhere = door.replace("?at=https://cats.example", "");
    assert!(Script::try_open(&nowhere, &protocol).is_err());
    let mut page = Script::open(&door);
    assert_eq!(page.settled(), [serde_json::Value::Null; 0]);
    page.send(&serde_json::json!({"id": 1, "request": "conversations", "data": {"after": null}}));
    assert_eq!(page.hear().unwrap_err(), "nobody has come to this page yet");
    let mut page = Script::open(&door);
    range.says("mira", &["reset", "cross-site-socket"]);
    assert_eq!(page.hear().unwrap_err(), "this world was begun anew");
}

/// Users have no hand on the wire; the operator has.
#[test]
fn the_wire_is_for_who_stands_there() {
    let range = Range::start(&[]);
    range.says("mira", &["join", "mira"]);
    let protocol = [("Sec-WebSocket-Protocol", "portcullis-range.v1")];
    let users = range.door("mira", "sender-spoof", "session").replace("session", "wire");
    assert!(Script::try_open(&users, &protocol).is_err());
    let mut hand = Script::open(&range.door("mira", "no-tag", "wire"));
    for order in [r#"{"do":"hold","on":true}"#, r#"{"do":"hold","on":false}"#] {
        hand.0.send(tungstenite::Message::text(order)).unwrap();
        assert_eq!(hand.hear().unwrap()["done"], true);
    }
    for wrong in ["", "{}", r#"{"do":"pass","frame":99}"#, r#"{"do":"burn"}"#] {
        hand.0.send(tungstenite::Message::text(wrong)).unwrap();
        assert!(hand.hear().unwrap()["refused"].is_string(), "{wrong}");
    }
}

#[test]
fn secrets_are_for_the_owner_alone() {
    let range = Range::start(&[]);
    let mode =
        |name: &str| std::fs::metadata(range.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("range"), 0o700);
    for name in ["range/secrets", "range/progress.jsonl", "range/teacher.sock"] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
}

/// What no client would send: the connection, or the request, is refused, and others go on.
#[test]
fn hostile_frames_harm_nobody_else() {
    let range = Range::start(&[]);
    for name in ["mira", "oleg"] {
        range.says(name, &["join", name]);
    }
    let mut mira = Script::open(&range.door("mira", "sender-spoof", "connect"));
    let mut oleg = Script::open(&range.door("oleg", "sender-spoof", "session"));
    assert_eq!(mira.hear().unwrap()["event"], "hello");
    let deep = "[".repeat(100_000);
    for frame in [deep.as_str(), "", "null", "{\"id\":1}", "\u{0}"] {
        mira.0.send(tungstenite::Message::text(frame)).unwrap();
        assert_eq!(mira.hear().unwrap()["refusal"], "malformed");
    }
    let long = "x".repeat(2 * 1024 * 1024);
    let sent = mira.0.send(tungstenite::Message::text(long));
    assert!(sent.is_err() || mira.hear().is_err());
    assert_eq!(oleg.ask("channels", &serde_json::json!({}))["reply"], "channels");
}
