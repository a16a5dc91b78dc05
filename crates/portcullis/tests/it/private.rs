//! Private messages between real programs.

use serde_json::Value;

use crate::program::{World, text};
use crate::pty::Pty;

fn said(line: &Value) -> (&str, &str, &str, &str) {
    assert_eq!(line["verified"], true, "{line}");
    let word = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} of {line}"));
    (word("conversation"), word("sender"), word("kind"), word("text"))
}

#[test]
fn a_message_waits_for_whoever_is_away() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let sent = world.lines("mira", "mira", &["send", "--to", "noor", "are you there?"]);
    assert_eq!(sent[0]["conversation"], "noor");
    let lines = world.lines("noor", "noor", &["tail", "--count", "2"]);
    let expected = [
        ("mira", "mira", "notice", "made this conversation with noor"),
        ("mira", "mira", "text", "are you there?"),
    ];
    assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(lines[1]["id"], sent[0]["id"]);
    assert_eq!(lines[1]["identity"], "not_verified");

    // The answer, and what one has said oneself, which nobody can read out of the log any more.
    world.lines("noor", "noor", &["send", "--to", "mira", "now I am"]);
    let lines = world.lines("mira", "mira", &["tail", "--in", "noor", "--count", "3"]);
    let expected = [
        ("noor", "mira", "notice", "made this conversation with noor"),
        ("noor", "mira", "text", "are you there?"),
        ("noor", "noor", "text", "now I am"),
    ];
    assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(lines[1]["identity"], "own");
}

#[test]
fn private_messages_that_can_not_be() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira"]);
    let check = |words: &[&str], code: i32, says: &str| {
        let output = world.run("mira", "mira", words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
    };
    check(&["send", "--to", "noor", "hello"], 5, "there is no account called noor");
    check(&["send", "--to", "mira", "hello"], 5, "this is you");
    check(&["tail", "--in", "noor"], 8, "there is no conversation with noor yet");
    check(&["send", "--to", "+team", "hello"], 8, "you are not in +team");
}

/// A program that is killed as soon as its message was acknowledged has said it once, and goes on with
/// keys that it has not used.
#[test]
fn a_kill_after_the_acknowledgement_loses_nothing() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let mut expected = Vec::new();
    for round in 0..4 {
        let mut sending = world.start("mira", "mira", &["send", "--to", "noor", "-"]);
        for line in 0..3 {
            let text = format!("round {round}, line {line}");
            sending.say(&text);
            sending.json();
            expected.push(text);
        }
        sending.kill();
    }
    world.lines("mira", "mira", &["send", "--to", "noor", "the end"]);
    expected.push("the end".to_owned());
    let mut heard = Vec::new();
    let tail = world.start("noor", "noor", &["tail", "--in", "mira"]);
    while heard.last() != expected.last() {
        let line = tail.json();
        if line["kind"] == "text" {
            heard.push(line["text"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(heard, expected);
}

#[test]
fn a_second_device_takes_part_by_itself() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    world.lines("mira", "mira", &["send", "--to", "noor", "before the second"]);
    world.lines("noor", "noor", &["tail", "--count", "2"]);
    // Nobody else is connected.
    let lines = world.lines("noor", "noor.second", &["tail", "--count", "1"]);
    let words = said(&lines[0]).3;
    assert!(words.contains("2 entries were sent before this device was added"), "{words}");
    world.lines("noor", "noor.second", &["send", "--to", "mira", "from the second"]);
    world.lines("mira", "mira", &["send", "--to", "noor", "to both"]);
    for home in ["noor", "noor.second"] {
        let tail = world.start("noor", home, &["tail", "--in", "mira"]);
        let mut heard = Vec::new();
        while heard.last().is_none_or(|text| text != "to both") {
            let line = tail.json();
            if line["kind"] == "text" {
                heard.push(line["text"].as_str().unwrap().to_owned());
            }
        }
        assert_eq!(heard, ["from the second", "to both"], "{home}");
    }
}

#[test]
fn whoever_wants_it_reads_unseen() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (folder, server) = (world.path(""), world.server());
    let mut mira = Pty::register(&folder, &server, "mira");
    let unseen = ["chat", "--server", &server, "--user", "noor", "--no-read-marks"];
    let mut noor = Pty::start(&folder, &unseen, &[]);
    noor.fill_in("noor");
    mira.keys("/msg noor one\r");
    noor.wait_for("mira has begun a direct conversation");
    noor.keys("/msg mira\r");
    noor.wait_for("mira: one");
    noor.keys("two\r");
    mira.wait_for("noor: two");
    // A mark for this one would tell of the first, too.
    mira.keys("three\r");
    mira.wait_for("mira: three · delivered");
    assert!(!mira.screen().contains("read"), "{}", mira.screen());
}

/// The person's side of it: two screens.
#[test]
fn two_people_talk_alone() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let folder = world.path("");
    let mut mira = Pty::register(&folder, &world.server(), "mira");
    let mut noor = Pty::register(&folder, &world.server(), "noor");
    mira.keys("/msg noor Are you there?\r");
    mira.wait_for("noor ❯");
    mira.wait_for("encrypted: mls · not verified");
    noor.wait_for("mira has begun a direct conversation");
    // Alt-A: to what is not read yet.
    noor.keys("\u{1b}a");
    noor.wait_for("mira ❯");
    noor.wait_for("mira: Are you there?");
    mira.wait_for("mira: Are you there? · read");
    noor.keys("/reply I am.\r");
    mira.wait_for("╭ mira: Are you there?");
    mira.wait_for("noor: I am.");
    mira.keys("/react 👍\r");
    noor.wait_for("+ 👍 1");
    noor.keys("/edit I am, now.\r");
    mira.wait_for("noor: I am, now. (edited)");
    mira.keys("/history\r");
    mira.wait_for("· I am.");
    noor.keys("/delete\r");
    mira.wait_for("× deleted by its author");
    mira.keys("/members\r");
    mira.wait_for("Members of noor:");
    mira.keys("/verify noor\r");
    mira.wait_for("Do they match?");
    mira.keys("y");
    mira.wait_for("│ encrypted: mls · verified │");
    mira.keys("/leave\r");
    mira.wait_for("can't be left");
    // What was said is there again after the program was ended, changes and all.
    mira.keys("/quit\r");
    assert_eq!(mira.end(), 0);
    let server = world.server();
    let mut mira = Pty::start(&folder, &["chat", "--server", &server, "--user", "mira"], &[]);
    mira.wait_for("Welcome back");
    mira.keys(&format!("{}\r", crate::pty::PASSWORD));
    mira.wait_for("● online");
    mira.keys("/msg noor\r");
    mira.wait_for("noor ❯");
    mira.wait_for("mira: Are you there?");
    mira.wait_for("× deleted by its author");
}
