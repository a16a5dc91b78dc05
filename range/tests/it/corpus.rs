//! Replays what the fuzzer's corpus holds for the range's own interface. Leaves out fuzzing itself:
//! `cargo xtask fuzz range`.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

#[test]
fn the_corpus_breaks_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/range");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there is no corpus");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let done = std::panic::catch_unwind(|| portcullis_range::fuzz::range(&bytes));
        assert!(done.is_ok(), "{} breaks the range", file.display());
    }
}
