//! The one thread that owns the truth: it takes what waits, has it decided and committed as one
//! batch, and only then lets go of the replies and events.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel};
use std::time::{Duration, Instant};

use crate::hub::Batch;
use crate::metrics::Metrics;
use crate::socket::{Connection, ConnectionId, Incoming, Sink, Ticket};

/// Arrivals in one batch: enough to share the cost of a commit among all who wait, few enough to
/// bound how long the first of them waits.
pub const BATCH: usize = 1_024;

/// How often a domain without work is given the time, for what it gathers and sends now and then.
pub const TICK: Duration = Duration::from_millis(250);

/// Something that happened on a connection.
#[derive(Debug)]
pub enum Arrival {
    /// It is open.
    Opened(Arc<Connection>),
    /// It sent a message. The ticket counts until the batch is published.
    Message(Incoming, Ticket),
    /// It will send nothing more.
    Closed(ConnectionId),
}

/// Decides what becomes of arrivals.
pub trait Domain: Send + 'static {
    /// What names a room of the hub.
    type Room: Hash + Eq + Copy + Send + 'static;

    /// Carries out `arrivals`, in order, and commits; says in `batch` what follows from them. When
    /// it returns, all that `batch` says is true and durable. The hub has been told of connections
    /// that opened; those that closed it is told of afterwards.
    fn carry_out(&mut self, arrivals: &[Arrival], batch: &mut Batch<Self::Room>);

    /// Called about every [`TICK`].
    fn tick(&mut self, batch: &mut Batch<Self::Room>);
}

/// The way in: where the socket layer puts what happens.
#[derive(Clone, Debug)]
pub struct Entrance(Sender<Arrival>);

/// Starts the domain's thread. It ends when every entrance is dropped, or the hub has gone.
///
/// # Errors
/// When the system gives no thread.
pub fn start<D: Domain>(
    domain: D,
    hub: SyncSender<Batch<D::Room>>,
    metrics: Arc<Metrics>,
) -> std::io::Result<(Entrance, std::thread::JoinHandle<()>)> {
    let (sender, arrivals) = channel();
    let thread = std::thread::Builder::new()
        .name("domain".to_owned())
        .spawn(move || run(domain, &arrivals, &hub, &metrics))?;
    Ok((Entrance(sender), thread))
}

impl Sink for Entrance {
    // When the domain has gone, the server is stopping, and nobody waits for an answer.
    fn opened(&self, connection: &Arc<Connection>) {
        let _ = self.0.send(Arrival::Opened(Arc::clone(connection)));
    }

    fn message(&self, message: Incoming, ticket: Ticket) {
        let _ = self.0.send(Arrival::Message(message, ticket));
    }

    fn closed(&self, connection: ConnectionId) {
        let _ = self.0.send(Arrival::Closed(connection));
    }
}

fn run<D: Domain>(
    mut domain: D,
    arrivals: &Receiver<Arrival>,
    hub: &SyncSender<Batch<D::Room>>,
    metrics: &Metrics,
) {
    let mut waiting = Vec::new();
    let mut ticked = Instant::now();
    while receive(arrivals, &mut waiting) {
        let mut batch = introduce(&waiting);
        if !waiting.is_empty() {
            domain.carry_out(&waiting, &mut batch);
            Metrics::count(&metrics.batches);
        }
        if ticked.elapsed() >= TICK {
            ticked = Instant::now();
            domain.tick(&mut batch);
        }
        take_leave(&waiting, &mut batch);
        if !batch.is_empty() && hub.send(batch).is_err() {
            return;
        }
        // The tickets go with the arrivals: from here on these requests are answered.
        waiting.clear();
    }
}

/// Waits for an arrival, and takes all that wait behind it. `false`: there will be no more.
fn receive(arrivals: &Receiver<Arrival>, waiting: &mut Vec<Arrival>) -> bool {
    match arrivals.recv_timeout(TICK) {
        Ok(first) => {
            waiting.push(first);
            waiting.extend(arrivals.try_iter().take(BATCH - 1));
            true
        }
        Err(RecvTimeoutError::Timeout) => true,
        Err(RecvTimeoutError::Disconnected) => false,
    }
}

/// A batch that introduces the connections which have opened.
fn introduce<K>(arrivals: &[Arrival]) -> Batch<K> {
    let mut batch = Batch::new();
    for arrival in arrivals {
        if let Arrival::Opened(connection) = arrival {
            batch.open(Arc::clone(connection));
        }
    }
    batch
}

fn take_leave<K>(arrivals: &[Arrival], batch: &mut Batch<K>) {
    for arrival in arrivals {
        if let Arrival::Closed(connection) = arrival {
            batch.forget(*connection);
        }
    }
}
