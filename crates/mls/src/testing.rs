//! What the tests of several files share: devices, and a conversation of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::provider::LeafSigner;
use crate::records::RecordKey;
use crate::{Changes, CommitView, Leaf, Made, Mls, MlsError, Processed, Roster, RosterKind};
use crate::{package, suite};
use openmls::prelude::{
    BasicCredential, CredentialWithKey, Extension, Extensions, GroupContext, GroupId, KeyPackage,
    KeyPackageBuilder, LeafNodeParameters, Lifetime, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroup,
    MlsMessageOut, Proposal,
};
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::OpenMlsProvider;
use portcullis_crypto::{LeafKey, Secret};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Timestamp};
use std::collections::BTreeMap;

/// The conversation of most tests.
pub(crate) const TALK: ConversationId = ConversationId::from_bytes([7; 16]);

/// Far away for every test.
pub(crate) const LATER: Timestamp = Timestamp(1_000_000_000);

pub(crate) fn account(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

pub(crate) fn device(number: u8) -> DeviceId {
    DeviceId::from_bytes([number | 0x80; 16])
}

pub(crate) fn key(number: u8) -> LeafKey {
    LeafKey::from_secret(&Secret::from_bytes([number; 32]))
}

pub(crate) fn leaf(number: u8) -> Leaf {
    Leaf { account: account(number), device: device(number), key: key(number).public() }
}

/// The MLS state of the only device of an account.
pub(crate) fn mls(number: u8) -> Mls {
    Mls::new(account(number), device(number), key(number))
}

pub(crate) fn roster(numbers: &[u8]) -> Roster {
    Roster {
        kind: RosterKind::Group,
        name: None,
        owner: numbers.first().map(|number| account(*number)),
        members: numbers.iter().map(|number| account(*number)).collect(),
        leaving: Vec::new(),
    }
}

/// The change that adds these devices, by new key packages of theirs.
pub(crate) fn adding(others: &mut [&mut Mls]) -> Changes {
    let add = others.iter_mut().map(|other| other.key_package(LATER, false).unwrap()).collect();
    Changes { add, ..Changes::default() }
}

/// The change that takes this device out.
pub(crate) fn removing(number: u8) -> Changes {
    Changes { remove: vec![device(number)], ..Changes::default() }
}

/// A conversation that `first` makes and to which it adds the others, all of whom have joined.
pub(crate) fn talk(first: &mut Mls, others: &mut [&mut Mls], numbers: &[u8]) {
    first.create(TALK, &roster(numbers)).unwrap();
    let changes = adding(others);
    let made = first.commit(TALK, &changes).unwrap();
    first.merge_pending(TALK).unwrap();
    for other in others {
        assert_eq!(other.join_welcome(made.welcome.as_ref().unwrap()), Ok(TALK));
    }
}

/// Two devices in a conversation.
pub(crate) fn pair() -> (Mls, Mls) {
    let (mut alice, mut bob) = (mls(1), mls(2));
    talk(&mut alice, &mut [&mut bob], &[1, 2]);
    (alice, bob)
}

/// Three devices in a conversation.
pub(crate) fn three() -> (Mls, Mls, Mls) {
    let (mut alice, mut bob, mut carol) = (mls(1), mls(2), mls(3));
    talk(&mut alice, &mut [&mut bob, &mut carol], &[1, 2, 3]);
    (alice, bob, carol)
}

/// Looks at a commit.
pub(crate) fn look(mls: &mut Mls, made: &Made) -> CommitView {
    match mls.process(TALK, &made.commit) {
        Ok(Processed::Commit(view)) => *view,
        other => panic!("not a commit: {other:?}"),
    }
}

/// Looks at a commit and takes it.
pub(crate) fn take(mls: &mut Mls, made: &Made) -> CommitView {
    let view = look(mls, made);
    mls.merge_staged(TALK).unwrap();
    view
}

/// One says it, and the others open it.
pub(crate) fn say(from: &mut Mls, to: &mut [&mut Mls], text: &str) {
    let message = from.encrypt(TALK, text.as_bytes()).unwrap();
    for other in to {
        check_opened(other.process(TALK, &message), from.own, text);
    }
}

pub(crate) fn check_opened(opened: Result<Processed, MlsError>, sender: Leaf, text: &str) {
    assert_eq!(opened, Ok(Processed::Message { sender, plaintext: text.as_bytes().to_vec() }));
}

/// All of them are in the same epoch of the same group.
pub(crate) fn check_agree(all: &[&Mls]) {
    let views: Vec<_> = all.iter().map(|mls| mls.view(TALK).unwrap()).collect();
    assert!(views.windows(2).all(|two| two[0] == two[1]), "{views:?}");
}

/// What a device has kept on its disk.
#[derive(Clone, Default)]
pub(crate) struct Disk(pub(crate) BTreeMap<RecordKey, Vec<u8>>);

impl Disk {
    /// Keeps what has changed.
    pub(crate) fn keep(&mut self, mls: &mut Mls) {
        for (key, value) in mls.take_writes() {
            match value {
                Some(value) => self.0.insert(key, value.to_vec()),
                None => self.0.remove(&key),
            };
        }
    }

    /// The device as it starts again.
    pub(crate) fn start(&self, number: u8) -> Mls {
        let mut mls = mls(number);
        self.0.iter().for_each(|(key, value)| mls.restore_record(*key, value.clone()));
        mls
    }
}

/// What a tampered client commits to.
#[derive(Default)]
pub(crate) struct Deed {
    pub(crate) add: Vec<KeyPackage>,
    pub(crate) leaf: LeafNodeParameters,
    pub(crate) context: Option<Vec<Extension>>,
    pub(crate) proposals: Vec<Proposal>,
}

/// Somebody whose client was tampered with: the library without what this crate adds to it.
pub(crate) struct Rogue {
    pub(crate) provider: OpenMlsRustCrypto,
    pub(crate) signer: LeafSigner,
    pub(crate) credential: CredentialWithKey,
    pub(crate) lifetime: Lifetime,
    pub(crate) group: Option<MlsGroup>,
}

impl Rogue {
    /// With the credential that device would have.
    pub(crate) fn new(number: u8) -> Self {
        Self {
            provider: OpenMlsRustCrypto::default(),
            signer: LeafSigner(key(number)),
            credential: leaf(number).credential(),
            lifetime: suite::lifetime(),
            group: None,
        }
    }

    /// Makes a group with this context and adds somebody; returns the welcome, and what is
    /// public of the group. Its own leaf stays as it was made.
    pub(crate) fn invite(
        &mut self,
        context: Extensions<GroupContext>,
        other: &mut Mls,
    ) -> (Vec<u8>, Vec<u8>) {
        let mut group = MlsGroup::builder()
            .with_group_id(GroupId::from_slice(TALK.as_bytes()))
            .ciphersuite(suite::SUITE)
            .lifetime(self.lifetime)
            .with_capabilities(suite::capabilities())
            .with_wire_format_policy(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY)
            .use_ratchet_tree_extension(true)
            .with_group_context_extensions(context)
            .build(&self.provider, &self.signer, self.credential.clone())
            .unwrap();
        let bytes = other.key_package(LATER, false).unwrap();
        let package = package::parse(&other.provider, &bytes).unwrap();
        let (_, welcome, info) =
            group.add_members_without_update(&self.provider, &self.signer, &[package]).unwrap();
        group.merge_pending_commit(&self.provider).unwrap();
        self.group = Some(group);
        let info = MlsMessageOut::from(info.unwrap());
        (welcome.to_bytes().unwrap(), info.to_bytes().unwrap())
    }

    /// A group of ours with somebody in it.
    pub(crate) fn with(number: u8, other: &mut Mls) -> Self {
        let mut rogue = Self::new(number);
        let (welcome, _) = rogue.invite(suite::context(&roster(&[1, 2])).unwrap(), other);
        other.join_welcome(&welcome).unwrap();
        rogue
    }

    /// Any commit whatever.
    pub(crate) fn commit(&mut self, deed: Deed) -> Made {
        let group = self.group.as_mut().unwrap();
        let mut builder = group
            .commit_builder()
            .force_self_update(true)
            .leaf_node_parameters(deed.leaf)
            .add_proposals(deed.proposals)
            .propose_adds(deed.add);
        if let Some(context) = deed.context {
            let context = Extensions::from_vec(context).unwrap();
            builder = builder.propose_group_context_extensions(context).unwrap();
        }
        let bundle = builder
            .load_psks(self.provider.storage())
            .unwrap()
            .build(self.provider.rand(), self.provider.crypto(), &self.signer, |_| true)
            .unwrap()
            .stage_commit(&self.provider)
            .unwrap();
        Made::of(bundle).unwrap()
    }

    /// A key package, as it likes.
    pub(crate) fn package(&self, builder: KeyPackageBuilder) -> KeyPackage {
        let bundle =
            builder.build(suite::SUITE, &self.provider, &self.signer, self.credential.clone());
        bundle.unwrap().into_key_package()
    }
}

/// How key packages of ours are made.
pub(crate) fn package_builder() -> KeyPackageBuilder {
    KeyPackage::builder()
        .key_package_lifetime(suite::lifetime())
        .key_package_extensions(suite::package_extensions(LATER).unwrap())
        .leaf_node_capabilities(suite::capabilities())
}

/// A credential of these bytes, with a device's key.
pub(crate) fn credential(bytes: &[u8], number: u8) -> CredentialWithKey {
    let credential = BasicCredential::new(bytes.to_vec()).into();
    CredentialWithKey { credential, ..leaf(number).credential() }
}

/// Every way to flip one bit, and every shorter length.
pub(crate) fn damaged(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let flipped = (0..bytes.len() * 8).map(|place| {
        let mut copy = bytes.to_vec();
        copy[place / 8] ^= 1 << (place % 8);
        copy
    });
    flipped.chain((0..bytes.len()).map(|length| bytes[..length].to_vec()))
}
