//! What the server has promised: its answer to an own entry names the place where the entry stands, and
//! the log has to show it there. Until then an answer is the server's word alone, and what was read, or
//! kept, does not give way to it.

use crate::client::{Client, Step};
use crate::conversation::Conversation;
use crate::effect::Key;
use crate::limits;
use crate::show::Warning;
use portcullis_proto::{ConversationId, Envelope, Reference};
use serde::{Deserialize, Serialize};

/// An own entry that has to be read yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Promise {
    /// Its reference.
    pub(crate) reference: Reference,
    /// Whether it is kept as a message already, under its place.
    pub(crate) kept: bool,
}

impl Conversation {
    /// Whether an own entry that was not read can stand here. What was read has something else there; in
    /// a channel, whose reading may begin late, the entry may stand before that.
    pub(crate) fn can_stand_at(&self, seq: u64) -> bool {
        seq > self.seen().seq || (self.encrypted.is_none() && seq <= self.base)
    }

    /// Remembers a promise until its place is read.
    pub(crate) fn promise(&mut self, seq: u64, promise: Promise) {
        if seq > self.seen().seq {
            self.promised.insert(seq, promise);
        }
        if self.promised.len() > limits::OUTBOX {
            self.promised.pop_last();
        }
    }
}

impl Client {
    /// Whether the server can have stored an own entry at this place; if not, it says so, and the entry
    /// is sent again later.
    pub(crate) fn check_place(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        seq: u64,
    ) -> bool {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return false;
        };
        if conversation.can_stand_at(seq) {
            return true;
        }
        conversation.retry_at = Some(step.now.plus_millis(limits::RETRY_MILLIS));
        self.warn_once(step, id, Warning::NotKept { at: seq });
        false
    }

    /// The promise that an envelope breaks by standing where it stands. An own commit that was promised
    /// there is given up, to be made again.
    pub(crate) fn broken_promise(&mut self, envelope: &Envelope) -> Option<Promise> {
        let id = envelope.conversation;
        let own = self.own_device() == Some(envelope.device);
        let promise = self.conversations.get(&id)?.promised.get(&envelope.seq).copied()?;
        if own && promise.reference == envelope.reference {
            return None;
        }
        let commit = self.encrypted_mut(id).and_then(|encrypted| encrypted.commit.as_ref());
        if commit.is_some_and(|commit| commit.reference == promise.reference) {
            self.drop_commit(id);
        }
        Some(promise)
    }

    /// Says that a promise was broken. What was kept in that place stays.
    pub(crate) fn tell_broken(&self, step: &mut Step<'_>, envelope: &Envelope, promise: Promise) {
        let (id, at) = (envelope.conversation, envelope.seq);
        if promise.kept {
            step.out.messages.retain(|write| write.key != Key::Message(id, at));
        }
        step.warn(Some(id), Warning::NotKept { at });
    }
}
