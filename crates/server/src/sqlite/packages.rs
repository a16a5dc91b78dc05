//! Key packages: in order of arrival, each handed out once but the last resort.

use portcullis_proto::{DeviceId, Stock, Timestamp};
use portcullis_server_core::store::{KeyPackage, StoreError, TakenPackage};
use rusqlite::params;

use super::SqliteStore;
use super::rows::{bound, count, get, get_flag, get_small};

pub(super) fn put(
    store: &SqliteStore,
    device: DeviceId,
    packages: &[KeyPackage],
) -> Result<(), StoreError> {
    let device = store.known_device(device)?.key;
    for package in packages {
        if package.last_resort {
            let sql = "DELETE FROM key_packages WHERE device = ? AND last_resort = 1";
            store.change(sql, [device])?;
        }
        let sql = "INSERT INTO key_packages (device, expires_at, last_resort, used, body)
             VALUES (?, ?, ?, 0, ?)";
        let expires_at = count(package.expires_at.0)?;
        let row = params![device, expires_at, package.last_resort, package.body.as_slice()];
        store.change_one(sql, row)?;
    }
    Ok(())
}

pub(super) fn take(
    store: &SqliteStore,
    device: DeviceId,
    now: Timestamp,
) -> Result<Option<TakenPackage>, StoreError> {
    let device = store.known_device(device)?.key;
    store.writing()?;
    let sql = "SELECT arrival, last_resort, used, body FROM key_packages
             WHERE device = ? AND expires_at > ? ORDER BY last_resort, arrival LIMIT 1";
    let found = store.one(sql, [device, bound(now.0)], |row| {
        let (last_resort, used) = (get_flag(row, 1)?, get_flag(row, 2)?);
        Ok((get::<i64>(row, 0)?, last_resort, used, get::<Vec<u8>>(row, 3)?))
    })?;
    let Some((arrival, last_resort, used, body)) = found else {
        return Ok(None);
    };
    let sql = match last_resort {
        true => "UPDATE key_packages SET used = 1 WHERE arrival = ?",
        false => "DELETE FROM key_packages WHERE arrival = ?",
    };
    store.change_one(sql, [arrival])?;
    let (single_use, last_resort_first) = (!last_resort, last_resort && !used);
    Ok(Some(TakenPackage { body: body.into(), single_use, last_resort_first }))
}

pub(super) fn stock(
    store: &SqliteStore,
    device: DeviceId,
    now: Timestamp,
) -> Result<Stock, StoreError> {
    let Some(device) = store.device_key(device)? else {
        return Ok(Stock::default());
    };
    let sql = "SELECT count(*) FILTER (WHERE last_resort = 0),
             count(*) FILTER (WHERE last_resort = 1 AND used = 0)
             FROM key_packages WHERE device = ? AND expires_at > ?";
    let stock = store.one(sql, [device.key, bound(now.0)], |row| {
        Ok(Stock { left: get_small(row, 0)?, last_resort: get_flag(row, 1)? })
    })?;
    stock.ok_or(StoreError::Corrupt)
}

pub(super) fn drop_until(
    store: &SqliteStore,
    device: DeviceId,
    until: Timestamp,
) -> Result<(), StoreError> {
    let device = store.known_device(device)?.key;
    let sql = "DELETE FROM key_packages WHERE device = ? AND expires_at <= ?";
    store.change(sql, [device, bound(until.0)]).map(|_| ())
}
