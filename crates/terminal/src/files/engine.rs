//! What moves files for one account: it takes the core's assignments, has each done in the background, and says
//! what came of it. Everything that it has begun ends with it.

mod job;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use portcullis_client_core::defences::Defences;
use portcullis_client_core::{Assignment, Moved, QuicEnd, Task};
use portcullis_crypto::AuthPublic;
use portcullis_proto::{DeviceId, FileOffer, TransferId};
use rand_core::OsRng;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};

use super::limits::{HASHES_AGE, PART_AGE};
use super::meter::{Gauges, Meter, Progress};
use super::prepare::{Preparing, hashes_path, prepare};
use super::sealed::place_of;
use super::source::{BadSource, Told};
use super::stop::Stop;
use super::{disk, records};
use crate::net::Connector;

/// What an engine works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The home of the account, in which the engine has a folder.
    pub home: PathBuf,
    /// Where files go if nothing else was said.
    pub downloads: PathBuf,
    /// The way to the server.
    pub server: Connector,
    /// This device.
    pub device: DeviceId,
    /// Where direct connections are waited for, if not on any address and port.
    pub listen: Option<SocketAddr>,
    /// The decisions about what leaves, and what counts.
    pub defences: Defences,
}

/// What the jobs share.
struct Shared {
    setup: Setup,
    transfers: PathBuf,
    gauges: Gauges,
    /// Bytes of parts that were verified after a break.
    checked: Arc<Meter>,
    events: UnboundedSender<(TransferId, Moved)>,
}

impl Shared {
    fn tell(&self, transfer: TransferId, moved: Moved) {
        // Whoever listened is gone, and this will be.
        let _ = self.events.send((transfer, moved));
    }
}

/// Moves files for one account.
pub struct Engine {
    shared: Arc<Shared>,
    jobs: BTreeMap<TransferId, Jobs>,
    /// What removes what is of use no more.
    removing: JoinSet<()>,
    events: UnboundedReceiver<(TransferId, Moved)>,
}

/// What goes on for a transfer.
#[derive(Default)]
struct Jobs {
    serving: Option<(Job, UnboundedSender<(DeviceId, AuthPublic)>)>,
    /// With the first byte that is needed.
    uploading: Option<(Job, u64)>,
    receiving: Option<(Job, Task)>,
    /// What was stopped, and may not have ended yet.
    ending: Vec<JoinHandle<()>>,
}

/// Something that goes on in the background.
struct Job {
    stop: Stop,
    running: JoinHandle<()>,
}

impl Job {
    fn goes_on(&self) -> bool {
        !self.running.is_finished() && !self.stop.is_wanted()
    }

    fn stopped(self) -> JoinHandle<()> {
        self.stop.stop();
        self.running
    }
}

impl Engine {
    /// An engine; it needs a folder of its own in the home. Parts and hashes that nobody goes on with are removed.
    ///
    /// # Errors
    /// Where that folder can't be made.
    pub fn new(setup: Setup) -> std::io::Result<Self> {
        let transfers = setup.home.join("transfers");
        disk::private_folder(&transfers)?;
        let (events, receiver) = unbounded_channel();
        let sweeping = transfers.clone();
        spawn_blocking(move || records::sweep(&sweeping, SystemTime::now(), PART_AGE, HASHES_AGE));
        let (gauges, checked) = (Gauges::default(), Arc::default());
        let shared = Shared { setup, transfers, gauges, checked, events };
        let (jobs, removing) = (BTreeMap::new(), JoinSet::new());
        Ok(Self { shared: Arc::new(shared), jobs, removing, events: receiver })
    }

    /// Removes what there is of transfers other than these: nobody will go on with it. To be called before anything
    /// is prepared, which is not known yet.
    pub fn keep_only(&self, known: &BTreeSet<TransferId>) -> JoinHandle<()> {
        let transfers = self.shared.transfers.clone();
        let strays = records::strays(&transfers, known);
        spawn_blocking(move || {
            strays.into_iter().for_each(|stray| records::remove_all(&transfers, stray));
        })
    }

    /// What came of a task. Nothing is lost if this is dropped.
    pub async fn next(&mut self) -> Option<(TransferId, Moved)> {
        self.events.recv().await
    }

    /// Waits until what is of use no more is removed.
    pub async fn tidied_up(&mut self) {
        while self.removing.join_next().await.is_some() {}
    }

    /// How far everything that moves has come.
    #[must_use]
    pub fn progress(&self) -> Vec<Progress> {
        self.shared.gauges.read(Instant::now())
    }

    /// Bytes of parts that were there before a break, and were verified since this engine began.
    #[must_use]
    pub fn checked(&self) -> u64 {
        self.shared.checked.get()
    }

    /// Reads, seals and hashes what is to be offered; gives the offer, the place to tell the core, and what the
    /// person should know. Absolute paths.
    pub fn prepare(&self, paths: Vec<PathBuf>, preparing: Preparing) -> JoinHandle<Prepared> {
        let transfers = self.shared.transfers.clone();
        spawn_blocking(move || {
            let place = place_of(&paths).ok_or(BadSource::Name)?;
            let (offer, told) = prepare(&paths, &transfers, &mut OsRng, &preparing)?;
            Ok((offer, place, told))
        })
    }

    /// Does what the core wants done for a transfer. What goes on already goes on.
    pub fn assign(&mut self, assignment: Assignment) {
        let Assignment { offer, own, place, task } = assignment;
        let jobs = self.jobs.entry(offer.transfer).or_default();
        match task {
            Task::Serve { device, auth, own } => {
                jobs.serve(&self.shared, (offer, place), own, (device, auth));
            }
            Task::Upload { token, begin } => {
                jobs.upload(&self.shared, (offer, place), token, begin);
            }
            Task::StopUpload => jobs.stop_upload(),
            task @ (Task::Dial { .. } | Task::Fetch { .. }) => {
                jobs.receive(&self.shared, offer, &place, task);
            }
            Task::Rest => jobs.stop(),
            Task::Forget => {
                let forgetting = jobs.forget(&self.shared, offer.transfer, own);
                self.jobs.remove(&offer.transfer);
                while self.removing.try_join_next().is_some() {}
                self.removing.spawn(forgetting);
            }
        }
    }
}

/// What preparing has come to.
pub type Prepared = Result<(FileOffer, String, Vec<Told>), BadSource>;

impl Drop for Engine {
    fn drop(&mut self) {
        self.removing.detach_all();
        self.jobs.values_mut().for_each(Jobs::stop);
    }
}

impl Jobs {
    fn serve(
        &mut self,
        shared: &Arc<Shared>,
        source: (FileOffer, String),
        own: Option<QuicEnd>,
        device: (DeviceId, AuthPublic),
    ) {
        if let Some((job, devices)) = &self.serving
            && job.goes_on()
            && devices.send(device).is_ok()
        {
            return;
        }
        let (devices, waited_for) = unbounded_channel();
        // The other end is here.
        let _ = devices.send(device);
        let stop = Stop::default();
        let serving = job::serve(Arc::clone(shared), source, own, waited_for, stop.clone());
        self.serving = Some((Job { stop, running: tokio::spawn(serving) }, devices));
    }

    fn upload(
        &mut self,
        shared: &Arc<Shared>,
        source: (FileOffer, String),
        token: String,
        begin: u64,
    ) {
        if self.uploading.as_ref().is_some_and(|(job, of)| job.goes_on() && *of == begin) {
            return;
        }
        self.stop_upload();
        let stop = Stop::default();
        let uploading = job::upload(Arc::clone(shared), source, token, begin, stop.clone());
        self.uploading = Some((Job { stop, running: tokio::spawn(uploading) }, begin));
    }

    fn stop_upload(&mut self) {
        self.ending.extend(self.uploading.take().map(|(job, _)| job.stopped()));
    }

    fn receive(&mut self, shared: &Arc<Shared>, offer: FileOffer, place: &str, task: Task) {
        let same = |before: &Task| match (before, &task) {
            // The same way with another token; it is asked for again when the first no longer serves.
            (Task::Fetch { .. }, Task::Fetch { .. }) => true,
            (before, now) => before == now,
        };
        if let Some((job, at)) = &self.receiving
            && job.goes_on()
            && same(at)
        {
            return;
        }
        self.ending.extend(self.receiving.take().map(|(job, _)| job.stopped()));
        // Two must not write to one part.
        let before = std::mem::take(&mut self.ending);
        let named = (!place.is_empty()).then(|| PathBuf::from(place));
        let stop = Stop::default();
        let receiving =
            job::receive(Arc::clone(shared), offer, named, task.clone(), stop.clone(), before);
        self.receiving = Some((Job { stop, running: tokio::spawn(receiving) }, task));
    }

    fn stop(&mut self) {
        let serving = self.serving.take().map(|(job, _)| job);
        let receiving = self.receiving.take().map(|(job, _)| job);
        self.stop_upload();
        let jobs = serving.into_iter().chain(receiving);
        self.ending.extend(jobs.map(Job::stopped));
    }

    fn forget(
        &mut self,
        shared: &Shared,
        transfer: TransferId,
        own: bool,
    ) -> impl Future<Output = ()> + use<> {
        self.stop();
        let (ending, transfers) = (std::mem::take(&mut self.ending), shared.transfers.clone());
        async move {
            job::ended(ending).await;
            // What could not be removed is removed at the next start.
            let _ = spawn_blocking(move || forget(&transfers, transfer, own)).await;
        }
    }
}

/// Removes what is of use only while a transfer goes on. What can't be removed is removed when it is old.
fn forget(transfers: &Path, transfer: TransferId, own: bool) {
    if own {
        let _ = disk::remove(&hashes_path(transfers, transfer));
    } else {
        let _ = records::remove(transfers, transfer);
    }
}
