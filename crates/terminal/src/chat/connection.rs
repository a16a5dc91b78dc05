//! The connection's state in words, counted down to the next try.

use super::Shell;
use crate::net::ConnectError;
use crate::ui::view::Connection;
use std::time::{Duration, Instant};

/// When the next try is due.
#[derive(Debug, Default)]
pub(super) struct Retry {
    due: Option<Instant>,
    reason: Option<ConnectError>,
}

impl Shell {
    /// The session is open.
    pub(super) fn is_online(&mut self) {
        self.retry = Retry::default();
        self.model.set_connection(Connection::Online, None);
    }

    /// The connection is gone, and the next try is due in a moment.
    pub(super) fn is_offline(&mut self) {
        self.waits(Duration::ZERO, None);
    }

    /// The next try is so far away.
    pub(super) fn waits(&mut self, delay: Duration, reason: Option<ConnectError>) {
        self.retry = Retry { due: Some(Instant::now() + delay), reason };
        self.count_down();
    }

    /// No further try is made.
    pub(super) fn is_unreachable(&mut self, reason: &ConnectError) {
        self.retry = Retry::default();
        let server = &self.options.server;
        let words = match reason {
            ConnectError::Gone(then) => then.clone(),
            reason => format!("{server}: {reason}; there is no use in trying again"),
        };
        self.model.set_connection(Connection::Offline, None);
        self.model.say_or_form(words, crate::ui::view::Level::Alarm);
    }

    /// Says how long the next try is away.
    pub(super) fn count_down(&mut self) {
        let Some(due) = self.retry.due else { return };
        let left = due.saturating_duration_since(Instant::now());
        let in_seconds = u64::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u64::MAX);
        let server = &self.options.server;
        let words = self.retry.reason.as_ref().map(|reason| match in_seconds {
            0 => format!("no answer from {server} ({reason}); trying again"),
            seconds => format!("no answer from {server} ({reason}); trying again in {seconds} s"),
        });
        self.model.set_connection(Connection::Reconnecting { in_seconds }, words);
    }
}
