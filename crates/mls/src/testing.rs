//! What the tests of several files share: devices, and a conversation of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::records::RecordKey;
use crate::{Changes, CommitView, Leaf, Made, Mls, MlsError, Processed, Roster, RosterKind};
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
