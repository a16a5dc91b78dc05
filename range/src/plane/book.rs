//! Who has come how far: what the entries add up to.

use super::{Entry, Owner, Receipt, Salt};
use crate::limits;
use portcullis_proto::{Timestamp, UserName};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// All learners.
#[derive(Debug, Default)]
pub struct Book {
    learners: BTreeMap<UserName, Learner>,
}

/// One learner.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Learner {
    /// The SHA-256 of what they come back with; none before they have come.
    pub token: Option<String>,
    /// What their secrets are derived from besides their name.
    pub salt: Option<Salt>,
    /// How often they were let in again.
    pub readmitted: u32,
    /// When they were last here, or were put on the list.
    pub at: Timestamp,
    /// When the newest entry of theirs was made.
    pub noted: Timestamp,
    /// What they have done, by flaw.
    pub rows: BTreeMap<String, Row>,
}

/// What a learner has done about one flaw.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Row {
    /// Hints taken, at most 4.
    pub hints: usize,
    /// How often they began the world anew.
    pub resets: u32,
    /// How often the teacher did.
    pub renewed: u32,
    /// Wrong submissions.
    pub misses: u32,
    /// Whose flags were submitted besides their own, in order.
    pub foreign: Vec<Owner>,
    /// The proof that it was solved.
    pub receipt: Option<Receipt>,
    /// Whether they have found the fix that holds.
    pub fixed: bool,
    /// When they last did anything about it.
    pub at: Timestamp,
}

impl Book {
    /// Adds what somebody did.
    pub fn add(&mut self, entry: &Entry) {
        let learner = self.learners.entry(entry.learner().clone()).or_default();
        (learner.at, learner.noted) = (entry.at(), entry.at());
        match entry {
            Entry::Joined { token, salt, .. } => {
                learner.token = token.clone().or(learner.token.take());
                // What somebody was given when they were put on the list stays theirs.
                learner.salt = learner.salt.or(*salt);
            }
            Entry::Readmitted { .. } => {
                learner.token = None;
                learner.readmitted = learner.readmitted.saturating_add(1);
            }
            Entry::Seen { .. } => {}
            Entry::Hint { slug, at, .. } => {
                let row = learner.row(slug, *at);
                row.hints = row.hints.saturating_add(1).min(4);
            }
            Entry::Reset { slug, at, .. } => {
                let row = learner.row(slug, *at);
                row.resets = row.resets.saturating_add(1);
            }
            Entry::Renewed { slug, at, .. } => {
                let row = learner.row(slug, *at);
                row.renewed = row.renewed.saturating_add(1);
            }
            Entry::Missed { slug, of, at, .. } => {
                let row = learner.row(slug, *at);
                row.misses = row.misses.saturating_add(1);
                row.foreign.extend(of.clone());
            }
            Entry::Solved { slug, receipt, at, .. } => {
                learner.row(slug, *at).receipt.get_or_insert_with(|| receipt.clone());
            }
            Entry::Tried { slug, holds, at, .. } => learner.row(slug, *at).fixed |= *holds,
        }
    }

    /// Somebody is here; whether that is worth an entry, as it is once in a while.
    pub fn see(&mut self, name: &UserName, now: Timestamp) -> bool {
        let Some(learner) = self.learners.get_mut(name) else { return false };
        learner.at = learner.at.max(now);
        let is_due = learner.noted.plus_millis(limits::SEEN_MILLIS) <= now;
        if is_due {
            learner.noted = now;
        }
        is_due
    }

    /// Somebody is no longer known.
    pub fn forget(&mut self, name: &UserName) {
        self.learners.remove(name);
        let rows = self.learners.values_mut().flat_map(|learner| learner.rows.values_mut());
        rows.flat_map(|row| &mut row.foreign).for_each(|owner| owner.forget(name));
    }

    /// Everybody, by name.
    pub fn learners(&self) -> impl Iterator<Item = (&UserName, &Learner)> {
        self.learners.iter()
    }

    /// Somebody.
    #[must_use]
    pub fn learner(&self, name: &UserName) -> Option<&Learner> {
        self.learners.get(name)
    }

    /// Who comes back with what has this SHA-256.
    #[must_use]
    pub fn holder(&self, token: &str) -> Option<&UserName> {
        let holds = |learner: &Learner| learner.token.as_deref() == Some(token);
        self.learners.iter().find(|(_, learner)| holds(learner)).map(|(name, _)| name)
    }

    /// What somebody has done about a flaw.
    #[must_use]
    pub fn row(&self, name: &UserName, slug: &str) -> Row {
        let row = self.learners.get(name).and_then(|learner| learner.rows.get(slug));
        row.cloned().unwrap_or_default()
    }
}

impl Row {
    /// How many worlds came before the one that there is.
    #[must_use]
    pub const fn worlds(&self) -> u32 {
        self.resets.saturating_add(self.renewed)
    }

    /// The world that there is, and those before it that are not too many.
    #[must_use]
    pub const fn newest_worlds(&self) -> RangeInclusive<u32> {
        let newest = self.worlds();
        newest.saturating_sub(limits::OLD_WORLDS)..=newest
    }
}

impl Learner {
    fn row(&mut self, slug: &str, at: Timestamp) -> &mut Row {
        let row = self.rows.entry(slug.to_owned()).or_default();
        row.at = at;
        row
    }

    /// How many flaws they have solved.
    #[must_use]
    pub fn solved(&self) -> usize {
        self.rows.values().filter(|row| row.receipt.is_some()).count()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn name(text: &str) -> UserName {
        UserName::parse(text).unwrap()
    }

    fn hint(learner: &str) -> Entry {
        Entry::Hint { learner: name(learner), slug: "replay".to_owned(), at: Timestamp(5) }
    }

    #[test]
    fn entries_add_up() {
        let mut book = Book::default();
        (0..6).for_each(|_| book.add(&hint("mira")));
        let (learner, slug, at) = (name("mira"), "replay".to_owned(), Timestamp(9));
        book.add(&Entry::Missed {
            learner: learner.clone(),
            slug: slug.clone(),
            of: Some(Owner::Learner(name("oleg"))),
            at,
        });
        book.add(&Entry::Tried {
            learner: learner.clone(),
            slug: slug.clone(),
            fix: 1,
            holds: true,
            at,
        });
        book.add(&Entry::Tried { learner, slug, fix: 2, holds: false, at });
        let row = book.row(&name("mira"), "replay");
        assert_eq!((row.hints, row.misses, row.fixed, row.at), (4, 1, true, Timestamp(9)));
        assert_eq!(row.foreign, [Owner::Learner(name("oleg"))]);
        book.forget(&name("oleg"));
        assert_eq!(book.row(&name("mira"), "replay").foreign, [Owner::Forgotten {}]);
        assert_eq!(book.row(&name("oleg"), "replay"), Row::default());
    }

    #[test]
    fn a_place_on_the_list_does_not_take_a_token_away() {
        let mut book = Book::default();
        let joined = |token: Option<&str>| Entry::Joined {
            learner: name("mira"),
            token: token.map(str::to_owned),
            salt: None,
            at: Timestamp(1),
        };
        book.add(&joined(None));
        assert_eq!(book.holder("aa"), None);
        book.add(&joined(Some("aa")));
        book.add(&joined(None));
        assert_eq!(book.holder("aa"), Some(&name("mira")));
        book.add(&Entry::Readmitted { learner: name("mira"), at: Timestamp(2) });
        assert_eq!(book.holder("aa"), None);
        assert_eq!(book.learner(&name("mira")).unwrap().readmitted, 1);
        book.add(&joined(Some("bb")));
        assert_eq!(book.holder("bb"), Some(&name("mira")));
        book.forget(&name("mira"));
        assert_eq!(book.holder("bb"), None);
    }
}
