//! How long to wait before the next try: twice as long each time, up to a bound, and a random half of it
//! off, so that a thousand clients of a server that comes back don't come back together.

use std::time::Duration;

/// The wait before the first try again, at most.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(30);

/// Tries without success so far.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait; `random` is any random number.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        let half = u64::try_from(whole.as_millis() / 2).unwrap_or(u64::MAX);
        Duration::from_millis(half + random % (half + 1))
    }

    /// A session was open: the next wait is the shortest again.
    pub(super) fn reset(&mut self) {
        self.tries = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(before: u32, random: u64, expected: u64) {
        let mut backoff = Backoff { tries: before };
        assert_eq!(backoff.next(random), Duration::from_millis(expected));
        assert_eq!(backoff.tries, before.saturating_add(1));
    }

    #[test]
    fn waits_double_within_bounds() {
        check(0, 0, 250);
        check(0, 250, 500);
        check(0, 251, 250);
        check(1, 0, 500);
        check(5, 0, 8_000);
        check(6, 0, 15_000);
        check(6, 15_000, 30_000);
        check(u32::MAX, 15_000, 30_000);
    }
}
