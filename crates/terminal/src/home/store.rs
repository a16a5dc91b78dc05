//! `home.db`: one table of sealed values. What is committed is on the disk before the call returns
//! (WAL, `synchronous=FULL`), since a message number or a key must never be used twice.
//!
//! A value is sealed for its row: its key, with its length before it, is the associated data, so that
//! rows can't be exchanged.

use std::io;
use std::path::{Path, PathBuf};

use portcullis_client_core::{Key, Write, limits};
use portcullis_crypto::{Randomness, SealKey};
use portcullis_proto::ConversationId;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use zeroize::Zeroizing;

use super::header::FORMAT;
use super::key::{INBOX, MESSAGE, Row};
use super::lock::private_file;
use super::{HomeError, Record};

const FILE: &str = "home.db";

/// A row as it lies in the table: its key, and its sealed value.
type SealedRow = (Vec<u8>, Vec<u8>);

/// The records of a home, sealed.
#[derive(Debug)]
pub(super) struct Store {
    connection: Connection,
    key: SealKey,
    path: PathBuf,
}

impl Store {
    /// Records without the file that has their key are of no use, and must not be added to.
    pub(super) fn refuse_without(folder: &Path, key: &Path) -> Result<(), HomeError> {
        let path = folder.join(FILE);
        let exists = path.try_exists();
        if exists.map_err(|error| HomeError::io(&path, &error))? {
            return Err(HomeError::Missing(key.to_owned()));
        }
        Ok(())
    }

    pub(super) fn open(folder: &Path, key: SealKey) -> Result<Self, HomeError> {
        let path = folder.join(FILE);
        create_private(&path).map_err(|error| HomeError::io(&path, &error))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags)
            .map_err(|error| HomeError::sqlite(&path, &error))?;
        let version = prepare(&connection).map_err(|error| HomeError::sqlite(&path, &error))?;
        if version > FORMAT {
            return Err(HomeError::Newer(path));
        }
        Ok(Self { connection, key, path })
    }

    pub(super) const fn key(&self) -> &SealKey {
        &self.key
    }

    pub(super) fn damaged(&self) -> HomeError {
        HomeError::Damaged(self.path.clone())
    }

    /// What a client is restored from, the last messages of each conversation included.
    pub(super) fn state(&self) -> Result<Vec<Record>, HomeError> {
        let sql = "SELECT key, value FROM records WHERE key < ?1 OR key >= ?2 ORDER BY key";
        let mut rows = self.rows(sql, params![[MESSAGE].as_slice(), [INBOX].as_slice()])?;
        let keys = rows.iter().filter_map(|(key, _)| Row::decode(key));
        let conversations: Vec<ConversationId> = keys
            .filter_map(|key| match key {
                Key::Conversation(id) => Some(id),
                _ => None,
            })
            .collect();
        for id in conversations {
            rows.extend(self.last_rows(id, u64::MAX, limits::CHANGEABLE)?);
        }
        let open = |(key, value): SealedRow| {
            let record = Row::decode(&key).ok_or_else(|| self.damaged())?;
            Ok((record, self.unseal(&key, &value)?))
        };
        rows.into_iter().map(open).collect()
    }

    /// Messages from the first to the last of these numbers, in order.
    pub(super) fn messages(
        &self,
        id: ConversationId,
        (first, last): (u64, u64),
        limit: u32,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, HomeError> {
        let sql =
            "SELECT key, value FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key LIMIT ?3";
        let row = |seq| Row::Core(Key::Message(id, seq)).encode();
        let rows = self.rows(sql, params![row(first), row(last), limit])?;
        rows.iter().map(|(key, value)| self.unseal(key, value)).collect()
    }

    /// The last messages up to this number, in order.
    pub(super) fn last_messages(
        &self,
        id: ConversationId,
        last: u64,
        limit: usize,
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, HomeError> {
        let rows = self.last_rows(id, last, limit)?;
        rows.iter().rev().map(|(key, value)| self.unseal(key, value)).collect()
    }

    /// The last messages up to this number, the newest first.
    fn last_rows(
        &self,
        id: ConversationId,
        last: u64,
        limit: usize,
    ) -> Result<Vec<SealedRow>, HomeError> {
        let sql =
            "SELECT key, value FROM records WHERE key BETWEEN ?1 AND ?2 ORDER BY key DESC LIMIT ?3";
        let row = |seq| Row::Core(Key::Message(id, seq)).encode();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.rows(sql, params![row(0), row(last), limit])
    }

    pub(super) fn get(&self, row: &Row) -> Result<Option<Zeroizing<Vec<u8>>>, HomeError> {
        let key = row.encode();
        let sql = "SELECT value FROM records WHERE key = ?1";
        let value: Option<Vec<u8>> = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row([&key], |row| row.get(0)).optional())
            .map_err(|error| self.blame(&error))?;
        value.map(|value| self.unseal(&key, &value)).transpose()
    }

    pub(super) fn persist(
        &mut self,
        writes: &[Write],
        rng: &mut dyn Randomness,
    ) -> Result<(), HomeError> {
        let sealed = writes.iter().map(|write| {
            let key = Row::Core(write.key).encode();
            let value = write.value.as_ref();
            let value = value.map(|value| self.key.seal(rng, &associated(&key), value));
            (key, value)
        });
        let sealed: Vec<_> = sealed.collect();
        self.commit(&sealed)
    }

    pub(super) fn put(
        &mut self,
        rows: impl Iterator<Item = (Row, impl AsRef<[u8]>)>,
        rng: &mut dyn Randomness,
    ) -> Result<(), HomeError> {
        let sealed = rows.map(|(row, value)| {
            let key = row.encode();
            let value = self.key.seal(rng, &associated(&key), value.as_ref());
            (key, Some(value))
        });
        let sealed: Vec<_> = sealed.collect();
        self.commit(&sealed)
    }

    fn commit(&mut self, rows: &[(Vec<u8>, Option<Vec<u8>>)]) -> Result<(), HomeError> {
        let written = write_all(&mut self.connection, rows);
        written.map_err(|error| self.blame(&error))
    }

    fn rows(&self, sql: &str, params: impl rusqlite::Params) -> Result<Vec<SealedRow>, HomeError> {
        let read = self.connection.prepare_cached(sql).and_then(|mut statement| {
            statement.query_map(params, |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        });
        read.map_err(|error| self.blame(&error))
    }

    fn unseal(&self, key: &[u8], value: &[u8]) -> Result<Zeroizing<Vec<u8>>, HomeError> {
        let opened = self.key.open(&associated(key), value);
        opened.map_err(|_| self.damaged())
    }

    fn blame(&self, error: &rusqlite::Error) -> HomeError {
        HomeError::sqlite(&self.path, error)
    }
}

fn write_all(
    connection: &mut Connection,
    rows: &[(Vec<u8>, Option<Vec<u8>>)],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut put = transaction
            .prepare_cached("INSERT OR REPLACE INTO records (key, value) VALUES (?1, ?2)")?;
        let mut remove = transaction.prepare_cached("DELETE FROM records WHERE key = ?1")?;
        for (key, value) in rows {
            match value {
                Some(value) => put.execute(params![key, value])?,
                None => remove.execute(params![key])?,
            };
        }
    }
    transaction.commit()
}

/// Sets the database up; gives the version of its tables.
fn prepare(connection: &Connection) -> rusqlite::Result<u32> {
    let version: u32 = connection.query_row("PRAGMA user_version", (), |row| row.get(0))?;
    if version > FORMAT {
        return Ok(version);
    }
    connection.query_row("PRAGMA journal_mode = WAL", (), |_| Ok(()))?;
    // A key that was used up is gone from the file, too: forward secrecy reaches down to the disk.
    connection.query_row("PRAGMA secure_delete = ON", (), |_| Ok(()))?;
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA trusted_schema = OFF;
         PRAGMA temp_store = MEMORY;",
    )?;
    if version == 0 {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;
             CREATE TABLE IF NOT EXISTS records (key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)
                 STRICT, WITHOUT ROWID;
             PRAGMA user_version = {FORMAT};
             COMMIT;"
        ))?;
    }
    Ok(FORMAT)
}

/// SQLite gives its `-wal` and `-shm` the permissions of the database.
fn create_private(path: &Path) -> io::Result<()> {
    private_file().append(true).create(true).open(path)?;
    Ok(())
}

fn associated(key: &[u8]) -> Vec<u8> {
    [&(key.len() as u64).to_le_bytes(), key].concat()
}
