//! Signatures: the identity key of an account and the auth key of a device.
//!
//! Ed25519 (RFC 8032) by `ed25519-dalek`, with its strict verification: no small-order keys, no second
//! encoding of a signature. What is signed is always a [`Purpose`]'s domain followed by the message, so a
//! signature can't be carried from one use to another. Own keys and others' keys are different types.
//! Leaves out what the messages contain, and MLS, which has keys and labels of its own.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};

use crate::{Randomness, Secret};

/// What a signature is for. A signature for one purpose doesn't verify for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A version of an account's device list, signed by the identity key.
    DeviceList,
    /// Proof that whoever resumes a session holds the device's auth key.
    SessionProof,
    /// A message in a channel, signed by the auth key of the sending device.
    ChannelMessage,
}

impl Purpose {
    /// Ends in a zero byte, and no domain contains another, so none is a prefix of another.
    const fn domain(self) -> &'static [u8] {
        match self {
            Self::DeviceList => b"portcullis device list v1\0",
            Self::SessionProof => b"portcullis session proof v1\0",
            Self::ChannelMessage => b"portcullis channel message v1\0",
        }
    }

    fn bind(self, message: &[u8]) -> Vec<u8> {
        [self.domain(), message].concat()
    }
}

/// A 64-byte Ed25519 signature; says nothing until it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes 64 bytes as received; verification decides.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Its 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_short(formatter, "Signature", &self.0)
    }
}

/// The bytes are not a public key: not a point of the curve, or one of small order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("not a usable public key")
    }
}

impl std::error::Error for BadKey {}

/// The signature is not this key's over this message for this purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

impl fmt::Display for BadSignature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the signature does not verify")
    }
}

impl std::error::Error for BadSignature {}

/// Makes one pair of types, own key and public key; the work is in the functions below.
macro_rules! key_pair {
    ($own:ident, $public:ident, $of:literal) => {
        #[doc = concat!("The secret key of ", $of, ". Wiped when dropped, redacted in `Debug`.")]
        #[derive(Clone)]
        pub struct $own(SigningKey);

        impl $own {
            /// Draws a new key.
            #[must_use]
            pub fn generate(rng: &mut dyn Randomness) -> Self {
                Self::from_secret(&Secret::random(rng))
            }

            /// The key whose 32-byte seed (RFC 8032, section 5.1.5) is `secret`.
            #[must_use]
            pub fn from_secret(secret: &Secret<32>) -> Self {
                Self(SigningKey::from_bytes(secret.expose()))
            }

            /// Its 32-byte seed, to be stored sealed.
            #[must_use]
            pub fn secret(&self) -> Secret<32> {
                Secret::from_bytes(self.0.to_bytes())
            }

            /// The public key that others verify with.
            #[must_use]
            pub fn public(&self) -> $public {
                $public(self.0.verifying_key().to_bytes())
            }

            /// Signs `message` for `purpose`.
            #[must_use]
            pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
                Signature(self.0.sign(&purpose.bind(message)).to_bytes())
            }
        }

        impl fmt::Debug for $own {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(concat!(stringify!($own), "(..)"))
            }
        }

        #[doc = concat!("The public key of ", $of, ": 32 bytes that are known to be a usable point.")]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $public([u8; 32]);

        impl $public {
            /// Parses 32 bytes as received.
            ///
            /// # Errors
            /// [`BadKey`] if they are no point of the curve, or a point of small order.
            pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, BadKey> {
                parse(&bytes).map(|_| Self(bytes))
            }

            /// Its 32 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Checks that this key signed `message` for `purpose`.
            ///
            /// # Errors
            /// [`BadSignature`] if it did not.
            pub fn verify(
                &self,
                purpose: Purpose,
                message: &[u8],
                signature: &Signature,
            ) -> Result<(), BadSignature> {
                verify(&self.0, purpose, message, signature)
            }
        }

        impl fmt::Debug for $public {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_short(formatter, stringify!($public), &self.0)
            }
        }
    };
}

key_pair!(
    IdentityKey,
    IdentityPublic,
    "an account, made at registration"
);
key_pair!(AuthKey, AuthPublic, "a device");

fn parse(bytes: &[u8; 32]) -> Result<VerifyingKey, BadKey> {
    match VerifyingKey::from_bytes(bytes) {
        Ok(key) if !key.is_weak() => Ok(key),
        _ => Err(BadKey),
    }
}

fn verify(
    key: &[u8; 32],
    purpose: Purpose,
    message: &[u8],
    signature: &Signature,
) -> Result<(), BadSignature> {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    parse(key)
        .map_err(|BadKey| BadSignature)?
        .verify_strict(&purpose.bind(message), &signature)
        .map_err(|_| BadSignature)
}

fn write_short(formatter: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    write!(formatter, "{name}(")?;
    for byte in bytes.iter().take(4) {
        write!(formatter, "{byte:02x}")?;
    }
    formatter.write_str("…)")
}
