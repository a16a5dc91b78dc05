//! What can go wrong, as far as a caller does something different about it.

use std::fmt;

/// Why the MLS state could not do what was asked. Says nothing secret, and nothing of the library's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MlsError {
    /// The bytes are no MLS message of the kind that was asked for, or not one that Portcullis makes: a
    /// standalone proposal, a credential that is not two ids, unknown state in the group.
    Malformed,
    /// The message belongs to another group.
    OtherGroup,
    /// The message was made for another epoch than the group is in. Nothing was decrypted.
    Epoch {
        /// The message's epoch.
        message: u64,
        /// The group's epoch.
        group: u64,
    },
    /// The message was changed, was not made by a member, breaks a rule of the protocol, or was encrypted
    /// for somebody else.
    NotAuthentic,
    /// The message's key has been used: it was opened before.
    Replayed,
    /// This device has no active group of that id.
    NoGroup,
    /// This device is in an active group of that id already.
    GroupExists,
    /// No key package of this device fits the welcome: it was used, has expired, or never was ours.
    NoKeyPackage,
    /// Another suite or version of the protocol than Portcullis speaks.
    UnsupportedSuite,
    /// An own commit waits to be merged or discarded first; or the message is that very commit.
    PendingCommit,
    /// There is no pending or staged commit to merge.
    NothingToMerge,
    /// The change can't be made: a device that is in already, or the own one taken out.
    Impossible,
    /// The state is damaged or the library has failed.
    Internal,
}

impl fmt::Display for MlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Malformed => "not an MLS message that Portcullis makes",
            Self::OtherGroup => "a message of another group",
            Self::Epoch { message, group } => {
                return write!(formatter, "made for epoch {message}, the group is in {group}");
            }
            Self::NotAuthentic => "not authentic",
            Self::Replayed => "opened before",
            Self::NoGroup => "no such group on this device",
            Self::GroupExists => "this device is in the group already",
            Self::NoKeyPackage => "no key package of this device fits",
            Self::UnsupportedSuite => "another suite",
            Self::PendingCommit => "an own commit is pending",
            Self::NothingToMerge => "no commit to merge",
            Self::Impossible => "the change can't be made",
            Self::Internal => "the MLS state is damaged",
        };
        formatter.write_str(text)
    }
}

impl std::error::Error for MlsError {}
