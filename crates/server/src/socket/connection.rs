//! One open WebSocket connection, as the rest of the server sees it: something to send frames to.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use bytes::Bytes;
use socket2::SockRef;
use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::Sockets;
use super::challenge::Challenge;
use super::frame::{self, CloseCode};
use super::limits::Greeting;
use super::outbox::{Class, Drained, Outbox, Pushed, Wire};
use crate::metrics::Metrics;

/// A connection's number; never used twice while the server runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// The numbers of classroom guests begin here, so that one hub serves both kinds of connection.
    pub(crate) const FIRST_GUEST: u64 = 1 << 63;

    /// The numbers of linked servers begin here.
    pub(crate) const FIRST_LINK: u64 = Self::FIRST_GUEST + (1 << 62);

    /// Whether this stands for a linked server.
    #[must_use]
    pub const fn is_link(self) -> bool {
        self.0 >= Self::FIRST_LINK
    }

    /// Whether this is a classroom guest's connection, or a linked server.
    #[must_use]
    pub const fn is_guest(self) -> bool {
        self.0 >= Self::FIRST_GUEST
    }
}

/// One open WebSocket connection.
pub struct Connection {
    id: ConnectionId,
    peer: SocketAddr,
    challenge: Option<Challenge>,
    pub(super) sockets: Arc<Sockets>,
    pub(super) outbox: Outbox,
    /// When it was opened, in milliseconds since the start.
    opened: u64,
    /// The peer has said who it is.
    greeted: AtomicBool,
    /// Bytes that a message of the peer may have.
    longest: AtomicUsize,
    /// When the peer was last heard, in milliseconds since the start.
    heard: AtomicU64,
    /// When the close frame was queued, in milliseconds since the start; 0: it wasn't.
    closing: AtomicU64,
    in_flight: AtomicU32,
    /// Rings when the reader may have something to do again.
    resume: Notify,
}

impl Connection {
    pub(super) fn new(
        (id, peer, challenge): (u64, SocketAddr, Option<Challenge>),
        sockets: Arc<Sockets>,
        wire: Wire,
    ) -> Self {
        let settings = &sockets.settings;
        let longest = settings.greeting.map_or(settings.message, |greeting| greeting.bytes);
        Connection {
            id: ConnectionId(id),
            peer,
            challenge,
            opened: sockets.clock(),
            greeted: AtomicBool::new(false),
            longest: AtomicUsize::new(longest),
            heard: AtomicU64::new(sockets.clock()),
            sockets,
            outbox: Outbox::new(wire),
            closing: AtomicU64::new(0),
            in_flight: AtomicU32::new(0),
            resume: Notify::new(),
        }
    }

    /// This connection's number.
    pub fn id(&self) -> ConnectionId {
        self.id
    }

    /// The peer's address; behind a proxy the one that the proxy names.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What the peer was given to sign, on this connection alone.
    pub fn challenge(&self) -> Option<&str> {
        self.challenge.as_ref().map(Challenge::as_str)
    }

    /// The peer has said who it is: the bounds of [`Greeting`] are no longer for it, and its messages may have so many
    /// bytes, within [`super::Settings::message`].
    pub fn greet(&self, longest: usize) {
        self.longest.store(longest, Ordering::Relaxed);
        self.greeted.store(true, Ordering::Relaxed);
    }

    /// Bytes that a message of the peer may have.
    pub(super) fn longest(&self) -> usize {
        self.longest.load(Ordering::Relaxed)
    }

    /// Whether nobody is known to need it: the peer has yet to say who it is, or is being left.
    pub(super) fn is_strangers(&self) -> bool {
        self.greeting().is_some() || self.closing_since().is_some()
    }

    /// The bounds of a peer that has yet to say who it is.
    pub(super) fn greeting(&self) -> Option<Greeting> {
        self.sockets.settings.greeting.filter(|_| !self.greeted.load(Ordering::Relaxed))
    }

    /// When it was opened, in milliseconds since the start.
    pub(super) fn opened(&self) -> u64 {
        self.opened
    }

    /// Sends whole frames. Never waits: what the peer can't take is queued, or dropped by the rule
    /// of its class.
    pub fn send(self: &Arc<Self>, frames: &Bytes, class: Class) {
        let pushed = self.outbox.push(frames, class, &self.sockets.settings);
        self.follow(pushed);
    }

    /// Sends a close frame as the last one. The peer has [`super::Settings::linger`] to answer.
    pub fn close(self: &Arc<Self>, code: CloseCode, reason: &str) {
        // 0 means "not closing".
        let now = self.sockets.clock().max(1);
        if self.closing.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let pushed = self.outbox.close(&frame::close(code, reason));
            self.follow(pushed);
            self.resume.notify_one();
        }
    }

    /// Sends the answer to the peer's close frame as the last one.
    pub(super) fn answer_close(self: &Arc<Self>, frame: &Bytes) {
        self.closing.store(self.sockets.clock().max(1), Ordering::Relaxed);
        let pushed = self.outbox.close(frame);
        self.follow(pushed);
    }

    /// Waits until everything is written. Call it only from the task that reads.
    pub(super) async fn drained(&self) {
        while self.outbox.waiting() > 0 {
            self.resume.notified().await;
        }
    }

    /// Whether live events are being dropped for this connection.
    pub fn is_lagging(&self) -> bool {
        self.outbox.is_lagging()
    }

    /// Ends the connection without a word.
    pub(super) fn kill(&self) {
        self.outbox.end();
        self.hang_up(std::net::Shutdown::Both);
        if let Wire::Tls(bells) = &self.outbox.wire {
            bells.stop_reading.notify_one();
            bells.stop_writing.notify_one();
        }
        self.resume.notify_one();
    }

    /// Shuts the plain socket down; a TLS socket's own tasks do that.
    pub(super) fn hang_up(&self, how: std::net::Shutdown) {
        if let Wire::Plain(stream) = &self.outbox.wire {
            // It may be shut down already; nothing is to be done about that.
            let _ = SockRef::from(stream.as_ref()).shutdown(how);
        }
    }

    /// Waits until the reader may read on: the peer takes its replies, and not too many of its
    /// requests wait. A connection that closes is read on, for the peer's answer.
    pub(super) async fn may_read(&self) {
        let queue = self.sockets.settings.queue;
        self.may_ask().await;
        while self.closing_since().is_none() && self.outbox.waiting() > queue {
            self.resume.notified().await;
        }
    }

    /// Waits until not too many requests of this connection wait for their replies.
    pub(super) async fn may_ask(&self) {
        let most = self.sockets.settings.in_flight;
        while self.closing_since().is_none() && self.in_flight.load(Ordering::Acquire) >= most {
            self.resume.notified().await;
        }
    }

    /// A ticket for one request, which counts until it is dropped.
    pub(super) fn ticket(self: &Arc<Self>, budget: OwnedSemaphorePermit) -> Ticket {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        Ticket { connection: Arc::clone(self), _budget: budget }
    }

    pub(super) fn hear(&self) {
        self.heard.store(self.sockets.clock(), Ordering::Relaxed);
    }

    /// When the peer was last heard, in milliseconds since the start.
    pub(super) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// When closing began, in milliseconds since the start.
    pub(super) fn closing_since(&self) -> Option<u64> {
        Some(self.closing.load(Ordering::Relaxed)).filter(|since| *since != 0)
    }

    /// Something has left the queue: the peer lives, and may be read from again.
    pub(super) fn relieved(&self) {
        self.hear();
        self.resume.notify_one();
    }

    fn follow(self: &Arc<Self>, pushed: Pushed) {
        let metrics = &self.sockets.metrics;
        match pushed {
            Pushed::Done | Pushed::Dropped => {}
            Pushed::StartDraining => match &self.outbox.wire {
                Wire::Plain(_) => {
                    self.sockets.runtime.spawn(drain(Arc::clone(self)));
                }
                Wire::Tls(bells) => bells.wake.notify_one(),
            },
            Pushed::BeganToLag => Metrics::count(&metrics.lagged),
            Pushed::Overflowed => {
                Metrics::count(&metrics.overflowed);
                self.kill();
            }
            Pushed::Failed => self.kill(),
        }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A request that waits for its reply. While it exists it counts against its connection's and the
/// server's bounds on waiting requests.
pub struct Ticket {
    connection: Arc<Connection>,
    _budget: OwnedSemaphorePermit,
}

impl Ticket {
    /// The connection that asks.
    pub fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let before = self.connection.in_flight.fetch_sub(1, Ordering::Release);
        if before == self.connection.sockets.settings.in_flight {
            self.connection.resume.notify_one();
        }
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Ticket").field(&self.connection.id).finish()
    }
}

/// Empties the queue of a plain connection as fast as its peer reads, then ends: only a connection
/// that can't keep up has such a task.
async fn drain(connection: Arc<Connection>) {
    let Wire::Plain(stream) = &connection.outbox.wire else {
        return;
    };
    loop {
        if stream.writable().await.is_err() {
            return connection.kill();
        }
        let drained = connection.outbox.drain(&connection.sockets.settings);
        connection.relieved();
        match drained {
            Drained::Empty => return,
            Drained::Blocked => {}
            Drained::Failed => return connection.kill(),
        }
    }
}
