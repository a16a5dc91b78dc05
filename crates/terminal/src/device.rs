//! A device at work: a client core, its home, its connection, and slow work on threads of its own.
//! The screen and the headless verbs both run on it.
//!
//! It makes no decisions. What the core says is done in the core's order: what several events led to is
//! persisted in one transaction, then sent, then shown.

mod mover;

pub use mover::{FileOptions, Files};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{
    Client, Command, Config, Effect, Effects, Event, JobId, Key, Show, Visit, Write,
};
use portcullis_crypto::{Job, Outcome, Password, Randomness, Stretch, perform};
use portcullis_proto::classroom::DialectId;
use portcullis_proto::{ConversationId, DeviceName, Timestamp, TransferId};
use rand_core::OsRng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::files::Progress;
use crate::home::{Home, HomeError};
use crate::net::{ConnectError, Link, LinkEvent, Outgoing};
use mover::{Came, Mover, Ready};

/// Frames that are handled together, so that they share one transaction.
const FRAMES: usize = 256;

/// How often the core is told that time has passed.
const TICK: Duration = Duration::from_secs(1);

/// What there is to tell a person or a program.
#[derive(Debug)]
pub enum News {
    /// What the core shows.
    Show(Show),
    /// There is no connection; the next try is so far away.
    Waiting {
        /// How long.
        delay: Duration,
        /// Why the last try came to nothing; none where a connection was lost.
        reason: Option<ConnectError>,
    },
    /// No connection can be had, and no further try is made.
    Unreachable(ConnectError),
    /// Something about files that are offered: a name that changed, or why they can't be.
    Files {
        /// In words.
        words: String,
        /// What that means for the offer.
        offering: Offering,
    },
}

/// How far everything has come that has to do with files; while something moves, it differs from before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// Bytes that are there on all paths.
    pub bytes: u64,
    /// Bytes that were read to be offered.
    pub read: u64,
    /// Bytes that were there before a break, and verified.
    pub checked: u64,
}

/// What becomes of files that somebody wants to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offering {
    /// They are offered.
    Goes,
    /// They are not, for they can't be offered as they are.
    Wrong,
    /// They are not, for this device can't do it now.
    Failed,
}

/// A core that a device runs.
pub trait Core {
    /// Takes what happened in, and says what to do.
    fn handle(&mut self, event: Event, now: Timestamp, rng: &mut dyn Randomness) -> Effects;

    /// The transfers of files that it knows.
    fn transfers(&self) -> BTreeSet<TransferId>;

    /// Those that are not over.
    fn open_transfers(&self) -> BTreeSet<TransferId>;
}

impl Core for Client {
    fn handle(&mut self, event: Event, now: Timestamp, rng: &mut dyn Randomness) -> Effects {
        self.handle(event, now, rng)
    }

    fn transfers(&self) -> BTreeSet<TransferId> {
        self.transfers().iter().map(|about| about.transfer).collect()
    }

    fn open_transfers(&self) -> BTreeSet<TransferId> {
        let all = self.transfers();
        all.iter().filter(|about| !about.state.is_over()).map(|about| about.transfer).collect()
    }
}

impl Core for Visit {
    fn handle(&mut self, event: Event, now: Timestamp, rng: &mut dyn Randomness) -> Effects {
        self.handle(event, now, rng)
    }

    fn transfers(&self) -> BTreeSet<TransferId> {
        BTreeSet::new()
    }

    fn open_transfers(&self) -> BTreeSet<TransferId> {
        BTreeSet::new()
    }
}

/// A device at work.
#[derive(Debug)]
pub struct Device<C = Client> {
    client: C,
    home: Home,
    link: Link,
    /// Here while a connection stands.
    outgoing: Option<Outgoing>,
    /// What came behind a run of frames, and is not one.
    held: Option<LinkEvent>,
    done: UnboundedReceiver<(JobId, Outcome)>,
    performer: UnboundedSender<(JobId, Outcome)>,
    tick: Interval,
    /// What moves files.
    mover: Mover,
    /// The password that the home is to be opened by once the server has taken it.
    new_password: Option<Password>,
}

impl Device {
    /// Restores the client from its home. Must be called inside a runtime.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where a record can't be read.
    pub fn restore(
        home: Home,
        link: Link,
        config: Config,
        files: Files,
    ) -> Result<Self, HomeError> {
        let state = home.load_state()?;
        let records = state.iter().map(|(key, value)| (*key, value.as_slice()));
        let client = Client::restore(config, SOUND, records).map_err(|_| home.damaged())?;
        Ok(Self { mover: Mover::new(files), ..Self::new(client, home, link) })
    }

    /// Reads files, and offers them once that is done; with `relay_now` they are put on the server without
    /// waiting for anybody. What is wrong with them is told.
    pub fn offer(
        &mut self,
        conversation: ConversationId,
        paths: Vec<PathBuf>,
        relay_now: bool,
    ) -> Vec<News> {
        let absolute: std::io::Result<Vec<PathBuf>> =
            paths.into_iter().map(std::path::absolute).collect();
        let words = match absolute.map(|paths| self.mover.prepare(conversation, paths, relay_now)) {
            Ok(true) => return Vec::new(),
            Ok(false) => "there is no connection yet".to_owned(),
            Err(error) => error.to_string(),
        };
        vec![News::Files { words, offering: Offering::Failed }]
    }

    /// Whether what is offered can be put into a folder, or into the default one.
    ///
    /// # Errors
    /// In words, why not.
    pub fn check_folder(&self, folder: Option<&Path>) -> Result<(), String> {
        self.mover.check_folder(folder)
    }

    /// Begins to receive nothing more of a transfer for as long as this runs; whatever runs on the home next goes on
    /// with it. False where that is so already.
    pub fn leave_alone(&mut self, transfer: TransferId) -> bool {
        self.mover.leave_alone(transfer)
    }

    /// Waits until what is of no use any more of files is removed.
    pub async fn tidied_up(&mut self) {
        self.mover.tidied_up().await;
    }

    /// How far files have come that move.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.mover.progress()
    }

    /// How far everything has come, to tell whether something moves.
    #[must_use]
    pub fn activity(&self) -> Activity {
        let bytes = self.progress().iter().map(|progress| progress.bytes).sum();
        let (read, _) = self.reading().unwrap_or_default();
        Activity { bytes, read, checked: self.mover.checked() }
    }

    /// Bytes that were read of what is to be offered, and how many there are; none where nothing is read.
    #[must_use]
    pub fn reading(&self) -> Option<(u64, u64)> {
        self.mover.reading()
    }
}

impl Device<Visit> {
    /// The same for a visitor of a classroom server, who writes in this dialect.
    ///
    /// # Errors
    /// [`HomeError::Damaged`] where a record can't be read.
    pub fn visit(home: Home, link: Link, dialect: DialectId) -> Result<Self, HomeError> {
        let state = home.load_state()?;
        let records = state.iter().map(|(key, value)| (*key, value.as_slice()));
        let visit = Visit::restore(dialect, SOUND, records).map_err(|_| home.damaged())?;
        Ok(Self::new(visit, home, link))
    }
}

impl<C: Core> Device<C> {
    fn new(client: C, home: Home, link: Link) -> Self {
        let (performer, done) = unbounded_channel();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            client,
            home,
            link,
            outgoing: None,
            held: None,
            done,
            performer,
            tick,
            mover: Mover::default(),
            new_password: None,
        }
    }

    /// The client, to look at.
    #[must_use]
    pub const fn client(&self) -> &C {
        &self.client
    }

    /// The home, to read messages from.
    #[must_use]
    pub const fn home(&self) -> &Home {
        &self.home
    }

    /// The home.
    pub const fn home_mut(&mut self) -> &mut Home {
        &mut self.home
    }

    /// Gives the home back, and ends everything else.
    #[must_use]
    pub fn into_home(self) -> Home {
        self.home
    }

    /// Has the core carry out what somebody wants.
    ///
    /// # Errors
    /// [`HomeError`], after which the device must not go on: the core knows more than its home.
    pub fn command(&mut self, command: Command) -> Result<Vec<News>, HomeError> {
        self.commands([command])
    }

    /// The same for several commands, in one transaction.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub fn commands(
        &mut self,
        commands: impl IntoIterator<Item = Command>,
    ) -> Result<Vec<News>, HomeError> {
        let mut events = Vec::new();
        for command in commands {
            if let Command::ChangePassword { new, .. } = &command {
                self.new_password = Some(new.clone());
            }
            events.push(Event::Command(command));
        }
        self.handle(events)
    }

    /// Waits until something happens, and does what follows from it. Nothing is lost if this is
    /// dropped before it returns.
    ///
    /// # Errors
    /// As [`Self::command`].
    pub async fn next(&mut self) -> Result<Vec<News>, HomeError> {
        if let Some(event) = self.held.take() {
            return self.linked(event);
        }
        tokio::select! {
            Some(event) = self.link.next() => self.linked(event),
            Some((id, outcome)) = self.done.recv() => self.handle([Event::Worked(id, outcome)]),
            came = self.mover.next() => match came {
                Came::Moved(id, moved) => self.handle([Event::Moved(id, moved)]),
                Came::Ready(ready) => self.offer_ready(*ready),
            },
            _ = self.tick.tick() => self.handle([Event::Tick]),
        }
    }

    fn offer_ready(&mut self, ready: Ready) -> Result<Vec<News>, HomeError> {
        let (conversation, relay_now) = (ready.conversation, ready.relay_now);
        let (offer, place, told) = match ready.into_offer() {
            Ok(ready) => ready,
            Err(why) => {
                let offering = if why.is_here() { Offering::Failed } else { Offering::Wrong };
                return Ok(vec![News::Files { words: why.to_string(), offering }]);
            }
        };
        let offering = Offering::Goes;
        let told = told.iter().map(|told| News::Files { words: told.to_string(), offering });
        let mut news: Vec<News> = told.collect();
        let offer = Command::Offer { conversation, offer: Box::new(offer), place, relay_now };
        news.extend(self.handle([Event::Command(offer)])?);
        Ok(news)
    }

    fn linked(&mut self, event: LinkEvent) -> Result<Vec<News>, HomeError> {
        match event {
            LinkEvent::Connected(outgoing) => {
                self.outgoing = Some(outgoing);
                self.handle([Event::Connected])
            }
            LinkEvent::Frame(frame) => {
                let frames = self.frames_behind(frame);
                self.handle(frames)
            }
            LinkEvent::Disconnected => {
                self.outgoing = None;
                self.handle([Event::Disconnected])
            }
            LinkEvent::Waiting { delay, reason } => Ok(vec![News::Waiting { delay, reason }]),
            LinkEvent::Failed(error) => Ok(vec![News::Unreachable(error)]),
        }
    }

    /// The frames that are there already.
    fn frames_behind(&mut self, first: String) -> Vec<Event> {
        let mut frames = vec![Event::Frame(first)];
        while frames.len() < FRAMES {
            match self.link.try_next() {
                Some(LinkEvent::Frame(frame)) => frames.push(Event::Frame(frame)),
                other => {
                    self.held = other;
                    break;
                }
            }
        }
        frames
    }

    fn handle(&mut self, events: impl IntoIterator<Item = Event>) -> Result<Vec<News>, HomeError> {
        let mut writes: BTreeMap<Key, Write> = BTreeMap::new();
        let mut then = Vec::new();
        for event in events {
            for effect in self.client.handle(event, now(), &mut OsRng) {
                match effect {
                    Effect::Persist(made) => {
                        writes.extend(made.into_iter().map(|write| (write.key, write)));
                    }
                    effect => then.push(effect),
                }
            }
        }
        if !writes.is_empty() {
            let writes: Vec<Write> = writes.into_values().collect();
            self.home.persist(&writes)?;
        }
        self.follow(then)
    }

    fn follow(&mut self, effects: Vec<Effect>) -> Result<Vec<News>, HomeError> {
        let (mut news, mut assignments) = (Vec::new(), Vec::new());
        for effect in effects {
            match effect {
                Effect::Send(frame) => {
                    if let Some(outgoing) = &self.outgoing {
                        outgoing.send(frame);
                    }
                }
                Effect::Transfer(assignment) => assignments.push(*assignment),
                Effect::Work(id, job) => self.work(id, job),
                Effect::Show(show) => {
                    self.heed(&show)?;
                    news.push(News::Show(show));
                }
                Effect::Disconnect => self.outgoing = None,
                // All of them were carried out before anything else.
                Effect::Persist(_) => {}
            }
        }
        // The same event may have opened the session, by which it is known as which device files move.
        assignments.into_iter().for_each(|assignment| self.mover.assign(assignment));
        Ok(news)
    }

    /// What the shell itself has to do about what is shown.
    fn heed(&mut self, show: &Show) -> Result<(), HomeError> {
        match show {
            Show::Online { device, .. } => {
                let home = self.home.folder().to_owned();
                let begun = self.mover.online(home.clone(), *device, &self.client.open_transfers());
                begun.map_err(|error| HomeError::io(&home, &error))?;
                if let Some(outgoing) = &self.outgoing {
                    outgoing.settled();
                }
            }
            // The server of a visit opens no session; it has answered all the same.
            Show::Listed => {
                if let Some(outgoing) = &self.outgoing {
                    outgoing.settled();
                }
            }
            Show::PasswordChanged => {
                if let Some(password) = self.new_password.take() {
                    self.home.rewrap(&password, Stretch::STANDARD)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn work(&self, id: JobId, job: Box<Job>) {
        let performer = self.performer.clone();
        // When the device is gone, nobody waits for the outcome.
        tokio::task::spawn_blocking(move || {
            let _ = performer.send((id, perform(*job)));
        });
    }
}

/// What a new device is called: as the machine, as far as that is a name.
#[must_use]
pub fn device_name() -> DeviceName {
    let name = machine_name().unwrap_or_default();
    let short: String = name.chars().take(32).collect();
    let name = DeviceName::parse(&short).or_else(|_| DeviceName::parse("terminal"));
    name.unwrap_or_else(|_| unreachable!("a fixed name that fits"))
}

#[cfg(unix)]
fn machine_name() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    Some(name)
}

#[cfg(not(unix))]
fn machine_name() -> Option<String> {
    std::env::var("COMPUTERNAME").ok()
}

/// The time by the system's clock; one before 1970 counts as 1970.
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
