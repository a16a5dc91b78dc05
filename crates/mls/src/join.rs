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
    CreationFromExternalError, ExternalCommitBuilder, LeafNode, LeafNodeIndex, LeafNodeParameters,
    Member, MlsGroup, MlsMessageBodyIn, MlsMessageIn, ProposalStore, PublicGroup, StagedWelcome,
    Welcome, WelcomeError,
};
use openmls::treesync::LeafNodeSource;
use openmls_traits::OpenMlsProvider;
use portcullis_proto::ConversationId;

impl Mls {
    /// What a welcome says. It can be used afterwards still.
    ///
    /// # Errors
    /// [`MlsError::NoKeyPackage`] if it is for somebody else, was used, or has expired;
    /// [`MlsError::UnsupportedSuite`], [`MlsError::Malformed`], [`MlsError::NotAuthentic`].
    pub fn peek_welcome(&self, bytes: &[u8]) -> Result<WelcomeView, MlsError> {
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
            let (group, _) = open_welcome(provider, bytes)?;
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

/// Opens a welcome; the records gain the group and lose the key package that fits.
fn open_welcome(provider: &Provider, bytes: &[u8]) -> Result<(MlsGroup, WelcomeView), MlsError> {
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
    let group = staged.into_group(provider).map_err(|error| why_unwelcome(&error))?;
    check_lifetimes(group.public_group())?;
    Ok((group, view))
}

/// No leaf has a lifetime that ends: it would be judged by each reader's own clock, and differently.
fn check_lifetimes(group: &PublicGroup) -> Result<(), MlsError> {
    let ends = |member: Member| match group.leaf(member.index).map(LeafNode::leaf_node_source) {
        Some(LeafNodeSource::KeyPackage(lifetime)) => *lifetime != suite::lifetime(),
        _ => false,
    };
    if group.members().any(ends) { Err(MlsError::Malformed) } else { Ok(()) }
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
    check_lifetimes(&group)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{
        Disk, LATER, Rogue, TALK, adding, check_agree, damaged, leaf, look, mls, pair, removing,
        roster, say, take, talk, three,
    };
    use crate::{Changes, Roster};
    use openmls::prelude::{Extension, Extensions, GroupContext, Lifetime, UnknownExtension};

    #[test]
    fn a_welcome_is_looked_at_without_a_trace() {
        let (mut alice, mut bob) = (mls(1), mls(2));
        alice.create(TALK, &roster(&[1, 2])).unwrap();
        let changes = adding(&mut [&mut bob]);
        let made = alice.commit(TALK, &changes).unwrap();
        alice.merge_pending(TALK).unwrap();
        let welcome = made.welcome.unwrap();
        bob.take_writes();
        let expected = WelcomeView {
            conversation: TALK,
            sender: leaf(1),
            own: leaf(2),
            epoch: 1,
            roster: roster(&[1, 2]),
            leaves: vec![leaf(1), leaf(2)],
        };
        for _ in 0..2 {
            assert_eq!(bob.peek_welcome(&welcome), Ok(expected.clone()));
            assert_eq!(bob.take_writes(), []);
        }
        for bytes in damaged(&welcome) {
            assert!(bob.join_welcome(&bytes).is_err());
        }
        assert_eq!(bob.take_writes(), []);
        assert_eq!(bob.join_welcome(&welcome), Ok(TALK));
        check_agree(&[&alice, &bob]);
    }

    #[test]
    fn a_welcome_is_used_once_and_by_whom_it_is_for() {
        let (mut alice, mut bob, mut carol) = (mls(1), mls(2), mls(3));
        carol.key_package(LATER, false).unwrap();
        alice.create(TALK, &roster(&[1, 2])).unwrap();
        let changes = adding(&mut [&mut bob]);
        let welcome = alice.commit(TALK, &changes).unwrap().welcome.unwrap();
        assert_eq!(carol.join_welcome(&welcome), Err(MlsError::NoKeyPackage));
        assert_eq!(bob.join_welcome(&welcome), Ok(TALK));
        assert_eq!(bob.join_welcome(&welcome), Err(MlsError::NoKeyPackage));
        assert_eq!(bob.peek_welcome(b"welcome"), Err(MlsError::Malformed));
    }

    #[test]
    fn a_package_of_the_last_resort_serves_again() {
        let (mut alice, mut bob) = (mls(1), mls(2));
        let changes =
            Changes { add: vec![bob.key_package(LATER, true).unwrap()], ..Changes::default() };
        alice.create(TALK, &roster(&[1, 2])).unwrap();
        let first = alice.commit(TALK, &changes).unwrap().welcome.unwrap();
        alice.merge_pending(TALK).unwrap();
        assert_eq!(bob.join_welcome(&first), Ok(TALK));
        assert_eq!(bob.join_welcome(&first), Err(MlsError::GroupExists));
        let made = alice.commit(TALK, &removing(2)).unwrap();
        alice.merge_pending(TALK).unwrap();
        take(&mut bob, &made);
        // Taken out, and back again: the inactive group is replaced.
        let made = alice.commit(TALK, &changes).unwrap();
        alice.merge_pending(TALK).unwrap();
        assert_eq!(bob.join_welcome(&made.welcome.unwrap()), Ok(TALK));
        check_agree(&[&alice, &bob]);
        say(&mut bob, &mut [&mut alice], "I am back");
    }

    #[test]
    fn a_device_joins_by_itself() {
        let (mut alice, mut bob) = pair();
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        alice.merge_pending(TALK).unwrap();
        take(&mut bob, &made);
        let mut carol = mls(3);
        let expected = GroupInfoView {
            conversation: TALK,
            signer: leaf(1),
            epoch: 2,
            roster: roster(&[1, 2]),
            leaves: vec![leaf(1), leaf(2)],
        };
        assert_eq!(carol.peek_group_info(&made.group_info), Ok(expected));
        assert_eq!(carol.take_writes(), []);
        let joined = carol.join_external(&made.group_info).unwrap();
        assert_eq!(joined.welcome, None);
        assert_eq!(carol.view(TALK).unwrap().epoch, 3);
        for other in [&mut alice, &mut bob] {
            let view = take(other, &joined);
            assert!(view.external && view.context_kept && !view.removes_self);
            assert_eq!((view.committer, view.new_leaf), (leaf(3), Some(leaf(3))));
            assert_eq!((view.added, view.removed, view.foreign_proposals), (vec![], vec![], 0));
            assert_eq!(view.roster_after, Some(view.roster_before));
        }
        check_agree(&[&alice, &bob, &carol]);
        say(&mut carol, &mut [&mut alice, &mut bob], "it's me");
        say(&mut alice, &mut [&mut bob, &mut carol], "who?");
        // What it gave out lets the next one in; the signer is not the first leaf there.
        let mut dora = mls(4);
        assert_eq!(dora.peek_group_info(&joined.group_info).unwrap().signer, leaf(3));
        take(&mut carol, &dora.join_external(&joined.group_info).unwrap());
        check_agree(&[&carol, &dora]);
    }

    #[test]
    fn whoever_lost_its_keys_replaces_its_old_leaf() {
        let (mut alice, mut bob, mut carol) = three();
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        alice.merge_pending(TALK).unwrap();
        take(&mut bob, &made);
        // Carol still has the old group, and a new one takes its place.
        let joined = carol.join_external(&made.group_info).unwrap();
        for other in [&mut alice, &mut bob] {
            let view = take(other, &joined);
            assert_eq!((view.committer, view.removed), (leaf(3), vec![leaf(3)]));
        }
        check_agree(&[&alice, &bob, &carol]);
        assert_eq!(carol.view(TALK).unwrap().leaves.len(), 3);
        say(&mut carol, &mut [&mut alice, &mut bob], "found again");
        // And so does one that has nothing any more.
        let mut disk = Disk::default();
        disk.keep(&mut mls(2));
        let mut bob = disk.start(2);
        take(&mut alice, &bob.join_external(&joined.group_info).unwrap());
        check_agree(&[&alice, &bob]);
    }

    #[test]
    fn what_is_public_of_a_group_is_signed() {
        let (mut alice, _) = pair();
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        let mut carol = mls(3);
        for bytes in damaged(&made.group_info) {
            assert!(carol.peek_group_info(&bytes).is_err());
        }
        assert_eq!(carol.take_writes(), []);
        assert_eq!(carol.peek_group_info(&made.commit), Err(MlsError::Malformed));
        assert_eq!(carol.join_external(&made.commit), Err(MlsError::Malformed));
    }

    #[test]
    fn two_that_join_at_once_follow_each_other() {
        let (mut alice, _) = pair();
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        alice.merge_pending(TALK).unwrap();
        let (mut carol, mut dora) = (mls(3), mls(4));
        let first = carol.join_external(&made.group_info).unwrap();
        dora.join_external(&made.group_info).unwrap();
        take(&mut alice, &first);
        // Dora's was not taken: she forgets it, and joins by what Carol gave out.
        dora.forget(TALK);
        let again = dora.join_external(&first.group_info).unwrap();
        for other in [&mut alice, &mut carol] {
            take(other, &again);
        }
        check_agree(&[&alice, &carol, &dora]);
    }

    #[test]
    fn a_group_that_is_not_one_of_ours_is_not_joined() {
        fn check(context: Extensions<GroupContext>, lifetime: Lifetime, expected: MlsError) {
            let mut bob = mls(2);
            let mut rogue = Rogue { lifetime, ..Rogue::new(1) };
            let (welcome, info) = rogue.invite(context, &mut bob);
            bob.take_writes();
            assert_eq!(bob.peek_welcome(&welcome), Err(expected));
            assert_eq!(bob.join_welcome(&welcome), Err(expected));
            assert_eq!(mls(3).join_external(&info), Err(expected));
            assert_eq!(bob.take_writes(), []);
            assert!(!bob.is_member(TALK));
        }
        let twice = Roster { members: vec![leaf(1).account; 2], ..roster(&[1]) };
        for bytes in [b"".to_vec(), b"{}".to_vec(), twice.encode()] {
            let unknown = Extension::Unknown(0xF0C1, UnknownExtension(bytes));
            let context = Extensions::single(unknown).unwrap();
            check(context, suite::lifetime(), MlsError::Malformed);
        }
        check(Extensions::default(), suite::lifetime(), MlsError::Malformed);
        check(suite::context(&twice).unwrap(), suite::lifetime(), MlsError::Malformed);
        let good = suite::context(&roster(&[1, 2])).unwrap();
        check(good, Lifetime::new(3600), MlsError::Malformed);
    }

    #[test]
    fn another_group_of_the_same_id_does_not_take_the_place_of_one() {
        let (mut alice, mut bob) = pair();
        let mut eve = mls(5);
        eve.create(TALK, &roster(&[5, 2])).unwrap();
        let changes = adding(&mut [&mut bob]);
        let welcome = eve.commit(TALK, &changes).unwrap().welcome.unwrap();
        assert_eq!(bob.join_welcome(&welcome), Err(MlsError::GroupExists));
        say(&mut alice, &mut [&mut bob], "undisturbed");
    }

    #[test]
    fn all_groups_have_the_same_settings() {
        fn check(mls: &Mls) {
            let settings = |group: &MlsGroup| Ok(group.configuration().clone());
            assert_eq!(mls.read(TALK, settings), Ok(suite::settings()));
        }
        let (mut alice, mut bob) = (mls(1), mls(2));
        talk(&mut alice, &mut [&mut bob], &[1, 2]);
        let mut carol = mls(3);
        let made = alice.commit(TALK, &Changes::default()).unwrap();
        carol.join_external(&made.group_info).unwrap();
        look(&mut bob, &made);
        for device in [&alice, &bob, &carol] {
            check(device);
        }
        let mut disk = Disk::default();
        disk.keep(&mut carol);
        check(&disk.start(3));
    }
}
