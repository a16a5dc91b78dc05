//! The files of a data folder: who may read them, and how one is replaced whole.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::OpenError;

/// The database; SQLite gives its `-wal` and `-shm` the same permissions.
pub(super) const DATABASE: &str = "portcullis.db";
/// Held by the server that uses the folder; holds its process id.
pub(super) const LOCK: &str = "lock";
/// The OPAQUE set-up.
pub(super) const SETUP: &str = "opaque-setup";
/// The key with which the server speaks to classroom guests, as PKCS#8.
pub(super) const CLASSROOM_KEY: &str = "classroom-key";

/// Makes a folder for its owner alone. One that exists is left as it is.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes an empty file for its owner alone, if there is none.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    private().append(true).create(true).open(path).map(|_| ())
}

/// Refuses a folder with a set-up, but no database or an empty file in its place. To be asked before
/// anything is made, so that the folder stays as it was found.
pub(super) fn refuse_lost(folder: &Path) -> Result<(), OpenError> {
    let bytes = match std::fs::metadata(folder.join(DATABASE)) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error.into()),
    };
    if bytes == 0 && folder.join(SETUP).try_exists()? {
        return Err(OpenError::DatabaseLost);
    }
    Ok(())
}

/// Takes the folder's lock; the system lets it go when the file is closed or the process ends.
pub(super) fn lock(folder: &Path) -> Result<File, OpenError> {
    let path = folder.join(LOCK);
    let mut file = private().read(true).write(true).create(true).truncate(false).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let _ = file.read_to_string(&mut text);
            return Err(OpenError::InUse(text.trim().parse().ok()));
        }
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Writes a secret's file: whole, or not at all, and on the disk when this returns.
pub(super) fn write_secret(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(name).with_extension("new");
    let mut file = private().write(true).create(true).truncate(true).open(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&draft, folder.join(name))?;
    sync_folder(folder)
}

/// Makes a secret and writes its file, unless there is one; whoever else is about to is waited for.
pub(super) fn write_secret_once(
    folder: &Path,
    name: &str,
    make: impl FnOnce() -> io::Result<Zeroizing<Vec<u8>>>,
) -> io::Result<()> {
    let (path, draft) = (folder.join(name), folder.join(name).with_extension("new"));
    // Whoever is waited for gives this very file its name.
    let mut file = private().write(true).create(true).truncate(false).open(&draft)?;
    file.lock()?;
    if path.try_exists()? {
        return match std::fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    file.set_len(0)?;
    file.write_all(&make()?)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    sync_folder(folder)
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder can't be opened as a file.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
