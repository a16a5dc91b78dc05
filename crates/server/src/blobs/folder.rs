//! The folder of the blobs' bytes: the server's alone, one file for each blob of which something is there,
//! under the random name that stands in its row. Where its first bytes are missing, the name says from which on
//! they are there, and the file has a hole before that. What has no row is removed.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use portcullis_server_core::Disk;
use portcullis_server_core::store::BlobFile;

/// The random names of blobs, and from which byte on they are there.
pub(super) type Names = HashMap<String, u64>;

/// Makes the folder for its owner alone, if there is none.
pub(super) fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// The names that are there now.
pub(super) fn names(folder: &Path) -> io::Result<Vec<String>> {
    let names = std::fs::read_dir(folder)?.map(|found| Ok(found?.file_name().into_string().ok()));
    names.filter_map(Result::transpose).collect()
}

/// A blob's file, whose bytes are there from this one on.
pub(super) fn path(file: &Path, begins: u64) -> PathBuf {
    match begins {
        0 => file.to_owned(),
        _ => {
            let mut name = file.as_os_str().to_owned();
            name.push(format!("-{begins}"));
            name.into()
        }
    }
}

/// Which of a blob's bytes are there, among these names.
pub(super) fn there(file: &Path, bytes: u64, names: &Names) -> io::Result<Range<u64>> {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let begins = names.get(name).copied().unwrap_or_default().min(bytes);
    let end = length(&path(file, begins))?.clamp(begins, bytes);
    Ok(begins..end)
}

/// The blobs' files that are there, and from which byte on.
pub(super) fn begins(names: &[String]) -> Names {
    let split = names.iter().filter_map(|name| parts(name));
    split.map(|(name, begins)| (name.to_owned(), begins)).collect()
}

/// A blob's random name, and from which byte on it is there; nothing of what no server has made.
fn parts(name: &str) -> Option<(&str, u64)> {
    let (random, begins) = match name.split_once('-') {
        None => (name, 0),
        Some((random, begins)) => (random, begins.parse().ok().filter(|begins| *begins > 0)?),
    };
    let is_hex = random.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    (random.len() == 32 && is_hex).then_some((random, begins))
}

/// Removes those of these files that no blob has. Whatever else somebody has put there stays.
pub(super) fn remove_strays(folder: &Path, names: Vec<String>, known: &HashSet<BlobFile>) {
    let known: HashSet<String> = known.iter().map(BlobFile::to_string).collect();
    let is_stray = |name: &String| parts(name).is_some_and(|(random, _)| !known.contains(random));
    for name in names.into_iter().filter(is_stray) {
        remove(&folder.join(name));
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            // The next sweep tries again.
            tracing::warn!(%error, "a blob's bytes can't be removed");
        }
        _ => {}
    }
}

/// How many bytes a file has; none where there is no file.
fn length(path: &Path) -> io::Result<u64> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Opens a file to append to, or makes it for its owner alone, so that it is still there after a crash.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if file.metadata()?.len() == 0
        && let Some(folder) = path.parent()
    {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// How full the disk is, where so much of it are blobs' bytes.
pub(super) fn disk(folder: &Path, stored: u64) -> io::Result<Disk> {
    let found = rustix::fs::statvfs(folder)?;
    Ok(Disk { free: found.f_bavail.saturating_mul(found.f_frsize), stored })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_row_stays() {
        let folder = tempfile::tempdir().unwrap();
        let known = HashSet::from([BlobFile([0xab; 16])]);
        let check = |name: &str, stays: bool| {
            let path = folder.path().join(name);
            std::fs::write(&path, b"x").unwrap();
            let listed = names(folder.path()).unwrap();
            remove_strays(folder.path(), listed, &known);
            assert_eq!(path.exists(), stays, "{name}");
        };
        check(&"ab".repeat(16), true);
        check(&"cd".repeat(16), false);
        check(&format!("{}-70", "ab".repeat(16)), true);
        check(&format!("{}-70", "cd".repeat(16)), false);
        check(&format!("{}-x", "cd".repeat(16)), true);
        check(&"AB".repeat(16), true);
        check("notes.txt", true);
    }

    /// The name of a blob's file, its length, and what is there of a blob of 100 bytes.
    #[test]
    fn a_files_name_says_where_it_begins() {
        let check = |begins: u64, length: u64, expected: Range<u64>| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("ab".repeat(16));
            open(&path(&file, begins)).unwrap().set_len(length).unwrap();
            let names = super::begins(&names(folder.path()).unwrap());
            assert_eq!(there(&file, 100, &names).unwrap(), expected, "{begins} {length}");
        };
        check(0, 0, 0..0);
        check(0, 70, 0..70);
        check(0, 170, 0..100);
        check(40, 70, 40..70);
        check(40, 7, 40..40);
        check(140, 0, 100..100);
        let none = there(Path::new("nothing"), 100, &Names::new());
        assert_eq!(none.unwrap(), 0..0);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("blobs");
        make(&folder).unwrap();
        let file = folder.join("a");
        drop(open(&file).unwrap());
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    }

    #[test]
    fn a_disk_has_room() {
        let folder = tempfile::tempdir().unwrap();
        let found = disk(folder.path(), 7).unwrap();
        assert_eq!(found.stored, 7);
        assert!(found.free > 0);
    }
}
