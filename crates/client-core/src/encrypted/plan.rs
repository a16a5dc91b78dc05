//! What has to change in an encrypted conversation: what the person wants, and what brings it in line
//! with the signed device lists. A pure function of what is known; nothing here asks or sends.

use portcullis_mls::{GroupView, Roster, RosterKind};
use portcullis_proto::{AccountId, DeviceId, DeviceList, GroupName, Members, limits as wire};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the person wants changed, until the log shows that it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// To be made, by this device.
    pub(crate) create: bool,
    /// To become members.
    pub(crate) add: BTreeSet<AccountId>,
    /// To be taken out.
    pub(crate) remove: BTreeSet<AccountId>,
    /// To be called.
    pub(crate) name: Option<GroupName>,
    /// To own it.
    pub(crate) owner: Option<AccountId>,
    /// To be left.
    pub(crate) leave: bool,
    /// To have its keys renewed: the server has the public state of a commit that does not count, and
    /// devices that join by it would be lost.
    pub(crate) renew: bool,
}

/// What one commit changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Accounts whose devices are added.
    pub(crate) add: Vec<AccountId>,
    /// Leaves that are taken out.
    pub(crate) remove: Vec<DeviceId>,
    /// What the members agree on afterwards, if that changes.
    pub(crate) roster: Option<Roster>,
    /// What it says to the server.
    pub(crate) members: Members,
    /// Whether a person, or a device that this account has removed, waits for it.
    pub(crate) urgent: bool,
}

/// Why a plan can't be carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hindrance {
    /// More devices than a conversation may have.
    Full,
    /// Only the owner may.
    NotOwner,
}

impl Plan {
    /// Forgets what is true, and what no longer can be.
    pub(crate) fn settle(&mut self, roster: &Roster, me: AccountId) {
        let add = &self.add;
        let member =
            |account: &AccountId| roster.members.contains(account) || add.contains(account);
        self.owner.take_if(|owner| roster.owner == Some(*owner) || !member(owner));
        if self.create {
            return;
        }
        self.add.retain(|account| !roster.members.contains(account));
        self.remove.retain(|account| roster.members.contains(account));
        self.name.take_if(|name| roster.name.as_ref() == Some(name));
        self.leave &= roster.members.contains(&me) && !roster.leaving.contains(&me);
    }

    fn is_empty(&self) -> bool {
        *self == Self { create: self.create, ..Self::default() }
    }
}

/// What the next commit has to change; none if nothing.
///
/// # Errors
/// [`Hindrance`], where the plan is to be given up.
pub(crate) fn wanted<'a>(
    view: &GroupView,
    plan: &Plan,
    (me, device): (AccountId, DeviceId),
    list: impl Fn(AccountId) -> Option<&'a DeviceList>,
) -> Result<Option<Wanted>, Hindrance> {
    let before = &view.roster;
    let group = before.kind == RosterKind::Group;
    let owner = before.owner == Some(me);
    if group && !owner && (!plan.remove.is_empty() || plan.name.is_some() || plan.owner.is_some()) {
        return Err(Hindrance::NotOwner);
    }
    let mut roster = before.clone();
    let mut wanted = Wanted { urgent: !plan.is_empty() || plan.create, ..Wanted::default() };
    let mut room = wire::GROUP_DEVICES.saturating_sub(view.leaves.len());
    let mut space = wire::COMMIT_DEVICES;
    // Those who have left go first; whoever leaves now is taken out by others.
    roster.members.retain(|account| !before.leaving.contains(account));
    roster.leaving.clear();
    if group {
        roster.members.retain(|account| !plan.remove.contains(account));
        wanted.members.removed = plan.remove.iter().copied().collect();
        wanted.members.removed.retain(|account| before.members.contains(account));
        for account in plan.add.iter().filter(|account| !before.members.contains(account)) {
            let devices = list(*account).map_or(1, |list| list.devices.len());
            if devices > room || roster.members.len() >= wire::GROUP_DEVICES {
                return Err(Hindrance::Full);
            }
            if devices > space {
                break;
            }
            room -= devices;
            space -= devices;
            roster.members.push(*account);
            wanted.add.push(*account);
        }
        roster.name = plan.name.clone().or(roster.name);
        let named = plan.owner.filter(|owner| roster.members.contains(owner));
        roster.owner = named.or(roster.owner);
        // Whoever has just begun to make it leaves what was made.
        if plan.leave && !plan.create {
            roster.leaving.push(me);
            wanted.members.removed.push(me);
        }
        settle_owner(&mut roster);
        wanted.members.owner = roster.owner.filter(|owner| before.owner != Some(*owner));
        wanted.members.added.clone_from(&wanted.add);
    }
    if plan.create {
        // The maker's other devices, and the other one of a direct, who is a member from the start.
        wanted.add.push(me);
        let other = |account: &&AccountId| **account != me && before.members.contains(account);
        wanted.add.extend(plan.add.iter().filter(other));
    }
    let stays = |leaf: &portcullis_mls::Leaf| {
        let entry = list(leaf.account).and_then(|list| list.in_use(leaf.device));
        let listed = entry.is_some_and(|entry| entry.leaf == leaf.key);
        listed && roster.members.contains(&leaf.account)
    };
    // A committer can't take out the leaf that it commits with.
    let gone = view.leaves.iter().filter(|leaf| !stays(leaf) && leaf.device != device);
    wanted.remove = gone.clone().map(|leaf| leaf.device).collect();
    wanted.urgent |= gone.clone().any(|leaf| leaf.account == me);
    wanted.roster = (roster != *before).then_some(roster);
    let nothing =
        wanted.remove.is_empty() && wanted.roster.is_none() && !plan.create && !plan.renew;
    Ok((!nothing).then_some(wanted))
}

/// A group's owner is a member who stays; where the owner goes, the first who joined follows.
pub(crate) fn settle_owner(roster: &mut Roster) {
    let stays =
        |account: &AccountId| roster.members.contains(account) && !roster.leaving.contains(account);
    if !roster.owner.as_ref().is_some_and(stays) {
        roster.owner = roster.members.iter().find(|account| stays(account)).copied();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::encrypted::testing::{MIRA, NINA, OLEG, OWNER, Scene, leaf};
    use portcullis_mls::Leaf;

    /// The accounts that a commit adds, the leaves that it takes out, the members afterwards.
    type Expected<'a> = (&'a [AccountId], &'a [Leaf], &'a [AccountId]);

    /// What the next commit of a member's first device changes.
    fn check(
        scene: &Scene,
        me: AccountId,
        change: impl FnOnce(&mut Plan),
        expected: Result<Option<Expected<'_>>, Hindrance>,
    ) {
        let mut plan = Plan::default();
        change(&mut plan);
        let list = |account: AccountId| scene.lists.get(&account);
        let wanted = wanted(&scene.before, &plan, (me, leaf(me, 1).device), list);
        let wanted = wanted.map(|wanted| {
            wanted.map(|wanted| {
                let roster = wanted.roster.unwrap_or_else(|| scene.before.roster.clone());
                (wanted.add, wanted.remove, roster.members)
            })
        });
        let expected = expected.map(|expected| {
            expected.map(|(add, remove, members)| {
                let remove = remove.iter().map(|leaf| leaf.device).collect();
                (add.to_vec(), remove, members.to_vec())
            })
        });
        assert_eq!(wanted, expected);
    }

    #[test]
    fn a_plan_becomes_a_commit() {
        let scene = Scene::group();
        let all = [OWNER, MIRA, OLEG];
        check(&scene, MIRA, |_| (), Ok(None));
        let with_nina = [OWNER, MIRA, OLEG, NINA];
        let add = |plan: &mut Plan| plan.add = [NINA].into();
        check(&scene, MIRA, add, Ok(Some((&[NINA], &[], &with_nina))));
        check(&scene, MIRA, |plan| plan.add = [OLEG].into(), Ok(None));
        let remove = |plan: &mut Plan| plan.remove = [OLEG].into();
        check(&scene, MIRA, remove, Err(Hindrance::NotOwner));
        check(&scene, OWNER, remove, Ok(Some((&[], &[leaf(OLEG, 1)], &[OWNER, MIRA]))));
        // Whoever leaves stays until somebody else takes the leaf out.
        check(&scene, MIRA, |plan| plan.leave = true, Ok(Some((&[], &[], &all))));
        check(&scene, MIRA, |plan| plan.renew = true, Ok(Some((&[], &[], &all))));
    }

    #[test]
    fn devices_are_brought_in_line_with_the_lists() {
        let mut scene = Scene::group();
        scene.before.leaves.push(leaf(OLEG, 3)); // revoked
        let all = [OWNER, MIRA, OLEG];
        check(&scene, MIRA, |_| (), Ok(Some((&[], &[leaf(OLEG, 3)], &all))));
        scene.before.roster.leaving = vec![OLEG];
        let gone = [leaf(OLEG, 1), leaf(OLEG, 3)];
        check(&scene, MIRA, |_| (), Ok(Some((&[], &gone, &[OWNER, MIRA]))));
        let direct = Scene::direct();
        check(&direct, MIRA, |plan| plan.add = [NINA].into(), Ok(None));
    }

    #[test]
    fn a_group_has_so_many_devices_at_most() {
        let mut scene = Scene::group();
        let add = |plan: &mut Plan| plan.add = [NINA].into(); // with two devices
        let full = wire::GROUP_DEVICES - 2;
        while scene.before.leaves.len() < full {
            scene.before.leaves.push(leaf(MIRA, 1));
        }
        let with_nina = [OWNER, MIRA, OLEG, NINA];
        check(&scene, MIRA, add, Ok(Some((&[NINA], &[], &with_nina))));
        scene.before.leaves.push(leaf(MIRA, 1));
        check(&scene, MIRA, add, Err(Hindrance::Full));
    }

    #[test]
    fn the_first_who_joined_follows_the_owner() {
        let check = |leaving: &[AccountId], owner: Option<AccountId>, expected: AccountId| {
            let mut roster = Scene::group().before.roster;
            roster.leaving = leaving.to_vec();
            roster.owner = owner;
            settle_owner(&mut roster);
            assert_eq!(roster.owner, Some(expected));
        };
        check(&[], Some(OLEG), OLEG);
        check(&[OWNER], Some(OWNER), MIRA);
        check(&[OWNER, MIRA], Some(OWNER), OLEG);
        check(&[], Some(NINA), OWNER);
        check(&[], None, OWNER);
    }
}
