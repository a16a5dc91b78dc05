//! A scripted person: a client core, driven by a script that is told what the person sees.

use crate::plane::Secrets;
use portcullis_client_core::defences::Defences;
use portcullis_client_core::{
    Assignment, Client, Command, Config, Effect, Event, History, Key, Message, Show, drive,
    read_message,
};
use portcullis_crypto::testing::perform_with_key;
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::{ConversationId, ConversationName, DeviceName, Timestamp, UserName};
use portcullis_sim::Chance;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a script is told.
#[derive(Debug, Clone, PartialEq)]
pub enum Cue {
    /// The person sees this.
    Show(Show),
    /// A second has passed.
    Tick,
}

/// What a person does then.
pub type React = fn(&Person, &Cue, &Secrets) -> Vec<Command>;

/// A scripted person.
pub struct Person {
    name: UserName,
    /// Their place, and that of their key for the classroom among the known ones.
    number: usize,
    client: Client,
    /// What lends the learner's script its sessions: nobody looks at its screen.
    script: bool,
    /// They open what they read of.
    browser: bool,
    online: bool,
    store: BTreeMap<Key, Vec<u8>>,
    /// Their files, by path.
    disk: BTreeMap<PathBuf, Vec<u8>>,
    /// Bytes of both.
    kept: usize,
}

/// What a person's client wants of the world after an event.
#[derive(Default)]
pub(super) struct Wants {
    pub(super) sends: Vec<String>,
    pub(super) shows: Vec<Show>,
    pub(super) tasks: Vec<Assignment>,
    pub(super) disconnect: bool,
}

impl Person {
    pub(super) fn new(name: UserName, number: usize, device: DeviceName, twins: Defences) -> Self {
        let config = Config {
            device_name: device,
            stretch_floor: Stretch::LIGHT,
            history: History::All,
            read_marks: false,
            always_relay: false,
            loopback: true,
            stock: crate::limits::STOCK,
        };
        Self {
            name,
            number,
            client: Client::new(config, twins),
            script: false,
            browser: false,
            online: false,
            store: BTreeMap::new(),
            disk: BTreeMap::new(),
            kept: 0,
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &UserName {
        &self.name
    }

    /// The same, to lend its sessions to the learner's script.
    pub(super) fn for_script(self) -> Self {
        Self { script: true, ..self }
    }

    pub(super) const fn browses(&self) -> bool {
        self.browser
    }

    pub(super) const fn get_browser(&mut self) {
        self.browser = true;
    }

    pub(super) const fn is_script(&self) -> bool {
        self.script
    }

    pub(super) const fn is_online(&self) -> bool {
        self.online
    }

    /// The conversation that they know by this name.
    #[must_use]
    pub fn find(&self, name: &ConversationName) -> Option<ConversationId> {
        self.client.find(name)
    }

    /// What they have read, in order of place within each conversation.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let stored = self.store.iter().filter(|(key, _)| matches!(key, Key::Message(..)));
        stored.filter_map(|(_, value)| read_message(value)).collect()
    }

    /// What lies on their disk at this path.
    #[must_use]
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        self.disk.get(path).map(Vec::as_slice)
    }

    pub(super) fn write(&mut self, path: PathBuf, content: Vec<u8>) {
        self.kept += content.len();
        let old = self.disk.insert(path, content);
        self.kept -= old.map_or(0, |old| old.len());
    }

    /// Bytes that their client and their disk keep.
    pub(super) const fn kept(&self) -> usize {
        self.kept
    }

    pub(super) fn password(&self) -> Password {
        Password::new(password(self.name.as_str()))
    }

    pub(super) fn handle(&mut self, event: Event, now: Timestamp, chance: &mut Chance) -> Wants {
        let mut wants = Wants::default();
        let mut perform = |job| perform_with_key(self.number, job);
        for effect in drive(&mut self.client, event, now, chance.rng(), &mut perform) {
            match effect {
                Effect::Persist(writes) => {
                    for write in writes {
                        let row = |value: &Vec<u8>| value.len() + size_of::<(Key, Vec<u8>)>();
                        let old = match write.value {
                            Some(value) => {
                                let value = value.to_vec();
                                self.kept += row(&value);
                                self.store.insert(write.key, value)
                            }
                            None => self.store.remove(&write.key),
                        };
                        self.kept -= old.as_ref().map_or(0, row);
                    }
                }
                Effect::Send(frame) => wants.sends.push(frame),
                Effect::Show(show) => {
                    match show {
                        Show::Online { .. } => self.online = true,
                        Show::Offline => self.online = false,
                        _ => {}
                    }
                    if !self.script {
                        wants.shows.push(show);
                    }
                }
                Effect::Disconnect => wants.disconnect = true,
                Effect::Transfer(assignment) => wants.tasks.push(*assignment),
                Effect::Work(..) => {}
            }
        }
        wants
    }
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person({})", self.name)
    }
}

/// What somebody in a world logs in with: no secret, since worlds are not for keeping any.
#[must_use]
pub fn password(name: &str) -> String {
    format!("{name} has a password")
}
