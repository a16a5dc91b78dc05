//! The suite, the extensions and the form of what members agree on stay as they were made.
//!
//! Attack: a member commits to a weaker suite, takes an extension away that protects the group, lets an
//! outsider propose changes, or slips in a proposal that nobody here looks at.
//! CWE-757, selection of a less-secure algorithm during negotiation.
//! Precedent: RFC 9420 section 16 leaves such policy to the application; the Least Authority audit of the
//! Marmot development kit (2025) found metadata changes that were merged unchecked.

use crate::encrypted::{CommitRefused, Committed};

/// Proof that a commit leaves the context alone.
#[derive(Debug, Clone, Copy)]
pub struct ContextKept(());

impl ContextKept {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Looks at what a commit changes besides members and their devices.
///
/// # Errors
/// [`CommitRefused::Context`].
pub fn keep_context(committed: &Committed<'_>) -> Result<ContextKept, CommitRefused> {
    let commit = committed.commit;
    let kind = commit.roster_after.as_ref().map(|roster| roster.kind);
    let same = kind == Some(commit.roster_before.kind);
    if same && commit.context_kept && commit.foreign_proposals == 0 {
        return Ok(ContextKept(()));
    }
    Err(CommitRefused::Context)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encrypted::testing::{Scene, commit};
    use portcullis_mls::RosterKind;

    #[test]
    fn the_context_stays() {
        let scene = Scene::group();
        let check = |change: fn(&mut portcullis_mls::CommitView), expected| {
            let mut commit = commit(&scene);
            change(&mut commit);
            assert_eq!(keep_context(&scene.committed(&commit)).err(), expected);
        };
        let refused = Some(CommitRefused::Context);
        check(|_| (), None);
        check(|commit| commit.context_kept = false, refused);
        check(|commit| commit.foreign_proposals = 1, refused);
        check(|commit| commit.roster_after = None, refused);
        check(
            |commit| commit.roster_after.iter_mut().for_each(|r| r.kind = RosterKind::Direct),
            refused,
        );
    }
}
