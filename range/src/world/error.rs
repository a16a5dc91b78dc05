//! Why a world does not do what it is asked, in words for whoever asked.

use crate::double::DoubleError;
use crate::limits;
use portcullis_proto::BadFileName;
use portcullis_server_core::store::StoreError;
use std::fmt;

/// Why a world takes nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldError {
    /// One input led to more frames than [`limits::STEPS`]; the world has ended.
    Exhausted,
    /// It keeps as much as [`limits::WORLD_BYTES`] lets it.
    Full,
    /// Its store failed.
    Store,
    /// There is no such connection, or it is closed.
    NoLine,
    /// There are [`limits::LINES`] connections already.
    TooManyLines,
    /// The frame is longer than [`limits::FRAME_BYTES`].
    TooLong,
    /// No frame of this number is held.
    NotHeld,
    /// This is no file's name.
    FileName(BadFileName),
    /// A file has at most [`limits::FILE_BYTES`].
    FileTooLong,
    /// [`limits::FILES`] files were offered already.
    TooManyFiles,
    /// There is nobody of this name among the scripted people.
    Nobody,
    /// This address is not the learner's to have.
    NotYours,
    /// [`limits::HELD`] frames are held, and what was to be said would not be.
    HeldFull,
    /// It can't be done with a double.
    Double(DoubleError),
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Double(error) => return write!(f, "{error}"),
            Self::FileName(error) => return write!(f, "{error}"),
            Self::FileTooLong => {
                return write!(f, "a file has at most {} bytes here", limits::FILE_BYTES);
            }
            Self::TooManyFiles => {
                return write!(f, "{} files were offered in this world already", limits::FILES);
            }
            Self::NotHeld => "no frame of this number is held",
            Self::Exhausted => "this world did not come to rest and has ended; reset it",
            Self::Full => "this world is full; reset it",
            Self::Store => "this world's store has failed; reset it",
            Self::NoLine => "there is no such connection, or it was closed",
            Self::TooManyLines => "this world has no room for another connection; close one",
            Self::TooLong => "this frame is too long",
            Self::Nobody => "there is nobody of this name here",
            Self::HeldFull => "so many frames are held that this one would not be; let some go",
            Self::NotYours => {
                "a page of yours is at https:// or http:// and a name that ends in .example"
            }
        })
    }
}

impl std::error::Error for WorldError {}

impl From<StoreError> for WorldError {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<DoubleError> for WorldError {
    fn from(error: DoubleError) -> Self {
        Self::Double(error)
    }
}
