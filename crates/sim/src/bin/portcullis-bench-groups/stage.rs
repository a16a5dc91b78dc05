//! Whole clients on a server in memory. Each client's own part is timed, and nothing else.

use crate::figure::Figure;
use anyhow::{Context as _, Error, Result, bail};
use portcullis_client_core::{Client, Command, Event, Key};
use portcullis_crypto::Stretch;
use portcullis_proto::{ConversationId, ConversationName, UserName};
use portcullis_sim::{DeviceIndex, World};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Instant;

/// Rounds after which something is wrong.
const ROUNDS: usize = 10_000;

/// Rounds with nothing to do in which a second passes each, for what is tried again later.
const QUIET: usize = 3;

/// All that a device has persisted.
pub(crate) type Home = BTreeMap<Key, Vec<u8>>;

/// All of them, and what each has spent.
pub(crate) struct Stage {
    pub(crate) world: World,
    /// Frames on their way to each device.
    held: Rc<RefCell<VecDeque<(DeviceIndex, String)>>>,
    spent: BTreeMap<DeviceIndex, Figure>,
    /// Whether the records that change are counted, for which a home is compared after each event.
    pub(crate) counts_records: bool,
}

impl Stage {
    pub(crate) fn new() -> Result<Self> {
        // NO SECURITY: what is measured begins after the login.
        let mut world = World::new(1, Stretch::LIGHT)?;
        let held: Rc<RefCell<VecDeque<_>>> = Rc::default();
        let hold = Rc::clone(&held);
        world.liar = Some(Box::new(move |device, frame| {
            hold.borrow_mut().push_back((device, frame));
            Vec::new()
        }));
        Ok(Self { world, held, spent: BTreeMap::new(), counts_records: false })
    }

    /// A new device that has logged in, and come to rest.
    pub(crate) fn add_device(&mut self, person: usize) -> Result<DeviceIndex> {
        let index = self.world.add_device(&person_name(person)?);
        self.world.connect(index);
        self.rest()?;
        Ok(index)
    }

    /// The client of a device that runs.
    pub(crate) fn client(&self, index: DeviceIndex) -> Result<&Client> {
        let device = self.world.devices.get(index.0);
        device.and_then(|device| device.client()).context("a client that runs")
    }

    /// The conversation that a device calls so.
    pub(crate) fn find(&self, index: DeviceIndex, name: &str) -> Result<ConversationId> {
        let found = self.client(index)?.find(&ConversationName::parse(name)?);
        found.with_context(|| format!("{name} is not known to {index:?}"))
    }

    /// A person wants something; all that follows is done. What each device has spent begins anew.
    pub(crate) fn does(&mut self, index: DeviceIndex, command: Command) -> Result<()> {
        self.spent.clear();
        self.happens(index, Event::Command(command));
        self.rest()
    }

    /// A device starts again from this home, and does all that it finds to do.
    pub(crate) fn comes_back(&mut self, index: DeviceIndex, home: Home) -> Result<()> {
        self.world.crash_device(index);
        let device = self.world.devices.get_mut(index.0).context("a device")?;
        device.restore_home(home);
        self.world.restart_device(index).map_err(Error::msg)?;
        self.spent.clear();
        self.world.connect(index);
        self.rest()
    }

    /// What a device has spent since somebody acted last.
    pub(crate) fn spent(&self, index: DeviceIndex) -> Figure {
        self.spent.get(&index).copied().unwrap_or_default()
    }

    /// Everything that is under way arrives, and all that follows from it.
    pub(crate) fn rest(&mut self) -> Result<()> {
        let mut quiet = 0;
        for _ in 0..ROUNDS {
            let frames: Vec<_> = self.held.borrow_mut().drain(..).collect();
            quiet = if frames.is_empty() { quiet + 1 } else { 0 };
            for (index, frame) in frames {
                self.happens(index, Event::Frame(frame));
            }
            for id in self.world.connections() {
                self.world.deliver(id, usize::MAX, None);
            }
            self.world.run_batch(usize::MAX, false);
            if self.held.borrow().is_empty() {
                if quiet >= QUIET {
                    return Ok(());
                }
                self.world.tick();
            }
        }
        bail!("{:?} does not come to rest", self.world)
    }

    pub(crate) fn happens(&mut self, index: DeviceIndex, event: Event) {
        let before = self.counts_records.then(|| self.home(index));
        let begun = Instant::now();
        self.world.event(index, event, None);
        let time = begun.elapsed();
        let kept = before.map_or(0, |before| changed(&before, &self.home(index)));
        let spent = self.spent.entry(index).or_default();
        spent.time += time;
        spent.kept += kept;
    }

    /// All that a device has persisted.
    pub(crate) fn home(&self, index: DeviceIndex) -> Home {
        self.world.devices.get(index.0).map(|device| device.copy_of_home()).unwrap_or_default()
    }
}

/// Bytes of the records that are not as they were.
fn changed(before: &Home, after: &Home) -> usize {
    let new = after.iter().filter(|(key, value)| before.get(key) != Some(value));
    new.map(|(_, value)| value.len()).sum()
}

pub(crate) fn person_name(person: usize) -> Result<UserName> {
    Ok(UserName::parse(&format!("person{person}"))?)
}
