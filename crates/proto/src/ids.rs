//! Ids: 16 random bytes each, as 32 hexadecimal digits on the wire.

use core::fmt;
use core::str::FromStr;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadId;

impl fmt::Display for BadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is 32 lower-case hexadecimal digits")
    }
}

impl core::error::Error for BadId {}

/// The bit of an id's first byte that tells ids that are computed from random ones.
const COMPUTED: u8 = 0x80;

macro_rules! id {
    ($(#[$about:meta])* $name:ident) => {
        $(#[$about])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these 16 bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// A fresh random id. Its first bit is 0, so that it is never one that was computed.
            pub fn random(rng: &mut dyn portcullis_crypto::Randomness) -> Self {
                let mut bytes = [0; 16];
                rng.fill_bytes(&mut bytes);
                bytes[0] &= !COMPUTED;
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(str_of(&mut to_hex(&self.0)))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                from_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(str_of(&mut to_hex(&self.0)))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(IdVisitor).map(Self)
            }
        }
    };
}

id! {
    /// An account, for ever: names can be looked up, ids are what is signed.
    AccountId
}
id! {
    /// One installation of a client.
    DeviceId
}
id! {
    /// A channel, direct, group or inbox.
    ConversationId
}
id! {
    /// What the client calls a message: makes submitting idempotent, and is the message's id.
    Reference
}
id! {
    /// A transfer of files between people; its sealed bytes lie on the server under the same id.
    TransferId
}

impl ConversationId {
    /// The one `#lobby` that every account joins at registration. The same on every server, so
    /// that a client can tell it apart before it has seen a list.
    pub const LOBBY: Self = Self(*b"#lobby\0\0\0\0\0\0\0\0\0\0");
}

impl AccountId {
    /// Whom the server's store names as the author of what classroom guests say; which guest it was stands
    /// in the envelope's body, signed. No account has this id: it is of the computed form.
    pub const GATEWAY: Self = Self(*b"\xffgateway\0\0\0\0\0\0\0\0");

    /// What stands for a classroom guest: of the SHA-256 of its key's `SubjectPublicKeyInfo`. No account
    /// has such an id.
    #[must_use]
    pub fn of_guest(hash: &[u8; 32]) -> Self {
        Self(*ConversationId::hashed("portcullis 2026 guest", &[hash]).as_bytes())
    }
}

impl DeviceId {
    /// The device of [`AccountId::GATEWAY`].
    pub const GATEWAY: Self = Self(*b"\xffgateway\0\0\0\0\0\0\0\0");
}

impl ConversationId {
    /// The log of what classroom guests say privately: its readers are the accounts that allow guests, each
    /// of which can open what is for its own devices.
    pub const CLASSROOM: Self = Self(*b"#classroom\0\0\0\0\0\0");

    /// What a device calls its conversation with a classroom guest. No server knows it.
    #[must_use]
    pub fn classic(guest: AccountId, device: DeviceId) -> Self {
        let parts: [&[u8]; 2] = [guest.as_bytes(), device.as_bytes()];
        Self::hashed("portcullis 2026 classic", &parts)
    }

    /// The direct of two accounts: the same for both, and no other pair's.
    #[must_use]
    pub fn direct(one: AccountId, other: AccountId) -> Self {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        Self::hashed("portcullis 2026 direct", &[first.as_bytes(), second.as_bytes()])
    }

    /// A device's inbox, which that device alone reads.
    #[must_use]
    pub fn inbox(device: DeviceId) -> Self {
        Self::hashed("portcullis 2026 inbox", &[device.as_bytes()])
    }

    /// Whether it is of the form of a direct's or an inbox's id: nobody may choose such a one, or it could
    /// be another's before they need it.
    #[must_use]
    pub const fn is_computed(self) -> bool {
        self.0[0] & COMPUTED != 0
    }

    fn hashed(domain: &'static str, parts: &[&[u8]]) -> Self {
        let hash = portcullis_crypto::hash(domain, parts);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash.as_bytes()[..16]);
        bytes[0] |= COMPUTED;
        Self(bytes)
    }
}

impl Reference {
    /// The reference of what a commit leaves in a device's inbox.
    #[must_use]
    pub fn of_welcome(commit: Self, device: DeviceId) -> Self {
        let parts: [&[u8]; 2] = [commit.as_bytes(), device.as_bytes()];
        Self(*ConversationId::hashed("portcullis 2026 welcome", &parts).as_bytes())
    }

    /// A fresh reference: six bytes of the time in milliseconds, then ten random ones. References that
    /// grow with time stand together in the server's index, which is worth half its throughput; the
    /// server sees the time of arrival anyway (`docs/decisions/0007`).
    pub fn fresh(now: crate::Timestamp, rng: &mut dyn portcullis_crypto::Randomness) -> Self {
        let Self(mut bytes) = Self::random(rng);
        for (byte, of_time) in bytes.iter_mut().zip(&now.0.to_be_bytes()[2..]) {
            *byte = *of_time;
        }
        Self(bytes)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = [u8; 16];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 lower-case hexadecimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<[u8; 16], E> {
        from_hex(text).map_err(E::custom)
    }
}

fn to_hex(bytes: &[u8; 16]) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [b'0'; 32];
    for (pair, byte) in text.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    text
}

fn str_of(digits: &mut [u8; 32]) -> &str {
    core::str::from_utf8(digits).unwrap_or_default()
}

fn from_hex(text: &str) -> Result<[u8; 16], BadId> {
    let digits: &[u8; 32] = text.as_bytes().try_into().map_err(|_| BadId)?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value_of(pair[0])? << 4) | value_of(pair[1])?;
    }
    Ok(bytes)
}

fn value_of(digit: u8) -> Result<u8, BadId> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(BadId),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<[u8; 16], BadId>) {
        assert_eq!(text.parse::<Reference>().map(|id| *id.as_bytes()), expected, "{text}");
    }

    #[test]
    fn only_32_lower_case_digits_are_an_id() {
        check("000102030405060708090a0b0c0d0e0f", Ok(core::array::from_fn(|i| i as u8)));
        check("000102030405060708090A0B0C0D0E0F", Err(BadId));
        check("000102030405060708090a0b0c0d0e0", Err(BadId));
        check("000102030405060708090a0b0c0d0e0g", Err(BadId));
        check("", Err(BadId));
    }

    #[test]
    fn references_grow_with_time() {
        let mut rng = crate::request::tests::rng(1);
        let mut at = |millis| Reference::fresh(crate::Timestamp(millis), &mut rng);
        assert!(at(1_700_000_000_000) < at(1_700_000_000_001));
        assert_ne!(at(5), at(5));
    }

    #[test]
    fn a_random_id_is_never_one_that_is_computed() {
        let mut rng = crate::request::tests::rng(1);
        let [one, other] = [1, 2].map(|number| AccountId::from_bytes([number; 16]));
        let device = DeviceId::from_bytes([1; 16]);
        for _ in 0..64 {
            assert!(!ConversationId::random(&mut rng).is_computed());
            let (account, device) = (AccountId::random(&mut rng), DeviceId::random(&mut rng));
            assert!(ConversationId::direct(account, one).is_computed());
            assert!(ConversationId::inbox(device).is_computed());
        }
        assert!(!ConversationId::LOBBY.is_computed());
        let direct = ConversationId::direct(one, other);
        assert_eq!(direct, ConversationId::direct(other, one));
        assert_ne!(direct, ConversationId::direct(one, one));
        assert_ne!(
            ConversationId::inbox(device),
            ConversationId::inbox(DeviceId::from_bytes([2; 16]))
        );
    }

    #[test]
    fn an_id_reads_what_it_writes() {
        let id = DeviceId::from_bytes([0xfe; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}
