//! Counters of the transport and their text exposition. They hold numbers only: no names, no
//! addresses, no text. Source: the OpenMetrics text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters that any thread may add to, read by `GET /metrics`.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections accepted since the start.
    pub accepted: AtomicU64,
    /// Connections turned away because there were too many.
    pub turned_away: AtomicU64,
    /// WebSocket connections opened since the start.
    pub opened: AtomicU64,
    /// WebSocket connections closed since the start.
    pub closed: AtomicU64,
    /// Messages received.
    pub received: AtomicU64,
    /// Connections closed for a breach of the protocol.
    pub breaches: AtomicU64,
    /// Times a connection fell behind and lost live events.
    pub lagged: AtomicU64,
    /// Connections closed because they didn't read their replies.
    pub overflowed: AtomicU64,
    /// Connections closed because nothing was heard of them.
    pub dead: AtomicU64,
    /// Batches committed and published.
    pub batches: AtomicU64,
    /// Frames handed to connections by rooms and replies.
    pub delivered: AtomicU64,
}

impl Metrics {
    /// Adds one.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Adds `many`.
    pub fn add(counter: &AtomicU64, many: usize) {
        counter.fetch_add(many as u64, Ordering::Relaxed);
    }

    /// All counters, in the text exposition format.
    pub fn render(&self) -> String {
        let rows: [(&str, &str, &AtomicU64); 11] = [
            ("accepted", "TCP connections accepted", &self.accepted),
            ("turned_away", "TCP connections turned away at the limit", &self.turned_away),
            ("opened", "WebSocket connections opened", &self.opened),
            ("closed", "WebSocket connections closed", &self.closed),
            ("received", "messages received", &self.received),
            ("breaches", "connections closed for a breach of the protocol", &self.breaches),
            ("lagged", "times a connection fell behind", &self.lagged),
            ("overflowed", "connections closed with a full queue", &self.overflowed),
            ("dead", "connections closed for silence", &self.dead),
            ("batches", "batches committed", &self.batches),
            ("delivered", "frames handed to connections", &self.delivered),
        ];
        let mut text = String::new();
        for (name, help, counter) in rows {
            let value = counter.load(Ordering::Relaxed);
            // Writing to a String can't fail.
            let _ = write!(
                text,
                "# HELP portcullis_{name}_total {help}\n# TYPE portcullis_{name}_total counter\n\
                 portcullis_{name}_total {value}\n"
            );
        }
        let open =
            self.opened.load(Ordering::Relaxed).saturating_sub(self.closed.load(Ordering::Relaxed));
        let _ = write!(
            text,
            "# HELP portcullis_open open WebSocket connections\n# TYPE portcullis_open gauge\n\
             portcullis_open {open}\n"
        );
        text
    }
}
