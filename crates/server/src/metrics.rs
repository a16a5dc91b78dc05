//! Counters of the transport and their text exposition. They hold numbers only: no names, no
//! addresses, no text. Source: the OpenMetrics text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use portcullis_server_core::GuestRefused;

use crate::uploads;

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
    /// Requests turned away for their `Origin` or `Host`.
    pub foreign: AtomicU64,
    /// Connections closed for a message that is longer than its sender may say.
    pub too_long: AtomicU64,
    /// Times a connection fell behind and lost live events.
    pub lagged: AtomicU64,
    /// Connections closed because they didn't read their replies.
    pub overflowed: AtomicU64,
    /// Connections closed because nothing was heard of them.
    pub dead: AtomicU64,
    /// Connections closed because they never said who they are.
    pub unmet: AtomicU64,
    /// Batches committed and published.
    pub batches: AtomicU64,
    /// Frames handed to connections by rooms and replies.
    pub delivered: AtomicU64,
    /// What concerns classroom guests.
    pub guests: GuestMetrics,
    /// What concerns their files.
    pub uploads: uploads::Counters,
}

/// Counters of the classroom gateway.
#[derive(Debug, Default)]
pub struct GuestMetrics {
    /// What guests sent and was refused, by reason.
    refused: [AtomicU64; GuestRefused::ALL.len()],
    /// Connections turned away because others have all the places.
    pub turned_away: AtomicU64,
    /// Connections closed to make room, before anybody had said who they are.
    pub gave_way: AtomicU64,
    /// Texts of accounts that guests were not told, because too many waited to be signed.
    pub unsaid: AtomicU64,
    /// What devices said to guests without a signature of theirs.
    pub forged: AtomicU64,
}

impl GuestMetrics {
    /// Counts a refusal.
    pub fn count(&self, refused: GuestRefused) {
        if let Some(counter) = self.refused.get(refused.index()) {
            Metrics::count(counter);
        }
    }

    /// How often something was refused for this reason.
    fn refused(&self, reason: GuestRefused) -> u64 {
        self.refused.get(reason.index()).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }

    fn render(&self, text: &mut String) {
        for (name, help, counter) in [
            ("turned_away", "connections of guests turned away at the limit", &self.turned_away),
            ("gave_way", "connections closed for others, unknown whose they were", &self.gave_way),
            ("unsaid", "texts that guests were not told", &self.unsaid),
            ("forged", "what devices said to guests without their signature", &self.forged),
        ] {
            row(text, &format!("guest_{name}"), help, counter.load(Ordering::Relaxed));
        }
        for reason in GuestRefused::ALL {
            let name = format!("guest_{}", reason.name());
            row(text, &name, "refused of what guests sent", self.refused(reason));
        }
    }
}

/// A counter in the text exposition format.
pub(crate) fn row(text: &mut String, name: &str, help: &str, value: u64) {
    // Writing to a String can't fail.
    let _ = write!(
        text,
        "# HELP portcullis_{name}_total {help}\n# TYPE portcullis_{name}_total counter\n\
         portcullis_{name}_total {value}\n"
    );
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
        let rows: [(&str, &str, &AtomicU64); 14] = [
            ("accepted", "TCP connections accepted", &self.accepted),
            ("turned_away", "TCP connections turned away at the limit", &self.turned_away),
            ("opened", "WebSocket connections opened", &self.opened),
            ("closed", "WebSocket connections closed", &self.closed),
            ("received", "messages received", &self.received),
            ("breaches", "connections closed for a breach of the protocol", &self.breaches),
            ("foreign", "requests turned away for their origin or host", &self.foreign),
            ("too_long", "connections closed for a message past the limit", &self.too_long),
            ("lagged", "times a connection fell behind", &self.lagged),
            ("overflowed", "connections closed with a full queue", &self.overflowed),
            ("dead", "connections closed for silence", &self.dead),
            ("unmet", "connections closed that never said who they are", &self.unmet),
            ("batches", "batches committed", &self.batches),
            ("delivered", "frames handed to connections", &self.delivered),
        ];
        let mut text = String::new();
        for (name, help, counter) in rows {
            row(&mut text, name, help, counter.load(Ordering::Relaxed));
        }
        self.guests.render(&mut text);
        self.uploads.render(&mut text);
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
