//! A device: the client core, its store, and what its person has seen.

use crate::Chance;
use crate::files::{Disk, Shell};
use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{
    Client, Command, Config, Effect, Event, History, Key, Message, Show, Warning, drive,
    read_message,
};
use portcullis_crypto::testing::perform_with_key;
use portcullis_crypto::{Job, Outcome, Password, Stretch, perform};
use portcullis_proto::{ConversationId, DeviceName, Reference, Timestamp, UserName};
use std::collections::BTreeMap;

/// A device of a simulated person. A crash takes the client and leaves the store.
pub struct Device {
    pub(crate) name: UserName,
    /// Its place in the world, and that of its classroom key among the known ones.
    number: usize,
    pub(crate) config: Config,
    client: Option<Client>,
    /// The process dies once after so many more effects.
    pub fuse: Option<usize>,
    pub(crate) store: BTreeMap<Key, Vec<u8>>,
    pub(crate) begun: bool,
    /// All that was ever shown, over all crashes.
    pub shows: Vec<Show>,
    /// Own messages that were acknowledged: id and place.
    pub acknowledged: Vec<(ConversationId, Reference, u64)>,
    /// Ids of all messages that were ever put into an outbox.
    pub said: Vec<Reference>,
    /// What lies on its disk besides its store.
    pub disk: Disk,
    /// What its process does with files.
    pub(crate) shell: Shell,
}

/// What a device wants of the world after an event.
#[derive(Debug, Default)]
pub(crate) struct Wants {
    pub(crate) sends: Vec<String>,
    pub(crate) disconnect: bool,
}

impl Device {
    pub(crate) fn new(name: UserName, number: usize, stretch: Stretch) -> Option<Self> {
        let config = Config {
            device_name: DeviceName::parse(&format!("device {number}")).ok()?,
            stretch_floor: stretch,
            history: History::All,
            read_marks: true,
            always_relay: false,
            loopback: true,
            stock: portcullis_client_core::limits::KEY_PACKAGES,
        };
        Some(Self {
            name,
            number,
            client: Some(Client::new(config.clone(), SOUND)),
            fuse: None,
            config,
            store: BTreeMap::new(),
            begun: false,
            shows: Vec::new(),
            acknowledged: Vec::new(),
            said: Vec::new(),
            disk: Disk::default(),
            shell: Shell::new(port(number)),
        })
    }

    /// The password of everyone with this name.
    pub(crate) fn password(&self) -> Password {
        Password::new(format!("password of {}", self.name))
    }

    /// The client, while it runs.
    #[must_use]
    pub const fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// The warnings that were shown.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> + '_ {
        self.shows.iter().filter_map(|show| match show {
            Show::Warning { warning, .. } => Some(warning),
            _ => None,
        })
    }

    /// A copy of all that this device has persisted.
    #[must_use]
    pub fn copy_of_home(&self) -> BTreeMap<Key, Vec<u8>> {
        self.store.clone()
    }

    /// Puts an earlier copy in the place of what is persisted.
    pub fn restore_home(&mut self, home: BTreeMap<Key, Vec<u8>>) {
        self.store = home;
    }

    /// The messages that were persisted.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        let stored = self.store.iter().filter(|(key, _)| matches!(key, Key::Message(..)));
        stored.filter_map(|(_, value)| read_message(value)).collect()
    }

    /// Handles an event. If `dies_after` is given, the process ends after so many effects.
    pub(crate) fn handle(
        &mut self,
        event: Event,
        now: Timestamp,
        chance: &mut Chance,
        dies_after: Option<usize>,
    ) -> Wants {
        let Some(client) = &mut self.client else {
            return Wants::default();
        };
        let light = self.config.stretch_floor == Stretch::LIGHT;
        let mut perform = |job: Job| -> Outcome {
            if light { perform_with_key(self.number, job) } else { perform(job) }
        };
        let effects = drive(client, event, now, chance.rng(), &mut perform);
        let mut wants = Wants::default();
        let lives = dies_after.or(self.fuse).unwrap_or(usize::MAX);
        let dies = effects.len() > lives;
        self.fuse = self.fuse.and_then(|fuse| fuse.checked_sub(effects.len()));
        for effect in effects.into_iter().take(lives) {
            match effect {
                Effect::Persist(writes) => {
                    for write in writes {
                        match write.value {
                            Some(value) => drop(self.store.insert(write.key, value.to_vec())),
                            None => drop(self.store.remove(&write.key)),
                        }
                    }
                }
                Effect::Send(frame) => wants.sends.push(frame),
                Effect::Show(show) => self.note(show),
                Effect::Disconnect => wants.disconnect = true,
                Effect::Transfer(assignment) => self.shell.told(&mut self.disk, *assignment),
                Effect::Work(..) => {}
            }
        }
        if dies {
            self.crash();
            wants.disconnect = true;
        }
        wants
    }

    fn note(&mut self, show: Show) {
        match &show {
            Show::Sent { conversation, id, seq } => {
                self.acknowledged.push((*conversation, *id, *seq));
            }
            Show::Pending { id, .. } => self.said.push(*id),
            _ => {}
        }
        self.shows.push(show);
    }

    /// The process ends; what was not persisted is lost.
    pub(crate) fn crash(&mut self) {
        self.client = None;
        // A later process listens elsewhere.
        let port = self.shell.port.wrapping_add(1);
        self.shell = Shell::new(port);
        self.disk.tear();
    }

    /// The process starts again from what was persisted, and its person gives the password.
    pub(crate) fn restart(&mut self, now: Timestamp, chance: &mut Chance) -> Result<(), String> {
        let written = self.store.iter().map(|(key, value)| (*key, value.as_slice()));
        let restored = Client::restore(self.config.clone(), SOUND, written);
        let client = restored.map_err(|bad| format!("{bad}: {:?}", bad.0))?;
        let known: Vec<_> = client.transfers().into_iter().map(|view| view.transfer).collect();
        self.disk.keep_only(&known);
        self.client = Some(client);
        let wants = self.begin(now, chance);
        drop(wants);
        Ok(())
    }

    /// The person registers, or logs in where the account may exist.
    pub(crate) fn begin(&mut self, now: Timestamp, chance: &mut Chance) -> Wants {
        let (name, password) = (self.name.clone(), self.password());
        let known = self.client.as_ref().is_some_and(|client| client.name().is_some());
        let command = if known || self.begun {
            Command::LogIn { name, password }
        } else {
            Command::Register { name, password, invite: None }
        };
        self.handle(Event::Command(command), now, chance, None)
    }
}

/// Where a device's first process listens.
fn port(number: usize) -> u16 {
    u16::try_from(number).unwrap_or_default().saturating_add(1).saturating_mul(1000)
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device of {}", self.name)
    }
}
