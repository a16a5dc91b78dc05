//! A batch is a transaction, a request a savepoint in it.
//!
//! SQLite copies every page that a savepoint changes for the first time, which costs a submit a
//! quarter of its time. So a savepoint is opened by a request's first write only, and not for an
//! append that is the first: that is all or nothing by itself, and [`log::take_back`] undoes it.

use portcullis_proto::ConversationId;
use portcullis_server_core::store::{AppendError, StoreError};

use super::error::{MISUSE, blame};
use super::{SqliteStore, log};

/// How far a request has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is none.
    NoRequest,
    /// It has written nothing.
    Begun,
    /// It appends, before any other write.
    Appending,
    /// It has appended this and written nothing else.
    Appended(Appended),
    /// It has a savepoint, perhaps after an append.
    Saved(Option<Appended>),
}

/// What an append has added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Appended {
    pub(super) conversation: ConversationId,
    /// The first sequence number.
    pub(super) first: u64,
    /// How many envelopes.
    pub(super) count: u64,
}

impl SqliteStore {
    /// Takes the write lock at once, so that nothing that is read can change before it is written.
    pub(super) fn begin_batch(&self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE")?;
        // Only a transaction that SQLite itself ended (a full disk) leaves anything to clear here.
        self.forget();
        Ok(())
    }

    pub(super) fn commit_batch(&self) -> Result<(), StoreError> {
        if self.broken.get() {
            return Err(StoreError::Io);
        }
        self.settle()?;
        self.run("COMMIT")?;
        self.written.set(false);
        self.made_keys.set(false);
        self.progress.set(Progress::NoRequest);
        Ok(())
    }

    pub(super) fn forget_batch(&self) -> Result<(), StoreError> {
        self.forget();
        self.run("ROLLBACK")
    }

    pub(super) fn begin_request(&self) -> Result<(), StoreError> {
        self.in_batch()?;
        match self.progress.get() {
            Progress::NoRequest => self.progress.set(Progress::Begun),
            _ => return Err(MISUSE),
        }
        Ok(())
    }

    pub(super) fn keep_request(&self) -> Result<(), StoreError> {
        match self.end_request()? {
            Progress::Saved(_) => self.run("RELEASE request"),
            _ => Ok(()),
        }
    }

    pub(super) fn forget_request(&self) -> Result<(), StoreError> {
        let progress = self.end_request()?;
        self.forget_keys();
        if let Progress::Appended(_) | Progress::Saved(_) = progress {
            // Moves of earlier requests must not be forgotten with the rest.
            self.settle()?;
            self.recent.borrow_mut().clear();
        }
        if let Progress::Saved(_) = progress {
            self.run("ROLLBACK TO request")?;
            self.run("RELEASE request")?;
        }
        match progress {
            Progress::Appended(appended) | Progress::Saved(Some(appended)) => {
                log::take_back(self, appended)
            }
            _ => Ok(()),
        }
    }

    /// To be called before anything is written. All writes happen inside a transaction: one that does
    /// not would be a commit of its own.
    pub(super) fn writing(&self) -> Result<(), StoreError> {
        self.in_batch()?;
        let before = match self.progress.get() {
            Progress::Begun => None,
            Progress::Appended(appended) => Some(appended),
            Progress::NoRequest => {
                self.written.set(true);
                return self.settle();
            }
            Progress::Appending | Progress::Saved(_) => return Ok(()),
        };
        self.written.set(true);
        // What rolling back to the savepoint undoes must not have waited in memory.
        self.settle()?;
        self.run("SAVEPOINT request")?;
        self.progress.set(Progress::Saved(before));
        Ok(())
    }

    /// Runs an append that adds what `appended` says, or nothing.
    pub(super) fn appending(
        &self,
        appended: Appended,
        append: impl FnOnce() -> Result<(), AppendError>,
    ) -> Result<(), AppendError> {
        self.in_batch()?;
        if self.progress.get() != Progress::Begun {
            return append();
        }
        self.progress.set(Progress::Appending);
        self.written.set(true);
        let result = append();
        let next = match result {
            Ok(()) => Progress::Appended(appended),
            Err(_) => Progress::Begun,
        };
        self.progress.set(next);
        if let Err(AppendError::Store(_)) = result {
            // Half of it may be there, without a savepoint to go back to.
            self.broken.set(true);
        }
        result
    }

    /// Whether an append runs that is its request's first write, so that what it moves may wait.
    pub(super) fn appends_alone(&self) -> bool {
        self.progress.get() == Progress::Appending
    }

    fn in_batch(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Err(MISUSE);
        }
        Ok(())
    }

    fn end_request(&self) -> Result<Progress, StoreError> {
        self.in_batch()?;
        match self.progress.replace(Progress::NoRequest) {
            Progress::NoRequest => Err(MISUSE),
            progress => Ok(progress),
        }
    }

    fn forget(&self) {
        self.forget_keys();
        self.made_keys.set(false);
        if self.written.replace(false) {
            self.recent.borrow_mut().clear();
        }
        self.broken.set(false);
        self.progress.set(Progress::NoRequest);
    }

    /// Keys that are undone may be given to other rows. Those that an earlier request of the batch
    /// made may still be undone, so the mark stays until the batch ends.
    fn forget_keys(&self) {
        if self.made_keys.get() {
            self.keys.borrow_mut().clear();
        }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        statement.execute(()).map_err(blame)?;
        Ok(())
    }
}
