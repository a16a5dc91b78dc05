//! Saying something: signed once, persisted before it is sent, and sent again until it is acknowledged.
//!
//! One submit at a time is under way in a conversation, with all that waits, so the order stays. The
//! server knows a reference again, so a lost answer costs nothing.

use crate::client::{Client, Pending, Step};
use crate::conversation::{Conversation, Outgoing};
use crate::effect::Key;
use crate::limits;
use crate::show::Show;
use portcullis_proto::{
    Bytes, Code, Content, ConversationId, Draft, Envelope, Kind, Place, Reference, Refusal,
    Request, SignedContent, limits as wire,
};

impl Client {
    /// Signs a text and puts it into the outbox.
    pub(crate) fn say(&mut self, step: &mut Step<'_>, id: ConversationId, text: String) {
        let id_of_message = Reference::fresh(step.now, step.rng);
        let Some(own) = &self.own else {
            return fail(step, id, id_of_message, "nobody has logged in");
        };
        let (Some((device, key)), account) = (&own.device, own.account) else {
            return fail(step, id, id_of_message, "this device is not enrolled yet");
        };
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return fail(step, id, id_of_message, "you are not in this conversation");
        };
        if let Err(reason) = may_say(conversation, &text) {
            return fail(step, id, id_of_message, reason);
        }
        let waiting = conversation.outbox.len() as u64;
        let n = conversation.own_number.saturating_add(waiting + 1);
        let content = Content {
            id: id_of_message,
            kind: Kind::Text(text.clone()),
            refs: Vec::new(),
            sent_at: step.now,
            after: conversation.seen(),
            place: Some(Place { conversation: id, account, device: *device, n }),
        };
        let body = SignedContent::sign(&content, key).to_body().0;
        let at = step.now;
        let outgoing = Outgoing { id: id_of_message, text: text.clone(), at, body };
        conversation.outbox.push_back(outgoing);
        self.touch(Key::Outbox(id));
        step.show(Show::Pending { conversation: id, id: id_of_message, text, at });
        self.flush(step, id);
    }

    /// Sends what waits anywhere, and fetches what was put off.
    pub(crate) fn flush_all(&mut self, step: &mut Step<'_>) {
        let ids: Vec<ConversationId> = self.conversations.keys().copied().collect();
        for id in ids {
            self.flush(step, id);
            self.catch_up_if_behind(step, id);
        }
    }

    /// Sends what waits in a conversation, unless a submit is under way.
    pub(crate) fn flush(&mut self, step: &mut Step<'_>, id: ConversationId) {
        if !self.is_open() || self.unsettled.is_some() {
            return;
        }
        let Some((device, _)) = self.own.as_ref().and_then(|own| own.device.as_ref()) else {
            return;
        };
        let device = *device;
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let early = conversation.retry_at.is_some_and(|at| at > step.now);
        let idle = conversation.outbox.is_empty() || !conversation.is_member();
        if conversation.in_flight || idle || early {
            return;
        }
        conversation.retry_at = None;
        let most = if conversation.careful > 0 { 1 } else { wire::SUBMIT_ENVELOPES };
        let mut bytes = 0;
        let fits = |outgoing: &&Outgoing| {
            bytes += outgoing.body.len();
            bytes <= limits::SUBMIT_BYTES
        };
        let draft = |outgoing: &Outgoing| Draft {
            reference: outgoing.id,
            body: Bytes(outgoing.body.clone()),
        };
        let waiting = conversation.outbox.iter().take(most).take_while(fits);
        let envelopes: Vec<Draft> = waiting.map(draft).collect();
        let sent = envelopes.iter().map(|draft| draft.reference).collect();
        conversation.in_flight = true;
        let epoch = conversation.summary.epoch;
        let request = Request::Submit { conversation: id, epoch, device, envelopes };
        self.ask(step, request, Pending::Submit(id, sent));
    }

    /// These messages are durable, from sequence number `first` on.
    pub(crate) fn submitted(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        first: u64,
        sent: &[Reference],
    ) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.in_flight = false;
        }
        for (place, reference) in (0..).zip(sent) {
            self.acknowledged(step, id, *reference, first.saturating_add(place));
        }
        self.flush(step, id);
    }

    /// An own message stands in the log: that is as good as an answer.
    pub(crate) fn acknowledge_seen(&mut self, step: &mut Step<'_>, envelope: &Envelope) {
        let own = self.own.as_ref().and_then(|own| own.device.as_ref()).map(|(id, _)| *id);
        if own == Some(envelope.device) {
            self.acknowledged(step, envelope.conversation, envelope.reference, envelope.seq);
        }
    }

    fn acknowledged(
        &mut self,
        step: &mut Step<'_>,
        conversation: ConversationId,
        id: Reference,
        seq: u64,
    ) {
        let Some(state) = self.conversations.get_mut(&conversation) else {
            return;
        };
        let Some(at) = state.outbox.iter().position(|outgoing| outgoing.id == id) else {
            return;
        };
        state.outbox.remove(at);
        state.own_number = state.own_number.saturating_add(1);
        state.acknowledged_at = state.acknowledged_at.max(seq);
        state.careful = state.careful.saturating_sub(1);
        if let Some(own) = &mut self.own {
            own.acknowledged = own.acknowledged.saturating_add(1);
        }
        self.touch(Key::Account);
        self.touch(Key::Outbox(conversation));
        self.touch(Key::Conversation(conversation));
        step.show(Show::Sent { conversation, id, seq });
    }

    /// A submit was refused: later it is made again, or all that waits has failed.
    pub(crate) fn submit_refused(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        refusal: &Refusal,
    ) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        conversation.in_flight = false;
        if refusal.code.passes() || refusal.code == Code::NotNow {
            let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
            conversation.retry_at = Some(step.now.plus_millis(wait));
            return;
        }
        if refusal.code == Code::NotFound {
            return self.left(step, id);
        }
        // What waits behind was numbered after it, so all of it fails, and the numbers are free again.
        self.forget_outbox(step, id, &refusal.to_string());
    }

    /// Gives up what waits in a conversation.
    pub(crate) fn forget_outbox(&mut self, step: &mut Step<'_>, id: ConversationId, reason: &str) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let failed = std::mem::take(&mut conversation.outbox);
        self.touch(Key::Outbox(id));
        for outgoing in failed {
            fail(step, id, outgoing.id, reason);
        }
    }

    /// Gives up all that waits, since this device's keys may not be used any more.
    pub(crate) fn forget_outboxes(&mut self, step: &mut Step<'_>, reason: &str) {
        let ids: Vec<ConversationId> = self.conversations.keys().copied().collect();
        for id in ids {
            if let Some(conversation) = self.conversations.get_mut(&id) {
                conversation.own_number = 0;
            }
            self.touch(Key::Conversation(id));
            self.forget_outbox(step, id, reason);
        }
    }

    /// The server has more envelopes of this device than it knows of. Before anything is sent, the log
    /// tells whether they are those that wait here, whose answers were lost. If not, another copy of
    /// this home has spoken.
    pub(crate) fn settle(&mut self, step: &mut Step<'_>) {
        let (Some(submitted), true) = (self.unsettled, self.is_open()) else {
            return;
        };
        // What waits in a conversation that was left can't be looked up; it may be there.
        let kept = self.conversations.values().filter(|c| !c.is_member());
        let kept: u64 = kept.map(|conversation| conversation.outbox.len() as u64).sum();
        let acknowledged = self.own.as_ref().map_or(0, |own| own.acknowledged);
        if acknowledged.saturating_add(kept) >= submitted && self.all_listed {
            self.unsettled = None;
            return self.flush_all(step);
        }
        let waiting = self.conversations.values().filter(|c| !c.outbox.is_empty() && c.is_member());
        let behind: Vec<_> = waiting.filter(|c| c.is_behind()).map(Conversation::id).collect();
        if behind.is_empty() && self.all_listed {
            self.unsettled = None;
            return self.retire(step);
        }
        for id in behind {
            self.catch_up_if_behind(step, id);
        }
    }
}

fn may_say(conversation: &Conversation, text: &str) -> Result<(), &'static str> {
    if !conversation.is_member() {
        return Err("you are not in this conversation");
    }
    if text.is_empty() {
        return Err("there is nothing to send");
    }
    if text.len() > wire::TEXT_BYTES {
        return Err("this is too long for a message: at most 16 KiB");
    }
    if conversation.outbox.len() >= limits::OUTBOX {
        return Err("too many messages wait to be sent");
    }
    Ok(())
}

fn fail(step: &mut Step<'_>, conversation: ConversationId, id: Reference, reason: &str) {
    step.show(Show::Failed { conversation, id, reason: reason.to_owned() });
}
