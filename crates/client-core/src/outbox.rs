//! Saying something: signed once, persisted before it is sent, and sent again until it is acknowledged.
//!
//! One submit at a time is under way in a conversation, with all that waits, so the order stays. The
//! server knows a reference again, so a lost answer costs nothing.

use crate::client::{Client, History, Pending, Step};
use crate::conversation::{Conversation, Outgoing};
use crate::effect::Key;
use crate::encrypted::Inbox;
use crate::event::Saying;
use crate::limits;
use crate::message::Message;
use crate::promised::Promise;
use crate::show::{IdentityState, Show};
use portcullis_proto::{
    Bytes, Code, Content, ConversationId, Draft, Envelope, Kind, Place, Reference, Refusal,
    Request, SignedContent, limits as wire,
};

impl Client {
    /// Puts something that is to be said into the outbox.
    pub(crate) fn say(&mut self, step: &mut Step<'_>, id: ConversationId, what: Saying) {
        let reference = Reference::fresh(step.now, step.rng);
        let (kind, refs) = kind_of(what);
        match self.outgoing(step, id, reference, (kind, refs)) {
            Ok(outgoing) => self.put(step, id, outgoing),
            Err(reason) => fail(step, id, reference, &reason),
        }
    }

    fn put(&mut self, step: &mut Step<'_>, id: ConversationId, outgoing: Outgoing) {
        let (reference, at) = (outgoing.content.id, outgoing.content.sent_at);
        if let Some(body) = self.body_of(id, &outgoing.content) {
            step.show(Show::Pending { conversation: id, id: reference, body, at });
        }
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.outbox.push_back(outgoing);
        }
        self.touch(Key::Outbox(id));
        self.flush(step, id);
    }

    /// Puts something into an encrypted conversation's outbox that has to be said whatever is in its way now.
    pub(crate) fn put_unchecked(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        (reference, kind, refs): (Reference, Kind, Vec<Reference>),
    ) {
        if let Some(content) = self.blank(id, reference, kind, refs, step.now) {
            self.put(step, id, Outgoing { content, body: None });
        }
    }

    /// What goes into the outbox: signed, where it is for a channel; for an encrypted conversation it is
    /// encrypted when it is sent.
    fn outgoing(
        &self,
        step: &Step<'_>,
        id: ConversationId,
        reference: Reference,
        (kind, refs): (Kind, Vec<Reference>),
    ) -> Result<Outgoing, String> {
        let own = self.own.as_ref().ok_or("nobody has logged in")?;
        let device = own.device.as_ref().ok_or("this device is not enrolled yet")?;
        let conversation = self.conversations.get(&id).ok_or("you are not in this conversation")?;
        if conversation.is_classroom() {
            return Err("nobody speaks here".to_owned());
        }
        may_say(conversation, &kind)?;
        if let Some(reason) = self.is_blocked(id) {
            return Err(reason);
        }
        let after = conversation.seen();
        let mut content =
            Content { id: reference, kind, refs, sent_at: step.now, after, place: None };
        self.check_change(id, own.account, &content).map_err(|refused| refused.to_string())?;
        if conversation.encrypted.is_some() {
            return Ok(Outgoing { content, body: None });
        }
        let waiting = conversation.outbox.len() as u64;
        let n = conversation.own_number.saturating_add(waiting + 1);
        let (account, device_id) = (own.account, device.id);
        content.place = Some(Place { conversation: id, account, device: device_id, n });
        let body = SignedContent::sign(&content, &device.auth).to_body().0;
        Ok(Outgoing { content, body: Some((0, body)) })
    }

    /// Sends what waits anywhere, and fetches what was put off.
    pub(crate) fn flush_all(&mut self, step: &mut Step<'_>) {
        let ids: Vec<ConversationId> = self.conversations.keys().copied().collect();
        for id in ids {
            self.flush(step, id);
            self.catch_up_if_behind(step, id);
        }
    }

    /// Takes the next step in a conversation: in a channel to send what waits, in an encrypted one also
    /// to bring it in line.
    pub(crate) fn flush(&mut self, step: &mut Step<'_>, id: ConversationId) {
        if !self.is_open() || self.unsettled.is_some() {
            return;
        }
        match self.conversations.get(&id) {
            Some(conversation) if conversation.encrypted.is_some() => self.advance(step, id),
            Some(_) => self.submit_waiting(step, id, 0),
            None => {}
        }
    }

    /// Sends what waits and was made for this epoch, unless a submit is under way.
    pub(crate) fn submit_waiting(&mut self, step: &mut Step<'_>, id: ConversationId, epoch: u64) {
        let Some(device) = self.own_device() else {
            return;
        };
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
        let made = |outgoing: &Outgoing| -> Option<Draft> {
            let (made_for, body) = outgoing.body.as_ref()?;
            bytes += body.len();
            let fits = *made_for == epoch && bytes <= limits::SUBMIT_BYTES;
            let reference = outgoing.content.id;
            fits.then(|| Draft { reference, body: Bytes(body.clone()) })
        };
        let envelopes: Vec<Draft> = conversation.outbox.iter().take(most).map_while(made).collect();
        if envelopes.is_empty() {
            return;
        }
        let sent = envelopes.iter().map(|draft| draft.reference).collect();
        conversation.in_flight = true;
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
            let seq = first.saturating_add(place);
            if self.waits(id, *reference) && self.check_place(step, id, seq) {
                self.promised(id, *reference, seq);
                self.acknowledged(step, id, *reference, seq);
            }
        }
        self.flush(step, id);
    }

    /// Whether an own message was not acknowledged yet.
    fn waits(&self, id: ConversationId, reference: Reference) -> bool {
        let outbox = self.conversations.get(&id).map(|conversation| &conversation.outbox);
        outbox.is_some_and(|outbox| outbox.iter().any(|o| o.content.id == reference))
    }

    /// The server says where an own message stands. Whoever reads nothing can't hold it to that.
    fn promised(&mut self, id: ConversationId, reference: Reference, seq: u64) {
        let reads = self.config.history != History::None;
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let encrypted = conversation.encrypted.is_some();
        if encrypted || reads {
            let shown = conversation.outbox.iter().find(|o| o.content.id == reference);
            let kept = encrypted && shown.is_some_and(Outgoing::is_visible);
            conversation.promise(seq, Promise { reference, kept });
        }
    }

    /// An own message stands in the log: that is as good as an answer.
    pub(crate) fn acknowledge_seen(&mut self, step: &mut Step<'_>, envelope: &Envelope) {
        if self.own_device() == Some(envelope.device) {
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
        let at = state.outbox.iter().position(|outgoing| outgoing.content.id == id);
        let Some(outgoing) = at.and_then(|at| state.outbox.remove(at)) else {
            return;
        };
        let encrypted = state.encrypted.is_some();
        if !encrypted {
            state.own_number = state.own_number.saturating_add(1);
        }
        state.acknowledged_at = state.acknowledged_at.max(seq);
        state.careful = state.careful.saturating_sub(1);
        if let Some(own) = &mut self.own {
            own.acknowledged = own.acknowledged.saturating_add(1);
        }
        self.touch(Key::Account);
        self.touch(Key::Outbox(conversation));
        self.touch(Key::Conversation(conversation));
        if encrypted {
            // Nobody can open what they have encrypted themselves: it is kept now or never.
            self.keep_own(step, conversation, seq, &outgoing.content);
            self.own_step_stands(step, (conversation, seq), &outgoing.content);
        }
        if outgoing.is_visible() {
            step.show(Show::Sent { conversation, id, seq });
        }
    }

    fn keep_own(
        &mut self,
        step: &mut Step<'_>,
        conversation: ConversationId,
        seq: u64,
        content: &Content,
    ) {
        let (Some(own), Some(body)) = (&self.own, self.body_of(conversation, content)) else {
            return;
        };
        let Some(device) = self.own_device() else {
            return;
        };
        let message = Message {
            conversation,
            seq,
            id: content.id,
            account: own.account,
            sender: own.name.clone().into(),
            device,
            sent_at: content.sent_at,
            body,
            identity: IdentityState::Own,
            own: true,
        };
        self.keep_message(step, &message);
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
        if refusal.code == Code::EpochChanged && conversation.encrypted.is_some() {
            // Somebody was faster: once that was read, what waits is encrypted for the new epoch.
            self.put_off(step, id, 0);
            return self.list_conversations(step);
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
            let Content { id: message, kind, refs, .. } = &outgoing.content;
            self.step_lost(*message, kind, refs);
            if outgoing.is_visible() {
                fail(step, id, outgoing.content.id, reason);
            }
        }
    }

    /// Gives up all that waits, and this device's keys, since they may not be used any more.
    pub(crate) fn forget_outboxes(&mut self, step: &mut Step<'_>, reason: &str) {
        self.forget_all_keys();
        self.inbox = Inbox::default();
        self.touch(Key::Inbox);
        self.forget_guests(step, reason);
        self.give_transfers_up(None);
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
        let kept: u64 = kept.map(Conversation::unacknowledged).sum();
        let acknowledged = self.own.as_ref().map_or(0, |own| own.acknowledged);
        if acknowledged.saturating_add(kept) >= submitted && self.all_listed {
            self.unsettled = None;
            return self.flush_all(step);
        }
        let waiting =
            self.conversations.values().filter(|c| c.unacknowledged() > 0 && c.is_member());
        let behind: Vec<_> = waiting.filter(|c| c.is_behind()).map(Conversation::id).collect();
        if behind.is_empty() && self.all_listed {
            self.unsettled = None;
            return self.retire(step);
        }
        for id in behind {
            // A commit is known again by its reference, and its answer tells as well as the log.
            match self.unanswered_commit(id) {
                Some(commit) => self.send_commit(step, id, &commit),
                None => self.catch_up_if_behind(step, id),
            }
        }
    }
}

fn may_say(conversation: &Conversation, kind: &Kind) -> Result<(), &'static str> {
    if !conversation.is_member() {
        return Err("you are not in this conversation");
    }
    if let Kind::Text(text) | Kind::Edit { text } = kind {
        if text.is_empty() {
            return Err("there is nothing to send");
        }
        if text.len() > wire::TEXT_BYTES {
            return Err("this is too long for a message: at most 16 KiB");
        }
    }
    if !kind.is_well_formed() {
        return Err("a reaction is one emoji or a short word");
    }
    if conversation.outbox.len() >= limits::OUTBOX {
        return Err("too many messages wait to be sent");
    }
    Ok(())
}

fn kind_of(what: Saying) -> (Kind, Vec<Reference>) {
    match what {
        Saying::Text(text) => (Kind::Text(text), Vec::new()),
        Saying::Reply { to, text } => (Kind::Text(text), vec![to]),
        Saying::Edit { target, text } => (Kind::Edit { text }, vec![target]),
        Saying::Delete { target } => (Kind::Delete, vec![target]),
        Saying::Reaction { target, emoji } => (Kind::Reaction { emoji }, vec![target]),
    }
}

fn fail(step: &mut Step<'_>, conversation: ConversationId, id: Reference, reason: &str) {
    step.show(Show::Failed { conversation, id, reason: reason.to_owned() });
}
