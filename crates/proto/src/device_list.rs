//! An account's devices, versioned: each version is signed by the account's identity key and names
//! the hash of the one before, so that no server can add a device or bring an old version back
//! unnoticed.

use crate::bytes::fixed;
use crate::{AccountId, Bytes, DeviceId, DeviceName, Timestamp, limits};
use portcullis_crypto::{
    AuthPublic, Hash, IdentityKey, IdentityPublic, LeafPublic, Purpose, Signature,
};
use serde::{Deserialize, Serialize};

/// One version of an account's devices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceList {
    /// Whose devices these are.
    pub account: AccountId,
    /// 1, 2, 3 …
    pub version: u64,
    /// The hash of the version before; for version 1 the hash of nothing, [`DeviceList::origin`].
    #[serde(with = "fixed")]
    pub previous: Hash,
    /// The devices in use.
    pub devices: Vec<DeviceEntry>,
    /// Devices that were taken out: what they said before still verifies.
    #[serde(default)]
    pub revoked: Vec<RevokedEntry>,
}

/// A device in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceEntry {
    /// Its id.
    pub device: DeviceId,
    /// What its owner calls it.
    pub name: DeviceName,
    /// The key that signs its sessions and its channel messages, and nothing else.
    #[serde(with = "fixed")]
    pub auth: AuthPublic,
    /// The key of its leaves in encrypted conversations, and of nothing else.
    #[serde(with = "fixed")]
    pub leaf: LeafPublic,
    /// When it was added, by its own clock.
    pub added_at: Timestamp,
}

/// A device that was taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevokedEntry {
    /// Its id.
    pub device: DeviceId,
    /// Its key, for what it said before.
    #[serde(with = "fixed")]
    pub auth: AuthPublic,
    /// The key of its leaves, for what it did before.
    #[serde(with = "fixed")]
    pub leaf: LeafPublic,
    /// When it was taken out, by the clock of the device that did it.
    pub revoked_at: Timestamp,
}

/// The public keys of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceKeys {
    /// Signs its sessions and its channel messages.
    pub auth: AuthPublic,
    /// Signs its leaves in encrypted conversations.
    pub leaf: LeafPublic,
}

/// A device list as it travels and is stored: the signed bytes and the signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedList {
    /// The JSON of a [`DeviceList`], exactly as it was signed.
    pub list: Bytes,
    /// Of the identity key, over those bytes.
    #[serde(with = "fixed")]
    pub signature: Signature,
}

/// A list whose signature was verified: what [`SignedList::open`] gives, and nothing else can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListRecord {
    list: DeviceList,
    hash: Hash,
}

/// How a verified list follows another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// It is the next version, and names the hash of the one before.
    Next,
    /// It is the very same version.
    Same,
}

/// Why a device list is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadList {
    /// Not the JSON of a device list, or beyond a limit.
    Malformed,
    /// Not signed by this identity key.
    Signature,
    /// Of another account.
    Account,
    /// The same device or key stands in it twice, or in use and revoked at once.
    Repeated,
    /// Its version is lower than one that was seen.
    Older,
    /// It is not the next version, so versions are missing in between.
    Skips,
    /// It names another predecessor than the version that was seen.
    BrokenChain,
    /// It brings a revoked device back, gives a device another key, or forgets one.
    Changed,
}

impl core::fmt::Display for BadList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the device list can't be read",
            Self::Signature => "the device list is not signed by the account's identity key",
            Self::Account => "the device list is of another account",
            Self::Repeated => "the device list names a device or key twice",
            Self::Older => "the device list is older than one that was seen",
            Self::Skips => "versions of the device list are missing",
            Self::BrokenChain => "the device list does not follow the one that was seen",
            Self::Changed => "the device list changes or forgets a device that it must keep",
        })
    }
}

impl core::error::Error for BadList {}

impl DeviceList {
    /// What version 1 names as its predecessor.
    #[must_use]
    pub fn origin(account: AccountId) -> Hash {
        portcullis_crypto::hash("portcullis 2026 device list origin", &[account.as_bytes()])
    }

    /// Signs this version.
    #[must_use]
    pub fn sign(&self, key: &IdentityKey) -> SignedList {
        // Writing these types to memory can't fail: no map keys, no IO.
        let list = serde_json::to_vec(self).unwrap_or_default();
        let signature = key.sign(Purpose::DeviceList, &list);
        SignedList { list: Bytes(list), signature }
    }

    fn within_limits(&self) -> bool {
        (1..=limits::DEVICES).contains(&self.devices.len())
            && self.revoked.len() <= limits::REVOKED_DEVICES
            && self.version >= 1
    }

    fn names_none_twice(&self) -> bool {
        let mut ids: Vec<_> = self.keys().map(|(device, _)| device).collect();
        let both = |(_, keys): (_, DeviceKeys)| [*keys.auth.as_bytes(), *keys.leaf.as_bytes()];
        let mut keys: Vec<_> = self.keys().flat_map(both).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        keys.sort_unstable();
        keys.dedup();
        ids.len() == count && keys.len() == 2 * count
    }

    /// Every device that ever was, in use or revoked, with its keys.
    pub fn keys(&self) -> impl Iterator<Item = (DeviceId, DeviceKeys)> + '_ {
        let used = self.devices.iter().map(|entry| (entry.device, entry.keys()));
        used.chain(self.revoked.iter().map(|entry| (entry.device, entry.keys())))
    }

    /// The keys of a device that is or was in the list.
    #[must_use]
    pub fn keys_of(&self, device: DeviceId) -> Option<DeviceKeys> {
        self.keys().find(|(id, _)| *id == device).map(|(_, keys)| keys)
    }

    /// The entry of a device in use.
    #[must_use]
    pub fn in_use(&self, device: DeviceId) -> Option<&DeviceEntry> {
        self.devices.iter().find(|entry| entry.device == device)
    }
}

impl DeviceEntry {
    /// Its keys.
    #[must_use]
    pub const fn keys(&self) -> DeviceKeys {
        DeviceKeys { auth: self.auth, leaf: self.leaf }
    }

    /// What is left of it once it is taken out.
    #[must_use]
    pub fn revoke(self, revoked_at: Timestamp) -> RevokedEntry {
        RevokedEntry { device: self.device, auth: self.auth, leaf: self.leaf, revoked_at }
    }
}

impl RevokedEntry {
    /// Its keys.
    #[must_use]
    pub const fn keys(&self) -> DeviceKeys {
        DeviceKeys { auth: self.auth, leaf: self.leaf }
    }
}

impl SignedList {
    /// The list, if `identity` signed it for `account`. There is no way to a [`ListRecord`] around this.
    ///
    /// # Errors
    /// [`BadList::Malformed`], [`BadList::Signature`], [`BadList::Account`], [`BadList::Repeated`].
    pub fn open(
        &self,
        account: AccountId,
        identity: &IdentityPublic,
    ) -> Result<ListRecord, BadList> {
        let bytes = self.list.as_slice();
        if bytes.len() > limits::DEVICE_LIST_BYTES {
            return Err(BadList::Malformed);
        }
        identity
            .verify(Purpose::DeviceList, bytes, &self.signature)
            .map_err(|_| BadList::Signature)?;
        let list: DeviceList = serde_json::from_slice(bytes).map_err(|_| BadList::Malformed)?;
        if list.account != account {
            return Err(BadList::Account);
        }
        if !list.within_limits() {
            return Err(BadList::Malformed);
        }
        if !list.names_none_twice() {
            return Err(BadList::Repeated);
        }
        if list.version == 1 && list.previous != DeviceList::origin(account) {
            return Err(BadList::BrokenChain);
        }
        let hash = portcullis_crypto::hash("portcullis 2026 device list", &[bytes]);
        Ok(ListRecord { list, hash })
    }
}

impl ListRecord {
    /// The list.
    #[must_use]
    pub const fn list(&self) -> &DeviceList {
        &self.list
    }

    /// What the next version has to name as its predecessor.
    #[must_use]
    pub const fn hash(&self) -> Hash {
        self.hash
    }

    /// Whether `later` may follow this list.
    ///
    /// # Errors
    /// [`BadList::Older`], [`BadList::Skips`], [`BadList::BrokenChain`], [`BadList::Changed`].
    pub fn followed_by(&self, later: &Self) -> Result<Successor, BadList> {
        let (seen, next) = (self.list.version, later.list.version);
        if next < seen {
            return Err(BadList::Older);
        }
        if next == seen {
            let same = self.hash == later.hash;
            return same.then_some(Successor::Same).ok_or(BadList::BrokenChain);
        }
        if next != seen + 1 {
            return Err(BadList::Skips);
        }
        if later.list.previous != self.hash {
            return Err(BadList::BrokenChain);
        }
        let kept = self.list.keys().all(|(id, keys)| later.list.keys_of(id) == Some(keys));
        let back = |gone: &RevokedEntry| later.list.in_use(gone.device).is_some();
        if !kept || self.list.revoked.iter().any(back) {
            return Err(BadList::Changed);
        }
        Ok(Successor::Next)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_crypto::{AuthKey, LeafKey};

    const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);

    fn entry(number: u8) -> DeviceEntry {
        let mut rng = crate::request::tests::rng(u64::from(number));
        DeviceEntry {
            device: DeviceId::from_bytes([number; 16]),
            name: DeviceName::parse("laptop").unwrap(),
            auth: AuthKey::generate(&mut rng).public(),
            leaf: LeafKey::generate(&mut rng).public(),
            added_at: Timestamp(5),
        }
    }

    fn revoked(number: u8) -> RevokedEntry {
        entry(number).revoke(Timestamp(9))
    }

    fn first(devices: &[u8]) -> DeviceList {
        DeviceList {
            account: ACCOUNT,
            version: 1,
            previous: DeviceList::origin(ACCOUNT),
            devices: devices.iter().copied().map(entry).collect(),
            revoked: vec![],
        }
    }

    fn identity() -> IdentityKey {
        IdentityKey::generate(&mut crate::request::tests::rng(99))
    }

    fn open(list: &DeviceList) -> Result<ListRecord, BadList> {
        list.sign(&identity()).open(ACCOUNT, &identity().public())
    }

    fn check_open(change: impl FnOnce(&mut DeviceList), expected: Result<(), BadList>) {
        let mut list = first(&[1, 2]);
        change(&mut list);
        assert_eq!(open(&list).map(|_| ()), expected);
    }

    #[test]
    fn what_a_single_list_must_be() {
        check_open(|_| (), Ok(()));
        check_open(|list| list.account = AccountId::from_bytes([2; 16]), Err(BadList::Account));
        check_open(|list| list.devices.clear(), Err(BadList::Malformed));
        check_open(|list| list.devices = (0..17).map(entry).collect(), Err(BadList::Malformed));
        check_open(|list| list.devices.push(entry(1)), Err(BadList::Repeated));
        check_open(|list| list.revoked.push(revoked(1)), Err(BadList::Repeated));
        check_open(|list| list.devices[1].auth = list.devices[0].auth, Err(BadList::Repeated));
        check_open(|list| list.devices[1].leaf = list.devices[0].leaf, Err(BadList::Repeated));
        check_open(
            |list| {
                let auth = list.devices[0].auth;
                list.devices[1].leaf = LeafPublic::from_bytes(*auth.as_bytes()).unwrap();
            },
            Err(BadList::Repeated),
        );
        check_open(|list| list.previous = Hash::from_bytes([0; 32]), Err(BadList::BrokenChain));
        check_open(|list| list.version = 0, Err(BadList::Malformed));
    }

    #[test]
    fn another_key_or_other_bytes_are_refused() {
        let mut signed = first(&[1]).sign(&identity());
        let other = IdentityKey::generate(&mut crate::request::tests::rng(98));
        assert_eq!(signed.open(ACCOUNT, &other.public()), Err(BadList::Signature));
        signed.list.0[20] ^= 1;
        assert_eq!(signed.open(ACCOUNT, &identity().public()), Err(BadList::Signature));
    }

    fn check_next(change: impl FnOnce(&mut DeviceList), expected: Result<Successor, BadList>) {
        let mut before = first(&[1, 2]);
        before.revoked.push(revoked(3));
        let before = open(&before).unwrap();
        let mut next = before.list().clone();
        next.version = 2;
        next.previous = before.hash();
        change(&mut next);
        assert_eq!(before.followed_by(&open(&next).unwrap()), expected);
    }

    #[test]
    fn what_may_follow() {
        check_next(|_| (), Ok(Successor::Next));
        check_next(|list| list.devices.push(entry(4)), Ok(Successor::Next));
        check_next(
            |list| {
                list.devices.pop();
                list.revoked.push(revoked(2));
            },
            Ok(Successor::Next),
        );
        check_next(|list| list.version = 3, Err(BadList::Skips));
        check_next(|list| list.previous = Hash::from_bytes([0; 32]), Err(BadList::BrokenChain));
        check_next(|list| drop(list.devices.pop()), Err(BadList::Changed));
        check_next(|list| list.devices[1].auth = entry(7).auth, Err(BadList::Changed));
        check_next(|list| list.devices[1].leaf = entry(7).leaf, Err(BadList::Changed));
        check_next(|list| list.revoked[0].leaf = entry(7).leaf, Err(BadList::Changed));
        check_next(
            |list| {
                list.revoked.clear();
                list.devices.push(entry(3));
            },
            Err(BadList::Changed),
        );
    }

    #[test]
    fn an_older_or_another_same_version_is_refused() {
        let one = open(&first(&[1])).unwrap();
        let mut second = first(&[1, 2]);
        second.version = 2;
        second.previous = one.hash();
        let two = open(&second).unwrap();
        assert_eq!(two.followed_by(&one), Err(BadList::Older));
        assert_eq!(one.followed_by(&one), Ok(Successor::Same));
        let other = open(&first(&[5])).unwrap();
        assert_eq!(one.followed_by(&other), Err(BadList::BrokenChain));
    }
}
