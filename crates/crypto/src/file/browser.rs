//! AES-256-GCM (NIST SP 800-38D) by the `aes-gcm` crate, where aws-lc-rs doesn't run.

use aes_gcm::aead::AeadInPlace as _;
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce, Tag};

use super::{BadChunk, TAG};

pub(super) struct Cipher(Aes256Gcm);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256Gcm::new(key.into()))
    }

    pub(super) fn seal(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        chunk: &mut [u8],
    ) -> Result<[u8; TAG], BadChunk> {
        let nonce = Nonce::from_slice(nonce);
        let tag = self.0.encrypt_in_place_detached(nonce, associated, chunk);
        tag.map(Into::into).map_err(|_| BadChunk)
    }

    pub(super) fn open<'a>(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], BadChunk> {
        let place = sealed.len().checked_sub(TAG).ok_or(BadChunk)?;
        let (chunk, tag) = sealed.split_at_mut(place);
        let (nonce, tag) = (Nonce::from_slice(nonce), Tag::from_slice(tag));
        let opened = self.0.decrypt_in_place_detached(nonce, associated, chunk, tag);
        opened.map(|()| chunk).map_err(|_| BadChunk)
    }
}
