//! What stands inside every message: the plaintext of an encrypted one, the signed text in a channel.
//!
//! Encoded as one JSON object, padded with spaces to the next of 256, 512, 1,024 … bytes, so that a
//! message's size says little of its length (`length-leak`; Coull & Dyer 2014). A signature covers
//! the bytes exactly as they were sent, so nothing depends on a canonical form.

mod signed;

pub use signed::SignedContent;

use crate::bytes::fixed;
use crate::files::{FileOffer, FileStep, OfferWire};
use crate::{AccountId, ConversationId, DeviceId, Reference, Timestamp, limits};
use portcullis_crypto::Hash;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::RangeInclusive;

/// The smallest padded size, in bytes.
const SMALLEST_BYTES: usize = 256;

/// A message as its author made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The message's id, equal to its envelope's reference.
    pub id: Reference,
    /// What it is.
    pub kind: Kind,
    /// Other messages that it speaks of; [`Kind`] says how many.
    pub refs: Vec<Reference>,
    /// When its author made it, by the author's clock.
    pub sent_at: Timestamp,
    /// What the author had last seen of the conversation; shows a forked or rewound log.
    pub after: Seen,
    /// Where it was said and as which of the device's messages; in a channel only.
    pub place: Option<Place>,
}

/// What kind of message it is. What a message *may* change is decided by who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A text, at most [`limits::TEXT_BYTES`]; with one reference, an answer to that message.
    Text(String),
    /// The author says the one message that it refers to otherwise.
    Edit {
        /// What it says now, at most [`limits::TEXT_BYTES`].
        text: String,
    },
    /// The author takes back the one message that it refers to.
    Delete,
    /// The author reacts to the one message that it refers to.
    Reaction {
        /// An emoji or a short word: at most [`limits::REACTION_BYTES`], without white space and
        /// control characters. Empty takes the author's reaction back.
        emoji: String,
    },
    /// How far the author has come in the conversation; refers to no message.
    Mark {
        /// The sequence number up to which the author has received it.
        delivered: u64,
        /// The sequence number up to which the author has looked at it; 0 where that is not told.
        read: u64,
    },
    /// The author offers files. In an encrypted conversation only, for it holds their key.
    Offer(Box<FileOffer>),
    /// What the author does about the transfer whose offer is the one message that it refers to.
    Step(FileStep),
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

impl Kind {
    /// How many messages a content of this kind refers to.
    fn references(&self) -> RangeInclusive<usize> {
        match self {
            Self::Text(_) => 0..=1,
            Self::Edit { .. } | Self::Delete | Self::Reaction { .. } | Self::Step(_) => 1..=1,
            Self::Mark { .. } | Self::Offer(_) => 0..=0,
            Self::Unknown(_) => 0..=limits::CONTENT_REFERENCES,
        }
    }
}

impl Content {
    /// The padded bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Writing these types to memory can't fail: no map keys, no IO.
        let mut bytes = serde_json::to_vec(&Wire::of(self)).unwrap_or_default();
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
        let wire: Wire<'_> = serde_json::from_slice(bytes).map_err(|_| Malformed::Text)?;
        wire.content().ok_or(Malformed::Text)
    }
}

/// A content as JSON. Unknown fields are ignored: a newer client may say more.
#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    id: Reference,
    kind: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    refs: Cow<'a, [Reference]>,
    sent_at: Timestamp,
    after: Seen,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    emoji: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    read: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offer: Option<OfferWire<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer: Option<Cow<'a, FileStep>>,
}

impl<'a> Wire<'a> {
    fn of(content: &'a Content) -> Self {
        let wire = Self {
            id: content.id,
            kind: content.kind.name().into(),
            refs: content.refs.as_slice().into(),
            sent_at: content.sent_at,
            after: content.after,
            place: content.place,
            text: None,
            emoji: None,
            delivered: None,
            read: None,
            offer: None,
            transfer: None,
        };
        match &content.kind {
            Kind::Text(text) | Kind::Edit { text } => Self { text: Some(text.into()), ..wire },
            Kind::Reaction { emoji } => Self { emoji: Some(emoji.into()), ..wire },
            Kind::Mark { delivered, read } => {
                Self { delivered: Some(*delivered), read: Some(*read), ..wire }
            }
            Kind::Offer(offer) => Self { offer: Some(OfferWire::of(offer)), ..wire },
            Kind::Step(step) => Self { transfer: Some(Cow::Borrowed(step)), ..wire },
            Kind::Delete | Kind::Unknown(_) => wire,
        }
    }

    /// Nothing where a field that the kind needs is missing or beyond its limit.
    fn content(self) -> Option<Content> {
        let text = self.text.filter(|text| text.len() <= limits::TEXT_BYTES);
        let kind = match self.kind.as_ref() {
            "text" => Kind::Text(text?.into_owned()),
            "edit" => Kind::Edit { text: text?.into_owned() },
            "delete" => Kind::Delete,
            "reaction" => {
                Kind::Reaction { emoji: self.emoji.filter(|it| is_reaction(it))?.into_owned() }
            }
            "mark" => Kind::Mark { delivered: self.delivered?, read: self.read? },
            "file_offer" => Kind::Offer(Box::new(self.offer?.offer()?)),
            "file_step" => {
                Kind::Step(self.transfer.filter(|step| step.is_well_formed())?.into_owned())
            }
            name => Kind::Unknown(name.to_owned()),
        };
        kind.references().contains(&self.refs.len()).then(|| Content {
            id: self.id,
            kind,
            refs: self.refs.into_owned(),
            sent_at: self.sent_at,
            after: self.after,
            place: self.place,
        })
    }
}

impl Kind {
    /// The kind's name on the wire.
    fn name(&self) -> &str {
        match self {
            Self::Text(_) => "text",
            Self::Edit { .. } => "edit",
            Self::Delete => "delete",
            Self::Reaction { .. } => "reaction",
            Self::Mark { .. } => "mark",
            Self::Offer(_) => "file_offer",
            Self::Step(_) => "file_step",
            Self::Unknown(name) => name,
        }
    }

    /// Whether others will take it for what it is: a reaction may be too long, or no reaction at all.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        !matches!(self, Self::Reaction { emoji } if !is_reaction(emoji))
    }
}

/// A reaction stands beside others in one line, and can't be a text in disguise.
fn is_reaction(text: &str) -> bool {
    let shown = |letter: char| !letter.is_control() && !letter.is_whitespace();
    text.len() <= limits::REACTION_BYTES && text.chars().all(shown)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn content(text: &str) -> Content {
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

    /// A content of a kind, with so many references.
    fn of_kind(kind: Kind, refs: usize) -> Content {
        Content { kind, refs: vec![Reference::from_bytes([8; 16]); refs], ..content("") }
    }

    fn reaction(emoji: &str) -> Kind {
        Kind::Reaction { emoji: emoji.into() }
    }

    #[test]
    fn every_kind_round_trips_under_its_name() {
        let check = |kind: Kind, refs: usize, expected: &str| {
            let content = of_kind(kind, refs);
            let bytes = content.encode();
            let text = core::str::from_utf8(&bytes).unwrap().trim_end();
            let shown: serde_json::Value = serde_json::from_str(text).unwrap();
            let expected: serde_json::Value = serde_json::from_str(expected).unwrap();
            for field in ["kind", "text", "emoji", "delivered", "read"] {
                assert_eq!(shown.get(field), expected.get(field), "{text}");
            }
            assert_eq!(Content::decode(&bytes), Ok(content));
        };
        check(Kind::Text("yes".into()), 0, r#"{"kind": "text", "text": "yes"}"#);
        check(Kind::Text("yes".into()), 1, r#"{"kind": "text", "text": "yes"}"#);
        check(Kind::Edit { text: "no".into() }, 1, r#"{"kind": "edit", "text": "no"}"#);
        check(Kind::Delete, 1, r#"{"kind": "delete"}"#);
        check(reaction("👍"), 1, r#"{"kind": "reaction", "emoji": "👍"}"#);
        check(reaction(""), 1, r#"{"kind": "reaction", "emoji": ""}"#);
        let mark = Kind::Mark { delivered: u64::MAX, read: 0 };
        check(mark, 0, r#"{"kind": "mark", "delivered": 18446744073709551615, "read": 0}"#);
        let offer = Kind::Offer(Box::new(crate::files::tests::offer()));
        check(offer, 0, r#"{"kind": "file_offer"}"#);
        check(Kind::Step(FileStep::Declined { full: false }), 1, r#"{"kind": "file_step"}"#);
        let poll = || Kind::Unknown("poll".into());
        check(poll(), 0, r#"{"kind": "poll"}"#);
        check(poll(), limits::CONTENT_REFERENCES, r#"{"kind": "poll"}"#);
    }

    #[test]
    fn the_size_does_not_tell_a_mark_from_a_short_text() {
        let check = |kind: Kind, refs: usize| {
            assert_eq!(of_kind(kind, refs).encode().len(), SMALLEST_BYTES);
        };
        check(Kind::Text("yes".into()), 1);
        check(Kind::Edit { text: "no".into() }, 1);
        check(Kind::Delete, 1);
        check(reaction("👍"), 1);
        check(Kind::Mark { delivered: 1_000_000, read: 1_000_000 }, 0);
        check(Kind::Step(FileStep::Accepted { direct: true }), 1);
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
    }

    #[test]
    fn a_known_kind_with_other_references_is_refused() {
        let check = |kind: Kind, refs: usize| {
            check_refused(&of_kind(kind, refs).encode(), Malformed::Text);
        };
        check(Kind::Text(String::new()), 2);
        check(Kind::Edit { text: String::new() }, 0);
        check(Kind::Edit { text: String::new() }, 2);
        check(Kind::Delete, 0);
        check(Kind::Delete, 2);
        check(reaction("👍"), 0);
        check(reaction("👍"), 2);
        check(Kind::Mark { delivered: 1, read: 1 }, 1);
        check(Kind::Offer(Box::new(crate::files::tests::offer())), 1);
        check(Kind::Step(FileStep::Declined { full: false }), 0);
        check(Kind::Step(FileStep::Declined { full: false }), 2);
        check(Kind::Unknown("poll".into()), limits::CONTENT_REFERENCES + 1);
    }

    #[test]
    fn a_known_kind_without_its_fields_is_refused() {
        // An unknown kind is written without any field, under whatever name.
        let check = |name: &str, refs: usize, expected: Option<Malformed>| {
            let decoded = Content::decode(&of_kind(Kind::Unknown(name.into()), refs).encode());
            assert_eq!(decoded.err(), expected, "{name}");
        };
        let refused = Some(Malformed::Text);
        check("text", 0, refused);
        check("edit", 1, refused);
        check("reaction", 1, refused);
        check("mark", 0, refused);
        check("file_offer", 0, refused);
        check("file_step", 1, refused);
        check("delete", 1, None);
        check("poll", 1, None);
        check("Text", 1, None);
        check("", 1, None);
    }

    #[test]
    fn a_mark_needs_both_of_its_numbers() {
        let check = |fields: &str, good: bool| {
            let mark = of_kind(Kind::Unknown("mark".into()), 0).encode();
            let mark = String::from_utf8(mark).unwrap();
            let mark = mark.replacen(r#""kind":"mark""#, &format!(r#""kind":"mark"{fields}"#), 1);
            let decoded = Content::decode(&mark.as_bytes()[..SMALLEST_BYTES]);
            assert_eq!(decoded.is_ok(), good, "{fields}");
        };
        check(r#","delivered":2,"read":1"#, true);
        check(r#","delivered":2,"read":1,"shown":1"#, true);
        check(r#","delivered":2"#, false);
        check(r#","read":1"#, false);
        check(r#","delivered":2,"read":null"#, false);
        check(r#","delivered":2,"read":-1"#, false);
        check(r#","delivered":2,"read":1.5"#, false);
        check(r#","delivered":18446744073709551616,"read":1"#, false);
    }

    #[test]
    fn a_reaction_is_one_short_word() {
        let check = |emoji: &str, good: bool| {
            let decoded = Content::decode(&of_kind(reaction(emoji), 1).encode());
            assert_eq!(decoded.is_ok(), good, "{emoji:?}");
        };
        check("", true);
        check("+1", true);
        check("спасибо", true);
        check("👩🏽\u{200d}❤\u{fe0f}\u{200d}💋\u{200d}👨🏿", true);
        check(&"x".repeat(limits::REACTION_BYTES), true);
        check(&"x".repeat(limits::REACTION_BYTES + 1), false);
        check("thank you", false);
        check("a\u{a0}b", false);
        check("\u{1b}[2J", false);
        check("\u{9b}2J", false);
        check("a\nb", false);
        check(" ", false);
    }
}
