//! `/blobs/{id}`: the sealed bytes of transfers, for people who are not here at the same time, or can't
//! reach one another. `PUT` appends, `GET` fetches what is there and what is still to come, `HEAD` says how
//! much is there; each by a token that the core has given.
//!
//! What the core has committed about blobs comes here as effects, on the domain's thread, which never waits
//! for a disk: all reading, writing and removing is done by other threads. A blob's progress is the length of
//! its file, so nothing is written but bytes, and whatever has arrived stays. It may begin anywhere: who was
//! given the first bytes in another way needs only the others. Header names follow the IETF's
//! draft of resumable uploads (draft-ietf-httpbis-resumable-upload).

mod fetch;
mod folder;
mod limits;
mod pace;
mod places;
mod range;
mod receive;
mod refused;
mod slot;

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use portcullis_proto::{Bytes, Timestamp, TransferId};
use portcullis_server_core::Disk;
use portcullis_server_core::defences::{
    BlobUse, CapabilityAccepted, CapabilityAsked, CapabilityKey, SOUND,
};
use portcullis_server_core::store::{Blob, BlobFile};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

pub use limits::Settings;

use crate::clock::now;
use crate::http::{Site, sole};
use places::Places;
use refused::{Counters, Refused};
use slot::Slot;

/// Where those of a blob's bytes end that are there.
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");

/// From which on they are there.
const UPLOAD_BEGIN: HeaderName = HeaderName::from_static("upload-begin");

/// How many it will have.
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");

/// The blobs, and who is busy with them.
pub struct Blobs {
    settings: Settings,
    key: CapabilityKey,
    slots: Mutex<HashMap<TransferId, Kept>>,
    disk: Mutex<Disk>,
    uploads: Arc<Places>,
    fetches: Arc<Places>,
    counters: Counters,
    runtime: Handle,
}

/// A blob that there is room for.
struct Kept {
    file: BlobFile,
    slot: Arc<Slot>,
    /// When there is no room for it any more, unless a byte has come.
    lapses_at: Timestamp,
}

impl Blobs {
    /// Opens the folder, or makes it, for the blobs that the store has; files of no blob are removed, now and
    /// whenever some are found. To be called inside the runtime, while nobody else uses the folder.
    ///
    /// # Errors
    /// What the folder says.
    pub fn open(settings: Settings, key: CapabilityKey, blobs: &[Blob]) -> io::Result<Arc<Self>> {
        folder::make(&settings.folder)?;
        let files = blobs.iter().map(|blob| blob.file).collect();
        let names = folder::names(&settings.folder)?;
        let begins = folder::begins(&names);
        folder::remove_strays(&settings.folder, names, &files);
        let mut slots = HashMap::new();
        for blob in blobs {
            let file = settings.folder.join(blob.file.to_string());
            let there = folder::there(&file, blob.bytes, &begins)?;
            slots.insert(blob.id, Kept::new(blob, Slot::new(file, blob.bytes, there)));
        }
        let stored = slots.values().map(|kept| kept.slot.held()).sum();
        let blobs = Arc::new(Self {
            disk: Mutex::new(folder::disk(&settings.folder, stored)?),
            uploads: Places::new(settings.uploads, settings.uploads_each),
            fetches: Places::new(settings.fetches, settings.fetches_each),
            settings,
            key,
            slots: Mutex::new(slots),
            counters: Counters::default(),
            runtime: Handle::current(),
        });
        tokio::spawn(look_after(Arc::downgrade(&blobs)));
        Ok(blobs)
    }

    /// There is room for a blob from now on.
    pub(crate) fn keep(&self, blob: &Blob) {
        let file = self.settings.folder.join(blob.file.to_string());
        self.lock().insert(blob.id, Kept::new(blob, Slot::new(file, blob.bytes, 0..0)));
    }

    /// Blobs of which no byte has come for so long that no room is kept for them.
    pub(crate) fn lapsed(&self) -> Vec<TransferId> {
        let (slots, now) = (self.lock(), now());
        let lapsed = slots.iter().filter(|(_, it)| it.lapses_at <= now && it.slot.held() == 0);
        lapsed.map(|(id, _)| *id).collect()
    }

    /// A blob is gone: whoever stores or fetches it ends, and its bytes are removed.
    pub(crate) fn remove(&self, blob: TransferId) {
        let Some(Kept { slot, .. }) = self.lock().remove(&blob) else { return };
        slot.end();
        self.runtime.spawn_blocking(move || folder::remove(&slot.path()));
    }

    /// How full the disk was within the last seconds.
    pub(crate) fn disk(&self) -> Disk {
        *self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often blobs that have expired are to be dropped.
    pub(crate) const fn sweep_every(&self) -> Duration {
        self.settings.sweep_every
    }

    /// Adds what is counted to a text exposition.
    pub(crate) fn render(&self, text: &mut String) {
        let (blobs, bytes) = self.count();
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "# HELP portcullis_blobs blobs that wait to be collected\n# TYPE portcullis_blobs gauge\n\
             portcullis_blobs {blobs}\n# HELP portcullis_blob_bytes bytes of blobs on the disk\n\
             # TYPE portcullis_blob_bytes gauge\nportcullis_blob_bytes {bytes}\n"
        );
        self.counters.render(text);
    }

    /// How many blobs there are, and how many bytes of them.
    fn count(&self) -> (usize, u64) {
        let slots = self.lock();
        (slots.len(), slots.values().map(|kept| kept.slot.held()).sum())
    }

    /// The blob that a request is about, if its token serves for that.
    fn admit(
        &self,
        id: &str,
        headers: &HeaderMap,
        usage: Option<BlobUse>,
    ) -> Result<(CapabilityAccepted, Arc<Slot>), Refused> {
        let token = bearer(headers)?;
        let blob = id.parse().map_err(|_| Refused::Token)?;
        let asked = CapabilityAsked { blob, usage, now: now() };
        let accepted = (SOUND.accept_capability)(&self.key, &asked, &token);
        let accepted = accepted.map_err(|_| Refused::Token)?;
        let slots = self.lock();
        let found = slots.get(&accepted.blob()).filter(|kept| kept.file == accepted.file());
        let slot = Arc::clone(&found.ok_or(Refused::Missing)?.slot);
        Ok((accepted, slot))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransferId, Kept>> {
        // A row is added or taken out in one step.
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn new(blob: &Blob, slot: Slot) -> Self {
        Self { file: blob.file, slot: Arc::new(slot), lapses_at: blob.lapses_at() }
    }
}

/// The routes. They are to stand behind the check of `Origin` and `Host`.
pub(crate) fn routes() -> Router<Site> {
    let methods = get(fetch::get).head(fetch::head).put(receive::put);
    Router::new().route("/blobs/{id}", methods)
}

/// Looks at the disk, and removes what no blob has, for as long as there is anybody who could ask.
async fn look_after(blobs: Weak<Blobs>) {
    let mut ticks = tokio::time::interval(limits::DISK_EVERY);
    let mut swept = Instant::now();
    loop {
        ticks.tick().await;
        let Some(blobs) = blobs.upgrade() else { return };
        let sweep = swept.elapsed() >= blobs.settings.sweep_every;
        if sweep {
            swept = Instant::now();
        }
        // Nothing is awaited that could panic; the next tick tries again.
        let _ = spawn_blocking(move || blobs.look(sweep)).await;
    }
}

impl Blobs {
    fn look(&self, sweep: bool) {
        let (_, stored) = self.count();
        match folder::disk(&self.settings.folder, stored) {
            Ok(disk) => *self.disk.lock().unwrap_or_else(PoisonError::into_inner) = disk,
            Err(error) => tracing::warn!(%error, "can't see how full the disk is"),
        }
        if !sweep {
            return;
        }
        // The names first: a file that is made meanwhile belongs to a blob that is known by then.
        match folder::names(&self.settings.folder) {
            Ok(names) => {
                let known: HashSet<BlobFile> = self.lock().values().map(|kept| kept.file).collect();
                folder::remove_strays(&self.settings.folder, names, &known);
            }
            Err(error) => tracing::warn!(%error, "can't look for what no blob has"),
        }
    }
}

/// The token of an `Authorization: Bearer …` (RFC 6750 section 2.1).
fn bearer(headers: &HeaderMap) -> Result<Bytes, Refused> {
    let value = sole(headers, &AUTHORIZATION).map_err(|()| Refused::Token)?;
    let (scheme, token) = value.and_then(|value| value.split_once(' ')).ok_or(Refused::NoToken)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refused::NoToken);
    }
    Bytes::from_base64(token).ok_or(Refused::Token)
}
