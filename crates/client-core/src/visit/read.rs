//! What is said there, taken in: to all, and privately, where our own key finds out what is for us.

use super::guests::Card;
use super::record::seen_in;
use super::say::keep;
use super::{PUBLIC, Visit};
use crate::classic::said;
use crate::client::Step;
use crate::defences::{ChatRefused, GuestAccepted, GuestRefused, Heard};
use crate::effect::Key;
use crate::limits;
use crate::message::Message;
use crate::show::{GuestWarning, Show};
use portcullis_proto::classroom::{
    Chat, DialectId, GuestKey, NotOpened, Payload, SignedFrame, named_author,
};
use portcullis_proto::{AccountId, Reference};

/// Who is said to have sent a frame.
enum Author {
    Guest(AccountId),
    /// We have; some servers send everybody what they were sent.
    Own,
    /// Nobody of the list.
    Unknown,
    /// A private message for others.
    Others,
    /// A private message for us that can't be read.
    Unreadable,
}

impl Visit {
    /// Something that a key has signed.
    pub(super) fn take_frame(&mut self, step: &mut Step<'_>, frame: SignedFrame) {
        match self.author_of(&frame) {
            Author::Unknown => self.hold(frame),
            author => self.take_from(step, author, frame),
        }
    }

    /// The same after a list came: who is still unknown then is nobody.
    pub(super) fn take_again(&mut self, step: &mut Step<'_>, frame: SignedFrame) {
        let author = self.author_of(&frame);
        self.take_from(step, author, frame);
    }

    /// Keeps a frame until the list names its author: somebody who has just come.
    fn hold(&mut self, frame: SignedFrame) {
        let held = self.server.as_mut().map(|server| &mut server.held);
        if let Some(held) = held.filter(|held| held.len() < limits::VISIT_HELD) {
            held.push(frame);
        }
    }

    fn author_of(&self, frame: &SignedFrame) -> Author {
        let (Some(own), Some(server)) = (&self.own, &self.server) else { return Author::Others };
        let named = match frame.payload() {
            Payload::PublicChat { sender, .. } => Ok(sender.clone()),
            Payload::Chat(chat) => named_author(&worth_trying(chat, &own.public), &own.key),
            Payload::Hello { .. } | Payload::ServerHello { .. } | Payload::Other => {
                return Author::Others;
            }
        };
        match named {
            Ok(name) if own.public.is_fingerprint(&name) => Author::Own,
            Ok(name) => server.guests.by_fingerprint(&name).map_or(Author::Unknown, Author::Guest),
            Err(NotOpened::NotForMe) => Author::Others,
            Err(NotOpened::Bad | NotOpened::OtherAuthor) => Author::Unreadable,
        }
    }

    fn take_from(&mut self, step: &mut Step<'_>, author: Author, frame: SignedFrame) {
        let seq = self.place.saturating_add(1);
        match author {
            Author::Own | Author::Others => {}
            Author::Unknown | Author::Unreadable => {
                self.warn_once(step, GuestWarning::NotAuthentic { seq });
            }
            Author::Guest(id) => match self.accept(id, frame) {
                Ok(accepted) => self.take_accepted(step, &accepted),
                Err(GuestRefused::NotAuthentic) => {
                    self.warn_of(step, id, GuestWarning::NotAuthentic { seq });
                }
                Err(GuestRefused::Replayed(name)) => {
                    self.warn_of(step, id, GuestWarning::Replayed { name });
                }
            },
        }
    }

    /// Has the defence look at it, and remembers what it showed.
    fn accept(&mut self, id: AccountId, frame: SignedFrame) -> Result<GuestAccepted, GuestRefused> {
        let card = self.server.as_mut().and_then(|server| server.guests.get_mut(id));
        let Some(card) = card else { return Err(GuestRefused::NotAuthentic) };
        let Card { guest, counter, .. } = &*card;
        let seen = self.seen.numbers();
        let heard = Heard { guest, counter: *counter, seen };
        let accepted = (self.defences.accept_visited)(&heard, frame)?;
        let (frame, signing) = (accepted.frame(), accepted.signing());
        card.counter = Some(frame.counter());
        let dialect = DialectId::recognise(frame, signing, card.guest.pem());
        card.dialect = Some(dialect.row().name);
        Ok(accepted)
    }

    /// Warns of what is done with somebody's name; once in a connection.
    fn warn_of(&mut self, step: &mut Step<'_>, id: AccountId, warning: GuestWarning) {
        let card = self.server.as_mut().and_then(|server| server.guests.get_mut(id));
        let Some(card) = card else { return };
        if !std::mem::replace(&mut card.warned, true) {
            let talk = self.talks.get(&id).map(|talk| talk.conversation);
            step.warn(talk, warning);
        }
    }

    fn take_accepted(&mut self, step: &mut Step<'_>, accepted: &GuestAccepted) {
        let id = accepted.frame().reference(accepted.signing());
        match accepted.frame().payload() {
            Payload::PublicChat { message, .. } => {
                self.seen.remember(id, &mut self.dirty);
                let seq = self.next_place();
                self.unread = self.unread.saturating_add(1);
                take(step, said(accepted, (PUBLIC, seq, id), step.now, message.clone()));
                step.show(Show::Conversation(self.public_view()));
            }
            _ => self.take_chat(step, accepted, id),
        }
    }

    fn take_chat(&mut self, step: &mut Step<'_>, accepted: &GuestAccepted, id: Reference) {
        let Some(own) = &self.own else { return };
        let guest = accepted.guest();
        let name = || guest.name().clone();
        let refused = match (self.defences.open_guest_chat)(accepted, &own.key, &own.public) {
            Err(ChatRefused::ForOthers) => return,
            Ok(opened) => {
                let (text, others, dialect) = opened.into_parts();
                self.begin_talk(step, guest, self.dialect);
                self.seen.remember(id, &mut self.dirty);
                let seq = self.next_place();
                let answer_in = seen_in(&dialect, self.dialect);
                let Some(talk) = self.talks.get_mut(&guest.id()) else { return };
                (talk.dialect, talk.place) = (answer_in, seq);
                talk.unread = talk.unread.saturating_add(1);
                let conversation = talk.conversation;
                self.dirty.insert(Key::Guest(guest.id()));
                take(step, said(accepted, (conversation, seq, id), step.now, text));
                step.show(Show::Conversation(talk.view()));
                if others > 0 {
                    step.warn(Some(conversation), GuestWarning::Shared { name: name(), others });
                }
                return;
            }
            Err(ChatRefused::Unreadable) => GuestWarning::Unreadable { name: name() },
            Err(ChatRefused::OtherAuthor) => GuestWarning::OtherAuthor { name: name() },
            Err(ChatRefused::NotAddressed) => GuestWarning::NotAddressed { name: name() },
        };
        self.seen.remember(id, &mut self.dirty);
        self.warn_of(step, guest.id(), refused);
    }
}

/// A chat with no more of its keys than may be tried.
fn worth_trying(chat: &Chat, own: &GuestKey) -> Chat {
    let mut chat = chat.clone();
    if let Some(sealed) = &mut chat.sealed {
        sealed.keys.retain(|key| key.len() == own.key().bits().div_ceil(8));
        sealed.keys.truncate(limits::GUEST_KEYS);
    }
    chat
}

/// Keeps a message, and shows it.
fn take(step: &mut Step<'_>, message: Message) {
    keep(step, &message);
    step.show(Show::Message(message));
}
