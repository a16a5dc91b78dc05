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
