//! Saying something to a guest: signed once, persisted with the counter that it used up, and sent again until it
//! is answered.

use super::talk::{Talk, Told};
use crate::client::{Client, Pending, Step};
use crate::effect::Key;
use crate::event::Saying;
use crate::limits;
use crate::message::{Body, Message};
use crate::show::{IdentityState, Show};
use portcullis_proto::classroom::{Outgoing, write_chat};
use portcullis_proto::{AccountId, Code, Reference, Refusal, Request, limits as wire};

/// What is said of a message whose reader is gone.
pub(super) const LEFT: &str = "this guest has left";

const TOO_LONG: &str = "this is too long for a guest";

impl Client {
    /// Puts something for a guest into the outbox of its conversation.
    pub(crate) fn say_to_guest(&mut self, step: &mut Step<'_>, guest: AccountId, what: Saying) {
        let id = Reference::fresh(step.now, step.rng);
        let Some(talk) = self.classic.talks.get_mut(&guest) else { return };
        let conversation = talk.conversation;
        match may_say(talk.outbox.len(), what, TEXTS_ALONE) {
            Ok(text) => {
                let body = Body::Text { text: text.clone(), reply_to: None };
                step.show(Show::Pending { conversation, id, body, at: step.now });
                talk.outbox.push_back(Told { id, text, at: step.now, frame: None });
                self.touch(Key::Guest(guest));
                self.settle_guests(step);
            }
            Err(reason) => {
                step.show(Show::Failed { conversation, id, reason: reason.to_owned() });
            }
        }
    }

    /// Sends what waits for guests, once they can know who writes.
    pub(super) fn flush_guests(&mut self, step: &mut Step<'_>) {
        let waiting = self.classic.talks.iter().filter(|(_, talk)| !talk.outbox.is_empty());
        let waiting: Vec<AccountId> = waiting.map(|(guest, _)| *guest).collect();
        if let Some(reason) = self.cannot_tell() {
            waiting.iter().for_each(|guest| self.fail_guest(step, *guest, reason));
            return;
        }
        if self.is_known_to_guests() {
            waiting.iter().for_each(|guest| self.flush_guest(step, *guest));
        }
    }

    /// Why nothing can be said to any guest, if that is certain.
    fn cannot_tell(&self) -> Option<&'static str> {
        match () {
            () if !self.allows_guests() => {
                Some("this account allows no guests, so they couldn't answer: /guests on")
            }
            () if self.classic.unavailable => {
                Some("this device can't have a key for guests, so it can't write to them")
            }
            () => None,
        }
    }

    fn flush_guest(&mut self, step: &mut Step<'_>, guest: AccountId) {
        let (Some(device), Some(talk)) = (self.own_device(), self.classic.talks.get(&guest)) else {
            return;
        };
        let early = talk.retry_at.is_some_and(|at| at > step.now);
        let Some(first) = talk.outbox.front().filter(|_| !talk.in_flight && !early) else {
            return;
        };
        let id = first.id;
        let frame = match first.frame.clone() {
            Some(frame) => frame,
            None if !self.classic.cards.contains_key(&guest) => {
                self.look_for_guests(step);
                return;
            }
            None => match self.write_frame(step, guest) {
                Some(frame) => frame,
                None => {
                    let refusal = Refusal::new(Code::TooLarge, TOO_LONG);
                    return self.told_refused(step, guest, id, &refusal);
                }
            },
        };
        let Some(talk) = self.classic.talks.get_mut(&guest) else { return };
        talk.in_flight = true;
        talk.retry_at = None;
        self.ask(step, Request::GuestChat { guest, device, frame }, Pending::Told(guest, id));
    }

    /// Makes the first message that waits into a frame. The counter that it takes is persisted with it, by
    /// the same event that sends it: no other frame ever has the same.
    fn write_frame(&mut self, step: &mut Step<'_>, guest: AccountId) -> Option<String> {
        let card = self.classic.cards.get(&guest)?;
        let talk = self.classic.talks.get_mut(&guest)?;
        let own = self.classic.own.as_mut()?;
        let told = talk.outbox.front_mut()?;
        let (mut iv, mut key) = ([0; 16], zeroize::Zeroizing::new([0; 16]));
        step.rng.fill_bytes(&mut iv);
        step.rng.fill_bytes(key.as_mut());
        own.counter = own.counter.saturating_add(1);
        let to = [(&talk.guest, card.server.as_str())];
        let outgoing = Outgoing { to: &to, text: &told.text, iv: &iv, key: &key };
        let frame = write_chat(talk.dialect, &own.key, own.counter, &outgoing).ok();
        told.frame = frame.filter(|frame| frame.len() <= wire::GUEST_FRAME_BYTES);
        let frame = told.frame.clone();
        self.touch(Key::Classic);
        self.touch(Key::Guest(guest));
        frame
    }

    /// The gateway has passed a message on.
    pub(crate) fn told_taken(&mut self, step: &mut Step<'_>, guest: AccountId, sent: Reference) {
        let Some(talk) = self.waits_first(guest, sent) else { return };
        talk.in_flight = false;
        let (conversation, told) = (talk.conversation, talk.outbox.pop_front());
        let (Some(told), Some(own)) = (told, &self.own) else { return };
        let (account, sender) = (own.account, own.name.clone().into());
        let Some(device) = self.own_device() else { return };
        let seq = self.next_place();
        if let Some(talk) = self.classic.talks.get_mut(&guest) {
            talk.place = seq;
            talk.answered = true;
        }
        self.touch(Key::Guest(guest));
        let Told { id, text, at: sent_at, .. } = told;
        let body = Body::Text { text, reply_to: None };
        let identity = IdentityState::Own;
        let own = true;
        let message = Message {
            conversation,
            seq,
            id,
            account,
            sender,
            device,
            sent_at,
            body,
            identity,
            own,
        };
        self.keep_message(step, &message);
        step.show(Show::Sent { conversation, id, seq });
        self.settle_guests(step);
    }

    /// The gateway has not passed a message on: later it is tried again, or it has failed.
    pub(crate) fn told_refused(
        &mut self,
        step: &mut Step<'_>,
        guest: AccountId,
        sent: Reference,
        refusal: &Refusal,
    ) {
        let Some(talk) = self.waits_first(guest, sent) else { return };
        talk.in_flight = false;
        if refusal.code.passes() {
            let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
            talk.retry_at = Some(step.now.plus_millis(wait));
            return;
        }
        if refusal.code == Code::NotFound {
            self.classic.cards.remove(&guest);
            return self.fail_guest(step, guest, LEFT);
        }
        let conversation = talk.conversation;
        if let Some(Told { id, .. }) = talk.outbox.pop_front() {
            step.show(Show::Failed { conversation, id, reason: refusal.to_string() });
        }
        self.touch(Key::Guest(guest));
        self.settle_guests(step);
    }

    /// The conversation in which this message waits to be answered for; none if it was given up.
    fn waits_first(&mut self, guest: AccountId, id: Reference) -> Option<&mut Talk> {
        let talk = self.classic.talks.get_mut(&guest)?;
        let waits = talk.outbox.front().is_some_and(|told| told.id == id);
        waits.then_some(talk)
    }

    /// Gives up what waits for a guest.
    pub(crate) fn fail_guest(&mut self, step: &mut Step<'_>, guest: AccountId, reason: &str) {
        let Some(talk) = self.classic.talks.get_mut(&guest) else { return };
        let (conversation, failed) = (talk.conversation, std::mem::take(&mut talk.outbox));
        talk.in_flight = false;
        if !failed.is_empty() {
            self.touch(Key::Guest(guest));
        }
        for Told { id, .. } in failed {
            step.show(Show::Failed { conversation, id, reason: reason.to_owned() });
        }
    }
}

/// The text, if it can be said to guests; `texts_alone` is said of what is no text.
pub(crate) fn may_say(
    waiting: usize,
    what: Saying,
    texts_alone: &'static str,
) -> Result<String, &'static str> {
    let Saying::Text(text) = what else {
        return Err(texts_alone);
    };
    match () {
        () if text.is_empty() => Err("there is nothing to send"),
        () if text.len() > wire::TEXT_BYTES => {
            Err("this is too long for a message: at most 16 KiB")
        }
        () if waiting >= limits::GUEST_OUTBOX => Err("too many messages wait to be sent"),
        () => Ok(text),
    }
}

/// What is said of what is no text.
const TEXTS_ALONE: &str =
    "guests' programs know texts alone: no replies, edits, deletions or reactions";
