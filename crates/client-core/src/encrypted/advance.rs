//! What an encrypted conversation lacks, and the next step towards it.

use super::plan::{Hindrance, wanted};
use crate::client::{Client, History, Step};
use crate::conversation::Outgoing;
use crate::effect::Key;
use crate::limits;
use crate::show::{IdentityState, Show};
use portcullis_proto::{
    AccountId, Code, Content, ConversationId, DeviceList, Kind, Reference, Refusal, Timestamp,
};
use std::collections::BTreeSet;

impl Client {
    /// Takes the next step in an encrypted conversation, if one is due and nothing is under way.
    pub(crate) fn advance(&mut self, step: &mut Step<'_>, id: ConversationId) {
        if !self.is_open() || self.unsettled.is_some() {
            return;
        }
        let Some(conversation) = self.conversations.get(&id) else {
            return;
        };
        let Some(encrypted) = &conversation.encrypted else {
            return;
        };
        let early = conversation.retry_at.is_some_and(|at| at > step.now);
        let busy = conversation.in_flight
            || conversation.fetching
            || !conversation.waits_for.is_empty()
            || encrypted.joining;
        if busy || early || !conversation.is_member() {
            return;
        }
        let behind = conversation.summary.head > conversation.seen().seq;
        if let Some(commit) = encrypted.commit.clone() {
            if !commit.acknowledged {
                return self.send_commit(step, id, &commit);
            }
            return self.catch_up(step, id, conversation.summary.head);
        }
        if !self.mls.is_member(id) {
            return self.find_keys(step, id);
        }
        if behind && !encrypted.plan.create {
            return self.catch_up(step, id, conversation.summary.head);
        }
        if encrypted.is_hearsay() {
            return self.seek_welcome(step, id);
        }
        self.bring_in_line(step, id);
    }

    /// The commit of a welcome stands where nobody has told of yet, or nowhere.
    fn seek_welcome(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let next = self.conversations.get(&id).map_or(0, |c| c.seen().seq.saturating_add(1));
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.seeking = true;
        }
        self.catch_up(step, id, next);
    }

    /// A device without keys makes the conversation, or joins it.
    fn find_keys(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        match encrypted {
            Some(encrypted) if encrypted.plan.create => self.create_group(step, id),
            Some(encrypted) if encrypted.welcome.is_some() => self.use_kept_welcome(step, id),
            _ if self.inbox.caught_up => self.ask_group_info(step, id),
            _ => {}
        }
    }

    /// Members and devices as they ought to be; then what waits is sent.
    fn bring_in_line(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let (Some(view), Some(own)) = (self.mls.view(id), &self.own) else {
            return;
        };
        let Some(device) = own.device.as_ref().map(|device| device.id) else {
            return;
        };
        let me = own.account;
        // A mark is a message as well: who has left gets none.
        let due = self.due_mark(id).is_some();
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let waiting = due || !conversation.outbox.is_empty();
        let Some(encrypted) = &mut conversation.encrypted else {
            return;
        };
        let before = encrypted.plan.clone();
        encrypted.plan.settle(&view.roster, me);
        let plan = encrypted.plan.clone();
        if plan != before {
            self.touch(Key::Conversation(id));
        }
        let mut accounts: BTreeSet<AccountId> = view.roster.members.iter().copied().collect();
        accounts.extend(&plan.add);
        if self.check_lists(step, &accounts) {
            return;
        }
        let list = |account: AccountId| -> Option<&DeviceList> { self.list_of(account) };
        match wanted(&view, &plan, (me, device), list) {
            Ok(Some(wanted)) if wanted.urgent || waiting => {
                if self.is_blocked(id).is_none() {
                    self.make_commit(step, id, &wanted);
                }
            }
            Ok(_) => self.send_encrypted(step, id),
            Err(hindrance) => self.give_plan_up(step, id, hindrance),
        }
    }

    fn give_plan_up(&mut self, step: &mut Step<'_>, id: ConversationId, hindrance: Hindrance) {
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.plan = super::Plan::default();
        }
        self.touch(Key::Conversation(id));
        let refusal = match hindrance {
            Hindrance::Full => {
                let most = portcullis_proto::limits::GROUP_DEVICES;
                let message = format!("an encrypted conversation has at most {most} devices");
                Refusal::new(Code::TooLarge, message)
            }
            Hindrance::NotOwner => {
                Refusal::new(Code::Forbidden, "only the owner of the group may do this")
            }
        };
        step.show(Show::Refused { what: "change this conversation", refusal });
    }

    /// Why nothing may be sent into an encrypted conversation now: somebody's identity has changed.
    pub(crate) fn is_blocked(&self, id: ConversationId) -> Option<String> {
        let view = self.mls.view(id)?;
        let changed = |account: &&AccountId| self.identity_of(**account) == IdentityState::Changed;
        let account = view.roster.members.iter().find(changed)?;
        let name = self.name_of(*account)?;
        Some(format!(
            "the identity key of {name} has changed; compare safety numbers (/verify {name}), then /accept {name}"
        ))
    }

    /// Encrypts what waits, and sends it. A message that was encrypted for an epoch that has passed was
    /// not accepted then, since the log was read up to here: it is encrypted anew.
    fn send_encrypted(&mut self, step: &mut Step<'_>, id: ConversationId) {
        if self.is_blocked(id).is_some() {
            return;
        }
        self.add_mark(step, id);
        self.withhold_addresses(id);
        let Some(conversation) = self.conversations.get(&id) else {
            return;
        };
        let Some(epoch) = conversation.encrypted.as_ref().map(|encrypted| encrypted.epoch) else {
            return;
        };
        let stale = |outgoing: &Outgoing| {
            outgoing.body.as_ref().is_none_or(|(made_for, _)| *made_for != epoch)
        };
        let most = portcullis_proto::limits::SUBMIT_ENVELOPES;
        let after = conversation.seen();
        let due: Vec<(usize, Content)> = (0..)
            .zip(conversation.outbox.iter().take(most))
            .filter(|(_, outgoing)| stale(outgoing))
            .map(|(at, outgoing)| (at, Content { after, ..outgoing.content.clone() }))
            .collect();
        for (at, content) in due {
            let Ok(body) = self.mls.encrypt(id, &content.encode()) else {
                return self.lost_place(step, id);
            };
            if let Kind::Offer(offer) = &content.kind {
                self.offered_to_members(step, offer.transfer);
            }
            let conversation = self.conversations.get_mut(&id);
            if let Some(outgoing) = conversation.and_then(|c| c.outbox.get_mut(at)) {
                *outgoing = Outgoing { content, body: Some((epoch, body)) };
            }
            self.touch(Key::Outbox(id));
        }
        self.submit_waiting(step, id, epoch);
    }

    /// A try has failed: the next one waits, longer each time, and not as long as anybody else's.
    pub(crate) fn put_off(&mut self, step: &mut Step<'_>, id: ConversationId, least: u64) {
        let mut jitter = [0; 2];
        step.rng.fill_bytes(&mut jitter);
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let Some(encrypted) = &mut conversation.encrypted else {
            return;
        };
        encrypted.tries = encrypted.tries.saturating_add(1);
        let longest = limits::JITTER_MILLIS << encrypted.tries.min(limits::JITTER_DOUBLINGS);
        let wait = least + u64::from(u16::from_le_bytes(jitter)) % longest;
        conversation.retry_at = Some(step.now.plus_millis(wait));
    }

    /// Whether marks are sent, and so on: a program that only sends is no reader.
    pub(crate) fn is_reader(&self) -> bool {
        self.config.history != History::None
    }

    pub(crate) fn encrypted_mut(&mut self, id: ConversationId) -> Option<&mut super::Encrypted> {
        self.conversations.get_mut(&id)?.encrypted.as_mut()
    }

    /// A content to be said in an encrypted conversation; where it was said from is filled in later.
    pub(crate) fn blank(
        &self,
        id: ConversationId,
        reference: Reference,
        kind: Kind,
        refs: Vec<Reference>,
        now: Timestamp,
    ) -> Option<Content> {
        let after = self.conversations.get(&id)?.seen();
        Some(Content { id: reference, kind, refs, sent_at: now, after, place: None })
    }
}
