//! Saying something: signed, persisted with the counter that it takes, and sent. Nobody acknowledges it, so it
//! counts as said then.

use super::guests::not_found;
use super::{PUBLIC, Visit};
use crate::classic::may_say;
use crate::client::Step;
use crate::effect::{Key, Write};
use crate::event::Saying;
use crate::message::{Body, Message};
use crate::records;
use crate::show::{IdentityState, Show};
use portcullis_proto::classroom::{Outgoing, write_chat, write_public_chat};
use portcullis_proto::{
    AccountId, Code, ConversationId, PersonName, Reference, Refusal, Timestamp, limits as wire,
};
use zeroize::Zeroizing;

/// Something that is to be said.
pub(super) struct Waiting {
    pub(super) conversation: ConversationId,
    /// To whom; nobody in particular where it is to all.
    pub(super) guest: Option<AccountId>,
    pub(super) id: Reference,
    pub(super) text: String,
    pub(super) at: Timestamp,
}

/// Why something waits no longer.
const NOT_HERE: &str = "this guest is not here";

impl Waiting {
    /// As it is shown.
    pub(super) fn view(&self) -> Show {
        let Self { conversation, id, at, .. } = *self;
        let body = Body::Text { text: self.text.clone(), reply_to: None };
        Show::Pending { conversation, id, body, at }
    }
}

impl Visit {
    /// Puts something where it waits for the connection, and for the list that has its reader.
    pub(super) fn say(&mut self, step: &mut Step<'_>, conversation: ConversationId, what: Saying) {
        let id = Reference::fresh(step.now, step.rng);
        let guest = self.guest_of(conversation);
        if guest.is_none() && conversation != PUBLIC {
            return;
        }
        match may_say(self.waiting.len(), what, TEXTS_ALONE) {
            Ok(text) => {
                let waiting = Waiting { conversation, guest, id, text, at: step.now };
                step.show(waiting.view());
                self.waiting.push(waiting);
                self.dirty.insert(Key::Classic);
            }
            Err(reason) => {
                step.show(Show::Failed { conversation, id, reason: reason.to_owned() });
            }
        }
    }

    /// Sends what waits, and asks for those who are not listed.
    pub(super) fn flush(&mut self, step: &mut Step<'_>) {
        if !self.server.as_ref().is_some_and(|server| server.greeted) {
            return;
        }
        let (ready, absent): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.guest.is_none_or(|guest| self.is_listed(guest)));
        self.waiting = absent;
        ready.into_iter().for_each(|waiting| self.send(step, waiting));
        if !self.waiting.is_empty() || !self.wanted.is_empty() {
            self.ask(step);
        }
    }

    /// After a list: who is not in it gets nothing.
    pub(super) fn fail_absent(&mut self, step: &mut Step<'_>) {
        self.flush(step);
        self.fail_all(step, NOT_HERE);
    }

    /// The server does not say who is there, so what waits for that fails.
    pub(super) fn give_up(&mut self, step: &mut Step<'_>, reason: &str) {
        for (name, _) in std::mem::take(&mut self.wanted) {
            not_found(step, Refusal::new(Code::Unavailable, format!("{name}: {reason}")));
        }
        self.fail_all(step, reason);
    }

    fn fail_all(&mut self, step: &mut Step<'_>, reason: &str) {
        for Waiting { conversation, id, .. } in std::mem::take(&mut self.waiting) {
            self.dirty.insert(Key::Classic);
            step.show(Show::Failed { conversation, id, reason: reason.to_owned() });
        }
    }

    fn is_listed(&self, guest: AccountId) -> bool {
        self.server.as_ref().is_some_and(|server| server.guests.get(guest).is_some())
    }

    fn send(&mut self, step: &mut Step<'_>, waiting: Waiting) {
        let frame = match waiting.guest {
            None => {
                let dialect = self.dialect;
                self.sign(|key, counter| write_public_chat(dialect, key, counter, &waiting.text))
            }
            Some(guest) => self.seal(step, guest, &waiting.text),
        };
        let Waiting { conversation, guest, id, text, at } = waiting;
        self.dirty.insert(Key::Classic);
        let Some(frame) = frame.filter(|frame| frame.len() <= wire::GUEST_FRAME_BYTES) else {
            let reason = "this is too long for a classroom server".to_owned();
            return step.show(Show::Failed { conversation, id, reason });
        };
        step.out.sends.push(frame);
        let seq = self.next_place();
        if let Some((guest, talk)) =
            guest.and_then(|guest| Some((guest, self.talks.get_mut(&guest)?)))
        {
            (talk.place, talk.answered) = (seq, true);
            self.dirty.insert(Key::Guest(guest));
        }
        self.keep_own(step, (conversation, seq), id, text, at);
        step.show(Show::Sent { conversation, id, seq });
    }

    fn seal(&mut self, step: &mut Step<'_>, guest: AccountId, text: &str) -> Option<String> {
        let (mut iv, mut aes) = ([0; 16], Zeroizing::new([0; 16]));
        step.rng.fill_bytes(&mut iv);
        step.rng.fill_bytes(aes.as_mut());
        let card = self.server.as_ref()?.guests.get(guest)?;
        let (reader, server) = (card.guest.clone(), card.server.clone());
        let dialect = self.talks.get(&guest)?.dialect;
        self.sign(|key, counter| {
            let to = [(&reader, server.as_str())];
            write_chat(dialect, key, counter, &Outgoing { to: &to, text, iv: &iv, key: &aes })
        })
    }

    fn keep_own(
        &self,
        step: &mut Step<'_>,
        (conversation, seq): (ConversationId, u64),
        id: Reference,
        text: String,
        sent_at: Timestamp,
    ) {
        let Some(own) = &self.own else { return };
        keep(
            step,
            &Message {
                conversation,
                seq,
                id,
                account: own.public.id(),
                sender: PersonName::Guest(own.public.name().clone()),
                device: own.device(),
                sent_at,
                body: Body::Text { text, reply_to: None },
                identity: IdentityState::Own,
                own: true,
            },
        );
    }

    /// The place of the next message, in whatever conversation.
    pub(super) fn next_place(&mut self) -> u64 {
        self.place = self.place.saturating_add(1);
        self.dirty.insert(Key::Classic);
        self.place
    }
}

/// Keeps a message.
pub(super) fn keep(step: &mut Step<'_>, message: &Message) {
    let key = Key::Message(message.conversation, message.seq);
    let value = Some(Zeroizing::new(records::write_message(message)));
    step.out.messages.push(Write { key, value });
}

/// What is said of what is no text.
const TEXTS_ALONE: &str =
    "a classroom knows texts alone: no replies, edits, deletions or reactions";
