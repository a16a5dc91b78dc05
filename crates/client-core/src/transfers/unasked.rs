//! How much was taken of a person without asking, by the hour, for as long as it counts.

use portcullis_proto::Timestamp;
use serde::{Deserialize, Serialize};

const HOUR_MILLIS: u64 = 3600 * 1000;

/// Hours after which it counts no more.
const COUNTS: u64 = 24;

/// Hours since 1970, in order, and the bytes that were taken in each; 25 at most.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Unasked(Vec<(u64, u64)>);

impl Unasked {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Bytes that were taken within a day, and up to an hour before.
    pub(crate) fn within_a_day(&self, now: Timestamp) -> u64 {
        let hour = now.0 / HOUR_MILLIS;
        let counts = self.0.iter().filter(|(of, _)| of.saturating_add(COUNTS) >= hour);
        counts.map(|(_, bytes)| *bytes).fold(0, u64::saturating_add)
    }

    /// So many more are taken. What was taken after now, by a clock that was put back, was taken now.
    pub(crate) fn add(&mut self, now: Timestamp, bytes: u64) {
        let (hour, mut sum) = (now.0 / HOUR_MILLIS, bytes);
        self.0.retain(|(of, bytes)| {
            if *of >= hour {
                sum = sum.saturating_add(*bytes);
            }
            *of < hour && of.saturating_add(COUNTS) >= hour
        });
        self.0.push((hour, sum));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes these bytes at these hours, and says what counts at another.
    fn check(taken: &[(u64, u64)], at: u64, expected: u64) {
        let mut all = Unasked::default();
        let time = |hour: u64| Timestamp(hour * HOUR_MILLIS + 7);
        for (hour, bytes) in taken {
            all.add(time(*hour), *bytes);
        }
        assert_eq!(all.within_a_day(time(at)), expected, "{taken:?} {at}");
        assert!(all.0.len() <= 25);
    }

    #[test]
    fn what_was_taken_within_a_day_counts() {
        check(&[], 100, 0);
        check(&[(100, 5), (100, 6), (101, 7)], 101, 18);
        check(&[(100, 5), (101, 7)], 124, 12);
        check(&[(100, 5), (101, 7)], 125, 7);
        check(&[(100, 5), (101, 7)], 126, 0);
        check(&[(100, u64::MAX), (101, 7)], 101, u64::MAX);
        // The clock was put back.
        check(&[(900, 5), (100, 7)], 100, 12);
        check(&[(900, 5), (100, 7)], 125, 0);
        check(&(0..1000).map(|hour| (hour, 1)).collect::<Vec<_>>(), 999, 25);
    }
}
