//! A device list counts only if the account's pinned identity key signed it and it follows the version
//! that this client has seen.
//!
//! Attack: the server invents a device for a contact, brings a revoked one back, or serves an older list
//! so that a revocation goes unnoticed.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: CVE-2022-39250 (Matrix SDKs: devices accepted that the identity never signed).

use portcullis_crypto::IdentityPublic;
use portcullis_proto::{AccountId, BadList, ListRecord, SignedList};

/// Proof that a list was verified against the identity and the version before.
#[derive(Debug, Clone)]
pub struct ListTaken {
    list: ListRecord,
}

impl ListTaken {
    /// The list.
    #[must_use]
    pub const fn list(&self) -> &ListRecord {
        &self.list
    }

    /// The list, to keep.
    #[must_use]
    pub fn into_list(self) -> ListRecord {
        self.list
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(list: ListRecord) -> Self {
        Self { list }
    }
}

/// Verifies a list; the first one that is seen has to be version 1.
///
/// # Errors
/// [`BadList`], with the reason.
pub fn accept_list(
    account: AccountId,
    identity: &IdentityPublic,
    known: Option<&ListRecord>,
    signed: &SignedList,
) -> Result<ListTaken, BadList> {
    let list = signed.open(account, identity)?;
    match known {
        None if list.list().version != 1 => return Err(BadList::Skips),
        None => {}
        Some(known) => drop(known.followed_by(&list)?),
    }
    Ok(ListTaken { list })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::client::tests::rng;
    use portcullis_crypto::{AuthKey, Hash, IdentityKey, LeafKey};
    use portcullis_proto::{DeviceEntry, DeviceId, DeviceList, DeviceName, Timestamp};

    const ALICE: AccountId = AccountId::from_bytes([1; 16]);

    fn identity() -> IdentityKey {
        IdentityKey::generate(&mut rng(1))
    }

    fn entry(number: u8) -> DeviceEntry {
        DeviceEntry {
            device: DeviceId::from_bytes([number; 16]),
            name: DeviceName::parse("laptop").unwrap(),
            auth: AuthKey::generate(&mut rng(u64::from(number) + 50)).public(),
            leaf: LeafKey::generate(&mut rng(u64::from(number) + 90)).public(),
            added_at: Timestamp(1),
        }
    }

    fn first() -> DeviceList {
        crate::devices::first_list(ALICE, entry(1))
    }

    fn opened(list: &DeviceList) -> ListRecord {
        list.sign(&identity()).open(ALICE, &identity().public()).unwrap()
    }

    /// What becomes of a list that a server shows to a client that knows `known`.
    fn check(
        known: Option<&DeviceList>,
        shown: &DeviceList,
        signer: &IdentityKey,
        expected: Option<BadList>,
    ) {
        let known = known.map(opened);
        let signed = shown.sign(signer);
        let taken = accept_list(ALICE, &identity().public(), known.as_ref(), &signed);
        assert_eq!(taken.err(), expected);
    }

    #[test]
    fn only_a_signed_successor_counts() {
        let (me, operator) = (identity(), IdentityKey::generate(&mut rng(2)));
        let second =
            crate::devices::next_list(&opened(&first()), Some(entry(2)), None, Timestamp(2));
        let third =
            crate::devices::next_list(&opened(&second), None, Some(entry(2).device), Timestamp(3));
        let mut forked = second.clone();
        forked.previous = Hash::from_bytes([9; 32]);
        let mut back = crate::devices::next_list(&opened(&third), None, None, Timestamp(4));
        back.revoked.clear();
        back.devices.push(entry(2));
        check(None, &first(), &me, None);
        check(Some(&first()), &second, &me, None);
        check(Some(&second), &third, &me, None);
        check(None, &second, &me, Some(BadList::Skips));
        check(Some(&first()), &third, &me, Some(BadList::Skips));
        check(Some(&second), &first(), &me, Some(BadList::Older));
        check(Some(&first()), &forked, &me, Some(BadList::BrokenChain));
        check(Some(&third), &back, &me, Some(BadList::Changed));
        check(Some(&first()), &second, &operator, Some(BadList::Signature));
        check(None, &first(), &operator, Some(BadList::Signature));
    }
}
