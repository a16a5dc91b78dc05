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
        #[expect(clippy::expect_used, reason = "fails only for more than 256 GiB in one slice")]
        let ciphertext = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: associated })
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
            .decrypt(XNonce::from_slice(nonce), Payload { msg: ciphertext, aad: associated })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{Scripted, damaged, seeded, to_hex};

    /// Expected value: libsodium.
    #[test]
    fn sealing_agrees_with_libsodium() {
        let key = SealKey::from_secret(Secret::from_bytes([3; 32]));
        let sealed = key.seal(&mut Scripted::new(&[&[9; NONCE]]), b"where", b"plain");
        assert_eq!(
            to_hex(&sealed),
            "0909090909090909090909090909090909090909090909090bd599553a48879cfa82f1549f176b7b3a8d8e7cf3"
        );
    }

    #[test]
    fn what_is_sealed_opens() {
        fn check(plain: &[u8]) {
            let mut rng = seeded(1);
            let key = SealKey::generate(&mut rng);
            let sealed = key.seal(&mut rng, b"where", plain);
            assert_eq!(sealed.len(), plain.len() + SealKey::OVERHEAD);
            assert_eq!(**key.open(b"where", &sealed).unwrap(), *plain);
            assert_ne!(sealed, key.seal(&mut rng, b"where", plain), "a nonce came twice");
        }
        check(b"");
        check(b"a");
        check(&[0; 10_000]);
    }

    #[test]
    fn another_key_or_place_or_byte_does_not_open() {
        let mut rng = seeded(2);
        let key = SealKey::generate(&mut rng);
        let sealed = key.seal(&mut rng, b"where", b"plain");
        assert_eq!(SealKey::generate(&mut rng).open(b"where", &sealed), Err(BadSeal));
        assert_eq!(key.open(b"elsewhere", &sealed), Err(BadSeal));
        assert_eq!(key.open(b"", &sealed), Err(BadSeal));
        for bytes in damaged(&sealed) {
            assert_eq!(key.open(b"where", &bytes), Err(BadSeal));
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = SealKey::from_secret(Secret::from_bytes([3; 32]));
        assert_eq!(format!("{key:?}"), "SealKey(..)");
    }
}
