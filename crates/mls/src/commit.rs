//! Own commits: made, then pending until the log shows them, or another one in their place.

use crate::error::MlsError;
use crate::group::Mls;
use crate::package;
use crate::provider::Provider;
use crate::roster::Roster;
use crate::suite;
use openmls::prelude::{
    CommitMessageBundle, CreateCommitError, KeyPackage, LeafNodeIndex, MlsGroup,
};
use openmls_traits::OpenMlsProvider;
use portcullis_proto::{ConversationId, DeviceId};

/// What a commit is to change, besides the own leaf's keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Key packages of the devices that are added.
    pub add: Vec<Vec<u8>>,
    /// Devices whose leaves are taken out; those that have none are passed over.
    pub remove: Vec<DeviceId>,
    /// What the members agree on afterwards; none if that stays.
    pub roster: Option<Roster>,
}

/// A commit, and what goes with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// For all members.
    pub commit: Vec<u8>,
    /// For those who are added, if anybody is.
    pub welcome: Option<Vec<u8>>,
    /// For devices that join by themselves, once the commit counts.
    pub group_info: Vec<u8>,
}

impl Made {
    pub(crate) fn of(bundle: CommitMessageBundle) -> Result<Self, MlsError> {
        let (commit, welcome, group_info) = bundle.into_messages();
        let bytes = |message: openmls::prelude::MlsMessageOut| {
            message.to_bytes().map_err(|_| MlsError::Internal)
        };
        Ok(Self {
            commit: bytes(commit)?,
            welcome: welcome.map(bytes).transpose()?,
            group_info: bytes(group_info.ok_or(MlsError::Internal)?)?,
        })
    }
}

impl Mls {
    /// Makes a commit, always with new keys of the own leaf. It is pending until it is merged or
    /// discarded, and survives a restart.
    ///
    /// # Errors
    /// [`MlsError::NoGroup`]; [`MlsError::PendingCommit`] if one is pending; [`MlsError::Impossible`] if
    /// the changes can't be made; for key packages as [`read_key_package`](Self::read_key_package).
    pub fn commit(&mut self, id: ConversationId, changes: &Changes) -> Result<Made, MlsError> {
        let parse = |bytes: &Vec<u8>| package::parse(&self.provider, bytes);
        let added: Vec<KeyPackage> = changes.add.iter().map(parse).collect::<Result<_, _>>()?;
        let context = changes.roster.as_ref().map(suite::context).transpose()?;
        self.change(id, |group, signer, provider| {
            if group.pending_commit().is_some() {
                return Err(MlsError::PendingCommit);
            }
            let removed = indices(group, &changes.remove)?;
            let mut builder = group
                .commit_builder()
                .consume_proposal_store(false)
                .force_self_update(true)
                .propose_adds(added)
                .propose_removals(removed);
            if let Some(context) = context {
                builder = builder.propose_group_context_extensions(context).map_err(why_not)?;
            }
            let bundle = builder
                .load_psks(&provider.records)
                .and_then(|builder| {
                    builder.build(provider.rand(), provider.crypto(), signer, |_| true)
                })
                .map_err(why_not)?
                .stage_commit(provider)
                .map_err(|_| MlsError::Internal)?;
            Made::of(bundle)
        })
    }

    /// Whether an own commit is pending.
    #[must_use]
    pub fn has_pending(&self, id: ConversationId) -> bool {
        self.read(id, |group| Ok(group.pending_commit().is_some())).unwrap_or(false)
    }

    /// The pending commit counts: the next epoch begins.
    ///
    /// # Errors
    /// [`MlsError::NoGroup`], or [`MlsError::NothingToMerge`].
    pub fn merge_pending(&mut self, id: ConversationId) -> Result<(), MlsError> {
        self.drop_staged();
        self.change(id, |group, _, provider| {
            if group.pending_commit().is_none() {
                return Err(MlsError::NothingToMerge);
            }
            group.merge_pending_commit(provider).map_err(|_| MlsError::Internal)
        })
    }

    /// The pending commit, if there is one, was not taken: it is forgotten.
    pub fn discard_pending(&mut self, id: ConversationId) {
        let discard = |group: &mut MlsGroup, provider: &Provider| {
            group.clear_pending_commit(&provider.records).map_err(|_| MlsError::Internal)
        };
        // Fails only where there is no group, which has no pending commit either.
        let _ = self.change(id, |group, _, provider| discard(group, provider));
    }
}

/// Where the leaves of these devices are.
fn indices(group: &MlsGroup, devices: &[DeviceId]) -> Result<Vec<LeafNodeIndex>, MlsError> {
    let mut found = Vec::new();
    for member in group.members() {
        if devices.contains(&crate::leaf::Leaf::of_member(&member)?.device) {
            found.push(member.index);
        }
    }
    Ok(found)
}

/// Why a commit can't be made.
fn why_not(error: CreateCommitError) -> MlsError {
    match error {
        CreateCommitError::LibraryError(_) => MlsError::Internal,
        _ => MlsError::Impossible,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{
        Disk, TALK, adding, check_agree, leaf, look, mls, pair, removing, roster, say, take, three,
    };

    #[test]
    fn whoever_is_taken_out_reads_nothing_more() {
        let (mut alice, mut bob, mut carol) = three();
        let changes = Changes { roster: Some(roster(&[1, 2])), ..removing(3) };
        let made = alice.commit(TALK, &changes).unwrap();
        assert_eq!(made.welcome, None);
        alice.merge_pending(TALK).unwrap();
        let mut tampered = Disk::default();
        tampered.keep(&mut carol);
        let view = take(&mut carol, &made);
        assert!(view.removes_self);
        assert!(!carol.is_member(TALK));
        assert_eq!(carol.view(TALK), None);

        let view = take(&mut bob, &made);
        assert!(!view.removes_self);
        assert_eq!((view.committer, view.removed), (leaf(1), vec![leaf(3)]));
        assert_eq!(view.roster_after, Some(roster(&[1, 2])));
        check_agree(&[&alice, &bob]);
        let message = alice.encrypt(TALK, b"she is gone").unwrap();
        assert_eq!(carol.process(TALK, &message), Err(MlsError::NoGroup));
        assert_eq!(carol.encrypt(TALK, b"am I?"), Err(MlsError::NoGroup));
        // Nor does a client that doesn't take the commit.
        let elsewhere = MlsError::Epoch { message: 2, group: 1 };
        assert_eq!(tampered.start(3).process(TALK, &message), Err(elsewhere));
        say(&mut alice, &mut [], "still here");
    }

    #[test]
    fn a_commit_is_pending_until_it_is_merged_or_discarded() {
        let (mut alice, mut bob) = pair();
        assert!(!alice.has_pending(TALK));
        assert_eq!(alice.merge_pending(TALK), Err(MlsError::NothingToMerge));
        let lost = alice.commit(TALK, &Changes::default()).unwrap();
        assert!(alice.has_pending(TALK));
        assert_eq!(alice.commit(TALK, &Changes::default()), Err(MlsError::PendingCommit));
        check_agree(&[&alice, &bob]);
        say(&mut alice, &mut [&mut bob], "before it counts");
        say(&mut bob, &mut [&mut alice], "so it is");
        alice.discard_pending(TALK);
        assert!(!alice.has_pending(TALK));
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        assert_ne!(lost, made);
        assert_eq!(alice.process(TALK, &made.commit), Err(MlsError::PendingCommit));
        alice.merge_pending(TALK).unwrap();
        take(&mut bob, &made);
        check_agree(&[&alice, &bob]);
        say(&mut bob, &mut [&mut alice], "the next epoch");
    }

    #[test]
    fn of_two_commits_for_one_epoch_one_counts() {
        for discards in [true, false] {
            let (mut alice, mut bob, mut carol) = three();
            let changes = Changes { roster: Some(roster(&[2, 1, 3])), ..Changes::default() };
            alice.commit(TALK, &changes).unwrap();
            let won = bob.commit(TALK, &Changes::default()).unwrap();
            bob.merge_pending(TALK).unwrap();
            if discards {
                alice.discard_pending(TALK);
            }
            take(&mut alice, &won);
            take(&mut carol, &won);
            assert!(!alice.has_pending(TALK));
            let again = alice.commit(TALK, &changes).unwrap();
            alice.merge_pending(TALK).unwrap();
            take(&mut bob, &again);
            take(&mut carol, &again);
            check_agree(&[&alice, &bob, &carol]);
            assert_eq!(carol.view(TALK).unwrap().roster, roster(&[2, 1, 3]));
        }
    }

    #[test]
    fn every_commit_brings_new_keys_and_says_what_it_does() {
        let (mut alice, mut bob) = pair();
        let mut carol = mls(3);
        let mut changes = adding(&mut [&mut carol]);
        changes.roster = Some(roster(&[1, 2, 3]));
        let made = alice.commit(TALK, &changes).unwrap();
        let view = look(&mut bob, &made);
        let expected = crate::CommitView {
            epoch: 1,
            committer: leaf(1),
            external: false,
            new_leaf: Some(leaf(1)),
            added: vec![leaf(3)],
            removed: Vec::new(),
            foreign_proposals: 0,
            roster_before: roster(&[1, 2]),
            roster_after: Some(roster(&[1, 2, 3])),
            context_kept: true,
            removes_self: false,
        };
        assert_eq!(view, expected);
    }

    #[test]
    fn what_can_t_be_made_is_said_and_changes_nothing() {
        fn check(alice: &mut Mls, changes: &Changes, expected: MlsError) {
            let before = alice.view(TALK);
            alice.take_writes();
            assert_eq!(alice.commit(TALK, changes), Err(expected));
            assert_eq!((alice.view(TALK), alice.has_pending(TALK)), (before, false));
            assert_eq!(alice.take_writes(), []);
        }
        let (mut alice, mut bob) = pair();
        check(&mut alice, &removing(1), MlsError::Impossible);
        check(&mut alice, &adding(&mut [&mut bob]), MlsError::Impossible);
        let twice = adding(&mut [&mut mls(3), &mut mls(3)]);
        check(&mut alice, &twice, MlsError::Impossible);
        let garbage = Changes { add: vec![vec![0; 300]], ..Changes::default() };
        check(&mut alice, &garbage, MlsError::Malformed);
        let elsewhere = ConversationId::from_bytes([8; 16]);
        let nowhere = alice.commit(elsewhere, &Changes::default());
        assert_eq!(nowhere, Err(MlsError::NoGroup));
        // A device without a leaf is passed over.
        assert!(alice.commit(TALK, &removing(9)).is_ok());
    }

    #[test]
    fn what_was_added_and_removed_in_many_steps_agrees() {
        let (mut alice, mut bob) = pair();
        let mut others: Vec<Mls> = (3..9).map(mls).collect();
        for other in &mut others {
            let changes = adding(&mut [other]);
            let made = alice.commit(TALK, &changes).unwrap();
            alice.merge_pending(TALK).unwrap();
            take(&mut bob, &made);
            other.join_welcome(&made.welcome.unwrap()).unwrap();
        }
        check_agree(&[&alice, &bob, &others[5]]);
        let made = bob.commit(TALK, &removing(4)).unwrap();
        bob.merge_pending(TALK).unwrap();
        take(&mut alice, &made);
        check_agree(&[&alice, &bob]);
        assert_eq!(alice.view(TALK).unwrap().leaves.len(), 7);
    }
}
