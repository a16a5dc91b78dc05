//! Devices' keys for the classroom: in order of arrival, one a device.

use portcullis_proto::{ConversationId, DeviceId};
use portcullis_server_core::store::{ClassicDevice, StoreError};
use rusqlite::params;

use super::SqliteStore;
use super::rows::get;

pub(super) fn put(store: &SqliteStore, device: DeviceId, key: &[u8]) -> Result<(), StoreError> {
    let device = store.known_device(device)?.key;
    let sql = "DELETE FROM classic_keys WHERE device = ?";
    store.change(sql, [device])?;
    let sql = "INSERT INTO classic_keys (device, key) VALUES (?, ?)";
    store.change_one(sql, params![device, key])
}

pub(super) fn key(store: &SqliteStore, device: DeviceId) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(device) = store.device_key(device)? else {
        return Ok(None);
    };
    let sql = "SELECT key FROM classic_keys WHERE device = ?";
    store.one(sql, [device.key], |row| get(row, 0))
}

/// Owners and members are roles 1 and 2. An arrival's number is used again once the last row is gone, and
/// that is the only one that ever moves to the end: the order holds.
pub(super) fn members(
    store: &SqliteStore,
    members_of: ConversationId,
    limit: u32,
) -> Result<Vec<ClassicDevice>, StoreError> {
    let Some(conversation) = store.conversation_key(members_of)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT k.device, k.key FROM classic_keys k
             JOIN devices d ON d.key = k.device AND d.revoked = 0
             JOIN accounts a ON a.key = d.account AND a.disabled = 0
             JOIN memberships m ON m.account = a.key AND m.conversation = ? AND m.role IN (1, 2)
             ORDER BY k.arrival DESC LIMIT ?";
    let rows = store.many(sql, params![conversation, limit], |row| {
        Ok((get::<i64>(row, 0)?, get::<Vec<u8>>(row, 1)?))
    })?;
    let device = |(device, key)| {
        let device = store.device_of(device)?;
        Ok(ClassicDevice { device: device.id, account: device.account, key })
    };
    rows.into_iter().map(device).collect()
}
