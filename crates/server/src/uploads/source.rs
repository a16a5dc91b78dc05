//! A request's body, as it comes: slowly, too long, cut off or never ending is the peer's choice, and
//! here is where it meets its bounds.

use std::time::Duration;

use axum::body::{Body, Bytes};
use tokio::time::{Instant, timeout, timeout_at};

use super::Settings;
use super::refused::Refused;
use crate::body::{drain, packet};

/// A body that is read.
pub(super) struct Source {
    body: Body,
    stall: Duration,
    deadline: Instant,
    /// Bytes that may still come.
    left: u64,
}

impl Source {
    /// A body that may have so many bytes.
    pub(super) fn new(body: Body, most: u64, settings: &Settings) -> Self {
        let deadline = Instant::now() + settings.whole;
        Self { body, stall: settings.stall, deadline, left: most }
    }

    /// The next packet; none at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Refused> {
        let next = timeout(self.stall, packet(&mut self.body));
        let packet = timeout_at(self.deadline, next).await;
        let packet = packet.ok().and_then(Result::ok).ok_or(Refused::TooSlow)?;
        let Some(bytes) = packet.transpose().map_err(|_| Refused::Cut)? else { return Ok(None) };
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Refused::TooLarge)?;
        Ok(Some(bytes))
    }

    /// Reads on for a while and throws away what comes.
    pub(super) async fn drain(self) {
        drain(self.body).await;
    }
}
