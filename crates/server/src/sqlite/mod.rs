//! The store on disk: SQLite in a data folder, one file and no set-up. What is committed is on the disk
//! before [`Store::commit`](portcullis_server_core::store::Store::commit) returns (WAL,
//! `synchronous=FULL`).
//!
//! Envelopes stand in order of arrival, so that writing them is appending; two unique indexes find
//! them by place and by reference. Inside, accounts, devices and conversations have small integer
//! keys. Leaves out a check of the whole file (`PRAGMA quick_check`): starting must not take longer
//! the more is stored. What is read is checked row by row. Memory-mapping is left off: a damaged disk
//! would stop the process where a read gives an error.
//!
//! Source: sqlite.org/wal.html, sqlite.org/pragma.html.

mod accounts;
pub mod bench;
mod blobs;
mod classic;
mod conversations;
mod error;
mod files;
mod keys;
mod log;
mod open;
mod packages;
mod recent;
mod rows;
mod schema;
mod setup;
#[cfg(test)]
mod tests;
mod transaction;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::path::PathBuf;

use portcullis_proto::{
    AccountId, ChannelName, ConversationId, DeviceId, Reference, Stock, Timestamp, TransferId,
    UserName,
};
use portcullis_server_core::store::{
    Account, AppendError, Blob, BlobUsage, ClassicDevice, Conversation, Device, GroupInfo,
    InsertError, Invite, KeyPackage, Login, Membership, Page, Place, Store, StoreError,
    StoredEnvelope, StoredList, TakenPackage, Token, TokenHash,
};
use rusqlite::Connection;

pub use error::OpenError;

/// The server's store in a data folder.
pub struct SqliteStore {
    connection: Connection,
    /// Integer keys by id. Filled by reads alone, and emptied where what was read may be undone.
    keys: RefCell<keys::Keys>,
    /// Rows that submits ask for, and moves that wait to be written.
    recent: RefCell<recent::Recent>,
    /// This transaction has made a row that has a key.
    made_keys: Cell<bool>,
    /// This transaction has written something.
    written: Cell<bool>,
    /// How far the request that runs has come.
    progress: Cell<transaction::Progress>,
    /// The transaction holds what can't be undone by itself, so it can't be committed.
    broken: Cell<bool>,
    /// `PRAGMA data_version` when it was last looked at.
    seen_version: Cell<i64>,
    folder: PathBuf,
    /// Held as long as the store: one server to a data folder. Stands after the connection, so that
    /// it is let go last.
    _lock: Option<File>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SqliteStore").field(&self.folder).finish()
    }
}

impl Store for SqliteStore {
    fn begin(&self) -> Result<(), StoreError> {
        self.begin_batch()
    }

    fn commit(&self) -> Result<(), StoreError> {
        self.commit_batch()
    }

    fn rollback(&self) -> Result<(), StoreError> {
        self.forget_batch()
    }

    fn savepoint(&self) -> Result<(), StoreError> {
        self.begin_request()
    }

    fn release(&self) -> Result<(), StoreError> {
        self.keep_request()
    }

    fn rollback_to_savepoint(&self) -> Result<(), StoreError> {
        self.forget_request()
    }

    fn insert_account(&self, account: &Account) -> Result<(), InsertError> {
        accounts::insert(self, account)
    }

    fn account(&self, account: AccountId) -> Result<Option<Account>, StoreError> {
        accounts::by_id(self, account)
    }

    fn account_by_name(&self, name: &UserName) -> Result<Option<Account>, StoreError> {
        accounts::by_name(self, name)
    }

    fn accounts(&self, after: Option<&UserName>, limit: u32) -> Result<Vec<Account>, StoreError> {
        accounts::page(self, after, limit)
    }

    fn set_login(&self, account: AccountId, login: &Login) -> Result<(), StoreError> {
        accounts::set_login(self, account, login)
    }

    fn set_disabled(&self, account: AccountId, disabled: bool) -> Result<(), StoreError> {
        accounts::set_disabled(self, account, disabled)
    }

    fn insert_list(&self, account: AccountId, list: &StoredList) -> Result<(), InsertError> {
        accounts::insert_list(self, account, list)
    }

    fn newest_list(&self, account: AccountId) -> Result<Option<StoredList>, StoreError> {
        accounts::newest_list(self, account)
    }

    fn lists(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredList>, StoreError> {
        accounts::lists(self, account, after, limit)
    }

    fn put_device(&self, device: &Device) -> Result<(), StoreError> {
        accounts::put_device(self, device)
    }

    fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        accounts::device(self, device)
    }

    fn put_token(&self, token: &Token) -> Result<(), StoreError> {
        accounts::put_token(self, token)
    }

    fn token(&self, hash: TokenHash) -> Result<Option<Token>, StoreError> {
        accounts::token(self, hash)
    }

    fn drop_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        accounts::drop_token(self, hash)
    }

    fn drop_tokens(&self, device: DeviceId) -> Result<(), StoreError> {
        accounts::drop_tokens(self, device)
    }

    fn put_key_packages(
        &self,
        device: DeviceId,
        packages: &[KeyPackage],
    ) -> Result<(), StoreError> {
        packages::put(self, device, packages)
    }

    fn take_key_package(
        &self,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Option<TakenPackage>, StoreError> {
        packages::take(self, device, now)
    }

    fn stock(&self, device: DeviceId, now: Timestamp) -> Result<Stock, StoreError> {
        packages::stock(self, device, now)
    }

    fn drop_key_packages(&self, device: DeviceId, until: Timestamp) -> Result<(), StoreError> {
        packages::drop_until(self, device, until)
    }

    fn put_classic_key(&self, device: DeviceId, key: &[u8]) -> Result<(), StoreError> {
        classic::put(self, device, key)
    }

    fn classic_key(&self, device: DeviceId) -> Result<Option<Vec<u8>>, StoreError> {
        classic::key(self, device)
    }

    fn classic_keys(
        &self,
        members_of: ConversationId,
        limit: u32,
    ) -> Result<Vec<ClassicDevice>, StoreError> {
        classic::members(self, members_of, limit)
    }

    fn insert_blob(&self, blob: &Blob) -> Result<(), InsertError> {
        blobs::insert(self, blob)
    }

    fn blob(&self, id: TransferId) -> Result<Option<Blob>, StoreError> {
        blobs::by_id(self, id)
    }

    fn blobs(&self, after: Option<TransferId>, limit: u32) -> Result<Vec<Blob>, StoreError> {
        blobs::page(self, after, limit)
    }

    fn expired_blobs(&self, until: Timestamp, limit: u32) -> Result<Vec<TransferId>, StoreError> {
        blobs::expired(self, until, limit)
    }

    fn blob_usage(&self, account: Option<AccountId>) -> Result<BlobUsage, StoreError> {
        blobs::usage(self, account)
    }

    fn collect_blob(&self, id: TransferId, account: AccountId) -> Result<(), StoreError> {
        blobs::collect(self, id, account)
    }

    fn collectors(&self, id: TransferId) -> Result<Vec<AccountId>, StoreError> {
        blobs::collectors(self, id)
    }

    fn drop_blob(&self, id: TransferId) -> Result<(), StoreError> {
        blobs::drop(self, id)
    }

    fn put_invite(&self, invite: &Invite) -> Result<(), StoreError> {
        accounts::put_invite(self, invite)
    }

    fn take_invite(&self, hash: TokenHash, now: Timestamp) -> Result<bool, StoreError> {
        accounts::take_invite(self, hash, now)
    }

    fn insert_conversation(&self, conversation: &Conversation) -> Result<(), InsertError> {
        conversations::insert(self, conversation)
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        conversations::by_id(self, id)
    }

    fn conversation_by_name(&self, name: &ChannelName) -> Result<Option<Conversation>, StoreError> {
        conversations::by_name(self, name)
    }

    fn open_channels(
        &self,
        after: Option<&ChannelName>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        conversations::open_channels(self, after, limit)
    }

    fn membership(
        &self,
        account: AccountId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        conversations::membership(self, account, conversation)
    }

    fn put_membership(
        &self,
        account: AccountId,
        conversation: ConversationId,
        membership: &Membership,
    ) -> Result<(), StoreError> {
        conversations::put_membership(self, account, conversation, membership)
    }

    fn memberships(
        &self,
        account: AccountId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<(Conversation, Membership)>, StoreError> {
        conversations::memberships(self, account, after, limit)
    }

    fn member_count(&self, conversation: ConversationId) -> Result<u64, StoreError> {
        conversations::member_count(self, conversation)
    }

    fn begin_epoch(
        &self,
        conversation: ConversationId,
        group_info: &GroupInfo,
    ) -> Result<(), StoreError> {
        conversations::begin_epoch(self, conversation, group_info)
    }

    fn group_info(&self, conversation: ConversationId) -> Result<Option<GroupInfo>, StoreError> {
        conversations::group_info(self, conversation)
    }

    fn append(
        &self,
        conversation: ConversationId,
        envelopes: &[StoredEnvelope],
    ) -> Result<(), AppendError> {
        log::append(self, conversation, envelopes)
    }

    fn place_of(
        &self,
        device: DeviceId,
        reference: Reference,
    ) -> Result<Option<Place>, StoreError> {
        log::place_of(self, device, reference)
    }

    fn fetch(
        &self,
        conversation: ConversationId,
        after: u64,
        upto: u64,
        limit: u32,
        bytes: usize,
    ) -> Result<Page, StoreError> {
        log::fetch(self, conversation, after, upto, limit, bytes)
    }
}
