//! A small world for tests: a server whose store is memory, a clock that a test turns, seeded
//! randomness, and scripted people ([`people`]). Leaves out sockets; connections are numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod faulty;
mod guests;
mod people;
mod sequences;

pub(crate) use guests::{ADDRESS, Guest, chat, classic_key, guest_key, read, signed};
pub(crate) use people::{
    Person, adding, body, channel, creating, drafts, group_info, naming, reference, removing, user,
    welcome, welcoming,
};

use crate::defences::{Defences, SOUND};
use crate::store::Store;
use crate::{
    Audience, BlobPolicy, ConnectionId, Effect, GuestPolicy, Incoming, Instance, Output, Peer,
    Registration, Server, limits,
};
use faulty::FaultyStore;
use portcullis_crypto::{Hash, ServerSetup, Stretch};
use portcullis_proto::{Code, Event, Refusal, Reply, Request, Timestamp};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::collections::BTreeMap;

/// How a world differs from the usual one.
pub(crate) struct Setting {
    pub(crate) defences: Defences,
    pub(crate) registration: Registration,
    /// High, so that only tests of rates meet them.
    pub(crate) rate_factor: u32,
    /// Whether classroom guests are admitted.
    pub(crate) guests: bool,
    /// What people may store.
    pub(crate) blobs: BlobPolicy,
}

/// A world: sound, open to all, in no hurry.
pub(crate) const USUAL: Setting = Setting {
    defences: SOUND,
    registration: Registration::Open,
    rate_factor: 1_000,
    guests: false,
    blobs: BlobPolicy {
        account_bytes: 1 << 20,
        all_bytes: 1 << 24,
        keep_millis: limits::BLOB_MILLIS,
        blobs_each: 8,
        blobs: 64,
    },
};

/// A server and all that it needs.
pub(crate) struct World {
    pub(crate) store: FaultyStore,
    pub(crate) server: Server,
    pub(crate) now: Timestamp,
    pub(crate) rng: ChaCha20Rng,
    /// What the last batch led to.
    pub(crate) outputs: Vec<Output>,
    setting: Setting,
    setup: Vec<u8>,
    nonces: BTreeMap<ConnectionId, Hash>,
    connections: u64,
}

impl World {
    /// The usual world.
    pub(crate) fn new() -> Self {
        Self::build(USUAL)
    }

    /// The usual world with other defences.
    pub(crate) fn with(defences: Defences) -> Self {
        Self::build(Setting { defences, ..USUAL })
    }

    /// The usual world, where guests are admitted, with other defences.
    pub(crate) fn with_guests(defences: Defences) -> Self {
        Self::build(Setting { defences, guests: true, ..USUAL })
    }

    /// A world of its own kind.
    pub(crate) fn build(setting: Setting) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let setup = ServerSetup::generate(&mut rng).to_bytes().to_vec();
        let store = FaultyStore::default();
        Server::prepare(&store).unwrap();
        if setting.guests {
            Server::prepare_guests(&store).unwrap();
        }
        Self {
            server: server(&setting, &setup, 2),
            store,
            now: Timestamp(1_790_000_000_000),
            rng,
            outputs: Vec::new(),
            setting,
            setup,
            nonces: BTreeMap::new(),
            connections: 0,
        }
    }

    /// The process dies and comes back: connections and sessions are gone, the store is as committed.
    pub(crate) fn restart(&mut self) {
        self.store.inner.crash();
        self.server = server(&self.setting, &self.setup, self.connections + 3);
        self.nonces.clear();
    }

    /// A new connection from this machine.
    pub(crate) fn connect(&mut self) -> ConnectionId {
        self.connect_from(Peer::loopback())
    }

    /// A new connection.
    pub(crate) fn connect_from(&mut self, peer: Peer) -> ConnectionId {
        self.connections += 1;
        let connection = ConnectionId(self.connections);
        match self.server.connect(connection, peer, self.now) {
            Event::Hello { nonce, time } => {
                assert_eq!(time, self.now);
                assert!(!self.nonces.values().any(|known| *known == nonce));
                self.nonces.insert(connection, nonce);
            }
            other => panic!("greeted with {other:?}"),
        }
        connection
    }

    /// The nonce that a connection was greeted with.
    pub(crate) fn nonce(&self, connection: ConnectionId) -> Hash {
        self.nonces[&connection]
    }

    /// Writes to the store from outside, as the operator's tools do.
    pub(crate) fn operate<E: core::fmt::Debug>(
        &mut self,
        change: impl FnOnce(&FaultyStore) -> Result<(), E>,
    ) {
        self.store.begin().unwrap();
        change(&self.store).unwrap();
        self.store.commit().unwrap();
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
    }

    /// One request, in a batch of its own.
    pub(crate) fn ask(
        &mut self,
        connection: ConnectionId,
        request: Request,
    ) -> Result<Reply, Refusal> {
        self.batch(vec![(connection, request)]).remove(0)
    }

    /// The same, for tables of rows: the code alone, and a refusal must leave no trace.
    pub(crate) fn attempt(
        &mut self,
        connection: ConnectionId,
        request: Request,
    ) -> Result<Reply, Code> {
        let (kind, before) = (request.kind(), self.trace());
        let result = self.ask(connection, request);
        if result.is_err() {
            assert!(self.trace() == before, "refused {kind:?} left a trace");
            assert_eq!(self.effects(), [], "refused {kind:?} had an effect");
        }
        result.map_err(|refusal| refusal.code)
    }

    /// Requests in one batch; their answers in the same order, one each.
    pub(crate) fn batch(
        &mut self,
        requests: Vec<(ConnectionId, Request)>,
    ) -> Vec<Result<Reply, Refusal>> {
        let asked: Vec<_> = (1..).zip(&requests).map(|(id, (c, _))| (*c, id)).collect();
        let incoming = |(id, (connection, request))| Incoming::Request {
            connection,
            id,
            request: Ok(request),
        };
        let batch = (1..).zip(requests).map(incoming).collect();
        self.outputs = self.server.run(&self.store, self.now, batch);
        let (mut answered, mut results) = (Vec::new(), Vec::new());
        for output in &self.outputs {
            if let Output::Reply { connection, id, result } = output {
                answered.push((*connection, *id));
                results.push(result.clone());
            }
        }
        assert_eq!(answered, asked, "one answer for each request, in order");
        results
    }

    /// What the last batch led to besides replies.
    pub(crate) fn effects(&self) -> Vec<Output> {
        let others = self.outputs.iter();
        others.filter(|output| !matches!(output, Output::Reply { .. })).cloned().collect()
    }

    /// Whom the last batch told what.
    pub(crate) fn told(&self) -> Vec<(Audience, Event)> {
        let deliver = |output: &Output| match output {
            Output::Effect(Effect::Deliver { to, event }) => Some((*to, event.clone())),
            _ => None,
        };
        self.outputs.iter().filter_map(deliver).collect()
    }

    /// All that the store holds, as text: equal before and after where nothing was changed.
    pub(crate) fn trace(&self) -> String {
        // The rows of every table, with keys and hashes cut short …
        let mut text = format!("{:?}", self.store.inner);
        // … and in full what can be asked for.
        for account in self.store.inner.accounts(None, u32::MAX).unwrap() {
            let login = &account.login;
            text += &format!("{:?} {:?}", login.record, login.wrapped_identity);
            for list in self.store.inner.lists(account.id, 0, u32::MAX).unwrap() {
                text += &format!("{:?}", list.signed.list.as_slice());
            }
            for (conversation, _) in
                self.store.inner.memberships(account.id, None, u32::MAX).unwrap()
            {
                let id = conversation.id;
                text += &format!("{:?}", conversation.end.chain.as_bytes());
                let page = self.store.inner.fetch(id, 0, u64::MAX, u32::MAX, usize::MAX).unwrap();
                for envelope in page.envelopes {
                    text += &format!("{:?}", envelope.body.as_slice());
                }
            }
        }
        text
    }
}

fn server(setting: &Setting, setup: &[u8], seed: u64) -> Server {
    let instance = Instance {
        setup: ServerSetup::from_bytes(setup).unwrap(),
        registration: setting.registration,
        stretch: Stretch::LIGHT,
        rate_factor: setting.rate_factor,
        blobs: setting.blobs,
        guests: setting.guests.then(|| GuestPolicy {
            address: ADDRESS.to_owned(),
            gateway: classic_key(15).public(),
        }),
    };
    let rng = ChaCha20Rng::seed_from_u64(seed);
    Server::new(instance, setting.defences, Box::new(rng))
}
