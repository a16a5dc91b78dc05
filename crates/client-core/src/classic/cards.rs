//! Which guests are here: looked up when somebody wants to know, or has something to say to one.

use crate::client::{Client, Pending, Step};
use crate::limits;
use crate::show::{GuestView, Show, Warning};
use portcullis_proto::classroom::{Dialect, DialectId, GuestKey, PemLayout};
use portcullis_proto::{AccountId, Code, GuestCard, GuestName, Refusal, Request};
use std::collections::{BTreeMap, BTreeSet};

/// What the gateway says of a guest.
pub(super) struct Card {
    pub(super) guest: GuestKey,
    /// How it speaks, by its `hello`.
    pub(super) dialect: Dialect,
    /// What `destination_servers` calls its server.
    pub(super) server: String,
}

/// A look at all guests.
#[derive(Default)]
pub(super) struct Listing {
    /// A person wants to see them.
    shows: bool,
    /// Who came, and is told of by name once it is known.
    came: BTreeSet<AccountId>,
    pages: u32,
    cards: BTreeMap<AccountId, Card>,
}

impl Card {
    /// None for what can't be a guest's, or is not this one's.
    fn read(card: &GuestCard) -> Option<Self> {
        let guest = GuestKey::parse(&card.pem).ok().filter(|guest| guest.id() == card.guest)?;
        let row = DialectId::from_name(&card.dialect).unwrap_or(DialectId::BY_THE_TEXT).row();
        let dialect = Dialect { pem: PemLayout::of(guest.pem()), ..row };
        Some(Self { guest, dialect, server: card.server.clone() })
    }

    fn view(&self) -> GuestView {
        let (name, dialect) = (self.guest.name().clone(), self.dialect.name.to_owned());
        GuestView { name, dialect, server: self.server.clone() }
    }
}

impl Client {
    /// Lists the guests for a person.
    pub(crate) fn list_guests(&mut self, step: &mut Step<'_>) {
        self.look_for_guests(step).shows = true;
    }

    /// Looks who is here, unless that is under way.
    pub(super) fn look_for_guests(&mut self, step: &mut Step<'_>) -> &mut Listing {
        if self.classic.listing.is_none() {
            self.ask(step, Request::Guests { after: None }, Pending::Guests);
        }
        self.classic.listing.get_or_insert_default()
    }

    /// A page of guests came.
    pub(crate) fn guests_listed(&mut self, step: &mut Step<'_>, guests: &[GuestCard], more: bool) {
        let Some(listing) = &mut self.classic.listing else { return };
        for card in guests {
            match Card::read(card) {
                Some(read) => drop(listing.cards.insert(card.guest, read)),
                None => step.warn(None, Warning::Nonsense),
            }
        }
        listing.pages += 1;
        let more = more && listing.pages < limits::PAGES;
        if let Some(last) = guests.last().filter(|_| more) {
            let request = Request::Guests { after: Some(last.guest) };
            return self.ask(step, request, Pending::Guests);
        }
        if let Some(listing) = self.classic.listing.take() {
            self.guests_known(step, listing);
        }
    }

    fn guests_known(&mut self, step: &mut Step<'_>, listing: Listing) {
        let Listing { shows, came, cards, .. } = listing;
        self.classic.cards = cards;
        self.classic.looked |= shows;
        if shows {
            step.show(Show::Guests(self.classic.cards.values().map(Card::view).collect()));
        }
        self.tell_presence(step, &came, Vec::new());
        for (name, text) in std::mem::take(&mut self.classic.wanted) {
            match self.guest_named(&name) {
                Some(guest) => self.tell_known(step, guest, text),
                None => not_here(step, &name),
            }
        }
        let gone: Vec<AccountId> = self.without_card().collect();
        for guest in gone {
            self.fail_guest(step, guest, super::send::LEFT);
        }
        self.settle_guests(step);
    }

    /// Guests to whom something is to be written, and of whom this session has no card.
    pub(super) fn without_card(&self) -> impl Iterator<Item = AccountId> + '_ {
        let unwritten = |talk: &super::Talk| talk.outbox.iter().any(|told| told.frame.is_none());
        let talks = self.classic.talks.iter().filter(move |(_, talk)| unwritten(talk));
        talks.map(|(id, _)| *id).filter(|id| !self.classic.cards.contains_key(id))
    }

    /// The guests can't be listed.
    pub(crate) fn guests_refused(&mut self, step: &mut Step<'_>, refusal: Refusal) {
        let listing = self.classic.listing.take();
        let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
        let unknown: Vec<AccountId> = self.without_card().collect();
        for guest in unknown {
            match self.classic.talks.get_mut(&guest) {
                Some(talk) if refusal.code.passes() => {
                    talk.retry_at = Some(step.now.plus_millis(wait));
                }
                _ => self.fail_guest(step, guest, &refusal.to_string()),
            }
        }
        let wanted = std::mem::take(&mut self.classic.wanted);
        if !wanted.is_empty() || listing.is_some_and(|listing| listing.shows) {
            step.show(Show::Refused { what: "list the guests", refusal });
        }
    }

    /// The server says who came and went.
    pub(crate) fn guests_moved(
        &mut self,
        step: &mut Step<'_>,
        came: Vec<AccountId>,
        went: &[AccountId],
        more: bool,
    ) {
        let went = went.iter().filter_map(|id| self.take_name(*id)).collect();
        // Whoever has not looked for guests is told of those alone with whom they talk.
        let asks = self.classic.looked;
        let (known, new): (BTreeSet<_>, BTreeSet<_>) =
            came.into_iter().partition(|id| self.guest_name(*id).is_some());
        self.tell_presence(step, &known, went);
        if asks && (more || !new.is_empty()) {
            let listing = self.look_for_guests(step);
            listing.shows |= more;
            listing.came.extend(new);
        }
    }

    fn guest_name(&self, id: AccountId) -> Option<GuestName> {
        let card = self.classic.cards.get(&id).map(|card| &card.guest);
        let guest = card.or_else(|| self.classic.talks.get(&id).map(|talk| &talk.guest))?;
        Some(guest.name().clone())
    }

    /// The name of a guest who is no longer here.
    fn take_name(&mut self, id: AccountId) -> Option<GuestName> {
        let name = self.guest_name(id);
        self.classic.cards.remove(&id);
        name
    }

    fn tell_presence(&self, step: &mut Step<'_>, came: &BTreeSet<AccountId>, went: Vec<GuestName>) {
        let came: Vec<GuestName> = came.iter().filter_map(|id| self.guest_name(*id)).collect();
        if !came.is_empty() || !went.is_empty() {
            step.show(Show::GuestsPresence { came, went });
        }
    }

    /// Says something to a guest, which is looked up first where it is not known. An empty text begins
    /// the conversation alone.
    pub(crate) fn tell_guest(&mut self, step: &mut Step<'_>, name: GuestName, text: String) {
        if let Some(guest) = self.guest_named(&name) {
            return self.tell_known(step, guest, text);
        }
        if !self.is_open() {
            return self.not_online(step, "look this guest up");
        }
        self.classic.wanted.push((name, text));
        self.look_for_guests(step);
    }

    fn tell_known(&mut self, step: &mut Step<'_>, guest: AccountId, text: String) {
        if let Some(card) = self.classic.cards.get(&guest) {
            let (key, dialect) = (card.guest.clone(), card.dialect);
            self.begin_talk(step, &key, dialect);
        }
        self.show_talk(step, guest);
        if !text.is_empty() {
            self.say_to_guest(step, guest, crate::Saying::Text(text));
        }
    }
}

fn not_here(step: &mut Step<'_>, name: &GuestName) {
    let refusal = Refusal::new(Code::NotFound, format!("{name} is not here"));
    step.show(Show::Refused { what: "find this guest", refusal });
}
