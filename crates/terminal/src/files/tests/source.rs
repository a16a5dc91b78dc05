//! What can be offered, and how it is read.

use std::fs;
use std::time::{Duration, SystemTime};

use portcullis_client_core::defences::part_name;
use portcullis_proto::{BadManifest, EntryKind, TransferId, limits};

use super::super::source::{BadSource, Source, SourceReader, Told};
use super::engine::DEVICE;
use super::{World, bytes};

fn manifest(source: &Source) -> Vec<(String, EntryKind)> {
    let entries = source.manifest().entries().iter();
    entries.map(|entry| (entry.path.to_string(), entry.kind)).collect()
}

fn gather(world: &World, names: &[&str]) -> Result<(Source, Vec<Told>), BadSource> {
    let paths: Vec<_> = names.iter().map(|name| world.path("files").join(name)).collect();
    Source::gather(&paths)
}

#[test]
fn files_and_folders_are_walked_in_order() {
    let world = World::new();
    world.file("b.txt", b"12");
    world.file("photos/two/x", b"1");
    world.file("photos/one", b"");
    fs::create_dir(world.path("files/photos/empty")).unwrap();
    let (source, told) = gather(&world, &["photos", "b.txt"]).unwrap();
    let expected = [
        ("photos/empty", EntryKind::Folder),
        ("photos/one", EntryKind::File(0)),
        ("photos/two/x", EntryKind::File(1)),
        ("b.txt", EntryKind::File(2)),
    ];
    assert_eq!(manifest(&source), expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert_eq!(told, []);
    // By way of a folder's own dot.
    let (source, _) = gather(&world, &["photos/two/.."]).unwrap();
    assert_eq!(manifest(&source)[0].0, "photos/empty");
}

#[cfg(unix)]
#[test]
fn links_programs_and_names_that_can_not_travel() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = World::new();
    let target = world.file("real", b"123");
    let program = world.file("folder/run.sh", b"");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    let odd = world.file("folder/what?", b"1");
    symlink(&target, world.path("files/link")).unwrap();
    symlink(&target, world.path("files/folder/link")).unwrap();
    symlink("/nothing/there", world.path("files/broken")).unwrap();
    let (source, told) = gather(&world, &["link", "folder"]).unwrap();
    let expected = [
        ("link", EntryKind::File(3)),
        ("folder/run.sh", EntryKind::Program(0)),
        ("folder/what_", EntryKind::File(1)),
    ];
    assert_eq!(manifest(&source), expected.map(|(path, kind)| (path.to_owned(), kind)));
    let [Told::Link(link), Told::Renamed(renamed, name)] = told.as_slice() else {
        unreachable!("{told:?}")
    };
    assert!(link.ends_with("folder/link"));
    assert!(renamed.ends_with(odd.file_name().unwrap()) && name.as_str() == "what_");
    let broken = world.path("files/broken");
    assert_eq!(gather(&world, &["broken"]).err(), Some(BadSource::NotFound(broken)));
}

#[test]
fn what_is_arriving_itself_is_left_out() {
    let world = World::new();
    let part = part_name(TransferId::from_bytes([7; 16]), DEVICE);
    world.file("downloads/note", b"1");
    world.file(&format!("downloads/{part}/files/note"), b"1");
    world.file(&format!("downloads/old/{}/lock", part.to_uppercase()), b"");
    let (source, told) = gather(&world, &["downloads"]).unwrap();
    let note = [("downloads/note".to_owned(), EntryKind::File(1))];
    let old = [("downloads/old".to_owned(), EntryKind::Folder)];
    assert_eq!(manifest(&source), [note, old].concat());
    assert!(matches!(told.as_slice(), [Told::Part(_), Told::Part(_)]), "{told:?}");
    let named = world.path("files/downloads").join(&part);
    let error = gather(&world, &[&format!("downloads/{part}")]).err();
    assert_eq!(error, Some(BadSource::Part(named)));
}

#[cfg(unix)]
#[test]
fn what_is_neither_file_nor_folder_is_refused() {
    let world = World::new();
    let pipe = world.path("files/folder/pipe");
    fs::create_dir(world.path("files/folder")).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&pipe).unwrap();
    let refused = |names: &[&str]| match gather(&world, names) {
        Err(BadSource::Special(path)) => path.ends_with("folder/pipe"),
        other => unreachable!("{other:?}"),
    };
    assert!(refused(&["folder"]));
    assert!(refused(&["folder/pipe"]));
    let device = Source::gather(&["/dev/null".into()]);
    assert_eq!(device.err(), Some(BadSource::Special("/dev/null".into())));
}

#[test]
fn there_are_bounds() {
    let world = World::new();
    let nothing = gather(&world, &[]);
    assert_eq!(nothing.err(), Some(BadSource::Manifest(BadManifest::Empty)));
    let missing = world.path("files/missing");
    let error = gather(&world, &["missing"]).err();
    assert_eq!(error, Some(BadSource::NotFound(missing.clone())));
    // Whoever has named several hears of all of them.
    world.file("there", b"");
    let gone = world.path("files").join("gone");
    let several = vec![BadSource::NotFound(missing), BadSource::NotFound(gone)];
    let error = gather(&world, &["missing", "there", "gone"]).err().unwrap();
    assert_eq!(error, BadSource::Several(several));
    assert_eq!(error.to_string().matches(": it is not there").count(), 2, "{error}");
    let pattern = gather(&world, &["*.txt"]).err().map(|error| error.to_string());
    assert!(pattern.unwrap().ends_with("*.txt: it is not there, and patterns are not expanded"));
    // The names differ on this system, and not on others.
    world.file("Case/a", b"");
    world.file("case/b", b"");
    let twice = gather(&world, &["Case", "case"]);
    assert!(matches!(twice, Err(BadSource::Manifest(BadManifest::Twice(_)))), "{twice:?}");
    let deep = "d/".repeat(limits::FILE_DEPTH - 1);
    world.file(&format!("{deep}x"), b"");
    assert!(gather(&world, &["d"]).is_ok());
    world.file(&format!("{deep}d/x"), b"");
    assert!(matches!(gather(&world, &["d"]), Err(BadSource::Deep(_))));
    for number in 0..limits::FILE_ENTRIES {
        world.file(&format!("many/{number}"), b"");
    }
    assert!(gather(&world, &["many"]).is_ok());
    let too_many = gather(&world, &["many", "case"]);
    assert_eq!(too_many.err(), Some(BadSource::Manifest(BadManifest::TooMany)));
}

/// What reading says once a file of two chunks was changed after it was looked at.
fn check(change: impl FnOnce(&std::path::Path), read: bool, unchanged: bool) {
    let world = World::new();
    let path = world.file("a", &bytes(300_000));
    let (source, _) = gather(&world, &["a"]).unwrap();
    change(&path);
    let all = 0..source.bytes();
    let filled = SourceReader::new(&source).fill(all, &mut Vec::new());
    assert_eq!(filled.is_ok(), read, "{filled:?}");
    assert_eq!(source.is_unchanged().is_ok(), unchanged);
}

#[test]
fn a_file_that_changes_while_it_is_read_is_noticed() {
    let append = |path: &std::path::Path, more: &[u8]| {
        fs::write(path, [&bytes(300_000), more].concat()).unwrap();
    };
    check(|_| (), true, true);
    check(|path| append(path, b"x"), false, false);
    check(|path| fs::write(path, bytes(299_999)).unwrap(), false, false);
    check(|path| fs::remove_file(path).unwrap(), false, false);
    // The same number of bytes, a moment later.
    let later = SystemTime::now() + Duration::from_secs(9);
    check(|path| fs::File::open(path).unwrap().set_modified(later).unwrap(), true, false);
    check(
        |path| {
            fs::remove_file(path).unwrap();
            fs::create_dir(path).unwrap();
        },
        false,
        false,
    );
}
