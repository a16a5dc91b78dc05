//! Statements and rows: asking, and reading what comes back without trusting it.

use portcullis_crypto::Hash;
use portcullis_proto::Timestamp;
use portcullis_server_core::store::{InsertError, StoreError};
use rusqlite::types::FromSql;
use rusqlite::{Params, Row};

use super::SqliteStore;
use super::error::{MISUSE, blame, is_taken};

impl SqliteStore {
    /// The first row of a query, if it has any.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        let mut rows = statement.query(params).map_err(blame)?;
        rows.next().map_err(blame)?.map(read).transpose()
    }

    /// All rows of a query.
    pub(super) fn many<T>(
        &self,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        let mut rows = statement.query(params).map_err(blame)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(blame)? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// Changes rows, and says how many.
    pub(super) fn change(&self, sql: &str, params: impl Params) -> Result<usize, StoreError> {
        self.try_change(sql, params)?.map_err(blame)
    }

    /// Changes one row, which is there.
    pub(super) fn change_one(&self, sql: &str, params: impl Params) -> Result<(), StoreError> {
        match self.change(sql, params)? {
            1 => Ok(()),
            _ => Err(MISUSE),
        }
    }

    /// Adds a row, unless it is there.
    pub(super) fn insert(&self, sql: &str, params: impl Params) -> Result<(), InsertError> {
        match self.try_change(sql, params)? {
            Ok(_) => Ok(()),
            Err(error) if is_taken(&error) => Err(InsertError::Taken),
            Err(error) => Err(blame(error).into()),
        }
    }

    /// The same with SQLite's own error, for those who tell one from another.
    pub(super) fn try_change(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<rusqlite::Result<usize>, StoreError> {
        self.writing()?;
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        Ok(statement.execute(params))
    }
}

/// A column of a row.
pub(super) fn get<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    row.get(column).map_err(blame)
}

/// A column that counts: a version, an epoch, a sequence number.
pub(super) fn get_count(row: &Row<'_>, column: usize) -> Result<u64, StoreError> {
    u64::try_from(get::<i64>(row, column)?).map_err(|_| StoreError::Corrupt)
}

/// A column of the kind that [`count`] writes into 32 bits.
pub(super) fn get_small(row: &Row<'_>, column: usize) -> Result<u32, StoreError> {
    u32::try_from(get::<i64>(row, column)?).map_err(|_| StoreError::Corrupt)
}

/// A column that says yes or no.
pub(super) fn get_flag(row: &Row<'_>, column: usize) -> Result<bool, StoreError> {
    match get::<i64>(row, column)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(StoreError::Corrupt),
    }
}

pub(super) fn get_hash(row: &Row<'_>, column: usize) -> Result<Hash, StoreError> {
    get(row, column).map(Hash::from_bytes)
}

pub(super) fn get_time(row: &Row<'_>, column: usize) -> Result<Timestamp, StoreError> {
    Ok(Timestamp(get::<i64>(row, column)?.cast_unsigned()))
}

/// A time as it is stored: all 64 bits. Times are never compared in SQL.
pub(super) fn time(time: Timestamp) -> i64 {
    time.0.cast_signed()
}

/// A number that counts, as it is stored.
pub(super) fn count(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| MISUSE)
}

/// A number that bounds others, none of which is larger than the largest that can be stored.
pub(super) fn bound(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
