//! Sealing bytes under a random key.
//!
//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) with a random 24-byte nonce in front: nonces that long
//! never repeat by chance, so nobody has to keep count. Leaves out large files and conversations.

use std::fmt;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::{Randomness, Secret};

const NONCE: usize = 24;
const TAG: usize = 16;

/// A 32-byte key that seals and opens. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct SealKey(Secret<32>);

impl SealKey {
    /// How much longer the sealed bytes are than the plain ones: nonce and tag.
    pub const OVERHEAD: usize = NONCE + TAG;

    /// Draws a new key.
    #[must_use]
    pub fn generate(rng: &mut dyn Randomness) -> Self {
        Self(Secret::random(rng))
    }

    /// A key that was stored or derived.
    #[must_use]
    pub fn from_secret(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The key's bytes, to be stored wrapped.
    #[must_use]
    pub fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// Seals `plain`, and binds it to `associated`, which is not part of the result.
    ///
    /// Gives nonce (24 bytes), ciphertext, tag (16 bytes).
    #[must_use]
    pub fn seal(&self, rng: &mut dyn Randomness, associated: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        #[expect(
            clippy::expect_used,
            reason = "fails only for more than 256 GiB in one slice"
        )]
        let ciphertext = self
            .cipher()
            .encrypt(
                XNonce::from_slice(&nonce),
                Payload {
                    msg: plain,
                    aad: associated,
                },
            )
            .expect("less than 256 GiB");
        [&nonce[..], &ciphertext].concat()
    }

    /// Opens what [`seal`](Self::seal) gave for the same key and the same `associated`.
    ///
    /// # Errors
    /// [`BadSeal`] for anything else; it doesn't say what differs.
    pub fn open(&self, associated: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, BadSeal> {
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE).ok_or(BadSeal)?;
        self.cipher()
            .decrypt(
                XNonce::from_slice(nonce),
                Payload {
                    msg: ciphertext,
                    aad: associated,
                },
            )
            .map(Zeroizing::new)
            .map_err(|_| BadSeal)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(self.0.expose().into())
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SealKey(..)")
    }
}

/// Sealed bytes don't open: another key, another place, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSeal;

impl fmt::Display for BadSeal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the sealed bytes do not open")
    }
}

impl std::error::Error for BadSeal {}
