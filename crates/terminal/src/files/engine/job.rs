//! The jobs: each does one task from beginning to end, and says what came of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_client_core::{Fault, Moved, QuicEnd, Task};
use portcullis_crypto::AuthPublic;
use portcullis_proto::{DeviceId, FileOffer, TransferId};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinHandle, spawn_blocking};

use super::super::direct::{Dialling, Listening, dial, listen};
use super::super::halt::Halt;
use super::super::meter::{Meter, Way};
use super::super::part::Part;
use super::super::records;
use super::super::relay::{self, Relaying};
use super::super::sealed::Sealed;
use super::super::stop::Stop;
use super::Shared;

/// Listens for direct connections, for as long as devices are waited for.
pub(super) async fn serve(
    shared: Arc<Shared>,
    (offer, place): (FileOffer, String),
    own: Option<QuicEnd>,
    devices: UnboundedReceiver<(DeviceId, AuthPublic)>,
    stop: Stop,
) {
    let transfer = offer.transfer;
    let served = async {
        let sealed = open(&shared, &offer, place).await?;
        let listening = Listening {
            offer,
            sealed,
            defences: shared.setup.defences,
            gauges: shared.gauges.clone(),
            at: shared.setup.listen,
            server: shared.setup.server.clone(),
            own,
            events: shared.events.clone(),
            stop: stop.clone(),
        };
        listen(listening, devices).await
    };
    // Who could not be reached was told for each device.
    let moved = match served.await {
        Ok(())
        | Err(Halt::Stopped | Halt::Broken | Halt::Lacking | Halt::Slow | Halt::TokenRefused) => {
            return;
        }
        Err(Halt::Changed) => Moved::Changed,
        Err(Halt::Fault(fault)) => Moved::Failed(fault),
    };
    shared.tell(transfer, moved);
}

/// Puts an own offer on the server.
pub(super) async fn upload(
    shared: Arc<Shared>,
    (offer, place): (FileOffer, String),
    token: String,
    begin: u64,
    stop: Stop,
) {
    let transfer = offer.transfer;
    let uploaded = async {
        let sealed = open(&shared, &offer, place).await?;
        let metered = shared.gauges.open(transfer, Way::Upload, sealed.blob().bytes());
        let relaying = relaying(&shared, &offer, token, metered.meter(), &stop);
        relay::upload(sealed, begin, &relaying).await
    };
    let moved = match uploaded.await {
        Ok(()) => Moved::Uploaded { begin },
        // It is tried again until it is stopped.
        Err(Halt::Stopped | Halt::Broken | Halt::Lacking | Halt::Slow) => return,
        Err(Halt::TokenRefused) => Moved::TokenRefused,
        Err(Halt::Changed) => Moved::Changed,
        Err(Halt::Fault(fault)) => Moved::Failed(fault),
    };
    shared.tell(transfer, moved);
}

/// Receives a transfer, after what went on before has ended. Where no folder was named for it, it goes where it has
/// begun to go, or where everything does.
pub(super) async fn receive(
    shared: Arc<Shared>,
    offer: FileOffer,
    named: Option<PathBuf>,
    task: Task,
    stop: Stop,
    before: Vec<JoinHandle<()>>,
) {
    ended(before).await;
    let transfer = offer.transfer;
    let mut have = 0;
    let moved = match received(&shared, offer, named, task, (&stop, &mut have)).await {
        Ok(paths) => {
            let paths = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            Moved::Received { paths }
        }
        Err(Halt::Stopped) => return,
        Err(Halt::Broken | Halt::Lacking | Halt::Slow) => Moved::Lacking { have },
        Err(Halt::TokenRefused) => Moved::TokenRefused,
        // Nobody here has it to change.
        Err(Halt::Changed) => Moved::Failed(Fault::Corrupt),
        Err(Halt::Fault(fault)) => Moved::Failed(fault),
    };
    shared.tell(transfer, moved);
}

/// Waits until jobs have ended, however they did.
pub(super) async fn ended(jobs: Vec<JoinHandle<()>>) {
    for job in jobs {
        let _ = job.await;
    }
}

/// The paths of what was received; where it ends before that, how much of the blob there is.
async fn received(
    shared: &Shared,
    offer: FileOffer,
    named: Option<PathBuf>,
    task: Task,
    (stop, have): (&Stop, &mut u64),
) -> Result<Vec<PathBuf>, Halt> {
    stop.check()?;
    let part = begin(shared, &offer, named, stop).await?;
    let way = if matches!(task, Task::Dial { .. }) { Way::Dial } else { Way::Fetch };
    let metered = shared.gauges.open(offer.transfer, way, part.blob().bytes());
    metered.meter().set(part.offset());
    let (part, moved) = match task {
        _ if part.is_whole() => (part, Ok(())),
        Task::Dial { tcp, quic, own, pass } => {
            let dialling = Dialling {
                key: offer.key.clone(),
                device: shared.setup.device,
                pass,
                tcp,
                quic,
                own,
                server: shared.setup.server.clone(),
                meter: metered.meter(),
                stop: stop.clone(),
            };
            dial(part, &dialling).await?
        }
        Task::Fetch { token } => {
            relay::fetch(part, &relaying(shared, &offer, token, metered.meter(), stop)).await?
        }
        Task::Serve { .. } | Task::Upload { .. } | Task::StopUpload | Task::Rest | Task::Forget => {
            return Err(Halt::Stopped);
        }
    };
    *have = part.offset();
    moved?;
    blocking(move || {
        let mut part = part;
        part.finish()
    })
    .await
}

/// Opens the part, and writes down where it is.
async fn begin(
    shared: &Shared,
    offer: &FileOffer,
    named: Option<PathBuf>,
    stop: &Stop,
) -> Result<Part, Halt> {
    let (transfers, defences) = (shared.transfers.clone(), shared.setup.defences);
    let (offer, stop, downloads) = (offer.clone(), stop.clone(), shared.setup.downloads.clone());
    let (checked, device) = (Arc::clone(&shared.checked), shared.setup.device);
    blocking(move || {
        let begun = records::part(&transfers, offer.transfer);
        let into = named.or_else(|| begun.as_deref()?.parent().map(Path::to_owned));
        let into = into.unwrap_or(downloads);
        let part = Part::path(&into, offer.transfer, device);
        if begun.is_some_and(|begun| begun != part) {
            leave(&transfers, offer.transfer, &into)?;
        }
        records::add(&transfers, offer.transfer, &part).map_err(|error| Halt::disk(&error))?;
        Part::open(offer, part, defences, &stop, &checked)
    })
    .await
}

/// Removes a part from where it is no longer wanted; not before there is a folder where it is.
fn leave(transfers: &Path, transfer: TransferId, into: &Path) -> Result<(), Halt> {
    let there = fs::metadata(into).map_err(|error| Halt::disk(&error))?;
    if !there.is_dir() {
        return Err(Halt::Fault(Fault::NotFound));
    }
    records::remove(transfers, transfer).map_err(|error| Halt::disk(&error))
}

async fn open(shared: &Shared, offer: &FileOffer, place: String) -> Result<Arc<Sealed>, Halt> {
    let (transfers, defences) = (shared.transfers.clone(), shared.setup.defences);
    let offer = offer.clone();
    blocking(move || Sealed::open(&offer, &place, &transfers, defences)).await.map(Arc::new)
}

fn relaying(
    shared: &Shared,
    offer: &FileOffer,
    token: String,
    meter: Arc<Meter>,
    stop: &Stop,
) -> Relaying {
    let (server, transfer) = (shared.setup.server.clone(), offer.transfer);
    Relaying { server, transfer, token, meter, stop: stop.clone() }
}

/// Has something done on a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Halt> + Send + 'static,
) -> Result<T, Halt> {
    spawn_blocking(work).await.unwrap_or(Err(Halt::Stopped))
}
