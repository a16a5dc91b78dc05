//! The server core in its shell: requests in, frames for rooms and connections out. It decides
//! nothing; it only keeps which connections are which account's and which device's, since the core's
//! effects name those.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use portcullis_proto::classroom::DialectId;
use portcullis_proto::{
    AccountId, Code, ConversationId, DeviceId, Event, Refusal, Request, Timestamp, encode_event,
    encode_refusal, encode_reply,
};
use portcullis_server_core::defences::RelayKey;
use portcullis_server_core::store::{Blob, MemoryStore, Store, StoreError};
use portcullis_server_core::{
    Audience, ConnectionId as CoreConnection, Effect, GuestAsk, GuestOutput,
    Incoming as CoreIncoming, Output, Peer, Server, Whose, decode,
};

use super::guests::GuestRooms;
use super::refusals::Refusals;
use super::{Arrival, Domain, Door, Entrance};
use crate::blobs::{self, Blobs};
use crate::clock::now;
use crate::gateway::{Gateway, Links, Setup, Voice};
use crate::hub::Batch;
use crate::metrics::Metrics;
use crate::relay::Relay;
use crate::socket::{CloseCode, Connection, ConnectionId, Incoming};
use crate::sqlite::SqliteStore;

/// A page of 200 messages costs what a hundred submits cost: about a millisecond, to read and encode.
const FETCH_WEIGHT: usize = 64;

/// Logins and lists: some 0.2 ms.
const OTHER_WEIGHT: usize = 16;

/// Rows of blobs that are read at once when a server starts.
const BLOBS_READ: u32 = 1024;

/// A room of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Room {
    /// An audience of the core.
    Audience(Audience),
    /// The classroom guests who speak a dialect.
    Guests(DialectId),
}

/// What is asked of the domain.
#[derive(Debug)]
pub enum Ask {
    /// By a client of Portcullis: read, or refused with the id to answer under.
    Client(Result<(u64, Request), (u64, Refusal)>),
    /// By a classroom guest: verified.
    Guest(GuestAsk),
}

/// A store that a server can stand on.
pub trait ServerStore: Store + Send {
    /// Whether another process has committed something since this was last asked. Asked once a
    /// second, between transactions.
    ///
    /// # Errors
    /// What the store says.
    fn changed_by_others(&self) -> Result<bool, StoreError>;
}

impl ServerStore for SqliteStore {
    fn changed_by_others(&self) -> Result<bool, StoreError> {
        SqliteStore::changed_by_others(self)
    }
}

impl ServerStore for MemoryStore {
    /// Nobody else can reach it.
    fn changed_by_others(&self) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// The server core, its store, and who is connected.
pub struct CoreDomain {
    server: Server,
    store: Box<dyn ServerStore>,
    sessions: HashMap<ConnectionId, (AccountId, DeviceId)>,
    accounts: HashMap<AccountId, Vec<ConnectionId>>,
    devices: HashMap<DeviceId, ConnectionId>,
    refusals: Refusals,
    setup: Option<Setup>,
    guests: Option<GuestRooms>,
    /// Where the connections of guests come from.
    peers: HashMap<ConnectionId, Peer>,
    blob_settings: Option<blobs::Settings>,
    blobs: Option<Arc<Blobs>>,
    relay: Option<Arc<Relay>>,
    /// When expired blobs were last looked for.
    swept: Instant,
    /// Linked servers have yet to be told who is here.
    update_owed: bool,
}

impl CoreDomain {
    /// A core without connections. With a gateway it serves classroom guests too, if the core admits them.
    pub fn new(server: Server, store: Box<dyn ServerStore>, gateway: Option<Setup>) -> Self {
        CoreDomain {
            server,
            store,
            sessions: HashMap::new(),
            accounts: HashMap::new(),
            devices: HashMap::new(),
            refusals: Refusals::default(),
            setup: gateway,
            guests: None,
            peers: HashMap::new(),
            blob_settings: None,
            blobs: None,
            relay: None,
            swept: Instant::now(),
            update_owed: false,
        }
    }

    /// The same core, which has a folder for what people store for each other.
    #[must_use]
    pub fn with_blobs(self, settings: blobs::Settings) -> Self {
        CoreDomain { blob_settings: Some(settings), ..self }
    }

    fn connect(&mut self, connection: &Connection, now: Timestamp, batch: &mut Batch<Room>) {
        let peer = Peer::new(connection.peer().ip());
        let hello = self.server.connect(CoreConnection(connection.id().0), peer, now);
        batch.reply(connection.id(), encode_event(&hello).as_bytes());
    }

    fn follow(&mut self, output: Output, batch: &mut Batch<Room>) {
        match output {
            Output::Reply { connection, id, result } => {
                let frame = match &result {
                    Ok(reply) => encode_reply(id, reply),
                    Err(refusal) => encode_refusal(id, refusal),
                };
                batch.reply(ConnectionId(connection.0), frame.as_bytes());
            }
            Output::Connection { connection, effect } => {
                self.become_session(ConnectionId(connection.0), effect, batch);
            }
            Output::Effect(effect) => self.follow_effect(effect, batch),
            Output::Guest(output) => {
                if let Some(guests) = &mut self.guests {
                    guests.follow(output, batch);
                }
            }
            Output::Drop { connection } => {
                let connection = ConnectionId(connection.0);
                self.forget(connection);
                match connection.is_guest() {
                    true => batch.close(connection, CloseCode::TryLater, "no room now; try later"),
                    false => {
                        batch.close(connection, CloseCode::Failed, "the server could not go on");
                    }
                }
            }
        }
    }

    fn become_session(
        &mut self,
        connection: ConnectionId,
        effect: Effect,
        batch: &mut Batch<Room>,
    ) {
        match effect {
            Effect::Opened { account, device, conversations } => {
                self.sessions.insert(connection, (account, device));
                self.accounts.entry(account).or_default().push(connection);
                self.devices.insert(device, connection);
                batch.join(Room::Audience(Audience::Account(account)), connection);
                batch.join(Room::Audience(Audience::Device(device)), connection);
                for conversation in conversations {
                    batch.join(room(conversation), connection);
                }
            }
            Effect::WatchPresence => {
                batch.join(Room::Audience(Audience::PresenceWatchers), connection);
            }
            other => self.follow_effect(other, batch),
        }
    }

    fn follow_effect(&mut self, effect: Effect, batch: &mut Batch<Room>) {
        match effect {
            Effect::Deliver { to, event } => {
                batch.room(Room::Audience(to), encode_event(&event).as_bytes());
            }
            Effect::Subscribe { account, conversation } => {
                self.each(account, |connection| batch.join(room(conversation), connection));
            }
            Effect::Unsubscribe { account, conversation } => {
                self.each(account, |connection| batch.leave(room(conversation), connection));
            }
            Effect::End { whose, reason } => self.end(whose, reason, batch),
            // The core names the connection along with these: see `become_session`.
            Effect::KeepBlob(blob) => {
                if let Some(blobs) = &self.blobs {
                    blobs.keep(&blob);
                }
            }
            Effect::DropBlob(blob) => {
                if let Some(blobs) = &self.blobs {
                    blobs.remove(blob);
                }
            }
            Effect::RegisterRelayKey { account, device, key, expires_at } => {
                if let Some(relay) = &self.relay {
                    relay.register(key, RelayKey { account, device, expires_at });
                }
            }
            Effect::Opened { .. } | Effect::WatchPresence => {}
        }
    }

    /// Ends the sessions of accounts that the operator has disabled, by a process of its own.
    fn end_disabled(&mut self, batch: &mut Batch<Room>) -> Result<(), StoreError> {
        if self.store.changed_by_others()? {
            for output in self.server.end_disabled(self.store.as_ref())? {
                self.follow(output, batch);
            }
        }
        Ok(())
    }

    /// Tells the core how full the disk is, and drops what has expired.
    fn look_after_blobs(&mut self, batch: &mut Batch<Room>) -> Result<(), StoreError> {
        let Some(blobs) = &self.blobs else { return Ok(()) };
        self.server.note_disk(blobs.disk());
        if self.swept.elapsed() >= blobs.sweep_every() {
            self.swept = Instant::now();
            for output in self.server.sweep_blobs(self.store.as_ref(), now(), &blobs.lapsed())? {
                self.follow(output, batch);
            }
        }
        Ok(())
    }

    fn each(&self, account: AccountId, act: impl FnMut(ConnectionId)) {
        self.accounts.get(&account).into_iter().flatten().copied().for_each(act);
    }

    fn end(&mut self, whose: Whose, reason: &'static str, batch: &mut Batch<Room>) {
        if let Some(relay) = &self.relay {
            relay.end(whose);
        }
        let ended: Vec<ConnectionId> = match whose {
            Whose::Device(device) => self.devices.get(&device).copied().into_iter().collect(),
            Whose::Account(account) => self.accounts.get(&account).cloned().unwrap_or_default(),
        };
        let farewell = encode_event(&Event::Closed { reason: reason.to_owned() });
        for connection in ended {
            self.forget(connection);
            batch.reply(connection, farewell.as_bytes());
            batch.close(connection, CloseCode::Normal, reason);
        }
    }

    /// Follows what one batch gives; linked servers hear who is here before they hear who has just come.
    fn follow_all(&mut self, outputs: Vec<Output>, batch: &mut Batch<Room>) {
        for output in outputs {
            let changed = output == Output::Guest(GuestOutput::ListChanged);
            self.follow(output, batch);
            if changed {
                self.update_links(batch);
            }
        }
    }

    /// Tells linked servers who is here; what comes too often waits for the next second.
    fn update_links(&mut self, batch: &mut Batch<Room>) {
        if !self.guests.as_ref().is_some_and(GuestRooms::has_links) {
            return;
        }
        let id = Links::id(0);
        let connection = CoreConnection(id.0);
        let ask = CoreIncoming::Guest { connection, peer: Links::peer(id), ask: GuestAsk::List };
        self.update_owed = true;
        for output in self.server.run(self.store.as_ref(), now(), vec![ask]) {
            if matches!(output, Output::Guest(GuestOutput::List { .. })) {
                self.update_owed = false;
            }
            self.follow(output, batch);
        }
    }

    /// A connection has gone.
    fn go(&mut self, connection: ConnectionId) {
        if connection.is_guest() {
            self.peers.remove(&connection);
            self.server.guest_gone(CoreConnection(connection.0));
            if let Some(guests) = &mut self.guests {
                guests.forget(connection);
            }
        } else {
            self.server.disconnect(CoreConnection(connection.0));
            self.forget(connection);
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        let Some((account, device)) = self.sessions.remove(&connection) else {
            return;
        };
        if self.devices.get(&device) == Some(&connection) {
            self.devices.remove(&device);
        }
        if let Some(connections) = self.accounts.get_mut(&account) {
            connections.retain(|other| *other != connection);
            if connections.is_empty() {
                self.accounts.remove(&account);
            }
        }
    }
}

impl Domain for CoreDomain {
    type Room = Room;
    type Request = Ask;

    fn read(message: &Incoming) -> Self::Request {
        Ask::Client(match message {
            Incoming::Text(text) => decode(text),
            // The socket layer closes on binary; this is for a mistake in its settings.
            Incoming::Binary(_) => {
                Err((0, Refusal::new(Code::Malformed, "frames are text, not binary")))
            }
        })
    }

    fn weight(read: &Self::Request) -> usize {
        let Ask::Client(read) = read else {
            return 0;
        };
        match read {
            // One envelope weighs nothing: it is what a chat is for.
            Ok((_, Request::Submit { envelopes, .. })) => envelopes.len().saturating_sub(1),
            // A copy of the welcome for each device.
            Ok((_, Request::Commit { welcome: Some(welcome), .. })) => {
                OTHER_WEIGHT.saturating_add(welcome.devices.len())
            }
            Ok((_, Request::Fetch { .. })) => FETCH_WEIGHT,
            Ok(_) => OTHER_WEIGHT,
            Err(_) => 0,
        }
    }

    fn open_gateway(
        &mut self,
        entrance: &Entrance<Self>,
        hub: &SyncSender<Batch<Room>>,
        metrics: &Arc<Metrics>,
    ) -> io::Result<Option<Door>> {
        let Some(setup) = self.setup.take() else {
            return Ok(None);
        };
        let Setup { key, address, neighbours } = setup;
        let own_key = key.public().spki().to_vec();
        let (own, theirs) = (address.clone(), key.clone());
        let links = Links::new(neighbours, own, theirs, entrance.clone(), Arc::clone(metrics));
        links.start();
        let voice = Voice::start(key, hub.clone(), Arc::clone(&links), Arc::clone(metrics))?;
        let (to_rooms, counters) = (Arc::clone(&links), Arc::clone(metrics));
        self.guests = Some(GuestRooms::new(voice, to_rooms, counters, address, own_key));
        let linked = !links.is_empty();
        let gateway = Gateway::new(entrance.clone(), links, Arc::clone(metrics));
        Ok(Some(Door { sink: Arc::new(gateway), links: linked }))
    }

    fn open_blobs(&mut self) -> io::Result<Option<Arc<Blobs>>> {
        let Some(settings) = self.blob_settings.take() else {
            return Ok(None);
        };
        let mut known: Vec<Blob> = Vec::new();
        loop {
            let after = known.last().map(|blob| blob.id);
            let page = self.store.blobs(after, BLOBS_READ).map_err(io::Error::other)?;
            let more = page.len() == BLOBS_READ as usize;
            known.extend(page);
            if !more {
                break;
            }
        }
        let blobs = Blobs::open(settings, self.server.capability_key(), &known)?;
        self.server.note_disk(blobs.disk());
        self.blobs = Some(Arc::clone(&blobs));
        Ok(Some(blobs))
    }

    fn open_relay(&mut self, relay: Arc<Relay>) {
        self.relay = Some(relay);
    }

    fn carry_out(&mut self, arrivals: Vec<Arrival<Self::Request>>, batch: &mut Batch<Room>) {
        let now = now();
        let mut asked = Vec::with_capacity(arrivals.len());
        let mut gone = Vec::new();
        for arrival in arrivals {
            match arrival {
                // Guests say who they are before anything is said to them.
                Arrival::Opened(connection) if connection.id().is_guest() => {
                    self.peers.insert(connection.id(), Peer::new(connection.peer().ip()));
                }
                Arrival::Opened(connection) => self.connect(&connection, now, batch),
                Arrival::Request(connection, Ask::Client(read)) => {
                    let connection = CoreConnection(connection.0);
                    let (id, request) = match read {
                        Ok((id, request)) => (id, Ok(request)),
                        Err((id, refusal)) => (id, Err(refusal)),
                    };
                    asked.push(CoreIncoming::Request { connection, id, request });
                }
                Arrival::Request(id, Ask::Guest(ask)) => {
                    let peer = match id.is_link() {
                        true => Some(Links::peer(id)),
                        false => self.peers.get(&id).copied(),
                    };
                    if let Some(peer) = peer {
                        let connection = CoreConnection(id.0);
                        asked.push(CoreIncoming::Guest { connection, peer, ask });
                    }
                }
                Arrival::Closed(connection) => gone.push(connection),
            }
        }
        if !asked.is_empty() {
            let outputs = self.server.run(self.store.as_ref(), now, asked);
            self.refusals.log(now, &outputs);
            self.follow_all(outputs, batch);
        }
        for connection in gone {
            self.go(connection);
        }
    }

    fn tick(&mut self, batch: &mut Batch<Room>) {
        if self.update_owed {
            self.update_links(batch);
        }
        let outputs = self.server.tick();
        self.follow_all(outputs, batch);
        if let Err(error) = self.look_after_blobs(batch) {
            tracing::error!(%error, "can't drop what has expired");
        }
        let outputs = self.server.tick();
        self.follow_all(outputs, batch);
        if let Err(error) = self.end_disabled(batch) {
            tracing::error!(%error, "can't look for disabled accounts");
        }
    }
}

impl fmt::Debug for CoreDomain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CoreDomain")
            .field("sessions", &self.sessions.len())
            .finish_non_exhaustive()
    }
}

fn room(conversation: ConversationId) -> Room {
    Room::Audience(Audience::Conversation(conversation))
}
