//! The store on real files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use super::*;

portcullis_server_core::store_contract! {
    make: || {
        let folder = tempfile::tempdir().unwrap();
        (SqliteStore::open(folder.path()).unwrap(), folder)
    },
    reopen: |store: SqliteStore, folder: &tempfile::TempDir| {
        drop(store);
        SqliteStore::open(folder.path()).unwrap()
    },
}
