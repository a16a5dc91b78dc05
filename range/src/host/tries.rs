//! How often somebody may submit something for a flaw, so that a value is computed and not guessed.
//!
//! In memory alone: a range that is started anew begins anew.

use crate::limits::{SUBMISSION_MILLIS, SUBMISSIONS};
use portcullis_proto::{Timestamp, UserName};
use std::collections::BTreeMap;

/// What each learner may still submit for each flaw.
#[derive(Debug, Default)]
pub(super) struct Tries {
    spent: BTreeMap<(UserName, &'static str), Timestamp>,
}

impl Tries {
    /// Takes a submission, or says in how many seconds there is one.
    ///
    /// What is kept is the time at which all of them will be back.
    pub(super) fn take(
        &mut self,
        name: &UserName,
        slug: &'static str,
        now: Timestamp,
    ) -> Result<(), u64> {
        let full = self.spent.entry((name.clone(), slug)).or_insert(now);
        let next = (*full).max(now).plus_millis(SUBMISSION_MILLIS);
        let longest = now.plus_millis(SUBMISSIONS * SUBMISSION_MILLIS);
        if next > longest {
            return Err((next.0 - longest.0).div_ceil(1_000));
        }
        *full = next;
        Ok(())
    }

    /// Forgets somebody.
    pub(super) fn forget(&mut self, name: &UserName) {
        self.spent.retain(|(whose, _), _| whose != name);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn who_has_submitted_all_waits_for_the_next() {
        let (mira, oleg) = (UserName::parse("mira").unwrap(), UserName::parse("oleg").unwrap());
        let (mut tries, start) = (Tries::default(), Timestamp(1_000_000));
        let after = |millis| start.plus_millis(millis);
        for _ in 0..SUBMISSIONS {
            assert_eq!(tries.take(&mira, "no-tag", start), Ok(()));
        }
        let each = SUBMISSION_MILLIS / 1_000;
        let mut check = |who: &UserName, slug, millis, expected| {
            assert_eq!(tries.take(who, slug, after(millis)), expected, "{who} {slug} {millis}");
        };
        check(&mira, "no-tag", 0, Err(each));
        check(&mira, "no-tag", 1, Err(each));
        check(&mira, "no-tag", SUBMISSION_MILLIS - 1, Err(1));
        check(&mira, "replay", 0, Ok(()));
        check(&oleg, "no-tag", 0, Ok(()));
        check(&mira, "no-tag", SUBMISSION_MILLIS, Ok(()));
        check(&mira, "no-tag", SUBMISSION_MILLIS, Err(each));
        tries.forget(&mira);
        assert_eq!(tries.take(&mira, "no-tag", start), Ok(()));
    }

    /// A day of guessing at twenty letters of two kinds finds them less than once in 300 times.
    #[test]
    fn guessing_takes_longer_than_computing() {
        let a_day = SUBMISSIONS + 24 * 60 * 60 * 1_000 / SUBMISSION_MILLIS;
        assert!(a_day * 300 < 1 << 20);
    }
}
