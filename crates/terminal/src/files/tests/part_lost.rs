//! Parts that somebody else touches while they arrive: what is lost is fetched again, and never passes for whole.

use std::fs;
use std::path::Path;

use portcullis_client_core::Fault;
use portcullis_client_core::defences::part_name;

use super::super::halt::Halt;
use super::super::limits::PIECE;
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
    touch(&world, &world.chosen().join(part_name(offered.offer.transfer)));
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
    fs::remove_file(world.chosen().join(part_name(offered.offer.transfer)).join("files/a"))
        .unwrap();
    assert_eq!(part.finish(), Err(Halt::Fault(Fault::NotFound)));
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
    assert_eq!(world.part(&offered.offer).err(), Some(Halt::Fault(Fault::Forbidden)));
    pieces[1..].iter().for_each(|piece| take(&mut part, piece).unwrap());
    // Another transfer's is another.
    let mut second = world.part(&other.offer).unwrap();
    receive(&mut second, other.pieces(0).unwrap()).unwrap();
    part.finish().unwrap();
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
    drop(part);
    assert!(world.part(&offered.offer).unwrap().is_whole());
}
