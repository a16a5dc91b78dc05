//! One conversation's lines, in the order of the log: messages at their sequence numbers, notices
//! where they came up, own messages at the end until the server has given them a number. It leaves
//! out looks and names' marks: those are known when a line is shown.

use super::super::limits;
use crate::ui::view::{Delivery, Level, Line, LineKey, LineKind, Message as MessageView, Trust};
use portcullis_client_core::{ConversationView, IdentityState, Message};
use portcullis_proto::{Access, ChannelName, Reference, Role, Timestamp};

/// Where own messages stand that have no number yet.
const AT_THE_END: u64 = u64::MAX;

/// A conversation.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) name: ChannelName,
    pub(super) access: Access,
    pub(super) role: Role,
    pub(super) unread: u64,
    /// Whether one of the unread messages names the reader.
    pub(super) mention: bool,
    /// The first message that was not looked at.
    pub(super) first_unread: Option<LineKey>,
    /// Whether the home's history was looked into.
    pub(super) is_loaded: bool,
    /// Whether the home may have older messages than those here.
    pub(super) has_older: bool,
    entries: Vec<Entry>,
}

/// A line and its place.
#[derive(Debug)]
pub(super) struct Entry {
    key: LineKey,
    /// Its number, or that of the message after which it came up.
    seq: u64,
    at: Timestamp,
    what: What,
}

#[derive(Debug)]
enum What {
    Message {
        id: Reference,
        sender: String,
        text: String,
        identity: IdentityState,
        own: bool,
        mention: bool,
        state: Delivery,
    },
    Notice(String, Level),
}

impl Room {
    pub(super) fn new(view: &ConversationView) -> Self {
        Self {
            name: view.name.clone(),
            access: view.access,
            role: view.role,
            unread: view.unread,
            mention: false,
            first_unread: None,
            is_loaded: false,
            has_older: false,
            entries: Vec::new(),
        }
    }

    /// Takes a message in at its place. Whether it was new.
    pub(super) fn insert(&mut self, key: LineKey, message: &Message, reader: &str) -> bool {
        let text = words_of(message);
        let own = message.identity == IdentityState::Own;
        let pending =
            |entry: &Entry| matches!(&entry.what, What::Message { id, .. } if *id == message.id);
        let mut key = key;
        if let Some(at) = self.entries.iter().rposition(pending) {
            let before = self.entries.remove(at);
            key = before.key;
        } else if self.has(message.seq) {
            return false;
        }
        let place = self.entries.partition_point(|entry| entry.seq < message.seq);
        let entry = Entry {
            key,
            seq: message.seq,
            at: message.sent_at,
            what: What::Message {
                id: message.id,
                sender: message.sender.as_str().to_owned(),
                mention: !own && mentions(&text, reader),
                text,
                identity: message.identity,
                own,
                state: Delivery::Sent,
            },
        };
        self.entries.insert(place, entry);
        true
    }

    /// An own message that waits.
    pub(super) fn push_pending(
        &mut self,
        key: LineKey,
        sender: &str,
        id: Reference,
        text: String,
        at: Timestamp,
    ) {
        self.entries.push(Entry {
            key,
            seq: AT_THE_END,
            at,
            what: What::Message {
                id,
                sender: sender.to_owned(),
                text,
                identity: IdentityState::Own,
                own: true,
                mention: false,
                state: Delivery::Sending,
            },
        });
    }

    /// An own message has its number; its line moves there.
    pub(super) fn mark_sent(&mut self, id: Reference, seq: u64) {
        let Some(mut entry) = self.take_out(id) else {
            return;
        };
        entry.seq = seq;
        if let What::Message { state, .. } = &mut entry.what {
            *state = Delivery::Sent;
        }
        let place = self.entries.partition_point(|other| other.seq < seq);
        self.entries.insert(place, entry);
    }

    /// An own message has failed; its line stays where it came up. Whether there was one.
    pub(super) fn mark_failed(&mut self, id: Reference, reason: &str) -> bool {
        let Some(mut entry) = self.take_out(id) else {
            return false;
        };
        if let What::Message { state, .. } = &mut entry.what {
            *state = Delivery::Failed(reason.to_owned());
        }
        if entry.seq == AT_THE_END {
            entry.seq = self.newest();
        }
        let place = self.entries.partition_point(|other| other.seq <= entry.seq);
        self.entries.insert(place, entry);
        true
    }

    /// Says something where the conversation stands now.
    pub(super) fn push_notice(&mut self, key: LineKey, at: Timestamp, text: String, level: Level) {
        let seq = self.newest();
        let place = self.entries.partition_point(|entry| entry.seq <= seq);
        let what = What::Notice(text, level);
        self.entries.insert(place, Entry { key, seq, at, what });
    }

    /// The number of the oldest message here.
    pub(super) fn oldest(&self) -> Option<u64> {
        let is_message =
            |entry: &&Entry| entry.seq != AT_THE_END && matches!(entry.what, What::Message { .. });
        self.entries.iter().find(is_message).map(|entry| entry.seq)
    }

    /// The key of the message from which on so many of others were not looked at.
    pub(super) fn unread_from(&self, unread: u64) -> Option<LineKey> {
        let others = self
            .entries
            .iter()
            .rev()
            .filter(|entry| matches!(&entry.what, What::Message { own: false, .. }));
        let count = usize::try_from(unread).unwrap_or(usize::MAX);
        others.take(count).last().map(|entry| entry.key)
    }

    /// Forgets the oldest lines of a long conversation; the home still has them.
    pub(super) fn trim(&mut self) {
        if self.entries.len() > limits::LINES {
            let kept = limits::LINES_KEPT;
            self.entries.drain(..self.entries.len() - kept);
            self.has_older = true;
        }
    }

    /// The lines as the screen takes them; `trust` says what is known of a sender now.
    pub(super) fn lines(&self, trust: impl Fn(&str) -> Option<Trust>) -> Vec<Line> {
        self.entries.iter().map(|entry| entry.line(&trust)).collect()
    }

    fn take_out(&mut self, wanted: Reference) -> Option<Entry> {
        let is_it =
            |entry: &Entry| matches!(&entry.what, What::Message { id, .. } if *id == wanted);
        let at = self.entries.iter().rposition(is_it)?;
        Some(self.entries.remove(at))
    }

    fn has(&self, seq: u64) -> bool {
        let from = self.entries.partition_point(|entry| entry.seq < seq);
        let there = self.entries.iter().skip(from);
        there
            .take_while(|entry| entry.seq == seq)
            .any(|entry| matches!(entry.what, What::Message { state: Delivery::Sent, .. }))
    }

    fn newest(&self) -> u64 {
        let numbered = self.entries.iter().rev().find(|entry| entry.seq != AT_THE_END);
        numbered.map_or(0, |entry| entry.seq)
    }
}

impl Entry {
    fn line(&self, trust: impl Fn(&str) -> Option<Trust>) -> Line {
        let what = match &self.what {
            What::Notice(text, level) => LineKind::Notice { text: text.clone(), level: *level },
            What::Message { sender, text, identity, own, mention, state, .. } => {
                LineKind::Message(MessageView {
                    sender: sender.clone(),
                    own: *own,
                    mention: *mention,
                    text: text.clone(),
                    state: state.clone(),
                    trust: match identity {
                        IdentityState::Own => Trust::Verified,
                        _ => trust(sender).unwrap_or_else(|| super::people::trust(Some(*identity))),
                    },
                })
            }
        };
        Line { key: self.key, at: self.at.0, what }
    }
}

fn words_of(message: &Message) -> String {
    match (&message.text, &message.unknown_kind) {
        (Some(text), _) => text.clone(),
        (None, Some(kind)) => {
            format!("(a message of the kind \"{kind}\", which this version can't show)")
        }
        (None, None) => "(a message that this version can't show)".to_owned(),
    }
}

/// Whether a text names somebody, as a word of its own.
pub(super) fn mentions(text: &str, reader: &str) -> bool {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let named = |word: &str| word.trim_end_matches(['.', '-']).eq_ignore_ascii_case(reader);
    !reader.is_empty() && text.split(|letter| !is_name(letter)).any(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_named() {
        for (text, expected) in [
            ("alice: hello", true),
            ("hello @Alice!", true),
            ("ask alice.", true),
            ("malice", false),
            ("alice-two", false),
            ("", false),
        ] {
            assert_eq!(mentions(text, "alice"), expected, "{text}");
        }
    }
}
