//! One task that looks at every connection now and then: pings the silent, ends the dead and those
//! that don't answer a close. It also keeps the coarse clock of the socket layer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::connection::Connection;
use super::frame::{self, CloseCode};
use super::outbox::Class;
use super::{Sockets, limits::Settings};
use crate::metrics::Metrics;

impl Sockets {
    /// Sweeps until it is dropped.
    pub async fn sweep(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(self.settings.sweep_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let ping = bytes::Bytes::from_static(frame::PING);
        loop {
            ticks.tick().await;
            let before = self.clock();
            let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
            self.clock.store(now, Ordering::Relaxed);
            for connection in self.all() {
                match verdict(&self.settings, &connection.times(before, now)) {
                    Verdict::Alive => {}
                    Verdict::Ping => connection.send(&ping, Class::Reply),
                    Verdict::Unmet => {
                        Metrics::count(&self.metrics.unmet);
                        connection.close(CloseCode::Policy, "nobody said who this is");
                    }
                    Verdict::Dead => {
                        Metrics::count(&self.metrics.dead);
                        connection.kill();
                    }
                }
            }
        }
    }
}

impl Connection {
    fn times(&self, before: u64, now: u64) -> Times {
        let unmet = self.greeting().map(|greeting| (greeting.within, self.opened()));
        Times { heard: self.heard(), closing: self.closing_since(), unmet, before, now }
    }
}

/// All in milliseconds since the start, but for how long a peer may take to say who it is.
struct Times {
    heard: u64,
    closing: Option<u64>,
    /// Where the peer has yet to say who it is: how long that may take, and when it was opened.
    unmet: Option<(Duration, u64)>,
    /// The sweep before this one.
    before: u64,
    now: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Alive,
    Ping,
    Unmet,
    Dead,
}

fn verdict(settings: &Settings, times: &Times) -> Verdict {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(1);
    let silent = times.now.saturating_sub(times.heard);
    if let Some(closing) = times.closing {
        // The task that lingers has its own deadline; this is for a peer that never answers ours.
        let overdue = times.now.saturating_sub(closing) > millis(settings.linger);
        return if overdue { Verdict::Dead } else { Verdict::Alive };
    }
    if silent > millis(settings.dead_after) {
        return Verdict::Dead;
    }
    if times.unmet.is_some_and(|(within, opened)| times.now.saturating_sub(opened) > millis(within))
    {
        return Verdict::Unmet;
    }
    // A ping is due whenever a whole period of silence has passed since the sweep before: nothing
    // need be remembered for each connection.
    let period = millis(settings.ping_after).max(1);
    let silent_before = times.before.saturating_sub(times.heard);
    if silent / period > silent_before / period { Verdict::Ping } else { Verdict::Alive }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn silence_is_met_by_pings_and_then_by_the_end() {
        fn check(heard: u64, closing: Option<u64>, before: u64, now: u64, expected: &Verdict) {
            let times = Times { heard, closing, unmet: None, before, now };
            assert_eq!(
                verdict(&Settings::default(), &times),
                *expected,
                "heard {heard}, closing {closing:?}, swept {before} and {now}"
            );
        }
        check(1_000, None, 2_000, 3_000, &Verdict::Alive);
        check(1_000, None, 30_000, 31_000, &Verdict::Ping);
        check(1_000, None, 31_000, 32_000, &Verdict::Alive);
        check(1_000, None, 60_500, 61_500, &Verdict::Ping);
        check(1_000, None, 91_000, 91_001, &Verdict::Dead);
        check(90_000, None, 91_000, 92_000, &Verdict::Alive);
        check(90_000, Some(90_000), 91_000, 91_500, &Verdict::Alive);
        check(90_000, Some(90_000), 92_000, 93_000, &Verdict::Dead);
        check(95_000, None, 91_000, 92_000, &Verdict::Alive);
    }

    #[test]
    fn whoever_never_says_who_it_is_is_closed_whatever_else_it_says() {
        fn check(unmet: Option<u64>, closing: Option<u64>, now: u64, expected: &Verdict) {
            let unmet = unmet.map(|opened| (Duration::from_secs(30), opened));
            let times = Times { heard: now, closing, unmet, before: now, now };
            assert_eq!(verdict(&Settings::default(), &times), *expected, "{unmet:?} {now}");
        }
        check(Some(1_000), None, 31_000, &Verdict::Alive);
        check(Some(1_000), None, 31_001, &Verdict::Unmet);
        check(Some(1_000), Some(31_000), 31_001, &Verdict::Alive);
        check(None, None, 31_001, &Verdict::Alive);
    }
}
