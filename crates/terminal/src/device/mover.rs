//! Files, beside everything else that a device does: its engine, once it is known as which device it moves them,
//! and what is being read to be offered.

use crate::files::{BadSource, Engine, Prepared, Preparing, Progress, Setup, Told, check_folder};
use crate::net::{Address, Connector, TlsError, TlsRoots};
use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{Assignment, Moved, Task};
use portcullis_proto::{ConversationId, DeviceId, FileOffer, TransferId};
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use tokio::task::JoinSet;

/// What somebody wants of files, besides the files.
#[derive(Debug, Clone, Default)]
pub struct FileOptions {
    /// Where files go if nothing else is said; the user's folder for downloads, or where the program was begun.
    pub downloads: Option<PathBuf>,
    /// Where direct connections are waited for, if not on any address and port.
    pub listen: Option<SocketAddr>,
    /// Files always go by way of the server, whoever may know this device's address.
    pub always_relay: bool,
}

impl FileOptions {
    /// At a server.
    ///
    /// # Errors
    /// [`TlsError`] where its address asks for TLS and that can't be set up.
    pub fn at(&self, server: &Address, roots: &TlsRoots) -> Result<Files, TlsError> {
        let server = Connector::new(server.clone(), roots)?;
        let downloads = self.downloads.clone().unwrap_or_else(downloads);
        let downloads = std::path::absolute(&downloads).unwrap_or(downloads);
        Ok(Files { server, downloads, listen: self.listen })
    }
}

/// The user's folder for downloads, which is made where there is none: never the home itself, nor whatever folder a
/// program was started in, where a name such as `.profile` is more than a name.
fn downloads() -> PathBuf {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE"));
    let folder = home.map(PathBuf::from).unwrap_or_default().join("Downloads");
    // If it can't be made, whoever receives a file is told.
    let _ = std::fs::create_dir(&folder);
    folder
}

/// Where files come from and go to.
#[derive(Debug, Clone)]
pub struct Files {
    /// The way to the server.
    pub server: Connector,
    /// Where files go if nothing else was said.
    pub downloads: PathBuf,
    /// Where direct connections are waited for, if not on any address and port.
    pub listen: Option<SocketAddr>,
}

/// What moves files.
#[derive(Default)]
pub(super) struct Mover {
    files: Option<Files>,
    engine: Option<(DeviceId, Engine)>,
    preparing: JoinSet<Ready>,
    under_way: Vec<Preparing>,
    /// Nothing is received of these.
    left_alone: BTreeSet<TransferId>,
}

/// Files that were read, or could not be, for an offer in a conversation.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) conversation: ConversationId,
    pub(super) relay_now: bool,
    prepared: Prepared,
}

impl Ready {
    /// The offer, its place, and what the person should know.
    pub(super) fn into_offer(self) -> Result<(FileOffer, String, Vec<Told>), BadSource> {
        self.prepared
    }
}

/// What came of something.
#[derive(Debug)]
pub(super) enum Came {
    /// Of a task of the core.
    Moved(TransferId, Moved),
    /// Of reading what is to be offered.
    Ready(Box<Ready>),
}

impl std::fmt::Debug for Mover {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mover").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Mover {
    pub(super) fn new(files: Files) -> Self {
        let mut mover = Self::default();
        mover.files = Some(files);
        mover
    }

    /// The session is open as this device, which goes on with these transfers.
    pub(super) fn online(
        &mut self,
        home: PathBuf,
        device: DeviceId,
        known: &BTreeSet<TransferId>,
    ) -> io::Result<()> {
        let Some(files) = self.files.clone() else { return Ok(()) };
        if self.engine.as_ref().is_some_and(|(of, _)| *of == device) {
            return Ok(());
        }
        let Files { server, downloads, listen } = files;
        let setup = Setup { home, downloads, server, device, listen, defences: SOUND };
        let engine = Engine::new(setup)?;
        // Nothing waits for that.
        drop(engine.keep_only(known));
        self.engine = Some((device, engine));
        Ok(())
    }

    /// Whether something can be put into a folder, or into the default one.
    pub(super) fn check_folder(&self, folder: Option<&Path>) -> Result<(), String> {
        let default = self.files.as_ref().map(|files| files.downloads.as_path());
        folder.or(default).map_or(Ok(()), check_folder)
    }

    /// Begins to receive nothing more of a transfer. False where that is so already.
    pub(super) fn leave_alone(&mut self, transfer: TransferId) -> bool {
        self.left_alone.insert(transfer)
    }

    /// Does what the core wants done; before there was a session it wants nothing.
    pub(super) fn assign(&mut self, assignment: Assignment) {
        let receives = matches!(assignment.task, Task::Dial { .. } | Task::Fetch { .. });
        if receives && self.left_alone.contains(&assignment.offer.transfer) {
            return;
        }
        if let Some((_, engine)) = &mut self.engine {
            engine.assign(assignment);
        }
    }

    /// Reads what is to be offered. False before there was a session.
    pub(super) fn prepare(
        &mut self,
        conversation: ConversationId,
        paths: Vec<PathBuf>,
        relay_now: bool,
    ) -> bool {
        let Some((_, engine)) = &self.engine else { return false };
        let preparing = Preparing::default();
        let reading = engine.prepare(paths, preparing.clone());
        self.under_way.push(preparing);
        self.preparing.spawn(async move {
            let prepared = reading.await.unwrap_or(Err(BadSource::Stopped));
            Ready { conversation, relay_now, prepared }
        });
        true
    }

    /// Waits for what comes of something. Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> Came {
        tokio::select! {
            Some((id, moved)) = next_moved(self.engine.as_mut()) => Came::Moved(id, moved),
            Some(Ok(ready)) = self.preparing.join_next(), if !self.preparing.is_empty() => {
                if self.preparing.is_empty() {
                    self.under_way.clear();
                }
                Came::Ready(Box::new(ready))
            }
            else => std::future::pending().await,
        }
    }

    /// Waits until what is of use no more is removed.
    pub(super) async fn tidied_up(&mut self) {
        if let Some((_, engine)) = &mut self.engine {
            engine.tidied_up().await;
        }
    }

    /// How far everything that moves has come.
    pub(super) fn progress(&self) -> Vec<Progress> {
        self.engine.as_ref().map(|(_, engine)| engine.progress()).unwrap_or_default()
    }

    /// Bytes that were there before a break, and verified.
    pub(super) fn checked(&self) -> u64 {
        self.engine.as_ref().map(|(_, engine)| engine.checked()).unwrap_or_default()
    }

    /// Bytes that were read of what is to be offered, and how many there are; none where nothing is read.
    pub(super) fn reading(&self) -> Option<(u64, u64)> {
        let all = self.under_way.iter().map(Preparing::progress);
        let sum = all.reduce(|(read, of), (more, of_more)| (read + more, of + of_more));
        sum.filter(|_| !self.preparing.is_empty())
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.under_way.iter().for_each(Preparing::stop);
    }
}

async fn next_moved(engine: Option<&mut (DeviceId, Engine)>) -> Option<(TransferId, Moved)> {
    match engine {
        Some((_, engine)) => engine.next().await,
        None => std::future::pending().await,
    }
}
