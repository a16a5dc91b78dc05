//! A batch is a transaction, a request a savepoint in it.

use portcullis_server_core::store::StoreError;

use super::SqliteStore;
use super::error::{MISUSE, blame};

impl SqliteStore {
    /// Takes the write lock at once, so that nothing that is read can change before it is written.
    pub(super) fn begin_batch(&self) -> Result<(), StoreError> {
        self.run("BEGIN IMMEDIATE")?;
        // Only a transaction that SQLite itself ended (a full disk) leaves anything to clear here.
        self.forget_keys();
        self.in_request.set(false);
        Ok(())
    }

    pub(super) fn commit_batch(&self) -> Result<(), StoreError> {
        self.run("COMMIT")?;
        self.made_keys.set(false);
        self.in_request.set(false);
        Ok(())
    }

    pub(super) fn forget_batch(&self) -> Result<(), StoreError> {
        self.forget_keys();
        self.in_request.set(false);
        self.run("ROLLBACK")
    }

    pub(super) fn begin_request(&self) -> Result<(), StoreError> {
        self.writing()?;
        if self.in_request.get() {
            return Err(MISUSE);
        }
        self.run("SAVEPOINT request")?;
        self.in_request.set(true);
        Ok(())
    }

    pub(super) fn keep_request(&self) -> Result<(), StoreError> {
        self.end_request()?;
        self.run("RELEASE request")
    }

    pub(super) fn forget_request(&self) -> Result<(), StoreError> {
        self.end_request()?;
        self.forget_keys();
        self.run("ROLLBACK TO request")?;
        self.run("RELEASE request")
    }

    /// All writes happen inside a transaction: one that does not would be a commit of its own.
    pub(super) fn writing(&self) -> Result<(), StoreError> {
        if self.connection.is_autocommit() {
            return Err(MISUSE);
        }
        Ok(())
    }

    fn end_request(&self) -> Result<(), StoreError> {
        if !self.in_request.replace(false) {
            return Err(MISUSE);
        }
        Ok(())
    }

    /// Keys that are undone may be given to other rows.
    fn forget_keys(&self) {
        if self.made_keys.replace(false) {
            self.keys.borrow_mut().clear();
        }
    }

    fn run(&self, sql: &str) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        statement.execute(()).map_err(blame)?;
        Ok(())
    }
}
