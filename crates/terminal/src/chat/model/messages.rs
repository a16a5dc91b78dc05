//! What was said, as it comes in, goes out and is changed; and which message a person means.

use super::Model;
use super::room::{self, Inserted, Picked};
use super::words;
use crate::ui::view::Level;
use portcullis_client_core::{Body, IdentityState, Message, Notice};
use portcullis_proto::{ConversationId, Reference, Timestamp, UserName};

impl Model {
    /// The message of the open conversation that is so many back; of one's own only, if `own`.
    pub(crate) fn pick(&self, back: usize, own: bool) -> Option<Picked> {
        self.rooms.get(&self.opened()?)?.pick(back, own)
    }

    /// What this account reacts with to a message of the open conversation.
    pub(crate) fn own_reaction(&self, id: Reference) -> Option<&str> {
        self.rooms.get(&self.opened()?)?.reaction_of(id, &self.view.status.own_name)
    }

    /// Says what a message of the open conversation has said before: the one that is so many back, or the
    /// last that was changed. False where there is none.
    pub(crate) fn tell_versions(&mut self, back: Option<usize>) -> bool {
        let Some(room) = self.opened().and_then(|id| self.rooms.get(&id)) else {
            return false;
        };
        let picked = match back {
            Some(back) => room.pick(back, false),
            None => room.pick_changed(),
        };
        let Some(picked) = picked else {
            return false;
        };
        let offset = self.view.utc_offset_seconds;
        let words = words::versions(&picked.words, &room.versions(picked.id), offset);
        self.say(words, Level::Info);
        true
    }

    /// Something stands in the log.
    pub(super) fn message(&mut self, message: &Message) {
        let key = self.key();
        let reader = self.view.status.own_name.clone();
        let is_open = self.opened() == Some(message.conversation);
        let Some(room) = self.rooms.get_mut(&message.conversation) else {
            return;
        };
        let inserted = room.insert(key, message, &reader);
        let of_others = message.identity != IdentityState::Own;
        let mut invited = None;
        match inserted {
            Inserted::Line if of_others => {
                room.unread += 1;
                room.mention |= room::mentions(message.text().unwrap_or_default(), &reader);
                room.first_unread.get_or_insert(key);
            }
            Inserted::Notice if of_others && !is_open && brings_in(message, &reader) => {
                room.is_invitation = true;
                invited = Some(words::invited(&message.sender, &room.about));
            }
            Inserted::Line | Inserted::Change | Inserted::Notice | Inserted::Nothing => {}
        }
        room.trim();
        if let Some(words) = invited {
            self.say(words, Level::Info);
        }
    }

    /// Something of one's own waits to be sent.
    pub(super) fn pending(
        &mut self,
        id: ConversationId,
        message: Reference,
        body: &Body,
        at: Timestamp,
    ) {
        let key = self.key();
        if let Some(room) = self.rooms.get_mut(&id) {
            room.push_pending(key, &self.view.status.own_name, message, body, at);
        }
        self.said = None;
    }

    /// Something of one's own was not taken.
    pub(super) fn failed(&mut self, id: ConversationId, message: Reference, reason: &str) {
        let (said, now) = (self.said.take(), self.now);
        let Some(room) = self.rooms.get_mut(&id) else {
            return self.say(format!("Not sent: {reason}."), Level::Warning);
        };
        if room.mark_failed(message, reason) {
            return;
        }
        if room.take_back(message) {
            return self.say_in(Some(id), format!("Not changed: {reason}."), Level::Warning);
        }
        // The core has not taken it into its hands; what was typed is shown all the same.
        let Some(text) = said else {
            return self.say_in(Some(id), format!("Not sent: {reason}."), Level::Warning);
        };
        self.pending(id, message, &Body::Text { text, reply_to: None }, now);
        if let Some(room) = self.rooms.get_mut(&id) {
            room.mark_failed(message, reason);
        }
    }

    /// Somebody has come so far.
    pub(super) fn mark(&mut self, id: ConversationId, name: &UserName, delivered: u64, read: u64) {
        let own = name.as_str() == self.view.status.own_name;
        if let Some(room) = self.rooms.get_mut(&id).filter(|_| !own) {
            room.mark(name.as_str(), delivered, read);
        }
    }
}

/// Whether an entry is the one by which the reader became a member.
fn brings_in(message: &Message, reader: &str) -> bool {
    let Body::Notices(notices) = &message.body else {
        return false;
    };
    notices.iter().any(|notice| match notice {
        Notice::Created(names) | Notice::Added(names) => {
            names.iter().any(|name| name.as_str() == reader)
        }
        _ => false,
    })
}
