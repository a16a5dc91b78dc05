//! Receipts: what somebody can show to prove a solve, checked offline.
//!
//! A receipt is a text, the Ed25519 signature (RFC 8032) of `portcullis range receipt v1\0` and that text, and
//! the key that made it. What it is worth hangs on whose key that is: a class's is the teacher's to publish.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use portcullis_crypto::Randomness;
use portcullis_proto::{Timestamp, UserName};
use serde::{Deserialize, Serialize};
use std::fmt;

const DOMAIN: &[u8] = b"portcullis range receipt v1\0";

/// What a receipt counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Worth {
    /// Made at home, where the learner holds the key: it counts for oneself.
    Practice,
    /// Made in a class, whose key the teacher holds.
    Evidence,
}

impl fmt::Display for Worth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Practice => "practice",
            Self::Evidence => "evidence",
        })
    }
}

/// What a receipt says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solved {
    /// The class; empty at home.
    pub class: String,
    /// Who.
    pub learner: UserName,
    /// Which flaw.
    pub slug: String,
    /// How often they had begun the world anew; what the teacher did does not count.
    pub resets: u32,
    /// With so many hints.
    pub hints: usize,
    /// When, by the range's clock.
    pub at: Timestamp,
    /// What it counts for.
    pub worth: Worth,
}

/// A signed proof of a solve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// What is signed: a [`Solved`] as JSON.
    pub text: String,
    /// The key, 32 bytes as base64.
    pub key: String,
    /// The signature, 64 bytes as base64.
    pub signature: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadReceipt {
    /// It was made by another key than the one asked for.
    OtherKey,
    /// The signature does not fit.
    Signature,
    /// It can't be read.
    Text,
}

impl fmt::Display for BadReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherKey => "it was made by another key",
            Self::Signature => "its signature does not fit",
            Self::Text => "it can't be read",
        })
    }
}

impl std::error::Error for BadReceipt {}

impl Receipt {
    /// Whether this is a key that receipts may be verified by: 32 bytes as base64.
    #[must_use]
    pub fn is_key(text: &str) -> bool {
        bytes::<32>(text).is_some_and(|key| VerifyingKey::from_bytes(&key).is_ok())
    }

    /// Reads and verifies, by the key that is asked for, or else by the one it names.
    ///
    /// # Errors
    /// [`BadReceipt`].
    pub fn verify(&self, key: Option<&str>) -> Result<Solved, BadReceipt> {
        if key.is_some_and(|key| key != self.key) {
            return Err(BadReceipt::OtherKey);
        }
        let key = bytes::<32>(&self.key).and_then(|key| VerifyingKey::from_bytes(&key).ok());
        let signature = bytes::<64>(&self.signature).map(|bytes| Signature::from_bytes(&bytes));
        let (Some(key), Some(signature)) = (key, signature) else {
            return Err(BadReceipt::Text);
        };
        let signed = [DOMAIN, self.text.as_bytes()].concat();
        key.verify_strict(&signed, &signature).map_err(|_| BadReceipt::Signature)?;
        serde_json::from_str(&self.text).map_err(|_| BadReceipt::Text)
    }
}

/// What makes receipts.
pub struct Signer(SigningKey);

impl Signer {
    /// A new one.
    pub fn random(rng: &mut dyn Randomness) -> Self {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        Self::from_bytes(&bytes)
    }

    /// The one with this secret.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// Its secret.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key that its receipts are verified by, as base64.
    #[must_use]
    pub fn key(&self) -> String {
        STANDARD.encode(self.0.verifying_key().as_bytes())
    }

    /// Signs.
    #[must_use]
    pub fn sign(&self, solved: &Solved) -> Receipt {
        // Writing this type to memory can't fail: no map keys, no IO.
        let text = serde_json::to_string(solved).unwrap_or_default();
        let signature = self.0.sign(&[DOMAIN, text.as_bytes()].concat());
        Receipt { text, key: self.key(), signature: STANDARD.encode(signature.to_bytes()) }
    }
}

impl fmt::Debug for Signer {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.key())
    }
}

fn bytes<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn solved() -> Solved {
        Solved {
            class: "7b".to_owned(),
            learner: UserName::parse("mira").unwrap(),
            slug: "replay".to_owned(),
            resets: 1,
            hints: 2,
            at: Timestamp(7),
            worth: Worth::Evidence,
        }
    }

    #[test]
    fn a_receipt_is_verified_by_its_key() {
        let (signer, other) = (Signer::from_bytes(&[1; 32]), Signer::from_bytes(&[2; 32]));
        let receipt = signer.sign(&solved());
        assert_eq!(receipt.verify(None), Ok(solved()));
        assert_eq!(receipt.verify(Some(&signer.key())), Ok(solved()));
        assert_eq!(receipt.verify(Some(&other.key())), Err(BadReceipt::OtherKey));
        let forged = Receipt { key: other.key(), ..receipt };
        assert_eq!(forged.verify(None), Err(BadReceipt::Signature));
    }

    #[test]
    fn a_changed_receipt_proves_nothing() {
        let receipt = Signer::from_bytes(&[1; 32]).sign(&solved());
        let check = |receipt: Receipt, expected: BadReceipt| {
            assert_eq!(receipt.verify(None), Err(expected), "{receipt:?}");
        };
        let text = receipt.text.replace("\"hints\":2", "\"hints\":0");
        check(Receipt { text, ..receipt.clone() }, BadReceipt::Signature);
        check(Receipt { signature: String::new(), ..receipt.clone() }, BadReceipt::Text);
        check(Receipt { key: "AAAA".to_owned(), ..receipt }, BadReceipt::Text);
    }

    #[test]
    fn a_signer_comes_back_from_its_bytes_and_shows_no_secret() {
        let signer = Signer::from_bytes(&[1; 32]);
        assert_eq!(Signer::from_bytes(&signer.to_bytes()).key(), signer.key());
        assert_eq!(format!("{signer:?}"), format!("Signer({})", signer.key()));
    }
}
