//! A whole server without its shell: the sessions, and the batch loop's body.
//!
//! Requests that wait are run together, each in a savepoint of one transaction, which is committed
//! once; only then are replies and effects released. So "acknowledged" means "durable", and the price
//! of making things durable is shared.

use crate::defences::Defences;
use crate::session::State;
use crate::store::{Conversation, InsertError, Store, StoreError};
use crate::{
    Audience, Context, Effect, Effects, Instance, Peer, Presence, RateLimits, Session, Who, Whose,
    handle, rule,
};
use portcullis_crypto::Randomness;
use portcullis_proto::{
    Access, AccountId, ChannelName, Code, ConversationId, DeviceId, Event, Refusal, Reply, Request,
    Timestamp,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The shell's number of a connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A frame from a connection, read.
#[derive(Debug)]
pub struct Incoming {
    /// From where.
    pub connection: ConnectionId,
    /// The request's id, or 0 where the frame had none.
    pub id: u64,
    /// The request, or the refusal that its form deserves.
    pub request: Result<Request, Refusal>,
}

/// What a shell has to do after a batch, in this order.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum Output {
    /// Answer a request.
    Reply {
        /// Where to.
        connection: ConnectionId,
        /// The request's id.
        id: u64,
        /// The answer.
        result: Result<Reply, Refusal>,
    },
    /// The connection is this device's session now ([`Effect::Opened`]) or watches presence.
    Connection {
        /// Which.
        connection: ConnectionId,
        /// What it is now.
        effect: Effect,
    },
    /// Something for conversations, accounts or devices.
    Effect(Effect),
    /// The connection can't go on; close it.
    Drop {
        /// Which.
        connection: ConnectionId,
    },
}

/// Sessions, rates and presence: all of a server that is not in the store.
pub struct Server {
    instance: Instance,
    defences: Defences,
    limits: RateLimits,
    presence: Presence,
    sessions: HashMap<ConnectionId, Session>,
    /// The connection of each device with a session.
    devices: HashMap<DeviceId, ConnectionId>,
    /// Connections whose session this batch has ended.
    ended: Vec<ConnectionId>,
    rng: Box<dyn Randomness + Send>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({} sessions)", self.sessions.len())
    }
}

impl Server {
    /// A server without connections.
    #[must_use]
    pub fn new(instance: Instance, defences: Defences, rng: Box<dyn Randomness + Send>) -> Self {
        Self {
            instance,
            defences,
            limits: RateLimits::default(),
            presence: Presence::default(),
            sessions: HashMap::new(),
            devices: HashMap::new(),
            ended: Vec::new(),
            rng,
        }
    }

    /// Makes `#lobby` in a new store.
    ///
    /// # Errors
    /// What the store says.
    pub fn prepare(store: &dyn Store) -> Result<(), StoreError> {
        let id = ConversationId::LOBBY;
        if store.conversation(id)?.is_some() {
            return Ok(());
        }
        let lobby = Conversation::channel(id, ChannelName::lobby(), Access::Open);
        store.begin()?;
        match store.insert_conversation(&lobby) {
            Ok(()) | Err(InsertError::Taken) => store.commit(),
            Err(InsertError::Store(error)) => store.rollback().and(Err(error)),
        }
    }

    /// How many connections there are, and how many accounts are online.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        (self.sessions.len(), self.presence.online())
    }

    /// A connection has come; the event greets it.
    pub fn connect(&mut self, connection: ConnectionId, peer: Peer, now: Timestamp) -> Event {
        let (session, hello) = Session::new(peer, now, self.rng.as_mut());
        self.sessions.insert(connection, session);
        hello
    }

    /// A connection has gone.
    pub fn disconnect(&mut self, connection: ConnectionId) {
        let session = self.sessions.remove(&connection);
        // A session whose opening was never released was not counted, so it does not go either.
        if let Some((account, device)) = session.as_ref().and_then(Session::holder)
            && self.devices.get(&device) == Some(&connection)
        {
            self.devices.remove(&device);
            self.presence.went(account);
        }
    }

    /// Once a second: who came and went.
    #[must_use]
    pub fn tick(&mut self) -> Option<Output> {
        let event = self.presence.tell()?;
        Some(Output::Effect(Effect::Deliver { to: Audience::PresenceWatchers, event }))
    }

    /// Ends the sessions of accounts that were disabled from outside.
    ///
    /// # Errors
    /// What the store says.
    pub fn end_disabled(&mut self, store: &dyn Store) -> Result<Vec<Output>, StoreError> {
        let mut accounts: Vec<AccountId> = self
            .sessions
            .values()
            .filter_map(Session::holder)
            .map(|(account, _)| account)
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        let mut outputs = Vec::new();
        for account in accounts {
            if store.account(account)?.is_none_or(|account| account.disabled) {
                let whose = Whose::Account(account);
                let reason = "the operator of this server has disabled this account";
                self.end(whose);
                outputs.push(Output::Effect(Effect::End { whose, reason }));
            }
        }
        Ok(outputs)
    }

    /// Runs a batch in one transaction.
    pub fn run(&mut self, store: &dyn Store, now: Timestamp, batch: Vec<Incoming>) -> Vec<Output> {
        let asked: Vec<_> = batch.iter().map(Asked::of).collect();
        self.ended.clear();
        match self.try_run(store, now, batch) {
            Ok(outputs) => outputs,
            Err(error) => {
                // Nothing may be rolled back any more if the failure already did so itself.
                let _ = store.rollback();
                self.fail(&asked, error)
            }
        }
    }

    fn try_run(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        batch: Vec<Incoming>,
    ) -> Result<Vec<Output>, StoreError> {
        let mut outputs = Vec::with_capacity(batch.len() * 2);
        store.begin()?;
        for Incoming { connection, id, request } in batch {
            let result = match request {
                Ok(request) => self.one(store, now, connection, request)?,
                Err(refusal) => Err(refusal),
            };
            self.release(connection, id, result, &mut outputs);
        }
        store.commit()?;
        Ok(outputs)
    }

    /// Runs one request in a savepoint. A refusal or a panic leaves nothing behind.
    fn one(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        connection: ConnectionId,
        request: Request,
    ) -> Result<Result<Effects, Refusal>, StoreError> {
        let Some(session) = self.sessions.get_mut(&connection) else {
            return Ok(Err(Refusal::new(Code::NotNow, "this session has ended")));
        };
        let mut context = Context {
            tx: store,
            now,
            rng: self.rng.as_mut(),
            limits: &mut self.limits,
            presence: &mut self.presence,
            instance: &self.instance,
            defences: &self.defences,
        };
        store.savepoint()?;
        let attempt = AssertUnwindSafe(|| handle(&mut context, session, request));
        let result = catch_unwind(attempt).unwrap_or_else(|_| {
            Err(Refusal::new(Code::Unavailable, "the server made a mistake with this request"))
        });
        match &result {
            Ok(_) => store.release()?,
            Err(_) => store.rollback_to_savepoint()?,
        }
        Ok(result)
    }

    /// Turns what became of a request into outputs, and follows the effects that end sessions.
    fn release(
        &mut self,
        connection: ConnectionId,
        id: u64,
        result: Result<Effects, Refusal>,
        outputs: &mut Vec<Output>,
    ) {
        let (result, then) = match result {
            Ok(effects) => (Ok(effects.reply), effects.then),
            Err(refusal) => (Err(refusal), Vec::new()),
        };
        outputs.push(Output::Reply { connection, id, result });
        for effect in then {
            match &effect {
                Effect::Opened { account, device, .. } => {
                    let (account, device) = (*account, *device);
                    self.end_older(connection, device, outputs);
                    if let Some(State::Open(open)) =
                        self.sessions.get(&connection).map(|session| &session.state)
                    {
                        self.presence.came(account, &open.name);
                    }
                    outputs.push(Output::Connection { connection, effect });
                }
                Effect::WatchPresence => outputs.push(Output::Connection { connection, effect }),
                Effect::End { whose, .. } => {
                    self.end(*whose);
                    outputs.push(Output::Effect(effect));
                }
                _ => outputs.push(Output::Effect(effect)),
            }
        }
    }

    /// A device has one session: the newer one.
    fn end_older(&mut self, newer: ConnectionId, device: DeviceId, outputs: &mut Vec<Output>) {
        let older = self.devices.get(&device).copied();
        let older = older.filter(|older| *older != newer);
        if let Some(older) = older {
            self.disconnect(older);
            self.ended.push(older);
        }
        self.devices.insert(device, newer);
        if older.is_none() {
            return;
        }
        let whose = Whose::Device(device);
        let reason = "this device has opened another session";
        outputs.push(Output::Effect(Effect::End { whose, reason }));
    }

    /// Ends sessions at once: what such a connection still asks in this batch is refused.
    fn end(&mut self, whose: Whose) {
        let ended: Vec<ConnectionId> = match whose {
            Whose::Device(device) => self.devices.get(&device).copied().into_iter().collect(),
            Whose::Account(account) => {
                let held = |session: &Session| session.holder().map(|(account, _)| account);
                let sessions = self.sessions.iter();
                sessions.filter(|(_, s)| held(s) == Some(account)).map(|(id, _)| *id).collect()
            }
        };
        for connection in &ended {
            self.disconnect(*connection);
        }
        self.ended.extend(ended);
    }

    /// The batch is not durable: everyone is told so. Sessions that have moved on in memory while the
    /// store does not know of it are dropped; their clients come back.
    fn fail(&mut self, asked: &[Asked], error: StoreError) -> Vec<Output> {
        let mut outputs = Vec::with_capacity(asked.len());
        for Asked { connection, id, .. } in asked {
            let result = Err(Refusal::from(error));
            outputs.push(Output::Reply { connection: *connection, id: *id, result });
        }
        let moved = asked.iter().filter(|one| one.moves).map(|one| one.connection);
        let mut dropped: Vec<ConnectionId> = self.ended.drain(..).chain(moved).collect();
        dropped.sort_unstable();
        dropped.dedup();
        for connection in dropped {
            self.disconnect(connection);
            outputs.push(Output::Drop { connection });
        }
        outputs
    }
}

/// What has to be remembered of a request in case its batch fails.
struct Asked {
    connection: ConnectionId,
    id: u64,
    /// Whether it may have moved its session on.
    moves: bool,
}

impl Asked {
    fn of(incoming: &Incoming) -> Self {
        let request = incoming.request.as_ref().ok();
        let moves = request.is_some_and(|request| rule(request.kind()).who != Who::Open);
        Self { connection: incoming.connection, id: incoming.id, moves }
    }
}

#[cfg(test)]
mod tests;
