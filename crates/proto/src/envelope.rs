//! What the server stores and relays without being able to open it.

use crate::{AccountId, Bytes, ConversationId, DeviceId, Reference, Timestamp};
use portcullis_crypto::Hash;
use serde::{Deserialize, Serialize};

/// An envelope as a client submits it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The client's own id of it: submitting it again is answered with its first place.
    pub reference: Reference,
    /// What only clients can open; at most [`crate::limits::ENVELOPE_BYTES`].
    pub body: Bytes,
}

/// An envelope in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Where it was said.
    pub conversation: ConversationId,
    /// Its place there: 1, 2, 3 … without gaps, given by the server.
    pub seq: u64,
    /// Who submitted it, as the server saw it; clients check it against the signed content.
    pub account: AccountId,
    /// With which device.
    pub device: DeviceId,
    /// The conversation's epoch from this envelope on: one more than before where it is a commit. 0 in a
    /// channel and in an inbox.
    pub epoch: u64,
    /// The client's id of it.
    pub reference: Reference,
    /// When the server made it durable, by the server's clock.
    pub accepted_at: Timestamp,
    /// What only clients can open.
    pub body: Bytes,
}

impl Envelope {
    /// The conversation's hash chain after this envelope, from the chain before it. It commits to
    /// everything but the server's clock, so that two people who compare chains compare logs.
    #[must_use]
    pub fn chain_after(&self, before: Hash) -> Hash {
        portcullis_crypto::chain_next(
            before,
            &[
                self.conversation.as_bytes(),
                &self.seq.to_le_bytes(),
                self.account.as_bytes(),
                self.device.as_bytes(),
                &self.epoch.to_le_bytes(),
                self.reference.as_bytes(),
                self.body.as_slice(),
            ],
        )
    }

    /// The chain of a conversation in which nothing was said yet.
    #[must_use]
    pub fn chain_start(conversation: ConversationId) -> Hash {
        portcullis_crypto::chain_start(conversation.as_bytes())
    }
}
