//! Wrapping random keys under what comes from a password, and nothing but keys.
//!
//! The identity key lies on the server under a key from OPAQUE's export key: a new device has it after
//! login, the server has not. The store key lies on the disk under the stretched password. Leaves out
//! sealing of content, which those random keys do. Source of the derivation: HKDF, RFC 5869.

use std::fmt;

use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::{BadSeal, IdentityKey, Randomness, SealKey, Secret};

const IDENTITY_INFO: &[u8] = b"portcullis identity wrap v1";
const STORE_KEY_INFO: &[u8] = b"portcullis store key wrap v1";

/// The 64-byte export key of OPAQUE: the same after registration and each login, unknown to the server.
#[derive(Clone, PartialEq, Eq)]
pub struct ExportKey(Secret<64>);

impl ExportKey {
    /// An export key that was handed over by a performer of [`Job`](crate::Job)s elsewhere.
    #[must_use]
    pub fn from_secret(secret: Secret<64>) -> Self {
        Self(secret)
    }

    /// Its 64 bytes.
    #[must_use]
    pub fn secret(&self) -> &Secret<64> {
        &self.0
    }

    /// Wraps the identity key of `account` (its 16-byte id), for the server to keep.
    #[must_use]
    pub fn wrap_identity(
        &self,
        rng: &mut dyn Randomness,
        identity: &IdentityKey,
        account: &[u8; 16],
    ) -> WrappedIdentity {
        let key = derive(self.0.expose(), IDENTITY_INFO);
        WrappedIdentity(key.seal(rng, account, identity.secret().expose()))
    }

    /// Gives back the identity key of `account`.
    ///
    /// # Errors
    /// [`BadSeal`] if it was wrapped under another password or for another account, or changed.
    pub fn unwrap_identity(
        &self,
        wrapped: &WrappedIdentity,
        account: &[u8; 16],
    ) -> Result<IdentityKey, BadSeal> {
        let key = derive(self.0.expose(), IDENTITY_INFO);
        let secret = open_key(&key, account, &wrapped.0)?;
        Ok(IdentityKey::from_secret(&secret))
    }
}

impl fmt::Debug for ExportKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ExportKey(..)")
    }
}

/// A wrapped identity key: 72 bytes that only the account's password opens.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedIdentity(Vec<u8>);

impl WrappedIdentity {
    /// Its length in bytes: nonce, key, tag.
    pub const LENGTH: usize = 32 + SealKey::OVERHEAD;

    /// Takes the bytes as received.
    ///
    /// # Errors
    /// [`BadSeal`] for a wrong length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadSeal> {
        if bytes.len() == Self::LENGTH { Ok(Self(bytes.to_vec())) } else { Err(BadSeal) }
    }

    /// Its 72 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for WrappedIdentity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WrappedIdentity(..)")
    }
}

/// Wraps the key of the local store under the stretched password; 72 bytes for the disk.
#[must_use]
pub fn wrap_store_key(
    rng: &mut dyn Randomness,
    stretched: &Secret<32>,
    store_key: &SealKey,
) -> Vec<u8> {
    derive(stretched.expose(), STORE_KEY_INFO).seal(rng, &[], store_key.secret().expose())
}

/// Gives back the key of the local store.
///
/// # Errors
/// [`BadSeal`] for a wrong password, or changed bytes.
pub fn unwrap_store_key(stretched: &Secret<32>, wrapped: &[u8]) -> Result<SealKey, BadSeal> {
    let key = derive(stretched.expose(), STORE_KEY_INFO);
    open_key(&key, &[], wrapped).map(SealKey::from_secret)
}

fn open_key(key: &SealKey, associated: &[u8], wrapped: &[u8]) -> Result<Secret<32>, BadSeal> {
    Secret::from_slice(&key.open(associated, wrapped)?).ok_or(BadSeal)
}

fn derive(from: &[u8], info: &[u8]) -> SealKey {
    let mut key = Zeroizing::new([0; 32]);
    #[expect(clippy::expect_used, reason = "fails only for more than 255 blocks of output")]
    Hkdf::<Sha512>::new(None, from).expand(info, key.as_mut()).expect("32 bytes are half a block");
    SealKey::from_secret(Secret::from_bytes(*key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{Scripted, damaged, seeded, to_hex};

    const ACCOUNT: [u8; 16] = [5; 16];

    fn export(byte: u8) -> ExportKey {
        ExportKey::from_secret(Secret::from_bytes([byte; 64]))
    }

    /// Expected values: HKDF from Python's `hmac`, then libsodium.
    #[test]
    fn stored_bytes_do_not_drift() {
        let identity = IdentityKey::from_secret(&Secret::from_bytes([1; 32]));
        let nonce = || Scripted::new(&[&[9; 24]]);
        assert_eq!(
            to_hex(export(4).wrap_identity(&mut nonce(), &identity, &ACCOUNT).as_bytes()),
            "0909090909090909090909090909090909090909090909090c364ddcac0ddc2ee49950ef55725cd204db7e19\
             b5c4dd8f4df81176c2e7a418d1b1ce049404efffe3ce3a743ba7ed8d"
        );
        let store_key = SealKey::from_secret(Secret::from_bytes([3; 32]));
        assert_eq!(
            to_hex(&wrap_store_key(&mut nonce(), &Secret::from_bytes([4; 32]), &store_key)),
            "0909090909090909090909090909090909090909090909099ef34f1cda807da4d7c35e3ae5c62af958b8b3fa\
             174b4e61429ab673e685f575464aa3192eba275c90d2b0e33b51b691"
        );
    }

    #[test]
    fn an_identity_unwraps_for_its_password_and_account_only() {
        let mut rng = seeded(1);
        let identity = IdentityKey::generate(&mut rng);
        let wrapped = export(4).wrap_identity(&mut rng, &identity, &ACCOUNT);
        let check = |export: ExportKey, account: [u8; 16], good: bool| {
            let public = export.unwrap_identity(&wrapped, &account).map(|key| key.public());
            assert_eq!(public, if good { Ok(identity.public()) } else { Err(BadSeal) });
        };
        check(export(4), ACCOUNT, true);
        check(export(5), ACCOUNT, false);
        check(export(4), [6; 16], false);
    }

    #[test]
    fn damaged_wraps_do_not_open() {
        let mut rng = seeded(2);
        let identity = IdentityKey::generate(&mut rng);
        let wrapped = export(4).wrap_identity(&mut rng, &identity, &ACCOUNT);
        for bytes in damaged(wrapped.as_bytes()) {
            let opened = WrappedIdentity::from_bytes(&bytes)
                .and_then(|wrapped| export(4).unwrap_identity(&wrapped, &ACCOUNT));
            assert_eq!(opened.map(|key| key.public()), Err(BadSeal));
        }
        let (stretched, store_key) = (Secret::from_bytes([4; 32]), SealKey::generate(&mut rng));
        let wrapped = wrap_store_key(&mut rng, &stretched, &store_key);
        for bytes in damaged(&wrapped) {
            assert_eq!(unwrap_store_key(&stretched, &bytes), Err(BadSeal));
        }
    }

    #[test]
    fn a_store_key_unwraps_for_its_password_only() {
        let mut rng = seeded(3);
        let (stretched, store_key) = (Secret::random(&mut rng), SealKey::generate(&mut rng));
        let wrapped = wrap_store_key(&mut rng, &stretched, &store_key);
        assert_eq!(unwrap_store_key(&stretched, &wrapped), Ok(store_key));
        assert_eq!(unwrap_store_key(&Secret::random(&mut rng), &wrapped), Err(BadSeal));
    }

    #[test]
    fn wrapped_identities_have_one_length() {
        fn check(length: usize, good: bool) {
            assert_eq!(WrappedIdentity::from_bytes(&vec![0; length]).is_ok(), good, "{length}");
        }
        check(0, false);
        check(71, false);
        check(72, true);
        check(73, false);
    }

    #[test]
    fn debug_shows_no_secret() {
        assert_eq!(format!("{:?}", export(4)), "ExportKey(..)");
        let wrapped = WrappedIdentity::from_bytes(&[0; 72]);
        assert_eq!(format!("{wrapped:?}"), "Ok(WrappedIdentity(..))");
    }
}
