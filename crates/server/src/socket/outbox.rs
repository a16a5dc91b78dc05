//! What waits to be written to one connection, and the rule for those that can't keep up.
//!
//! Whoever has bytes for a plain connection writes them itself, with one call. Only what the
//! kernel doesn't take goes into a queue, which the connection's drain task empties. A TLS
//! connection's bytes always go through the queue, because its own task must encrypt them.
//! Past its bound, a connection is *lagging*: it loses live events, never replies, until its queue
//! is empty; one frame then tells it to fetch what it missed.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Buf as _, Bytes};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use super::limits::{DRAIN_STEP, Settings};

/// Whether a frame may be dropped for a connection that can't keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// An event that the client can fetch later by its cursors.
    Live,
    /// A reply, or whatever else must arrive.
    Reply,
}

/// How a connection's bytes leave.
pub(super) enum Wire {
    /// Written by whoever has bytes.
    Plain(OwnedWriteHalf),
    /// Written by a task of its own.
    Tls(TlsWire),
}

/// The bells of a TLS connection, which hides its socket.
#[derive(Default)]
pub(super) struct TlsWire {
    /// Something waits to be written, or the end has come.
    pub(super) wake: Notify,
    /// Reading is to end without further ado.
    pub(super) stop_reading: Notify,
    /// Writing is to end without further ado.
    pub(super) stop_writing: Notify,
}

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pushed {
    /// Written, or added to a queue that is being drained.
    Done,
    /// The first bytes of a queue: somebody must start to drain it.
    StartDraining,
    /// Dropped, and the connection has just begun to lag.
    BeganToLag,
    /// Dropped: the connection lags, is closing or has ended.
    Dropped,
    /// The socket failed.
    Failed,
    /// The queue is past its hard bound.
    Overflowed,
}

/// What became of a step of draining.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drained {
    /// Nothing is left, and the drain task is to end.
    Empty,
    /// The kernel takes no more for now, or others should have their turn.
    Blocked,
    /// The socket failed.
    Failed,
}

pub(super) struct Outbox {
    pub(super) wire: Wire,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Open,
    Lagging,
    /// The close frame is the last thing in the queue.
    Closing,
    Ended,
}

impl Outbox {
    pub(super) fn new(wire: Wire) -> Self {
        Outbox { wire, queue: Mutex::default() }
    }

    /// Writes whole frames, or queues what the kernel doesn't take.
    pub(super) fn push(&self, frames: &Bytes, class: Class, settings: &Settings) -> Pushed {
        let mut queue = self.lock();
        match (queue.mode, class) {
            (Mode::Open, _) | (Mode::Lagging, Class::Reply) => {}
            _ => return Pushed::Dropped,
        }
        if !queue.chunks.is_empty() {
            let after = queue.bytes + frames.len();
            if after > settings.queue_hard {
                queue.end();
                return Pushed::Overflowed;
            }
            if after > settings.queue && class == Class::Live {
                queue.mode = Mode::Lagging;
                return Pushed::BeganToLag;
            }
        }
        self.write_or_queue(&mut queue, frames)
    }

    /// Queues `frame` as the last thing this connection is ever sent.
    pub(super) fn close(&self, frame: &Bytes) -> Pushed {
        let mut queue = self.lock();
        if matches!(queue.mode, Mode::Closing | Mode::Ended) {
            return Pushed::Dropped;
        }
        let pushed = self.write_or_queue(&mut queue, frame);
        if pushed != Pushed::Failed {
            queue.mode = Mode::Closing;
        }
        pushed
    }

    /// Writes from the queue of a plain connection until it is empty or the kernel is full. A lag
    /// ends with the queue.
    pub(super) fn drain(&self, settings: &Settings) -> Drained {
        let Wire::Plain(stream) = &self.wire else {
            return Drained::Empty;
        };
        let mut queue = self.lock();
        let mut written = 0;
        loop {
            if queue.chunks.is_empty() && !queue.end_lag(settings) {
                return Drained::Empty;
            }
            if written >= DRAIN_STEP {
                return Drained::Blocked;
            }
            match queue.chunks.front().map(|chunk| stream.try_write(chunk)) {
                Some(Ok(count)) => {
                    written += count;
                    queue.advance(count);
                }
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Drained::Blocked;
                }
                _ => {
                    queue.end();
                    return Drained::Failed;
                }
            }
        }
    }

    /// Takes the next bytes to be encrypted. They count until [`Outbox::taken`] says they are gone.
    pub(super) fn take(&self, settings: &Settings) -> Option<Bytes> {
        let mut queue = self.lock();
        if queue.chunks.is_empty() && !queue.end_lag(settings) {
            return None;
        }
        // A copy of the handle: the queue isn't empty while its front is being written.
        queue.chunks.front().cloned()
    }

    /// `count` bytes of what [`Outbox::take`] returned are written.
    pub(super) fn taken(&self, count: usize) {
        self.lock().advance(count);
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lock().bytes
    }

    pub(super) fn is_lagging(&self) -> bool {
        self.lock().mode == Mode::Lagging
    }

    /// Whether nothing more will be queued.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.lock().mode, Mode::Closing | Mode::Ended)
    }

    /// Drops whatever waits; nothing is written from now on.
    pub(super) fn end(&self) {
        self.lock().end();
    }

    fn write_or_queue(&self, queue: &mut Queue, frames: &Bytes) -> Pushed {
        let first = queue.chunks.is_empty();
        let mut rest = frames.clone();
        if let (true, Wire::Plain(stream)) = (first, &self.wire) {
            match stream.try_write(frames) {
                Ok(count) => rest.advance(count.min(frames.len())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    queue.end();
                    return Pushed::Failed;
                }
            }
        }
        if rest.is_empty() {
            return Pushed::Done;
        }
        queue.bytes += rest.len();
        queue.chunks.push_back(rest);
        if first { Pushed::StartDraining } else { Pushed::Done }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code that holds the lock can leave the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn advance(&mut self, count: usize) {
        let Some(front) = self.chunks.front_mut() else {
            return;
        };
        let count = count.min(front.len());
        front.advance(count);
        self.bytes -= count;
        if front.is_empty() {
            self.chunks.pop_front();
        }
        if self.chunks.is_empty() {
            // An idle connection keeps no memory for what it once had to queue.
            self.chunks = VecDeque::new();
        }
    }

    /// Whether a lag has just ended, with its frame as the queue's only content.
    fn end_lag(&mut self, settings: &Settings) -> bool {
        if self.mode != Mode::Lagging {
            return false;
        }
        self.mode = Mode::Open;
        self.bytes = settings.lagging.len();
        self.chunks.push_back(settings.lagging.clone());
        true
    }

    fn end(&mut self) {
        self.mode = Mode::Ended;
        self.bytes = 0;
        self.chunks = VecDeque::new();
    }
}
