//! Where MLS state lies: records in memory, each under a hash of what it is, with a list of those that
//! have changed and an undo.
//!
//! The library writes through [`StorageProvider`] at every step. Here that is a map; what has changed
//! since the caller last asked comes out of [`Records::take_writes`], and a step that fails, or was only
//! a look, is undone by [`Records::roll_back`]. Values are `postcard`, behind one byte that names their
//! kind. Leaves out sealing and files.

use openmls_traits::storage::{CURRENT_VERSION, StorageProvider, traits};
use portcullis_crypto::hash;
use serde::{Serialize, de::DeserializeOwned};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use zeroize::Zeroizing;

const KEY_CONTEXT: &str = "portcullis 2026 mls record v1";

/// A store of at most no secrets, that has none, and its place in them.
const NO_RESUMPTION: [u8; 3] = [0; 3];

/// A record's name: a hash of its kind and of what it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordKey(pub [u8; 32]);

/// A record's bytes, wiped when dropped.
pub(crate) type Value = Zeroizing<Vec<u8>>;

/// What a record is. The number is written with it, so it never changes its meaning.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Tree = 1,
    TranscriptHash = 2,
    Context = 3,
    ConfirmationTag = 4,
    GroupState = 5,
    MessageSecrets = 6,
    OwnLeafIndex = 7,
    EpochSecrets = 8,
    EpochKeys = 9,
    LeafKeys = 10,
    KeyPackage = 11,
}

impl Kind {
    /// The records that every group has, one of each kind, under the group's id.
    const OF_GROUPS: [Self; 9] = [
        Self::Tree,
        Self::TranscriptHash,
        Self::Context,
        Self::ConfirmationTag,
        Self::GroupState,
        Self::MessageSecrets,
        Self::OwnLeafIndex,
        Self::EpochSecrets,
        Self::EpochKeys,
    ];
}

/// A record can't be read or written, or the library wants to keep what we never use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadRecord;

impl fmt::Display for BadRecord {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a record is damaged")
    }
}

impl std::error::Error for BadRecord {}

/// All records of a device. Shared access suffices to write, as the library wants it.
#[derive(Default)]
pub(crate) struct Records(RefCell<State>);

#[derive(Default)]
struct State {
    values: BTreeMap<RecordKey, Value>,
    /// Changed since [`Records::take_writes`].
    changed: BTreeSet<RecordKey>,
    /// What was before [`Records::begin`], and whether it had been changed before.
    undo: Option<BTreeMap<RecordKey, (Option<Value>, bool)>>,
}

impl State {
    fn set(&mut self, key: RecordKey, value: Option<Value>) {
        if self.values.get(&key) == value.as_ref() {
            return;
        }
        let before = match value {
            Some(value) => self.values.insert(key, value),
            None => self.values.remove(&key),
        };
        let unchanged = self.changed.insert(key);
        if let Some(undo) = &mut self.undo {
            undo.entry(key).or_insert((before, !unchanged));
        }
    }
}

impl Records {
    /// Puts back a record that was handed out before.
    pub(crate) fn restore(&self, key: RecordKey, value: Vec<u8>) {
        self.0.borrow_mut().values.insert(key, Zeroizing::new(value));
    }

    /// What has changed since the last call; none where a record is gone.
    pub(crate) fn take_writes(&self) -> Vec<(RecordKey, Option<Value>)> {
        let state = &mut *self.0.borrow_mut();
        let changed = std::mem::take(&mut state.changed);
        changed.into_iter().map(|key| (key, state.values.get(&key).cloned())).collect()
    }

    /// From here on, changes can be undone.
    pub(crate) fn begin(&self) {
        self.0.borrow_mut().undo = Some(BTreeMap::new());
    }

    /// The changes since [`begin`](Self::begin) stay.
    pub(crate) fn keep(&self) {
        self.0.borrow_mut().undo = None;
    }

    /// The changes since [`begin`](Self::begin) never were.
    pub(crate) fn roll_back(&self) {
        let state = &mut *self.0.borrow_mut();
        for (key, (value, changed)) in state.undo.take().unwrap_or_default() {
            match value {
                Some(value) => state.values.insert(key, value),
                None => state.values.remove(&key),
            };
            if !changed {
                state.changed.remove(&key);
            }
        }
    }

    /// Removes all records of a group, whatever state they are in.
    pub(crate) fn forget_group(&self, group: &impl Serialize) -> Result<(), BadRecord> {
        Kind::OF_GROUPS.into_iter().try_for_each(|kind| self.delete(kind, group))
    }

    /// Removes every record.
    pub(crate) fn clear(&self) {
        let state = &mut *self.0.borrow_mut();
        let keys: Vec<RecordKey> = state.values.keys().copied().collect();
        keys.into_iter().for_each(|key| state.set(key, None));
    }

    /// Removes the records of a kind that `keep` doesn't want; unreadable ones go too.
    pub(crate) fn retain<T: DeserializeOwned>(&self, kind: Kind, keep: impl Fn(&T) -> bool) {
        let state = &mut *self.0.borrow_mut();
        let of_kind = |value: &Value| value.first() == Some(&(kind as u8));
        let gone = |value: &Value| !decode(value).is_ok_and(|value| keep(&value));
        let found = state.values.iter().filter(|(_, value)| of_kind(value) && gone(value));
        let keys: Vec<RecordKey> = found.map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| state.set(key, None));
    }

    fn write(
        &self,
        kind: Kind,
        of: &impl Serialize,
        value: &impl Serialize,
    ) -> Result<(), BadRecord> {
        let key = key(kind, of)?;
        let state = &mut *self.0.borrow_mut();
        // A record mostly keeps its size, and a buffer that grows leaves copies of secrets behind.
        let room = state.values.get(&key).map_or(0, |value| value.len()) + 512;
        let mut bytes = Vec::with_capacity(room);
        bytes.push(kind as u8);
        let bytes = postcard::to_extend(value, bytes).map_err(|_| BadRecord)?;
        state.set(key, Some(Zeroizing::new(bytes)));
        Ok(())
    }

    fn read<T: DeserializeOwned>(
        &self,
        kind: Kind,
        of: &impl Serialize,
    ) -> Result<Option<T>, BadRecord> {
        let key = key(kind, of)?;
        self.0.borrow().values.get(&key).map(decode).transpose()
    }

    fn delete(&self, kind: Kind, of: &impl Serialize) -> Result<(), BadRecord> {
        let key = key(kind, of)?;
        self.0.borrow_mut().set(key, None);
        Ok(())
    }
}

fn key(kind: Kind, of: &impl Serialize) -> Result<RecordKey, BadRecord> {
    let of = postcard::to_allocvec(of).map_err(|_| BadRecord)?;
    Ok(RecordKey(*hash(KEY_CONTEXT, &[&[kind as u8], &of]).as_bytes()))
}

fn decode<T: DeserializeOwned>(value: &Value) -> Result<T, BadRecord> {
    let (_, bytes) = value.split_first().ok_or(BadRecord)?;
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(|_| BadRecord)?;
    if rest.is_empty() { Ok(value) } else { Err(BadRecord) }
}

/// The methods of [`StorageProvider`], a line each: what is done, the method's name, its type parameters
/// (each named like the trait that it has) and the kind of record. The key comes first, except in `_of`:
/// a value *of* a key.
macro_rules! methods {
    ($($action:ident $name:ident<$($type:ident),+> $($kind:ident)?;)+) => {
        $(methods!(@$action $name<$($type),+> $($kind)?);)+
    };
    (@write $name:ident<$key:ident, $value:ident> $kind:ident) => {
        methods!(@write_typed $name<$key, $value>($key, $value) $kind);
    };
    (@write_of $name:ident<$value:ident, $key:ident> $kind:ident) => {
        methods!(@write_typed $name<$value, $key>($key, $value) $kind);
    };
    (@write_typed $name:ident<$($type:ident),+>($key:ident, $value:ident) $kind:ident) => {
        fn $name<$($type: traits::$type<CURRENT_VERSION>),+>(
            &self,
            key: &$key,
            value: &$value,
        ) -> Result<(), BadRecord> {
            self.write(Kind::$kind, key, value)
        }
    };
    (@read $name:ident<$key:ident, $value:ident> $kind:ident) => {
        methods!(@read_typed $name<$key, $value>($key, $value) $kind);
    };
    (@read_of $name:ident<$value:ident, $key:ident> $kind:ident) => {
        methods!(@read_typed $name<$value, $key>($key, $value) $kind);
    };
    (@read_typed $name:ident<$($type:ident),+>($key:ident, $value:ident) $kind:ident) => {
        fn $name<$($type: traits::$type<CURRENT_VERSION>),+>(
            &self,
            key: &$key,
        ) -> Result<Option<$value>, BadRecord> {
            self.read(Kind::$kind, key)
        }
    };
    (@delete $name:ident<$key:ident> $kind:ident) => {
        fn $name<$key: traits::$key<CURRENT_VERSION>>(&self, key: &$key) -> Result<(), BadRecord> {
            self.delete(Kind::$kind, key)
        }
    };
    (@refuse $name:ident<$($type:ident),+>) => {
        fn $name<$($type: traits::$type<CURRENT_VERSION>),+>(
            &self,
            $(_: &$type),+
        ) -> Result<(), BadRecord> {
            Err(BadRecord)
        }
    };
    (@ignore $name:ident<$($type:ident),+>) => {
        fn $name<$($type: traits::$type<CURRENT_VERSION>),+>(
            &self,
            $(_: &$type),+
        ) -> Result<(), BadRecord> {
            Ok(())
        }
    };
    (@lack $name:ident<$key:ident, $value:ident>) => {
        methods!(@lack_typed $name<$key, $value>($key) Option<$value>);
    };
    (@lack_of $name:ident<$value:ident, $key:ident>) => {
        methods!(@lack_typed $name<$value, $key>($key) Option<$value>);
    };
    (@lack_all $name:ident<$key:ident, $value:ident>) => {
        methods!(@lack_typed $name<$key, $value>($key) Vec<$value>);
    };
    (@lack_typed $name:ident<$($type:ident),+>($key:ident) $answer:ty) => {
        fn $name<$($type: traits::$type<CURRENT_VERSION>),+>(
            &self,
            _: &$key,
        ) -> Result<$answer, BadRecord> {
            Ok(Default::default())
        }
    };
}

impl StorageProvider<CURRENT_VERSION> for Records {
    type Error = BadRecord;

    methods! {
        write write_tree<GroupId, TreeSync> Tree;
        read tree<GroupId, TreeSync> Tree;
        delete delete_tree<GroupId> Tree;
        write write_interim_transcript_hash<GroupId, InterimTranscriptHash> TranscriptHash;
        read interim_transcript_hash<GroupId, InterimTranscriptHash> TranscriptHash;
        delete delete_interim_transcript_hash<GroupId> TranscriptHash;
        write write_context<GroupId, GroupContext> Context;
        read group_context<GroupId, GroupContext> Context;
        delete delete_context<GroupId> Context;
        write write_confirmation_tag<GroupId, ConfirmationTag> ConfirmationTag;
        read confirmation_tag<GroupId, ConfirmationTag> ConfirmationTag;
        delete delete_confirmation_tag<GroupId> ConfirmationTag;
        write_of write_group_state<GroupState, GroupId> GroupState;
        read_of group_state<GroupState, GroupId> GroupState;
        delete delete_group_state<GroupId> GroupState;
        write write_message_secrets<GroupId, MessageSecrets> MessageSecrets;
        read message_secrets<GroupId, MessageSecrets> MessageSecrets;
        delete delete_message_secrets<GroupId> MessageSecrets;
        write write_own_leaf_index<GroupId, LeafNodeIndex> OwnLeafIndex;
        read own_leaf_index<GroupId, LeafNodeIndex> OwnLeafIndex;
        delete delete_own_leaf_index<GroupId> OwnLeafIndex;
        write write_group_epoch_secrets<GroupId, GroupEpochSecrets> EpochSecrets;
        read group_epoch_secrets<GroupId, GroupEpochSecrets> EpochSecrets;
        delete delete_group_epoch_secrets<GroupId> EpochSecrets;
        write write_encryption_key_pair<EncryptionKey, HpkeKeyPair> LeafKeys;
        read_of encryption_key_pair<HpkeKeyPair, EncryptionKey> LeafKeys;
        delete delete_encryption_key_pair<EncryptionKey> LeafKeys;
        write write_key_package<HashReference, KeyPackage> KeyPackage;
        read key_package<HashReference, KeyPackage> KeyPackage;
        delete delete_key_package<HashReference> KeyPackage;

        // The settings are code, not data: see `mls_group_join_config`.
        ignore write_mls_join_config<GroupId, MlsGroupJoinConfig>;
        ignore delete_group_config<GroupId>;

        // Nothing is ever resumed, and what was for it is not kept: see `resumption_psk_store`.
        ignore write_resumption_psk_store<GroupId, ResumptionPskStore>;
        ignore delete_all_resumption_psk_secrets<GroupId>;

        // Standalone proposals, own updates by proposal and pre-shared keys are never made and never
        // taken. The signature key is the device's, and kept elsewhere.
        refuse append_own_leaf_node<GroupId, LeafNode>;
        lack_all own_leaf_nodes<GroupId, LeafNode>;
        ignore delete_own_leaf_nodes<GroupId>;
        refuse queue_proposal<GroupId, ProposalRef, QueuedProposal>;
        lack_all queued_proposal_refs<GroupId, ProposalRef>;
        ignore remove_proposal<GroupId, ProposalRef>;
        refuse write_psk<PskId, PskBundle>;
        lack_of psk<PskBundle, PskId>;
        ignore delete_psk<PskId>;
        refuse write_signature_key_pair<SignaturePublicKey, SignatureKeyPair>;
        lack signature_key_pair<SignaturePublicKey, SignatureKeyPair>;
        ignore delete_signature_key_pair<SignaturePublicKey>;
    }

    fn queued_proposals<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
        QueuedProposal: traits::QueuedProposal<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<Vec<(ProposalRef, QueuedProposal)>, BadRecord> {
        Ok(Vec::new())
    }

    fn clear_proposal_queue<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ProposalRef: traits::ProposalRef<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<(), BadRecord> {
        Ok(())
    }

    fn mls_group_join_config<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        MlsGroupJoinConfig: traits::MlsGroupJoinConfig<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<Option<MlsGroupJoinConfig>, BadRecord> {
        let settings = serde_json::to_value(crate::suite::settings()).map_err(|_| BadRecord)?;
        serde_json::from_value(settings).map(Some).map_err(|_| BadRecord)
    }

    /// The library keeps secrets for resumption in groups that a device has made or joined by itself,
    /// whatever the settings say. It gets an empty store in their place.
    fn resumption_psk_store<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        ResumptionPskStore: traits::ResumptionPskStore<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
    ) -> Result<Option<ResumptionPskStore>, BadRecord> {
        postcard::from_bytes(&NO_RESUMPTION).map(Some).map_err(|_| BadRecord)
    }

    // A group has one record of these keys, those of its epoch: what is written takes the place of what
    // was, so no key of a past epoch can stay behind.

    fn write_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf: u32,
        pairs: &[HpkeKeyPair],
    ) -> Result<(), BadRecord> {
        self.write(Kind::EpochKeys, group, &(place(epoch, leaf)?, pairs))
    }

    fn encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
        HpkeKeyPair: traits::HpkeKeyPair<CURRENT_VERSION>,
    >(
        &self,
        group: &GroupId,
        epoch: &EpochKey,
        leaf: u32,
    ) -> Result<Vec<HpkeKeyPair>, BadRecord> {
        let place = place(epoch, leaf)?;
        let found: Option<(Vec<u8>, Vec<HpkeKeyPair>)> = self.read(Kind::EpochKeys, group)?;
        Ok(found.filter(|(at, _)| *at == place).map(|(_, pairs)| pairs).unwrap_or_default())
    }

    fn delete_encryption_epoch_key_pairs<
        GroupId: traits::GroupId<CURRENT_VERSION>,
        EpochKey: traits::EpochKey<CURRENT_VERSION>,
    >(
        &self,
        _: &GroupId,
        _: &EpochKey,
        _: u32,
    ) -> Result<(), BadRecord> {
        Ok(())
    }
}

/// Epoch and leaf of a set of keys.
fn place(epoch: &impl Serialize, leaf: u32) -> Result<Vec<u8>, BadRecord> {
    postcard::to_allocvec(&(epoch, leaf)).map_err(|_| BadRecord)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{
        Disk, LATER, TALK, adding, check_agree, check_opened, leaf, mls, pair, roster, say, take,
    };
    use crate::{Changes, MlsError};

    #[test]
    fn a_restart_after_every_step_changes_nothing() {
        let (mut alice_s, mut bob_s) = (Disk::default(), Disk::default());
        let again = |disk: &mut Disk, mls: &mut crate::Mls, number: u8| {
            disk.keep(mls);
            *mls = disk.start(number);
            assert_eq!(mls.take_writes(), []);
        };
        let (mut alice, mut bob) = (mls(1), mls(2));
        let changes = adding(&mut [&mut bob]);
        again(&mut bob_s, &mut bob, 2);
        alice.create(TALK, &roster(&[1, 2])).unwrap();
        again(&mut alice_s, &mut alice, 1);
        let made = alice.commit(TALK, &changes).unwrap();
        again(&mut alice_s, &mut alice, 1);
        assert!(alice.has_pending(TALK));
        alice.merge_pending(TALK).unwrap();
        again(&mut alice_s, &mut alice, 1);
        let welcome = made.welcome.unwrap();
        bob.peek_welcome(&welcome).unwrap();
        again(&mut bob_s, &mut bob, 2);
        bob.join_welcome(&welcome).unwrap();
        for round in 0..3 {
            again(&mut bob_s, &mut bob, 2);
            assert_eq!(bob.join_welcome(&welcome), Err(MlsError::NoKeyPackage));
            say(&mut alice, &mut [&mut bob], "one");
            again(&mut alice_s, &mut alice, 1);
            again(&mut bob_s, &mut bob, 2);
            say(&mut bob, &mut [&mut alice], "two");
            again(&mut alice_s, &mut alice, 1);
            let made = alice.commit(TALK, &Changes::default()).unwrap();
            again(&mut alice_s, &mut alice, 1);
            if round == 1 {
                alice.discard_pending(TALK);
                again(&mut alice_s, &mut alice, 1);
                assert!(!alice.has_pending(TALK));
                continue;
            }
            alice.merge_pending(TALK).unwrap();
            again(&mut alice_s, &mut alice, 1);
            take(&mut bob, &made);
            again(&mut bob_s, &mut bob, 2);
        }
        check_agree(&[&alice, &bob]);
    }

    #[test]
    fn a_key_s_use_is_written_before_its_message_can_leave() {
        let (mut alice, mut bob) = pair();
        let mut disk = Disk::default();
        disk.keep(&mut alice);
        let before = disk.clone();
        let first = alice.encrypt(TALK, b"first").unwrap();
        disk.keep(&mut alice);
        check_opened(bob.process(TALK, &first), leaf(1), "first");
        let second = disk.start(1).encrypt(TALK, b"second").unwrap();
        check_opened(bob.process(TALK, &second), leaf(1), "second");
        // Without that write, the same key serves another message.
        let copied = before.start(1).encrypt(TALK, b"copied").unwrap();
        assert_eq!(bob.process(TALK, &copied), Err(MlsError::Replayed));
    }

    #[test]
    fn a_key_is_gone_once_its_message_was_opened() {
        let (mut alice, mut bob) = pair();
        let message = alice.encrypt(TALK, b"read and forget").unwrap();
        check_opened(bob.process(TALK, &message), leaf(1), "read and forget");
        let mut disk = Disk::default();
        disk.keep(&mut bob);
        assert_eq!(disk.start(2).process(TALK, &message), Err(MlsError::Replayed));
    }

    #[test]
    fn damaged_records_are_found() {
        let (mut alice, mut bob) = pair();
        let made = bob.commit(TALK, &Changes::default()).unwrap();
        let mut disk = Disk::default();
        disk.keep(&mut alice);
        let keys: Vec<RecordKey> = disk.0.keys().copied().collect();
        assert_eq!(keys.len(), Kind::OF_GROUPS.len());
        for key in keys {
            let mut damaged = disk.clone();
            damaged.0.get_mut(&key).unwrap().truncate(1);
            let mut found = damaged.start(1);
            assert!(found.process(TALK, &made.commit).is_err());
            // It can be forgotten all the same.
            found.forget(TALK);
            damaged.keep(&mut found);
            assert!(damaged.0.is_empty());
        }
    }

    #[test]
    fn no_record_stays_behind() {
        let (mut alice, mut bob) = pair();
        let mut disk = Disk::default();
        for _ in 0..5 {
            let made = alice.commit(TALK, &Changes::default()).unwrap();
            alice.merge_pending(TALK).unwrap();
            take(&mut bob, &made);
            disk.keep(&mut bob);
            let made = bob.commit(TALK, &Changes::default()).unwrap();
            bob.merge_pending(TALK).unwrap();
            take(&mut alice, &made);
            disk.keep(&mut bob);
        }
        assert_eq!(disk.0.len(), Kind::OF_GROUPS.len());
        bob.key_package(LATER, false).unwrap();
        disk.keep(&mut bob);
        assert_eq!(disk.0.len(), Kind::OF_GROUPS.len() + 1);
    }

    #[test]
    fn what_is_rolled_back_never_was() {
        let records = Records::default();
        let write = |of: u8, value: u8| records.write(Kind::Tree, &of, &value).unwrap();
        write(1, 1);
        write(2, 2);
        let before = records.take_writes();
        write(2, 3);
        records.begin();
        write(1, 4);
        write(1, 5);
        write(2, 5);
        write(3, 6);
        records.delete(Kind::Tree, &2_u8).unwrap();
        records.roll_back();
        assert_eq!(records.read(Kind::Tree, &1_u8), Ok(Some(1_u8)));
        assert_eq!(records.read(Kind::Tree, &2_u8), Ok(Some(3_u8)));
        assert_eq!(records.read::<u8>(Kind::Tree, &3_u8), Ok(None));
        let writes = records.take_writes();
        assert_eq!(writes.len(), 1);
        assert!(before.iter().any(|(key, _)| *key == writes[0].0));
        // What is written again as it was has not changed.
        write(1, 1);
        assert_eq!(records.take_writes(), []);
    }
}
