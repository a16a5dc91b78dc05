//! The world of a run: one server, its store, the devices, and what lies between them.

use crate::device::Wants;
use crate::files::Blobs;
use crate::hub::{Hub, Told};
use crate::network::{Connection, End};
use crate::{Chance, Device, Guest, Offered, Violation};
use portcullis_client_core::{Client, Command, Event, TransferView};
use portcullis_crypto::testing::{CLASSIC_KEYS, classic_key};
use portcullis_crypto::{ClassicPublic, ServerSetup, Stretch};
use portcullis_proto::classroom::DialectId;
use portcullis_proto::{
    Timestamp, TransferId, UserName, encode_event, encode_refusal, encode_reply,
};
use portcullis_server_core::defences::{CapabilityKey, SOUND};
use portcullis_server_core::store::{BlobFile, MemoryStore, Store, StoreError};
use portcullis_server_core::{
    BlobPolicy, ConnectionId, GuestAsk, GuestPolicy, Incoming, Instance, Output, Peer,
    Registration, Server, decode,
};
use std::collections::BTreeMap;

/// Which device, in order of its making.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceIndex(pub usize);

/// A server that lies: changes a frame on its way to a device. One frame becomes none, one or several.
pub type Liar = Box<dyn FnMut(DeviceIndex, String) -> Vec<String>>;

/// All of it.
pub struct World {
    /// The clock.
    pub now: Timestamp,
    /// What decides.
    pub chance: Chance,
    /// The devices.
    pub devices: Vec<Device>,
    /// The classroom guests who are here.
    pub guests: Vec<Guest>,
    /// What the server keeps.
    pub store: MemoryStore,
    /// What a lying server does to its frames.
    pub liar: Option<Liar>,
    /// Whether each request is run alone, to see that a refusal leaves no trace.
    pub watches_refusals: bool,
    /// What was offered.
    pub offers: BTreeMap<TransferId, Offered>,
    /// The bytes of blobs.
    pub(crate) blobs: Blobs,
    /// Refusals that were watched.
    pub refusals: usize,
    /// Those of them that left a trace in the store.
    pub traces: usize,
    setup: Vec<u8>,
    stretch: Stretch,
    /// The key of the gateway, where guests are admitted.
    gateway: Option<ClassicPublic>,
    server: Option<Server>,
    pub(crate) hub: Hub,
    queue: Vec<Incoming>,
    links: BTreeMap<ConnectionId, (DeviceIndex, Connection)>,
    next_connection: u64,
}

impl World {
    /// A world with a server and nobody in it.
    ///
    /// # Errors
    /// What the store says.
    pub fn new(seed: u64, stretch: Stretch) -> Result<Self, StoreError> {
        let mut chance = Chance::new(seed);
        let setup = ServerSetup::generate(chance.rng()).to_bytes().to_vec();
        let store = MemoryStore::default();
        Server::prepare(&store)?;
        let mut world = Self {
            now: Timestamp(1_700_000_000_000),
            chance,
            devices: Vec::new(),
            guests: Vec::new(),
            gateway: None,
            store,
            liar: None,
            watches_refusals: false,
            offers: BTreeMap::new(),
            blobs: Blobs::default(),
            refusals: 0,
            traces: 0,
            setup,
            stretch,
            server: None,
            hub: Hub::default(),
            queue: Vec::new(),
            links: BTreeMap::new(),
            next_connection: 1,
        };
        world.start_server();
        Ok(world)
    }

    /// A new device of the account with this name; the first one registers it.
    pub fn add_device(&mut self, name: &UserName) -> DeviceIndex {
        let index = DeviceIndex(self.devices.len());
        let known = self.devices.iter().any(|device| device.name == *name);
        if let Some(mut device) = Device::new(name.clone(), index.0, self.stretch) {
            device.begun = known;
            let wants = device.begin(self.now, &mut self.chance);
            drop(wants);
            self.devices.push(device);
        }
        index
    }

    /// Classroom guests are admitted from now on.
    ///
    /// # Errors
    /// What the store says.
    pub fn admit_guests(&mut self) -> Result<(), StoreError> {
        Server::prepare_guests(&self.store)?;
        self.gateway = classic_key(CLASSIC_KEYS - 1).ok().map(|key| key.public());
        self.crash_server();
        self.start_server();
        Ok(())
    }

    /// A guest comes, with the known key of this number. Devices take theirs from the first on.
    pub fn add_guest(&mut self, number: usize, dialect: DialectId) -> usize {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        if let Some(mut guest) = Guest::new(connection, number, dialect) {
            let hello = guest.hello();
            self.guests.push(guest);
            self.guest_asks(connection, hello);
        }
        self.guests.len().saturating_sub(1)
    }

    /// A guest sends a frame; false if the server's front door turns it away.
    pub fn guest_sends(&mut self, index: usize, frame: &str) -> bool {
        let Some(guest) = self.guests.get_mut(index) else { return false };
        let (connection, ask) = (guest.connection, guest.admit(frame));
        self.guest_asks(connection, ask)
    }

    /// A guest asks who is here.
    pub fn guest_lists(&mut self, index: usize) {
        if let Some(connection) = self.guests.get(index).map(|guest| guest.connection) {
            self.guest_asks(connection, Some(GuestAsk::List));
        }
    }

    /// A guest leaves.
    pub fn remove_guest(&mut self, index: usize) {
        if index < self.guests.len() {
            let gone = self.guests.remove(index);
            self.server.iter_mut().for_each(|server| server.guest_gone(gone.connection));
        }
    }

    fn guest_asks(&mut self, connection: ConnectionId, ask: Option<GuestAsk>) -> bool {
        let asked = ask.map(|ask| Incoming::Guest { connection, peer: Peer::loopback(), ask });
        let admitted = asked.is_some();
        self.queue.extend(asked);
        admitted
    }

    /// Something that a person does.
    pub fn command(&mut self, index: DeviceIndex, command: Command) {
        self.event(index, Event::Command(command), None);
    }

    /// An event for a device, and what follows from it. The process may die midway.
    pub fn event(&mut self, index: DeviceIndex, event: Event, dies_after: Option<usize>) {
        let Some(device) = self.devices.get_mut(index.0) else {
            return;
        };
        let Wants { sends, disconnect } =
            device.handle(event, self.now, &mut self.chance, dies_after);
        if let Some(id) = self.link_of(index) {
            if let Some((_, connection)) = self.links.get_mut(&id) {
                sends.iter().for_each(|frame| connection.send(End::Server, frame));
            }
            if disconnect {
                self.cut(id);
            }
        }
    }

    /// The connection of a device.
    #[must_use]
    pub fn link_of(&self, index: DeviceIndex) -> Option<ConnectionId> {
        self.links.iter().find(|(_, (device, _))| *device == index).map(|(id, _)| *id)
    }

    /// A device that runs connects to a server that runs.
    pub fn connect(&mut self, index: DeviceIndex) {
        let runs = self.devices.get(index.0).is_some_and(|device| device.client().is_some());
        if !runs || self.link_of(index).is_some() {
            return;
        }
        let id = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let Some(server) = &mut self.server else {
            return;
        };
        let hello = encode_event(&server.connect(id, Peer::loopback(), self.now));
        self.links.insert(id, (index, Connection::default()));
        self.event(index, Event::Connected, None);
        self.tell(id, hello);
    }

    /// A connection breaks, at whatever byte it had come to; both ends notice.
    pub fn cut(&mut self, id: ConnectionId) {
        let Some((index, _)) = self.links.remove(&id) else {
            return;
        };
        self.forget_at_server(id);
        self.event(index, Event::Disconnected, None);
    }

    /// A connection breaks, and only the server notices for now.
    pub fn half_open(&mut self, id: ConnectionId) {
        self.forget_at_server(id);
        if let Some((_, connection)) = self.links.get_mut(&id) {
            connection.half_open = true;
        }
    }

    /// Nothing moves on a connection for a while.
    pub fn stall(&mut self, id: ConnectionId, turns: u32) {
        if let Some((_, connection)) = self.links.get_mut(&id) {
            connection.stalled = turns;
        }
    }

    /// Some of the bytes under way arrive.
    pub fn deliver(&mut self, id: ConnectionId, bytes: usize, dies_after: Option<usize>) {
        let Some((index, connection)) = self.links.get_mut(&id) else {
            return;
        };
        let index = *index;
        let half_open = connection.half_open;
        let (up, down) =
            (connection.deliver(End::Server, bytes), connection.deliver(End::Device, bytes));
        if half_open {
            if !up.is_empty() {
                self.cut(id); // the device hears that nobody is there
            }
            return;
        }
        for text in up {
            let (request_id, request) = match decode(&text) {
                Ok((request_id, request)) => (request_id, Ok(request)),
                Err((request_id, refusal)) => (request_id, Err(refusal)),
            };
            self.queue.push(Incoming::Request { connection: id, id: request_id, request });
        }
        for text in down {
            if self.link_of(index) == Some(id) {
                self.event(index, Event::Frame(text), dies_after);
            }
        }
    }

    /// The server runs some of what waits, as one batch. It may die between the commit and the answers.
    pub fn run_batch(&mut self, most: usize, dies_after_commit: bool) {
        let count = most.min(self.queue.len());
        let batch: Vec<Incoming> = self.queue.drain(..count).collect();
        let outputs = if self.watches_refusals {
            batch.into_iter().flat_map(|one| self.run_watched(one)).collect()
        } else {
            self.run_on_server(batch)
        };
        if dies_after_commit {
            return self.crash_server();
        }
        self.release(outputs);
    }

    fn run_on_server(&mut self, batch: Vec<Incoming>) -> Vec<Output> {
        match &mut self.server {
            Some(server) if !batch.is_empty() => server.run(&self.store, self.now, batch),
            _ => Vec::new(),
        }
    }

    /// Runs a request alone, and compares all that is stored before and after a refusal.
    fn run_watched(&mut self, one: Incoming) -> Vec<Output> {
        let before = format!("{:?}", self.store);
        let outputs = self.run_on_server(vec![one]);
        let refused = |output: &Output| matches!(output, Output::Reply { result: Err(_), .. });
        if outputs.iter().any(refused) {
            self.refusals += 1;
            if before != format!("{:?}", self.store) {
                self.traces += 1;
            }
        }
        outputs
    }

    fn release(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { connection, id, result } => {
                    let frame = match &result {
                        Ok(reply) => encode_reply(id, reply),
                        Err(refusal) => encode_refusal(id, refusal),
                    };
                    self.tell(connection, frame);
                }
                Output::Connection { connection, effect } => self.hub.own(connection, effect),
                Output::Effect(effect) => {
                    for told in self.hub.follow(effect) {
                        match told {
                            Told::Frame(id, frame) => self.tell(id, frame),
                            Told::Close(id) => self.cut(id),
                        }
                    }
                }
                Output::Guest(output) => {
                    self.guests.iter_mut().for_each(|guest| guest.hears(&output));
                }
                Output::Drop { connection } => self.cut(connection),
            }
        }
    }

    fn tell(&mut self, id: ConnectionId, frame: String) {
        let Some((index, connection)) = self.links.get_mut(&id) else {
            return;
        };
        let frames = match &mut self.liar {
            Some(lie) => lie(*index, frame),
            None => vec![frame],
        };
        frames.iter().for_each(|frame| connection.send(End::Device, frame));
    }

    /// Time passes, and everyone hears it.
    pub fn tick(&mut self) {
        self.now = self.now.plus_millis(1_000);
        let told = self.server.as_mut().map(Server::tick);
        self.release(told.unwrap_or_default());
        self.sweep_blobs();
        for index in 0..self.devices.len() {
            self.event(DeviceIndex(index), Event::Tick, None);
        }
        self.devices.iter_mut().for_each(|device| device.shell.tick());
    }

    /// The bytes of blobs without a row are removed.
    fn sweep_blobs(&mut self) {
        let is_empty = |id: &&TransferId| {
            self.blob_file(**id).is_some_and(|file| self.blobs.held(BlobFile(file)) == 0)
        };
        let empty: Vec<TransferId> = self.offers.keys().filter(is_empty).copied().collect();
        let server = self.server.as_mut();
        let swept = server.map(|server| server.sweep_blobs(&self.store, self.now, &empty));
        self.release(swept.and_then(Result::ok).unwrap_or_default());
        let rows: Vec<[u8; 16]> = self.offers.keys().filter_map(|id| self.blob_file(*id)).collect();
        self.blobs.sweep(|file| rows.contains(file));
    }

    fn blob_file(&self, id: TransferId) -> Option<[u8; 16]> {
        Some(self.store.blob(id).ok()??.file.0)
    }

    /// For how many blobs the server keeps room.
    #[must_use]
    pub fn reserved(&self) -> usize {
        self.blob_files().0
    }

    /// How many blobs have a row, and how many a file.
    pub(crate) fn blob_files(&self) -> (usize, usize) {
        let rows = self.offers.keys().filter(|id| self.blob_file(**id).is_some()).count();
        (rows, self.blobs.count())
    }

    /// Checks that every promise was kept, now that the world has come to rest.
    ///
    /// # Errors
    /// The promise that was broken.
    pub fn check(&self) -> Result<usize, Violation> {
        crate::checker::check(self)
    }

    /// What the server's tokens are accepted by; none while it is gone.
    pub(crate) fn capability_key(&self) -> Option<CapabilityKey> {
        self.server.as_ref().map(Server::capability_key)
    }

    /// The server dies: what was not committed is lost, and all connections.
    pub fn crash_server(&mut self) {
        self.server = None;
        self.store.crash();
        self.blobs.crash(&mut self.chance);
        self.queue.clear();
        self.guests.clear();
        let ids: Vec<ConnectionId> = self.links.keys().copied().collect();
        ids.into_iter().for_each(|id| self.cut(id));
        self.hub = Hub::default();
    }

    /// The server starts on what it had made durable.
    pub fn start_server(&mut self) {
        let Ok(setup) = ServerSetup::from_bytes(&self.setup) else {
            return;
        };
        let instance = Instance {
            setup,
            registration: Registration::Open,
            stretch: self.stretch,
            rate_factor: 1000,
            blobs: BlobPolicy::default(),
            guests: self.gateway.clone().map(|gateway| {
                let address = crate::guests::ADDRESS.to_owned();
                GuestPolicy { address, gateway }
            }),
        };
        let rng = Box::new(self.chance.fork().into_rng());
        self.server.get_or_insert_with(|| Server::new(instance, SOUND, rng));
    }

    /// A device's process dies, and its connection with it.
    pub fn crash_device(&mut self, index: DeviceIndex) {
        if let Some(device) = self.devices.get_mut(index.0) {
            device.crash();
        }
        if let Some(id) = self.link_of(index) {
            self.cut(id);
        }
    }

    /// A device's process starts again, if it had died.
    ///
    /// # Errors
    /// Where its store can't be read back.
    pub fn restart_device(&mut self, index: DeviceIndex) -> Result<(), String> {
        match self.devices.get_mut(index.0) {
            Some(device) if device.client().is_none() => device.restart(self.now, &mut self.chance),
            _ => Ok(()),
        }
    }

    /// The connections there are.
    #[must_use]
    pub fn connections(&self) -> Vec<ConnectionId> {
        self.links.keys().copied().collect()
    }

    /// Without any more faults, lets everything come to rest: everyone back, everything delivered.
    ///
    /// # Errors
    /// Where that does not happen within a bounded number of rounds.
    pub fn settle(&mut self) -> Result<(), String> {
        self.settle_until(is_restless)
    }

    /// The same, however it stands with files: some may be halted.
    ///
    /// # Errors
    /// As [`settle`](Self::settle).
    pub(crate) fn settle_but_files(&mut self) -> Result<(), String> {
        self.settle_until(Client::has_unsent)
    }

    fn settle_until(&mut self, restless: fn(&Client) -> bool) -> Result<(), String> {
        for _ in 0..400 {
            self.start_server();
            for index in (0..self.devices.len()).map(DeviceIndex) {
                self.restart_device(index)?;
                self.connect(index);
            }
            // What a shell's pings find out sooner or later.
            let dead = |(_, (_, connection)): &(&ConnectionId, &(DeviceIndex, Connection))| {
                connection.half_open
            };
            let dead: Vec<_> = self.links.iter().filter(dead).map(|(id, _)| *id).collect();
            dead.into_iter().for_each(|id| self.cut(id));
            for id in self.connections() {
                self.stall(id, 0);
                self.deliver(id, usize::MAX, None);
            }
            self.run_batch(usize::MAX, false);
            let moved = self.move_all_files();
            let idle = !moved && self.links.values().all(|(_, connection)| connection.is_idle());
            if idle && self.queue.is_empty() {
                self.tick();
                let unsent = |device: &Device| device.client().is_none_or(restless);
                let quiet = self.links.values().all(|(_, connection)| connection.is_idle());
                let all = self.links.len() == self.devices.len();
                if quiet && all && !self.devices.iter().any(unsent) {
                    return Ok(());
                }
            }
        }
        let restless = |device: &&Device| device.client().is_none_or(restless);
        let last = |device: &Device| {
            let tail = device.shows.iter().rev().take(3).collect::<Vec<_>>();
            let all = device.client().map(Client::transfers).unwrap_or_default();
            let files: Vec<_> = all.into_iter().filter(|view| !view.state.is_over()).collect();
            format!("{device:?}: {:?}, last {tail:?}, files {files:?}", device.client())
        };
        let states: Vec<String> = self.devices.iter().filter(restless).map(last).collect();
        Err(format!("the world does not come to rest: {}", states.join("; ")))
    }

    /// The server's store, for the checker.
    #[must_use]
    pub fn log(&self) -> &dyn Store {
        &self.store
    }

    fn forget_at_server(&mut self, id: ConnectionId) {
        if let Some(server) = &mut self.server {
            server.disconnect(id);
        }
        self.hub.forget(id);
        let of = |waits: &Incoming| match waits {
            Incoming::Request { connection, .. } | Incoming::Guest { connection, .. } => {
                *connection
            }
        };
        self.queue.retain(|waits| of(waits) != id);
    }
}

/// Whether something is still to come of what a device does: transfers that nobody has halted included. What a
/// sender waits for, its recipients do.
fn is_restless(client: &Client) -> bool {
    use portcullis_client_core::TransferState::{Direct, Relayed, Waiting};
    let goes_on = |view: &TransferView| match view.state {
        Relayed => true,
        Direct | Waiting => !view.own || view.recipients.is_empty(),
        _ => false,
    };
    client.has_unsent() || client.transfers().iter().any(goes_on)
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "World({} devices)", self.devices.len())
    }
}
