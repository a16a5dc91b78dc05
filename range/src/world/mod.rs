//! NO SECURITY. A world: a server whose defences were chosen, scripted people, a clock and a network, all in
//! memory and all in one thread. What a learner may do in it goes through [`Line`]s, frame by frame.
//!
//! Leaves out who the learner is, what is secret and what counts as a solve: that is the plane's.

mod budget;
mod door;
mod error;
mod files;
mod happened;
mod held;
mod lesson;
mod names;
mod order;
mod page;
mod person;
mod stage;
mod traffic;
mod wire;

pub use door::{Door, Entered, House, only_the_table};
pub use error::WorldError;
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
use crate::double::Double;
use crate::hands::YOU;
use crate::lesson::{Actor, Desk};
use crate::limits;
use crate::plane::Secrets;
use crate::shelf::Shelf;
use crate::twins::Twins;
use portcullis_client_core::{Command, Event, Show};
use portcullis_crypto::{ServerSetup, Stretch};
use portcullis_proto::{RequestKind, Timestamp, TransferId, UserName};
use portcullis_server_core::store::MemoryStore;
use portcullis_server_core::{BlobPolicy, ConnectionId, Instance, Registration, Server};
use portcullis_sim::{Chance, Hub};
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
