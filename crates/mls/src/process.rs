//! Messages of others: opened, and commits held back until the caller has judged them.

use crate::error::MlsError;
use crate::group::Mls;
use crate::leaf::Leaf;
use crate::package;
use crate::suite;
use crate::view::CommitView;
use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::prelude::tls_codec::DeserializeBytes;
use openmls::prelude::{
    ContentType, LeafNodeIndex, MlsGroup, MlsMessageIn, ProcessMessageError,
    ProcessedMessageContent, Proposal, ProtocolMessage, Sender, StagedCommit, ValidationError,
};
use portcullis_proto::ConversationId;

/// What a message turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processed {
    /// A message of a member.
    Message {
        /// Who wrote it.
        sender: Leaf,
        /// What it says.
        plaintext: Vec<u8>,
    },
    /// A message that this device has encrypted: it can't be opened, and need not be.
    Own,
    /// A commit, which counts once [`Mls::merge_staged`] is called.
    Commit(Box<CommitView>),
}

/// Whether bytes look like a commit. Nothing is checked.
#[must_use]
pub fn is_commit(bytes: &[u8]) -> bool {
    parse(bytes).is_ok_and(|message| message.content_type() == ContentType::Commit)
}

fn parse(bytes: &[u8]) -> Result<ProtocolMessage, MlsError> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .ok()
        .and_then(|message| message.try_into_protocol_message().ok())
        .ok_or(MlsError::Malformed)
}

impl Mls {
    /// Opens a message of a group. The key of what it opens is gone afterwards; a commit changes nothing
    /// until it is merged.
    ///
    /// # Errors
    /// [`MlsError::Epoch`], before any decryption; [`MlsError::OtherGroup`]; [`MlsError::Replayed`];
    /// [`MlsError::NotAuthentic`]; [`MlsError::Malformed`]; [`MlsError::NoGroup`];
    /// [`MlsError::PendingCommit`] if it is the own pending commit, to be merged with
    /// [`merge_pending`](Self::merge_pending). After each of them the state is as before.
    pub fn process(&mut self, id: ConversationId, bytes: &[u8]) -> Result<Processed, MlsError> {
        self.drop_staged();
        let message = parse(bytes)?;
        self.read(id, |group| check_place(group, &message))?;
        let (processed, staged) = self.change(id, |group, _, provider| {
            let opened =
                group.process_message(provider, message).map_err(|error| why_not(&error))?;
            let sender = opened.sender().clone();
            match opened.into_content() {
                ProcessedMessageContent::ApplicationMessage(message) => {
                    let sender = member(group, &sender)?;
                    Ok((Processed::Message { sender, plaintext: message.into_bytes() }, None))
                }
                ProcessedMessageContent::OwnPrivateMessage => Ok((Processed::Own, None)),
                ProcessedMessageContent::OwnPendingCommit => Err(MlsError::PendingCommit),
                ProcessedMessageContent::StagedCommitMessage(staged) => {
                    let view = view(group, &sender, &staged)?;
                    Ok((Processed::Commit(Box::new(view)), Some(staged)))
                }
                _ => Err(MlsError::Malformed),
            }
        })?;
        self.staged = staged.map(|staged| (id, staged));
        Ok(processed)
    }

    /// The commit that [`process`](Self::process) has returned last counts: the next epoch begins. An own
    /// pending commit is discarded by it. Where it takes this device out, the group is inactive.
    ///
    /// # Errors
    /// [`MlsError::NothingToMerge`] if the last thing processed was not a commit of this group.
    pub fn merge_staged(&mut self, id: ConversationId) -> Result<(), MlsError> {
        let Some((of, staged)) = self.staged.take().filter(|(of, _)| *of == id) else {
            return Err(MlsError::NothingToMerge);
        };
        self.change(of, |group, _, provider| {
            if staged.epoch().as_u64() != group.epoch().as_u64() + 1 {
                return Err(MlsError::NothingToMerge);
            }
            group.merge_staged_commit(provider, *staged).map_err(|_| MlsError::Internal)
        })
    }

    /// The commit that [`process`](Self::process) has returned last doesn't count.
    pub fn drop_staged(&mut self) {
        self.staged = None;
    }
}

/// A message is of this group and of its epoch.
fn check_place(group: &MlsGroup, message: &ProtocolMessage) -> Result<(), MlsError> {
    if message.group_id() != group.group_id() {
        return Err(MlsError::OtherGroup);
    }
    match (message.epoch().as_u64(), group.epoch().as_u64()) {
        (message, group) if message != group => Err(MlsError::Epoch { message, group }),
        _ => Ok(()),
    }
}

/// What a commit says.
fn view(group: &MlsGroup, sender: &Sender, staged: &StagedCommit) -> Result<CommitView, MlsError> {
    let before = group.public_group().group_context();
    let after = staged.group_context();
    let external = matches!(sender, Sender::NewMemberCommit);
    let new_leaf = staged.update_path_leaf_node().map(Leaf::of_node).transpose()?;
    let mut added = Vec::new();
    for proposal in staged.add_proposals() {
        let package = proposal.add_proposal().key_package();
        if !package::is_ours(package) {
            return Err(MlsError::Malformed);
        }
        added.push(Leaf::of_node(package.leaf_node())?);
    }
    let removed = staged
        .remove_proposals()
        .map(|proposal| leaf(group, proposal.remove_proposal().removed()))
        .collect::<Result<_, _>>()?;
    Ok(CommitView {
        epoch: before.epoch().as_u64(),
        committer: match new_leaf {
            Some(leaf) if external => leaf,
            _ => member(group, sender)?,
        },
        external,
        new_leaf,
        added,
        removed,
        foreign_proposals: staged
            .queued_proposals()
            .filter(|queued| is_foreign(queued.proposal(), external))
            .count(),
        roster_before: suite::roster(before).ok_or(MlsError::Internal)?,
        roster_after: suite::roster(after),
        context_kept: suite::is_ours(after),
        removes_self: staged.self_removed(),
    })
}

/// Whether a proposal is of a kind that commits of ours don't have.
fn is_foreign(proposal: &Proposal, external: bool) -> bool {
    match proposal {
        Proposal::Add(_) | Proposal::Remove(_) | Proposal::GroupContextExtensions(_) => false,
        Proposal::ExternalInit(_) => !external,
        _ => true,
    }
}

/// The leaf of a sender who is a member.
fn member(group: &MlsGroup, sender: &Sender) -> Result<Leaf, MlsError> {
    match sender {
        Sender::Member(index) => leaf(group, *index),
        _ => Err(MlsError::NotAuthentic),
    }
}

fn leaf(group: &MlsGroup, index: LeafNodeIndex) -> Result<Leaf, MlsError> {
    Leaf::of_node(group.public_group().leaf(index).ok_or(MlsError::NotAuthentic)?)
}

/// What the library's many errors come to.
fn why_not<E>(error: &ProcessMessageError<E>) -> MlsError {
    use MessageDecryptionError::SecretTreeError as Secret;
    use ValidationError::UnableToDecrypt;
    match error {
        ProcessMessageError::StorageError(_) | ProcessMessageError::LibraryError(_) => {
            MlsError::Internal
        }
        ProcessMessageError::IncompatibleWireFormat
        | ProcessMessageError::UnsupportedProposalType => MlsError::Malformed,
        ProcessMessageError::GroupStateError(_) => MlsError::NoGroup,
        ProcessMessageError::ValidationError(UnableToDecrypt(Secret(
            SecretTreeError::TooDistantInThePast | SecretTreeError::SecretReuseError,
        ))) => MlsError::Replayed,
        _ => MlsError::NotAuthentic,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::Changes;
    use crate::testing::{
        Deed, LATER, Rogue, TALK, account, check_agree, check_opened, credential, damaged, leaf,
        look, mls, package_builder, pair, roster, say, take, talk, three,
    };
    use openmls::prelude::{
        CredentialWithKey, Extension, ExtensionType, LeafNodeParameters, Lifetime,
        PreSharedKeyProposal, RequiredCapabilitiesExtension, UnknownExtension,
    };
    use openmls::schedule::{ExternalPsk, PreSharedKeyId, Psk};
    use openmls_traits::OpenMlsProvider;

    #[test]
    fn what_was_opened_is_not_opened_again() {
        let (mut alice, mut bob) = pair();
        let first = alice.encrypt(TALK, b"first").unwrap();
        let second = alice.encrypt(TALK, b"second").unwrap();
        check_opened(bob.process(TALK, &first), leaf(1), "first");
        assert_eq!(bob.process(TALK, &first), Err(MlsError::Replayed));
        check_opened(bob.process(TALK, &second), leaf(1), "second");
        assert_eq!(bob.process(TALK, &first), Err(MlsError::Replayed));
        // A message that came too late was left out: the log has an order.
        let third = alice.encrypt(TALK, b"third").unwrap();
        let fourth = alice.encrypt(TALK, b"fourth").unwrap();
        check_opened(bob.process(TALK, &fourth), leaf(1), "fourth");
        assert_eq!(bob.process(TALK, &third), Err(MlsError::Replayed));
        assert_eq!(alice.process(TALK, &fourth), Ok(Processed::Own));
    }

    #[test]
    fn commits_count_once_and_in_their_epoch() {
        let (mut alice, mut bob) = pair();
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        let early = alice.encrypt(TALK, b"early").unwrap();
        alice.merge_pending(TALK).unwrap();
        let late = alice.encrypt(TALK, b"late").unwrap();
        let future = MlsError::Epoch { message: 2, group: 1 };
        assert_eq!(bob.process(TALK, &late), Err(future));
        take(&mut bob, &made);
        let past = MlsError::Epoch { message: 1, group: 2 };
        assert_eq!(bob.process(TALK, &made.commit), Err(past));
        assert_eq!(bob.process(TALK, &early), Err(past));
        check_opened(bob.process(TALK, &late), leaf(1), "late");
    }

    #[test]
    fn a_commit_counts_only_when_it_is_merged() {
        let (mut alice, mut bob) = pair();
        bob.take_writes();
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        assert_eq!(bob.merge_staged(TALK), Err(MlsError::NothingToMerge));
        for drop in [true, false] {
            look(&mut bob, &made);
            assert_eq!(bob.take_writes(), []);
            if drop {
                bob.drop_staged();
            } else {
                say(&mut alice, &mut [&mut bob], "something between");
            }
            assert_eq!(bob.merge_staged(TALK), Err(MlsError::NothingToMerge));
            bob.take_writes();
        }
        let elsewhere = ConversationId::from_bytes([8; 16]);
        look(&mut bob, &made);
        assert_eq!(bob.merge_staged(elsewhere), Err(MlsError::NothingToMerge));
        check_agree(&[&alice, &bob]);
    }

    #[test]
    fn messages_of_another_group_or_for_nobody_here_are_refused() {
        let (mut alice, mut bob) = pair();
        let elsewhere = ConversationId::from_bytes([8; 16]);
        alice.create(elsewhere, &roster(&[1])).unwrap();
        let message = alice.encrypt(elsewhere, b"elsewhere").unwrap();
        assert_eq!(bob.process(TALK, &message), Err(MlsError::OtherGroup));
        assert_eq!(bob.process(elsewhere, &message), Err(MlsError::NoGroup));
        // Another group that has the same id: the keys are others.
        let (mut dora, mut eve) = (mls(4), mls(5));
        talk(&mut dora, &mut [&mut eve], &[4, 5]);
        let forged = dora.encrypt(TALK, b"I am one of you").unwrap();
        assert_eq!(bob.process(TALK, &forged), Err(MlsError::NotAuthentic));
        let made = dora.commit(TALK, &Changes::default()).unwrap();
        assert_eq!(bob.process(TALK, &made.commit), Err(MlsError::NotAuthentic));
        for other in [&made.group_info, &bob.key_package(LATER, false).unwrap()] {
            assert_eq!(bob.process(TALK, other), Err(MlsError::Malformed));
        }
    }

    #[test]
    fn whatever_is_changed_is_refused_and_leaves_no_trace() {
        let (mut alice, mut bob, _) = three();
        let message = alice.encrypt(TALK, b"as it was").unwrap();
        bob.take_writes();
        for bytes in damaged(&message) {
            assert!(bob.process(TALK, &bytes).is_err(), "{bytes:x?}");
        }
        assert_eq!(bob.take_writes(), []);
        check_opened(bob.process(TALK, &message), leaf(1), "as it was");
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        bob.take_writes();
        for bytes in damaged(&made.commit) {
            assert!(bob.process(TALK, &bytes).is_err(), "{bytes:x?}");
        }
        assert_eq!(bob.take_writes(), []);
        take(&mut bob, &made);
    }

    #[test]
    fn handshakes_are_told_from_messages_without_keys() {
        let (mut alice, _) = pair();
        assert!(!is_commit(&alice.encrypt(TALK, b"hello").unwrap()));
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        assert!(is_commit(&made.commit));
        assert!(!is_commit(&made.group_info));
        assert!(!is_commit(b""));
    }

    /// What comes of a tampered client's commit; it never changes anything by itself.
    fn check_rogue(deed: Deed, expected: impl FnOnce(Result<CommitView, MlsError>)) {
        let mut bob = mls(2);
        let mut rogue = Rogue::with(1, &mut bob);
        let made = rogue.commit(deed);
        let before = bob.view(TALK);
        expected(bob.process(TALK, &made.commit).map(|processed| match processed {
            Processed::Commit(view) => *view,
            other => unreachable!("{other:?}"),
        }));
        assert_eq!(bob.view(TALK), before);
    }

    #[test]
    fn a_tampered_client_can_t_add_what_is_no_device_of_ours() {
        fn check(credential: CredentialWithKey, lifetime: Lifetime, expected: Option<MlsError>) {
            let rogue = Rogue { credential, ..Rogue::new(3) };
            let package = rogue.package(package_builder().key_package_lifetime(lifetime));
            let deed = Deed { add: vec![package], ..Deed::default() };
            check_rogue(deed, |view| assert_eq!(view.err(), expected));
        }
        let endless = suite::lifetime();
        check(leaf(3).credential(), endless, None);
        check(credential(&[3; 31], 3), endless, Some(MlsError::Malformed));
        check(credential(&[3; 33], 3), endless, Some(MlsError::Malformed));
        check(credential(&[], 3), endless, Some(MlsError::Malformed));
        check(leaf(3).credential(), Lifetime::new(3600), Some(MlsError::Malformed));
    }

    #[test]
    fn a_leaf_that_changes_its_account_is_seen() {
        let other = |bytes: &[u8]| Deed {
            leaf: LeafNodeParameters::builder()
                .with_credential_with_key(credential(bytes, 1))
                .build(),
            ..Deed::default()
        };
        check_rogue(other(&[9; 32]), |view| {
            let view = view.unwrap();
            assert_eq!(view.committer, leaf(1));
            assert_eq!(view.new_leaf.unwrap().account, account(9));
        });
        check_rogue(other(b"nobody"), |view| assert_eq!(view, Err(MlsError::Malformed)));
    }

    #[test]
    fn a_changed_context_is_seen() {
        let required = |types: &[u16]| {
            let types: Vec<_> = types.iter().copied().map(ExtensionType::Unknown).collect();
            Extension::RequiredCapabilities(RequiredCapabilitiesExtension::new(&types, &[], &[]))
        };
        let unknown =
            |number, bytes: &[u8]| Extension::Unknown(number, UnknownExtension(bytes.to_vec()));
        let good = unknown(0xF0C1, &roster(&[1, 2]).encode());
        let bad = unknown(0xF0C1, b"{}");
        let (ours, more) = (required(&[0xF0C1]), required(&[0xF0C1, 0xF0C2]));
        let other = unknown(0xF0C2, b"?");
        let rows = [
            (vec![ours.clone(), good.clone()], true, true),
            (vec![good.clone(), ours.clone()], true, true),
            (vec![ours.clone(), bad], false, true),
            (vec![], false, false),
            (vec![ours], false, false),
            (vec![more.clone(), good.clone()], true, false),
            (vec![more, good, other], true, false),
        ];
        for (context, readable, kept) in rows {
            let deed = Deed { context: Some(context.clone()), ..Deed::default() };
            check_rogue(deed, |view| {
                let view = view.unwrap();
                assert_eq!(view.roster_after.is_some(), readable, "{context:?}");
                assert_eq!(view.context_kept, kept, "{context:?}");
            });
        }
    }

    #[test]
    fn pre_shared_keys_and_standalone_proposals_are_refused() {
        let mut bob = mls(2);
        let mut rogue = Rogue::with(1, &mut bob);
        let provider = &rogue.provider;
        let psk = Psk::External(ExternalPsk::new(vec![1]));
        let psk = PreSharedKeyId::new(suite::SUITE, provider.rand(), psk).unwrap();
        psk.store(provider, &[1; 32]).unwrap();
        let proposal = Proposal::PreSharedKey(Box::new(PreSharedKeyProposal::new(psk)));
        assert!(is_foreign(&proposal, false) && is_foreign(&Proposal::SelfRemove, true));
        let made = rogue.commit(Deed { proposals: vec![proposal], ..Deed::default() });
        assert_eq!(bob.process(TALK, &made.commit), Err(MlsError::NotAuthentic));

        let group = rogue.group.as_mut().unwrap();
        group.clear_pending_commit(rogue.provider.storage()).unwrap();
        let bob_s = LeafNodeIndex::new(1);
        let (message, _) =
            group.propose_remove_member(&rogue.provider, &rogue.signer, bob_s).unwrap();
        let refused = bob.process(TALK, &message.to_bytes().unwrap());
        assert_eq!(refused, Err(MlsError::Malformed));
        // A commit that names it names what nobody has taken.
        let made = rogue.commit(Deed::default());
        assert_eq!(bob.process(TALK, &made.commit), Err(MlsError::NotAuthentic));

        // What was refused has changed nothing.
        let group = rogue.group.as_mut().unwrap();
        group.clear_pending_commit(rogue.provider.storage()).unwrap();
        group.clear_pending_proposals(rogue.provider.storage()).unwrap();
        let message = group.create_message(&rogue.provider, &rogue.signer, b"well").unwrap();
        check_opened(bob.process(TALK, &message.to_bytes().unwrap()), leaf(1), "well");
    }
}
