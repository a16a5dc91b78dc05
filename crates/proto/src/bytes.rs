//! Byte strings on the wire: standard base64 with padding (RFC 4648 section 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that travel as base64.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes themselves.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// As text: what stands on the wire.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    /// From such a text; none where it is not base64.
    #[must_use]
    pub fn from_base64(text: &str) -> Option<Self> {
        STANDARD.decode(text).ok().map(Self)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl core::fmt::Debug for Bytes {
    /// Shows only the length: many of these hold what a log must not.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Bytes({})", self.0.len())
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Base64Visitor).map(Self)
    }
}

/// Reads base64 straight from the text of the frame, without a copy of the string.
pub(crate) struct Base64Visitor;

impl Visitor<'_> for Base64Visitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("base64 text")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
        STANDARD.decode(text).map_err(|_| E::custom("not base64"))
    }
}

/// Serde for the key and hash types of `crypto`, which know nothing of wire formats:
/// `#[serde(with = "crate::bytes::fixed")]`.
pub(crate) mod fixed {
    use super::Base64Visitor;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use portcullis_crypto::{AuthPublic, Hash, IdentityPublic, LeafPublic, Signature};
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    /// A value with one fixed-length encoding.
    pub(crate) trait Fixed: Sized {
        fn read(bytes: &[u8]) -> Option<Self>;
        fn write(&self) -> &[u8];
    }

    macro_rules! fixed {
        ($type:ty, $read:expr) => {
            impl Fixed for $type {
                fn read(bytes: &[u8]) -> Option<Self> {
                    $read(bytes.try_into().ok()?)
                }
                fn write(&self) -> &[u8] {
                    self.as_bytes()
                }
            }
        };
    }

    fixed!(Hash, |bytes| Some(Hash::from_bytes(bytes)));
    fixed!(Signature, |bytes| Some(Signature::from_bytes(bytes)));
    fixed!(AuthPublic, |bytes| AuthPublic::from_bytes(bytes).ok());
    fixed!(IdentityPublic, |bytes| IdentityPublic::from_bytes(bytes).ok());
    fixed!(LeafPublic, |bytes| LeafPublic::from_bytes(bytes).ok());

    pub(crate) fn serialize<T: Fixed, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(value.write()))
    }

    pub(crate) fn deserialize<'de, T: Fixed, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
        let bytes = from.deserialize_str(Base64Visitor)?;
        T::read(&bytes).ok_or_else(|| D::Error::custom("wrong length, or not a valid key"))
    }
}
