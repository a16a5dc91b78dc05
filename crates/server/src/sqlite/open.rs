//! Opening a data folder: for the server, which holds it alone, and for the operator's commands beside it.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use portcullis_server_core::store::StoreError;
use rusqlite::{Connection, OpenFlags};

use super::error::blame;
use super::schema::State;
use super::transaction::Progress;
use super::{OpenError, SqliteStore, files, keys, recent, schema};

/// How long a call waits while another process writes: an operator's command takes milliseconds.
const BUSY: Duration = Duration::from_secs(5);

/// Statements kept ready: more than there are in this folder.
const STATEMENTS: usize = 96;

/// Bytes of a page, fixed when a database is made.
const PAGE_BYTES: u32 = 4096;

/// KiB of pages kept in memory. The system's own cache holds the rest.
const CACHE_KIB: u32 = 64 * 1024;

/// Pages in the WAL before a commit copies them into the database. More would make that commit, and
/// a start after a crash, noticeably slower; fewer would copy the same pages again and again.
const CHECKPOINT_PAGES: u32 = 4096;

/// Bytes to which the WAL is cut after a checkpoint, should it have grown past that.
const WAL_BYTES: u32 = 64 * 1024 * 1024;

impl SqliteStore {
    /// Opens a server's data folder, or makes it, and holds it until the store is dropped.
    ///
    /// # Errors
    /// [`OpenError`], most often [`OpenError::InUse`]. A folder that has its OPAQUE set-up but not its
    /// tables is [`OpenError::DatabaseLost`]: the tables are always made first, so that only a loss
    /// leaves the set-up alone, and an empty server in its place would hide that.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        files::create_folder(folder)?;
        let lock = files::lock(folder)?;
        files::refuse_lost(folder)?;
        files::create_private(&folder.join(files::DATABASE))?;
        Self::connect(folder, Some(lock))
    }

    /// Opens the data folder of a server that may be running, for the operator's commands. Nothing is
    /// made: a folder without a database is [`OpenError::Missing`].
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_beside(folder: &Path) -> Result<Self, OpenError> {
        files::refuse_lost(folder)?;
        if !folder.join(files::DATABASE).try_exists()? {
            return Err(OpenError::Missing);
        }
        Self::connect(folder, None)
    }

    /// Whether another process has committed something since this was last asked (or since the store
    /// was opened). Cheap; to be asked between transactions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn changed_by_others(&self) -> Result<bool, StoreError> {
        let version = self.data_version()?;
        let changed = self.seen_version.replace(version) != version;
        if changed {
            self.recent.borrow_mut().clear();
        }
        Ok(changed)
    }

    fn connect(folder: &Path, lock: Option<File>) -> Result<Self, OpenError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let path = folder.join(files::DATABASE);
        let connection = Connection::open_with_flags(path, flags).map_err(blame)?;
        connection.busy_timeout(BUSY).map_err(blame)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        let state = schema::recognise(&connection)?;
        if connection.is_readonly("main").map_err(blame)? {
            return Err(StoreError::ReadOnly.into());
        }
        if state == State::Empty && folder.join(files::SETUP).try_exists()? {
            return Err(OpenError::DatabaseLost);
        }
        match (state, &lock) {
            (State::Empty, None) => return Err(OpenError::Missing),
            (State::Empty, Some(_)) => {
                configure(&connection)?;
                schema::create(&connection)?;
            }
            (State::Older(_), None) => return Err(OpenError::Older),
            (State::Older(from), Some(_)) => {
                configure(&connection)?;
                schema::migrate(&connection, from)?;
            }
            (State::Ready, _) => configure(&connection)?,
        }
        let store = Self {
            connection,
            keys: RefCell::new(keys::Keys::default()),
            recent: RefCell::new(recent::Recent::default()),
            made_keys: Cell::new(false),
            written: Cell::new(false),
            progress: Cell::new(Progress::NoRequest),
            broken: Cell::new(false),
            seen_version: Cell::new(0),
            folder: folder.to_owned(),
            _lock: lock,
        };
        store.changed_by_others()?;
        Ok(store)
    }

    fn data_version(&self) -> Result<i64, StoreError> {
        let sql = "PRAGMA data_version";
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        statement.query_row((), |row| row.get(0)).map_err(blame)
    }
}

fn configure(connection: &Connection) -> Result<(), StoreError> {
    let set = |sql: &str| connection.execute_batch(sql).map_err(blame);
    set(&format!("PRAGMA page_size = {PAGE_BYTES}"))?;
    let mode = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0));
    let mode: String = mode.map_err(blame)?;
    if mode != "wal" {
        return Err(StoreError::Io);
    }
    set(&format!(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;
         PRAGMA cache_size = -{CACHE_KIB};
         PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES};
         PRAGMA journal_size_limit = {WAL_BYTES};"
    ))
}
