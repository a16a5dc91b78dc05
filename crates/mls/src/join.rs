//! Joining a group: by a welcome, or by oneself with an external commit (RFC 9420, section 12.4.3).
//!
//! Both can be looked at before, without a trace in the records.

use crate::commit::Made;
use crate::error::MlsError;
use crate::group::Mls;
use crate::leaf::Leaf;
use crate::provider::Provider;
use crate::records::BadRecord;
use crate::suite;
use crate::view::{GroupInfoView, Public, WelcomeView};
use openmls::prelude::group_info::VerifiableGroupInfo;
use openmls::prelude::tls_codec::DeserializeBytes;
use openmls::prelude::{
    CreationFromExternalError, ExternalCommitBuilder, LeafNodeIndex, LeafNodeParameters,
    MlsMessageBodyIn, MlsMessageIn, ProposalStore, PublicGroup, StagedWelcome, Welcome,
    WelcomeError,
};
use openmls_traits::OpenMlsProvider;
use portcullis_proto::ConversationId;

impl Mls {
    /// What a welcome says. It can be used afterwards still.
    ///
    /// # Errors
    /// [`MlsError::NoKeyPackage`] if it is for somebody else, was used, or has expired;
    /// [`MlsError::UnsupportedSuite`], [`MlsError::Malformed`], [`MlsError::NotAuthentic`].
    pub fn peek_welcome(&mut self, bytes: &[u8]) -> Result<WelcomeView, MlsError> {
        self.provider.records.begin();
        let looked = open_welcome(&self.provider, bytes).map(|(_, view)| view);
        self.provider.records.roll_back();
        looked
    }

    /// Joins the group that a welcome invites to. The key package is gone, unless it is one of the last
    /// resort; an inactive group of that id is replaced.
    ///
    /// # Errors
    /// [`MlsError::GroupExists`] if this device is in the group; else as
    /// [`peek_welcome`](Self::peek_welcome).
    pub fn join_welcome(&mut self, bytes: &[u8]) -> Result<ConversationId, MlsError> {
        let id = self.peek_welcome(bytes)?.conversation;
        if self.is_member(id) {
            return Err(MlsError::GroupExists);
        }
        self.replace(id, |_, _, provider| {
            let (staged, _) = open_welcome(provider, bytes)?;
            let group = staged.into_group(provider).map_err(|error| why_unwelcome(&error))?;
            Ok((group, id))
        })
    }

    /// What is public of a group, after the signature of the member who gave it out was checked.
    ///
    /// # Errors
    /// [`MlsError::UnsupportedSuite`], [`MlsError::Malformed`], [`MlsError::NotAuthentic`].
    pub fn peek_group_info(&self, bytes: &[u8]) -> Result<GroupInfoView, MlsError> {
        self.provider.records.begin();
        let looked = look_at_group_info(&self.provider, bytes);
        self.provider.records.roll_back();
        looked
    }

    /// Joins a group by itself. This device is in the next epoch at once, as if the commit counted
    /// already; an own old leaf goes out, and whatever this device had of the group is replaced. If the
    /// commit is not taken, the group has to be forgotten.
    ///
    /// # Errors
    /// As [`peek_group_info`](Self::peek_group_info).
    pub fn join_external(&mut self, bytes: &[u8]) -> Result<Made, MlsError> {
        let id = self.peek_group_info(bytes)?.conversation;
        let info = parse_group_info(bytes)?;
        self.replace(id, |own, signer, provider| {
            let leaf =
                LeafNodeParameters::builder().with_capabilities(suite::capabilities()).build();
            let (group, bundle) = ExternalCommitBuilder::new()
                .with_config(suite::settings())
                .skip_lifetime_validation()
                .build_group(provider, info, own.credential())
                .map_err(|_| MlsError::NotAuthentic)?
                .leaf_node_parameters(leaf)
                .load_psks(&provider.records)
                .and_then(|builder| {
                    builder.build(provider.rand(), provider.crypto(), signer, |_| true)
                })
                .map_err(|_| MlsError::Impossible)?
                .finalize(provider)
                .map_err(|_| MlsError::Internal)?;
            Ok((group, Made::of(bundle)?))
        })
    }
}

fn parse(bytes: &[u8]) -> Result<MlsMessageBodyIn, MlsError> {
    MlsMessageIn::tls_deserialize_exact_bytes(bytes)
        .map(MlsMessageIn::extract)
        .map_err(|_| MlsError::Malformed)
}

fn parse_welcome(bytes: &[u8]) -> Result<Welcome, MlsError> {
    match parse(bytes)? {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(MlsError::Malformed),
    }
}

fn parse_group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, MlsError> {
    match parse(bytes)? {
        MlsMessageBodyIn::GroupInfo(info) => Ok(info),
        _ => Err(MlsError::Malformed),
    }
}

/// Opens a welcome; the records lose the key package that fits.
fn open_welcome(
    provider: &Provider,
    bytes: &[u8],
) -> Result<(StagedWelcome, WelcomeView), MlsError> {
    let welcome = parse_welcome(bytes)?;
    if welcome.ciphersuite() != suite::SUITE {
        return Err(MlsError::UnsupportedSuite);
    }
    let staged = StagedWelcome::build_from_welcome(provider, &suite::settings(), welcome)
        .and_then(|join| join.skip_lifetime_validation().replace_old_group().build())
        .map_err(|error| why_unwelcome(&error))?;
    let public = Public::of(staged.group_context(), staged.members())?;
    let sender = staged.welcome_sender().map_err(|_| MlsError::NotAuthentic)?;
    let own = staged.own_leaf_node().ok_or(MlsError::NotAuthentic)?;
    let view = WelcomeView {
        conversation: public.conversation,
        sender: Leaf::of_node(sender)?,
        own: Leaf::of_node(own)?,
        epoch: public.epoch,
        roster: public.roster,
        leaves: public.leaves,
    };
    Ok((staged, view))
}

fn why_unwelcome(error: &WelcomeError<BadRecord>) -> MlsError {
    match error {
        WelcomeError::NoMatchingKeyPackage => MlsError::NoKeyPackage,
        WelcomeError::UnsupportedCiphersuite(_) | WelcomeError::CiphersuiteMismatch => {
            MlsError::UnsupportedSuite
        }
        WelcomeError::MissingRatchetTree => MlsError::Malformed,
        WelcomeError::StorageError(_) => MlsError::Internal,
        _ => MlsError::NotAuthentic,
    }
}

/// Checks and reads what is public of a group; the library writes it down meanwhile.
fn look_at_group_info(provider: &Provider, bytes: &[u8]) -> Result<GroupInfoView, MlsError> {
    let info = parse_group_info(bytes)?;
    if info.ciphersuite() != suite::SUITE {
        return Err(MlsError::UnsupportedSuite);
    }
    let tree = info.extensions().ratchet_tree().ok_or(MlsError::Malformed)?.ratchet_tree().clone();
    let (group, _) = PublicGroup::from_external(
        provider.crypto(),
        &provider.records,
        tree,
        info,
        ProposalStore::new(),
    )
    .map_err(|error: CreationFromExternalError<BadRecord>| match error {
        CreationFromExternalError::WriteToStorageError(_) => MlsError::Internal,
        _ => MlsError::NotAuthentic,
    })?;
    let public = Public::of(group.group_context(), group.members())?;
    let signer = group.leaf(signer(bytes)?).ok_or(MlsError::NotAuthentic)?;
    Ok(GroupInfoView {
        conversation: public.conversation,
        signer: Leaf::of_node(signer)?,
        epoch: public.epoch,
        roster: public.roster,
        leaves: public.leaves,
    })
}

/// Who signed group information whose signature was checked. The library does not say; the message ends
/// in `uint32 signer; opaque signature<V>` (RFC 9420, section 12.4.3), the signature being 64 bytes after
/// two that say so.
fn signer(bytes: &[u8]) -> Result<LeafNodeIndex, MlsError> {
    let (_, end) = bytes.split_last_chunk::<70>().ok_or(MlsError::Malformed)?;
    let (index, signature) = end.split_first_chunk::<4>().ok_or(MlsError::Malformed)?;
    if !signature.starts_with(&[0x40, 0x40]) {
        return Err(MlsError::Malformed);
    }
    Ok(LeafNodeIndex::new(u32::from_be_bytes(*index)))
}
