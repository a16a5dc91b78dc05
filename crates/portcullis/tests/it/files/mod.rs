//! Files between real programs: by verbs and on the screen, while both are here or one is away, while each of the
//! parties is killed or halted in turn, and where a disk is full or something may not be opened.

mod apart;
mod forbidden;
mod full;
mod kill;
mod screen;
mod stalled;
mod verbs;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::program::{DEADLINE, World};

/// Bytes that no chunk repeats, and that no compression makes smaller.
pub(crate) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let word = || {
        // SplitMix64 (Steele et al. 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = state;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)).to_le_bytes()
    };
    std::iter::repeat_with(word).flatten().take(bytes).collect()
}

impl World {
    /// A file to be offered.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.path("own").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// An empty folder to receive into.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        path
    }
}

/// What lies in a folder, by relative path, without folders; parts are marked by their first letter.
pub(crate) fn found(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let entries = match fs::read_dir(&next) {
            // A program tries whether it may make a folder, and removes it at once.
            Err(error) if error.kind() == ErrorKind::NotFound && next != folder => continue,
            entries => entries.unwrap(),
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                all.push(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    all.sort();
    all
}

/// Bytes of all files below a folder.
pub(crate) fn bytes_below(folder: &Path) -> u64 {
    let files = found(folder);
    files.iter().filter_map(|name| fs::metadata(folder.join(name)).ok()).map(|it| it.len()).sum()
}

/// Looks again and again until something is so.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}, in time");
        std::thread::yield_now();
    }
}
