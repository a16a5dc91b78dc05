//! What each request does, once the table has let it in.

pub(crate) mod blobs;
pub(crate) mod channels;
pub(crate) mod commits;
pub(crate) mod devices;
pub(crate) mod guests;
pub(crate) mod log;
pub(crate) mod login;
pub(crate) mod packages;
pub(crate) mod password;
pub(crate) mod people;
pub(crate) mod register;
pub(crate) mod relay;
pub(crate) mod summary;

use crate::store::{AppendError, InsertError, StoreError};
use portcullis_crypto::{LoginError, Stretch};
use portcullis_proto::{Bytes, Code, Refusal, Stretching};

/// A failed store is nobody's fault who asks: it is told as `unavailable`, without details of the disk.
impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::new(Code::Unavailable, format!("the server can't do this now: {error}"))
    }
}

impl From<InsertError> for Refusal {
    fn from(error: InsertError) -> Self {
        match error {
            InsertError::Taken => Self::new(Code::NameTaken, "this name is taken"),
            InsertError::Store(error) => error.into(),
        }
    }
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::ReferenceUsed => {
                let message = "this reference was used for another envelope";
                Self::new(Code::ReferenceReused, message)
            }
            AppendError::Store(error) => error.into(),
        }
    }
}

/// The one thing that a failed login says.
pub(crate) fn login_failed() -> Refusal {
    Refusal::new(Code::LoginFailed, "the name or the password is wrong")
}

/// What is wrong with an OPAQUE message: its form, or the password behind it.
pub(crate) fn login_refusal(error: LoginError) -> Refusal {
    match error {
        LoginError::Malformed => Refusal::new(Code::Malformed, "not a message of this login"),
        LoginError::Refused => login_failed(),
    }
}

pub(crate) fn stretching(stretch: Stretch) -> Stretching {
    Stretching {
        memory_kib: stretch.memory_kib(),
        passes: stretch.passes(),
        lanes: stretch.lanes(),
    }
}

/// Bytes within a limit.
pub(crate) fn within(bytes: &Bytes, limit: usize) -> Result<&[u8], Refusal> {
    let bytes = bytes.as_slice();
    (bytes.len() <= limit)
        .then_some(bytes)
        .ok_or_else(|| Refusal::new(Code::TooLarge, "a field is longer than it may be"))
}
