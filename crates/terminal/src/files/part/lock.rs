//! One writer for each part: two programs that receive one offer into one folder would write over each other.
//!
//! A lock that the system lets go of with the process, on a file of its own in the part. A disk that has no locks is
//! used without.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Instant;

use portcullis_client_core::Fault;

use super::super::disk::{self, Identity};
use super::super::halt::Halt;
use super::super::limits::{WRITER_ENDS, WRITER_PAUSE};
use super::super::stop::Stop;

/// A part that nobody else writes, for as long as this lives.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    identity: Identity,
    path: PathBuf,
}

impl Lock {
    /// Waits a little for a writer that is about to end, such as the one before a restart.
    ///
    /// # Errors
    /// [`Fault::Busy`] where another program is receiving it there.
    pub(super) fn take(path: PathBuf, stop: &Stop) -> Result<Self, Halt> {
        let file = disk::open_private(&path).map_err(|error| Halt::disk(&error))?;
        let begun = Instant::now();
        while let Err(TryLockError::WouldBlock) = file.try_lock() {
            stop.check()?;
            if begun.elapsed() >= WRITER_ENDS {
                return Err(Halt::Fault(Fault::Busy));
            }
            sleep(WRITER_PAUSE);
        }
        let identity = Identity::of(&file).map_err(|error| Halt::disk(&error))?;
        let lock = Self { file, identity, path };
        lock.check()?;
        Ok(lock)
    }

    /// Whether somebody writes a part that has its lock there.
    pub(super) fn is_held(path: &Path) -> bool {
        // What can't be opened, nobody has locked.
        let file = disk::open(path);
        file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    }

    /// Says whether what lies there still is the part that was locked.
    ///
    /// # Errors
    /// [`Fault::NotFound`] where it was removed or replaced.
    pub(super) fn check(&self) -> Result<(), Halt> {
        let there = disk::open(&self.path).and_then(|file| Identity::of(&file));
        let there = there.map_err(|error| Halt::disk(&error))?;
        if there == self.identity { Ok(()) } else { Err(Halt::Fault(Fault::NotFound)) }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave it to a process that is being started just now, which still has the file too.
        let _ = self.file.unlock();
    }
}
