//! A member changes a conversation only as far as its rights go; a device comes by itself only where its
//! account is a member.
//!
//! Attack: a member takes others out, renames the group or makes itself the owner; somebody who was taken
//! out comes back by an external commit.
//! CWE-863, incorrect authorization.
//! Precedent: a critical finding of the Least Authority audit of the Marmot development kit (2025): commits
//! of members without rights were merged.

use crate::encrypted::{CommitRefused, Committed, Lists, settle_owner};
use portcullis_mls::{Leaf, Roster, RosterKind};
use portcullis_proto::AccountId;

/// Proof that a commit's maker may do what it does.
#[derive(Debug, Clone, Copy)]
pub struct MayCommit(());

impl MayCommit {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Compares what a commit does with its maker's rights.
///
/// # Errors
/// [`CommitRefused::Rights`], [`CommitRefused::Outsider`].
pub fn may_commit(
    committed: &Committed<'_>,
    lists: &dyn Lists,
) -> Result<MayCommit, CommitRefused> {
    let commit = committed.commit;
    let before = &committed.before.roster;
    let Some(after) = &commit.roster_after else {
        return Err(CommitRefused::Rights);
    };
    let maker = &commit.committer;
    let present = |account| before.members.contains(account) && !before.leaving.contains(account);
    if !present(&maker.account) {
        return Err(CommitRefused::Outsider);
    }
    if commit.external {
        return may_come(committed, after, lists);
    }
    if !committed.before.leaves.contains(maker) {
        return Err(CommitRefused::Outsider);
    }
    let allowed = may_agree(before, after, maker.account)
        && commit.removed.iter().all(|leaf| may_go(leaf, after, maker, lists));
    allowed.then_some(MayCommit(())).ok_or(CommitRefused::Rights)
}

/// A device that comes by itself brings nothing but itself, in the place of its own older leaf.
fn may_come(
    committed: &Committed<'_>,
    after: &Roster,
    lists: &dyn Lists,
) -> Result<MayCommit, CommitRefused> {
    let commit = committed.commit;
    let maker = &commit.committer;
    if !lists.names(maker) {
        return Err(CommitRefused::Outsider);
    }
    let own = |leaf: &Leaf| (leaf.account, leaf.device) == (maker.account, maker.device);
    let alone = commit.added.is_empty() && commit.removed.iter().all(own);
    if alone && *after == committed.before.roster {
        return Ok(MayCommit(()));
    }
    Err(CommitRefused::Rights)
}

/// Whether one member may change what all agree on in this way.
fn may_agree(before: &Roster, after: &Roster, maker: AccountId) -> bool {
    if before == after {
        return true;
    }
    if before.kind == RosterKind::Direct {
        return false;
    }
    let owner = before.owner == Some(maker);
    let stays = |account: &&AccountId| after.members.contains(account);
    let goes = |account: &AccountId| !after.members.contains(account);
    let removed = before.members.iter().filter(|account| goes(account));
    let may_remove = removed.clone().all(|account| owner || before.leaving.contains(account));
    // Those who stay keep their order, those who come follow them.
    let kept: Vec<&AccountId> = before.members.iter().filter(stays).collect();
    let in_order = after.members.iter().take(kept.len()).eq(kept.iter().copied());
    let leaves = |account: &&AccountId| !before.leaving.contains(account);
    let leaving = after.leaving.iter().filter(leaves).all(|account| *account == maker);
    let remembered = before.leaving.iter().all(|a| after.leaving.contains(a) || goes(a));
    let named = owner || after.name == before.name;
    named && may_remove && in_order && leaving && remembered && may_own(before, after, owner)
}

/// The owner names another; where the owner goes, the first who joined follows.
fn may_own(before: &Roster, after: &Roster, by_owner: bool) -> bool {
    let mut expected = after.clone();
    expected.owner = if by_owner { after.owner } else { before.owner };
    settle_owner(&mut expected);
    expected.owner == after.owner
}

/// Whether a leaf may be taken out: its account goes, its device is no longer in use, or it is the
/// maker's own account's.
fn may_go(leaf: &Leaf, after: &Roster, maker: &Leaf, lists: &dyn Lists) -> bool {
    !after.members.contains(&leaf.account) || leaf.account == maker.account || !lists.in_use(leaf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encrypted::testing::{MIRA, NINA, OLEG, OWNER, Scene, commit, leaf};
    use portcullis_mls::CommitView;
    use portcullis_proto::GroupName;

    /// What becomes of a commit that `maker` makes of an honest one.
    fn check_in(
        scene: &Scene,
        maker: &Leaf,
        change: impl FnOnce(&mut CommitView),
        expected: Option<CommitRefused>,
    ) {
        let mut commit = commit(scene);
        commit.committer = *maker;
        commit.new_leaf = Some(*maker);
        change(&mut commit);
        assert_eq!(may_commit(&scene.committed(&commit), &scene.lists).err(), expected);
    }

    fn check(maker: AccountId, change: fn(&mut CommitView), expected: Option<CommitRefused>) {
        check_in(&Scene::group(), &leaf(maker, 1), change, expected);
    }

    fn roster(commit: &mut CommitView, change: impl FnOnce(&mut Roster)) {
        if let Some(roster) = &mut commit.roster_after {
            change(roster);
        }
    }

    const RIGHTS: Option<CommitRefused> = Some(CommitRefused::Rights);
    const OUTSIDER: Option<CommitRefused> = Some(CommitRefused::Outsider);

    #[test]
    fn members_do_what_members_may() {
        check(OLEG, |_| (), None);
        check(OLEG, |commit| roster(commit, |roster| roster.members.push(NINA)), None);
        check(OLEG, |commit| roster(commit, |roster| roster.members.insert(0, NINA)), RIGHTS);
        check(OLEG, |commit| roster(commit, |roster| roster.members.swap(0, 1)), RIGHTS);
        check(OLEG, |commit| commit.removed = vec![leaf(OLEG, 2)], None);
        check(OLEG, |commit| commit.removed = vec![leaf(MIRA, 1)], RIGHTS);
        check(OLEG, |commit| roster(commit, |roster| roster.name = name("+other")), RIGHTS);
        check(OLEG, |commit| roster(commit, |roster| roster.owner = Some(OLEG)), RIGHTS);
        check(OLEG, |commit| roster(commit, |roster| roster.leaving.push(OLEG)), None);
        check(OLEG, |commit| roster(commit, |roster| roster.leaving.push(MIRA)), RIGHTS);
        check(OLEG, |commit| take_out(commit, MIRA), RIGHTS);
        check(OLEG, |commit| take_out(commit, OWNER), RIGHTS);
        check(NINA, |_| (), OUTSIDER);
    }

    #[test]
    fn the_owner_may_more() {
        check(OWNER, |commit| take_out(commit, MIRA), None);
        check(OWNER, |commit| roster(commit, |roster| roster.name = name("+other")), None);
        check(OWNER, |commit| roster(commit, |roster| roster.owner = Some(OLEG)), None);
        check(OWNER, |commit| roster(commit, |roster| roster.owner = Some(NINA)), RIGHTS);
        check(OWNER, |commit| commit.removed = vec![leaf(MIRA, 1)], RIGHTS);
        let leave = |commit: &mut CommitView| {
            roster(commit, |roster| {
                roster.leaving.push(OWNER);
                settle_owner(roster);
            });
        };
        check(OWNER, leave, None);
        check(OWNER, |commit| roster(commit, |roster| roster.leaving.push(OWNER)), RIGHTS);
    }

    #[test]
    fn whoever_has_left_is_taken_out_by_anyone_and_does_nothing_more() {
        let mut scene = Scene::group();
        scene.before.roster.leaving = vec![MIRA];
        check_in(&scene, &leaf(OLEG, 1), |commit| take_out(commit, MIRA), None);
        check_in(&scene, &leaf(OLEG, 1), |_| (), None);
        let forget = |commit: &mut CommitView| roster(commit, |roster| roster.leaving.clear());
        check_in(&scene, &leaf(OLEG, 1), forget, RIGHTS);
        check_in(&scene, &leaf(MIRA, 1), |_| (), OUTSIDER);
    }

    #[test]
    fn revoked_devices_go() {
        let mut scene = Scene::group();
        scene.before.leaves.push(leaf(OLEG, 3));
        let remove = |commit: &mut CommitView| commit.removed = vec![leaf(OLEG, 3)];
        check_in(&scene, &leaf(MIRA, 1), remove, None);
    }

    #[test]
    fn devices_come_by_themselves_only_where_their_account_is_a_member() {
        let scene = Scene::group();
        let come = |leaf: Leaf, change: fn(&mut CommitView), expected| {
            let external = |commit: &mut CommitView| {
                commit.external = true;
                change(commit);
            };
            check_in(&scene, &leaf, external, expected);
        };
        come(leaf(OLEG, 2), |_| (), None);
        come(leaf(OLEG, 1), |commit| commit.removed = vec![leaf(OLEG, 1)], None);
        come(leaf(OLEG, 2), |commit| commit.removed = vec![leaf(MIRA, 1)], RIGHTS);
        come(leaf(OLEG, 2), |commit| commit.added = vec![leaf(OLEG, 2)], RIGHTS);
        come(leaf(OLEG, 2), |commit| roster(commit, |r| r.members.push(NINA)), RIGHTS);
        come(leaf(OLEG, 9), |_| (), OUTSIDER);
        come(leaf(NINA, 1), |_| (), OUTSIDER);
        let mut gone = Scene::group();
        gone.before.roster.leaving = vec![OLEG];
        check_in(&gone, &leaf(OLEG, 2), |commit| commit.external = true, OUTSIDER);
    }

    #[test]
    fn a_direct_stays_as_it_is() {
        let scene = Scene::direct();
        check_in(&scene, &leaf(MIRA, 1), |_| (), None);
        check_in(&scene, &leaf(MIRA, 1), |commit| take_out(commit, OLEG), RIGHTS);
        let add = |commit: &mut CommitView| roster(commit, |roster| roster.members.push(NINA));
        check_in(&scene, &leaf(MIRA, 1), add, RIGHTS);
    }

    fn name(text: &str) -> Option<GroupName> {
        GroupName::parse(text).ok()
    }

    /// Takes an account out: its leaves and its place among the members.
    fn take_out(commit: &mut CommitView, account: AccountId) {
        commit.removed = vec![leaf(account, 1)];
        roster(commit, |roster| {
            roster.members.retain(|member| *member != account);
            roster.leaving.retain(|member| *member != account);
            settle_owner(roster);
        });
    }
}
