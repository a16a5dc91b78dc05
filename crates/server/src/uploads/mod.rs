//! The files of classroom guests: `POST /api/upload` takes one, `GET /files/{id}/{name}` hands it on to
//! whoever knows its address, which is its only secret, for a day.
//!
//! A file lies in a folder of the server's own, under the random name that is its address too. What its
//! sender calls it stands in the address alone, so that nothing has to be kept beside the bytes. Who may
//! send, how files are named and how browsers are kept from opening them are the core's defences.

mod cross;
mod draft;
mod fetch;
mod folder;
mod ledger;
mod limits;
mod receive;
mod refused;
mod source;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};
use portcullis_server_core::Peer;
use portcullis_server_core::defences::{MayUpload, UploadAsked};
use tokio::sync::Semaphore;

pub use limits::Settings;
pub use refused::Counters;

use crate::clock::now;
use crate::http::Site;
use ledger::Ledger;
use refused::Refused;

/// The files, and what is known of them.
pub struct Uploads {
    settings: Settings,
    ledger: Mutex<Ledger>,
    /// Places for those who fetch.
    fetches: Arc<Semaphore>,
}

impl Uploads {
    /// Opens the folder, or makes it: files that have expired and those that never came to their end are
    /// removed, and from then on once a minute. To be called inside the runtime, while nobody else uses
    /// the folder.
    ///
    /// # Errors
    /// What the folder says.
    pub fn open(settings: Settings) -> io::Result<Arc<Self>> {
        let ledger = Mutex::new(folder::open(&settings)?);
        let fetches = Arc::new(Semaphore::new(settings.fetches_at_once));
        let uploads = Arc::new(Self { settings, ledger, fetches });
        tokio::spawn(sweep(Arc::downgrade(&uploads)));
        Ok(uploads)
    }

    /// Promises a place to a file that comes.
    fn admit(self: &Arc<Self>, asked: &UploadAsked) -> Result<Place, Refused> {
        let may = self.lock().admit(&self.settings.policy, asked)?;
        Ok(Place { uploads: Arc::clone(self), from: asked.from, may, sent: 0 })
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        // What is counted is changed in few steps, none of which can fail in between.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The routes, with their answers to pages on other origins. They are to stand behind the check of
/// `Origin` and `Host`.
pub(crate) fn routes() -> Router<Site> {
    Router::new()
        .route("/api/upload", post(receive::receive))
        .route("/files/{id}", get(fetch::nameless))
        .route("/files/{id}/{name}", get(fetch::named))
        .layer(middleware::from_fn(cross::answer))
}

/// The place of a file that is coming; given up when it is dropped.
struct Place {
    uploads: Arc<Uploads>,
    from: Peer,
    may: MayUpload,
    sent: u64,
}

impl Place {
    /// Counts bytes that came.
    fn take(&mut self, bytes: usize) -> Result<(), Refused> {
        let sent = self.sent.saturating_add(bytes as u64);
        if sent > self.may.most() {
            return Err(Refused::TooLarge);
        }
        self.sent = sent;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.uploads.lock().settle(self.from, &self.may, self.sent);
    }
}

/// Removes what has expired, for as long as there is anybody who could ask for it.
async fn sweep(uploads: Weak<Uploads>) {
    let mut ticks = tokio::time::interval(limits::SWEEP_EVERY);
    loop {
        ticks.tick().await;
        let Some(uploads) = uploads.upgrade() else { return };
        let expired = uploads.lock().expire(now());
        for name in expired {
            // One that can't be removed now is found again at the next start.
            let _ = tokio::fs::remove_file(uploads.settings.folder.join(name)).await;
        }
    }
}
