//! Blobs: what is stored for whom, and who has collected it. The bytes lie in files.

use portcullis_proto::{AccountId, ConversationId, Timestamp, TransferId};
use portcullis_server_core::store::{Blob, BlobFile, BlobUsage, InsertError, StoreError};
use rusqlite::{Row, params};

use super::SqliteStore;
use super::error::MISUSE;
use super::rows::{bound, count, get, get_count, get_time, time};

/// A blob with the ids that stand for its keys.
const COLUMNS: &str =
    "SELECT b.id, b.file, a.id, c.id, b.bytes, b.created_at, b.expires_at FROM blobs b
     JOIN accounts a ON a.key = b.account JOIN conversations c ON c.key = b.conversation";

pub(super) fn insert(store: &SqliteStore, blob: &Blob) -> Result<(), InsertError> {
    let account = store.known_account(blob.account)?;
    let conversation = store.known_conversation(blob.conversation)?;
    let sql = "INSERT INTO blobs (id, file, account, conversation, bytes, created_at, expires_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)";
    let (bytes, expires_at) = (count(blob.bytes)?, count(blob.expires_at.0)?);
    let (id, file, created_at) = (blob.id.as_bytes(), blob.file.0, time(blob.created_at));
    store.insert(sql, params![id, file, account, conversation, bytes, created_at, expires_at])
}

pub(super) fn by_id(store: &SqliteStore, id: TransferId) -> Result<Option<Blob>, StoreError> {
    store.one(&format!("{COLUMNS} WHERE b.id = ?"), [id.as_bytes()], read)
}

pub(super) fn page(
    store: &SqliteStore,
    after: Option<TransferId>,
    limit: u32,
) -> Result<Vec<Blob>, StoreError> {
    let after = after.map_or(Vec::new(), |after| after.as_bytes().to_vec());
    let sql = format!("{COLUMNS} WHERE b.id > ? ORDER BY b.id LIMIT ?");
    store.many(&sql, params![after, limit], read)
}

pub(super) fn expired(
    store: &SqliteStore,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<TransferId>, StoreError> {
    let sql = "SELECT id FROM blobs WHERE expires_at <= ? LIMIT ?";
    store.many(sql, params![bound(until.0), limit], |row| get(row, 0).map(TransferId::from_bytes))
}

pub(super) fn usage(
    store: &SqliteStore,
    account: Option<AccountId>,
) -> Result<BlobUsage, StoreError> {
    let sql = "SELECT count(*), coalesce(sum(bytes), 0) FROM blobs";
    let read =
        |row: &Row<'_>| Ok(BlobUsage { blobs: get_count(row, 0)?, bytes: get_count(row, 1)? });
    let usage = match account {
        None => store.one(sql, (), read)?,
        Some(account) => match store.account_key(account)? {
            None => Some(BlobUsage::default()),
            Some(key) => store.one(&format!("{sql} WHERE account = ?"), [key], read)?,
        },
    };
    usage.ok_or(StoreError::Corrupt)
}

pub(super) fn collect(
    store: &SqliteStore,
    id: TransferId,
    account: AccountId,
) -> Result<(), StoreError> {
    let blob = key(store, id)?.ok_or(MISUSE)?;
    let account = store.known_account(account)?;
    let sql = "INSERT OR IGNORE INTO collected (blob, account) VALUES (?, ?)";
    store.change(sql, params![blob, account]).map(|_| ())
}

pub(super) fn collectors(
    store: &SqliteStore,
    id: TransferId,
) -> Result<Vec<AccountId>, StoreError> {
    let sql = "SELECT a.id FROM collected
         JOIN blobs b ON b.key = collected.blob JOIN accounts a ON a.key = collected.account
         WHERE b.id = ? ORDER BY a.id";
    store.many(sql, [id.as_bytes()], |row| get(row, 0).map(AccountId::from_bytes))
}

pub(super) fn drop(store: &SqliteStore, id: TransferId) -> Result<(), StoreError> {
    let Some(blob) = key(store, id)? else {
        return Ok(());
    };
    store.change("DELETE FROM collected WHERE blob = ?", [blob])?;
    store.change_one("DELETE FROM blobs WHERE key = ?", [blob])
}

fn key(store: &SqliteStore, id: TransferId) -> Result<Option<i64>, StoreError> {
    store.one("SELECT key FROM blobs WHERE id = ?", [id.as_bytes()], |row| get(row, 0))
}

fn read(row: &Row<'_>) -> Result<Blob, StoreError> {
    Ok(Blob {
        id: TransferId::from_bytes(get(row, 0)?),
        file: BlobFile(get(row, 1)?),
        account: AccountId::from_bytes(get(row, 2)?),
        conversation: ConversationId::from_bytes(get(row, 3)?),
        bytes: get_count(row, 4)?,
        created_at: get_time(row, 5)?,
        expires_at: Timestamp(get_count(row, 6)?),
    })
}
