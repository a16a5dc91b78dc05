//! All the MLS state of one device: its records, and the groups that were loaded from them.
//!
//! Groups are loaded when they are first asked for, and kept. A step either comes out whole or leaves no
//! trace: if it fails, its records are rolled back and the group is loaded anew.

use crate::error::MlsError;
use crate::leaf::{self, Leaf};
use crate::provider::{LeafSigner, Provider};
use crate::records::RecordKey;
use crate::roster::Roster;
use crate::suite;
use crate::view::{GroupView, group_id};
use openmls::prelude::{MlsGroup, StagedCommit};
use portcullis_crypto::LeafKey;
use portcullis_proto::{AccountId, ConversationId, DeviceId};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use zeroize::Zeroizing;

/// All the MLS state of one device.
///
/// Whatever changes it is in [`take_writes`](Self::take_writes) afterwards, and has to be kept before
/// anything that was made with it is sent: otherwise a crash would use a key twice.
pub struct Mls {
    pub(crate) own: Leaf,
    pub(crate) signer: LeafSigner,
    pub(crate) provider: Provider,
    groups: RefCell<BTreeMap<ConversationId, MlsGroup>>,
    /// The last view of each group: reading it anew takes 2 ms at 256 members, most of it to check that
    /// each key is a point of the curve.
    views: RefCell<BTreeMap<ConversationId, GroupView>>,
    /// The commit that was looked at last, until it is merged or something else is looked at.
    pub(crate) staged: Option<(ConversationId, Box<StagedCommit>)>,
}

/// Shows whose state it is, and nothing of it.
impl fmt::Debug for Mls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Mls").field("own", &self.own).finish_non_exhaustive()
    }
}

impl Mls {
    /// The state of a device that is in no group.
    #[must_use]
    pub fn new(account: AccountId, device: DeviceId, key: LeafKey) -> Self {
        Self {
            own: Leaf { account, device, key: key.public() },
            signer: LeafSigner(key),
            provider: Provider::default(),
            groups: RefCell::default(),
            views: RefCell::default(),
            staged: None,
        }
    }

    /// Puts back one of the records that [`take_writes`](Self::take_writes) gave, before anything else is
    /// done. It has to be the last one of its key.
    pub fn restore_record(&mut self, key: RecordKey, value: Vec<u8>) {
        self.provider.records.restore(key, value);
    }

    /// All records that have changed since the last call, each with its new value, or none if it is gone:
    /// to be kept together, in one atomic step. A value is secret.
    pub fn take_writes(&mut self) -> Vec<(RecordKey, Option<Zeroizing<Vec<u8>>>)> {
        self.provider.records.take_writes()
    }

    /// Whether this device has an active group of that id: it was not taken out.
    #[must_use]
    pub fn is_member(&self, id: ConversationId) -> bool {
        self.read(id, |_| Ok(())).is_ok()
    }

    /// The group as it is; none if this device has no active group of that id.
    #[must_use]
    pub fn view(&self, id: ConversationId) -> Option<GroupView> {
        let views = &mut *self.views.borrow_mut();
        let view = |group: &MlsGroup| {
            // Every epoch has an authenticator of its own, so it tells whether a view is of this one.
            let authenticator = group.epoch_authenticator().as_slice();
            if let Some(known) = views.get(&id).filter(|v| v.authenticator == authenticator) {
                return Ok(known.clone());
            }
            let view = GroupView {
                epoch: group.epoch().as_u64(),
                roster: suite::roster(group.public_group().group_context())
                    .ok_or(MlsError::Malformed)?,
                leaves: leaf::all(group.members())?,
                authenticator: authenticator.to_vec(),
            };
            views.insert(id, view.clone());
            Ok(view)
        };
        self.read(id, view).ok()
    }

    /// Makes a group whose only member is this device.
    ///
    /// # Errors
    /// [`MlsError::GroupExists`] if this device is in it already.
    pub fn create(&mut self, id: ConversationId, roster: &Roster) -> Result<(), MlsError> {
        if self.is_member(id) {
            return Err(MlsError::GroupExists);
        }
        let context = suite::context(roster)?;
        self.replace(id, |own, signer, provider| {
            let mut group = MlsGroup::builder()
                .with_group_id(group_id(id))
                .ciphersuite(suite::SUITE)
                .lifetime(suite::lifetime())
                .with_capabilities(suite::capabilities())
                .with_group_context_extensions(context)
                .build(provider, signer, own.credential())
                .map_err(|_| MlsError::Internal)?;
            group
                .set_configuration(&provider.records, &suite::settings())
                .map_err(|_| MlsError::Internal)?;
            Ok((group, ()))
        })
    }

    /// Encrypts a message to the group's members of this epoch.
    ///
    /// # Errors
    /// [`MlsError::NoGroup`] if this device is not in it.
    pub fn encrypt(&mut self, id: ConversationId, plaintext: &[u8]) -> Result<Vec<u8>, MlsError> {
        self.change(id, |group, signer, provider| {
            let message = group
                .create_message(provider, signer, plaintext)
                .map_err(|_| MlsError::Internal)?;
            message.to_bytes().map_err(|_| MlsError::Internal)
        })
    }

    /// Removes all that this device has of a group.
    pub fn forget(&mut self, id: ConversationId) {
        self.drop_staged();
        self.groups.get_mut().remove(&id);
        self.views.get_mut().remove(&id);
        // Fails only if an id of 16 bytes can't be written down.
        let _ = self.provider.records.forget_group(&group_id(id));
    }

    /// Removes every record.
    pub fn clear(&mut self) {
        self.drop_staged();
        self.groups.get_mut().clear();
        self.views.get_mut().clear();
        self.provider.records.clear();
    }

    /// Looks into an active group.
    pub(crate) fn read<T>(
        &self,
        id: ConversationId,
        look: impl FnOnce(&MlsGroup) -> Result<T, MlsError>,
    ) -> Result<T, MlsError> {
        let groups = &mut *self.groups.borrow_mut();
        look(load(groups, &self.provider, id)?)
    }

    /// Changes an active group, whole or not at all.
    pub(crate) fn change<T>(
        &mut self,
        id: ConversationId,
        step: impl FnOnce(&mut MlsGroup, &LeafSigner, &Provider) -> Result<T, MlsError>,
    ) -> Result<T, MlsError> {
        let groups = self.groups.get_mut();
        let group = load(groups, &self.provider, id)?;
        self.provider.records.begin();
        let outcome = step(group, &self.signer, &self.provider);
        if outcome.is_ok() {
            self.provider.records.keep();
        } else {
            self.provider.records.roll_back();
            groups.remove(&id);
        }
        outcome
    }

    /// Puts a new group in the place of whatever there was of that id, whole or not at all.
    pub(crate) fn replace<T>(
        &mut self,
        id: ConversationId,
        step: impl FnOnce(&Leaf, &LeafSigner, &Provider) -> Result<(MlsGroup, T), MlsError>,
    ) -> Result<T, MlsError> {
        self.drop_staged();
        let records = &self.provider.records;
        records.begin();
        let forgotten = records.forget_group(&group_id(id)).map_err(|_| MlsError::Internal);
        match forgotten.and_then(|()| step(&self.own, &self.signer, &self.provider)) {
            Ok((group, made)) => {
                records.keep();
                self.groups.get_mut().insert(id, group);
                Ok(made)
            }
            Err(error) => {
                records.roll_back();
                Err(error)
            }
        }
    }
}

/// An active group, from the records if it was not asked for before.
fn load<'a>(
    groups: &'a mut BTreeMap<ConversationId, MlsGroup>,
    provider: &Provider,
    id: ConversationId,
) -> Result<&'a mut MlsGroup, MlsError> {
    use std::collections::btree_map::Entry;
    let group = match groups.entry(id) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => {
            let loaded = MlsGroup::load(&provider.records, &group_id(id));
            let group = loaded.map_err(|_| MlsError::Internal)?.ok_or(MlsError::NoGroup)?;
            entry.insert(group)
        }
    };
    if group.is_active() { Ok(group) } else { Err(MlsError::NoGroup) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{TALK, adding, check_agree, leaf, mls, pair, roster, say, three};
    use portcullis_proto::limits as wire;

    #[test]
    fn two_talk_both_ways() {
        let (mut alice, mut bob) = pair();
        check_agree(&[&alice, &bob]);
        say(&mut alice, &mut [&mut bob], "hello");
        say(&mut bob, &mut [&mut alice], "yes?");
        say(&mut bob, &mut [&mut alice], "");
        say(&mut alice, &mut [&mut bob], "nothing");
    }

    #[test]
    fn three_talk_and_agree() {
        let (mut alice, mut bob, mut carol) = three();
        check_agree(&[&alice, &bob, &carol]);
        say(&mut carol, &mut [&mut alice, &mut bob], "I am the third");
        let view = carol.view(TALK).unwrap();
        assert_eq!(view.epoch, 1);
        assert_eq!(view.roster, roster(&[1, 2, 3]));
        assert_eq!(view.leaves, [leaf(1), leaf(2), leaf(3)]);
        assert_eq!(view.authenticator.len(), 32);
    }

    #[test]
    fn nobody_is_in_a_group_that_is_not_there() {
        let mut alice = mls(1);
        assert!(!alice.is_member(TALK));
        assert_eq!(alice.view(TALK), None);
        assert_eq!(alice.encrypt(TALK, b"hello"), Err(MlsError::NoGroup));
        alice.create(TALK, &roster(&[1])).unwrap();
        assert_eq!(alice.create(TALK, &roster(&[1])), Err(MlsError::GroupExists));
        assert!(alice.is_member(TALK));
    }

    #[test]
    fn what_is_forgotten_leaves_no_record() {
        let (mut alice, _) = pair();
        alice.forget(TALK);
        assert!(!alice.is_member(TALK));
        assert!(alice.take_writes().iter().all(|(_, value)| value.is_none()));
        let (mut alice, mut bob) = pair();
        alice.key_package(crate::testing::LATER, true).unwrap();
        alice.clear();
        assert!(alice.take_writes().iter().all(|(_, value)| value.is_none()));
        say(&mut bob, &mut [], "alone");
    }

    #[test]
    fn the_largest_group_fits_the_protocol_s_limits() {
        let numbers: Vec<u8> = (0..=255).collect();
        let mut devices: Vec<Mls> = numbers.iter().map(|number| mls(*number)).collect();
        let (first, others) = devices.split_first_mut().unwrap();
        first.create(TALK, &roster(&numbers)).unwrap();
        for some in others.chunks_mut(wire::COMMIT_DEVICES) {
            let mut some: Vec<&mut Mls> = some.iter_mut().collect();
            let changes = adding(&mut some);
            let made = first.commit(TALK, &changes).unwrap();
            first.merge_pending(TALK).unwrap();
            let welcome = made.welcome.unwrap();
            assert!(made.commit.len() <= wire::ENVELOPE_BYTES);
            assert!(welcome.len() <= wire::WELCOME_BYTES);
            assert!(made.group_info.len() <= wire::GROUP_INFO_BYTES);
            assert_eq!(some[0].join_welcome(&welcome), Ok(TALK));
        }
        assert_eq!(first.view(TALK).unwrap().leaves.len(), wire::GROUP_DEVICES);
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", pair().0);
        assert!(shown.starts_with("Mls { own: Leaf {") && shown.ends_with(", .. }"), "{shown}");
    }

    #[test]
    fn it_can_go_to_another_thread() {
        fn check<T: Send>(_: &T) {}
        check(&mls(1));
    }
}
