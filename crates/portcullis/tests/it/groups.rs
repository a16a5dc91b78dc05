//! Groups between real programs: who comes, who goes, and what they read.

use serde_json::Value;

use crate::program::{World, text};
use crate::pty::Pty;

fn members(world: &World, user: &str) -> Vec<(String, bool)> {
    let lines = world.lines(user, user, &["group", "members", "team"]);
    let member = |line: &Value| {
        (line["name"].as_str().unwrap().to_owned(), line["owner"].as_bool().unwrap())
    };
    lines.iter().map(member).collect()
}

fn names(expected: &[(&str, bool)]) -> Vec<(String, bool)> {
    expected.iter().map(|(name, owner)| ((*name).to_owned(), *owner)).collect()
}

fn said(line: &Value) -> (&str, &str, &str) {
    assert_eq!(line["conversation"], "+team", "{line}");
    let word = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} of {line}"));
    (word("sender"), word("kind"), word("text"))
}

#[test]
fn members_come_and_go() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor", "otto"]);
    let made = world.lines("mira", "mira", &["group", "create", "team", "noor"]);
    assert_eq!(made[0]["conversation"], "+team");
    assert_eq!(members(&world, "mira"), names(&[("mira", true), ("noor", false)]));
    // Whoever was away finds it by its name.
    world.lines("noor", "noor", &["send", "--to", "+team", "before otto"]);
    world.lines("mira", "mira", &["group", "invite", "+team", "otto", "noor"]);
    assert_eq!(members(&world, "otto"), names(&[("mira", true), ("noor", false), ("otto", false)]));

    let tail = world.start("otto", "otto", &["tail", "--in", "+team"]);
    let line = tail.json();
    assert_eq!(said(&line).1, "notice");
    assert!(said(&line).2.contains("added otto"), "{line}");
    assert_eq!(line["conversation_id"], made[0]["id"]);
    // Another group of the same name is not taken for this one.
    world.lines("noor", "noor", &["group", "create", "team", "otto"]);
    let first = format!("+{}", made[0]["id"].as_str().unwrap());
    world.lines("noor", "noor", &["send", "--to", &first, "with otto"]);
    assert_eq!(said(&tail.json()), ("noor", "text", "with otto"));
    // Who is taken out hears of that, and of nothing after it.
    world.lines("mira", "mira", &["group", "remove", "team", "otto"]);
    world.lines("noor", "noor", &["send", "--to", &first, "after otto"]);
    assert_eq!(said(&tail.json()), ("mira", "notice", "removed otto"));
    let (code, errors) = tail.ending();
    assert_eq!(code, Some(8), "{errors}");
    assert!(errors.contains("you are not in +team"), "{errors}");

    world.lines("noor", "noor", &["group", "leave", &first]);
    let lines = world.lines("mira", "mira", &["tail", "--in", "+team", "--count", "7"]);
    let expected = [
        ("mira", "notice", "made this conversation with noor"),
        ("noor", "text", "before otto"),
        ("mira", "notice", "added otto"),
        ("noor", "text", "with otto"),
        ("mira", "notice", "removed otto"),
        ("noor", "text", "after otto"),
        ("noor", "notice", "left"),
    ];
    assert_eq!(lines.iter().map(said).collect::<Vec<_>>(), expected);
    assert_eq!(members(&world, "mira"), names(&[("mira", true)]));
}

#[test]
fn what_fails_has_its_code() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let check = |user: &str, words: &[&str], code: i32, says: &str| {
        let output = world.run(user, user, words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
    };
    check("mira", &["group", "create", "team", "nobody"], 5, "no account called nobody");
    check("mira", &["group", "members", "team"], 8, "you are not in +team");
    world.lines("mira", "mira", &["group", "create", "team", "noor"]);
    check("mira", &["group", "invite", "team", "noor"], 0, "");
    check("mira", &["group", "remove", "team", "otto"], 5, "otto is not a member");
    check("noor", &["group", "remove", "team", "mira"], 5, "only the owner");
    // Two groups of one name are told apart by their ids.
    let second = world.lines("mira", "mira", &["group", "create", "team", "noor"]);
    let id = second[0]["id"].as_str().unwrap();
    check("mira", &["send", "--to", "+team", "hello"], 2, &format!("+{id}"));
    check("mira", &["group", "leave", "team"], 2, "2 groups are called +team");
    world.lines("mira", "mira", &["send", "--to", &format!("+{id}"), "to the second"]);
    world.lines("mira", "mira", &["group", "leave", id]);
    world.lines("mira", "mira", &["send", "--to", "+team", "to the first"]);
}

/// The people's side of it.
#[test]
fn a_group_on_screens() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["otto"]);
    let folder = world.path("");
    let mut mira = Pty::register(&folder, &world.server(), "mira");
    let mut noor = Pty::register(&folder, &world.server(), "noor");
    mira.keys("/group team noor\r");
    mira.wait_for("+team ❯");
    noor.wait_for("mira has brought you into +team");
    noor.wait_until("unread", |screen| screen.contains(" +team        1"));
    noor.keys("\u{1b}a");
    noor.wait_for("+team ❯");
    noor.wait_for("mira made this conversation with noor");
    noor.keys("hello, mira\r");
    mira.wait_for("noor: hello, mira");
    noor.wait_for("hello, mira · read by mira");
    mira.keys("/invite otto\r");
    noor.wait_for("mira added otto");
    mira.keys("/rename the-team\r");
    noor.wait_for("+the-team ❯");
    noor.keys("/kick otto\r");
    noor.wait_for("only the owner of the group");
    mira.keys("/owner noor\r");
    noor.wait_for("mira made noor the owner");
    noor.keys("/kick otto\r");
    mira.wait_for("noor removed otto");
    mira.keys("/leave\r");
    mira.wait_for("You are no longer in +the-team.");
    noor.wait_for("mira left");
    noor.wait_for("1 member");
}
