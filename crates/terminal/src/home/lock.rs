//! The lock of a home: a file that the system locks for the life of the process, with the holder's
//! process id in it. It is never removed, since a lock on a removed file keeps nobody out.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::HomeError;

/// How long a process waits for the one before it: a verb takes a second or two.
pub const WAIT: Duration = Duration::from_secs(10);

/// How often it looks.
const POLL: Duration = Duration::from_millis(50);

pub(super) const FILE: &str = "lock";

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder, for its owner alone, and takes the lock in it.
    pub(super) async fn take(folder: &Path) -> Result<Self, HomeError> {
        let path = folder.join(FILE);
        create_folder(folder).map_err(|error| HomeError::io(folder, &error))?;
        let file = private_file().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = file.map_err(|error| HomeError::io(&path, &error))?;
        let until = Instant::now() + WAIT;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    tokio::time::sleep(POLL).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(HomeError::InUse(folder.to_owned(), holder(&mut file)));
                }
                Err(TryLockError::Error(error)) => return Err(HomeError::io(&path, &error)),
            }
        }
        write_holder(&mut file).map_err(|error| HomeError::io(&path, &error))?;
        Ok(Self { _file: file })
    }
}

pub(super) fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Options for a file that its owner alone may read.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
