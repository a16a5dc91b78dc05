//! Private messages: AES-128-GCM under a fresh key, which is encrypted to each recipient by RSA-OAEP.
//!
//! Nobody but the recipients can open one, and nothing in it says which server or client it is for: whoever
//! holds a key tries it. One family of clients puts a shape of its own into `chat`, so a chat that we can't
//! read is still a chat that is passed on. Leaves out who sent it (the frame's signature tells) and what
//! the suite can't give: forward secrecy, and a message that is bound to its conversation.

use super::dialect::Dialect;
use super::frame::{BadFrame, from_base64};
use super::json::Json;
use super::key::GuestKey;
use crate::limits;
use core::fmt;
use portcullis_crypto::classic::{ClassicKey, classic_open};

/// A frame of type `chat`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// Addresses of the recipients' servers, in the order of the recipients; empty where none are named.
    pub destinations: Vec<String>,
    /// What only its recipients can open; nothing where it has a shape that we don't know.
    pub sealed: Option<Sealed>,
}

/// What is encrypted in a chat.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// 12 or 16 bytes.
    pub iv: Vec<u8>,
    /// The AES key, encrypted to each recipient.
    pub keys: Vec<Vec<u8>>,
    /// The inner text's ciphertext, with its 16-byte tag at the end.
    pub text: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes for {})", self.text.len(), self.keys.len())
    }
}

/// How the inner text of a chat is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Inner {
    /// `{"participants":[…],"message":…}`
    Flat,
    /// `{"chat":{"participants":[…],"message":…}}`
    Nested,
}

/// What a chat says.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The text, as long as a frame allows.
    pub text: String,
    /// Fingerprints: the sender's, then the recipients', ours among them.
    pub participants: Vec<String>,
    /// How it was written.
    pub inner: Inner,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes among {})", self.text.len(), self.participants.len())
    }
}

/// What is to be said privately.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// The recipients, each with what `destination_servers` calls its server.
    pub to: &'a [(&'a GuestKey, &'a str)],
    /// The text, at most [`limits::TEXT_BYTES`].
    pub text: &'a str,
    /// Fresh random bytes; a dialect may use the first 12 alone.
    pub iv: &'a [u8; 16],
    /// A fresh random AES key.
    pub key: &'a [u8; 16],
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} bytes for {})", self.text.len(), self.to.len())
    }
}

/// Why a chat was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotOpened {
    /// None of its keys is for ours, or it has a shape that we don't know.
    NotForMe,
    /// It is for us, but was changed, or says what no client says.
    Bad,
    /// It is for us, and its sender copied it from somebody else: it names another author.
    OtherAuthor,
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotForMe => "the message is for others",
            Self::Bad => "the message can't be read",
            Self::OtherAuthor => "the message names another author than its sender",
        })
    }
}

impl core::error::Error for NotOpened {}

impl Chat {
    pub(super) fn read(data: &Json<'_>) -> Result<Self, BadFrame> {
        for name in ["destination_servers", "symm_keys"] {
            let many = matches!(data.field(name), Some(Json::List(items)) if items.len() > limits::GUEST_RECIPIENTS);
            if many {
                return Err(BadFrame::Many);
            }
        }
        let destinations = data.field("destination_servers").and_then(Json::texts);
        let destinations =
            destinations.unwrap_or_default().into_iter().map(str::to_owned).collect();
        Ok(Self { destinations, sealed: Sealed::read(data) })
    }
}

impl Sealed {
    fn read(data: &Json<'_>) -> Option<Self> {
        let bytes = |name| data.field(name).and_then(Json::text).and_then(from_base64);
        let iv = bytes("iv").filter(|iv| matches!(iv.len(), 12 | 16))?;
        let keys = data.field("symm_keys")?.texts()?.into_iter().map(from_base64);
        Some(Self { iv, keys: keys.collect::<Option<_>>()?, text: bytes("chat")? })
    }
}

/// Opens a chat that `sender` signed, with one of our keys.
///
/// Tries every key in it, [`limits::GUEST_RECIPIENTS`] at most, each for about a millisecond: slow work.
///
/// # Errors
/// [`NotOpened`].
pub fn open_chat(chat: &Chat, key: &ClassicKey, sender: &GuestKey) -> Result<Opened, NotOpened> {
    let opened = unseal(chat, key)?;
    // Whoever receives a chat can seal the same text anew under a signature of its own.
    match opened.participants.first().is_some_and(|author| sender.is_fingerprint(author)) {
        true => Ok(opened),
        false => Err(NotOpened::OtherAuthor),
    }
}

/// The fingerprint that a chat names as its author's, if it is for us: by that the key is found to verify it
/// with, where only its recipients can know who sent it. Nothing else may be made of it. As slow as
/// [`open_chat`].
///
/// # Errors
/// [`NotOpened::NotForMe`] and [`NotOpened::Bad`].
pub fn named_author(chat: &Chat, key: &ClassicKey) -> Result<String, NotOpened> {
    unseal(chat, key)?.participants.into_iter().next().ok_or(NotOpened::Bad)
}

fn unseal(chat: &Chat, key: &ClassicKey) -> Result<Opened, NotOpened> {
    let sealed = chat.sealed.as_ref().ok_or(NotOpened::NotForMe)?;
    let ours = sealed.keys.iter().find_map(|encrypted| key.decrypt(encrypted).ok());
    let ours = ours.ok_or(NotOpened::NotForMe)?;
    let aes: &[u8; 16] = ours.as_slice().try_into().map_err(|_| NotOpened::Bad)?;
    let inner = classic_open(aes, &sealed.iv, &sealed.text).map_err(|_| NotOpened::Bad)?;
    core::str::from_utf8(&inner).ok().and_then(Opened::read).ok_or(NotOpened::Bad)
}

impl Opened {
    /// What to answer in: the sender's dialect, but for the habits that this message shows.
    #[must_use]
    pub fn answer_in(&self, dialect: Dialect, chat: &Chat, sender: &GuestKey) -> Dialect {
        let fingerprint = self.participants.first().and_then(|own| sender.fingerprint_in(own));
        Dialect {
            inner: self.inner,
            iv_bytes: chat.sealed.as_ref().map_or(dialect.iv_bytes, |sealed| sealed.iv.len()),
            fingerprint: fingerprint.unwrap_or(dialect.fingerprint),
            ..dialect
        }
    }

    fn read(text: &str) -> Option<Self> {
        let outer = Json::read(text).ok()?;
        let (inner, fields) = match outer.field("chat") {
            Some(nested) => (Inner::Nested, nested),
            None => (Inner::Flat, &outer),
        };
        let participants = fields.field("participants")?.texts()?;
        let text = fields.field("message")?.text()?.to_owned();
        let fits = participants.len() <= limits::GUEST_RECIPIENTS + 1;
        let participants = participants.into_iter().map(str::to_owned).collect();
        fits.then_some(Self { text, participants, inner })
    }
}

impl Inner {
    /// The inner text.
    pub(super) fn write<'a>(self, participants: &'a [String], text: &'a str) -> Json<'a> {
        let participants = Json::List(participants.iter().map(|one| Json::of(one)).collect());
        let flat = vec![("participants".into(), participants), ("message".into(), Json::of(text))];
        match self {
            Self::Flat => Json::Object(flat),
            Self::Nested => Json::Object(vec![("chat".into(), Json::Object(flat))]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::classroom::frame::to_base64;
    use crate::classroom::tests::{guest, recipient, sender, signed};
    use crate::classroom::{DialectId, Fingerprint, Hashed, Payload, Shown, write_chat};
    use core::slice::from_ref;
    use portcullis_crypto::classic::classic_seal;

    const AES: [u8; 16] = [9; 16];
    const IV: [u8; 16] = [7; 16];

    fn by_the_text() -> Dialect {
        DialectId::BY_THE_TEXT.row()
    }

    /// A chat to the recipient, whose inner text this is.
    fn chat_of(inner: &str, iv: &[u8], keys: &[Vec<u8>]) -> Chat {
        let text = classic_seal(&AES, iv, inner.as_bytes()).unwrap();
        let sealed = Sealed { iv: iv.into(), keys: keys.into(), text };
        Chat { destinations: vec![], sealed: Some(sealed) }
    }

    fn key_for(key: &ClassicKey) -> Vec<u8> {
        key.public().encrypt(&AES).unwrap()
    }

    #[test]
    fn every_habit_is_opened_and_answered_in() {
        let (ours, theirs) = (sender(), recipient());
        let check = |inner, iv_bytes, fingerprint| {
            let dialect = Dialect { inner, iv_bytes, fingerprint, ..by_the_text() };
            let to = [(&guest(&theirs, dialect), "a:1"), (&guest(&ours, dialect), "b:2")];
            let outgoing = Outgoing { to: &to, text: "hé", iv: &IV, key: &AES };
            let frame = signed(&write_chat(dialect, &ours, 3, &outgoing).unwrap());
            let Payload::Chat(chat) = frame.payload() else { unreachable!() };
            assert_eq!(chat.destinations, ["a:1", "b:2"]);
            let author = guest(&ours, dialect);
            for reader in [&theirs, &ours] {
                let opened = open_chat(chat, reader, &author).unwrap();
                let fingerprints =
                    [&ours, &theirs, &ours].map(|key| guest(key, dialect).fingerprint(fingerprint));
                assert_eq!(
                    (opened.text.as_str(), &opened.participants),
                    ("hé", &fingerprints.to_vec())
                );
                assert_eq!(opened.answer_in(by_the_text(), chat, &author), dialect);
            }
        };
        let hex = Fingerprint { of: Hashed::Body, through_base64: true, shown: Shown::Hex };
        check(Inner::Flat, 16, by_the_text().fingerprint);
        check(Inner::Nested, 16, by_the_text().fingerprint);
        check(Inner::Flat, 12, by_the_text().fingerprint);
        check(Inner::Nested, 12, hex);
    }

    fn check(chat: &Chat, expected: Result<&str, NotOpened>) {
        let author = guest(&sender(), by_the_text());
        let opened = open_chat(chat, &recipient(), &author);
        assert_eq!(opened.map(|opened| opened.text), expected.map(str::to_owned));
    }

    #[test]
    fn only_what_is_for_us_is_opened() {
        let fingerprint = guest(&sender(), by_the_text()).fingerprint(by_the_text().fingerprint);
        let inner = format!(r#"{{"participants":["{fingerprint}"],"message":"hi"}}"#);
        let ours = key_for(&recipient());
        let others = key_for(&sender());
        check(&chat_of(&inner, &IV, from_ref(&ours)), Ok("hi"));
        check(
            &chat_of(&inner, &IV, &[others.clone(), vec![], vec![0; 256], ours.clone()]),
            Ok("hi"),
        );
        check(&chat_of(&inner, &IV, &[others]), Err(NotOpened::NotForMe));
        check(&chat_of(&inner, &IV, &[]), Err(NotOpened::NotForMe));
        check(&Chat { destinations: vec![], sealed: None }, Err(NotOpened::NotForMe));
        let long = recipient().public().encrypt(&[9; 32]).unwrap();
        check(&chat_of(&inner, &IV, &[long]), Err(NotOpened::Bad));
        let mut changed = chat_of(&inner, &IV, from_ref(&ours));
        changed.sealed.as_mut().unwrap().text[0] ^= 1;
        check(&changed, Err(NotOpened::Bad));
        changed.sealed.as_mut().unwrap().text.clear();
        check(&changed, Err(NotOpened::Bad));
    }

    #[test]
    fn what_no_client_says_is_not_opened() {
        let key = key_for(&recipient());
        let own = guest(&sender(), by_the_text()).fingerprint(by_the_text().fingerprint);
        let others = guest(&recipient(), by_the_text()).fingerprint(by_the_text().fingerprint);
        let check =
            |inner: String, expected| check(&chat_of(&inner, &IV, from_ref(&key)), expected);
        check(format!(r#"{{"chat":{{"message":"x","participants":["{own}"]}}}}"#), Ok("x"));
        check(
            format!(r#"{{"participants":["{others}","{own}"],"message":"x"}}"#),
            Err(NotOpened::OtherAuthor),
        );
        check(r#"{"participants":[],"message":"x"}"#.into(), Err(NotOpened::OtherAuthor));
        check(r#"{"participants":[""],"message":"x"}"#.into(), Err(NotOpened::OtherAuthor));
        check(format!(r#"{{"participants":["{own}"]}}"#), Err(NotOpened::Bad));
        check(format!(r#"{{"participants":"{own}","message":"x"}}"#), Err(NotOpened::Bad));
        check(format!(r#"{{"participants":["{own}"],"message":["x"]}}"#), Err(NotOpened::Bad));
        check(
            format!(r#"{{"participants":["{own}"],"message":"x","message":"y"}}"#),
            Err(NotOpened::Bad),
        );
        check(String::new(), Err(NotOpened::Bad));
        check("hi".into(), Err(NotOpened::Bad));
        let many = vec![format!("\"{own}\""); limits::GUEST_RECIPIENTS + 2].join(",");
        check(format!(r#"{{"participants":[{many}],"message":"x"}}"#), Err(NotOpened::Bad));
    }

    #[test]
    fn a_shape_that_we_do_not_know_is_a_chat_nevertheless() {
        let check = |fields: &str, expected: Option<(usize, usize)>| {
            let data = format!(r#"{{"type":"chat"{fields}}}"#);
            let frame =
                format!(r#"{{"type":"signed_data","data":{data},"counter":1,"signature":""}}"#);
            let frame = signed(&frame);
            let Payload::Chat(chat) = frame.payload() else { unreachable!() };
            let sealed = chat.sealed.as_ref();
            let lengths = sealed.map(|sealed| (sealed.keys.len(), sealed.text.len()));
            assert_eq!(lengths, expected, "{fields}");
        };
        let iv = to_base64(&IV);
        check(&format!(r#","iv":"{iv}","symm_keys":["AAAA","AAAA"],"chat":"AAAA""#), Some((2, 3)));
        check(r#","iv":"AAAAAAAAAAAAAAAA","symm_keys":[],"chat":"""#, Some((0, 0)));
        check("", None);
        check(&format!(r#","iv":"{iv}","chat":"AAAA""#), None);
        check(&format!(r#","iv":"{iv}","symm_keys":"AAAA","chat":"AAAA""#), None);
        check(&format!(r#","iv":"{iv}","symm_keys":[1],"chat":"AAAA""#), None);
        check(
            &format!(r#","iv":"{iv}","symm_keys":[],"chat":{{"participants":[],"message":""}}"#),
            None,
        );
        check(r#","iv":"AAAA","symm_keys":[],"chat":"AAAA""#, None);
        check(r#","iv":"??","symm_keys":[],"chat":"AAAA""#, None);
        check(r#","destination_servers":"localhost","iv":0"#, None);
    }
}
