//! Replays what the fuzzer's corpus holds, so that what was found once stays found. Leaves out fuzzing
//! itself: `cargo xtask fuzz TARGET`.

use portcullis_sim::fuzz::{TARGETS, run_target};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

/// The files of a target's folder, in a fixed order.
fn files(target: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(corpus().join(target)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn replay(target: &str) {
    let files = files(target);
    assert!(!files.is_empty(), "{target} has no corpus");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let done = std::panic::catch_unwind(|| assert!(run_target(target, &bytes)));
        assert!(done.is_ok(), "{} breaks {target}", file.display());
    }
}

macro_rules! replays {
    ($( $target:ident ),* $(,)?) => {
        $( #[test] fn $target() { replay(stringify!($target)); } )*

        #[test]
        fn every_target_is_replayed_and_has_a_folder_and_a_file() {
            let replayed = BTreeSet::from([ $( stringify!($target).to_owned() ),* ]);
            let known: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(replayed, known);
            // One more is of another workspace, which replays it.
            let known: BTreeSet<_> = known.into_iter().chain(["range".to_owned()]).collect();
            assert_eq!(names(&corpus()), known, "fuzz/corpus");
            assert_eq!(names(&corpus().join("../fuzz_targets")), known, "fuzz/fuzz_targets");
        }
    };
}

replays!(
    classroom_frame,
    client,
    client_frame,
    content,
    device_list,
    form,
    names_and_ids,
    opaque,
    records,
    requests,
    server_frame,
);

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| {
        entry.path().file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap()
    };
    entries.map(|entry| name(entry.unwrap())).collect()
}
