//! A device's shell for files: its tasks, which end with the process, and its disk, which stays.

use super::part::Part;
use crate::{Chance, Device};
use portcullis_client_core::{Assignment, Moved, QuicEnd, Show, Task as Told};
use portcullis_crypto::{AuthPublic, ChunkHash, EndpointKey, Signature};
use portcullis_proto::{Bytes, DeviceId, FileOffer, QuicWay, TransferId};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};

/// Ticks after which a listener gives up on a device that does not come, or does not come back.
const LISTENS: usize = 8;

/// What lies on a device's disk.
#[derive(Debug, Default)]
pub struct Disk {
    /// The person's files, by their places.
    pub places: BTreeMap<String, Vec<u8>>,
    /// Files that came, under their final names, in order.
    pub received: Vec<(TransferId, Vec<u8>)>,
    /// Of own offers: what leaves is compared with these.
    pub(super) hashes: BTreeMap<TransferId, Vec<ChunkHash>>,
    parts: BTreeMap<TransferId, Part>,
}

impl Disk {
    pub(super) fn part(&mut self, id: TransferId) -> &mut Part {
        self.parts.entry(id).or_default()
    }

    /// Transfers of which something lies here that is of use only while they go on.
    pub(crate) fn leftovers(&self) -> impl Iterator<Item = &TransferId> {
        self.parts.keys().chain(self.hashes.keys())
    }

    /// What was prepared for an offer that was never made is of no use.
    pub(crate) fn keep_only(&mut self, known: &[TransferId]) {
        self.parts.retain(|id, _| known.contains(id));
        self.hashes.retain(|id, _| known.contains(id));
    }

    /// The process dies: what it was writing is torn.
    pub(crate) fn tear(&mut self) {
        self.parts.values_mut().for_each(Part::tear);
    }
}

/// The tasks of a process.
#[derive(Debug, Default)]
pub(crate) struct Shell {
    /// Where it listens: another port for each process.
    pub(crate) port: u16,
    jobs: BTreeMap<TransferId, Job>,
    /// What the core has to hear.
    pub(crate) reports: VecDeque<(TransferId, Moved)>,
}

/// All that is to be done for a transfer.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) offer: FileOffer,
    pub(super) place: String,
    pub(super) task: Option<Task>,
    /// For whom it listens, and for how long nobody came.
    serving: BTreeMap<DeviceId, usize>,
    /// By what those show that they are.
    pub(super) keys: BTreeMap<DeviceId, AuthPublic>,
    waited: usize,
}

/// One of these at a time.
#[derive(Debug, Clone)]
pub(super) enum Task {
    Upload(String, u64),
    Fetch(String),
    Dial(u16, Signature),
}

/// How it would be reached by QUIC, of which nothing more is simulated.
fn way(own: &QuicEnd) -> QuicWay {
    let key = EndpointKey::from_secret(&own.secret).public();
    QuicWay { key: Bytes(key.as_bytes().to_vec()), addresses: Vec::new(), relayed: own.relayed }
}

impl Shell {
    /// A process that listens there.
    pub(crate) fn new(port: u16) -> Self {
        Self { port, ..Self::default() }
    }

    /// The core wants something.
    pub(crate) fn told(&mut self, disk: &mut Disk, assignment: Assignment) {
        let id = assignment.offer.transfer;
        if matches!(assignment.task, Told::Rest | Told::Forget) {
            self.jobs.remove(&id);
            self.reports.retain(|(of, _)| *of != id);
        }
        let task = match assignment.task {
            Told::Rest => return,
            Told::StopUpload => {
                if let Some(job) = self.jobs.get_mut(&id) {
                    job.task = None;
                }
                return;
            }
            Told::Forget => {
                disk.parts.remove(&id);
                disk.hashes.remove(&id);
                return;
            }
            Told::Serve { device, auth, own } => {
                let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
                let (tcp, quic) = (vec![address], own.map(|own| way(&own)));
                self.reports.push_back((id, Moved::Listening { device, tcp, quic }));
                let job = self.begin(id, assignment.offer, assignment.place);
                job.keys.insert(device, auth);
                job.serving.insert(device, 0);
                return;
            }
            Told::Upload { token, begin } => Task::Upload(token, begin),
            Told::Fetch { token } => Task::Fetch(token),
            Told::Dial { tcp, pass, .. } => {
                Task::Dial(tcp.first().map_or(0, SocketAddr::port), pass)
            }
        };
        if !assignment.own && disk.part(id).finished {
            return self.reports.push_back((id, received(id)));
        }
        let job = self.begin(id, assignment.offer, assignment.place);
        job.task = Some(task);
        job.waited = 0;
    }

    fn begin(&mut self, id: TransferId, offer: FileOffer, place: String) -> &mut Job {
        self.jobs.entry(id).or_insert_with(|| Job {
            offer,
            place,
            task: None,
            serving: BTreeMap::new(),
            keys: BTreeMap::new(),
            waited: 0,
        })
    }

    /// Some transfer for which there is something to do.
    pub(super) fn pick(&self, chance: &mut Chance) -> Option<(TransferId, Job)> {
        let busy: Vec<_> = self.jobs.iter().filter(|(_, job)| job.task.is_some()).collect();
        busy.get(chance.below(busy.len())).map(|(id, job)| (**id, (*job).clone()))
    }

    pub(super) fn job(&self, id: TransferId) -> Option<&Job> {
        self.jobs.get(&id)
    }

    /// Whether it listens there for this device. Whoever asks has come.
    pub(super) fn serves(&mut self, port: u16, id: TransferId, device: DeviceId) -> bool {
        let job = self.jobs.get_mut(&id).filter(|_| self.port == port);
        job.and_then(|job| job.serving.get_mut(&device)).map(|waited| *waited = 0).is_some()
    }

    /// A task has come to something.
    pub(super) fn ends(&mut self, id: TransferId, moved: Moved) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.task = None;
        }
        self.reports.push_back((id, moved));
    }

    /// There is nothing to be had yet; true if it has waited long enough.
    pub(super) fn waits(&mut self, id: TransferId, patience: usize) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return true;
        };
        job.waited += 1;
        job.waited > patience
    }

    /// Time passes: nobody listens for ever.
    pub(crate) fn tick(&mut self) {
        for (id, job) in &mut self.jobs {
            job.serving.values_mut().for_each(|waited| *waited += 1);
            let late = job.serving.extract_if(.., |_, waited| *waited > LISTENS);
            let late = late.map(|(device, _)| (*id, Moved::Unreached(device)));
            self.reports.extend(late);
        }
    }
}

impl Device {
    /// Takes the next piece of a file.
    pub(super) fn take(
        &mut self,
        id: TransferId,
        offer: &FileOffer,
        piece: Vec<u8>,
    ) -> Option<Moved> {
        let part = self.disk.part(id);
        match part.take(offer, piece) {
            Ok(false) => None,
            Ok(true) => {
                part.finished = true;
                let content = part.content(offer)?;
                self.disk.received.push((id, content));
                Some(received(id))
            }
            Err(fault) => Some(Moved::Failed(fault)),
        }
    }

    /// This device, once it has logged in.
    pub(super) fn id(&self) -> Option<DeviceId> {
        self.shows.iter().rev().find_map(|show| match show {
            Show::Online { device, .. } => Some(*device),
            _ => None,
        })
    }
}

fn received(id: TransferId) -> Moved {
    Moved::Received { paths: vec![format!("received {id}")] }
}
