//! Which connection hears what: the effects of the server core, turned into frames.

use portcullis_proto::{AccountId, ConversationId, DeviceId, encode_event};
use portcullis_server_core::{Audience, ConnectionId, Effect, Whose};
use std::collections::{BTreeMap, BTreeSet};

/// The sessions as a shell knows them.
#[derive(Debug, Default)]
pub struct Hub {
    sessions: BTreeMap<ConnectionId, (AccountId, DeviceId)>,
    rooms: BTreeMap<ConversationId, BTreeSet<ConnectionId>>,
    watchers: BTreeSet<ConnectionId>,
    /// Keys for the relay, and whose they are.
    pub(crate) relay_keys: Vec<(AccountId, [u8; 32])>,
}

/// What a connection gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// This frame.
    Frame(ConnectionId, String),
    /// Its end.
    Close(ConnectionId),
}

impl Hub {
    /// A connection has gone.
    pub fn forget(&mut self, connection: ConnectionId) {
        self.sessions.remove(&connection);
        self.watchers.remove(&connection);
        for room in self.rooms.values_mut() {
            room.remove(&connection);
        }
    }

    /// An effect that concerns the asking connection.
    pub fn own(&mut self, connection: ConnectionId, effect: Effect) {
        match effect {
            Effect::Opened { account, device, conversations } => {
                self.sessions.insert(connection, (account, device));
                for conversation in conversations {
                    self.rooms.entry(conversation).or_default().insert(connection);
                }
            }
            Effect::WatchPresence => {
                self.watchers.insert(connection);
            }
            _ => {}
        }
    }

    /// Any other effect.
    #[must_use]
    pub fn follow(&mut self, effect: Effect) -> Vec<Told> {
        match effect {
            Effect::Deliver { to, event } => {
                let frame = encode_event(&event);
                self.audience(to).into_iter().map(|id| Told::Frame(id, frame.clone())).collect()
            }
            Effect::Subscribe { account, conversation } => {
                let held = self.of_account(account);
                self.rooms.entry(conversation).or_default().extend(held);
                Vec::new()
            }
            Effect::Unsubscribe { account, conversation } => {
                for id in self.of_account(account) {
                    self.rooms.entry(conversation).or_default().remove(&id);
                }
                Vec::new()
            }
            Effect::End { whose, .. } => {
                let ended = match whose {
                    Whose::Account(account) => self.of_account(account),
                    Whose::Device(device) => self.of_device(device),
                };

                ended.into_iter().map(Told::Close).collect()
            }
            // A blob's bytes begin with the first of them, and go with its row.
            Effect::KeepBlob(_) | Effect::DropBlob(_) => Vec::new(),
            // Packets are not simulated.
            Effect::RegisterRelayKey { account, key, .. } => {
                self.relay_keys.push((account, key));
                Vec::new()
            }
            Effect::Opened { .. } | Effect::WatchPresence => Vec::new(),
        }
    }

    fn audience(&self, to: Audience) -> Vec<ConnectionId> {
        match to {
            Audience::Conversation(id) => {
                self.rooms.get(&id).into_iter().flatten().copied().collect()
            }
            Audience::Account(account) => self.of_account(account),
            Audience::Device(device) => self.of_device(device),
            Audience::PresenceWatchers => self.watchers.iter().copied().collect(),
        }
    }

    fn of_account(&self, account: AccountId) -> Vec<ConnectionId> {
        self.sessions.iter().filter(|(_, (a, _))| *a == account).map(|(id, _)| *id).collect()
    }

    fn of_device(&self, device: DeviceId) -> Vec<ConnectionId> {
        self.sessions.iter().filter(|(_, (_, d))| *d == device).map(|(id, _)| *id).collect()
    }
}
