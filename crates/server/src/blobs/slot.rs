//! A blob as the shell knows it: which of its bytes are there, and who may add to them. Whoever fetches
//! hears of each piece that is added; whoever begins to write takes the place of whoever wrote before, since
//! a connection that is half dead must not keep its owner out.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, watch};
use tokio::time::timeout;

use super::folder;
use super::refused::Refused;

/// A blob.
pub(super) struct Slot {
    /// Where its bytes lie, once there are any and if they are there from the first on.
    file: PathBuf,
    /// How many it will have.
    pub(super) bytes: u64,
    progress: watch::Sender<Progress>,
    /// Whose turn it is to write: a number that grows with each that comes.
    turn: watch::Sender<u64>,
    writer: Arc<Mutex<()>>,
}

/// How far a blob is: the bytes from `begins` up to `stored` are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    begins: u64,
    stored: u64,
    /// It was dropped: nothing is stored or fetched any more.
    gone: bool,
}

/// The right to write, as long as nobody newer comes.
pub(super) struct Turn {
    own: u64,
    newest: watch::Receiver<u64>,
    _lock: OwnedMutexGuard<()>,
}

impl Slot {
    /// A blob of which these bytes are there.
    pub(super) fn new(file: PathBuf, bytes: u64, there: Range<u64>) -> Self {
        let progress = Progress { begins: there.start, stored: there.end, gone: false };
        let progress = watch::Sender::new(progress);
        Self { file, bytes, progress, turn: watch::Sender::new(0), writer: Arc::default() }
    }

    /// Where its bytes lie, once there are any.
    pub(super) fn path(&self) -> PathBuf {
        folder::path(&self.file, self.begins())
    }

    /// The first byte that is there, or will be the first.
    pub(super) fn begins(&self) -> u64 {
        self.progress.borrow().begins
    }

    /// Where the bytes end that are there.
    pub(super) fn stored(&self) -> u64 {
        self.progress.borrow().stored
    }

    /// How many bytes are there.
    pub(super) fn held(&self) -> u64 {
        let progress = *self.progress.borrow();
        progress.stored.saturating_sub(progress.begins)
    }

    /// What is there is no use: it begins here.
    pub(super) fn begin_anew(&self, begins: u64) {
        let file = self.path();
        self.progress.send_modify(|progress| {
            (progress.begins, progress.stored) = (begins, begins);
        });
        folder::remove(&file);
    }

    /// Notes how many are there now.
    pub(super) fn note(&self, stored: u64) {
        self.progress.send_modify(|progress| progress.stored = stored);
    }

    /// Whether it was dropped.
    pub(super) fn is_gone(&self) -> bool {
        self.progress.borrow().gone
    }

    /// Whoever writes, fetches or waits, ends.
    pub(super) fn end(&self) {
        self.progress.send_modify(|progress| progress.gone = true);
        self.turn.send_modify(|turn| *turn += 1);
    }

    /// Asks whoever writes to make an end of it, and waits until they have.
    ///
    /// # Errors
    /// [`Refused::TakenOver`] where somebody newer asked the same meanwhile.
    pub(super) async fn begin_turn(&self) -> Result<Turn, Refused> {
        let mut own = 0;
        self.turn.send_modify(|turn| {
            *turn += 1;
            own = *turn;
        });
        let newest = self.turn.subscribe();
        let lock = Arc::clone(&self.writer).lock_owned().await;
        let turn = Turn { own, newest, _lock: lock };
        if self.is_gone() {
            return Err(Refused::Missing);
        }
        let is_own = *turn.newest.borrow() == turn.own;
        is_own.then_some(turn).ok_or(Refused::TakenOver)
    }

    /// Why a turn is over.
    pub(super) fn why_over(&self) -> Refused {
        if self.is_gone() { Refused::Missing } else { Refused::TakenOver }
    }

    /// Waits until the byte at `at` is there, and says where those end that are; nothing where none came for so
    /// long, or it won't come.
    pub(super) async fn more_than(&self, at: u64, stall: Duration) -> Option<u64> {
        let mut progress = self.progress.subscribe();
        let more = progress.wait_for(|progress| progress.gone || progress.stored > at);
        let progress = *timeout(stall, more).await.ok()?.ok()?;
        (!progress.gone && progress.begins <= at).then_some(progress.stored)
    }
}

impl Turn {
    /// Ready when somebody newer has come, or the blob is gone.
    pub(super) async fn over(&mut self) {
        let own = self.own;
        // The slot outlives the turn, so there is no other end.
        let _ = self.newest.wait_for(|newest| *newest != own).await;
    }
}
