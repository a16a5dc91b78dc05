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
