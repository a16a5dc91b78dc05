//! Parts that somebody else touches while they arrive: what is lost is fetched again, and never passes for whole.

use std::fs;
use std::path::Path;

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{SOUND, part_name};
use portcullis_proto::{DeviceId, TransferId};

use super::super::halt::Halt;
use super::super::limits::PIECE;
use super::super::meter::Meter;
use super::super::part::Part;
use super::super::records;
use super::super::stop::Stop;
use super::engine::DEVICE;
use super::{World, bytes, read, receive, take};

const LARGE: usize = 3 * PIECE + 1000;

/// Touches a part after so many pieces. The try that is under way ends with a fault after which another one helps,
/// shows nothing, and the next one receives what was offered.
fn check(after: usize, touch: fn(&World, &Path), expected: Fault) {
    let world = World::new();
    world.file("folder/a", &bytes(LARGE));
    world.file("folder/b", &bytes(LARGE));
    world.file("folder/empty", b"");
    let offered = world.offer(&["folder"]);
    let pieces = offered.pieces(0).unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    pieces[..after].iter().for_each(|piece| take(&mut part, piece).unwrap());
    touch(&world, &world.chosen().join(part_name(offered.offer.transfer, DEVICE)));
    let ended = receive(&mut part, pieces[after..].to_vec());
    assert_eq!(ended, Err(Halt::Fault(expected)), "after {after}");
    assert!(!expected.is_final());
    assert_eq!(world.shown(), Vec::<String>::new());
    drop(part);
    let mut part = world.part(&offered.offer).unwrap();
    let rest = offered.pieces(part.offset()).unwrap();
    receive(&mut part, rest).unwrap();
    for name in ["a", "b"] {
        assert!(read(&world.chosen().join("folder").join(name)) == bytes(LARGE), "{name}");
    }
    assert_eq!(read(&world.chosen().join("folder/empty")), b"");
}

#[test]
fn a_part_that_is_removed() {
    for after in 2..=8 {
        check(after, |_, part| fs::remove_dir_all(part).unwrap(), Fault::NotFound);
        check(after, |_, part| fs::remove_dir_all(part.join("files")).unwrap(), Fault::NotFound);
    }
}

#[test]
fn a_part_in_the_place_of_which_there_is_an_empty_one() {
    let replace = |_: &World, part: &Path| {
        fs::remove_dir_all(part).unwrap();
        fs::create_dir(part).unwrap();
    };
    for after in 2..=8 {
        check(after, replace, Fault::NotFound);
    }
}

#[test]
fn a_chosen_folder_in_the_place_of_which_there_is_an_empty_one() {
    let replace = |world: &World, _: &Path| {
        fs::rename(world.chosen(), world.path("elsewhere")).unwrap();
        fs::create_dir(world.chosen()).unwrap();
    };
    for after in 2..=8 {
        check(after, replace, Fault::NotFound);
    }
}

fn cut(file: &Path) {
    fs::File::options().write(true).open(file).unwrap().set_len(5).unwrap();
}

#[test]
fn files_that_are_cut() {
    for after in 2..=8 {
        check(after, |_, part| cut(&part.join("files/folder/a")), Fault::Disk);
    }
    for after in 5..=8 {
        check(after, |_, part| cut(&part.join("files/folder/b")), Fault::Disk);
    }
}

#[test]
fn files_in_the_place_of_which_there_are_others() {
    // As long, so that its length says nothing.
    let replace = |_: &World, part: &Path| {
        let (file, other) = (part.join("files/folder/a"), part.join("other"));
        fs::write(&other, vec![0; LARGE]).unwrap();
        fs::rename(other, file).unwrap();
    };
    for after in 2..=8 {
        check(after, replace, Fault::NotFound);
    }
}

#[test]
fn what_was_judged_is_not_made_anew() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let offered = world.offer(&["a"]);
    let pieces = offered.pieces(0).unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    pieces.iter().for_each(|piece| take(&mut part, piece).unwrap());
    drop(part);
    let mut part = world.part(&offered.offer).unwrap();
    assert!(part.is_whole());
    fs::remove_file(world.chosen().join(part_name(offered.offer.transfer, DEVICE)).join("files/a"))
        .unwrap();
    assert_eq!(part.finish(), Err(Halt::Fault(Fault::NotFound)));
    assert_eq!(world.shown(), Vec::<String>::new());
}

#[cfg(unix)]
#[test]
fn names_that_a_system_takes_for_one() {
    let world = World::new();
    world.file("folder/\u{e9}", &bytes(LARGE));
    world.file("folder/e\u{301}", &bytes(LARGE));
    let offered = world.offer(&["folder"]);
    let pieces = offered.pieces(0).unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    pieces[..2].iter().for_each(|piece| take(&mut part, piece).unwrap());
    // What this one would do.
    let folder =
        world.chosen().join(part_name(offered.offer.transfer, DEVICE)).join("files/folder");
    fs::hard_link(folder.join("e\u{301}"), folder.join("\u{e9}")).unwrap();
    assert_eq!(receive(&mut part, pieces[2..].to_vec()), Err(Halt::Fault(Fault::Manifest)));
    assert_eq!(world.shown(), Vec::<String>::new());
}

#[test]
fn a_part_has_one_writer() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    world.file("b", &bytes(7));
    let (offered, other) = (world.offer(&["a"]), world.offer(&["b"]));
    let pieces = offered.pieces(0).unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    take(&mut part, &pieces[0]).unwrap();
    assert_eq!(world.part(&offered.offer).err(), Some(Halt::Fault(Fault::Busy)));
    pieces[1..].iter().for_each(|piece| take(&mut part, piece).unwrap());
    // Another transfer's is another.
    let mut second = world.part(&other.offer).unwrap();
    receive(&mut second, other.pieces(0).unwrap()).unwrap();
    part.finish().unwrap();
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
    drop(part);
    assert!(world.part(&offered.offer).unwrap().is_whole());
}

#[test]
fn a_part_that_is_being_written_is_nobody_s_to_remove() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (offered, transfers) = (world.offer(&["a"]), world.path("transfers"));
    let id = offered.offer.transfer;
    let mut part = world.part(&offered.offer).unwrap();
    let folder = world.chosen().join(part_name(id, DEVICE));
    let remove = || {
        records::add(&transfers, id, &folder).unwrap();
        records::remove(&transfers, id).unwrap();
        assert_eq!(records::part(&transfers, id), None);
        folder.exists()
    };
    assert!(remove());
    receive(&mut part, offered.pieces(0).unwrap()).unwrap();
    drop(part);
    assert!(!remove());
}

#[test]
fn a_record_that_names_somebody_s_folder_removes_nothing() {
    let world = World::new();
    let (transfers, id) = (world.path("transfers"), TransferId::from_bytes([7; 16]));
    records::add(&transfers, id, &world.chosen()).unwrap();
    assert_eq!(records::part(&transfers, id), None);
    records::remove(&transfers, id).unwrap();
    assert!(world.chosen().exists());
}

#[test]
fn two_accounts_have_a_part_each() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let offered = world.offer(&["a"]);
    let mut first = world.part(&offered.offer).unwrap();
    let other = Part::path(&world.chosen(), offered.offer.transfer, DeviceId::from_bytes([9; 16]));
    let open = || {
        let (offer, stop) = (offered.offer.clone(), Stop::default());
        Part::open(offer, other.clone(), SOUND, &stop, &Meter::default()).unwrap()
    };
    let mut second = open();
    let pieces = offered.pieces(0).unwrap();
    let paths = receive(&mut first, pieces.clone()).unwrap();
    assert_eq!(paths, [world.chosen().join("a")]);
    take(&mut second, &pieces[0]).unwrap();
    drop(second);
    // It isn't told that it has what the first one has.
    let mut second = open();
    assert!(!second.is_whole());
    let paths = receive(&mut second, pieces[1..].to_vec()).unwrap();
    assert_eq!(paths, [world.chosen().join("a (2)")]);
}
