//! Who is there: the keys of the server's list, each with what was seen of it since it was listed.

use super::Visit;
use crate::classic::Talk;
use crate::client::Step;
use crate::effect::Key;
use crate::limits;
use crate::show::{GuestView, Show};
use portcullis_proto::classroom::{Dialect, GuestKey, ServerList};
use portcullis_proto::{AccountId, Code, ConversationId, GuestName, Refusal};
use std::collections::BTreeMap;

/// What is said where somebody's dialect was not seen yet.
const NOT_SEEN: &str = "not seen yet";

/// The keys of the list, without our own.
#[derive(Default)]
pub(super) struct Guests {
    cards: BTreeMap<AccountId, Card>,
    /// By the PEM as listed, so that none is parsed with every list.
    known: BTreeMap<String, GuestKey>,
}

/// A key of the list.
pub(super) struct Card {
    pub(super) guest: GuestKey,
    /// What `destination_servers` calls its server.
    pub(super) server: String,
    /// The name of its dialect, once that was seen.
    pub(super) dialect: Option<&'static str>,
    /// The last counter that counted. It begins anew with a key's own connection, which is seen here only
    /// where the key was not listed in between.
    pub(super) counter: Option<u64>,
    /// It was warned of, in this connection.
    pub(super) warned: bool,
}

impl Card {
    fn new(guest: GuestKey, server: String) -> Self {
        Self { guest, server, dialect: None, counter: None, warned: false }
    }

    fn view(&self) -> GuestView {
        GuestView {
            name: self.guest.name().clone(),
            dialect: self.dialect.unwrap_or(NOT_SEEN).to_owned(),
            server: self.server.clone(),
        }
    }
}

impl Guests {
    /// Takes a list in; gives who came and who went. What can't be read as a key is nobody's.
    fn update(
        &mut self,
        servers: &[ServerList],
        own: AccountId,
    ) -> (Vec<GuestName>, Vec<GuestName>) {
        let listed = servers.iter().flat_map(|server| {
            server.clients.iter().map(|pem| (pem.as_str(), server.address.as_str()))
        });
        let (mut before, mut known) =
            (std::mem::take(&mut self.cards), std::mem::take(&mut self.known));
        let mut came = Vec::new();
        for (pem, server) in listed.take(limits::VISIT_GUESTS) {
            let guest = known.remove(pem).or_else(|| GuestKey::parse(pem).ok());
            let Some(guest) = guest.filter(|guest| guest.id() != own) else { continue };
            let id = guest.id();
            self.known.insert(pem.to_owned(), guest.clone());
            if self.cards.contains_key(&id) {
                continue;
            }
            let card = before.remove(&id).map(|card| Card { server: server.to_owned(), ..card });
            let card = card.unwrap_or_else(|| {
                came.push(guest.name().clone());
                Card::new(guest, server.to_owned())
            });
            self.cards.insert(id, card);
        }
        let went = before.into_values().map(|card| card.guest.name().clone()).collect();
        (came, went)
    }

    pub(super) fn get(&self, id: AccountId) -> Option<&Card> {
        self.cards.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> Option<&mut Card> {
        self.cards.get_mut(&id)
    }

    fn named(&self, name: &GuestName) -> Option<&Card> {
        self.cards.values().find(|card| card.guest.name() == name)
    }

    /// Whose fingerprint this is, computed in any way that is known.
    pub(super) fn by_fingerprint(&self, text: &str) -> Option<AccountId> {
        let mut cards = self.cards.iter();
        cards.find(|(_, card)| card.guest.is_fingerprint(text)).map(|(id, _)| *id)
    }
}

impl Visit {
    /// The server says who is there.
    pub(super) fn listed(&mut self, step: &mut Step<'_>, servers: &[ServerList]) {
        let (Some(own), Some(server)) = (&self.own, &mut self.server) else { return };
        if !std::mem::replace(&mut server.listed, true) {
            step.show(Show::Listed);
        }
        server.is_asked = false;
        let (came, went) = server.guests.update(servers, own.public.id());
        if !came.is_empty() || !went.is_empty() {
            step.show(Show::GuestsPresence { came, went });
        }
        if std::mem::take(&mut server.shows_list) {
            step.show(Show::Guests(server.guests.cards.values().map(Card::view).collect()));
        }
        let held = std::mem::take(&mut server.held);
        held.into_iter().for_each(|frame| self.take_again(step, frame));
        for (name, text) in std::mem::take(&mut self.wanted) {
            self.tell_listed(step, name, text);
        }
        self.fail_absent(step);
    }

    /// Lists who is there for a person.
    pub(super) fn list_guests(&mut self, step: &mut Step<'_>) {
        let Some(server) = &mut self.server else { return not_connected(step) };
        server.shows_list = true;
        self.ask(step);
    }

    /// Says something to somebody, who is looked up first where nobody of the name is known. An empty text
    /// begins the conversation alone.
    pub(super) fn tell(&mut self, step: &mut Step<'_>, name: GuestName, text: String) {
        let known = self.talks.values().any(|talk| talk.guest.name() == &name);
        let guests = self.server.as_ref().map(|server| &server.guests);
        match guests {
            _ if known => self.tell_listed(step, name, text),
            Some(guests) if guests.named(&name).is_some() => self.tell_listed(step, name, text),
            Some(_) => {
                self.wanted.push((name, text));
                self.ask(step);
            }
            None => not_connected(step),
        }
    }

    fn tell_listed(&mut self, step: &mut Step<'_>, name: GuestName, text: String) {
        let card = self.server.as_ref().and_then(|server| server.guests.named(&name));
        if let Some(guest) = card.map(|card| card.guest.clone()) {
            self.begin_talk(step, &guest, self.dialect);
        }
        let talk = self.talks.values().find(|talk| talk.guest.name() == &name);
        let Some(conversation) = talk.map(|talk| talk.conversation) else {
            return not_found(step, Refusal::new(Code::NotFound, format!("{name} is not here")));
        };
        // Once more, for whoever asked to see it.
        self.show_talk(step, &name);
        if !text.is_empty() {
            self.say(step, conversation, crate::Saying::Text(text));
        }
    }

    fn show_talk(&self, step: &mut Step<'_>, name: &GuestName) {
        let named = self.talks.values().filter(|talk| talk.guest.name() == name);
        named.for_each(|talk| step.show(Show::Conversation(talk.view())));
    }

    /// Begins the conversation with a guest, if there is none.
    pub(super) fn begin_talk(&mut self, step: &mut Step<'_>, guest: &GuestKey, dialect: Dialect) {
        let Some(own) = &self.own else { return };
        if self.talks.contains_key(&guest.id()) {
            return;
        }
        let conversation = ConversationId::classic(guest.id(), own.device());
        self.make_room(step);
        let talk = Talk::new(conversation, guest.clone(), dialect);
        step.show(Show::Conversation(talk.view()));
        self.talks.insert(guest.id(), talk);
        self.dirty.insert(Key::Guest(guest.id()));
    }

    /// A new key costs a guest nothing, so conversations are bounded: the quietest of those in which nothing
    /// was answered is closed.
    fn make_room(&mut self, step: &mut Step<'_>) {
        if self.talks.len() < limits::GUEST_TALKS {
            return;
        }
        let least = self.talks.values().min_by_key(|talk| (talk.answered, talk.place));
        if let Some(conversation) = least.map(|talk| talk.conversation) {
            self.close_talk(step, conversation);
        }
    }

    /// Closes a conversation with a guest. What was said stays in the store; the guest can begin another.
    pub(super) fn close_talk(&mut self, step: &mut Step<'_>, conversation: ConversationId) {
        let Some(guest) = self.guest_of(conversation) else { return };
        self.talks.remove(&guest);
        self.waiting.retain(|waiting| waiting.conversation != conversation);
        self.dirty.extend([Key::Guest(guest), Key::Classic]);
        step.show(Show::Left(conversation));
    }

    /// The guest of a conversation.
    pub(super) fn guest_of(&self, conversation: ConversationId) -> Option<AccountId> {
        let mut talks = self.talks.iter();
        talks.find(|(_, talk)| talk.conversation == conversation).map(|(guest, _)| *guest)
    }
}

/// Nobody of a name can be talked to.
pub(super) fn not_found(step: &mut Step<'_>, refusal: Refusal) {
    step.show(Show::Refused { what: "find this guest", refusal });
}

fn not_connected(step: &mut Step<'_>) {
    let refusal = Refusal::new(Code::NotNow, "there is no connection");
    step.show(Show::Refused { what: "ask who is there", refusal });
}
