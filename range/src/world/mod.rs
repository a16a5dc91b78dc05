//! NO SECURITY. A world: a server whose defences were chosen, scripted people, a clock and a network, all in
//! memory and all in one thread. What a learner may do in it goes through [`Line`]s, frame by frame.
//!
//! Leaves out who the learner is, what is secret and what counts as a solve: that is the plane's.

mod budget;
mod door;
mod files;
mod happened;
mod held;
mod lesson;
mod names;
mod order;
mod page;
mod person;
mod stage;
mod wire;

pub use door::{Door, Entered, House, only_the_table};
pub use files::{home, received};
pub use happened::{Doer, Happened, is_forged, learners};
pub use held::{Decision, Held, HeldId};
pub use order::Order;
pub use page::{HOME, HOST, Visit};
pub use person::{Cue, Person, React, password};
pub use stage::Stage;
pub(crate) use stage::{channel, user};
pub use wire::{Party, Passage, Wire};

use self::budget::Unread;
use crate::double::{Double, DoubleError};
use crate::hands::YOU;
use crate::lesson::{Actor, Desk};
use crate::limits;
use crate::plane::Secrets;
use crate::shelf::Shelf;
use crate::twins::Twins;
use crate::work;
use portcullis_client_core::{Command, Event, Show};
use portcullis_crypto::{ServerSetup, Stretch};
use portcullis_proto::{
    BadFileName, Request, RequestKind, Timestamp, TransferId, UserName, encode_event,
    encode_refusal, encode_reply,
};
use portcullis_server_core::store::{MemoryStore, StoreError};
use portcullis_server_core::{
    BlobPolicy, ConnectionId, Effect, Incoming, Instance, Output, Peer, Registration, Server,
};
use portcullis_sim::{Chance, Hub, Told};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

/// A learner's connection to a world's server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Line(ConnectionId);

impl Line {
    /// The connection of this number, for whoever counts connections themselves. A world knows its own.
    #[must_use]
    pub const fn numbered(number: u64) -> Self {
        Self(ConnectionId(number))
    }
}

/// The time at which a world begins that nobody lives in.
pub const BEGINNING: Timestamp = Timestamp(1_700_000_000_000);

/// Why a world takes nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorldError {
    /// One input led to more frames than [`limits::STEPS`]; the world has ended.
    Exhausted,
    /// It keeps as much as [`limits::WORLD_BYTES`] lets it.
    Full,
    /// Its store failed.
    Store,
    /// There is no such connection, or it is closed.
    NoLine,
    /// There are [`limits::LINES`] connections already.
    TooManyLines,
    /// The frame is longer than [`limits::FRAME_BYTES`].
    TooLong,
    /// No frame of this number is held.
    NotHeld,
    /// This is no file's name.
    FileName(BadFileName),
    /// A file has at most [`limits::FILE_BYTES`].
    FileTooLong,
    /// [`limits::FILES`] files were offered already.
    TooManyFiles,
    /// There is nobody of this name among the scripted people.
    Nobody,
    /// This address is not the learner's to have.
    NotYours,
    /// [`limits::HELD`] frames are held, and what was to be said would not be.
    HeldFull,
    /// It can't be done with a double.
    Double(DoubleError),
}

impl fmt::Display for WorldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Double(error) => return write!(f, "{error}"),
            Self::FileName(error) => return write!(f, "{error}"),
            Self::FileTooLong => {
                return write!(f, "a file has at most {} bytes here", limits::FILE_BYTES);
            }
            Self::TooManyFiles => {
                return write!(f, "{} files were offered in this world already", limits::FILES);
            }
            Self::NotHeld => "no frame of this number is held",
            Self::Exhausted => "this world did not come to rest and has ended; reset it",
            Self::Full => "this world is full; reset it",
            Self::Store => "this world's store has failed; reset it",
            Self::NoLine => "there is no such connection, or it was closed",
            Self::TooManyLines => "this world has no room for another connection; close one",
            Self::TooLong => "this frame is too long",
            Self::Nobody => "there is nobody of this name here",
            Self::HeldFull => "so many frames are held that this one would not be; let some go",
            Self::NotYours => "a page of yours is at https:// and a name that ends in .example",
        })
    }
}

impl std::error::Error for WorldError {}

impl From<StoreError> for WorldError {
    fn from(_: StoreError) -> Self {
        Self::Store
    }
}

impl From<DoubleError> for WorldError {
    fn from(error: DoubleError) -> Self {
        Self::Double(error)
    }
}

/// What stands at the far end of a connection to the server.
enum End {
    /// A scripted person, by their place.
    Person(usize),
    /// Somebody of a lesson, by their place: a connection to the desk.
    Actor(usize),
    /// A learner, and what they have not read yet.
    Learner(Unread),
    /// Somebody who sends frames without a client, and whom nobody listens to.
    Machine(UserName),
}

/// A frame under way.
struct Frame {
    connection: ConnectionId,
    up: bool,
    text: String,
}

/// All of it.
pub struct World {
    now: Timestamp,
    chance: Chance,
    twins: Twins,
    store: MemoryStore,
    server: Server,
    hub: Hub,
    people: Vec<Person>,
    desk: Option<Desk>,
    actors: Vec<Actor>,
    links: BTreeMap<ConnectionId, End>,
    next_connection: u64,
    under_way: VecDeque<Frame>,
    budget: budget::Budget,
    held: held::Tap,
    /// Connections that have logged in.
    sessions: BTreeSet<ConnectionId>,
    /// Requests that are not to be had here.
    shut: Vec<RequestKind>,
    offered: BTreeMap<TransferId, files::Offered>,
    shelf: Option<Shelf>,
    pages: Vec<String>,
    clicks: Vec<(usize, String)>,
    visits: Vec<Visit>,
    doubles: BTreeMap<u64, Double>,
    wire: Wire,
    happened: Vec<Happened>,
    react: React,
    secrets: Secrets,
    ended: bool,
}

impl World {
    /// A world with a server and nobody in it. The same secrets give the same world.
    ///
    /// # Errors
    /// [`WorldError::Store`].
    pub fn new(secrets: Secrets, twins: Twins, react: React) -> Result<Self, WorldError> {
        let mut chance = Chance::new(u64::from_le_bytes(first(secrets.seed)));
        let store = MemoryStore::default();
        Server::prepare(&store)?;
        let instance = Instance {
            setup: ServerSetup::generate(chance.rng()),
            registration: Registration::Open,
            stretch: Stretch::LIGHT,
            rate_factor: 1_000,
            blobs: BlobPolicy::default(),
            guests: None,
        };
        let rng = Box::new(chance.fork().into_rng());
        Ok(Self {
            now: BEGINNING,
            server: Server::new(instance, twins.server, rng),
            chance,
            twins,
            store,
            hub: Hub::default(),
            people: Vec::new(),
            desk: None,
            actors: Vec::new(),
            links: BTreeMap::new(),
            next_connection: 1,
            under_way: VecDeque::new(),
            budget: budget::Budget::default(),
            held: held::Tap::default(),
            sessions: BTreeSet::new(),
            shut: Vec::new(),
            offered: BTreeMap::new(),
            shelf: None,
            pages: Vec::new(),
            clicks: Vec::new(),
            visits: Vec::new(),
            doubles: BTreeMap::new(),
            wire: Wire::default(),
            happened: Vec::new(),
            react,
            secrets,
            ended: false,
        })
    }

    /// What went over its connections.
    #[must_use]
    pub const fn wire(&self) -> &Wire {
        &self.wire
    }

    /// The scene is set: what passes from now on, the learner is there for.
    pub const fn begin(&mut self) {
        self.wire.end_scene();
    }

    /// What happened in it, in order.
    #[must_use]
    pub fn happened(&self) -> &[Happened] {
        &self.happened
    }

    /// Its clock.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// Its clock goes on to this time; it never goes back.
    pub fn catch_up(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    /// A learner connects: the server's greeting waits to be read.
    ///
    /// # Errors
    /// [`WorldError::TooManyLines`], or what came of the frames that followed.
    pub fn connect(&mut self) -> Result<Line, WorldError> {
        self.room_for_a_line()?;
        let connection = self.link(End::Learner(Unread::default()));
        self.settle()?;
        Ok(Line(connection))
    }

    /// A connection that is a session of the learner's account already: their script's device has logged in
    /// on it, and the frames are theirs from now on. It ends the session that they had before.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn session(&mut self) -> Result<Line, WorldError> {
        let index = self.people.iter().position(|person| person.name().as_str() == YOU);
        self.lend(index.ok_or(WorldError::Nobody)?)
    }

    /// A session of somebody's account, on a connection that is the learner's from now on.
    fn lend(&mut self, index: usize) -> Result<Line, WorldError> {
        self.room_for_a_line()?;
        let name = self.people.get(index).ok_or(WorldError::Nobody)?.name().clone();
        let lends = |person: &Person| person.is_script() && *person.name() == name;
        let script = match self.people.iter().position(lends) {
            Some(script) => script,
            None => self.add_script(index)?,
        };
        let connection = self.link(End::Person(script));
        self.event(script, Event::Connected);
        self.settle()?;
        if self.people.get(script).is_none_or(|person| !person.is_online()) {
            self.cut(connection);
            return Err(WorldError::NoLine);
        }
        self.links.insert(connection, End::Learner(Unread::default()));
        self.event(script, Event::Disconnected);
        Ok(Line(connection))
    }

    /// A learner's frame, and all that follows from it.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn send(&mut self, line: Line, text: &str) -> Result<(), WorldError> {
        if text.len() > limits::FRAME_BYTES {
            return Err(WorldError::TooLong);
        }
        if !self.is_open(line) {
            return Err(WorldError::NoLine);
        }
        self.under_way.push_back(Frame { connection: line.0, up: true, text: text.to_owned() });
        self.settle()
    }

    /// What has come for a learner since the last time.
    pub fn receive(&mut self, line: Line) -> Vec<String> {
        match self.links.get_mut(&line.0) {
            Some(End::Learner(unread)) => unread.take(),
            _ => Vec::new(),
        }
    }

    /// Whether a learner's connection is still there.
    #[must_use]
    pub fn is_open(&self, line: Line) -> bool {
        matches!(self.links.get(&line.0), Some(End::Learner(_)))
    }

    /// A learner hangs up.
    pub fn close(&mut self, line: Line) {
        self.cut(line.0);
    }

    /// A second passes, and everyone hears it.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn tick(&mut self) -> Result<(), WorldError> {
        self.now = self.now.plus_millis(1_000);
        let told = self.server.tick();
        self.release(told);
        for index in 0..self.people.len() {
            self.event(index, Event::Tick);
            self.cue(index, &Cue::Tick);
        }
        self.tick_lesson();
        self.settle()
    }

    /// Lets every frame under way arrive, and those that follow, until nothing moves any more.
    fn settle(&mut self) -> Result<(), WorldError> {
        if self.ended {
            return Err(WorldError::Exhausted);
        }
        for _ in 0..limits::STEPS {
            if self.budget.is_spent() {
                self.under_way.clear();
                return Err(WorldError::Full);
            }
            if self.under_way_bytes() > limits::MOVING_BYTES {
                break;
            }
            let Some(frame) = self.under_way.pop_front() else {
                let Some((who, origin)) = self.clicks.pop() else { return Ok(()) };
                // Who can't come now does not come.
                let line = self.visit(who, &origin).ok().flatten();
                self.visits.extend(line.map(|line| Visit { origin, line }));
                continue;
            };
            if let Some(frame) = self.held.hold(frame) {
                self.arrive(frame);
            }
        }
        self.under_way.clear();
        self.ended = true;
        Err(WorldError::Exhausted)
    }

    fn arrive(&mut self, frame: Frame) {
        let Frame { connection, up, text } = frame;
        if !self.links.contains_key(&connection) || !self.has_room(text.len()) {
            return;
        }
        let party = self.party(connection);
        let (from, to) = if up { (party, Party::Server) } else { (Party::Server, party) };
        self.wire.note(self.now, from, to, &text);
        if up && self.desk.as_ref().is_some_and(|desk| desk.has(connection)) {
            return self.attend(connection, &text);
        }
        if up {
            return self.serve(connection, &text);
        }
        match self.links.get_mut(&connection) {
            Some(End::Person(index)) => {
                let (index, bytes, before) = (*index, text.len(), self.happened.len());
                self.event(index, Event::Frame(text));
                if self.happened.len() > before {
                    // What they were shown of it stands in the log.
                    self.budget.spend(bytes);
                }
            }
            Some(End::Actor(index)) => {
                let index = *index;
                self.tell_actor(index, &text);
            }
            Some(End::Learner(unread)) => {
                if !unread.put(text) {
                    self.cut(connection);
                }
            }
            Some(End::Machine(_)) | None => {}
        }
    }

    /// The server answers one frame. Frames are run one at a time, so that what follows has one cause.
    fn serve(&mut self, connection: ConnectionId, text: &str) {
        let (id, request) = match self.enter(connection, text) {
            Entered::Asked(Ok((id, request))) => (id, Ok(request)),
            Entered::Asked(Err((id, refusal))) => (id, Err(refusal)),
            Entered::Answered(answer) => {
                let answer = answer.map(|text| Frame { connection, up: false, text });
                return self.under_way.extend(answer);
            }
        };
        let by = self.doer(connection);
        let asked = request.as_ref().ok().map(Request::kind);
        if let Some(kind) = asked {
            self.budget.spend(budget::stored(kind, text.len()));
        }
        let incoming = Incoming::Request { connection, id, request };
        let outputs = self.server.run(&self.store, self.now, vec![incoming]);
        self.now = self.now.plus_millis(work::take());
        for output in &outputs {
            match output {
                Output::Reply { result, .. } => {
                    let refused = result.as_ref().err().map(|refusal| refusal.code);
                    self.note(Happened::Asked { by: by.clone(), asked, refused });
                }
                Output::Connection { effect: Effect::Opened { account, device, .. }, .. } => {
                    let (account, device) = (*account, *device);
                    self.sessions.insert(connection);
                    self.note(Happened::Opened { by: by.clone(), account, device });
                }
                Output::Effect(Effect::Deliver {
                    event: portcullis_proto::Event::Envelope(envelope),
                    ..
                }) => {
                    let envelope = Box::new(envelope.clone());
                    self.budget.spend(limits::ROW_BYTES);
                    self.note(Happened::Stored { by: by.clone(), envelope });
                }
                _ => {}
            }
        }
        self.release(outputs);
    }

    fn release(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { connection, id, result } => {
                    let text = match &result {
                        Ok(reply) => encode_reply(id, reply),
                        Err(refusal) => encode_refusal(id, refusal),
                    };
                    self.under_way.push_back(Frame { connection, up: false, text });
                }
                Output::Connection { connection, effect } => self.hub.own(connection, effect),
                Output::Effect(effect) => {
                    for told in self.hub.follow(effect) {
                        match told {
                            Told::Frame(connection, text) => {
                                self.under_way.push_back(Frame { connection, up: false, text });
                            }
                            Told::Close(connection) => self.cut(connection),
                        }
                    }
                }
                Output::Guest(_) => {}
                Output::Drop { connection } => self.cut(connection),
            }
        }
    }

    fn link(&mut self, end: End) -> ConnectionId {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let hello = self.server.connect(connection, Peer::loopback(), self.now);
        self.links.insert(connection, end);
        let text = encode_event(&hello);
        self.under_way.push_back(Frame { connection, up: false, text });
        connection
    }

    fn cut(&mut self, connection: ConnectionId) {
        if let Some(desk) = self.desk.as_mut().filter(|desk| desk.has(connection)) {
            desk.disconnect(connection);
            self.links.remove(&connection);
            return;
        }
        self.server.disconnect(connection);
        self.hub.forget(connection);
        self.sessions.remove(&connection);
        if let Some(End::Person(index)) = self.links.remove(&connection) {
            self.event(index, Event::Disconnected);
        }
    }

    /// An event for a scripted person, what follows from it, and what they make of what they see.
    fn event(&mut self, index: usize, event: Event) {
        let Some(person) = self.people.get_mut(index) else { return };
        let wants = person.handle(event, self.now, &mut self.chance);
        let connection = self.links.iter().find_map(|(connection, end)| {
            matches!(end, End::Person(other) if *other == index).then_some(*connection)
        });
        if let Some(connection) = connection {
            let frames = wants.sends.into_iter();
            self.under_way.extend(frames.map(|text| Frame { connection, up: true, text }));
            if wants.disconnect {
                self.cut(connection);
            }
        }
        for assignment in wants.tasks {
            self.task(index, &assignment);
        }
        for show in wants.shows {
            self.cue(index, &Cue::Show(show.clone()));
            self.read_links(index, &show);
            self.note_show(index, show);
        }
    }

    fn note_show(&mut self, index: usize, show: Show) {
        if let Some(person) = self.people.get(index) {
            let to = person.name().clone();
            self.note(Happened::Shown { to, show: Box::new(show) });
        }
    }

    /// Asks the script what a person does now.
    fn cue(&mut self, index: usize, cue: &Cue) {
        let Some(person) = self.people.get_mut(index) else { return };
        let commands = (self.react)(person, cue, &self.secrets);
        for command in commands {
            self.event(index, Event::Command(command));
        }
    }

    /// A scripted person wants something.
    fn command(&mut self, name: &UserName, command: Command) -> Result<(), WorldError> {
        let index = self.people.iter().position(|person| person.name() == name);
        self.event(index.ok_or(WorldError::Nobody)?, Event::Command(command));
        self.settle()
    }

    fn note(&mut self, happened: Happened) {
        self.budget.spend(happened.bytes());
        self.happened.push(happened);
    }

    fn party(&self, connection: ConnectionId) -> Party {
        match self.doer(connection) {
            Doer::Person(name) => Party::Person(name),
            Doer::Own => Party::Own,
            Doer::Learner(line) => Party::Learner(line),
        }
    }

    /// Who really is at the far end, whatever they say.
    fn doer(&self, connection: ConnectionId) -> Doer {
        if let Some(End::Actor(index)) = self.links.get(&connection) {
            return self.actor_doer(*index).unwrap_or(Doer::Learner(connection.0));
        }
        let person = match self.links.get(&connection) {
            Some(End::Machine(name)) => return Doer::Person(name.clone()),
            Some(End::Person(index)) => self.people.get(*index),
            _ => None,
        };
        match person {
            None => Doer::Learner(connection.0),
            Some(person) if person.name().as_str() == YOU => Doer::Own,
            Some(person) => Doer::Person(person.name().clone()),
        }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "World({} people, {} connections)", self.people.len(), self.links.len())
    }
}

fn first(seed: [u8; 32]) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.iter_mut().zip(seed).for_each(|(to, from)| *to = from);
    bytes
}
