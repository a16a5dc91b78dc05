//! Each of the parties is killed while a file moves, and it arrives all the same, whole, and no byte of it twice.

use std::fs;

use super::{bytes_below, found, noise, until};
use crate::classroom::http::counter;
use crate::program::World;

/// Enough that a kill lands in the middle.
const BYTES: usize = 150_000_000;

/// Bytes after which somebody is killed.
const SOME: u64 = 20_000_000;

#[test]
fn whoever_is_killed_goes_on() {
    let mut world = World::new(&[]);
    let mut server = world.serve();
    world.register(&["mira", "noor"]);
    let content = noise(BYTES, 7);
    let file = world.file("large.bin", &content);
    let into = world.folder("in");
    let blobs = world.path("data").join("blobs");
    let send = ["send", "--to", "noor", "--file", file.to_str().unwrap()];
    let receive = ["receive", "--into", into.to_str().unwrap(), "--once"];

    // The sender, while it puts the file on the server.
    let sending = world.start("mira", "mira", &send);
    until("some of it is on the server", || bytes_below(&blobs) > SOME);
    sending.kill();
    let before = bytes_below(&blobs);
    assert!(before < BYTES as u64, "it was killed in the middle: {before}");

    // The server, while the sender goes on; any verb does, for the transfer is the home's.
    let going_on = world.start("mira", "mira", &["tail", "--in", "noor"]);
    until("it goes on", || bytes_below(&blobs) > before + SOME);
    server.kill();
    let on_disk = bytes_below(&blobs);
    assert!(on_disk < BYTES as u64, "it was killed in the middle: {on_disk}");
    server = world.serve();

    // The recipient, while it fetches.
    let receiving = world.start("noor", "noor", &receive);
    until("some of it is here", || bytes_below(&into) > SOME);
    receiving.kill();
    assert!(found(&into).iter().all(|name| name.starts_with('.')), "nothing under its name yet");

    let receiving = world.start("noor", "noor", &receive);
    assert_eq!(receiving.json()["title"], "large.bin");
    assert_eq!(receiving.end(), Some(0));
    assert_eq!(found(&into), ["large.bin"]);
    assert!(fs::read(into.join("large.bin")).unwrap() == content, "it is the same");
    drop(going_on);
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn what_the_server_has_is_not_sent_again() {
    let mut world = World::new(&[]);
    let server = world.serve();
    world.register(&["mira", "noor"]);
    let file = world.file("large.bin", &noise(BYTES, 15));
    let blobs = world.path("data").join("blobs");
    let address = world.server();
    let came = || counter(address.strip_prefix("ws://").unwrap(), "blob_stored_bytes");

    let mut sending =
        world.start("mira", "mira", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
    for some in 1..4 {
        until("it is at it", || bytes_below(&blobs) > some * SOME);
        sending.kill();
        let before = bytes_below(&blobs);
        assert!(before < BYTES as u64, "it was killed in the middle: {before}");
        sending = world.start("mira", "mira", &["tail", "--in", "noor"]);
    }
    until("all of it is there", || came() >= BYTES as u64);
    assert_eq!(came(), bytes_below(&blobs), "each byte once");
    drop(sending);
    assert_eq!(server.terminate(), Some(0));
}
