//! A channel's message counts only as what its author's device signed: these bytes, in this channel, by
//! this account and device, under this id.
//!
//! Attack: the server, or another member, changes a text, shows it as somebody else's, or plays it into
//! another channel.
//! CWE-347, improper verification of a cryptographic signature; CWE-345.
//! Precedent: CVE-2022-39251 (Matrix SDKs: sender not bound to the text).

use portcullis_crypto::AuthPublic;
use portcullis_proto::{Content, Envelope, Place, SignedContent};

/// Proof that a message is its author's, here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    content: Content,
    place: Place,
}

impl Received {
    /// The message.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.content
    }

    /// Its place.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(content: Content, place: Place) -> Self {
        Self { content, place }
    }
}

/// Why a message does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenError {
    /// Its device stands in no list that the account has signed.
    Unlisted,
    /// Its signature does not hold, or it was signed for another place.
    NotAuthentic,
}

/// Verifies an envelope with the key that the author's signed device list gives for its device.
///
/// # Errors
/// [`OpenError`].
pub fn open_channel(envelope: &Envelope, key: Option<&AuthPublic>) -> Result<Received, OpenError> {
    let key = key.ok_or(OpenError::Unlisted)?;
    let signed = SignedContent::from_body(&envelope.body).map_err(|_| OpenError::NotAuthentic)?;
    let content = signed.open(key).map_err(|_| OpenError::NotAuthentic)?;
    let place = content.place.ok_or(OpenError::NotAuthentic)?;
    let fits = place.conversation == envelope.conversation
        && place.account == envelope.account
        && place.device == envelope.device
        && content.id == envelope.reference;
    if !fits {
        return Err(OpenError::NotAuthentic);
    }
    Ok(Received { content, place })
}
