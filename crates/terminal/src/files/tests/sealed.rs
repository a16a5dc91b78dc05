//! What leaves a sender: what was offered, from any byte on, and nothing else.

use std::fs;

use portcullis_client_core::Fault;

use super::super::halt::Halt;
use super::super::limits::PIECE;
use super::super::prepare::hashes_path;
use super::{World, bytes, pieces};

const LARGE: usize = 3 * PIECE + 1000;

#[test]
fn a_blob_is_the_same_from_any_byte_on() {
    let world = World::new();
    world.file("folder/a", &bytes(LARGE));
    world.file("folder/b", &bytes(70_000));
    let offered = world.offer(&["folder"]);
    let blob = offered.pieces(0).unwrap().concat();
    assert_eq!(blob.len() as u64, offered.offer.blob_bytes().unwrap());
    let hashes = blob.len() - (blob.len() - 64) / PIECE * PIECE;
    for offset in [1, 31, hashes, hashes + 1, PIECE, 2 * PIECE + 17, blob.len() - 1, blob.len()] {
        assert!(offered.pieces(offset as u64).unwrap().concat() == blob[offset..], "{offset}");
    }
    assert_eq!(offered.pieces(u64::MAX).unwrap(), Vec::<Vec<u8>>::new());
}

#[test]
fn nothing_in_it_can_be_read() {
    let world = World::new();
    world.file("secret-name", &[b'x'; LARGE]);
    let blob = world.offer(&["secret-name"]).pieces(0).unwrap().concat();
    let seen = |text: &[u8]| blob.windows(text.len()).any(|part| part == text);
    assert!(!seen(b"secret-name") && !seen(b"xxxxxxxxxxxxxxxx"));
    // Two offers of one file have nothing in common.
    let again = world.offer(&["secret-name"]).pieces(0).unwrap().concat();
    assert!(blob.chunks(16).zip(again.chunks(16)).all(|(one, other)| one != other));
}

/// What happens to a folder of two files between offer and sending, and how sending ends.
fn check(change: impl FnOnce(&World), expected: Halt) {
    let world = World::new();
    world.file("folder/a", &bytes(LARGE));
    world.file("folder/b", &bytes(LARGE));
    let offered = world.offer(&["folder"]);
    assert!(offered.pieces(0).is_ok());
    change(&world);
    assert_eq!(offered.pieces(0).err(), Some(expected));
}

#[test]
fn what_changed_after_the_offer_does_not_leave() {
    let put =
        |name: &'static str, bytes: Vec<u8>| move |world: &World| drop(world.file(name, &bytes));
    let mut changed = bytes(LARGE);
    changed[LARGE - 1] ^= 1;
    check(put("folder/b", changed), Halt::Changed);
    check(put("folder/b", bytes(LARGE - 1)), Halt::Changed);
    check(put("folder/b", bytes(LARGE + 1)), Halt::Changed);
    check(put("folder/c", bytes(1)), Halt::Changed);
    // The bytes of both together are as many as they were.
    let moved = |world: &World| {
        world.file("folder/a", &bytes(LARGE - 1));
        world.file("folder/b", &bytes(LARGE + 1));
    };
    check(moved, Halt::Changed);
    let renamed = |world: &World| {
        fs::rename(world.path("files/folder/b"), world.path("files/folder/x")).unwrap();
    };
    check(renamed, Halt::Changed);
    let removed = |world: &World| fs::remove_dir_all(world.path("files/folder")).unwrap();
    check(removed, Halt::Fault(Fault::NotFound));
}

#[test]
fn a_change_in_the_middle_stops_there() {
    let world = World::new();
    let path = world.file("a", &bytes(LARGE));
    let offered = world.offer(&["a"]);
    let sealed = offered.sealed().unwrap();
    let whole = pieces(&sealed, 0).unwrap();
    let mut changed = bytes(LARGE);
    changed[2 * PIECE] ^= 1;
    fs::write(&path, changed).unwrap();
    let mut left = sealed.pieces_from(0);
    // The hashes and two chunks are as they were.
    for piece in &whole[..3] {
        assert_eq!(left.next(Vec::new()).unwrap().unwrap().bytes(), piece);
    }
    assert_eq!(left.next(Vec::new()).unwrap().err(), Some(Halt::Changed));
}

#[test]
fn hashes_that_are_not_the_offers_serve_nothing() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let offered = world.offer(&["a"]);
    let path = hashes_path(&offered.transfers, offered.offer.transfer);
    let mut hashes = fs::read(&path).unwrap();
    hashes[40] ^= 1;
    fs::write(&path, &hashes).unwrap();
    assert_eq!(offered.pieces(0).err(), Some(Halt::Fault(Fault::Disk)));
    fs::write(&path, &hashes[..32]).unwrap();
    assert_eq!(offered.pieces(0).err(), Some(Halt::Fault(Fault::Disk)));
    fs::remove_file(&path).unwrap();
    assert_eq!(offered.pieces(0).err(), Some(Halt::Fault(Fault::NotFound)));
}

#[cfg(unix)]
#[test]
fn kept_hashes_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.file("a", b"");
    let offered = world.offer(&["a"]);
    let path = hashes_path(&offered.transfers, offered.offer.transfer);
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}
