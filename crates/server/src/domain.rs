//! The one thread that owns the truth: it takes what waits, has it decided and committed as one
//! batch, and only then lets go of the replies and events.
//!
//! [`Domain`] is what decides; [`CoreDomain`] is the real one, around the server core.

mod core;
mod guests;
mod inbox;
mod refusals;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::mpsc::{Sender, SyncSender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub use core::{Ask, CoreDomain, Room, ServerStore};

use inbox::Inbox;

use crate::blobs::Blobs;
use crate::hub::Batch;
use crate::metrics::Metrics;
use crate::relay::Relay;
use crate::socket::{Connection, ConnectionId, Incoming, Sink, Ticket};

/// Arrivals in one batch: enough to share the cost of a commit among all who wait, few enough to
/// bound how long the first of them waits.
pub const BATCH: usize = portcullis_server_core::limits::BATCH_REQUESTS;

/// How often a domain is given the time: what it gathers, like presence, goes out once a second.
pub const TICK: Duration = Duration::from_secs(1);

/// Something that happened on a connection.
#[derive(Debug)]
pub enum Arrival<R> {
    /// It is open. The hub knows it already.
    Opened(Arc<Connection>),
    /// It asks something.
    Request(ConnectionId, R),
    /// It will ask nothing more. The hub will forget it after this batch.
    Closed(ConnectionId),
}

/// Decides what becomes of arrivals.
pub trait Domain: Send + 'static {
    /// What names a room of the hub.
    type Room: Hash + Eq + Copy + Send + 'static;
    /// A message that has been read.
    type Request: Send + 'static;

    /// Reads a message. This happens on the connection's thread, so that the domain's has less to
    /// do.
    fn read(message: &Incoming) -> Self::Request;

    /// What a request costs, compared with others. Where much that weighs something waits, what
    /// weighs nothing passes it.
    fn weight(_: &Self::Request) -> usize {
        0
    }

    /// Carries out `arrivals`, in order, and commits; says in `batch` what follows from them. When
    /// it returns, all that `batch` says is true and durable.
    fn carry_out(&mut self, arrivals: Vec<Arrival<Self::Request>>, batch: &mut Batch<Self::Room>);

    /// Prepares for classroom guests, before the domain's thread starts, and says where what they send
    /// goes; nothing where none are admitted.
    ///
    /// # Errors
    /// When the system gives no thread.
    fn open_gateway(
        &mut self,
        _: &Entrance<Self>,
        _: &SyncSender<Batch<Self::Room>>,
        _: &Arc<Metrics>,
    ) -> std::io::Result<Option<Door>>
    where
        Self: Sized,
    {
        Ok(None)
    }

    /// Opens what people store for each other, before the domain's thread starts; nothing where nothing is.
    ///
    /// # Errors
    /// What the store or the folder says.
    fn open_blobs(&mut self) -> std::io::Result<Option<Arc<Blobs>>> {
        Ok(None)
    }

    /// Takes the relay, which is told whose packets it carries.
    fn open_relay(&mut self, _: Arc<Relay>) {}

    /// Called about once a [`TICK`].
    fn tick(&mut self, batch: &mut Batch<Self::Room>);
}

/// The way in: where the socket layer puts what happens.
pub struct Entrance<D: Domain>(Sender<Message<D::Request>>);

/// Where what classroom guests send goes.
pub struct Door {
    /// Takes their frames.
    pub sink: Arc<dyn Sink>,
    /// Linked servers come through it too.
    pub links: bool,
}

/// A domain's thread, to be told to stop and waited for.
pub struct Running<D: Domain> {
    entrance: Entrance<D>,
    /// Where what classroom guests send goes, if they are admitted.
    pub guests: Option<Door>,
    thread: JoinHandle<()>,
    alive: oneshot::Receiver<()>,
}

/// Starts the domain's thread.
///
/// # Errors
/// When the system gives no thread.
pub fn start<D: Domain>(
    mut domain: D,
    hub: SyncSender<Batch<D::Room>>,
    metrics: Arc<Metrics>,
) -> std::io::Result<Running<D>> {
    let (sender, messages) = channel();
    let guests = domain.open_gateway(&Entrance(sender.clone()), &hub, &metrics)?;
    let (living, alive) = oneshot::channel();
    let thread = std::thread::Builder::new().name("domain".to_owned()).spawn(move || {
        run(domain, Inbox::new(messages), &hub, &metrics);
        // Held until here, so that a panic drops it as well.
        drop(living);
    })?;
    Ok(Running { entrance: Entrance(sender), guests, thread, alive })
}

impl<D: Domain> Running<D> {
    /// A way in.
    pub fn entrance(&self) -> Entrance<D> {
        self.entrance.clone()
    }

    /// Returns when the thread has ended without being told to: it panicked, or the hub's did.
    pub async fn failed(&mut self) {
        // Nothing is ever sent; the other half is dropped when the thread ends.
        let _ = (&mut self.alive).await;
    }

    /// Has everything carried out that has arrived, and waits for the end.
    pub fn stop(self) {
        // If it has ended already, there is nothing to wait for.
        let _ = self.entrance.0.send(Message::Stop);
        let _ = self.thread.join();
    }
}

impl<D: Domain> Clone for Entrance<D> {
    fn clone(&self) -> Self {
        Entrance(self.0.clone())
    }
}

impl<D: Domain> Entrance<D> {
    /// Hands in a message that has been read already.
    pub(crate) fn ask(&self, request: D::Request, ticket: Ticket) {
        let _ = self.0.send(Message::Request(request, ticket));
    }

    /// Hands in what came over a link, which the hub knows nothing of.
    pub(crate) fn link(&self, link: ConnectionId, request: D::Request, room: LinkRoom) {
        let _ = self.0.send(Message::Link(link, request, room));
    }

    /// A link is down.
    pub(crate) fn link_closed(&self, link: ConnectionId) {
        let _ = self.0.send(Message::Closed(link));
    }
}

impl<D: Domain> Sink for Entrance<D> {
    // When the domain has gone, the server is stopping, and nobody waits for an answer.
    fn opened(&self, connection: &Arc<Connection>) {
        let _ = self.0.send(Message::Opened(Arc::clone(connection)));
    }

    fn message(&self, message: Incoming, ticket: Ticket) {
        let _ = self.0.send(Message::Request(D::read(&message), ticket));
    }

    fn closed(&self, connection: ConnectionId) {
        let _ = self.0.send(Message::Closed(connection));
    }
}

enum Message<R> {
    Opened(Arc<Connection>),
    Request(R, Ticket),
    Link(ConnectionId, R, LinkRoom),
    Closed(ConnectionId),
    Stop,
}

/// Counts against what a link may have waiting until it is dropped.
pub(crate) type LinkRoom = tokio::sync::OwnedSemaphorePermit;

impl<R> Message<R> {
    /// Whose it is.
    fn connection(&self) -> Option<ConnectionId> {
        match self {
            Message::Opened(connection) => Some(connection.id()),
            Message::Request(_, ticket) => Some(ticket.connection().id()),
            Message::Closed(connection) | Message::Link(connection, ..) => Some(*connection),
            Message::Stop => None,
        }
    }
}

fn run<D: Domain>(
    mut domain: D,
    mut inbox: Inbox<D>,
    hub: &SyncSender<Batch<D::Room>>,
    metrics: &Metrics,
) {
    let mut ticked = Instant::now();
    loop {
        let waiting = inbox.receive(TICK.saturating_sub(ticked.elapsed()));
        let mut batch = Batch::new();
        for connection in waiting.opened {
            batch.open(connection);
        }
        if !waiting.arrivals.is_empty() {
            domain.carry_out(waiting.arrivals, &mut batch);
            Metrics::count(&metrics.batches);
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            domain.tick(&mut batch);
        }
        for connection in waiting.closed {
            batch.forget(connection);
        }
        let gone = !batch.is_empty() && hub.send(batch).is_err();
        drop(waiting.tickets);
        drop(waiting.rooms);
        if waiting.stop || gone {
            return;
        }
    }
}
