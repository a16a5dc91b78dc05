//! Who sends or takes only a few bytes now and then holds a path, which another could use, and the one at the other
//! end, for whom the server is the quicker way.

use super::super::halt::Halt;
use super::super::limits::{SLOWEST, SLOWEST_WINDOW};
use super::super::meter::Meter;
use tokio::time::sleep;

/// Waits until less than [`SLOWEST`] has moved in a [`SLOWEST_WINDOW`].
pub(super) async fn too_slow(meter: &Meter) {
    loop {
        let before = meter.get();
        sleep(SLOWEST_WINDOW).await;
        if meter.get().saturating_sub(before) < SLOWEST {
            return;
        }
    }
}

/// What it has come to: a path that was broken because it was too slow is not one to be tried again.
pub(super) fn unless_slow(ended: Result<(), Halt>, slow: bool) -> Result<(), Halt> {
    match ended {
        Err(Halt::Broken) if slow => Err(Halt::Slow),
        ended => ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    /// Whether so many bytes in each window are too few, over any kind of path.
    async fn check(each: u64, expected: bool) {
        let meter = Meter::default();
        let moving = async {
            for _ in 0..5 {
                meter.add(each);
                advance(SLOWEST_WINDOW).await;
            }
        };
        let slow = tokio::select! {
            biased;
            () = too_slow(&meter) => true,
            () = moving => false,
        };
        assert_eq!(slow, expected, "{each}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_moves_less_than_the_slowest_is_too_slow() {
        check(0, true).await;
        check(SLOWEST - 1, true).await;
        check(SLOWEST, false).await;
        check(100 * SLOWEST, false).await;
    }

    #[test]
    fn only_what_broke_because_it_was_slow_is_slow() {
        let check = |ended, slow, expected| assert_eq!(unless_slow(ended, slow), expected);
        check(Err(Halt::Broken), true, Err(Halt::Slow));
        check(Err(Halt::Broken), false, Err(Halt::Broken));
        check(Err(Halt::Stopped), true, Err(Halt::Stopped));
        check(Ok(()), true, Ok(()));
    }
}
