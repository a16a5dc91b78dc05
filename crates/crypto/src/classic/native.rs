//! RSA by aws-lc-rs.
//!
//! Its memory is wiped by the library when freed. Leaves out which keys count; that is decided above.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use aws_lc_rs::signature::{
    KeyPair, ParsedPublicKey, RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaKeyPair, RsaParameters,
    RsaPssSaltLength, RsaSignatureEncoding,
};
use zeroize::Zeroizing;

use super::{BadClassicKey, ClassicError, Salt};

static VERIFY_DIGEST: RsaParameters = RSA_PSS_2048_8192_SHA256;
static VERIFY_LONGEST: RsaParameters =
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);
static SIGN_DIGEST: RsaSignatureEncoding = RSA_PSS_SHA256;
static SIGN_LONGEST: RsaSignatureEncoding =
    RSA_PSS_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);

/// Parsed once for each salt, for a guest's key verifies every one of its frames.
pub(super) struct Public {
    digest: ParsedPublicKey,
    longest: ParsedPublicKey,
}

impl Public {
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, BadClassicKey> {
        let parsed = |rule| ParsedPublicKey::new(rule, der).map_err(|_| BadClassicKey);
        Ok(Self { digest: parsed(&VERIFY_DIGEST)?, longest: parsed(&VERIFY_LONGEST)? })
    }

    pub(super) fn verify(
        &self,
        salt: Salt,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), ClassicError> {
        let key = match salt {
            Salt::Digest => &self.digest,
            Salt::Longest => &self.longest,
        };
        key.verify_sig(message, signature).map_err(|_| ClassicError::BadSignature)
    }

    #[expect(clippy::unused_self, reason = "the browser's has its key in itself")]
    pub(super) fn encrypt(
        &self,
        spki: &[u8],
        modulus_bytes: usize,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, ClassicError> {
        let key = PublicEncryptingKey::from_der(spki).map_err(|_| ClassicError::Unavailable)?;
        let key = OaepPublicEncryptingKey::new(key).map_err(|_| ClassicError::Unavailable)?;
        let mut ciphertext = vec![0; modulus_bytes];
        key.encrypt(&OAEP_SHA256_MGF1SHA256, plaintext, &mut ciphertext, None)
            .map_err(|_| ClassicError::Unavailable)?;
        Ok(ciphertext)
    }
}

pub(super) struct Private {
    signing: RsaKeyPair,
    opening: OaepPrivateDecryptingKey,
}

/// A new RSA-2048 key with e = 65,537, as PKCS #8.
pub(super) fn generate() -> Result<Zeroizing<Vec<u8>>, ClassicError> {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| ClassicError::Unavailable)?;
    pkcs8(&key).ok_or(ClassicError::Unavailable)
}

impl Private {
    /// The key, and the SPKI of its public half. The library lets bytes at the end pass; writing the key
    /// down again doesn't.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<(Self, Vec<u8>), BadClassicKey> {
        let signing = RsaKeyPair::from_pkcs8(der).map_err(|_| BadClassicKey)?;
        if pkcs8(&signing).is_none_or(|again| again.as_slice() != der) {
            return Err(BadClassicKey);
        }
        let opening = PrivateDecryptingKey::from_pkcs8(der).map_err(|_| BadClassicKey)?;
        let opening = OaepPrivateDecryptingKey::new(opening).map_err(|_| BadClassicKey)?;
        let spki: PublicKeyX509Der<'_> =
            signing.public_key().as_der().map_err(|_| BadClassicKey)?;
        let spki = spki.as_ref().to_vec();
        Ok((Self { signing, opening }, spki))
    }

    pub(super) fn sign(
        &self,
        salt: Salt,
        modulus_bytes: usize,
        message: &[u8],
    ) -> Result<Vec<u8>, ClassicError> {
        let encoding = match salt {
            Salt::Digest => &SIGN_DIGEST,
            Salt::Longest => &SIGN_LONGEST,
        };
        let mut signature = vec![0; modulus_bytes];
        self.signing
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| ClassicError::Unavailable)?;
        Ok(signature)
    }

    pub(super) fn decrypt(
        &self,
        modulus_bytes: usize,
        ciphertext: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, ClassicError> {
        let mut plaintext = Zeroizing::new(vec![0; modulus_bytes]);
        let length = self
            .opening
            .decrypt(&OAEP_SHA256_MGF1SHA256, ciphertext, &mut plaintext, None)
            .map_err(|_| ClassicError::BadCiphertext)?
            .len();
        plaintext.truncate(length);
        Ok(plaintext)
    }
}

fn pkcs8(key: &RsaKeyPair) -> Option<Zeroizing<Vec<u8>>> {
    let der: Pkcs8V1Der<'_> = key.as_der().ok()?;
    Some(Zeroizing::new(der.as_ref().to_vec()))
}
