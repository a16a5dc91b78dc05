//! The folder of the blobs' bytes: the server's alone, one file for each blob of which something is there,
//! under the random name that stands in its row. What has no row is removed.

use std::collections::HashSet;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use portcullis_server_core::Disk;
use portcullis_server_core::store::BlobFile;

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

/// Removes those of these files that no blob has. Whatever else somebody has put there stays.
pub(super) fn remove_strays(folder: &Path, names: Vec<String>, known: &HashSet<BlobFile>) {
    let known: HashSet<String> = known.iter().map(BlobFile::to_string).collect();
    for name in names.into_iter().filter(|name| is_ours(name) && !known.contains(name)) {
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
pub(super) fn length(path: &Path) -> io::Result<u64> {
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

fn is_ours(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
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
        check(&"AB".repeat(16), true);
        check("notes.txt", true);
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
