//! A member's leaf: one device of one account, and the key with which it signs.
//!
//! The credential is a basic one (RFC 9420, section 5.3) of 32 bytes: account id, then device id. It is
//! a claim, until the signed device list of the account names device and key.

use crate::error::MlsError;
use openmls::prelude::{BasicCredential, Credential, CredentialWithKey, LeafNode, Member};
use portcullis_crypto::LeafPublic;
use portcullis_proto::{AccountId, DeviceId};

/// What a leaf claims, and the key that signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaf {
    /// The account that the device is said to be of.
    pub account: AccountId,
    /// The device.
    pub device: DeviceId,
    /// The key with which the leaf signs.
    pub key: LeafPublic,
}

impl Leaf {
    /// # Errors
    /// [`MlsError::Malformed`] if the credential is not two ids, or the key no usable key.
    fn parse(credential: &Credential, key: &[u8]) -> Result<Self, MlsError> {
        let basic =
            BasicCredential::try_from(credential.clone()).map_err(|_| MlsError::Malformed)?;
        let ids: [u8; 32] = basic.identity().try_into().map_err(|_| MlsError::Malformed)?;
        let (ids, _) = ids.as_chunks::<16>();
        let [account, device] = ids else {
            return Err(MlsError::Malformed);
        };
        let key: [u8; 32] = key.try_into().map_err(|_| MlsError::Malformed)?;
        Ok(Self {
            account: AccountId::from_bytes(*account),
            device: DeviceId::from_bytes(*device),
            key: LeafPublic::from_bytes(key).map_err(|_| MlsError::Malformed)?,
        })
    }

    /// # Errors
    /// As for [`parse`](Self::parse).
    pub(crate) fn of_node(node: &LeafNode) -> Result<Self, MlsError> {
        Self::parse(node.credential(), node.signature_key().as_slice())
    }

    /// # Errors
    /// As for [`parse`](Self::parse).
    pub(crate) fn of_member(member: &Member) -> Result<Self, MlsError> {
        Self::parse(&member.credential, &member.signature_key)
    }

    pub(crate) fn credential(&self) -> CredentialWithKey {
        let ids = [self.account.as_bytes().as_slice(), self.device.as_bytes()].concat();
        CredentialWithKey {
            credential: BasicCredential::new(ids).into(),
            signature_key: self.key.as_bytes().as_slice().into(),
        }
    }
}

/// All leaves of a tree, from left to right.
///
/// # Errors
/// [`MlsError::Malformed`] if one of them can't be read.
pub(crate) fn all(members: impl Iterator<Item = Member>) -> Result<Vec<Leaf>, MlsError> {
    members.map(|member| Leaf::of_member(&member)).collect()
}
