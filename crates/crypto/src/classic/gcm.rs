//! AES-128-GCM (NIST SP 800-38D) as classroom clients use it: a fresh key for every message, an
//! initialisation vector of 16 bytes, or of 12, no associated data, the tag at the end.
//!
//! By `aes-gcm`, for aws-lc-rs takes 12 bytes only. A vector of 16 bytes is hashed into a counter block, so
//! the same bytes never mean the same under both lengths. Leaves out where key and vector come from.

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{Aead, Nonce};
use aes_gcm::aes::Aes128;
use aes_gcm::{AesGcm, KeyInit};
use zeroize::Zeroizing;

use super::ClassicError;

/// Seals `plaintext` under a key that seals nothing else. Gives the ciphertext and the 16-byte tag.
///
/// # Errors
/// [`ClassicError::BadIv`] if `iv` has other than 12 or 16 bytes; [`ClassicError::TooLong`] beyond 64 GiB.
pub fn classic_seal(key: &[u8; 16], iv: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, ClassicError> {
    match iv.len() {
        12 => Cipher12::new(key.into()).encrypt(Nonce::<Cipher12>::from_slice(iv), plaintext),
        16 => Cipher16::new(key.into()).encrypt(Nonce::<Cipher16>::from_slice(iv), plaintext),
        _ => return Err(ClassicError::BadIv),
    }
    .map_err(|_| ClassicError::TooLong)
}

/// Opens what [`classic_seal`] gave.
///
/// # Errors
/// [`ClassicError::BadIv`] if `iv` has other than 12 or 16 bytes; [`ClassicError::BadCiphertext`] for
/// another key or `iv`, or if anything was changed.
pub fn classic_open(
    key: &[u8; 16],
    iv: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, ClassicError> {
    match iv.len() {
        12 => Cipher12::new(key.into()).decrypt(Nonce::<Cipher12>::from_slice(iv), sealed),
        16 => Cipher16::new(key.into()).decrypt(Nonce::<Cipher16>::from_slice(iv), sealed),
        _ => return Err(ClassicError::BadIv),
    }
    .map(Zeroizing::new)
    .map_err(|_| ClassicError::BadCiphertext)
}

type Cipher12 = AesGcm<Aes128, U12>;
type Cipher16 = AesGcm<Aes128, U16>;
