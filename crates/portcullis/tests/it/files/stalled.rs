//! Somebody is there, and says nothing: their program is halted while a file moves directly. The other side doesn't
//! wait for ever: it turns to the server, and says so. Once the halted one goes on, the file arrives, whole; of what
//! had come the server gets nothing.

use std::fs;

use rustix::process::Signal;

use super::{bytes_below, found, noise, until};
use crate::classroom::http::counter;
use crate::program::World;
use crate::pty::Pty;

/// Enough that somebody is halted in the middle.
const BYTES: usize = 400_000_000;

/// Bytes after which that is.
const SOME: u64 = 40_000_000;

#[test]
fn a_sender_who_is_halted_is_not_waited_for() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira"]);
    let (folder, server, into) = (world.path(""), world.server(), world.folder("in"));
    let content = noise(BYTES, 13);
    let file = world.file("large.bin", &content);
    let words = ["chat", "--server", &server, "--user", "noor", "--downloads", "in"];
    let mut noor = Pty::start(&folder, &words, &[]);
    noor.fill_in("noor");
    noor.keys("/direct mira on\r/autoaccept mira 1g\r");
    noor.wait_for("Files from mira up to 1.0 GB");
    let file = file.to_str().unwrap();
    let words = ["send", "--to", "noor", "--direct", "--timeout", "600", "--file", file];
    let mira = world.start("mira", "mira", &words);

    noor.wait_for("directly,");
    until("some of it is here", || bytes_below(&into) > SOME);
    mira.signal(Signal::STOP);
    assert!(found(&into).iter().all(|name| name.starts_with('.')), "it was halted in the middle");
    noor.wait_until("another way is tried", |screen| !screen.contains("directly,"));
    assert!(found(&into).iter().all(|name| name.starts_with('.')), "nothing under its name yet");

    mira.signal(Signal::CONT);
    noor.wait_for("large.bin is there:");
    assert_eq!(mira.json()["state"], "received");
    assert_eq!(mira.end(), Some(0));
    let stored = counter(server.strip_prefix("ws://").unwrap(), "blob_stored_bytes");
    // A piece or two may have been on its way to the disk.
    assert!((1..BYTES as u64 - SOME / 2).contains(&stored), "{stored}");
    assert_eq!(found(&into), ["large.bin"]);
    assert!(fs::read(into.join("large.bin")).unwrap() == content, "it is the same");
}

#[test]
fn a_recipient_who_is_halted_is_not_waited_for() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["noor"]);
    let (folder, server, into) = (world.path(""), world.server(), world.folder("in"));
    let content = noise(BYTES, 14);
    let file = world.file("large.bin", &content);
    let into_name = into.to_str().unwrap();
    let words = ["receive", "--into", into_name, "--once", "--direct", "--timeout", "600"];
    let noor = world.start("noor", "noor", &words);
    let mut mira = Pty::register(&folder, &server, "mira");
    mira.wait_for("● noor");
    mira.keys(&format!("/direct noor on\r/file noor {}\r", file.display()));

    mira.wait_for("directly,");
    until("some of it is here", || bytes_below(&into) > SOME);
    noor.signal(Signal::STOP);
    assert!(found(&into).iter().all(|name| name.starts_with('.')), "it was halted in the middle");
    mira.wait_for("on the server, to be fetched");

    noor.signal(Signal::CONT);
    assert_eq!(noor.json()["title"], "large.bin");
    assert_eq!(noor.end(), Some(0));
    mira.wait_for("has received large.bin");
    assert_eq!(found(&into), ["large.bin"]);
    assert!(fs::read(into.join("large.bin")).unwrap() == content, "it is the same");
}
