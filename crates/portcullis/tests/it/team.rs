//! A team as teams are: three people with five devices, programs that are killed, and a member who is
//! taken out and tries to read on.

use crate::program::{World, text};
use std::fs;
use std::path::Path;

/// The texts that a home hears in the group, up to this one.
fn heard(world: &World, user: &str, home: &str, last: &str) -> Vec<String> {
    let tail = world.start(user, home, &["tail", "--in", "+team"]);
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != last) {
        let line = tail.json();
        if line["kind"] == "text" {
            heard.push(line["text"].as_str().unwrap().to_owned());
        }
    }
    heard
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn three_people_five_devices_kills_and_one_who_is_taken_out() {
    let mut world = World::new(&[]);
    let server = world.serve();
    world.register(&["mira", "noor", "otto"]);
    world.lines("mira", "mira", &["group", "create", "team", "noor", "otto"]);
    let mut said = Vec::new();
    for user in ["mira", "noor"] {
        let words = format!("the second device of {user}");
        world.lines(user, &format!("{user}.second"), &["send", "--to", "+team", &words]);
        said.push(words);
    }
    // A program is killed once its lines were acknowledged, and the server after it.
    let mut sending = world.start("otto", "otto", &["send", "--to", "+team", "-"]);
    for number in 0..5 {
        let words = format!("line {number}");
        sending.say(&words);
        sending.json();
        said.push(words);
    }
    sending.kill();
    server.kill();
    let _server = world.serve();
    world.lines("mira", "mira.second", &["send", "--to", "+team", "still here"]);
    said.push("still here".to_owned());
    assert_eq!(heard(&world, "otto", "otto", "still here"), said);

    // Otto keeps all that his device had as a member: its keys, its token, what it believes.
    copy(&world.path("otto"), &world.path("otto.before"));
    world.lines("mira", "mira", &["group", "remove", "team", "otto"]);
    world.lines("noor", "noor.second", &["send", "--to", "+team", "without otto"]);
    said.push("without otto".to_owned());
    let tail = ["tail", "--in", "+team", "--from", "1", "--timeout", "5"];
    let output = world.run("otto", "otto.before", &tail);
    let lines = text(&output.stdout);
    assert!(!lines.contains("without otto"), "{lines}");
    let output = world.run("otto", "otto.before", &["send", "--to", "+team", "me too"]);
    assert_ne!(output.status.code(), Some(0));

    world.lines("mira", "mira", &["send", "--to", "+team", "the end"]);
    said.push("the end".to_owned());
    assert_eq!(heard(&world, "mira", "mira", "the end"), said);
    assert_eq!(heard(&world, "noor", "noor", "the end"), said);
    // The second devices came in one after the other.
    assert_eq!(heard(&world, "mira", "mira.second", "the end"), said);
    assert_eq!(heard(&world, "noor", "noor.second", "the end"), said[1..]);
}
