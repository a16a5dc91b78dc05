//! Files in a simulated world: what a shell does with a core's tasks, in memory, with the real keys and hashes. A
//! server's blobs lose their tails when it dies, direct connections break or never come about, and people change
//! the files that they have offered. Leaves out HTTP, sockets and folders.

mod blobs;
mod part;
mod shell;
mod source;

pub(crate) use self::blobs::Blobs;
pub use self::part::Part;
pub use self::shell::Disk;
pub(crate) use self::shell::Shell;
pub use self::source::{piece, prepare};

use self::shell::{Job, Task};
use crate::{DeviceIndex, World};
use portcullis_client_core::defences::{SOUND, path_hello};
use portcullis_client_core::{Command, Event, Fault, Moved};
use portcullis_crypto::Signature;
use portcullis_proto::{AccountId, ConversationId, FileName, TransferId};
use portcullis_server_core::defences::BlobUse;

/// How often a path is tried that leads nowhere, before it is given up.
const PATIENCE: usize = 30;

/// What was offered, for the checker.
#[derive(Debug, Clone)]
pub struct Offered {
    /// Whose device.
    pub by: DeviceIndex,
    /// The content that the recipients have to get.
    pub content: Vec<u8>,
}

impl World {
    /// Keys that were registered with the relay, and by whom.
    #[must_use]
    pub fn relay_keys(&self) -> &[(AccountId, [u8; 32])] {
        &self.hub.relay_keys
    }

    /// A person offers a file with this content.
    pub fn offer(
        &mut self,
        by: DeviceIndex,
        conversation: ConversationId,
        content: Vec<u8>,
        relay_now: bool,
    ) -> Option<TransferId> {
        let (offer, hashes) =
            prepare(self.chance.rng(), FileName::closest("report.pdf"), &content)?;
        let id = offer.transfer;
        let place = format!("where the file {id} lies");
        let device = self.devices.get_mut(by.0)?;
        device.client()?;
        device.disk.places.insert(place.clone(), content.clone());
        device.disk.hashes.insert(id, hashes);
        self.offers.insert(id, Offered { by, content });
        let offer = Box::new(offer);
        self.command(by, Command::Offer { conversation, offer, place, relay_now });
        Some(id)
    }

    /// One piece of a file moves on a device, or its core hears what came of a task. With `faults`, paths break.
    /// False if there is nothing to do.
    pub fn move_files(&mut self, index: DeviceIndex, faults: bool) -> bool {
        let Some(device) = self.devices.get_mut(index.0) else {
            return false;
        };
        if let Some((id, moved)) = device.shell.reports.pop_front() {
            let dies = (faults && self.chance.one_in(40)).then(|| self.chance.below(3));
            self.event(index, Event::Moved(id, moved), dies);
            return true;
        }
        let Some((id, job)) = device.shell.pick(&mut self.chance) else {
            return false;
        };
        let came_of_it = match &job.task {
            Some(Task::Upload(token, begin)) => self.upload((index, id), &job, token, *begin),
            Some(Task::Fetch(token)) => self.fetch(index, id, &job, token),
            Some(Task::Dial(port, pass)) => self.dial((index, id), &job, (*port, pass), faults),
            None => None,
        };
        if let (Some(moved), Some(device)) = (came_of_it, self.devices.get_mut(index.0)) {
            device.shell.ends(id, moved);
        }
        true
    }

    /// The next piece goes to the server.
    fn upload(
        &mut self,
        (index, id): (DeviceIndex, TransferId),
        job: &Job,
        token: &str,
        begin: u64,
    ) -> Option<Moved> {
        let file = match self.capability(id, BlobUse::Store, token) {
            Ok(file) => file,
            Err(moved) => return Some(moved),
        };
        let stored = self.blobs.begin(file, usize::try_from(begin).ok()?);
        let total = usize::try_from(job.offer.blob_bytes()?).ok()?;
        if stored >= total {
            self.blobs.sync(file);
            return Some(Moved::Uploaded { begin });
        }
        let disk = &self.devices.get(index.0)?.disk;
        let Some(content) = disk.places.get(&job.place) else {
            return Some(Moved::Failed(Fault::NotFound));
        };
        let at = source::piece_at(&job.offer, stored)?;
        let Some(bytes) = piece(&job.offer, disk.hashes.get(&id)?, content, at) else {
            return Some(Moved::Changed);
        };
        let start = source::piece_start(&job.offer, at)?;
        self.blobs.append(file, bytes.get(stored - start..).unwrap_or_default());
        None
    }

    /// The next piece comes from the server, or is waited for.
    fn fetch(
        &mut self,
        index: DeviceIndex,
        id: TransferId,
        job: &Job,
        token: &str,
    ) -> Option<Moved> {
        let file = match self.capability(id, BlobUse::Fetch, token) {
            Ok(file) => file,
            Err(moved) => return Some(moved),
        };
        let device = self.devices.get_mut(index.0)?;
        let at = device.disk.part(id).next_piece();
        let end = source::piece_end(&job.offer, at)?;
        let start = source::piece_start(&job.offer, at)?;
        match self.blobs.read(file, start..end) {
            Some(bytes) => device.take(id, &job.offer, bytes),
            None => {
                let have = start as u64;
                device.shell.waits(id, PATIENCE).then_some(Moved::Lacking { have })
            }
        }
    }

    /// What a token of the server's is for, or what the shell hears instead.
    fn capability(
        &mut self,
        id: TransferId,
        usage: BlobUse,
        token: &str,
    ) -> Result<portcullis_server_core::store::BlobFile, Moved> {
        let accepted = self.accepts_capability(id, usage, token);
        accepted.ok_or(Moved::TokenRefused)?.map_err(|_| Moved::TokenRefused)
    }

    /// The next piece comes from the sender's device itself.
    fn dial(
        &mut self,
        (index, id): (DeviceIndex, TransferId),
        job: &Job,
        (port, pass): (u16, &Signature),
        faults: bool,
    ) -> Option<Moved> {
        let at = self.devices.get_mut(index.0)?.disk.part(id).next_piece();
        let have = source::piece_start(&job.offer, at)? as u64;
        let unreached = Some(Moved::Lacking { have });
        let me = self.devices.get(index.0)?.id()?;
        let breaks = faults && self.chance.one_in(6);
        let Some(sender) = self.devices.iter_mut().position(|d| d.shell.serves(port, id, me))
        else {
            return unreached;
        };
        let served = self.devices.get(sender)?.shell.job(id)?;
        let place = served.place.clone();
        let hello = path_hello(&job.offer.key, (me, pass), 0, [0; 16]);
        let proven = (SOUND.prove_path)(&served.offer.key, &served.keys, &hello);
        if breaks || proven.is_err() {
            return unreached;
        }
        let sender = self.devices.get_mut(sender)?;
        let content = sender.disk.places.get(&place)?;
        match piece(&job.offer, sender.disk.hashes.get(&id)?, content, at) {
            Some(bytes) => match self.devices.get_mut(index.0)?.take(id, &job.offer, bytes) {
                Some(Moved::Failed(Fault::Damaged)) => unreached,
                moved => moved,
            },
            None => {
                sender.shell.ends(id, Moved::Changed);
                unreached
            }
        }
    }

    /// A server does something to what it stores.
    pub fn tamper_with_blobs(&mut self, tamper: impl FnMut(&mut Vec<u8>)) {
        self.blobs.tamper(tamper);
    }

    /// Bytes of all blobs on the server.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.blobs.bytes()
    }

    /// A second passes for everyone but one device, whose process does not run.
    ///
    /// # Errors
    /// Where a device can't be started.
    pub fn turn_without(&mut self, away: DeviceIndex) -> Result<(), String> {
        for index in (0..self.devices.len()).map(DeviceIndex).filter(|index| *index != away) {
            self.restart_device(index)?;
            self.connect(index);
        }
        self.deliver_all();
        self.move_all_files();
        self.tick();
        Ok(())
    }

    /// What is under way arrives, and is answered.
    pub fn deliver_all(&mut self) {
        for _ in 0..8 {
            for id in self.connections() {
                self.deliver(id, usize::MAX, None);
            }
            self.run_batch(usize::MAX, false);
        }
    }

    /// Everything moves that can, without faults; false if nothing could.
    pub(crate) fn move_all_files(&mut self) -> bool {
        let mut moved = false;
        for index in (0..self.devices.len()).map(DeviceIndex) {
            for _ in 0..8 {
                moved |= self.move_files(index, false);
            }
        }
        moved
    }
}
