//! Delivered and read marks: how far each member has come, in conversations small enough for it.

use crate::client::{Client, Step};
use crate::conversation::Outgoing;
use crate::effect::Key;
use crate::limits;
use crate::show::Show;
use portcullis_proto::{ConversationId, Envelope, Kind, Reference};
use serde::{Deserialize, Serialize};

/// How far an account has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    /// A device of it has everything up to here.
    pub(crate) delivered: u64,
    /// Somebody has looked at everything up to here.
    pub(crate) read: u64,
}

impl Client {
    /// Somebody says how far they have come; never further than the log goes, and never back.
    pub(crate) fn marked(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        delivered: u64,
        read: u64,
    ) {
        let (id, account) = (envelope.conversation, envelope.account);
        let name = self.author(envelope);
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        let mark = encrypted.marks.entry(account).or_default();
        mark.delivered = mark.delivered.max(delivered.min(envelope.seq));
        mark.read = mark.read.max(read.min(envelope.seq));
        let Mark { delivered, read } = *mark;
        self.touch(Key::Conversation(id));
        step.show(Show::Mark { conversation: id, name, delivered, read });
    }

    /// Shows what is known of how far everyone has come: a shell does not keep it.
    pub(crate) fn show_marks(&self, step: &mut Step<'_>, id: ConversationId) {
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        for (account, mark) in encrypted.iter().flat_map(|encrypted| &encrypted.marks) {
            if let Some(name) = self.name_of(*account) {
                let Mark { delivered, read } = *mark;
                step.show(Show::Mark { conversation: id, name, delivered, read });
            }
        }
    }

    /// Puts a mark behind what waits to be sent, if this device has come further than its account said.
    pub(crate) fn add_mark(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let Some(mark) = self.due_mark(id) else {
            return;
        };
        let Some(me) = self.own_account() else {
            return;
        };
        let kind = Kind::Mark { delivered: mark.delivered, read: mark.read };
        let reference = Reference::fresh(step.now, step.rng);
        let Some(content) = self.blank(id, reference, kind, Vec::new(), step.now) else {
            return;
        };
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        conversation.outbox.push_back(Outgoing { content, body: None });
        if let Some(encrypted) = &mut conversation.encrypted {
            encrypted.marks.insert(me, mark);
        }
        self.touch(Key::Outbox(id));
        self.touch(Key::Conversation(id));
    }

    /// The mark that this account owes a conversation.
    pub(crate) fn due_mark(&self, id: ConversationId) -> Option<Mark> {
        if !self.is_reader() {
            return None;
        }
        let conversation = self.conversations.get(&id)?;
        let encrypted = conversation.encrypted.as_ref()?;
        let members = self.mls.view(id)?.roster.members.len();
        if !(2..=limits::MARKED_MEMBERS).contains(&members) {
            return None;
        }
        let said = encrypted.marks.get(&self.own_account()?).copied().unwrap_or_default();
        let read = if self.config.read_marks { encrypted.looked_at } else { 0 };
        let due = Mark { delivered: encrypted.last_said, read: read.min(encrypted.last_said) };
        let further = due.delivered > said.delivered || due.read > said.read;
        let due =
            Mark { delivered: due.delivered.max(said.delivered), read: due.read.max(said.read) };
        further.then_some(due)
    }
}
