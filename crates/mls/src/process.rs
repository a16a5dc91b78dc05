//! Messages of others: opened, and commits held back until the caller has judged them.

use crate::error::MlsError;
use crate::group::Mls;
use crate::leaf::Leaf;
use crate::package;
use crate::suite;
use crate::view::{CommitView, conversation};
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
        let (processed, staged) = self.change(id, |group, _, provider| {
            if conversation(message.group_id()) != Ok(id) {
                return Err(MlsError::OtherGroup);
            }
            let (made_for, now) = (message.epoch().as_u64(), group.epoch().as_u64());
            if made_for != now {
                return Err(MlsError::Epoch { message: made_for, group: now });
            }
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
    let known = |proposal: &Proposal| match proposal {
        Proposal::Add(_) | Proposal::Remove(_) | Proposal::GroupContextExtensions(_) => true,
        Proposal::ExternalInit(_) => external,
        _ => false,
    };
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
            .filter(|queued| !known(queued.proposal()))
            .count(),
        roster_before: suite::roster(before).ok_or(MlsError::Internal)?,
        roster_after: suite::roster(after),
        context_kept: suite::is_ours(after),
        removes_self: staged.self_removed(),
    })
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
