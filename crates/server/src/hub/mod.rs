//! The hub: who is in which room, and the one thread that writes to them.
//!
//! **Gather, then write once.** The frames for a room are appended to one buffer, and at the end
//! of the gathering each member is written that buffer with one call. So a message costs its
//! receivers a copy by the kernel and little else.
//!
//! **Order.** For each connection, everything arrives in the order the domain said it. Most
//! connections get nothing in a gathering but their rooms' buffers, whole. Those that get a reply,
//! join or leave in it have a *personal* buffer: before a reply is appended to it, it catches up
//! with the rooms its connection is in, from where it last stood in each of them. At the end each
//! personal buffer catches up once more and is written instead of the rooms' buffers. The work is
//! one copy for each reply and each room of the connection, and none for the hundreds of receivers
//! who merely listen. Between two rooms there is no order among events, and none is needed.
//!
//! **A room is a key.** What the key stands for (a conversation, an account, a device) is the
//! domain's business. Every connection is in the room of everyone.

mod batch;
mod members;

use std::hash::Hash;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;

pub use batch::Batch;
use batch::Step;
use members::{Members, RoomSlot, Seat};

use crate::metrics::Metrics;
use crate::socket::{Class, Connection, ConnectionId};

/// Batches that may wait for the fan-out thread. When it is behind, the domain waits for it, and
/// the next batch becomes larger: that is cheaper than a queue. No slow peer can cause it, because
/// the fan-out thread never waits for a peer.
pub const WAITING_BATCHES: usize = 8;

/// Bytes gathered before they are written: large enough to amortise a call, small enough to stay
/// in the processor's cache while it is copied to every receiver.
pub const GATHERED_BYTES: usize = 256 * 1024;

/// Starts the fan-out thread. It ends when every sender is dropped.
///
/// # Errors
/// When the system gives no thread.
pub fn start<K>(metrics: Arc<Metrics>) -> std::io::Result<SyncSender<Batch<K>>>
where
    K: Hash + Eq + Copy + Send + 'static,
{
    let (sender, receiver) = sync_channel(WAITING_BATCHES);
    let hub = Hub::new(metrics);
    std::thread::Builder::new().name("fan-out".to_owned()).spawn(move || hub.run(&receiver))?;
    Ok(sender)
}

/// Rooms, their members, and what has been gathered for them.
pub struct Hub<K> {
    members: Members<K>,
    /// Rooms with gathered frames.
    pending: Vec<RoomSlot>,
    personals: Vec<Personal>,
    /// Bytes in the rooms' and the personal buffers.
    gathered: usize,
    metrics: Arc<Metrics>,
}

/// What one connection gets in this gathering, in order.
struct Personal {
    seat: Seat,
    connection: Arc<Connection>,
    bytes: Vec<u8>,
    frames: usize,
    /// How much of a room's buffer is in `bytes` or isn't for this connection.
    seen: Vec<(RoomSlot, usize)>,
}

impl<K: Hash + Eq + Copy> Hub<K> {
    /// An empty hub.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Hub {
            members: Members::new(),
            pending: Vec::new(),
            personals: Vec::new(),
            gathered: 0,
            metrics,
        }
    }

    /// Carries out batches until there will be no more. Whatever waits is gathered together.
    pub fn run(mut self, batches: &Receiver<Batch<K>>) {
        while let Ok(batch) = batches.recv() {
            self.gather(batch);
            // No more than can have been waiting, so that a busy domain can't defer the writing.
            for batch in batches.try_iter().take(WAITING_BATCHES) {
                self.gather(batch);
            }
            self.flush();
        }
    }

    /// Carries out a batch, except for the writing.
    pub fn gather(&mut self, batch: Batch<K>) {
        let Batch { bytes, steps } = batch;
        for step in steps {
            self.step(step, &bytes);
            if self.gathered > GATHERED_BYTES {
                self.flush();
            }
        }
    }

    /// Writes what was gathered: one call for each connection with a personal buffer, then one for
    /// each other member of each room.
    pub fn flush(&mut self) {
        let mut delivered = 0;
        let mut personals = std::mem::take(&mut self.personals);
        for personal in &mut personals {
            self.catch_up(personal);
            delivered += personal.frames;
            personal.write();
        }
        for room in self.pending.drain(..) {
            let (frames, count) = self.members.take_gathered(room);
            for connection in self.members.listeners(room) {
                connection.send(&frames, Class::Live);
                delivered += count;
            }
        }
        for personal in personals {
            self.members.set_personal(personal.seat, None);
        }
        self.gathered = 0;
        Metrics::add(&self.metrics.delivered, delivered);
    }

    fn step(&mut self, step: Step<K>, bytes: &[u8]) {
        match step {
            Step::Open(connection) => self.open(connection),
            Step::Forget(id) => self.forget(id),
            Step::Room(key, frame) => {
                if let Some(room) = self.members.room(&key) {
                    self.append(room, bytes.get(frame).unwrap_or_default());
                }
            }
            Step::RoomExcept(key, except, frame) => {
                if let Some(room) = self.members.room(&key) {
                    self.append_except(room, except, bytes.get(frame).unwrap_or_default());
                }
            }
            Step::Everyone(frame) => {
                self.append(RoomSlot::EVERYONE, bytes.get(frame).unwrap_or_default());
            }
            Step::Reply(id, frame) => self.reply(id, bytes.get(frame).unwrap_or_default()),
            Step::Join(key, id) => self.join(key, id),
            Step::Leave(key, id) => self.leave(&key, id),
            Step::Close(id, code, reason) => {
                // Whatever was said before goes first; what is said later finds it closed.
                if let Some(mut personal) = self.take_personal(id) {
                    self.catch_up(&mut personal);
                    personal.write();
                    personal.connection.close(code, reason);
                    self.put_back(personal);
                }
            }
        }
    }

    fn open(&mut self, connection: Arc<Connection>) {
        let id = connection.id();
        self.members.open(connection);
        // What was said to everyone so far isn't for this connection.
        let so_far = self.members.gathered(RoomSlot::EVERYONE).len();
        if so_far > 0
            && let Some(mut personal) = self.take_personal(id)
        {
            personal.see(RoomSlot::EVERYONE, so_far);
            self.put_back(personal);
        }
    }

    fn append(&mut self, room: RoomSlot, frame: &[u8]) {
        if self.members.append(room, frame) {
            self.pending.push(room);
        }
        self.gathered += frame.len();
    }

    /// The one left out has its own buffer from here on, which has seen the frame already.
    fn append_except(&mut self, room: RoomSlot, except: ConnectionId, frame: &[u8]) {
        let mut personal = self.take_personal(except);
        if let Some(personal) = &mut personal {
            self.catch_up(personal);
        }
        self.append(room, frame);
        if let Some(mut personal) = personal {
            let so_far = self.members.gathered(room).len();
            personal.see(room, so_far);
            self.put_back(personal);
        }
    }

    fn reply(&mut self, id: ConnectionId, frame: &[u8]) {
        if let Some(mut personal) = self.take_personal(id) {
            self.catch_up(&mut personal);
            personal.bytes.extend_from_slice(frame);
            personal.frames += 1;
            self.gathered += frame.len();
            self.put_back(personal);
        }
    }

    fn join(&mut self, key: K, id: ConnectionId) {
        if let Some(mut personal) = self.take_personal(id) {
            if let Some(room) = self.members.join(key, personal.seat) {
                // What was said in the room so far isn't for this connection.
                let so_far = self.members.gathered(room).len();
                personal.see(room, so_far);
            }
            self.put_back(personal);
        }
    }

    fn leave(&mut self, key: &K, id: ConnectionId) {
        if let Some(mut personal) = self.take_personal(id) {
            self.catch_up(&mut personal);
            self.members.leave(key, personal.seat);
            self.put_back(personal);
        }
    }

    fn forget(&mut self, id: ConnectionId) {
        if let Some(personal) = self.take_personal(id) {
            self.members.set_personal(personal.seat, None);
            // Seats are given again: nobody may inherit what was gathered for this one.
            self.members.forget(id);
        }
    }

    /// Takes the connection's personal buffer out, or makes one.
    fn take_personal(&mut self, id: ConnectionId) -> Option<Personal> {
        let (seat, connection, personal) = self.members.seat(id)?;
        let Some(index) = personal else {
            return Some(Personal {
                seat,
                connection: Arc::clone(connection),
                bytes: Vec::new(),
                frames: 0,
                seen: Vec::new(),
            });
        };
        let taken = self.personals.swap_remove(index);
        if let Some(moved) = self.personals.get(index) {
            self.members.set_personal(moved.seat, Some(index));
        }
        Some(taken)
    }

    fn put_back(&mut self, personal: Personal) {
        self.members.set_personal(personal.seat, Some(self.personals.len()));
        self.personals.push(personal);
    }

    /// Appends what was said in the connection's rooms since it last caught up.
    fn catch_up(&mut self, personal: &mut Personal) {
        if self.pending.is_empty() {
            return;
        }
        let lagging = personal.connection.is_lagging();
        for room in self.members.rooms_of(personal.seat) {
            let gathered = self.members.gathered(room);
            if gathered.is_empty() {
                continue;
            }
            let seen = personal.see(room, gathered.len());
            // A frame dropped here was said before the lag ends, so the client will fetch it.
            if !lagging {
                let news = gathered.get(seen..).unwrap_or_default();
                personal.bytes.extend_from_slice(news);
                self.gathered += news.len();
            }
        }
    }
}

impl Personal {
    /// Notes that the connection has seen a room up to `position`, and returns where it stood.
    fn see(&mut self, room: RoomSlot, position: usize) -> usize {
        match self.seen.iter_mut().find(|(seen, _)| *seen == room) {
            Some((_, seen)) => std::mem::replace(seen, position),
            None => {
                self.seen.push((room, position));
                0
            }
        }
    }

    fn write(&mut self) {
        if !self.bytes.is_empty() {
            let frames = Bytes::from(std::mem::take(&mut self.bytes));
            self.connection.send(&frames, Class::Reply);
        }
    }
}
