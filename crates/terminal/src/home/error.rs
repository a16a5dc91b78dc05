//! Why a home can't be used, and the words for it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Error, ErrorCode};

/// Why a home can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HomeError {
    /// Another process holds it; its id, if it could be read.
    InUse(PathBuf, Option<u32>),
    /// The password is not the one that this home was made with.
    WrongPassword(PathBuf),
    /// It is the home of an account, which only its password opens.
    HasPassword(PathBuf),
    /// The file was written by a newer version of the program.
    Newer(PathBuf),
    /// The file is not what was written.
    Damaged(PathBuf),
    /// The file is missing beside the records that it belongs to.
    Missing(PathBuf),
    /// There is no room left on the disk.
    Full(PathBuf),
    /// The system gives an error.
    Io(PathBuf, io::ErrorKind),
    /// There is not enough memory to stretch the password.
    OutOfMemory,
}

impl HomeError {
    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Full(path.to_owned())
            }
            kind => Self::Io(path.to_owned(), kind),
        }
    }

    /// What an error of SQLite means. Its text is dropped: it may quote contents.
    pub(super) fn sqlite(path: &Path, error: &Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(path),
            Some(ErrorCode::ReadOnly) => Self::Io(path, io::ErrorKind::ReadOnlyFilesystem),
            Some(ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::Io(path, io::ErrorKind::PermissionDenied)
            }
            Some(ErrorCode::SystemIoFailure) => Self::Io(path, io::ErrorKind::Other),
            _ => Self::Damaged(path),
        }
    }
}

impl fmt::Display for HomeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path, Some(holder)) => {
                write!(f, "{}: this home is in use by process {holder}", path.display())
            }
            Self::InUse(path, None) => {
                write!(f, "{}: this home is in use by another process", path.display())
            }
            Self::WrongPassword(path) => {
                write!(f, "{}: the password does not open it", path.display())
            }
            Self::HasPassword(path) => write!(
                f,
                "{}: this is the home of an account; name another folder with --home",
                path.display()
            ),
            Self::Newer(path) => write!(
                f,
                "{}: written by a newer version of portcullis; install that version again",
                path.display()
            ),
            Self::Damaged(path) => write!(
                f,
                "{}: the file is damaged; put it back from a backup, or log in with an empty home",
                path.display()
            ),
            Self::Missing(path) => write!(
                f,
                "{}: the file is missing, and without it nothing in this home can be read; \
                 put it back from a backup, or log in with an empty home",
                path.display()
            ),
            Self::Full(path) => write!(f, "{}: no room is left on the disk", path.display()),
            Self::Io(path, kind) => write!(f, "{}: {kind}", path.display()),
            Self::OutOfMemory => f.write_str("there is not enough memory to stretch the password"),
        }
    }
}

impl std::error::Error for HomeError {}
