//! What was said of earlier messages: edits, deletions and reactions, under the message that they speak
//! of, so that they count also where that one is loaded after them. Who may change what was decided by
//! the core before any of this is kept.

use portcullis_client_core::Body;
use portcullis_proto::{Reference, Timestamp};
use std::collections::BTreeMap;

/// Where own changes stand that have no number yet: after all others.
pub(super) const AT_THE_END: u64 = u64::MAX;

/// Changes by the message that they speak of, in the order of the log.
#[derive(Debug, Default)]
pub(super) struct Changes(BTreeMap<Reference, Vec<Change>>);

/// A change of a message.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) id: Reference,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    /// The author's account name.
    pub(super) sender: String,
    what: What,
}

#[derive(Debug)]
enum What {
    Edit(String),
    Delete,
    Reaction(String),
}

impl Change {
    /// What a body changes, and how; none where it changes nothing.
    pub(super) fn of(
        body: &Body,
        id: Reference,
        seq: u64,
        at: Timestamp,
        sender: &str,
    ) -> Option<(Reference, Self)> {
        let (target, what) = match body {
            Body::Edit { target, text } => (target, What::Edit(text.clone())),
            Body::Delete { target } => (target, What::Delete),
            Body::Reaction { target, emoji } => (target, What::Reaction(emoji.clone())),
            Body::Text { .. }
            | Body::Notices(_)
            | Body::Offer(_)
            | Body::Step(_)
            | Body::Unknown(_) => return None,
        };
        Some((*target, Self { id, seq, at, sender: sender.to_owned(), what }))
    }
}

impl Changes {
    /// Takes a change in, once. Whether it was new.
    pub(super) fn insert(&mut self, target: Reference, change: Change) -> bool {
        let changes = self.0.entry(target).or_default();
        let known = changes.iter().position(|known| known.id == change.id);
        if let Some(known) = known {
            changes.remove(known);
        }
        let place = changes.partition_point(|other| other.seq <= change.seq);
        changes.insert(place, change);
        known.is_none()
    }

    /// An own change has its number.
    pub(super) fn mark_sent(&mut self, id: Reference, seq: u64) {
        if let Some((target, change)) = self.take_out(id) {
            self.insert(target, Change { seq, ..change });
        }
    }

    /// Forgets a change that was not taken. Whether there was one.
    pub(super) fn remove(&mut self, id: Reference) -> bool {
        self.take_out(id).is_some()
    }

    /// Forgets what the home still has.
    pub(super) fn forget_before(&mut self, seq: u64) {
        self.0.values_mut().for_each(|changes| changes.retain(|change| change.seq >= seq));
        self.0.retain(|_, changes| !changes.is_empty());
    }

    /// Whether a message of this author was taken back.
    pub(super) fn is_deleted(&self, target: Reference, author: &str) -> bool {
        self.by(target, author).any(|change| matches!(change.what, What::Delete))
    }

    /// Whether a change of a message waits to be sent.
    pub(super) fn is_waiting(&self, target: Reference) -> bool {
        self.of_message(target).any(|change| change.seq == AT_THE_END)
    }

    /// What a message of this author says instead, each time with when that was; the last is what it
    /// says now.
    pub(super) fn texts(
        &self,
        target: Reference,
        author: &str,
    ) -> impl DoubleEndedIterator<Item = (&str, Timestamp)> {
        self.by(target, author).filter_map(|change| match &change.what {
            What::Edit(text) => Some((text.as_str(), change.at)),
            What::Delete | What::Reaction(_) => None,
        })
    }

    /// The reactions to a message in the order in which they came up, and how many gave each.
    pub(super) fn reactions(&self, target: Reference) -> Vec<(String, usize)> {
        let mut counted: Vec<(String, usize)> = Vec::new();
        for (_, emoji) in self.last_reactions(target) {
            match counted.iter_mut().find(|(known, _)| known == emoji) {
                Some((_, count)) => *count += 1,
                None => counted.push((emoji.to_owned(), 1)),
            }
        }
        counted
    }

    /// What somebody reacts with to a message now.
    pub(super) fn reaction_of(&self, target: Reference, name: &str) -> Option<&str> {
        let reactions = self.last_reactions(target);
        reactions.into_iter().find(|(sender, _)| *sender == name).map(|(_, emoji)| emoji)
    }

    /// Everybody has one reaction, the last; an empty one is none.
    fn last_reactions(&self, target: Reference) -> Vec<(&str, &str)> {
        let mut last: Vec<(&str, &str)> = Vec::new();
        for change in self.of_message(target) {
            if let What::Reaction(emoji) = &change.what {
                last.retain(|(sender, _)| *sender != change.sender);
                last.push((&change.sender, emoji));
            }
        }
        last.retain(|(_, emoji)| !emoji.is_empty());
        last
    }

    /// What the author has changed. An id is the sender's own choice: where two messages have the same,
    /// whoever said one of them does not change the other.
    fn by(&self, target: Reference, author: &str) -> impl DoubleEndedIterator<Item = &Change> {
        self.of_message(target).filter(move |change| change.sender == author)
    }

    fn of_message(&self, target: Reference) -> impl DoubleEndedIterator<Item = &Change> {
        self.0.get(&target).into_iter().flatten()
    }

    fn take_out(&mut self, id: Reference) -> Option<(Reference, Change)> {
        self.0.iter_mut().find_map(|(target, changes)| {
            let at = changes.iter().position(|change| change.id == id)?;
            Some((*target, changes.remove(at)))
        })
    }
}
