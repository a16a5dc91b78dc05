//! Looking at a home from outside, without its password and without waiting.

use std::fs::{OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use super::{Home, HomeError, header, lock};

impl Home {
    /// Whether the folder is a home.
    #[must_use]
    pub fn exists(folder: &Path) -> bool {
        header::exists(folder).unwrap_or(false)
    }

    /// That another process holds the home now, if one does.
    #[must_use]
    pub fn in_use(folder: &Path) -> Option<HomeError> {
        let mut file = OpenOptions::new().read(true).open(folder.join(lock::FILE)).ok()?;
        let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        is_held.then(|| HomeError::InUse(folder.to_owned(), lock::holder(&mut file)))
    }

    /// Removes what this home has: for one that was made for an account that there is not. The
    /// folder stays, with its lock.
    ///
    /// # Errors
    /// [`HomeError::Io`] for a file that can't be removed.
    pub fn discard(self) -> Result<(), HomeError> {
        let Self { folder, store, _lock } = self;
        drop(store);
        // The key first: without it the rest says nothing.
        for file in ["home.json", "home.db", "home.db-wal", "home.db-shm"] {
            let path = folder.join(file);
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(HomeError::io(&path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
