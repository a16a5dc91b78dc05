//! Notes: AES-256-CBC with PKCS#7 padding (RFC 5652 section 6.3), then HMAC-SHA256 over what was encrypted.
//! A note is answered by a receipt, which says whether it arrived and how many blocks were gone through.

use super::suite::{Key, mac, same};
use aes::Aes256;
use aes::cipher::{BlockDecrypt as _, BlockEncrypt as _, KeyInit as _};

/// A sealed note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What the first block is mixed with.
    pub start: [u8; 16],
    /// Whole blocks.
    pub body: Vec<u8>,
    /// The code over both.
    pub tag: Vec<u8>,
}

/// What the sender of a note is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// In a word.
    pub word: &'static str,
    /// How many blocks were gone through: what a watch would show in the world outside.
    pub work: usize,
}

/// What came of opening a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The text, if it is one.
    pub text: Option<Vec<u8>>,
    /// What the sender is told.
    pub receipt: Receipt,
}

impl Receipt {
    /// A note that arrived, or was refused, after so many blocks of work.
    #[must_use]
    pub const fn new(word: &'static str, work: usize) -> Self {
        Self { word, work }
    }
}

impl Opened {
    /// A note that is not accepted, with what its sender is told.
    #[must_use]
    pub const fn refused(word: &'static str, work: usize) -> Self {
        Self { text: None, receipt: Receipt::new(word, work) }
    }

    /// A note that is accepted.
    #[must_use]
    pub const fn accepted(text: Vec<u8>, work: usize) -> Self {
        Self { text: Some(text), receipt: Receipt::new("accepted", work) }
    }
}

/// Looks at the code first, and decrypts nothing that it does not vouch for.
pub fn open_note(key: &Key, note: &Note) -> Opened {
    let blocks = note.body.len() / 16;
    if !authenticates(key, note) {
        return Opened::refused("not accepted", blocks);
    }
    match decrypt(key, note) {
        Some(text) => Opened::accepted(text, 2 * blocks),
        None => Opened::refused("not accepted", blocks),
    }
}

/// Whether the code over a note is its sender's.
#[must_use]
pub fn authenticates(key: &Key, note: &Note) -> bool {
    same(&mac(&key.derive(b"note tag"), &[&note.start, &note.body]), &note.tag)
}

/// The text of a note, without a look at its code; none where its padding is wrong.
#[must_use]
pub fn decrypt(key: &Key, note: &Note) -> Option<Vec<u8>> {
    let cipher = Aes256::new(key.derive(b"note").as_bytes().into());
    let mut before = note.start;
    let mut text = Vec::new();
    for block in note.body.chunks(16) {
        let block: [u8; 16] = block.try_into().ok()?;
        let mut plain = block.into();
        cipher.decrypt_block(&mut plain);
        text.extend(plain.iter().zip(before).map(|(byte, before)| byte ^ before));
        before = block;
    }
    let last = *text.last()?;
    let length = text.len().checked_sub(usize::from(last))?;
    let padding = text.get(length..).filter(|_| (1..=16).contains(&last))?;
    if padding.iter().any(|byte| *byte != last) {
        return None;
    }
    text.truncate(length);
    Some(text)
}

/// Seals a note.
#[must_use]
pub fn seal_note(key: &Key, start: [u8; 16], text: &[u8]) -> Note {
    let cipher = Aes256::new(key.derive(b"note").as_bytes().into());
    let fill = 16 - text.len() % 16;
    let mut padded = text.to_vec();
    padded.resize(text.len() + fill, u8::try_from(fill).unwrap_or(16));
    let mut before = start;
    let mut body = Vec::new();
    for block in padded.chunks(16) {
        before.iter_mut().zip(block).for_each(|(mixed, byte)| *mixed ^= byte);
        let mut sealed = before.into();
        cipher.encrypt_block(&mut sealed);
        before = sealed.into();
        body.extend(before);
    }
    let tag = mac(&key.derive(b"note tag"), &[&start, &body]).to_vec();
    Note { start, body, tag }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_comes_back_whatever_its_length() {
        let key = Key::from_bytes([1; 32]);
        for length in 0..40 {
            let text = vec![b'x'; length];
            let note = seal_note(&key, [5; 16], &text);
            assert_eq!(open_note(&key, &note).text, Some(text), "{length}");
        }
    }

    #[test]
    fn whatever_is_wrong_the_receipt_is_the_same() {
        let key = Key::from_bytes([1; 32]);
        let good = seal_note(&key, [5; 16], b"twelve bytes");
        let flip = |place: usize, bit: u8| {
            let mut note = good.clone();
            note.start.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= bit);
            note
        };
        let bare = Note { tag: Vec::new(), ..good.clone() };
        let (padding, text) = (flip(15, 1), flip(0, 1));
        assert_eq!((decrypt(&key, &padding), decrypt(&key, &text).is_some()), (None, true));
        for note in [padding, text, bare] {
            assert_eq!(open_note(&key, &note), Opened::refused("not accepted", 1));
        }
    }

    #[test]
    fn odd_lengths_are_refused() {
        let key = Key::from_bytes([1; 32]);
        for length in [0, 1, 15, 17] {
            let note = Note { start: [0; 16], body: vec![0; length], tag: Vec::new() };
            assert_eq!(decrypt(&key, &note), None, "{length}");
        }
    }
}
