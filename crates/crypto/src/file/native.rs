//! AES-256-GCM (NIST SP 800-38D) by aws-lc-rs, where there is machine code.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::{BadChunk, TAG};

pub(super) struct Cipher(LessSafeKey);

impl Cipher {
    pub(super) fn new(key: &[u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "fails only for a key of another length")]
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes");
        Self(LessSafeKey::new(key))
    }

    pub(super) fn seal(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        chunk: &mut [u8],
    ) -> Result<[u8; TAG], BadChunk> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(associated), chunk);
        tag.ok().and_then(|tag| tag.as_ref().try_into().ok()).ok_or(BadChunk)
    }

    pub(super) fn open<'a>(
        &self,
        nonce: &[u8; 12],
        associated: &[u8],
        sealed: &'a mut [u8],
    ) -> Result<&'a mut [u8], BadChunk> {
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_in_place(nonce, Aad::from(associated), sealed).map_err(|_| BadChunk)
    }
}
