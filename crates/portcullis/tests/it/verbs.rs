//! What scripts do, and the exit codes that they get.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::program::{World, text, write_private};

fn said(line: &Value) -> (u64, &str, &str, &str) {
    assert_eq!(line["conversation"], "#lobby", "{line}");
    assert_eq!(line["verified"], true, "{line}");
    let word = |name: &str| line[name].as_str().unwrap();
    (line["seq"].as_u64().unwrap(), word("sender"), word("text"), word("identity"))
}

#[test]
fn two_people_talk() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);

    let sent = world.lines("mira", "mira", &["send", "--to", "#lobby", "hello\u{202e} \u{1b}[2J"]);
    assert_eq!((&sent[0]["seq"], &sent[0]["conversation"]), (&1.into(), &"#lobby".into()));

    let mut sending = world.start("noor", "noor", &["send", "--to", "#lobby", "-"]);
    for line in ["one", "", "two", "three"] {
        sending.say(line);
    }
    sending.end_input();
    for seq in 2..=4 {
        assert_eq!(sending.json()["seq"], seq);
    }
    assert_eq!(sending.end(), Some(0));

    let lines = world.lines("noor", "noor", &["tail", "--count", "4"]);
    assert_eq!(lines[0]["id"], sent[0]["id"]);
    let expected = [
        (1, "mira", "hello\u{202e} \u{1b}[2J", "not_verified"),
        (2, "noor", "one", "own"),
        (3, "noor", "two", "own"),
        (4, "noor", "three", "own"),
    ];
    assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), expected);

    // What was printed is not printed again, unless it is asked for; and that does not move the mark.
    let tail = |home, words: &[&str]| {
        let lines = world.lines("mira", home, &[&["tail"], words].concat());
        lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(tail("mira", &["--count", "1"]), [1]);
    assert_eq!(tail("mira", &["--from", "4", "--count", "1"]), [4]);
    assert_eq!(tail("mira", &["--count", "2", "--in", "#lobby"]), [2, 3]);
    assert_eq!(tail("mira", &["--from", "1", "--count", "4"]), [1, 2, 3, 4]);

    // A second device of the same account, enrolled by its first command, sees all of it.
    assert_eq!(tail("mira.second", &["--count", "4"]), [1, 2, 3, 4]);
    let sent = world.lines("mira", "mira.second", &["send", "--to", "#lobby", "from the second"]);
    assert_eq!(sent[0]["seq"], 5);
    let lines = world.lines("noor", "noor", &["tail", "--count", "1"]);
    assert_eq!(said(&lines[0]), (5, "mira", "from the second", "not_verified"));

    let users = world.lines("mira", "mira", &["users"]);
    let users: Vec<_> = users.iter().map(|user| (&user["name"], &user["online"])).collect();
    assert_eq!(users, [(&"mira".into(), &true.into()), (&"noor".into(), &false.into())]);
}

#[test]
fn channels() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let check = |user: &str, words: &[&str], code: i32, says: &str| {
        let output = world.run(user, user, words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
    };
    check("mira", &["send", "--to", "#team", "hello"], 8, "you are not in #team; join it first");
    check("mira", &["tail", "--in", "#team"], 8, "you are not in #team; join it first");
    check("mira", &["join", "#team"], 5, "(not_found)");
    check("mira", &["create", "#team"], 0, "");
    check("noor", &["create", "#team"], 5, "(name_taken)");
    check("mira", &["create", "#team"], 5, "(name_taken)");
    check("noor", &["join", "#team"], 0, "");
    check("noor", &["join", "#team"], 0, "");
    check("noor", &["send", "--to", "#team", "hello"], 0, "");
    check("mira", &["create", "#closed", "--by-invitation"], 0, "");
    check("noor", &["join", "#closed"], 5, "(not_found)");
    check("noor", &["send", "--to", "#team", ""], 2, "there is nothing to send");
    check("noor", &["register"], 0, "");
    let lines = world.lines("mira", "mira", &["tail", "--in", "#team", "--count", "1"]);
    assert_eq!((&lines[0]["conversation"], &lines[0]["seq"]), (&"#team".into(), &1.into()));
}

#[test]
fn what_fails_has_its_code() {
    let mut world = World::new(&[]);
    let server = world.serve();
    world.register(&["mira"]);
    let check = |user: &str, home: &str, words: &[&str], code: i32, says: &str| {
        let output = world.run(user, home, words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
        assert!(!errors.contains("correct horse"), "{errors}");
        assert_eq!(text(&output.stdout), "");
    };
    check("mira", "other", &["register"], 5, "(name_taken)");
    check("nobody", "empty", &["users"], 4, "(login_failed)");
    check("noor", "mira", &["users"], 7, "this home belongs to mira");

    // The home is held by a tail, which is waited for, and named.
    let tail = world.start("mira", "mira", &["tail"]);
    let holder = format!("in use by process {}", tail.id());
    world.lines("mira", "second", &["send", "--to", "#lobby", "hello"]);
    assert_eq!(tail.json()["text"], "hello");
    check("mira", "mira", &["users"], 3, &holder);
    tail.kill();

    write_private(&world.path("password"), "incorrect horse\n");
    check("mira", "mira", &["users"], 4, "the password does not open it");
    check("mira", "third", &["users"], 4, "(login_failed)");
    write_private(&world.path("password"), "\n");
    check("mira", "mira", &["users"], 2, "is no password");
    write_private(&world.path("password"), "correct horse\r\n");
    // The killed tail has left a journal from which SQLite would mend the file.
    std::fs::remove_file(world.path("mira").join("home.db-wal")).unwrap();
    std::fs::write(world.path("mira").join("home.db"), [7; 8192]).unwrap();
    check("mira", "mira", &["users"], 7, "home.db");

    assert_eq!(server.terminate(), Some(0));
    check("mira", "second", &["users", "--timeout", "1"], 6, "trying again in");
    check("mira", "second", &["tail", "--timeout", "1", "--server", "ws://[::1"], 2, "--server");
}

#[test]
fn a_closed_pipe_ends_tail_quietly() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira"]);
    let mut command = world.command("mira", "reader", &["tail"]);
    let mut tail = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let send = |text: &str| world.lines("mira", "mira", &["send", "--to", "#lobby", text]);
    send("one");
    let mut output = BufReader::new(tail.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert!(line.contains("one"), "{line}");
    drop(output);
    send("two");
    let ended = tail.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(0), String::new()));
}
