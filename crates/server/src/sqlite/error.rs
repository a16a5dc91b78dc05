//! Who is to blame when SQLite or the data folder fails, and what the operator is told.

use std::io;

use portcullis_server_core::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};

/// What a caller gets that breaks the order of calls, or names what isn't there.
pub(super) const MISUSE: StoreError = StoreError::Io;

/// Why a data folder can't be used. The text says what to do; the caller says which folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// Another server holds it; its process id, if it could be read.
    InUse(Option<u32>),
    /// There is no database in it, and this was not the call to make one.
    Missing,
    /// There is the OPAQUE set-up of a server, but its database is gone or empty.
    DatabaseLost,
    /// Its database belongs to another program.
    NotOurs,
    /// An older version of this program wrote it, and a server of this one has not opened it yet.
    Older,
    /// A newer version of this program wrote it.
    Newer {
        /// The version of its tables.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// There are accounts, but not the OPAQUE set-up that their passwords were registered with.
    SetupMissing,
    /// The OPAQUE set-up is not one.
    SetupDamaged,
    /// The folder or a file in it can't be made, read or written.
    Folder(io::ErrorKind),
    /// The database can't be used.
    Store(StoreError),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse(process) => {
                f.write_str("another server is using this data folder")?;
                if let Some(process) = process {
                    write!(f, " (process {process})")?;
                }
                f.write_str("; stop it first, or choose another folder with --data")
            }
            Self::Missing => f.write_str("no server has used this data folder yet"),
            Self::DatabaseLost => f.write_str(
                "this data folder has the file opaque-setup of a server, but its database portcullis.db is \
                 missing or empty; restore the whole folder from a backup, or remove opaque-setup to begin \
                 anew without any of the accounts",
            ),
            Self::NotOurs => f.write_str(
                "the database in this data folder belongs to another program; choose another folder with --data",
            ),
            Self::Older => f.write_str(
                "this data folder was written by an older version of portcullis; start the server once, \
                 so that it brings the folder up to date",
            ),
            Self::Newer { found, known } => write!(
                f,
                "this data folder was written by a newer version of portcullis (tables of version {found}, \
                 this one knows {known}); install the newer version again"
            ),
            Self::SetupMissing => f.write_str(
                "this data folder has accounts, but its file opaque-setup is missing, and without it nobody \
                 can log in; put the file back from a backup, or begin with another folder by --data",
            ),
            Self::SetupDamaged => f.write_str(
                "the file opaque-setup in this data folder is damaged, and without it nobody can log in; \
                 put it back from a backup",
            ),
            Self::Folder(kind) => write!(f, "this data folder can't be used: {kind}"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                Self::Store(StoreError::Full)
            }
            io::ErrorKind::ReadOnlyFilesystem => Self::Store(StoreError::ReadOnly),
            kind => Self::Folder(kind),
        }
    }
}

/// What an error of SQLite means for whoever asked. Its text is dropped: it may quote contents.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn blame(error: Error) -> StoreError {
    match error {
        Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DiskFull => StoreError::Full,
            ErrorCode::ReadOnly => StoreError::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::TypeMismatch => {
                StoreError::Corrupt
            }
            _ => StoreError::Io,
        },
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => StoreError::Corrupt,
        _ => StoreError::Io,
    }
}

/// The row is there already: its key, or something else of it that must be unique.
pub(super) fn is_taken(error: &Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    matches!(code, Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY))
}
