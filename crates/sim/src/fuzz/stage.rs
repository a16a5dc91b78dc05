//! A server and three devices of two people, ready to be mistreated: they registered once, and each run
//! begins with a copy of what they had persisted. Leaves out a network; frames wait in inboxes.

use super::blobs::Blobs;
use crate::hub::{Hub, Told};
use portcullis_client_core::defences::SOUND as CLIENT_SOUND;
use portcullis_client_core::{
    Client, Command, Config, Effect, Event, History, JobId, Key, Saying, Show,
};
use portcullis_crypto::testing::perform_with_key;
use portcullis_crypto::{Job, Outcome, Password, ServerSetup, Stretch};
use portcullis_proto::{
    ConversationId, DeviceName, Envelope, Refusal, Seen, Timestamp, UserName, encode_event,
    encode_refusal, encode_reply,
};
use portcullis_server_core::defences::SOUND;
use portcullis_server_core::store::{MemoryStore, Store as _};
use portcullis_server_core::{
    BlobPolicy, ConnectionId, Incoming, Instance, Output, Peer, Registration, Server, decode,
};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng as _;
use std::collections::{BTreeMap, VecDeque};

/// Who is on the stage: the first two devices are of one person.
pub(super) const NAMES: [&str; 3] = ["mira", "mira", "oleg"];
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What a device has persisted.
pub(super) type Records = BTreeMap<Key, Vec<u8>>;

/// One device: its client, its store, and what waits for it.
pub(super) struct Home {
    pub(super) client: Client,
    pub(super) records: Records,
    pub(super) connection: Option<ConnectionId>,
    pub(super) inbox: VecDeque<String>,
    pub(super) jobs: VecDeque<(JobId, Job)>,
    /// The id of the last request that was sent.
    pub(super) asked: u64,
    /// How often something was persisted.
    persists: u64,
    /// The last place that was shown of each conversation.
    shown: BTreeMap<ConversationId, u64>,
}

/// All of it.
pub(super) struct Stage {
    pub(super) server: Server,
    pub(super) store: MemoryStore,
    pub(super) homes: Vec<Home>,
    pub(super) now: Timestamp,
    pub(super) rng: ChaCha8Rng,
    /// What the server has its shell keep.
    pub(super) blobs: Blobs,
    hub: Hub,
    connections: u64,
    /// Every frame of the server, where somebody collects them.
    heard: Option<Vec<String>>,
}

thread_local! {
    /// What each run begins with.
    static BEGINNING: (MemoryStore, Vec<Records>) = beginning();
}

/// The password of everyone with this name.
pub(super) fn password(name: &str) -> Password {
    Password::new(format!("password of {name}"))
}

pub(super) fn config() -> Option<Config> {
    let device_name = DeviceName::parse("laptop").ok()?;
    Some(Config {
        device_name,
        stretch_floor: Stretch::LIGHT,
        history: History::All,
        read_marks: true,
        always_relay: false,
        loopback: true,
        stock: portcullis_client_core::limits::KEY_PACKAGES,
    })
}

/// A client from these records.
pub(super) fn restore(records: &Records) -> Option<Client> {
    let written = records.iter().map(|(key, value)| (*key, value.as_slice()));
    Client::restore(config()?, CLIENT_SOUND, written).ok()
}

/// The work of a job at the lightest cost, whatever a lying server made of it. A classroom key is the
/// known one of this number.
pub(super) fn light(number: usize, job: Job) -> Outcome {
    use Job::{FinishLogin, FinishRegistration};
    let light = Stretch::LIGHT;
    let job = match job {
        FinishRegistration { state, password, response, name, seed, .. } => {
            FinishRegistration { state, password, response, name, stretch: light, seed }
        }
        FinishLogin { state, password, response, name, seed, .. } => {
            FinishLogin { state, password, response, name, stretch: light, seed }
        }
        Job::Stretch { password, salt, .. } => Job::Stretch { password, salt, stretch: light },
        Job::MakeClassicKey => Job::MakeClassicKey,
    };
    perform_with_key(number, job)
}

fn server() -> Option<Server> {
    let setup = ServerSetup::generate(&mut ChaCha8Rng::seed_from_u64(1));
    let registration = Registration::Open;
    let instance = Instance {
        setup,
        registration,
        stretch: Stretch::LIGHT,
        rate_factor: 1000,
        blobs: BlobPolicy::default(),
        guests: None,
    };
    Some(Server::new(instance, SOUND, Box::new(ChaCha8Rng::seed_from_u64(2))))
}

/// Everyone registers or enrols, says something, and goes.
fn beginning() -> (MemoryStore, Vec<Records>) {
    let Some(mut stage) = Stage::with(MemoryStore::default(), Vec::new()) else {
        return Default::default();
    };
    stage.play_beginning();
    (stage.store, stage.homes.into_iter().map(|home| home.records).collect())
}

impl Stage {
    /// The stage as every run finds it: nobody connected.
    pub(super) fn open() -> Option<Self> {
        let (store, homes) = BEGINNING.with(Clone::clone);
        Self::with(store, homes)
    }

    /// The frames of the first minutes.
    pub(super) fn sample_frames() -> Vec<String> {
        let Some(mut stage) = Self::with(MemoryStore::default(), Vec::new()) else {
            return Vec::new();
        };
        stage.heard = Some(Vec::new());
        stage.play_beginning();
        stage.heard.unwrap_or_default()
    }

    fn with(store: MemoryStore, homes: Vec<Records>) -> Option<Self> {
        Server::prepare(&store).ok()?;
        let mut stage = Self {
            server: server()?,
            store,
            homes: Vec::new(),
            now: NOW,
            rng: ChaCha8Rng::seed_from_u64(3),
            blobs: Blobs::default(),
            hub: Hub::default(),
            connections: 0,
            heard: None,
        };
        for records in homes {
            let client = restore(&records)?;
            stage.homes.push(Home::new(client, records));
        }
        Some(stage)
    }

    fn play_beginning(&mut self) {
        for (who, name) in NAMES.into_iter().enumerate() {
            let (Some(config), Ok(user)) = (config(), UserName::parse(name)) else {
                return;
            };
            self.homes.push(Home::new(Client::new(config, CLIENT_SOUND), Records::new()));
            let known = NAMES.iter().position(|other| *other == name) != Some(who);
            let (name, password) = (user, password(name));
            self.event(
                who,
                Event::Command(if known {
                    Command::LogIn { name, password }
                } else {
                    Command::Register { name, password, invite: None }
                }),
            );
            self.connect(who);
            self.settle();
        }
        for who in [0, 2, 1] {
            let text = format!("text {who}");
            let say =
                Command::Say { conversation: ConversationId::LOBBY, what: Saying::Text(text) };
            self.event(who, Event::Command(say));
            self.settle();
        }
        (0..NAMES.len()).for_each(|who| self.disconnect(who));
    }

    /// A device connects, if it is not connected.
    pub(super) fn connect(&mut self, who: usize) {
        if self.homes.get(who).is_none_or(|home| home.connection.is_some()) {
            return;
        }
        let (connection, hello) = self.greet();
        if let Some(home) = self.homes.get_mut(who) {
            home.connection = Some(connection);
            home.inbox.push_back(hello);
        }
        self.event(who, Event::Connected);
    }

    /// A new connection, and the frame that greets it.
    pub(super) fn greet(&mut self) -> (ConnectionId, String) {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        let hello = self.server.connect(connection, Peer::loopback(), self.now);
        let frame = encode_event(&hello);
        if let Some(heard) = &mut self.heard {
            heard.push(frame.clone());
        }
        (connection, frame)
    }

    /// A device's connection breaks; what was under way is lost.
    pub(super) fn disconnect(&mut self, who: usize) {
        let Some(home) = self.homes.get_mut(who) else {
            return;
        };
        let Some(connection) = home.connection.take() else {
            return;
        };
        home.inbox.clear();
        self.forget(connection);
        self.event(who, Event::Disconnected);
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.server.disconnect(connection);
        self.hub.forget(connection);
    }

    /// An event for a device: its effects have the promised form, and what it persisted can be read.
    pub(super) fn event(&mut self, who: usize, event: Event) {
        let Some(home) = self.homes.get_mut(who) else {
            return;
        };
        let mut sends = Vec::new();
        let mut leaves = false;
        for (place, effect) in
            home.client.handle(event, self.now, &mut self.rng).into_iter().enumerate()
        {
            match effect {
                Effect::Persist(writes) => {
                    assert_eq!(place, 0, "one Persist, and first");
                    for write in writes {
                        match write.value {
                            Some(value) => drop(home.records.insert(write.key, value.to_vec())),
                            None => drop(home.records.remove(&write.key)),
                        }
                    }
                    // Reading costs more than an event, so only some of it is read at once.
                    home.persists += 1;
                    if home.persists.is_multiple_of(8) {
                        home.check_records();
                    }
                }
                Effect::Send(frame) => sends.push(frame),
                Effect::Transfer(_) => {}
                Effect::Work(id, job) => home.jobs.push_back((id, *job)),
                Effect::Show(show) => home.note(&show),
                Effect::Disconnect => leaves = true,
            }
        }
        let connection = home.connection;
        for frame in sends {
            let read = decode(&frame);
            assert!(read.is_ok(), "a client sends what no server reads");
            if let (Ok((id, _)), Some(home)) = (read, self.homes.get_mut(who)) {
                home.asked = id;
            }
            if let Some(connection) = connection {
                self.ask(vec![(connection, frame)]);
            }
        }
        if leaves {
            self.disconnect(who);
        }
    }

    /// The next frame in a device's inbox.
    pub(super) fn next_frame(&mut self, who: usize) -> Option<String> {
        self.homes.get_mut(who)?.inbox.pop_front()
    }

    /// Does a device's next piece of work.
    pub(super) fn work(&mut self, who: usize) -> bool {
        let job = self.homes.get_mut(who).and_then(|home| home.jobs.pop_front());
        let Some((id, job)) = job else { return false };
        self.event(who, Event::Worked(id, light(who, job)));
        true
    }

    /// Everything that waits is done, within reason.
    pub(super) fn settle(&mut self) {
        for _ in 0..64 {
            let mut moved = false;
            for who in 0..self.homes.len() {
                moved |= self.work(who);
                if let Some(frame) = self.next_frame(who) {
                    self.event(who, Event::Frame(frame));
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Runs a batch of frames; every one gets one answer, in order, and none of them upsets the server.
    /// Gives the answers back beside delivering them.
    pub(super) fn ask(
        &mut self,
        frames: Vec<(ConnectionId, String)>,
    ) -> Vec<Result<portcullis_proto::Reply, Refusal>> {
        let read = |(connection, frame): (ConnectionId, String)| {
            let (id, request) = match decode(&frame) {
                Ok((id, request)) => (id, Ok(request)),
                Err((id, refusal)) => (id, Err(refusal)),
            };
            Incoming::Request { connection, id, request }
        };
        let batch: Vec<Incoming> = frames.into_iter().map(read).collect();
        let asked: Vec<_> = batch
            .iter()
            .filter_map(|one| match one {
                Incoming::Request { connection, id, .. } => Some((*connection, *id)),
                Incoming::Guest { .. } => None,
            })
            .collect();
        let mut answers = Vec::new();
        let mut answered = Vec::new();
        for output in self.server.run(&self.store, self.now, batch) {
            match output {
                Output::Reply { connection, id, result } => {
                    if let Err(refusal) = &result {
                        assert!(!refusal.message.contains("made a mistake"), "the server panicked");
                    }
                    let frame = match &result {
                        Ok(reply) => encode_reply(id, reply),
                        Err(refusal) => encode_refusal(id, refusal),
                    };
                    self.tell(connection, frame);
                    answered.push((connection, id));
                    answers.push(result);
                }
                Output::Connection { connection, effect } => self.hub.own(connection, effect),
                Output::Effect(effect) => self.follow(effect),
                // There are no guests here.
                Output::Guest(_) => {}
                Output::Drop { connection } => self.cut(connection),
            }
        }
        assert_eq!(answered, asked, "one answer for each request, in order");
        answers
    }

    fn follow(&mut self, effect: portcullis_server_core::Effect) {
        self.blobs.follow(&effect);
        for told in self.hub.follow(effect) {
            match told {
                Told::Frame(connection, frame) => self.tell(connection, frame),
                Told::Close(connection) => self.cut(connection),
            }
        }
    }

    fn tell(&mut self, connection: ConnectionId, frame: String) {
        if let Some(heard) = &mut self.heard {
            heard.push(frame.clone());
        }
        let home = self.homes.iter_mut().find(|home| home.connection == Some(connection));
        if let Some(home) = home {
            home.inbox.push_back(frame);
        }
    }

    /// The server closes a connection.
    fn cut(&mut self, connection: ConnectionId) {
        let who = self.homes.iter().position(|home| home.connection == Some(connection));
        match who {
            Some(who) => self.disconnect(who),
            None => self.forget(connection),
        }
    }

    /// Time passes for everyone.
    pub(super) fn tick(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
        // Of each of them some bytes have come.
        let swept = self.server.sweep_blobs(&self.store, self.now, &[]).unwrap_or_default();
        for output in self.server.tick().into_iter().chain(swept) {
            if let Output::Effect(effect) = output {
                self.follow(effect);
            }
        }
    }

    /// Numbers without gaps, and a chain that fits, in each of these.
    pub(super) fn check_logs(&self, conversations: &[ConversationId]) {
        for id in conversations {
            let Ok(Some(conversation)) = self.store.conversation(*id) else {
                continue;
            };
            let Ok(page) = self.store.fetch(*id, 0, u64::MAX, u32::MAX, usize::MAX) else {
                continue;
            };
            let mut end = Seen { seq: 0, chain: Envelope::chain_start(*id) };
            for envelope in &page.envelopes {
                assert_eq!(envelope.seq, end.seq + 1, "a gap in the numbers");
                end = Seen { seq: envelope.seq, chain: envelope.chain_after(end.chain) };
            }
            assert_eq!(conversation.end, end, "the log ends elsewhere");
        }
    }
}

impl Home {
    pub(super) fn new(client: Client, records: Records) -> Self {
        Self {
            client,
            records,
            connection: None,
            inbox: VecDeque::new(),
            jobs: VecDeque::new(),
            asked: 0,
            persists: 0,
            shown: BTreeMap::new(),
        }
    }

    /// What was persisted can be read back.
    pub(super) fn check_records(&self) {
        assert!(restore(&self.records).is_some(), "what was persisted can't be read");
    }

    /// Nothing is shown twice, and all in the order of its numbers.
    fn note(&mut self, show: &Show) {
        let _ = format!("{show:?}");
        match show {
            Show::Message(message) => {
                let before = self.shown.insert(message.conversation, message.seq);
                assert!(before.is_none_or(|before| before < message.seq), "shown twice");
            }
            Show::Left(id) => drop(self.shown.remove(id)),
            Show::Warning { warning, .. } => drop(warning.to_string()),
            _ => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_run_begins_with_three_devices_that_come_back_and_have_read_all() {
        let mut stage = Stage::open().unwrap();
        for (who, name) in NAMES.into_iter().enumerate() {
            let (name, password) = (UserName::parse(name).unwrap(), password(name));
            stage.event(who, Event::Command(Command::LogIn { name, password }));
            stage.connect(who);
        }
        stage.settle();
        for home in &stage.homes {
            assert_eq!(home.client.seen(ConversationId::LOBBY).map(|seen| seen.seq), Some(3));
            assert!(home.connection.is_some());
        }
        stage.check_logs(&[ConversationId::LOBBY]);
    }
}
