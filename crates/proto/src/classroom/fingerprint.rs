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
    /// 64 hexadecimal digits, in lower case where we write them.
    Hex,
    /// Base64 of those digits.
    Base64OfHex,
    /// The digits in upper case.
    UpperHex,
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
    fn write(self, digest: &[u8; 32]) -> String {
        let hex = || digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match self {
            Self::Base64 => to_base64(digest),
            Self::Hex => hex(),
            Self::Base64OfHex => to_base64(hex().as_bytes()),
            Self::UpperHex => hex().to_ascii_uppercase(),
        }
    }

    /// The hash that a text shows, and how: their lengths tell it, and the case of their letters.
    pub(super) fn read(text: &str) -> Option<(Self, [u8; 32])> {
        match text.len() {
            64 => {
                let is_upper = text.bytes().any(|letter| letter.is_ascii_uppercase())
                    && !text.bytes().any(|letter| letter.is_ascii_lowercase());
                let shown = if is_upper { Self::UpperHex } else { Self::Hex };
                from_hex(text.as_bytes()).map(|digest| (shown, digest))
            }
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
    /// Every way. A new one stands last: what is kept of a client says its place among them.
    pub fn all() -> impl Iterator<Item = Self> {
        let through = |of| [false, true].map(|through_base64| (of, through_base64));
        let digests = || Hashed::all().flat_map(through);
        let as_shown = |(of, through_base64), shown| Self { of, through_base64, shown };
        let first = [Shown::Base64, Shown::Hex, Shown::Base64OfHex];
        let first = digests().flat_map(move |digest| first.map(|shown| as_shown(digest, shown)));
        first.chain(digests().map(move |digest| as_shown(digest, Shown::UpperHex)))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::classroom::pem::Wrap;
    use crate::classroom::tests::{guest, sender};
    use crate::classroom::{DialectId, GuestKey};

    #[test]
    fn fingerprints_are_what_other_programs_compute() {
        let check = |of, through_base64, shown, expected: &str| {
            let by = Fingerprint { of, through_base64, shown };
            let key = guest(&sender(), DialectId::BY_THE_TEXT);
            assert_eq!(key.fingerprint(by), expected, "{by:?}");
        };
        let columns = Hashed::Pem(PemLayout { wrap: Wrap::Columns, last_newline: true });
        check(
            Hashed::Received,
            false,
            Shown::Base64,
            "WKc+HANJNbQbYmE8r10UWUsjF1aAbHQC5NhUKO0subE=",
        );
        check(
            columns,
            false,
            Shown::Hex,
            "88281b8f4327cc17b682b0565947c7ce2b44d930103cc54e8b63e99212d0f501",
        );
        check(columns, true, Shown::Base64, "F6ojxzrsLQkFgNentcUdPXKA2Jjz3ve1D/9JJ9jG2p8=");
        check(
            columns,
            false,
            Shown::Base64OfHex,
            "ODgyODFiOGY0MzI3Y2MxN2I2ODJiMDU2NTk0N2M3Y2UyYjQ0ZDkzMDEwM2NjNTRlOGI2M2U5OTIxMmQwZjUwMQ==",
        );
        check(
            Hashed::Ended,
            false,
            Shown::Hex,
            "98ebe9da5bc68827008ca0e5df7eb5197e7053b9a3e98e5b5cf3e99b10f18ff6",
        );
        check(Hashed::Body, false, Shown::Base64, "B+Z7degzaB+hSH7/5RSZE0I2srWHfgi+/q34J9sC020=");
        check(
            Hashed::Der,
            false,
            Shown::Hex,
            "f0027353c68001046accc043507bc3bf0dba2e851660204a9488beabd5188218",
        );
    }

    #[test]
    fn a_key_knows_all_of_its_fingerprints_and_no_others() {
        let key = guest(&sender(), DialectId::BY_THE_TEXT);
        let other = guest(&crate::classroom::tests::recipient(), DialectId::BY_THE_TEXT);
        for by in Fingerprint::all() {
            let text = key.fingerprint(by);
            let found = key.fingerprint_in(&text).unwrap();
            assert_eq!((key.fingerprint(found), found.shown), (text.clone(), by.shown));
            assert!(!other.is_fingerprint(&text), "{by:?}");
            assert!(Shown::read(&text).is_some_and(|(shown, _)| shown == by.shown));
        }
        assert_eq!(Fingerprint::all().count(), 88);
    }

    #[test]
    fn the_layout_that_was_received_counts_as_received() {
        let columns = PemLayout { wrap: Wrap::Columns, last_newline: true };
        let spki = sender().public().spki().to_vec();
        for layout in PemLayout::ALL {
            let key = GuestKey::parse(&pem_of(&spki, layout)).unwrap();
            let same =
                Fingerprint { of: Hashed::Pem(layout), through_base64: false, shown: Shown::Hex };
            let found = key.fingerprint_in(&key.fingerprint(same)).unwrap();
            assert_eq!(found, Fingerprint { of: Hashed::Received, ..same });
            let other = Fingerprint { of: Hashed::Pem(columns), ..same };
            let found = key.fingerprint_in(&key.fingerprint(other)).unwrap();
            assert_eq!(
                found == other,
                layout != columns && layout.wrap != Wrap::Columns,
                "{layout:?}"
            );
        }
    }

    #[test]
    fn what_is_no_fingerprint_is_none() {
        let key = guest(&sender(), DialectId::BY_THE_TEXT);
        let by = |shown| Fingerprint { of: Hashed::Der, through_base64: false, shown };
        let hex = key.fingerprint(by(Shown::Hex));
        let base64 = key.fingerprint(by(Shown::Base64));
        let check =
            |text: &str, expected: bool| assert_eq!(key.is_fingerprint(text), expected, "{text}");
        check(&hex, true);
        check(&hex.to_uppercase(), true);
        check(&format!("{}{}", &hex[..32], hex[32..].to_uppercase()), true);
        check(&base64, true);
        check(base64.trim_end_matches('='), true);
        check(&base64.to_lowercase(), false);
        check(&hex[..63], false);
        check(&format!("{hex}0"), false);
        check(&format!("+{}", &hex[1..]), false);
        check("", false);
        check(&"ü".repeat(32), false);
        check(&"=".repeat(44), false);
        check(&"0".repeat(64), false);
    }
}
