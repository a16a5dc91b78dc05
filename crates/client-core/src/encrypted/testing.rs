//! A group and a direct for the tests of the defences.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Committed, Lists};
use portcullis_crypto::{AuthKey, LeafKey, Secret};
use portcullis_mls::{CommitView, GroupView, Leaf, Roster, RosterKind};
use portcullis_proto::{
    AccountId, DeviceEntry, DeviceId, DeviceList, DeviceName, GroupName, Timestamp,
};
use std::collections::BTreeMap;

pub(crate) const OWNER: AccountId = AccountId::from_bytes([1; 16]);
pub(crate) const MIRA: AccountId = AccountId::from_bytes([2; 16]);
pub(crate) const OLEG: AccountId = AccountId::from_bytes([3; 16]);
/// Has an account, and is no member.
pub(crate) const NINA: AccountId = AccountId::from_bytes([4; 16]);
/// Nobody whose lists are known.
pub(crate) const EVE: AccountId = AccountId::from_bytes([5; 16]);

/// A conversation and the signed lists that are known.
pub(crate) struct Scene {
    pub(crate) before: GroupView,
    pub(crate) lists: BTreeMap<AccountId, DeviceList>,
}

/// Device `number` of an account. The lists name 1 and 2 as in use and 3 as revoked, and no other.
pub(crate) fn leaf(account: AccountId, number: u8) -> Leaf {
    let mut id = *account.as_bytes();
    id[15] = number;
    let key = LeafKey::from_secret(&Secret::from_bytes(seed(account, number, 1))).public();
    Leaf { account, device: DeviceId::from_bytes(id), key }
}

fn seed(account: AccountId, number: u8, purpose: u8) -> [u8; 32] {
    let mut seed = [purpose; 32];
    seed[..16].copy_from_slice(account.as_bytes());
    seed[16] = number;
    seed
}

fn list(account: AccountId) -> DeviceList {
    let entry = |number| DeviceEntry {
        device: leaf(account, number).device,
        name: DeviceName::parse("laptop").unwrap(),
        auth: AuthKey::from_secret(&Secret::from_bytes(seed(account, number, 2))).public(),
        leaf: leaf(account, number).key,
        added_at: Timestamp(1),
    };
    DeviceList {
        account,
        version: 3,
        previous: DeviceList::origin(account),
        devices: vec![entry(1), entry(2)],
        revoked: vec![entry(3).revoke(Timestamp(2))],
    }
}

impl Scene {
    /// `+plan` of the owner, mira and oleg, with the first device of each.
    pub(crate) fn group() -> Self {
        let members = vec![OWNER, MIRA, OLEG];
        let name = Some(GroupName::parse("+plan").unwrap());
        Self::of(Roster {
            kind: RosterKind::Group,
            name,
            owner: Some(OWNER),
            members,
            leaving: Vec::new(),
        })
    }

    /// Mira and oleg.
    pub(crate) fn direct() -> Self {
        Self::of(Roster {
            kind: RosterKind::Direct,
            name: None,
            owner: None,
            members: vec![MIRA, OLEG],
            leaving: Vec::new(),
        })
    }

    fn of(roster: Roster) -> Self {
        let leaves = roster.members.iter().map(|account| leaf(*account, 1)).collect();
        let before = GroupView { epoch: 7, roster, leaves, authenticator: Vec::new() };
        let known = [OWNER, MIRA, OLEG, NINA];
        Self { before, lists: known.into_iter().map(|account| (account, list(account))).collect() }
    }

    /// A commit as the defences see it.
    pub(crate) fn committed<'a>(&'a self, commit: &'a CommitView) -> Committed<'a> {
        let envelope = (commit.committer.account, commit.committer.device);
        Committed { before: &self.before, commit, envelope }
    }
}

impl Lists for BTreeMap<AccountId, DeviceList> {
    fn list(&self, account: AccountId) -> Option<&DeviceList> {
        self.get(&account)
    }
}

/// Mira renews her keys, which everyone may.
pub(crate) fn commit(scene: &Scene) -> CommitView {
    CommitView {
        epoch: scene.before.epoch,
        committer: leaf(MIRA, 1),
        external: false,
        new_leaf: Some(leaf(MIRA, 1)),
        added: Vec::new(),
        removed: Vec::new(),
        foreign_proposals: 0,
        roster_before: scene.before.roster.clone(),
        roster_after: Some(scene.before.roster.clone()),
        context_kept: true,
        removes_self: false,
    }
}
