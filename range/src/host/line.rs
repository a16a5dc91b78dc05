//! A learner's connections: how many are open, to one world and in all, and how much waits for those who do not read.

use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::mpsc;

/// What is open: the doors of a world, or all that a learner has.
#[derive(Debug, Default)]
pub(super) struct Doors(Arc<()>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    _door: Arc<()>,
}

impl Doors {
    /// A place, if there are not so many of them already.
    pub(super) fn enter(&self, most: usize) -> Option<Place> {
        (self.count() < most).then(|| Place { _door: Arc::clone(&self.0) })
    }

    /// How many are open.
    pub(super) fn count(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// Bytes that wait for all connections of a world.
#[derive(Debug, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

/// Where a world puts what comes to a connection.
pub(super) struct Outbox {
    sender: mpsc::UnboundedSender<String>,
    waiting: Arc<AtomicUsize>,
}

/// Where the connection takes it.
pub(super) struct Inbox {
    receiver: mpsc::UnboundedReceiver<String>,
    waiting: Arc<AtomicUsize>,
}

impl Waiting {
    /// A connection's two ends.
    pub(super) fn line(&self) -> (Outbox, Inbox) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let outbox = Outbox { sender, waiting: Arc::clone(&self.0) };
        (outbox, Inbox { receiver, waiting: Arc::clone(&self.0) })
    }
}

impl Outbox {
    /// Whether there is somebody to take it, and room until they do.
    pub(super) fn put(&self, text: String) -> bool {
        let bytes = text.len();
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if waiting <= limits::MOVING_BYTES && self.sender.send(text).is_ok() {
            return true;
        }
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        false
    }
}

impl Inbox {
    /// The next that comes; none once the world has closed the connection.
    pub(super) async fn take(&mut self) -> Option<String> {
        let text = self.receiver.recv().await?;
        self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
        Some(text)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.receiver.close();
        while let Ok(text) = self.receiver.try_recv() {
            self.waiting.fetch_sub(text.len(), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn doors_count_until_they_are_closed() {
        let doors = Doors::default();
        let mut open: Vec<Place> =
            (0..limits::LINES).map(|_| doors.enter(limits::LINES).unwrap()).collect();
        assert!(doors.enter(limits::LINES).is_none());
        open.pop();
        assert_eq!(doors.count(), limits::LINES - 1);
        open.push(doors.enter(limits::LINES).unwrap());
        assert!(doors.enter(limits::LINES).is_none());
    }

    #[tokio::test]
    async fn what_nobody_reads_has_an_end() {
        let waiting = Waiting::default();
        let ((one, mut reads), (other, never)) = (waiting.line(), waiting.line());
        let half = "x".repeat(limits::MOVING_BYTES / 2);
        assert!(one.put(half.clone()) && other.put(half.clone()));
        assert!(!one.put("x".to_owned()), "they share what there is");
        assert_eq!(reads.take().await.unwrap().len(), half.len());
        assert!(one.put(half.clone()));
        drop(never);
        assert!(!other.put("x".to_owned()), "nobody is there");
        assert!(one.put(half), "whoever goes leaves nothing behind");
    }
}
