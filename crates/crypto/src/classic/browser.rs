//! RSA in a browser, by the `rsa` crate: public keys alone.
//!
//! That crate's private operations tell the key by their timing (RUSTSEC-2023-0071), so a private key has
//! no value here; one may come from the browser's own `WebCrypto`.

use std::convert::Infallible;

#[expect(clippy::disallowed_types, reason = "as the native library draws its own")]
use rand_core::OsRng;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{Oaep, Pss, RsaPublicKey};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{BadClassicKey, ClassicError, DIGEST, Salt, sha256};

pub(super) struct Public(RsaPublicKey);

impl Public {
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, BadClassicKey> {
        RsaPublicKey::from_public_key_der(der).map(Self).map_err(|_| BadClassicKey)
    }

    pub(super) fn verify(
        &self,
        salt: Salt,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ClassicError> {
        // RFC 8017, section 9.1.1: the encoded message has the modulus's bits less one.
        let encoded = self.0.n().bits().saturating_sub(1).div_ceil(8);
        let length = match salt {
            Salt::Digest => DIGEST,
            Salt::Longest => encoded.saturating_sub(DIGEST + 2),
        };
        let scheme = Pss::new_with_salt::<Sha256>(length);
        self.0
            .verify(scheme, &sha256(&[message]), signature)
            .map_err(|_| ClassicError::BadSignature)
    }

    pub(super) fn encrypt(
        &self,
        _spki: &[u8],
        _modulus_bytes: usize,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ClassicError> {
        self.0
            .encrypt(&mut OsRng, Oaep::new::<Sha256>(), plaintext)
            .map_err(|_| ClassicError::Unavailable)
    }
}

/// There is none.
pub(super) struct Private(Infallible);

pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, ClassicError> {
    Err(ClassicError::Unavailable)
}

impl Private {
    pub(super) fn from_pkcs8(_der: &[u8]) -> Result<(Self, Vec<u8>), BadClassicKey> {
        Err(BadClassicKey)
    }

    pub(super) fn sign(
        &self,
        _salt: Salt,
        _modulus_bytes: usize,
        _message: &[u8],
    ) -> Result<Vec<u8>, ClassicError> {
        match self.0 {}
    }

    pub(super) fn decrypt(
        &self,
        _modulus_bytes: usize,
        _ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ClassicError> {
        match self.0 {}
    }
}
