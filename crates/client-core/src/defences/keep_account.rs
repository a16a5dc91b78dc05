//! No leaf changes its account, its device or its key.
//!
//! Attack: a member, in its own commit, puts a leaf in its place that speaks in somebody else's name; or
//! is in truth another device than its leaf says.
//! CWE-290, authentication bypass by spoofing.
//! Precedent: the review of the Marmot development kit (2025) found that `OpenMLS` accepts such updates:
//! it leaves the comparison of credentials to the application.

use crate::encrypted::{CommitRefused, Committed};

/// Proof that a commit's leaves are whose they were.
#[derive(Debug, Clone, Copy)]
pub struct AccountKept(());

impl AccountKept {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Compares the leaf that a commit puts in its maker's place with the one before, and the maker with
/// whom the server names.
///
/// # Errors
/// [`CommitRefused::AccountChanged`].
pub fn keep_account(committed: &Committed<'_>) -> Result<AccountKept, CommitRefused> {
    let Committed { commit, envelope, .. } = committed;
    let maker = &commit.committer;
    let same = commit.new_leaf.as_ref().is_none_or(|leaf| leaf == maker);
    if same && (maker.account, maker.device) == *envelope {
        return Ok(AccountKept(()));
    }
    Err(CommitRefused::AccountChanged)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encrypted::testing::{MIRA, OLEG, Scene, commit, leaf};

    #[test]
    fn a_leaf_stays_whose_it_was() {
        let scene = Scene::group();
        let check = |new_leaf, envelope, expected| {
            let mut commit = commit(&scene);
            commit.new_leaf = new_leaf;
            let committed = Committed { envelope, ..scene.committed(&commit) };
            assert_eq!(keep_account(&committed).err(), expected);
        };
        let refused = Some(CommitRefused::AccountChanged);
        let (mira, oleg) = (leaf(MIRA, 1), leaf(OLEG, 1));
        let by = |leaf: &portcullis_mls::Leaf| (leaf.account, leaf.device);
        check(None, by(&mira), None);
        check(Some(mira), by(&mira), None);
        check(Some(oleg), by(&mira), refused);
        check(Some(leaf(MIRA, 2)), by(&mira), refused);
        let other_key = portcullis_mls::Leaf { key: oleg.key, ..mira };
        check(Some(other_key), by(&mira), refused);
        check(Some(mira), by(&oleg), refused);
    }
}
