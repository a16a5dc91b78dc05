//! A request's body, as it comes: slowly, too long, cut off or never ending is the peer's choice, and
//! here is where it meets its bounds.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use tokio::time::{Instant, timeout, timeout_at};

use super::Settings;
use super::limits::{DRAIN, DRAIN_BYTES};
use super::refused::Refused;

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
    pub(super) async fn drain(mut self) {
        let draining = async {
            let mut left = DRAIN_BYTES;
            while let Some(Ok(bytes)) = packet(&mut self.body).await {
                let Some(less) = left.checked_sub(bytes.len() as u64) else { break };
                left = less;
            }
        };
        // However it ends: the answer is on its way.
        let _ = timeout(DRAIN, draining).await;
    }
}

async fn packet(body: &mut Body) -> Option<Result<Bytes, axum::Error>> {
    loop {
        let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await?;
        match frame.map(|frame| frame.into_data()) {
            Ok(Ok(bytes)) => return Some(Ok(bytes)),
            // Trailers say nothing that is needed.
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}
