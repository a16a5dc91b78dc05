//! How often somebody may do for a flaw what is not for nothing: submit, so that a value is computed and not
//! guessed; begin anew, and try a fix, since both write a line that stays and make worlds.
//!
//! In memory alone: a range that is started anew begins anew.

use crate::limits;
use portcullis_proto::{Timestamp, UserName};
use std::collections::BTreeMap;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tried {
    /// Something is submitted.
    Submission,
    /// A world is begun anew.
    Reset,
    /// A candidate fix is tried.
    Fix,
}

impl Tried {
    /// How many there are at once, and in how many milliseconds one of them is back.
    const fn limit(self) -> (u64, u64) {
        match self {
            Self::Submission => (limits::SUBMISSIONS, limits::SUBMISSION_MILLIS),
            Self::Reset => (limits::RESETS, limits::RESET_MILLIS),
            Self::Fix => (limits::FIXES, limits::FIX_MILLIS),
        }
    }
}

/// What each learner may still do for each flaw.
#[derive(Debug, Default)]
pub(super) struct Tries {
    spent: BTreeMap<(UserName, &'static str, Tried), Timestamp>,
    gave_way: Timestamp,
}

/// Takes one of so many, each of which is back after so many milliseconds, or says in how many seconds there is one.
fn take(full: &mut Timestamp, (count, millis): (u64, u64), now: Timestamp) -> Result<(), u64> {
    let next = (*full).max(now).plus_millis(millis);
    let longest = now.plus_millis(count * millis);
    if next > longest {
        return Err((next.0 - longest.0).div_ceil(1_000));
    }
    *full = next;
    Ok(())
}

impl Tries {
    /// Takes a try, or says in how many seconds there is one.
    ///
    /// What is kept is the time at which all of them will be back.
    pub(super) fn take(
        &mut self,
        name: &UserName,
        slug: &'static str,
        tried: Tried,
        now: Timestamp,
    ) -> Result<(), u64> {
        let full = self.spent.entry((name.clone(), slug, tried)).or_insert(now);
        take(full, tried.limit(), now)
    }

    /// The same, for somebody who gives way to whoever comes.
    pub(super) fn give_way(&mut self, now: Timestamp) -> Result<(), u64> {
        take(&mut self.gave_way, (limits::GIVING_WAY, limits::GIVING_WAY_MILLIS), now)
    }

    /// Forgets somebody.
    pub(super) fn forget(&mut self, name: &UserName) {
        self.spent.retain(|(whose, ..), _| whose != name);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn who_has_taken_all_waits_for_the_next() {
        for tried in [Tried::Submission, Tried::Reset, Tried::Fix] {
            waits(tried);
        }
    }

    #[test]
    fn so_many_give_way_in_a_minute() {
        let (mut tries, start) = (Tries::default(), Timestamp(1_000_000));
        let gave = (0..60_000).filter(|after| tries.give_way(start.plus_millis(*after)).is_ok());
        assert!((30..=60).contains(&gave.count()));
    }

    fn waits(tried: Tried) {
        let (mira, oleg) = (UserName::parse("mira").unwrap(), UserName::parse("oleg").unwrap());
        let (mut tries, start) = (Tries::default(), Timestamp(1_000_000));
        let after = |millis| start.plus_millis(millis);
        let (count, millis) = tried.limit();
        for _ in 0..count {
            assert_eq!(tries.take(&mira, "no-tag", tried, start), Ok(()));
        }
        let each = millis / 1_000;
        let mut check = |who: &UserName, slug, millis, expected| {
            let taken = tries.take(who, slug, tried, after(millis));
            assert_eq!(taken, expected, "{tried:?} {who} {slug} {millis}");
        };
        check(&mira, "no-tag", 0, Err(each));
        check(&mira, "no-tag", 1, Err(each));
        check(&mira, "no-tag", millis - 1, Err(1));
        check(&mira, "replay", 0, Ok(()));
        check(&oleg, "no-tag", 0, Ok(()));
        check(&mira, "no-tag", millis, Ok(()));
        check(&mira, "no-tag", millis, Err(each));
        tries.forget(&mira);
        assert_eq!(tries.take(&mira, "no-tag", tried, start), Ok(()));
    }

    #[test]
    fn each_kind_counts_for_itself() {
        let mira = UserName::parse("mira").unwrap();
        let (mut tries, start) = (Tries::default(), Timestamp(1_000_000));
        while tries.take(&mira, "no-tag", Tried::Reset, start).is_ok() {}
        assert_eq!(tries.take(&mira, "no-tag", Tried::Submission, start), Ok(()));
    }

    /// A day of guessing at twenty letters of two kinds finds them less than once in 300 times.
    #[test]
    fn guessing_takes_longer_than_computing() {
        let a_day = limits::SUBMISSIONS + 24 * 60 * 60 * 1_000 / limits::SUBMISSION_MILLIS;
        assert!(a_day * 300 < 1 << 20);
    }
}
