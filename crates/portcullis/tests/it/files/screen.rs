//! Files on the screen, as people use it.

use std::fs;

use super::noise;
use crate::program::World;
use crate::pty::Pty;

#[test]
fn a_file_is_offered_and_taken() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (folder, server) = (world.path(""), world.server());
    let content = noise(3_000_000, 5);
    let report = world.file("my report.pdf", &content);
    let mut mira = Pty::register(&folder, &server, "mira");
    let mut noor = Pty::register(&folder, &server, "noor");
    mira.wait_for("● noor");
    mira.keys("/file noor /nowhere\r");
    mira.wait_for("/nowhere: it is not there");
    mira.keys(&format!("/file noor '{}'\r", report.display()));
    mira.wait_for("offers \"my report.pdf\" (3.0 MB)");
    noor.wait_for("mira offers \"my report.pdf\" (3.0 MB)");
    noor.wait_for("/get 1 or /decline 1");
    noor.keys("/get 1 taken/here\r");
    noor.wait_for("taken/here: there is no such folder");
    noor.wait_for("/get 1 or /decline 1");
    fs::create_dir_all(folder.join("taken/here")).unwrap();
    // The line is there again.
    noor.keys("\r");
    noor.wait_for("\"my report.pdf\" is there:");
    assert!(fs::read(folder.join("taken/here/my report.pdf")).unwrap() == content);
    mira.keys("/msg noor\r");
    mira.wait_for("has received \"my report.pdf\"");

    // The other way round, declined.
    let note = world.file("note.txt", b"for you");
    noor.keys("/msg mira\r");
    noor.keys(&format!("/file {}\r", note.display()));
    mira.wait_for("noor offers note.txt (7 bytes)");
    mira.keys("/decline\r");
    noor.wait_for("declined note.txt");
    noor.keys("/transfers\r");
    noor.wait_for("– \"my report.pdf\" from mira");
    noor.wait_for("– note.txt to mira");
}

#[test]
fn what_somebody_sends_may_be_taken_unasked() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (folder, server) = (world.path(""), world.server());
    world.register(&["mira"]);
    let small = world.file("small.txt", b"small");
    let large = world.file("large.bin", &noise(200_000, 1));
    let words = ["chat", "--server", &server, "--user", "noor", "--downloads", "loads"];
    fs::create_dir(folder.join("loads")).unwrap();
    let mut noor = Pty::start(&folder, &words, &[]);
    noor.fill_in("noor");
    noor.keys("/autoaccept mira 100k\r");
    noor.wait_for("mira");
    let send = |file: &std::path::Path| {
        world.lines("mira", "mira", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
    };
    send(&large);
    noor.wait_for("mira offers large.bin (200.0 kB)");
    send(&small);
    noor.wait_for("small.txt is there:");
    assert_eq!(fs::read(folder.join("loads/small.txt")).unwrap(), b"small");
}

#[test]
fn of_two_groups_of_one_name_neither_is_meant() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (folder, server) = (world.path(""), world.server());
    world.register(&["noor"]);
    let note = world.file("note.txt", b"for whom?");
    let mut mira = Pty::register(&folder, &server, "mira");
    for _ in 0..2 {
        world.lines("noor", "noor", &["group", "create", "lab", "mira"]);
    }
    mira.wait_until("both are there", |screen| screen.matches("+lab").count() == 2);
    mira.keys(&format!("/file +lab {}\r", note.display()));
    mira.wait_for("several groups are called +lab");
}
