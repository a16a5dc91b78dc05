//! Why bytes have stopped moving.

use std::io;

use portcullis_client_core::Fault;

use super::disk;

/// Why bytes have stopped moving before all were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Halt {
    /// Somebody wanted it so.
    Stopped,
    /// The path is broken; another try may go on.
    Broken,
    /// The path leads no further: what is lacking here is not there.
    Lacking,
    /// The path is too slow to be waited for; another is taken.
    Slow,
    /// What is to be sent is no longer what was offered.
    Changed,
    /// The server asks for another token.
    TokenRefused,
    /// Another try would end the same way.
    Fault(Fault),
}

impl Halt {
    /// What an error of the disk means.
    pub(super) fn disk(error: &io::Error) -> Self {
        Self::Fault(disk::fault(error))
    }
}
