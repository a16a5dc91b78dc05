//! Fingerprints: by the protocol's text base64 of the SHA-256 of a PEM whose base64 stands on one line.
//!
//! Clients hash other layouts, or write the hash otherwise, so a fingerprint is no identity; guests are told
//! apart by their keys. Here are all the functions that clients are known to use, as a product of what is
//! hashed and how the hash is written. Leaves out whose fingerprint it should be.

use super::frame::{from_base64, to_base64};
use super::pem::{PemLayout, body_of, pem_of};
use portcullis_crypto::classic::sha256;

/// One way to compute a fingerprint from a PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// What is hashed.
    pub of: Hashed,
    /// Whether not that is hashed, but its base64.
    pub through_base64: bool,
    /// How the hash is written.
    pub shown: Shown,
}

/// What a fingerprint is a hash of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hashed {
    /// The PEM as received.
    Received,
    /// The PEM as received, but for the white space around it.
    Trimmed,
    /// The same, and one line feed after it.
    Ended,
    /// The PEM laid out anew.
    Pem(PemLayout),
    /// The PEM's base64 alone, on one line.
    Body,
    /// The `SubjectPublicKeyInfo`.
    Der,
}

/// How a fingerprint's hash is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// Base64 of its 32 bytes.
    Base64,
    /// 64 hexadecimal digits; in lower case where we write them.
    Hex,
    /// Base64 of those digits.
    Base64OfHex,
}

impl Hashed {
    /// Each of them, the received text first: most clients hash the layout that they use themselves.
    pub fn all() -> impl Iterator<Item = Self> {
        let received = [Self::Received, Self::Trimmed, Self::Ended].into_iter();
        received.chain(PemLayout::ALL.map(Self::Pem)).chain([Self::Body, Self::Der])
    }

    fn bytes(self, pem: &str, spki: &[u8]) -> Vec<u8> {
        match self {
            Self::Received => pem.into(),
            Self::Trimmed => pem.trim_ascii().into(),
            Self::Ended => [pem.trim_ascii(), "\n"].concat().into(),
            Self::Pem(layout) => pem_of(spki, layout).into(),
            Self::Body => body_of(spki).into(),
            Self::Der => spki.into(),
        }
    }
}

impl Shown {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Base64, Self::Hex, Self::Base64OfHex];

    fn write(self, digest: &[u8; 32]) -> String {
        let hex = || digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Base64 => to_base64(digest),
            Self::Hex => hex(),
            Self::Base64OfHex => to_base64(hex().as_bytes()),
        }
    }

    /// The hash that a text shows, and how: their lengths tell the three apart.
    pub(super) fn read(text: &str) -> Option<(Self, [u8; 32])> {
        match text.len() {
            64 => from_hex(text.as_bytes()).map(|digest| (Self::Hex, digest)),
            43 | 44 => from_base64(text)?.try_into().ok().map(|digest| (Self::Base64, digest)),
            86 | 88 => from_hex(&from_base64(text)?).map(|digest| (Self::Base64OfHex, digest)),
            _ => None,
        }
    }
}

fn from_hex(digits: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        let digit = |letter: u8| char::from(letter).to_digit(16);
        *byte = u8::try_from(digit(high)? << 4 | digit(low)?).ok()?;
    }
    Some(digest)
}

impl Fingerprint {
    /// Every way.
    pub fn all() -> impl Iterator<Item = Self> {
        let through = |of| [false, true].map(|through_base64| (of, through_base64));
        Hashed::all().flat_map(through).flat_map(|(of, through_base64)| {
            Shown::ALL.map(|shown| Self { of, through_base64, shown })
        })
    }

    /// What is hashed, in every way, with its hash. Where two are the same, the first stands for both.
    pub(super) fn digests(pem: &str, spki: &[u8]) -> Vec<(Hashed, bool, [u8; 32])> {
        let each = |of: Hashed| {
            let bytes = of.bytes(pem, spki);
            let through = to_base64(&bytes);
            [(of, false, sha256(&[&bytes])), (of, true, sha256(&[through.as_bytes()]))]
        };
        Hashed::all().flat_map(each).collect()
    }

    /// The fingerprint of the key with this PEM and `SubjectPublicKeyInfo`.
    pub(super) fn compute(self, pem: &str, spki: &[u8]) -> String {
        let bytes = self.of.bytes(pem, spki);
        let digest = match self.through_base64 {
            true => sha256(&[to_base64(&bytes).as_bytes()]),
            false => sha256(&[&bytes]),
        };
        self.shown.write(&digest)
    }
}
