//! Devices are added only as their accounts' signed device lists name them, and only members' devices.
//!
//! Attack: the server, or a member with it, adds a listener to a conversation: a device that it made up,
//! in somebody's name.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: CVE-2022-39250 and the "ghost user" proposal of 2018; WhatsApp's and Matrix's groups, where
//! the server could add a member or a device (Rösler, Mainka, Schwenk 2018; Albrecht et al. 2023).

use crate::encrypted::{CommitRefused, Committed, Lists};

/// Proof that a commit adds nobody unseen.
#[derive(Debug, Clone, Copy)]
pub struct LeavesAccepted(());

impl LeavesAccepted {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Compares the leaves that a commit adds with the signed lists, and with what members agree on.
///
/// # Errors
/// [`CommitRefused::UnlistedDevice`], [`CommitRefused::Outsider`].
pub fn accept_leaves(
    committed: &Committed<'_>,
    lists: &dyn Lists,
) -> Result<LeavesAccepted, CommitRefused> {
    let commit = committed.commit;
    if !commit.added.iter().all(|leaf| lists.names(leaf)) {
        return Err(CommitRefused::UnlistedDevice);
    }
    let members = commit.roster_after.iter().flat_map(|roster| &roster.members);
    let members: Vec<_> = members.collect();
    let known = &committed.before.roster.members;
    let mut new = members.iter().filter(|account| !known.contains(account));
    // Whoever has no list has no devices, and would be looked up by everyone for ever.
    if !new.all(|account| lists.list(**account).is_some()) {
        return Err(CommitRefused::UnlistedDevice);
    }
    let leaves = committed.leaves_after();
    if !leaves.iter().all(|leaf| members.contains(&&leaf.account)) {
        return Err(CommitRefused::Outsider);
    }
    let mut devices: Vec<_> = leaves.iter().map(|leaf| leaf.device).collect();
    devices.sort_unstable();
    devices.dedup();
    if devices.len() != leaves.len() {
        return Err(CommitRefused::UnlistedDevice);
    }
    Ok(LeavesAccepted(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encrypted::testing::{EVE, MIRA, NINA, OLEG, Scene, commit, leaf};
    use portcullis_mls::{CommitView, Leaf};

    fn check(change: impl FnOnce(&mut CommitView), expected: Option<CommitRefused>) {
        let scene = Scene::group();
        let mut commit = commit(&scene);
        change(&mut commit);
        assert_eq!(accept_leaves(&scene.committed(&commit), &scene.lists).err(), expected);
    }

    #[test]
    fn only_listed_devices_of_members_come_in() {
        let (unlisted, outsider) =
            (Some(CommitRefused::UnlistedDevice), Some(CommitRefused::Outsider));
        check(|_| (), None);
        check(|commit| commit.added = vec![leaf(OLEG, 2)], None);
        // Revoked meanwhile: whoever reads the log later has to come to the same answer.
        check(|commit| commit.added = vec![leaf(OLEG, 3)], None);
        check(|commit| commit.added = vec![leaf(OLEG, 9)], unlisted);
        check(
            |commit| commit.added = vec![Leaf { key: leaf(OLEG, 9).key, ..leaf(OLEG, 2) }],
            unlisted,
        );
        check(|commit| commit.added = vec![leaf(EVE, 1)], unlisted);
        check(|commit| commit.added = vec![leaf(MIRA, 1)], unlisted); // there already
        check(|commit| commit.added = vec![leaf(NINA, 1)], outsider);
        let roster = |commit: &mut CommitView| {
            commit.added = vec![leaf(NINA, 1)];
            commit.roster_after.iter_mut().for_each(|roster| roster.members.push(NINA));
        };
        check(roster, None);
        let invented = |commit: &mut CommitView| {
            commit.roster_after.iter_mut().for_each(|roster| roster.members.push(EVE));
        };
        check(invented, unlisted);
        // Out of the members, but not out of the keys.
        check(
            |commit| commit.roster_after.iter_mut().for_each(|r| r.members.retain(|a| *a != OLEG)),
            outsider,
        );
    }
}
