//! How fast bytes have to move, so that a place is not held by a drip: an average over a while, which is far below what
//! any line gives. Leaves out silence, which is noticed sooner.

use std::time::{Duration, Instant};

/// Counts what moves.
pub(super) struct Pace {
    each: Duration,
    least: u64,
    since: Instant,
    moved: u64,
}

impl Pace {
    /// From now on, at least so many bytes within each such time.
    pub(super) fn begin((each, least): (Duration, u64), now: Instant) -> Self {
        Self { each, least, since: now, moved: 0 }
    }

    /// So many bytes more have moved. False if they were too few, for as long as is looked at.
    pub(super) fn keeps_up(&mut self, bytes: usize, now: Instant) -> bool {
        self.moved = self.moved.saturating_add(bytes as u64);
        if now.saturating_duration_since(self.since) < self.each {
            return true;
        }
        let enough = self.moved >= self.least;
        (self.since, self.moved) = (now, 0);
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At these seconds so many bytes come: at which it is too slow, where 100 have to come in ten seconds.
    fn check(moved: &[(u64, usize)], expected: Option<u64>) {
        let now = Instant::now();
        let mut pace = Pace::begin((Duration::from_secs(10), 100), now);
        let slow = moved
            .iter()
            .find(|(second, bytes)| !pace.keeps_up(*bytes, now + Duration::from_secs(*second)));
        assert_eq!(slow.map(|(second, _)| *second), expected, "{moved:?}");
    }

    #[test]
    fn too_little_for_a_while_is_too_slow() {
        check(&[(1, 1), (9, 1)], None);
        check(&[(1, 1), (10, 1)], Some(10));
        check(&[(1, 99), (10, 1), (11, 1), (19, 1)], None);
        check(&[(1, 99), (10, 1), (11, 1), (20, 98)], Some(20));
        check(&[(1, 1000), (10, 1), (20, 99)], Some(20));
        check(&[(30, 100)], None);
        check(&[(30, 99)], Some(30));
    }
}
