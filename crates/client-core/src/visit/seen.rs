//! What was shown, by the hash of what was signed and its signature: by that replays are told. Bounded; of more
//! the oldest are forgotten, and only the counters tell those.

use crate::effect::Key;
use crate::limits;
use portcullis_proto::Reference;
use std::collections::{BTreeMap, BTreeSet};

/// The hashes, each with its number: the older the smaller.
#[derive(Default)]
pub(super) struct Seen {
    numbers: BTreeMap<Reference, u64>,
    order: BTreeMap<u64, Reference>,
}

impl Seen {
    /// Every hash with its number.
    pub(super) const fn numbers(&self) -> &BTreeMap<Reference, u64> {
        &self.numbers
    }

    /// Takes in what was persisted.
    pub(super) fn restore(&mut self, id: Reference, number: u64) {
        self.numbers.insert(id, number);
        self.order.insert(number, id);
    }

    /// Remembers one, and perhaps forgets another; both records are to be written.
    pub(super) fn remember(&mut self, id: Reference, dirty: &mut BTreeSet<Key>) {
        let number = self.order.last_key_value().map_or(0, |(last, _)| last.saturating_add(1));
        self.restore(id, number);
        dirty.insert(Key::GuestSeen(id));
        while self.order.len() > limits::VISIT_SEEN {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.numbers.remove(&oldest);
            dirty.insert(Key::GuestSeen(oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten() {
        let id = |number: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            Reference::from_bytes(bytes)
        };
        let (mut seen, mut dirty) = (Seen::default(), BTreeSet::new());
        (0..limits::VISIT_SEEN).for_each(|number| seen.remember(id(number), &mut dirty));
        assert_eq!(seen.numbers().len(), limits::VISIT_SEEN);
        dirty.clear();
        seen.remember(id(limits::VISIT_SEEN), &mut dirty);
        assert_eq!(seen.numbers().len(), limits::VISIT_SEEN);
        assert!(!seen.numbers().contains_key(&id(0)) && seen.numbers().contains_key(&id(1)));
        let changed = [id(0), id(limits::VISIT_SEEN)].map(Key::GuestSeen);
        assert_eq!(dirty.into_iter().collect::<Vec<_>>(), changed);
    }
}
