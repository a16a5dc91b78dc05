//! The suite: AES-256-GCM under a group's key for words (NIST SP 800-38D), AES-256-CTR with HMAC-SHA256 over
//! what was encrypted for orders. One key for a group, so any member can speak as any other; the lessons
//! are about those who are not members. Leaves out what keeps a message from counting twice: the chat has that.

use super::frame::Header;
use aes::Aes256;
use aes_gcm::aead::{Aead as _, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use hmac::{Hmac, Mac as _};
use portcullis_crypto::Randomness;
use portcullis_proto::UserName;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

/// Texts are filled up to a multiple of so many bytes.
const ROOM_BYTES: usize = 256;

/// A symmetric key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Zeroizing<[u8; 32]>);

impl Key {
    /// A new one.
    pub fn random(rng: &mut dyn Randomness) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// The one with these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Another key, for one purpose.
    #[must_use]
    pub fn derive(&self, purpose: &[u8]) -> Self {
        Self::from_bytes(mac(self, &[b"derive", purpose]))
    }
}

impl fmt::Debug for Key {
    /// Without the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}

/// What must never come twice under one key: four bytes of the sender's own, and a number.
pub type Nonce = [u8; 12];

/// What a sender knows of the messages that it has sealed under a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// The highest number that was ever used: it stands on the disk.
    pub stored: u64,
    /// How many messages there were since the connection was made.
    pub since_connect: u64,
    /// How often the connection was made.
    pub connects: u64,
    /// Seconds since the sender began.
    pub seconds: u64,
}

/// Somebody leaves a group.
#[derive(Debug, Clone)]
pub struct Removal {
    /// The key that they know.
    pub old: Key,
    /// 32 bytes that nobody knows but who removes them.
    pub fresh: Key,
    /// How many keys the group has had.
    pub epoch: u64,
    /// Who stays.
    pub remaining: Vec<UserName>,
}

/// Fills a text up to the next multiple of 256 bytes (ISO/IEC 7816-4), so that short texts look alike.
pub fn pad(text: &[u8]) -> Vec<u8> {
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded.resize(padded.len().next_multiple_of(ROOM_BYTES), 0);
    padded
}

/// Who says it and where, each behind its length, so that no two of them look the same.
pub fn bound(header: &Header) -> Vec<u8> {
    let parts = [header.kind.name(), header.from.as_str(), header.place.as_str()];
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

/// The number after the highest that was ever used, which is written down before the message goes out.
pub fn take_number(numbers: &Numbers) -> u64 {
    let next = numbers.stored.saturating_add(1);
    next.max(1)
}

/// A key that whoever has left knows nothing of.
pub fn next_key(removal: &Removal) -> Key {
    let epoch = removal.epoch.to_be_bytes();
    removal.fresh.derive(&epoch)
}

/// A code over all of it, made with a key of its own after the text was encrypted.
pub fn order_tag(key: &Key, header: &Header, nonce: &Nonce, sealed: &[u8]) -> Vec<u8> {
    let key = key.derive(b"order tag");
    mac(&key, &[&bound(header), nonce, sealed]).to_vec()
}

/// What [`pad`] was given; none where this was not padded.
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let end = padded.iter().rposition(|byte| *byte != 0)?;
    padded.get(..end).filter(|_| padded.get(end) == Some(&0x80))
}

/// Seals a word. None only where it is longer than the cipher takes.
pub(super) fn seal_word(key: &Key, nonce: &Nonce, bound: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg: text, aad: bound };
    Aes256Gcm::new(key.as_bytes().into()).encrypt(nonce.into(), payload).ok()
}

/// Opens a word; none where it was altered or is under another key.
#[must_use]
pub fn open_word(key: &Key, nonce: &Nonce, bound: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let payload = Payload { msg: sealed, aad: bound };
    Aes256Gcm::new(key.as_bytes().into()).decrypt(nonce.into(), payload).ok()
}

/// Encrypts an order, or decrypts one: counter mode does the same for both.
#[must_use]
pub fn turn(key: &Key, nonce: &Nonce, text: &[u8]) -> Vec<u8> {
    let key = key.derive(b"order");
    let mut start = [0; 16];
    start.iter_mut().zip(nonce).for_each(|(to, from)| *to = *from);
    let mut bytes = text.to_vec();
    ctr::Ctr32BE::<Aes256>::new(key.as_bytes().into(), &start.into()).apply_keystream(&mut bytes);
    bytes
}

/// HMAC-SHA256 (RFC 2104) over parts, each behind its length.
#[must_use]
pub fn mac(key: &Key, parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of every length, so there is no error to report.
    let Ok(mut mac) = <Hmac<Sha256> as hmac::Mac>::new_from_slice(key.as_bytes()) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Whether two are the same, looking at every byte whatever the first ones say.
#[must_use]
pub fn same(one: &[u8], other: &[u8]) -> bool {
    let differ = one.iter().zip(other).fold(0, |differ, (one, other)| differ | (one ^ other));
    one.len() == other.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lesson::Kind;
    use portcullis_proto::ChannelName;

    #[test]
    fn what_was_padded_comes_back() {
        for length in [0, 1, 254, 255, 256, 1_000] {
            let text = vec![0; length];
            let padded = pad(&text);
            assert_eq!(padded.len() % ROOM_BYTES, 0);
            assert_eq!(unpad(&padded), Some(text.as_slice()), "{length}");
        }
        for no_padding in [&b""[..], b"text", b"\0\0", b"text\x81\0"] {
            assert_eq!(unpad(no_padding), None, "{no_padding:?}");
        }
    }

    #[test]
    fn no_two_headers_look_the_same() -> Result<(), portcullis_proto::BadName> {
        let header = |kind, from, place| {
            let (from, place) = (UserName::parse(from)?, ChannelName::parse(place)?);
            Ok(bound(&Header { kind, from, place }))
        };
        let one = header(Kind::Word, "mira", "#den")?;
        assert_ne!(one, header(Kind::Note, "mira", "#den")?);
        assert_ne!(one, header(Kind::Word, "oleg", "#den")?);
        assert_ne!(one, header(Kind::Word, "mira", "#din")?);
        Ok(())
    }

    #[test]
    fn a_word_opens_only_as_it_was_sealed() {
        let (key, nonce) = (Key::from_bytes([1; 32]), [2; 12]);
        let sealed = seal_word(&key, &nonce, b"here", b"text").unwrap_or_default();
        let open = |key: u8, nonce: u8, bound: &[u8]| {
            open_word(&Key::from_bytes([key; 32]), &[nonce; 12], bound, &sealed)
        };
        assert_eq!(open(1, 2, b"here").as_deref(), Some(&b"text"[..]));
        assert_eq!(open(3, 2, b"here"), None);
        assert_eq!(open(1, 3, b"here"), None);
        assert_eq!(open(1, 2, b"there"), None);
    }

    #[test]
    fn counter_mode_is_its_own_inverse() {
        let (key, nonce) = (Key::from_bytes([1; 32]), [2; 12]);
        let sealed = turn(&key, &nonce, b"pay 10");
        assert_ne!(sealed, b"pay 10");
        assert_eq!(turn(&key, &nonce, &sealed), b"pay 10");
    }

    #[test]
    fn numbers_go_up_whatever_the_connection() {
        let mut numbers = Numbers { since_connect: 9, connects: 3, ..Numbers::default() };
        for expected in 1..5 {
            numbers.stored = take_number(&numbers);
            assert_eq!(numbers.stored, expected);
        }
    }
}
