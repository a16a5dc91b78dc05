//! Accounts, device lists, devices, tokens and invitations.

use portcullis_crypto::{AuthPublic, IdentityPublic, Signature, Stretch};
use portcullis_proto::{AccountId, DeviceId, SignedList, Timestamp, UserName};
use portcullis_server_core::store::{
    Account, Device, InsertError, Invite, Login, StoreError, StoredList, Token, TokenHash,
};
use rusqlite::{Row, params};

use super::SqliteStore;
use super::rows::{bound, count, get, get_count, get_flag, get_hash, get_small, get_time, time};

/// All columns of an account, in the order in which [`read_account`] reads them.
macro_rules! select_account {
    ($rest:literal) => {
        concat!(
            "SELECT id, name, identity, record, memory_kib, passes, lanes, wrapped_identity, disabled,
             created_at FROM accounts ",
            $rest
        )
    };
}

pub(super) fn insert(store: &SqliteStore, account: &Account) -> Result<(), InsertError> {
    let sql = "INSERT INTO accounts (id, name, identity, record, memory_kib, passes, lanes,
             wrapped_identity, disabled, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let login = &account.login;
    let row = params![
        account.id.as_bytes(),
        account.name.as_str(),
        account.identity.as_bytes(),
        login.record,
        login.stretch.memory_kib(),
        login.stretch.passes(),
        login.stretch.lanes(),
        login.wrapped_identity,
        account.disabled,
        time(account.created_at),
    ];
    store.made_keys.set(true);
    store.insert(sql, row)
}

pub(super) fn by_id(store: &SqliteStore, id: AccountId) -> Result<Option<Account>, StoreError> {
    let sql = select_account!("WHERE id = ?");
    store.one(sql, [id.as_bytes()], read_account)
}

pub(super) fn by_name(store: &SqliteStore, name: &UserName) -> Result<Option<Account>, StoreError> {
    let sql = select_account!("WHERE name = ?");
    store.one(sql, [name.as_str()], read_account)
}

pub(super) fn page(
    store: &SqliteStore,
    after: Option<&UserName>,
    limit: u32,
) -> Result<Vec<Account>, StoreError> {
    let sql = select_account!("WHERE name > ? ORDER BY name LIMIT ?");
    let after = after.map_or("", UserName::as_str);
    store.many(sql, params![after, limit], read_account)
}

pub(super) fn set_login(
    store: &SqliteStore,
    account: AccountId,
    login: &Login,
) -> Result<(), StoreError> {
    let sql = "UPDATE accounts SET record = ?, memory_kib = ?, passes = ?, lanes = ?,
             wrapped_identity = ? WHERE id = ?";
    let row = params![
        login.record,
        login.stretch.memory_kib(),
        login.stretch.passes(),
        login.stretch.lanes(),
        login.wrapped_identity,
        account.as_bytes(),
    ];
    store.change_one(sql, row)
}

pub(super) fn set_disabled(
    store: &SqliteStore,
    account: AccountId,
    disabled: bool,
) -> Result<(), StoreError> {
    let sql = "UPDATE accounts SET disabled = ? WHERE id = ?";
    store.change_one(sql, params![disabled, account.as_bytes()])
}

pub(super) fn insert_list(
    store: &SqliteStore,
    account: AccountId,
    list: &StoredList,
) -> Result<(), InsertError> {
    let sql = "INSERT INTO lists (account, version, list, signature) VALUES (?, ?, ?, ?)";
    let row = params![
        store.known_account(account)?,
        count(list.version)?,
        list.signed.list.as_slice(),
        list.signed.signature.as_bytes(),
    ];
    store.insert(sql, row)
}

pub(super) fn newest_list(
    store: &SqliteStore,
    account: AccountId,
) -> Result<Option<StoredList>, StoreError> {
    let Some(account) = store.account_key(account)? else {
        return Ok(None);
    };
    let sql = "SELECT version, list, signature FROM lists WHERE account = ?
             ORDER BY version DESC LIMIT 1";
    store.one(sql, [account], read_list)
}

pub(super) fn lists(
    store: &SqliteStore,
    account: AccountId,
    after: u64,
    limit: u32,
) -> Result<Vec<StoredList>, StoreError> {
    let Some(account) = store.account_key(account)? else {
        return Ok(Vec::new());
    };
    let sql = "SELECT version, list, signature FROM lists WHERE account = ? AND version > ?
             ORDER BY version LIMIT ?";
    store.many(sql, params![account, bound(after), limit], read_list)
}

/// Adds or changes; a device never changes hands.
pub(super) fn put_device(store: &SqliteStore, device: &Device) -> Result<(), StoreError> {
    let sql = "INSERT INTO devices (id, account, auth, revoked, submitted) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET auth = excluded.auth, revoked = excluded.revoked,
             submitted = excluded.submitted WHERE account = excluded.account";
    let row = params![
        device.id.as_bytes(),
        store.known_account(device.account)?,
        device.auth.as_bytes(),
        device.revoked,
        count(device.submitted)?,
    ];
    store.made_keys.set(true);
    store.change_one(sql, row)
}

pub(super) fn device(store: &SqliteStore, id: DeviceId) -> Result<Option<Device>, StoreError> {
    let Some(known) = store.device_key(id)? else {
        return Ok(None);
    };
    store.settle()?;
    let sql = "SELECT auth, revoked, submitted FROM devices WHERE key = ?";
    store.one(sql, [known.key], |row| {
        Ok(Device {
            id,
            account: known.account,
            auth: AuthPublic::from_bytes(get(row, 0)?).map_err(|_| StoreError::Corrupt)?,
            revoked: get_flag(row, 1)?,
            submitted: get_count(row, 2)?,
        })
    })
}

pub(super) fn put_token(store: &SqliteStore, token: &Token) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO tokens (hash, device, expires_at) VALUES (?, ?, ?)";
    let device = store.known_device(token.device)?.key;
    let row = params![token.hash.0.as_bytes(), device, time(token.expires_at)];
    store.change_one(sql, row)
}

pub(super) fn token(store: &SqliteStore, hash: TokenHash) -> Result<Option<Token>, StoreError> {
    let sql = "SELECT device, expires_at FROM tokens WHERE hash = ?";
    let found = store.one(sql, [hash.0.as_bytes()], |row| Ok((get(row, 0)?, get_time(row, 1)?)))?;
    let Some((device, expires_at)) = found else {
        return Ok(None);
    };
    Ok(Some(Token { hash, device: store.device_of(device)?.id, expires_at }))
}

pub(super) fn drop_token(store: &SqliteStore, hash: TokenHash) -> Result<(), StoreError> {
    let sql = "DELETE FROM tokens WHERE hash = ?";
    store.change(sql, [hash.0.as_bytes()]).map(|_| ())
}

pub(super) fn drop_tokens(store: &SqliteStore, device: DeviceId) -> Result<(), StoreError> {
    let Some(device) = store.device_key(device)? else {
        return Ok(());
    };
    let sql = "DELETE FROM tokens WHERE device = ?";
    store.change(sql, [device.key]).map(|_| ())
}

pub(super) fn put_invite(store: &SqliteStore, invite: &Invite) -> Result<(), StoreError> {
    let sql = "INSERT OR REPLACE INTO invites (hash, expires_at) VALUES (?, ?)";
    let row = params![invite.hash.0.as_bytes(), time(invite.expires_at)];
    store.change_one(sql, row)
}

pub(super) fn take_invite(
    store: &SqliteStore,
    hash: TokenHash,
    now: Timestamp,
) -> Result<bool, StoreError> {
    store.writing()?;
    let sql = "SELECT hash, expires_at FROM invites WHERE hash = ?";
    let invite = store.one(sql, [hash.0.as_bytes()], |row| {
        Ok(Invite { hash: TokenHash(get_hash(row, 0)?), expires_at: get_time(row, 1)? })
    })?;
    if invite.is_none_or(|invite| now >= invite.expires_at) {
        return Ok(false);
    }
    let sql = "DELETE FROM invites WHERE hash = ?";
    store.change_one(sql, [hash.0.as_bytes()]).map(|()| true)
}

fn read_account(row: &Row<'_>) -> Result<Account, StoreError> {
    let stretch = Stretch::parse(get_small(row, 4)?, get_small(row, 5)?, get_small(row, 6)?);
    let name: String = get(row, 1)?;
    Ok(Account {
        id: AccountId::from_bytes(get(row, 0)?),
        name: UserName::parse(&name).map_err(|_| StoreError::Corrupt)?,
        identity: IdentityPublic::from_bytes(get(row, 2)?).map_err(|_| StoreError::Corrupt)?,
        login: Login {
            record: get(row, 3)?,
            stretch: stretch.map_err(|_| StoreError::Corrupt)?,
            wrapped_identity: get(row, 7)?,
        },
        disabled: get_flag(row, 8)?,
        created_at: get_time(row, 9)?,
    })
}

fn read_list(row: &Row<'_>) -> Result<StoredList, StoreError> {
    let list: Vec<u8> = get(row, 1)?;
    Ok(StoredList {
        version: get_count(row, 0)?,
        signed: SignedList { list: list.into(), signature: Signature::from_bytes(get(row, 2)?) },
    })
}
