//! A whole server without its shell: the sessions, and the batch loop's body.
//!
//! Requests that wait are run together, each in a savepoint of one transaction, which is committed
//! once; only then are replies and effects released. So "acknowledged" means "durable", and the price
//! of making things durable is shared.

use crate::defences::{CapabilityKey, Defences};
use crate::session::State;
use crate::store::{Conversation, InsertError, Store, StoreError};
use crate::{
    Audience, Context, Disk, Effect, Effects, GuestAsk, GuestOutput, Guests, Instance, Peer,
    Presence, RateLimits, Session, Who, Whose, handle, limits, rule,
};
use portcullis_crypto::Randomness;
use portcullis_proto::{
    Access, AccountId, ChannelName, Code, ConversationId, DeviceId, Event, Refusal, Reply, Request,
    Timestamp, TransferId,
};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use self::guests::refused;
use crate::GuestRefused;

mod guests;

/// The shell's number of a connection; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// A frame from a connection, read.
#[derive(Debug)]
pub enum Incoming {
    /// Of a session.
    Request {
        /// From where.
        connection: ConnectionId,
        /// The request's id, or 0 where the frame had none.
        id: u64,
        /// The request, or the refusal that its form deserves.
        request: Result<Request, Refusal>,
    },
    /// Of a classroom guest, or of a linked server.
    Guest {
        /// From where. A session never has this number.
        connection: ConnectionId,
        /// Where that is.
        peer: Peer,
        /// What it asks, verified.
        ask: GuestAsk,
    },
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
    /// Something for the classroom gateway.
    Guest(GuestOutput),
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
    guests: Guests,
    sessions: HashMap<ConnectionId, Session>,
    /// The connection of each device with a session.
    devices: HashMap<DeviceId, ConnectionId>,
    /// Connections whose session this batch has ended.
    ended: Vec<ConnectionId>,
    capabilities: CapabilityKey,
    disk: Disk,
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
    pub fn new(
        instance: Instance,
        defences: Defences,
        mut rng: Box<dyn Randomness + Send>,
    ) -> Self {
        Self {
            capabilities: CapabilityKey::random(rng.as_mut()),
            disk: Disk::default(),
            instance,
            defences,
            limits: RateLimits::default(),
            presence: Presence::default(),
            guests: Guests::default(),
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
        let lobby = ConversationId::LOBBY;
        if store.conversation(lobby)?.is_some() {
            return Ok(());
        }
        let lobby = Conversation::channel(lobby, ChannelName::lobby(), Access::Open);
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

    /// A classroom guest's connection, or a linked server's, has gone.
    pub fn guest_gone(&mut self, connection: ConnectionId) {
        self.guests.went(connection);
    }

    /// How many connections of classroom guests and linked servers there are.
    #[must_use]
    pub fn count_guests(&self) -> usize {
        self.guests.connections()
    }

    /// Once a second: who came and went.
    #[must_use]
    pub fn tick(&mut self) -> Vec<Output> {
        let told = [self.presence.tell(), self.guests.tell()].into_iter().flatten();
        let to = Audience::PresenceWatchers;
        let told = told.map(|event| Output::Effect(Effect::Deliver { to, event }));
        let list = self.guests.tell_list_changed() && self.instance.guests.is_some();
        told.chain(list.then_some(Output::Guest(GuestOutput::ListChanged))).collect()
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
        // Somebody without a session may have been disabled as well.
        self.guests.forget_list();
        Ok(outputs)
    }

    /// What tokens for `/blobs` are accepted by; it ends with this server.
    #[must_use]
    pub fn capability_key(&self) -> CapabilityKey {
        self.capabilities.clone()
    }

    /// How full the disk is now.
    pub fn note_disk(&mut self, disk: Disk) {
        self.disk = disk;
    }

    /// Drops blobs that have expired, and of these, of which no byte has come, those that were reserved too long ago.
    ///
    /// # Errors
    /// What the store says; nothing was dropped then.
    pub fn sweep_blobs(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        empty: &[TransferId],
    ) -> Result<Vec<Output>, StoreError> {
        let mut expired = store.expired_blobs(now, limits::BLOBS_SWEPT)?;
        for id in empty.iter().take(limits::BLOBS_SWEPT as usize) {
            let lapsed = store.blob(*id)?.is_some_and(|blob| blob.lapses_at() <= now);
            expired.extend(lapsed.then_some(*id));
        }
        expired.sort_unstable();
        expired.dedup();
        if expired.is_empty() {
            return Ok(Vec::new());
        }
        store.begin()?;
        let dropped = expired.iter().try_for_each(|blob| store.drop_blob(*blob));
        if let Err(error) = dropped.and_then(|()| store.commit()) {
            // Nothing may be rolled back any more if the failure already did so itself.
            let _ = store.rollback();
            return Err(error);
        }
        Ok(expired.into_iter().map(|blob| Output::Effect(Effect::DropBlob(blob))).collect())
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
        for incoming in batch {
            match incoming {
                Incoming::Request { connection, id, request } => {
                    let result = match request {
                        Ok(request) => self.one(store, now, connection, request)?,
                        Err(refusal) => Err(refusal),
                    };
                    self.release(connection, id, result, &mut outputs);
                }
                Incoming::Guest { connection, peer, ask } => {
                    outputs.extend(self.guest(store, now, connection, peer, ask)?);
                }
            }
        }
        store.commit()?;
        Ok(outputs)
    }

    /// Runs one request in a savepoint.
    fn one(
        &mut self,
        store: &dyn Store,
        now: Timestamp,
        connection: ConnectionId,
        request: Request,
    ) -> Result<Result<Effects, Refusal>, StoreError> {
        let Some(mut session) = self.sessions.remove(&connection) else {
            return Ok(Err(Refusal::new(Code::NotNow, "this session has ended")));
        };
        let mut context = self.context(store, now);
        let mistake = "the server made a mistake with this request";
        let mistaken = || Refusal::new(Code::Unavailable, mistake);
        let result = in_savepoint(store, mistaken, || handle(&mut context, &mut session, request));
        self.sessions.insert(connection, session);
        result
    }

    /// What a request may see and touch.
    pub(crate) fn context<'a>(&'a mut self, store: &'a dyn Store, now: Timestamp) -> Context<'a> {
        Context {
            tx: store,
            now,
            rng: self.rng.as_mut(),
            limits: &mut self.limits,
            presence: &mut self.presence,
            guests: &mut self.guests,
            capabilities: &self.capabilities,
            disk: self.disk,
            instance: &self.instance,
            defences: &self.defences,
        }
    }

    /// Turns what became of a request into outputs, and follows the effects that end sessions.
    fn release(
        &mut self,
        connection: ConnectionId,
        id: u64,
        result: Result<Effects, Refusal>,
        outputs: &mut Vec<Output>,
    ) {
        let (result, then, guests) = match result {
            Ok(Effects { reply, then, guests }) => (Ok(reply), then, guests),
            Err(refusal) => (Err(refusal), Vec::new(), Vec::new()),
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
        outputs.extend(guests.into_iter().map(Output::Guest));
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
    /// store does not know of it are dropped, as are guests whom nobody was told of; their clients come back.
    fn fail(&mut self, asked: &[Asked], error: StoreError) -> Vec<Output> {
        let mut outputs = Vec::with_capacity(asked.len());
        for Asked { connection, id, .. } in asked {
            outputs.push(match id {
                Some(id) => {
                    let result = Err(Refusal::from(error));
                    Output::Reply { connection: *connection, id: *id, result }
                }
                None => refused(*connection, GuestRefused::Unavailable),
            });
        }
        let moved = asked.iter().filter(|one| one.moves).map(|one| one.connection);
        let mut dropped: Vec<ConnectionId> = self.ended.drain(..).chain(moved).collect();
        dropped.sort_unstable();
        dropped.dedup();
        for connection in dropped {
            self.disconnect(connection);
            self.guest_gone(connection);
            outputs.push(Output::Drop { connection });
        }
        // What it says may have been read in the transaction that did not come to be.
        self.guests.forget_list();
        outputs
    }
}

/// Runs something in a savepoint. A refusal or a panic leaves nothing behind.
fn in_savepoint<T, E>(
    store: &dyn Store,
    mistaken: impl FnOnce() -> E,
    run: impl FnOnce() -> Result<T, E>,
) -> Result<Result<T, E>, StoreError> {
    store.savepoint()?;
    let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(mistaken()));
    match &result {
        Ok(_) => store.release()?,
        Err(_) => store.rollback_to_savepoint()?,
    }
    Ok(result)
}

/// What has to be remembered of a request in case its batch fails.
struct Asked {
    connection: ConnectionId,
    /// A request's; guests get no answers.
    id: Option<u64>,
    /// Whether it may have moved its session on, or made a guest known.
    moves: bool,
}

impl Asked {
    fn of(incoming: &Incoming) -> Self {
        match incoming {
            Incoming::Request { connection, id, request } => {
                let request = request.as_ref().ok();
                let moves = request.is_some_and(|request| rule(request.kind()).who != Who::Open);
                Self { connection: *connection, id: Some(*id), moves }
            }
            Incoming::Guest { connection, ask, .. } => {
                let moves = matches!(ask, GuestAsk::Hello(_));
                Self { connection: *connection, id: None, moves }
            }
        }
    }
}

#[cfg(test)]
mod tests;
