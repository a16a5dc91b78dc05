//! Integer keys of accounts, devices and conversations, remembered by their ids. Rows are never
//! deleted, so what was read stays true; only what a transaction made itself may be undone.

use std::collections::HashMap;

use portcullis_proto::{AccountId, ConversationId, DeviceId};
use portcullis_server_core::store::StoreError;

use super::SqliteStore;
use super::error::MISUSE;
use super::rows::get;

/// Keys remembered of each kind, some 100 bytes each. Past it all are forgotten and read again.
const REMEMBERED: usize = 200_000;

/// A device, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct DeviceKey {
    pub(super) key: i64,
    pub(super) id: DeviceId,
    pub(super) account: AccountId,
}

/// What was read of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    accounts: HashMap<AccountId, i64>,
    conversations: HashMap<ConversationId, i64>,
    devices: HashMap<DeviceId, DeviceKey>,
    devices_by_key: HashMap<i64, DeviceKey>,
}

impl Keys {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn make_room(&mut self) {
        let largest =
            self.accounts.len().max(self.conversations.len()).max(self.devices_by_key.len());
        if largest >= REMEMBERED {
            self.clear();
        }
    }
}

impl SqliteStore {
    /// The key of an account, if there is one of this id.
    pub(super) fn account_key(&self, id: AccountId) -> Result<Option<i64>, StoreError> {
        if let Some(key) = self.keys.borrow().accounts.get(&id) {
            return Ok(Some(*key));
        }
        let sql = "SELECT key FROM accounts WHERE id = ?";
        let key = self.one(sql, [id.as_bytes()], |row| get(row, 0))?;
        if let Some(key) = key {
            let mut keys = self.keys.borrow_mut();
            keys.make_room();
            keys.accounts.insert(id, key);
        }
        Ok(key)
    }

    /// The key of a conversation, if there is one of this id.
    pub(super) fn conversation_key(&self, id: ConversationId) -> Result<Option<i64>, StoreError> {
        if let Some(key) = self.keys.borrow().conversations.get(&id) {
            return Ok(Some(*key));
        }
        let sql = "SELECT key FROM conversations WHERE id = ?";
        let key = self.one(sql, [id.as_bytes()], |row| get(row, 0))?;
        if let Some(key) = key {
            let mut keys = self.keys.borrow_mut();
            keys.make_room();
            keys.conversations.insert(id, key);
        }
        Ok(key)
    }

    /// The key of a device, if there is one of this id.
    pub(super) fn device_key(&self, id: DeviceId) -> Result<Option<DeviceKey>, StoreError> {
        if let Some(device) = self.keys.borrow().devices.get(&id) {
            return Ok(Some(*device));
        }
        let sql = "SELECT d.key, d.id, a.id FROM devices d JOIN accounts a ON a.key = d.account
             WHERE d.id = ?";
        let device = self.one(sql, [id.as_bytes()], read_device)?;
        device.inspect(|device| self.remember(*device));
        Ok(device)
    }

    /// The device of a key that stands in a row.
    pub(super) fn device_of(&self, key: i64) -> Result<DeviceKey, StoreError> {
        if let Some(device) = self.keys.borrow().devices_by_key.get(&key) {
            return Ok(*device);
        }
        let sql = "SELECT d.key, d.id, a.id FROM devices d JOIN accounts a ON a.key = d.account
             WHERE d.key = ?";
        let device = self.one(sql, [key], read_device)?;
        let device = device.ok_or(StoreError::Corrupt)?;
        self.remember(device);
        Ok(device)
    }

    /// The key of an account that must be there.
    pub(super) fn known_account(&self, id: AccountId) -> Result<i64, StoreError> {
        self.account_key(id)?.ok_or(MISUSE)
    }

    /// The key of a conversation that must be there.
    pub(super) fn known_conversation(&self, id: ConversationId) -> Result<i64, StoreError> {
        self.conversation_key(id)?.ok_or(MISUSE)
    }

    /// The key of a device that must be there.
    pub(super) fn known_device(&self, id: DeviceId) -> Result<DeviceKey, StoreError> {
        self.device_key(id)?.ok_or(MISUSE)
    }

    fn remember(&self, device: DeviceKey) {
        let mut keys = self.keys.borrow_mut();
        keys.make_room();
        keys.devices.insert(device.id, device);
        keys.devices_by_key.insert(device.key, device);
    }
}

fn read_device(row: &rusqlite::Row<'_>) -> Result<DeviceKey, StoreError> {
    Ok(DeviceKey {
        key: get(row, 0)?,
        id: DeviceId::from_bytes(get(row, 1)?),
        account: AccountId::from_bytes(get(row, 2)?),
    })
}
