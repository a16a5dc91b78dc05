//! The socket layer: WebSocket connections, opened, read, written, pinged and closed. It knows
//! frames and messages, not what they mean: messages go to a [`Sink`], and whoever has something to
//! say calls [`Connection::send`].
//!
//! An idle plain connection costs one task, one small buffer and no timer. Source: RFC 6455.

mod boundary;
mod challenge;
mod connection;
pub mod frame;
pub mod handshake;
mod limits;
mod linger;
pub mod listen;
mod outbox;
mod reader;
mod sweep;
mod tls_writer;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::server::TlsStream;

pub(crate) use challenge::CHALLENGE;
pub use challenge::Challenge;
pub use connection::{Connection, ConnectionId, Ticket};
pub use frame::CloseCode;
pub use limits::{Greeting, Settings};
pub use outbox::Class;
pub use reader::Incoming;

use portcullis_server_core::Peer;
use portcullis_server_core::defences::{SOUND, Stranger};

use crate::metrics::Metrics;
use outbox::{TlsWire, Wire};
use reader::ReadSide;

/// Where what happens on connections goes. The calls of one connection come in order: opened, its
/// messages, closed.
pub trait Sink: Send + Sync + 'static {
    /// A connection is open, and may be sent to.
    fn opened(&self, connection: &Arc<Connection>);
    /// A message came. The ticket is to be dropped once it is answered.
    fn message(&self, message: Incoming, ticket: Ticket);
    /// No message of this connection follows at once: whoever gathers some hands them on now.
    fn pause(&self, _: ConnectionId) {}
    /// A connection will send nothing more.
    fn closed(&self, connection: ConnectionId);
}

/// All open connections, and what they share.
pub struct Sockets {
    pub(super) settings: Settings,
    pub(super) metrics: Arc<Metrics>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) runtime: Handle,
    /// Bytes of requests that may wait, over all connections.
    pub(super) budget: Arc<Semaphore>,
    open: Mutex<HashMap<ConnectionId, Arc<Connection>>>,
    /// Sockets that speak HTTP, or TLS before it.
    pub(super) handshaking: AtomicUsize,
    /// Rings when the last connection is gone.
    emptied: Notify,
    last: AtomicU64,
    started: Instant,
    /// Milliseconds since the start, as of the last sweep: reading the clock for every packet
    /// would cost more than it is worth.
    clock: AtomicU64,
}

/// A socket whose handshake is done.
pub enum Stream {
    /// A socket in the clear.
    Plain(TcpStream),
    /// A socket inside TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Sockets {
    /// No connections yet. Must be called inside the runtime that is to serve them; start the
    /// sweep with [`Sockets::sweep`].
    pub fn new(settings: Settings, metrics: Arc<Metrics>, sink: Arc<dyn Sink>) -> Arc<Self> {
        Self::numbered(0, settings, metrics, sink)
    }

    /// The same for the connections of classroom guests, which have numbers of their own.
    pub fn for_guests(settings: Settings, metrics: Arc<Metrics>, sink: Arc<dyn Sink>) -> Arc<Self> {
        Self::numbered(ConnectionId::FIRST_GUEST, settings, metrics, sink)
    }

    fn numbered(
        last: u64,
        settings: Settings,
        metrics: Arc<Metrics>,
        sink: Arc<dyn Sink>,
    ) -> Arc<Self> {
        Arc::new(Sockets {
            budget: Arc::new(Semaphore::new(settings.in_flight_bytes as usize)),
            settings,
            metrics,
            sink,
            runtime: Handle::current(),
            open: Mutex::default(),
            handshaking: AtomicUsize::new(0),
            emptied: Notify::new(),
            last: AtomicU64::new(last),
            started: Instant::now(),
            clock: AtomicU64::new(1),
        })
    }

    /// Takes over a socket after its handshake, with the bytes that came behind it and what it was given to sign.
    pub fn adopt(
        self: &Arc<Self>,
        stream: Stream,
        peer: SocketAddr,
        first: Bytes,
        challenge: Option<Challenge>,
    ) {
        let (wire, side, write_half) = match stream {
            Stream::Plain(stream) => {
                let (read_half, write_half) = stream.into_split();
                (Wire::Plain(write_half), ReadSide::Plain(read_half), None)
            }
            Stream::Tls(stream) => {
                let (read_half, write_half) = tokio::io::split(*stream);
                let wire = Wire::Tls(TlsWire::default());
                (wire, ReadSide::Tls(Box::new(read_half)), Some(write_half))
            }
        };
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let connection = Arc::new(Connection::new((id, peer, challenge), Arc::clone(self), wire));
        self.lock().insert(connection.id(), Arc::clone(&connection));
        Metrics::count(&self.metrics.opened);
        if let Some(write_half) = write_half {
            self.runtime.spawn(tls_writer::write(Arc::clone(&connection), write_half));
        }
        self.runtime.spawn(reader::read(connection, side, first));
    }

    /// The counters of this server.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// How many connections are open.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is a place for one more. Where all are taken, one whose peer has not said who it is gives way: see
    /// the defence `give_way`.
    pub fn make_room(&self) -> bool {
        let mut open = self.lock();
        if open.len() < self.settings.connections {
            return true;
        }
        let of_strangers = open.values().filter(|connection| connection.is_strangers());
        let strangers: Vec<_> = of_strangers
            .map(|it| Stranger { from: Peer::new(it.peer().ip()), number: it.id().0 })
            .collect();
        let gone =
            (SOUND.give_way)(&strangers).and_then(|it| open.remove(&ConnectionId(it.number)));
        drop(open);
        let Some(gone) = gone else { return false };
        Metrics::count(&self.metrics.guests.gave_way);
        gone.close(CloseCode::TryLater, "too many connections");
        gone.kill();
        true
    }

    /// Sends every connection its farewell and closes it; returns when all are gone, or after
    /// [`Settings::stop`], when those that are left have been cut.
    pub async fn stop(&self) {
        for connection in self.all() {
            connection.send(&self.settings.stopping, Class::Reply);
            connection.close(CloseCode::GoingAway, "the server is stopping");
        }
        let emptied = async {
            while self.count() > 0 {
                self.emptied.notified().await;
            }
        };
        if tokio::time::timeout(self.settings.stop, emptied).await.is_err() {
            for connection in self.all() {
                connection.kill();
            }
        }
    }

    /// Milliseconds since the start, as of the last sweep.
    pub(super) fn clock(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(super) fn forget(&self, connection: ConnectionId) {
        let left = {
            let mut open = self.lock();
            open.remove(&connection);
            open.len()
        };
        Metrics::count(&self.metrics.closed);
        if left == 0 {
            self.emptied.notify_one();
        }
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConnectionId, Arc<Connection>>> {
        // No code that holds the lock can leave the map half changed.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
