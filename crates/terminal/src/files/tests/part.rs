//! What a recipient keeps: what was offered, whole, below the folder that was chosen, and over nothing.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_client_core::Fault;
use portcullis_client_core::defences::part_name;

use super::super::halt::Halt;
use super::super::limits::{FLUSHED_SINGLY, PIECE};
use super::engine::DEVICE;
use super::{World, bytes, forged, read, receive, take};

const LARGE: usize = 3 * PIECE + 1000;

#[test]
fn files_and_folders_arrive_as_they_were() {
    let world = World::new();
    world.file("folder/large", &bytes(LARGE));
    world.file("folder/empty", b"");
    world.file("folder/in/it", &bytes(7));
    fs::create_dir(world.path("files/folder/nothing")).unwrap();
    world.file("report.pdf", &bytes(PIECE));
    let offered = world.offer(&["folder", "report.pdf"]);
    let mut part = world.part(&offered.offer).unwrap();
    let paths = receive(&mut part, offered.pieces(0).unwrap()).unwrap();
    assert_eq!(paths, [world.chosen().join("folder"), world.chosen().join("report.pdf")]);
    for name in ["folder/large", "folder/empty", "folder/in/it", "report.pdf"] {
        assert!(
            read(&world.chosen().join(name)) == read(&world.path("files").join(name)),
            "{name}"
        );
    }
    assert!(world.chosen().join("folder/nothing").is_dir());
    assert_eq!(fs::read_dir(world.chosen().join("folder")).unwrap().count(), 4);
}

#[test]
fn many_files_arrive() {
    let world = World::new();
    let many = 2 * FLUSHED_SINGLY;
    for number in 0..many {
        world.file(&format!("many/{number}"), &bytes(number));
    }
    let offered = world.offer(&["many"]);
    let mut part = world.part(&offered.offer).unwrap();
    receive(&mut part, offered.pieces(0).unwrap()).unwrap();
    for number in 0..many {
        assert_eq!(read(&world.chosen().join(format!("many/{number}"))), bytes(number));
    }
}

#[cfg(unix)]
#[test]
fn programs_may_run_and_nothing_else_may_do_more() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let program = world.file("folder/run.sh", b"#!/bin/sh");
    fs::set_permissions(program, fs::Permissions::from_mode(0o6777)).unwrap();
    world.file("folder/notes", b"");
    let offered = world.offer(&["folder"]);
    let mut part = world.part(&offered.offer).unwrap();
    receive(&mut part, offered.pieces(0).unwrap()).unwrap();
    let mode =
        |name: &str| fs::metadata(world.chosen().join(name)).unwrap().permissions().mode() & 0o7777;
    // What any new file here gets, by this system's mask.
    fs::write(world.chosen().join("new"), b"").unwrap();
    let new = mode("new");
    assert_eq!(mode("folder/notes"), new);
    assert_eq!(mode("folder/run.sh"), new | (new & 0o444) >> 2);
    assert_eq!(mode(&part_name(offered.offer.transfer, DEVICE)), 0o700);
}

#[test]
fn nothing_is_overwritten() {
    let world = World::new();
    world.file("a.txt", b"new");
    world.file("folder/x", b"new");
    let offered = world.offer(&["a.txt", "folder"]);
    fs::write(world.chosen().join("a.txt"), b"old").unwrap();
    fs::write(world.chosen().join("a (2).txt"), b"old").unwrap();
    fs::create_dir(world.chosen().join("folder")).unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    let paths = receive(&mut part, offered.pieces(0).unwrap()).unwrap();
    assert_eq!(paths, [world.chosen().join("a (3).txt"), world.chosen().join("folder (2)")]);
    assert_eq!(read(&world.chosen().join("a.txt")), b"old");
    assert_eq!(read(&world.chosen().join("a (3).txt")), b"new");
    assert_eq!(read(&world.chosen().join("folder (2)/x")), b"new");
}

#[test]
fn nothing_hidden_arrives() {
    let world = World::new();
    for name in [".bash_profile", ".ssh/authorized_keys", "folder/.notes", "_a", ".a"] {
        world.file(name, name.as_bytes());
    }
    let offered = world.offer(&[".bash_profile", ".ssh", "folder", "_a", ".a"]);
    fs::write(world.chosen().join("_bash_profile"), b"old").unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    let paths = receive(&mut part, offered.pieces(0).unwrap()).unwrap();
    let names = ["_bash_profile (2)", "_ssh", "folder", "_a", "_a (2)"];
    assert_eq!(paths, names.map(|name| world.chosen().join(name)));
    let there = ["_a", "_a (2)", "_bash_profile", "_bash_profile (2)", "_ssh", "folder"];
    assert_eq!(world.shown(), there);
    let check = |at: &str, name: &str| assert_eq!(read(&world.chosen().join(at)), name.as_bytes());
    check("_bash_profile (2)", ".bash_profile");
    check("_ssh/authorized_keys", ".ssh/authorized_keys");
    check("folder/.notes", "folder/.notes");
    check("_a (2)", ".a");
}

#[test]
fn it_goes_on_where_it_stopped() {
    let world = World::new();
    world.file("folder/a", &bytes(LARGE));
    world.file("folder/b", &bytes(LARGE));
    let offered = world.offer(&["folder"]);
    let pieces = offered.pieces(0).unwrap();
    // Stopped before each piece in turn, and begun anew.
    for (stopped, _) in pieces.iter().enumerate() {
        let mut part = world.part(&offered.offer).unwrap();
        let there: usize = pieces[..stopped].iter().map(Vec::len).sum();
        assert_eq!(part.offset(), there as u64);
        take(&mut part, &pieces[stopped]).unwrap();
        assert_eq!(world.shown(), Vec::<String>::new());
    }
    let mut part = world.part(&offered.offer).unwrap();
    assert!(part.is_whole());
    part.finish().unwrap();
    assert!(read(&world.chosen().join("folder/b")) == bytes(LARGE));
}

/// Damages what lies in a part of three chunks, and says from which chunk on it is wanted again.
fn check_damage(damage: impl FnOnce(&World, &PathBuf), from_chunk: Option<u64>) {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let offered = world.offer(&["a"]);
    let pieces = offered.pieces(0).unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    pieces[..4].iter().for_each(|piece| take(&mut part, piece).unwrap());
    let blob = part.blob();
    assert_eq!(part.offset(), blob.chunk_start(3));
    drop(part);
    damage(&world, &world.chosen().join(part_name(offered.offer.transfer, DEVICE)));
    let mut part = world.part(&offered.offer).unwrap();
    assert_eq!(part.offset(), from_chunk.map_or(0, |chunk| blob.chunk_start(chunk)));
    let rest = offered.pieces(part.offset()).unwrap();
    receive(&mut part, rest).unwrap();
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}

#[test]
fn what_was_damaged_is_fetched_again() {
    let cut = |name: &'static str, to: u64| {
        move |_: &World, part: &PathBuf| {
            let file = fs::File::options().write(true).open(part.join(name)).unwrap();
            file.set_len(to).unwrap();
        }
    };
    let remove = |name: &'static str| {
        move |_: &World, part: &PathBuf| fs::remove_file(part.join(name)).unwrap()
    };
    check_damage(|_, _| (), Some(3));
    check_damage(cut("files/a", 2 * PIECE as u64), Some(2));
    check_damage(cut("files/a", PIECE as u64), Some(1));
    check_damage(cut("files/a", 0), Some(0));
    check_damage(cut("files/a", 10 * PIECE as u64), Some(3));
    check_damage(remove("files/a"), Some(0));
    check_damage(remove("manifest"), Some(0));
    check_damage(cut("manifest", 3), Some(0));
    check_damage(remove("hashes"), None);
    check_damage(cut("hashes", 32), None);
    check_damage(|_, part| fs::remove_dir_all(part).unwrap(), None);
    let flip = |_: &World, part: &PathBuf| {
        let mut there = read(&part.join("files/a"));
        there[PIECE + 5] ^= 1;
        fs::write(part.join("files/a"), there).unwrap();
    };
    check_damage(flip, Some(1));
}

/// Gives a part pieces that were changed, and says that it takes none of them.
fn check_refused(change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let offered = world.offer(&["a"]);
    let mut part = world.part(&offered.offer).unwrap();
    let mut pieces = offered.pieces(0).unwrap();
    change(&mut pieces);
    assert!(matches!(
        receive(&mut part, pieces),
        Err(Halt::Fault(Fault::Damaged | Fault::Corrupt))
    ));
    assert_eq!(world.shown(), Vec::<String>::new());
}

#[test]
fn what_was_not_offered_is_not_kept() {
    check_refused(|pieces| pieces[0][5] ^= 1);
    check_refused(|pieces| pieces[2][5] ^= 1);
    check_refused(|pieces| pieces.swap(1, 2));
    check_refused(|pieces| drop(pieces.remove(1)));
    check_refused(|pieces| pieces[1].push(0));
    check_refused(|pieces| pieces[1].truncate(PIECE - 1));
    check_refused(|pieces| pieces.insert(1, Vec::new()));
    // Too many, and too few.
    check_refused(|pieces| pieces.push(pieces[1].clone()));
    check_refused(|pieces| drop(pieces.pop()));
    // The last one's mark on another, which an end before its time would need.
    check_refused(|pieces| {
        let last = pieces.len() - 1;
        pieces.swap(1, last);
        pieces.truncate(2);
    });
    // Another transfer's.
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let others = world.offer(&["a"]).pieces(0).unwrap();
    check_refused(|pieces| pieces[0].clone_from(&others[0]));
    check_refused(|pieces| pieces[1].clone_from(&others[1]));
}

/// What becomes of an offer that no sound program makes.
fn check_forged(manifest: &str, files: &[u8], change: fn(&mut portcullis_proto::FileOffer)) {
    let world = World::new();
    let (offer, pieces) = forged(manifest, files, change);
    let received = world.part(&offer).and_then(|mut part| receive(&mut part, pieces));
    assert_eq!(received, Err(Halt::Fault(Fault::Manifest)), "{manifest}");
    assert_eq!(world.names(), [part_name(offer.transfer, DEVICE)]);
    assert_eq!(fs::read_dir(world.folder.path()).unwrap().count(), 3);
}

#[test]
fn manifests_of_senders_who_mean_ill() {
    let world = World::new();
    let (offer, pieces) = forged(r#"[{"path":["a"],"file":3}]"#, b"123", |_| ());
    let paths = receive(&mut world.part(&offer).unwrap(), pieces).unwrap();
    assert_eq!(read(&paths[0]), b"123");
    check_forged(r#"[{"path":["..","a"],"file":3}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["../a"],"file":3}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["/tmp/a"],"file":3}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["CON"],"file":3}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["a"],"file":4}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["a"],"file":2}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["a"],"file":18446744073709551615}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["a"],"link":"/etc"}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["b"],"file":3}]"#, b"123", |_| ()); // another title
    check_forged(r#"[{"path":["a"],"file":3}]"#, b"123", |offer| offer.files = 2);
    check_forged(r#"[{"path":["a"],"file":1},{"path":["A"],"file":2}]"#, b"123", |offer| {
        offer.files = 2
    });
    check_forged(r#"[{"path":["a"],"file":3}]"#, b"123", |offer| offer.manifest -= 1);
    // What people were told was a document.
    check_forged(r#"[{"path":["a"],"program":3}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["a","b.txt"],"file":3}]"#, b"123", |_| ());
    check_forged(r#"[{"path":["a","b.exe"],"file":3}]"#, b"123", |offer| offer.holds.folder = true);
    check_forged("[]", b"123", |_| ());
    check_forged("", b"123", |offer| offer.manifest = 1);
    let own =
        r#"[{"path":[".portcullis-00000000000000000000000000000000.part","placed"],"file":3}]"#;
    check_forged(own, b"123", |offer| {
        offer.title =
            portcullis_proto::FileName::parse(".portcullis-00000000000000000000000000000000.part")
                .unwrap();
    });
}

#[cfg(unix)]
#[test]
fn links_on_this_side_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let world = World::new();
    world.file("folder/a", &bytes(LARGE));
    let offered = world.offer(&["folder"]);
    let outside = world.path("outside");
    fs::create_dir(&outside).unwrap();
    // In the place of the part.
    let part = world.chosen().join(part_name(offered.offer.transfer, DEVICE));
    symlink(&outside, &part).unwrap();
    assert_eq!(world.part(&offered.offer).err(), Some(Halt::Fault(Fault::NotFound)));
    fs::remove_file(&part).unwrap();
    // In the place of the file that arrives.
    let pieces = offered.pieces(0).unwrap();
    let mut opened = world.part(&offered.offer).unwrap();
    fs::create_dir_all(part.join("files/folder")).unwrap();
    symlink(outside.join("file"), part.join("files/folder/a")).unwrap();
    assert!(receive(&mut opened, pieces).is_err());
    fs::remove_dir_all(&part).unwrap();
    // In the place that it gets in the end.
    symlink(outside.join("file"), world.chosen().join("folder")).unwrap();
    let pieces = offered.pieces(0).unwrap();
    let paths = receive(&mut world.part(&offered.offer).unwrap(), pieces).unwrap();
    assert_eq!(paths, [world.chosen().join("folder (2)")]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

/// Touches the first file, which has its place, or the third, which has none.
type Touch = fn(&Path, &Path);

#[test]
fn a_crash_while_files_get_their_places() {
    let world = World::new();
    for name in ["a", "b", "c"] {
        world.file(name, name.as_bytes());
    }
    let offered = world.offer(&["a", "b", "c"]);
    fs::write(world.chosen().join("b"), b"old").unwrap();
    let mut part = world.part(&offered.offer).unwrap();
    let pieces = offered.pieces(0).unwrap();
    let paths = receive(&mut part, pieces.clone()).unwrap();
    let expected = ["a", "b (2)", "c"].map(|name| world.chosen().join(name));
    assert_eq!(paths, expected);
    drop(part);
    // After the last of them, and before anybody has heard of it: it is not begun anew.
    let mut again = world.part(&offered.offer).unwrap();
    assert!(again.is_whole());
    assert_eq!(again.finish().unwrap(), expected);
    assert_eq!(world.shown(), ["a", "b", "b (2)", "c"]);
    drop(again);
    // Between the second and the third, of which the name was written down, or half of it.
    let folder = world.chosen().join(part_name(offered.offer.transfer, DEVICE));
    let log = read(&folder.join("placed"));
    for cut in [0, 1, 5] {
        fs::create_dir_all(folder.join("files")).unwrap();
        fs::rename(world.chosen().join("c"), folder.join("files/c")).unwrap();
        fs::write(folder.join("hashes"), &pieces[0]).unwrap();
        fs::write(folder.join("placed"), &log[..log.len() - cut]).unwrap();
        let mut again = world.part(&offered.offer).unwrap();
        assert_eq!(again.finish().unwrap(), expected);
        assert_eq!(read(&world.chosen().join("c")), b"c");
        drop(again);
    }
    // The third was changed meanwhile, or the first is where nobody knows: all is received once more.
    let touches: [(Touch, [&str; 3]); 2] = [
        (|_, third| fs::write(third, b"x").unwrap(), ["a (2)", "b (3)", "c"]),
        (
            |first, _| fs::rename(first, first.with_extension("old")).unwrap(),
            ["a (2)", "b (4)", "c"],
        ),
    ];
    let mut first = world.chosen().join("a");
    for (touch, names) in touches {
        fs::create_dir_all(folder.join("files")).unwrap();
        fs::rename(world.chosen().join("c"), folder.join("files/c")).unwrap();
        fs::write(folder.join("hashes"), &pieces[0]).unwrap();
        touch(&first, &folder.join("files/c"));
        let mut again = world.part(&offered.offer).unwrap();
        assert!(!again.is_whole());
        let rest = offered.pieces(again.offset()).unwrap();
        let paths = receive(&mut again, rest).unwrap();
        assert_eq!(paths, names.map(|name| world.chosen().join(name)));
        assert_eq!(read(&world.chosen().join("c")), b"c");
        first.clone_from(&paths[0]);
    }
}

#[test]
fn a_folder_that_is_not_there_or_no_folder() {
    let world = World::new();
    world.file("a", b"");
    let offer = world.offer(&["a"]).offer;
    fs::remove_dir(world.chosen()).unwrap();
    assert_eq!(world.part(&offer).err(), Some(Halt::Fault(Fault::NotFound)));
    fs::write(world.chosen(), b"").unwrap();
    assert_eq!(world.part(&offer).err(), Some(Halt::Fault(Fault::NotFound)));
}
