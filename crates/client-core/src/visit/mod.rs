//! A visit: this program as a client of a foreign classroom server, whoever's that is. No account and no login:
//! the visitor is a key, as everybody there.
//!
//! It writes as the protocol's text says, unless it was told another dialect, and reads every dialect. The
//! server's list says which keys there are; what they say is verified here. Nothing is acknowledged in this
//! protocol, so what was sent counts as said, and whatever it can't give, nothing here adds: no forward
//! secrecy, no message that names its conversation, nobody who vouches for a key.
//!
//! Leaves out files: an address of one is a text.

mod guests;
mod read;
mod record;
mod say;
mod seen;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;

use self::guests::Guests;
use self::say::Waiting;
use self::seen::Seen;
use crate::classic::Talk;
use crate::client::Step;
use crate::defences::Defences;
use crate::effect::{Effects, Gathered, Key, Write};
use crate::event::{Command, Event, JobId};
use crate::limits;
use crate::records::BadRecord;
use crate::show::{ConversationView, IdentityState, Show, Warning};
use portcullis_crypto::{ClassicError, ClassicKey, Job, Outcome, Randomness};
use portcullis_proto::classroom::{
    Dialect, DialectId, GuestKey, Incoming, SignedFrame, pem_of, write_hello, write_list_request,
};
use portcullis_proto::{
    Access, AccountId, ChannelName, Code, ConversationId, ConversationKind, ConversationName,
    DeviceId, GuestName, PersonName, Refusal, Role, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use zeroize::Zeroizing;

/// The conversation of all: what is said there is `public_chat`.
const PUBLIC: ConversationId = ConversationId::LOBBY;

/// A client of a foreign classroom server. [`Visit::handle`] takes the same events as
/// [`Client::handle`](crate::Client::handle), and yields the same effects.
pub struct Visit {
    defences: Defences,
    /// How it writes.
    dialect: Dialect,
    own: Option<Own>,
    /// The last place that was given to a message: one count for all conversations.
    place: u64,
    /// Messages to all that were not looked at.
    unread: u64,
    talks: BTreeMap<AccountId, Talk>,
    seen: Seen,
    /// What is to be said.
    waiting: Vec<Waiting>,
    /// What is to be said to guests that are looked up first.
    wanted: Vec<(GuestName, String)>,
    /// Here while a connection stands.
    server: Option<Server>,
    /// The key is being made.
    making: Option<JobId>,
    next_job: u64,
    /// Records that differ from what was persisted.
    dirty: BTreeSet<Key>,
}

/// The visitor's key.
struct Own {
    key: ClassicKey,
    /// The same, as it says hello with it.
    public: GuestKey,
    /// Of the last frame that was signed.
    counter: u64,
}

/// What is known of the server, in this connection.
#[derive(Default)]
struct Server {
    /// It knows our key.
    greeted: bool,
    /// It has listed who is there.
    listed: bool,
    guests: Guests,
    /// When it was asked who is there.
    asked_at: Option<Timestamp>,
    /// It has not answered that yet.
    is_asked: bool,
    /// A person wants to see the next list.
    shows_list: bool,
    /// Frames of keys that are not listed yet.
    held: Vec<SignedFrame>,
    /// It, or somebody nobody knows, was warned of.
    warned: bool,
}

impl fmt::Debug for Visit {
    /// Leaves out keys and what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name().map(GuestName::as_str);
        f.debug_struct("Visit").field("name", &name).finish_non_exhaustive()
    }
}

impl Visit {
    /// A visitor whose home is empty.
    #[must_use]
    pub fn new(dialect: DialectId, defences: Defences) -> Self {
        Self {
            defences,
            dialect: dialect.row(),
            own: None,
            place: 0,
            unread: 0,
            talks: BTreeMap::new(),
            seen: Seen::default(),
            waiting: Vec::new(),
            wanted: Vec::new(),
            server: None,
            making: None,
            next_job: 1,
            dirty: BTreeSet::new(),
        }
    }

    /// A visitor from the records that an earlier one had persisted.
    ///
    /// # Errors
    /// [`BadRecord`], with its key, for what no visitor wrote.
    pub fn restore<'a>(
        dialect: DialectId,
        defences: Defences,
        written: impl IntoIterator<Item = (Key, &'a [u8])>,
    ) -> Result<Self, BadRecord> {
        let mut visit = Self::new(dialect, defences);
        for (key, value) in written {
            visit.read_record(key, value)?;
        }
        Ok(visit)
    }

    /// What others call this visitor, once there is a key.
    #[must_use]
    pub fn name(&self) -> Option<&GuestName> {
        self.own.as_ref().map(|own| own.public.name())
    }

    /// The conversations, for a first screen.
    pub fn conversations(&self) -> impl Iterator<Item = ConversationView> + '_ {
        std::iter::once(self.public_view()).chain(self.talks.values().map(Talk::view))
    }

    /// What an earlier visit has left unsaid, for a first screen; it is said once there is a connection.
    pub fn unsaid(&self) -> impl Iterator<Item = Show> + '_ {
        self.waiting.iter().map(Waiting::view)
    }

    /// Takes what happened in, and says what to do.
    pub fn handle(&mut self, event: Event, now: Timestamp, rng: &mut dyn Randomness) -> Effects {
        let mut step = Step { now, rng, out: Gathered::default() };
        match event {
            Event::Connected => self.server = Some(Server::default()),
            Event::Disconnected => {
                self.server = None;
                step.show(Show::Offline);
            }
            Event::Frame(text) => self.frame(&mut step, &text),
            Event::Worked(id, Outcome::MakeClassicKey(made)) if self.making == Some(id) => {
                self.making = None;
                self.key_made(&mut step, made);
            }
            Event::Command(command) => self.command(&mut step, command),
            Event::Worked(..) | Event::Moved(..) | Event::Tick => {}
        }
        self.settle(&mut step);
        let writes = self.take_writes();
        step.out.into_effects(writes)
    }

    /// Takes the next step: makes a key, says hello, asks who is there, sends what waits.
    fn settle(&mut self, step: &mut Step<'_>) {
        let Some(server) = &self.server else { return };
        if self.own.is_none() {
            if self.making.is_none() {
                let job = JobId(self.next_job);
                self.next_job += 1;
                self.making = Some(job);
                step.out.works.push((job, Box::new(Job::MakeClassicKey)));
            }
            return;
        }
        if !server.greeted {
            self.greet(step);
        }
        self.flush(step);
        self.ask_again(step);
    }

    fn key_made(&mut self, step: &mut Step<'_>, made: Result<ClassicKey, ClassicError>) {
        let own = made.ok().and_then(|key| Own::new(key, self.dialect, 0));
        if own.is_none() {
            let refusal = Refusal::new(Code::Unavailable, "classroom keys can't be made here");
            step.show(Show::Refused { what: "make a key", refusal });
            step.out.disconnect = true;
        }
        self.own = own;
        self.dirty.insert(Key::Classic);
    }

    fn greet(&mut self, step: &mut Step<'_>) {
        let dialect = self.dialect;
        let hello = self.sign(|key, counter| write_hello(dialect, key, counter));
        let (Some(hello), Some(server)) = (hello, &mut self.server) else { return };
        server.greeted = true;
        step.out.sends.push(hello);
        self.ask(step);
    }

    /// Signs a frame. The counter that it takes is persisted by the same event that sends it.
    fn sign(
        &mut self,
        write: impl FnOnce(&ClassicKey, u64) -> Result<String, ClassicError>,
    ) -> Option<String> {
        let own = self.own.as_mut()?;
        own.counter = own.counter.saturating_add(1);
        self.dirty.insert(Key::Classic);
        write(&own.key, own.counter).ok()
    }

    /// Asks who is there, unless that is under way.
    fn ask(&mut self, step: &mut Step<'_>) {
        let Some(server) = self.server.as_mut().filter(|server| server.greeted) else { return };
        if !server.is_asked {
            server.is_asked = true;
            server.asked_at = Some(step.now);
            step.out.sends.push(write_list_request());
        }
    }

    /// Asks again after a while, whether it was answered or not; sooner where somebody waits for it who is not
    /// listed yet.
    fn ask_again(&mut self, step: &mut Step<'_>) {
        let Some(server) = &mut self.server else { return };
        let since = server.asked_at.map_or(0, |at| step.now.0.saturating_sub(at.0));
        if server.is_asked && since >= limits::VISIT_ANSWER_MILLIS {
            server.is_asked = false;
            self.give_up(step, "the server does not say who is there");
        }
        let somebody_waits = self.server.as_ref().is_some_and(|server| !server.held.is_empty());
        let pause = match somebody_waits {
            true => limits::VISIT_AGAIN_MILLIS,
            false => limits::VISIT_LIST_MILLIS,
        };
        if since >= pause {
            self.ask(step);
        }
    }

    fn frame(&mut self, step: &mut Step<'_>, text: &str) {
        match Incoming::read(text) {
            Ok(Incoming::Signed(frame)) => self.take_frame(step, frame),
            Ok(Incoming::List { servers }) => self.listed(step, &servers),
            // What servers ask of each other, and what only they understand.
            Ok(Incoming::ListRequest | Incoming::Update { .. } | Incoming::UpdateRequest) => {}
            Err(_) => self.warn_once(step, Warning::Nonsense),
        }
    }

    /// Warns of what nobody in particular has done; once in a connection, for it costs nothing to do.
    fn warn_once(&mut self, step: &mut Step<'_>, warning: impl Into<Warning>) {
        let Some(server) = &mut self.server else { return };
        if !std::mem::replace(&mut server.warned, true) {
            step.warn(None, warning);
        }
    }

    fn command(&mut self, step: &mut Step<'_>, command: Command) {
        match command {
            Command::Say { conversation, what } => self.say(step, conversation, what),
            Command::Tell(PersonName::Guest(name), text) => {
                self.tell(step, name, text);
            }
            Command::ListUsers | Command::ListGuests => self.list_guests(step),
            Command::MarkRead(id) => self.mark_read(step, id),
            Command::Leave(id) if id != PUBLIC => self.close_talk(step, id),
            _ => {
                let message = "a classroom server knows no accounts, channels or groups";
                let refusal = Refusal::new(Code::Forbidden, message);
                step.show(Show::Refused { what: "do this", refusal });
            }
        }
    }

    fn mark_read(&mut self, step: &mut Step<'_>, id: ConversationId) {
        if id == PUBLIC && std::mem::take(&mut self.unread) > 0 {
            self.dirty.insert(Key::Classic);
            step.show(Show::Conversation(self.public_view()));
        }
        let talks = self.talks.iter_mut();
        let unread = talks.map(|(guest, talk)| (*guest, talk));
        for (guest, talk) in unread.filter(|(_, talk)| talk.conversation == id && talk.unread > 0) {
            talk.unread = 0;
            self.dirty.insert(Key::Guest(guest));
            step.show(Show::Conversation(talk.view()));
        }
    }

    /// The conversation of all, as it is shown.
    fn public_view(&self) -> ConversationView {
        ConversationView {
            id: PUBLIC,
            kind: ConversationKind::Channel,
            name: ConversationName::Channel(ChannelName::lobby()),
            suite: None,
            trust: IdentityState::Guest,
            access: Access::Open,
            role: Role::Member,
            unread: self.unread,
            members: None,
        }
    }

    fn take_writes(&mut self) -> Vec<Write> {
        let dirty = std::mem::take(&mut self.dirty);
        let write = |key| Write { key, value: self.write_record(key).map(Zeroizing::new) };
        dirty.into_iter().map(write).collect()
    }
}

impl Own {
    /// None if the key has no public half that others could be told of.
    fn new(key: ClassicKey, dialect: Dialect, counter: u64) -> Option<Self> {
        let public = GuestKey::parse(&pem_of(key.public().spki(), dialect.pem)).ok()?;
        Some(Self { key, public, counter })
    }

    /// What stands for this device where one is named: there are no devices here, but of the key.
    fn device(&self) -> DeviceId {
        DeviceId::from_bytes(*self.public.id().as_bytes())
    }
}
