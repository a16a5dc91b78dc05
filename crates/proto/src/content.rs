//! What stands inside every message: the plaintext of an encrypted one, the signed text in a channel.
//!
//! Encoded as one JSON object, padded with spaces to the next of 256, 512, 1,024 … bytes, so that a
//! message's size says little of its length (`length-leak`; Coull & Dyer 2014). A signature covers
//! the bytes exactly as they were sent, so nothing depends on a canonical form.

use crate::bytes::fixed;
use crate::{AccountId, Bytes, ConversationId, DeviceId, Reference, Timestamp, limits};
use portcullis_crypto::{AuthKey, AuthPublic, Hash, Purpose, Signature};
use serde::{Deserialize, Serialize};

/// Bytes of a signature at the head of a signed content.
const SIGNATURE_BYTES: usize = 64;
/// The smallest padded size, in bytes.
const SMALLEST_BYTES: usize = 256;

/// A message as its author made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The message's id, equal to its envelope's reference.
    pub id: Reference,
    /// What it is.
    pub kind: Kind,
    /// Other messages that it speaks of.
    pub refs: Vec<Reference>,
    /// When its author made it, by the author's clock.
    pub sent_at: Timestamp,
    /// What the author had last seen of the conversation; shows a forked or rewound log.
    pub after: Seen,
    /// Where it was said and as which of the device's messages; in a channel only.
    pub place: Option<Place>,
}

/// What kind of message it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text, at most [`limits::TEXT_BYTES`].
    Text(String),
    /// A kind that this version does not know, by its name; shown as a placeholder.
    Unknown(String),
}

/// A place in a conversation's log: a sequence number and the hash chain there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Sequence number; 0 where nothing was seen yet.
    pub seq: u64,
    /// The hash chain after that envelope.
    #[serde(with = "fixed")]
    pub chain: Hash,
}

/// Binds a channel's message to its place and its author, so that it counts nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The channel.
    pub conversation: ConversationId,
    /// The author.
    pub account: AccountId,
    /// The author's device.
    pub device: DeviceId,
    /// The device's own number in this channel: 1, 2, 3 …
    pub n: u64,
}

/// A content that can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// Longer than a content may be, or not of a padded size.
    Size,
    /// Not the JSON of a content, or a field beyond its limit.
    Text,
    /// The signature is not of this device over these bytes.
    Signature,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Size => "the message has a size that no message has",
            Self::Text => "the message can't be read",
            Self::Signature => "the signature does not fit",
        })
    }
}

impl core::error::Error for Malformed {}

impl Content {
    /// The padded bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let (kind, text) = match &self.kind {
            Kind::Text(text) => ("text", Some(text.as_str())),
            Kind::Unknown(name) => (name.as_str(), None),
        };
        let wire = WireOut {
            id: self.id,
            kind,
            refs: &self.refs,
            sent_at: self.sent_at,
            after: self.after,
            place: self.place,
            text,
        };
        // Writing these types to memory can't fail: no map keys, no IO.
        let mut bytes = serde_json::to_vec(&wire).unwrap_or_default();
        let padded = bytes.len().next_power_of_two().max(SMALLEST_BYTES);
        bytes.resize(padded, b' ');
        bytes
    }

    /// Reads padded bytes.
    ///
    /// # Errors
    /// Refuses sizes that padding can't give, and what is not a content.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let most = limits::CONTENT_BYTES.next_power_of_two();
        if bytes.len() < SMALLEST_BYTES || bytes.len() > most || !bytes.len().is_power_of_two() {
            return Err(Malformed::Size);
        }
        let wire: WireIn = serde_json::from_slice(bytes).map_err(|_| Malformed::Text)?;
        if wire.refs.len() > limits::CONTENT_REFERENCES {
            return Err(Malformed::Text);
        }
        let kind = match (wire.kind.as_str(), wire.text) {
            ("text", Some(text)) if text.len() <= limits::TEXT_BYTES => Kind::Text(text),
            ("text", _) => return Err(Malformed::Text),
            _ => Kind::Unknown(wire.kind),
        };
        let WireIn { id, refs, sent_at, after, place, .. } = wire;
        Ok(Self { id, kind, refs, sent_at, after, place })
    }
}

/// A channel's body: a signature of the author's device over the content's bytes, then those bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedContent {
    signature: Signature,
    content: Vec<u8>,
}

impl SignedContent {
    /// Signs a content with the device's key.
    #[must_use]
    pub fn sign(content: &Content, key: &AuthKey) -> Self {
        let content = content.encode();
        Self { signature: key.sign(Purpose::ChannelMessage, &content), content }
    }

    /// The envelope's body.
    #[must_use]
    pub fn to_body(&self) -> Bytes {
        let mut body = self.signature.as_bytes().to_vec();
        body.extend_from_slice(&self.content);
        Bytes(body)
    }

    /// Takes an envelope's body apart; nothing is verified yet.
    ///
    /// # Errors
    /// [`Malformed::Size`] where there is no room for a signature.
    pub fn from_body(body: &Bytes) -> Result<Self, Malformed> {
        let (signature, content) =
            body.as_slice().split_first_chunk::<SIGNATURE_BYTES>().ok_or(Malformed::Size)?;
        Ok(Self { signature: Signature::from_bytes(*signature), content: content.to_vec() })
    }

    /// The content, if `key` signed it. There is no way to the content around this.
    ///
    /// # Errors
    /// [`Malformed::Signature`], or what [`Content::decode`] refuses.
    pub fn open(&self, key: &AuthPublic) -> Result<Content, Malformed> {
        key.verify(Purpose::ChannelMessage, &self.content, &self.signature)
            .map_err(|_| Malformed::Signature)?;
        Content::decode(&self.content)
    }
}

#[derive(Serialize)]
struct WireOut<'a> {
    id: Reference,
    kind: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    refs: &'a [Reference],
    sent_at: Timestamp,
    after: Seen,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
}

/// Unknown fields are ignored here: a newer client may say more.
#[derive(Deserialize)]
struct WireIn {
    id: Reference,
    kind: String,
    #[serde(default)]
    refs: Vec<Reference>,
    sent_at: Timestamp,
    after: Seen,
    #[serde(default)]
    place: Option<Place>,
    #[serde(default)]
    text: Option<String>,
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn content(text: &str) -> Content {
        Content {
            id: Reference::from_bytes([7; 16]),
            kind: Kind::Text(text.into()),
            refs: vec![],
            sent_at: Timestamp(1_700_000_000_000),
            after: Seen { seq: 3, chain: Hash::from_bytes([1; 32]) },
            place: None,
        }
    }

    fn check_size(text: &str, expected: usize) {
        let bytes = content(text).encode();
        assert_eq!(bytes.len(), expected);
        assert_eq!(Content::decode(&bytes), Ok(content(text)));
    }

    #[test]
    fn sizes_are_powers_of_two() {
        check_size("", 256);
        check_size("yes", 256);
        check_size("no, never", 256);
        check_size(&"x".repeat(100), 512);
        check_size(&"x".repeat(limits::TEXT_BYTES), 32_768);
        check_size(&"\u{1}".repeat(limits::TEXT_BYTES), 131_072);
    }

    fn check_refused(bytes: &[u8], expected: Malformed) {
        assert_eq!(Content::decode(bytes), Err(expected));
    }

    #[test]
    fn what_is_no_content_is_refused() {
        check_refused(b"", Malformed::Size);
        check_refused(&[b' '; 300], Malformed::Size);
        check_refused(&vec![b' '; 1 << 20], Malformed::Size);
        check_refused(&[b' '; 256], Malformed::Text);
        check_refused(&[b'['; 4096], Malformed::Text);
        check_refused(&content(&"x".repeat(limits::TEXT_BYTES + 1)).encode(), Malformed::Text);
        let mut many = content("");
        many.refs = vec![many.id; limits::CONTENT_REFERENCES + 1];
        check_refused(&many.encode(), Malformed::Text);
    }

    #[test]
    fn an_unknown_kind_keeps_its_name() {
        let mut poll = content("");
        poll.kind = Kind::Unknown("poll".into());
        assert_eq!(Content::decode(&poll.encode()).unwrap().kind, poll.kind);
    }

    #[test]
    fn every_changed_bit_breaks_the_signature() {
        let mut rng = crate::request::tests::rng(1);
        let key = AuthKey::generate(&mut rng);
        let body = SignedContent::sign(&content("pay 10"), &key).to_body();
        let opened = SignedContent::from_body(&body).unwrap().open(&key.public());
        assert_eq!(opened, Ok(content("pay 10")));
        for at in 0..body.0.len() {
            let mut changed = body.clone();
            changed.0[at] ^= 1;
            let opened = SignedContent::from_body(&changed).unwrap().open(&key.public());
            assert_eq!(opened, Err(Malformed::Signature), "byte {at}");
        }
    }
}
