//! How long nothing has moved. Who moves files waits for as long as some do, however large they are: `--timeout` is
//! for the silence in between.

use std::time::Duration;

use portcullis_client_core::Show;
use tokio::time::Instant;

use super::{Exit, Failure};
use crate::device::{Activity, Device};

/// How long nothing has moved, and how long that may be.
#[derive(Debug)]
pub(super) struct Quiet {
    pub(super) limit: Option<Duration>,
    pub(super) since: Instant,
    last: Activity,
}

impl Default for Quiet {
    fn default() -> Self {
        Self { limit: None, since: Instant::now(), last: Activity::default() }
    }
}

impl Quiet {
    /// Nothing has been looked at yet.
    pub(super) fn within(limit: Option<Duration>) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Looks whether something has moved, or a transfer or the session has come further.
    ///
    /// # Errors
    /// [`Failure`]: not for too long.
    pub(super) fn look(&mut self, device: &Device, shows: &[Show]) -> Result<(), Failure> {
        let further =
            |show: &Show| matches!(show, Show::Transfer(_) | Show::Listed | Show::CaughtUp(..));
        self.heard(device.activity(), shows.iter().any(further))
    }

    fn heard(&mut self, activity: Activity, further: bool) -> Result<(), Failure> {
        if further || activity != self.last {
            (self.since, self.last) = (Instant::now(), activity);
        }
        match self.limit {
            Some(limit) if self.since.elapsed() >= limit => {
                let message = format!("nothing has moved for {} s", limit.as_secs());
                Err(Failure::new(Exit::Unreachable, message))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn only_silence_ends_it() {
        let mut quiet = Quiet { limit: Some(Duration::from_secs(10)), ..Quiet::default() };
        let moved = |bytes| Activity { bytes, ..Activity::default() };
        let mut after = async |seconds, bytes, further| {
            advance(Duration::from_secs(seconds)).await;
            quiet.heard(moved(bytes), further).err().map(|failure| failure.exit)
        };
        assert_eq!(after(9, 0, false).await, None);
        assert_eq!(after(9, 1, false).await, None);
        assert_eq!(after(9, 2, false).await, None);
        assert_eq!(after(9, 2, true).await, None);
        // A path that begins anew has moved less.
        assert_eq!(after(9, 1, false).await, None);
        assert_eq!(after(9, 1, false).await, None);
        assert_eq!(after(1, 1, false).await, Some(Exit::Unreachable));
        let mut endless = Quiet::default();
        advance(Duration::from_secs(1_000_000)).await;
        assert_eq!(endless.heard(moved(0), false), Ok(()));
    }
}
