//! What a commit has changed, for people to read.

use crate::message::Notice;
use portcullis_mls::GroupView;
use portcullis_proto::{AccountId, DeviceId, UserName};
use std::collections::BTreeSet;

/// The changes between two epochs, apart from keys. `first` says that the commit made the conversation,
/// `external` that a device has come by itself.
pub(crate) fn notices(
    committer: AccountId,
    (before, after): (&GroupView, &GroupView),
    (external, first): (bool, bool),
    name: impl Fn(AccountId) -> UserName,
) -> Vec<Notice> {
    let names = |accounts: &[AccountId]| accounts.iter().map(|account| name(*account)).collect();
    let (was, is) = (&before.roster, &after.roster);
    if first {
        let others: Vec<_> = is.members.iter().copied().filter(|a| *a != committer).collect();
        return vec![Notice::Created(names(&others))];
    }
    let mut told = Vec::new();
    let new = |account: &&AccountId| !was.members.contains(account);
    let added: Vec<AccountId> = is.members.iter().filter(new).copied().collect();
    let gone =
        |account: &&AccountId| !is.members.contains(account) && !was.leaving.contains(account);
    let removed: Vec<AccountId> = was.members.iter().filter(gone).copied().collect();
    if is.leaving.contains(&committer) && !was.leaving.contains(&committer) {
        told.push(Notice::Left);
    }
    if !added.is_empty() {
        told.push(Notice::Added(names(&added)));
    }
    if !removed.is_empty() {
        told.push(Notice::Removed(names(&removed)));
    }
    if let Some(name) = is.name.as_ref().filter(|name| was.name.as_ref() != Some(name)) {
        told.push(Notice::Renamed(name.clone()));
    }
    if let Some(owner) = is.owner.filter(|owner| was.owner != Some(*owner)) {
        told.push(Notice::Owner(name(owner)));
    }
    if external {
        told.push(Notice::DeviceJoined);
        return told;
    }
    let stayed =
        |account: &AccountId| was.members.contains(account) && is.members.contains(account);
    let devices_added = devices_between(before, after, stayed);
    if !devices_added.is_empty() {
        told.push(Notice::DevicesAdded(names(&devices_added)));
    }
    let devices_removed = devices_between(after, before, stayed);
    if !devices_removed.is_empty() {
        told.push(Notice::DevicesRemoved(names(&devices_removed)));
    }
    told
}

/// Accounts that have a device in the second view which is not in the first.
fn devices_between(
    one: &GroupView,
    other: &GroupView,
    counts: impl Fn(&AccountId) -> bool,
) -> Vec<AccountId> {
    let there: BTreeSet<DeviceId> = one.leaves.iter().map(|leaf| leaf.device).collect();
    let new = other.leaves.iter().filter(|leaf| !there.contains(&leaf.device));
    let accounts: BTreeSet<AccountId> =
        new.map(|leaf| leaf.account).filter(|account| counts(account)).collect();
    accounts.into_iter().collect()
}
