//! A store in memory that fails where a test says so: a full disk, a damaged row.

use crate::store::{
    Account, AppendError, Blob, BlobUsage, ClassicDevice, Conversation, Device, GroupInfo,
    InsertError, Invite, KeyPackage, Login, Membership, MemoryStore, Page, Place, Store,
    StoreError, StoredEnvelope, StoredList, TakenPackage, Token, TokenHash,
};
use core::cell::Cell;
use portcullis_proto::{
    AccountId, ChannelName, ConversationId, DeviceId, Reference, Stock, Timestamp, TransferId,
    UserName,
};

/// The store of a test's world.
#[derive(Debug, Default)]
pub(crate) struct FaultyStore {
    pub(crate) inner: MemoryStore,
    fault: Cell<Option<(&'static str, StoreError)>>,
}

impl FaultyStore {
    /// The next call of this name fails, once.
    pub(crate) fn fail(&self, call: &'static str, error: StoreError) {
        self.fault.set(Some((call, error)));
    }

    fn check(&self, call: &str) -> Result<(), StoreError> {
        match self.fault.get() {
            Some((wanted, error)) if wanted == call => {
                self.fault.set(None);
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

/// Each call asks first whether it is the one to fail.
macro_rules! calls {
    ($( $name:ident($( $argument:ident: $type:ty ),*) -> $ok:ty, $error:ty; )*) => {
        impl Store for FaultyStore {
            $( fn $name(&self, $( $argument: $type ),*) -> Result<$ok, $error> {
                self.check(stringify!($name))?;
                self.inner.$name($( $argument ),*)
            } )*
        }
    };
}

calls! {
    begin() -> (), StoreError;
    commit() -> (), StoreError;
    rollback() -> (), StoreError;
    savepoint() -> (), StoreError;
    release() -> (), StoreError;
    rollback_to_savepoint() -> (), StoreError;
    insert_account(account: &Account) -> (), InsertError;
    account(account: AccountId) -> Option<Account>, StoreError;
    account_by_name(name: &UserName) -> Option<Account>, StoreError;
    accounts(after: Option<&UserName>, limit: u32) -> Vec<Account>, StoreError;
    set_login(account: AccountId, login: &Login) -> (), StoreError;
    set_disabled(account: AccountId, disabled: bool) -> (), StoreError;
    insert_list(account: AccountId, list: &StoredList) -> (), InsertError;
    newest_list(account: AccountId) -> Option<StoredList>, StoreError;
    lists(account: AccountId, after: u64, limit: u32) -> Vec<StoredList>, StoreError;
    put_device(device: &Device) -> (), StoreError;
    device(device: DeviceId) -> Option<Device>, StoreError;
    put_token(token: &Token) -> (), StoreError;
    token(hash: TokenHash) -> Option<Token>, StoreError;
    drop_token(hash: TokenHash) -> (), StoreError;
    drop_tokens(device: DeviceId) -> (), StoreError;
    put_key_packages(device: DeviceId, packages: &[KeyPackage]) -> (), StoreError;
    take_key_package(device: DeviceId, now: Timestamp) -> Option<TakenPackage>, StoreError;
    stock(device: DeviceId, now: Timestamp) -> Stock, StoreError;
    drop_key_packages(device: DeviceId, until: Timestamp) -> (), StoreError;
    put_classic_key(device: DeviceId, key: &[u8]) -> (), StoreError;
    classic_key(device: DeviceId) -> Option<Vec<u8>>, StoreError;
    classic_keys(members_of: ConversationId, limit: u32) -> Vec<ClassicDevice>, StoreError;
    insert_blob(blob: &Blob) -> (), InsertError;
    blob(id: TransferId) -> Option<Blob>, StoreError;
    blobs(after: Option<TransferId>, limit: u32) -> Vec<Blob>, StoreError;
    expired_blobs(until: Timestamp, limit: u32) -> Vec<TransferId>, StoreError;
    blob_usage(account: Option<AccountId>) -> BlobUsage, StoreError;
    collect_blob(id: TransferId, account: AccountId) -> (), StoreError;
    collectors(id: TransferId) -> Vec<AccountId>, StoreError;
    drop_blob(id: TransferId) -> (), StoreError;
    put_invite(invite: &Invite) -> (), StoreError;
    take_invite(hash: TokenHash, now: Timestamp) -> bool, StoreError;
    insert_conversation(conversation: &Conversation) -> (), InsertError;
    conversation(id: ConversationId) -> Option<Conversation>, StoreError;
    conversation_by_name(name: &ChannelName) -> Option<Conversation>, StoreError;
    open_channels(after: Option<&ChannelName>, limit: u32) -> Vec<Conversation>, StoreError;
    membership(account: AccountId, conversation: ConversationId) -> Option<Membership>, StoreError;
    put_membership(account: AccountId, conversation: ConversationId, membership: &Membership)
        -> (), StoreError;
    memberships(account: AccountId, after: Option<ConversationId>, limit: u32)
        -> Vec<(Conversation, Membership)>, StoreError;
    member_count(conversation: ConversationId) -> u64, StoreError;
    begin_epoch(conversation: ConversationId, group_info: &GroupInfo) -> (), StoreError;
    group_info(conversation: ConversationId) -> Option<GroupInfo>, StoreError;
    append(conversation: ConversationId, envelopes: &[StoredEnvelope]) -> (), AppendError;
    place_of(device: DeviceId, reference: Reference) -> Option<Place>, StoreError;
    fetch(conversation: ConversationId, after: u64, upto: u64, limit: u32, bytes: usize)
        -> Page, StoreError;
}
