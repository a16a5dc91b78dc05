//! A conversation with one guest, as this device alone knows it.

use super::SUITE;
use crate::client::{Client, Step};
use crate::effect::Key;
use crate::limits;
use crate::show::{ConversationView, IdentityState, Show};
use portcullis_proto::classroom::{Dialect, GuestKey};
use portcullis_proto::{
    Access, AccountId, ConversationId, ConversationKind, ConversationName, GuestName, Reference,
    Role, Timestamp,
};
use std::collections::VecDeque;
use std::fmt;

/// State of a conversation with a guest.
pub(crate) struct Talk {
    /// Its id, of the guest and of the device that began it.
    pub(crate) conversation: ConversationId,
    pub(crate) guest: GuestKey,
    /// How to write to it: what it was seen to speak, or was said to.
    pub(crate) dialect: Dialect,
    /// The place of the last entry; 0 if there is none.
    pub(crate) place: u64,
    pub(crate) unread: u64,
    /// Something was said to it.
    pub(crate) answered: bool,
    /// Own messages that the gateway has not taken yet.
    pub(crate) outbox: VecDeque<Told>,
    /// The first of them is under way.
    pub(crate) in_flight: bool,
    /// Not before this time is it tried again.
    pub(crate) retry_at: Option<Timestamp>,
}

/// An own message to a guest.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) id: Reference,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
    /// What is sent, the very same bytes until an answer comes: a guest that has them already refuses
    /// them by their counter. Made when the guest's dialect and server are known.
    pub(crate) frame: Option<String>,
}

impl fmt::Debug for Told {
    /// Leaves out what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Told({})", self.id)
    }
}

impl Talk {
    pub(crate) fn new(conversation: ConversationId, guest: GuestKey, dialect: Dialect) -> Self {
        Self {
            conversation,
            guest,
            dialect,
            place: 0,
            unread: 0,
            answered: false,
            outbox: VecDeque::new(),
            in_flight: false,
            retry_at: None,
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> ConversationName {
        ConversationName::Classic(self.guest.name().clone())
    }

    /// As it is shown.
    pub(crate) fn view(&self) -> ConversationView {
        ConversationView {
            id: self.conversation,
            kind: ConversationKind::Classic,
            name: self.name(),
            suite: Some(SUITE),
            trust: IdentityState::Guest,
            access: Access::Invitation,
            role: Role::Member,
            unread: self.unread,
            members: Some(2),
        }
    }
}

impl Client {
    /// The guest of a conversation.
    pub(crate) fn guest_of(&self, id: ConversationId) -> Option<AccountId> {
        let mut talks = self.classic.talks.iter();
        talks.find(|(_, talk)| talk.conversation == id).map(|(guest, _)| *guest)
    }

    /// A guest that is known, by its name.
    pub(super) fn guest_named(&self, name: &GuestName) -> Option<AccountId> {
        let talks = self.classic.talks.iter().map(|(id, talk)| (id, &talk.guest));
        let cards = self.classic.cards.iter().map(|(id, card)| (id, &card.guest));
        talks.chain(cards).find(|(_, guest)| guest.name() == name).map(|(id, _)| *id)
    }

    /// Shows a conversation with a guest as it is now.
    pub(crate) fn show_talk(&self, step: &mut Step<'_>, guest: AccountId) {
        if let Some(talk) = self.classic.talks.get(&guest) {
            step.show(Show::Conversation(talk.view()));
        }
    }

    pub(crate) fn show_talks(&self, step: &mut Step<'_>) {
        self.classic.talks.values().for_each(|talk| step.show(Show::Conversation(talk.view())));
    }

    /// The conversation with a guest, which is begun if there is none.
    pub(super) fn begin_talk(
        &mut self,
        step: &mut Step<'_>,
        guest: &GuestKey,
        dialect: Dialect,
    ) -> Option<&mut Talk> {
        let (id, device) = (guest.id(), self.own_device()?);
        if !self.classic.talks.contains_key(&id) {
            self.make_room(step);
            let conversation = ConversationId::classic(id, device);
            let talk = Talk::new(conversation, guest.clone(), dialect);
            self.classic.talks.insert(id, talk);
            self.touch(Key::Guest(id));
            self.show_talk(step, id);
        }
        self.classic.talks.get_mut(&id)
    }

    /// A new key costs a guest nothing, so conversations with guests are bounded. The one that is closed is
    /// the quietest of those in which this device never said anything, as long as there is one.
    fn make_room(&mut self, step: &mut Step<'_>) {
        if self.classic.talks.len() < limits::GUEST_TALKS {
            return;
        }
        let worth = |talk: &Talk| (!talk.outbox.is_empty(), talk.answered, talk.place);
        let least = self.classic.talks.iter().min_by_key(|(_, talk)| worth(talk));
        if let Some(guest) = least.map(|(guest, _)| *guest) {
            self.close_talk(step, guest);
        }
    }

    /// Closes a conversation with a guest. What was said stays in the store; the guest can begin another.
    pub(crate) fn close_talk(&mut self, step: &mut Step<'_>, guest: AccountId) {
        self.fail_guest(step, guest, "the conversation was closed");
        if let Some(talk) = self.classic.talks.remove(&guest) {
            self.touch(Key::Guest(guest));
            step.show(Show::Left(talk.conversation));
        }
    }

    /// The place of the next entry of any conversation with a guest.
    pub(super) fn next_place(&mut self) -> u64 {
        self.classic.place = self.classic.place.saturating_add(1);
        self.touch(Key::Classic);
        self.classic.place
    }

    /// Nothing in the conversation is unread.
    pub(crate) fn mark_talk_read(&mut self, step: &mut Step<'_>, guest: AccountId) {
        let Some(talk) = self.classic.talks.get_mut(&guest).filter(|talk| talk.unread > 0) else {
            return;
        };
        talk.unread = 0;
        self.touch(Key::Guest(guest));
        self.show_talk(step, guest);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::client::tests::rng;
    use crate::effect::Gathered;
    use crate::{Config, History, defences};
    use portcullis_crypto::Stretch;
    use portcullis_crypto::testing::classic_key;
    use portcullis_proto::DeviceName;
    use portcullis_proto::classroom::{DialectId, PemLayout, pem_of};

    /// A client with as many conversations as there may be: of the first in order of `worth`.
    fn full(change: impl Fn(u64, &mut Talk)) -> Client {
        let config = Config {
            device_name: DeviceName::parse("test").unwrap(),
            stretch_floor: Stretch::LIGHT,
            history: History::All,
            read_marks: true,
            always_relay: false,
            loopback: false,
            stock: limits::KEY_PACKAGES,
        };
        let mut client = Client::new(config, defences::SOUND);
        let spki = classic_key(0).unwrap().public().spki().to_vec();
        let guest = GuestKey::parse(&pem_of(&spki, PemLayout::ALL[0])).unwrap();
        for number in 0..limits::GUEST_TALKS as u64 {
            let id = conversation(number);
            let mut talk = Talk::new(id, guest.clone(), DialectId::BY_THE_TEXT.row());
            talk.place = number + 1;
            change(number, &mut talk);
            client.classic.talks.insert(account(number), talk);
        }
        client
    }

    fn bytes(number: u64) -> [u8; 16] {
        (u128::from(number) + 1).to_be_bytes()
    }

    fn account(number: u64) -> AccountId {
        AccountId::from_bytes(bytes(number))
    }

    fn conversation(number: u64) -> ConversationId {
        ConversationId::from_bytes(bytes(number))
    }

    fn check(change: impl Fn(u64, &mut Talk), closed: u64) {
        let mut client = full(change);
        let mut rng = rng(1);
        let mut step = Step { now: Timestamp(1), rng: &mut rng, out: Gathered::default() };
        client.make_room(&mut step);
        assert_eq!(client.classic.talks.len(), limits::GUEST_TALKS - 1);
        assert!(!client.classic.talks.contains_key(&account(closed)));
        assert_eq!(step.out.shows, [Show::Left(conversation(closed))]);
        step.out.shows.clear();
        client.make_room(&mut step);
        assert_eq!(step.out.shows, [], "there is room");
    }

    #[test]
    fn the_quietest_conversation_makes_room() {
        let waits = || Told {
            id: Reference::from_bytes([1; 16]),
            text: "wait".to_owned(),
            at: Timestamp(1),
            frame: None,
        };
        check(|_, _| (), 0);
        check(|number, talk| talk.answered = number < 3, 3);
        check(|number, talk| talk.place = 1000 - number, limits::GUEST_TALKS as u64 - 1);
        check(
            |number, talk| {
                talk.answered = number > 0;
                talk.outbox.extend((number == 0).then(waits));
            },
            1,
        );
    }
}
