//! The tables, and whose database a file is.

use rusqlite::Connection;

use portcullis_server_core::store::StoreError;

use super::OpenError;
use super::error::blame;

/// "Port": which program a database belongs to (sqlite.org/pragma.html#pragma_application_id).
const APPLICATION: i64 = 0x506f_7274;

/// Grows with every change of the tables.
pub(super) const VERSION: i64 = 4;

/// What a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing is in it.
    Empty,
    /// It has the tables of this earlier version, which [`migrate`] brings up to this one's.
    Older(i64),
    /// It has this version's tables.
    Ready,
}

/// Reads whose database it is, and refuses what is neither this version's nor can become it.
pub(super) fn recognise(connection: &Connection) -> Result<State, OpenError> {
    let number = |sql: &str| {
        let value = connection.query_row(sql, (), |row| row.get::<_, i64>(0));
        value.map_err(blame)
    };
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    match (application, version) {
        (APPLICATION, VERSION) => Ok(State::Ready),
        (APPLICATION, found @ 1..VERSION) => Ok(State::Older(found)),
        (APPLICATION, found) if found > VERSION => Err(OpenError::Newer { found, known: VERSION }),
        (APPLICATION, _) => Err(StoreError::Corrupt.into()),
        (0, 0) if number("SELECT count(*) FROM sqlite_schema")? == 0 => Ok(State::Empty),
        _ => Err(OpenError::NotOurs),
    }
}

/// Makes the tables in an empty database: all, or none.
pub(super) fn create(connection: &Connection) -> Result<(), StoreError> {
    let script = format!(
        "BEGIN IMMEDIATE;
         {TABLES} {CONVERSATIONS} {ENCRYPTED} {CLASSROOM} {BLOBS}
         PRAGMA application_id = {APPLICATION};
         PRAGMA user_version = {VERSION};
         COMMIT;"
    );
    connection.execute_batch(&script).map_err(blame)
}

/// Brings the tables of an earlier version up to this version's: all, or none.
pub(super) fn migrate(connection: &Connection, from: i64) -> Result<(), StoreError> {
    let first = if from < 2 { second_from_first() } else { String::new() };
    let second = if from < 3 { CLASSROOM } else { "" };
    let script = format!(
        "PRAGMA foreign_keys = OFF;
         PRAGMA legacy_alter_table = ON;
         BEGIN IMMEDIATE;
         {first} {second} {BLOBS}
         PRAGMA user_version = {VERSION};
         COMMIT;
         PRAGMA legacy_alter_table = OFF;
         PRAGMA foreign_keys = ON;"
    );
    connection.execute_batch(&script).map_err(blame)
}

/// A column can't become optional in its place, so conversations move to a new table, under the same keys;
/// meanwhile what refers to them is left as it is (sqlite.org/pragma.html#pragma_legacy_alter_table).
fn second_from_first() -> String {
    format!(
        "ALTER TABLE conversations RENAME TO older;
         DROP INDEX open_channels;
         {CONVERSATIONS}
         INSERT INTO conversations (key, id, kind, name, access, epoch, members, end_seq, end_chain)
             SELECT key, id, kind, name, access, epoch, members, end_seq, end_chain FROM older;
         DROP TABLE older;
         {ENCRYPTED}"
    )
}

/// Points in time and random ids are stored as they are; a sequence number is never negative.
/// Envelopes name their conversation and device without a foreign key: it would be looked up for
/// every message, and both keys were just read. References come first in their index: where clients
/// begin them with the time, those of a batch stand together, which halves the pages that a batch writes.
const TABLES: &str = "
CREATE TABLE accounts (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    identity BLOB NOT NULL,
    record BLOB NOT NULL,
    memory_kib INTEGER NOT NULL,
    passes INTEGER NOT NULL,
    lanes INTEGER NOT NULL,
    wrapped_identity BLOB NOT NULL,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE lists (
    account INTEGER NOT NULL REFERENCES accounts,
    version INTEGER NOT NULL,
    list BLOB NOT NULL,
    signature BLOB NOT NULL,
    UNIQUE (account, version)
) STRICT;
CREATE TABLE devices (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    account INTEGER NOT NULL REFERENCES accounts,
    auth BLOB NOT NULL,
    revoked INTEGER NOT NULL,
    submitted INTEGER NOT NULL
) STRICT;
CREATE TABLE tokens (
    hash BLOB PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_device ON tokens (device);
CREATE TABLE invites (
    hash BLOB PRIMARY KEY,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE memberships (
    account INTEGER NOT NULL REFERENCES accounts,
    conversation INTEGER NOT NULL REFERENCES conversations,
    role INTEGER NOT NULL,
    spans BLOB NOT NULL,
    PRIMARY KEY (account, conversation)
) STRICT, WITHOUT ROWID;
CREATE TABLE envelopes (
    arrival INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    device INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    reference BLOB NOT NULL,
    accepted_at INTEGER NOT NULL,
    chain BLOB NOT NULL,
    body BLOB NOT NULL,
    UNIQUE (conversation, seq),
    UNIQUE (reference, device)
) STRICT;
";

/// A channel has a name, a direct the ids of its two accounts, one after the other.
const CONVERSATIONS: &str = "
CREATE TABLE conversations (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    kind INTEGER NOT NULL,
    name TEXT UNIQUE,
    pair BLOB,
    access INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    members INTEGER NOT NULL,
    end_seq INTEGER NOT NULL,
    end_chain BLOB NOT NULL
) STRICT;
CREATE INDEX open_channels ON conversations (name) WHERE kind = 1 AND access = 1;
";

/// What only encrypted conversations need. Key packages stand in order of arrival.
const ENCRYPTED: &str = "
CREATE TABLE group_infos (
    conversation INTEGER PRIMARY KEY REFERENCES conversations,
    epoch INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE key_packages (
    arrival INTEGER PRIMARY KEY,
    device INTEGER NOT NULL REFERENCES devices,
    expires_at INTEGER NOT NULL,
    last_resort INTEGER NOT NULL,
    used INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX key_packages_by_device ON key_packages (device);
";

/// Devices' keys for the classroom, in order of arrival.
const CLASSROOM: &str = "
CREATE TABLE classic_keys (
    arrival INTEGER PRIMARY KEY,
    device INTEGER NOT NULL UNIQUE REFERENCES devices,
    key BLOB NOT NULL
) STRICT;
";

/// The sealed bytes of transfers, which lie in files, and which accounts have collected them.
const BLOBS: &str = "
CREATE TABLE blobs (
    key INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    file BLOB NOT NULL,
    account INTEGER NOT NULL REFERENCES accounts,
    conversation INTEGER NOT NULL REFERENCES conversations,
    bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX blobs_by_account ON blobs (account);
CREATE TABLE collected (
    blob INTEGER NOT NULL REFERENCES blobs,
    account INTEGER NOT NULL REFERENCES accounts,
    PRIMARY KEY (blob, account)
) STRICT, WITHOUT ROWID;
";
