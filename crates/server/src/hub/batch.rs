//! What the domain wants said, in the order it says it: one list for each committed batch.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::socket::{CloseCode, Connection, ConnectionId, frame};

/// Deliveries and changes of membership, in order. All frames lie in one buffer, already framed,
/// so that a batch is one allocation however many frames it has.
pub struct Batch<K> {
    pub(super) bytes: Vec<u8>,
    pub(super) steps: Vec<Step<K>>,
}

/// One delivery or change; frames are ranges of the batch's buffer.
pub(super) enum Step<K> {
    Open(Arc<Connection>),
    Forget(ConnectionId),
    Room(K, Range<usize>),
    RoomExcept(K, ConnectionId, Range<usize>),
    Everyone(Range<usize>),
    Reply(ConnectionId, Range<usize>),
    Join(K, ConnectionId),
    Leave(K, ConnectionId),
    Close(ConnectionId, CloseCode, &'static str),
}

impl<K> Batch<K> {
    /// Nothing to say.
    pub fn new() -> Self {
        Batch { bytes: Vec::new(), steps: Vec::new() }
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Introduces a connection: nothing reaches it before.
    pub fn open(&mut self, connection: Arc<Connection>) {
        self.steps.push(Step::Open(connection));
    }

    /// Forgets a connection that has ended, and takes it out of its rooms.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.steps.push(Step::Forget(connection));
    }

    /// One text frame, for those who are in `room` at this point. It is a live event: dropped for
    /// those that lag.
    pub fn room(&mut self, room: K, payload: &[u8]) {
        let frame = self.frame(payload);
        self.steps.push(Step::Room(room, frame));
    }

    /// The same for all in `room` but one: what it said itself is not news to it.
    pub fn room_except(&mut self, room: K, except: ConnectionId, payload: &[u8]) {
        let frame = self.frame(payload);
        self.steps.push(Step::RoomExcept(room, except, frame));
    }

    /// One text frame for every connection there is; a live event.
    pub fn everyone(&mut self, payload: &[u8]) {
        let frame = self.frame(payload);
        self.steps.push(Step::Everyone(frame));
    }

    /// One text frame for one connection, which is never dropped.
    pub fn reply(&mut self, connection: ConnectionId, payload: &[u8]) {
        let frame = self.frame(payload);
        self.steps.push(Step::Reply(connection, frame));
    }

    /// From here on `connection` is in `room`. Joining twice is joining once.
    pub fn join(&mut self, room: K, connection: ConnectionId) {
        self.steps.push(Step::Join(room, connection));
    }

    /// From here on `connection` is not in `room`.
    pub fn leave(&mut self, room: K, connection: ConnectionId) {
        self.steps.push(Step::Leave(room, connection));
    }

    /// Closes a connection once what was said before is said.
    pub fn close(&mut self, connection: ConnectionId, code: CloseCode, reason: &'static str) {
        self.steps.push(Step::Close(connection, code, reason));
    }

    fn frame(&mut self, payload: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        frame::append_text(payload, &mut self.bytes);
        start..self.bytes.len()
    }
}

impl<K> Default for Batch<K> {
    fn default() -> Self {
        Batch::new()
    }
}

impl<K> fmt::Debug for Batch<K> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Batch").field("steps", &self.steps.len()).finish_non_exhaustive()
    }
}
