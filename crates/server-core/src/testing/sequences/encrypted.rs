//! Directs and groups in random sequences: epochs grow by one with each commit, everyone reads from the
//! commit that adds them to the one that removes them and nothing else, a group has one owner, and what
//! lies in an inbox is what commits left there.

use super::super::{Person, adding, creating, naming, removing, welcoming};
use super::{CHANNELS, PEOPLE, Run, drafts, reference};
use crate::store::Store as _;
use portcullis_proto::{AccountId, Code, ConversationId, Creates, Members, Request, Role};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Groups that may be made.
const GROUPS: usize = 2;

/// The channels, the groups, and the direct of each two people.
pub(super) const PLACES: usize = CHANNELS.len() + GROUPS + PEOPLE.len();

/// What a commit changes about the members; the numbers choose among people.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Nothing,
    Add(usize),
    Remove(usize),
    Name(usize),
    Leave,
    Hand(usize),
    Welcome(usize),
}

pub(super) fn change() -> impl Strategy<Value = Change> {
    let whom = 0..PEOPLE.len();
    prop_oneof![
        2 => Just(Change::Nothing),
        5 => whom.clone().prop_map(Change::Add),
        2 => whom.clone().prop_map(Change::Remove),
        1 => whom.clone().prop_map(Change::Name),
        1 => Just(Change::Leave),
        1 => whom.clone().prop_map(Change::Hand),
        1 => whom.prop_map(Change::Welcome),
    ]
}

/// Whether this is the commit of that number by that person.
pub(super) fn commits(made: &Request, who: &Person, number: u8) -> bool {
    matches!(made, Request::Commit { device, envelope, .. }
        if *device == who.device && envelope.reference == commit_number(number))
}

fn commit_number(number: u8) -> portcullis_proto::Reference {
    reference(100 + number)
}

impl Run {
    pub(super) fn encrypted_id(&self, place: usize) -> ConversationId {
        let at = place - CHANNELS.len();
        match at.checked_sub(GROUPS) {
            None => ConversationId::from_bytes([0x70 + at as u8; 16]),
            Some(pair) => {
                let [one, other] = self.pair(pair);
                ConversationId::direct(one, other)
            }
        }
    }

    fn pair(&self, pair: usize) -> [AccountId; 2] {
        [pair, (pair + 1) % PEOPLE.len()].map(|who| self.people[who].account)
    }

    fn epoch(&self, id: ConversationId) -> u64 {
        let found = self.world.store.inner.conversation(id).unwrap();
        found.map_or(0, |conversation| conversation.epoch)
    }

    pub(super) fn submit(&self, who: &Person, place: usize, numbers: &[u8]) -> Request {
        let conversation = self.id(place);
        let (epoch, device) = (self.epoch(conversation), who.device);
        Request::Submit { conversation, epoch, device, envelopes: drafts(numbers) }
    }

    /// A group or a direct, or a group in the place of a channel.
    pub(super) fn make(&self, who: usize, place: usize) -> Request {
        let own = &self.people[who];
        let commit = own.commit(self.id(place), 0, 90 + place as u8, Members::default());
        let kind = match place.checked_sub(CHANNELS.len() + GROUPS) {
            None => Creates::Group {},
            Some(pair) => {
                let [one, other] = self.pair(pair);
                Creates::Direct { with: if one == own.account { other } else { one } }
            }
        };
        creating(kind, commit)
    }

    pub(super) fn commit(
        &self,
        who: usize,
        place: usize,
        number: u8,
        change: Change,
        stale: bool,
    ) -> Request {
        let own = &self.people[who];
        let whom = |whom: usize| &self.people[whom];
        let (members, welcomed) = match change {
            Change::Nothing => (Members::default(), None),
            Change::Add(other) => (adding(&[whom(other)]), Some(whom(other))),
            Change::Remove(other) => (removing(&[whom(other)]), None),
            Change::Name(other) => (naming(whom(other)), None),
            Change::Leave => (removing(&[own]), None),
            Change::Hand(other) => {
                (Members { owner: Some(whom(other).account), ..removing(&[own]) }, None)
            }
            Change::Welcome(other) => (Members::default(), Some(whom(other))),
        };
        let id = self.id(place);
        let epoch = self.epoch(id) + u64::from(stale);
        let mut commit = own.commit(id, epoch, 100 + number, members);
        if let Some(welcomed) = welcomed {
            commit = welcoming(&[welcomed], commit);
        }
        commit
    }

    pub(super) fn check_encrypted(&mut self) {
        self.gather();
        for place in CHANNELS.len()..PLACES {
            self.check_place(self.encrypted_id(place));
        }
        for person in self.people.clone() {
            self.check_inbox(&person);
        }
    }

    fn check_place(&mut self, id: ConversationId) {
        let Some(found) = self.world.store.inner.conversation(id).unwrap() else {
            assert!(self.commits.keys().all(|(of, _)| *of != id));
            return;
        };
        let (mut epoch, mut present) = (0, BTreeSet::new());
        let mut readable: BTreeMap<AccountId, Vec<u64>> = BTreeMap::new();
        let page = self.world.store.inner.fetch(id, 0, u64::MAX, u32::MAX, usize::MAX).unwrap();
        for envelope in &page.envelopes {
            let mut gone = Vec::new();
            if let Some(Request::Commit { creates, members, .. }) =
                self.commits.get(&(id, envelope.seq))
            {
                epoch += 1;
                present.extend(creates.map(|_| envelope.account));
                if let Some(Creates::Direct { with }) = creates {
                    present.insert(*with);
                }
                present.extend(members.added.iter().copied());
                gone.clone_from(&members.removed);
            }
            assert_eq!(envelope.epoch, epoch, "{id} {}", envelope.seq);
            assert!(present.contains(&envelope.account), "said from outside");
            for account in &present {
                readable.entry(*account).or_default().push(envelope.seq);
            }
            present.retain(|account| !gone.contains(account));
        }
        assert_eq!(found.epoch, epoch);
        let kept = self.world.store.inner.group_info(id).unwrap().unwrap();
        assert_eq!(kept.epoch, epoch);
        self.check_roles(id, &present);
        for person in self.people.clone() {
            let expected = readable.remove(&person.account).ok_or(Code::NotFound);
            match self.world.readable(&person, id).map_err(|refusal| refusal.code) {
                Err(Code::NotNow) => {} // has signed out
                found => assert_eq!(found, expected, "{} {id}", person.name),
            }
        }
    }

    fn check_roles(&self, id: ConversationId, present: &BTreeSet<AccountId>) {
        let store = &self.world.store.inner;
        let mut owners = 0;
        for person in &self.people {
            let membership = store.membership(person.account, id).unwrap();
            let role = membership.map_or(Role::Outside, |membership| membership.role);
            assert_eq!(role.is_present(), present.contains(&person.account));
            owners += usize::from(role == Role::Owner);
        }
        assert_eq!(store.member_count(id), Ok(present.len() as u64));
        let owned = !id.is_computed() && !present.is_empty();
        assert_eq!(owners, usize::from(owned), "owners of {id}");
    }

    fn check_inbox(&self, person: &Person) {
        let welcomed = self.commits.values().filter(|made| {
            matches!(made, Request::Commit { welcome: Some(welcome), .. }
                if welcome.devices.contains(&person.device))
        });
        let inbox = self.world.store.inner.conversation(ConversationId::inbox(person.device));
        let end = inbox.unwrap().map_or(0, |inbox| inbox.end.seq);
        assert_eq!(end, welcomed.count() as u64);
    }
}
