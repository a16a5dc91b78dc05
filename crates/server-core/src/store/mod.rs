//! Where the server keeps what must survive: a synchronous trait of coarse calls, so that SQLite, memory
//! and, later, Postgres can stand behind the same core. The contract macro is what each of them has to
//! pass.
//!
//! One thread owns a store. Everything between [`Store::begin`] and [`Store::commit`] is one
//! transaction; each request runs in a savepoint of it. These are domain types: how they are written
//! down is each implementation's own affair.

pub mod contract;
mod memory;
mod types;

pub use memory::MemoryStore;
pub use types::{
    Account, AppendError, Blob, BlobFile, BlobUsage, ClassicDevice, Conversation, Device,
    GroupInfo, InsertError, Invite, KeyPackage, Login, Membership, Page, Place, Span, StoreError,
    StoredEnvelope, StoredList, TakenPackage, Token, TokenHash,
};

use portcullis_proto::{
    AccountId, ChannelName, ConversationId, DeviceId, Reference, Stock, Timestamp, TransferId,
    UserName,
};

/// What the core asks of a store. All writes happen inside a transaction.
pub trait Store {
    /// Begins the batch's transaction.
    ///
    /// # Errors
    /// Like every call here: [`StoreError`], after which the batch is rolled back.
    fn begin(&self) -> Result<(), StoreError>;
    /// Makes everything since [`Self::begin`] durable, before it returns.
    fn commit(&self) -> Result<(), StoreError>;
    /// Forgets everything since [`Self::begin`].
    fn rollback(&self) -> Result<(), StoreError>;
    /// Begins one request.
    fn savepoint(&self) -> Result<(), StoreError>;
    /// Keeps the request's writes.
    fn release(&self) -> Result<(), StoreError>;
    /// Forgets the request's writes.
    fn rollback_to_savepoint(&self) -> Result<(), StoreError>;

    /// Adds an account.
    ///
    /// # Errors
    /// [`InsertError::Taken`] where the name or the id is.
    fn insert_account(&self, account: &Account) -> Result<(), InsertError>;
    /// The account of this id.
    fn account(&self, account: AccountId) -> Result<Option<Account>, StoreError>;
    /// The account of this name.
    fn account_by_name(&self, name: &UserName) -> Result<Option<Account>, StoreError>;
    /// Accounts in order of their names, after `after`.
    fn accounts(&self, after: Option<&UserName>, limit: u32) -> Result<Vec<Account>, StoreError>;
    /// Replaces an account's login record.
    fn set_login(&self, account: AccountId, login: &Login) -> Result<(), StoreError>;
    /// Locks an account out, or lets it in again.
    fn set_disabled(&self, account: AccountId, disabled: bool) -> Result<(), StoreError>;

    /// Adds a version to an account's device list.
    ///
    /// # Errors
    /// [`InsertError::Taken`] where that version exists.
    fn insert_list(&self, account: AccountId, list: &StoredList) -> Result<(), InsertError>;
    /// The newest version of an account's device list.
    fn newest_list(&self, account: AccountId) -> Result<Option<StoredList>, StoreError>;
    /// Versions after `after`, in order.
    fn lists(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredList>, StoreError>;
    /// Adds a device or changes it.
    fn put_device(&self, device: &Device) -> Result<(), StoreError>;
    /// The device of this id.
    fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError>;

    /// Adds a session token.
    fn put_token(&self, token: &Token) -> Result<(), StoreError>;
    /// The token with this hash.
    fn token(&self, hash: TokenHash) -> Result<Option<Token>, StoreError>;
    /// Removes one token.
    fn drop_token(&self, hash: TokenHash) -> Result<(), StoreError>;
    /// Removes all tokens of a device.
    fn drop_tokens(&self, device: DeviceId) -> Result<(), StoreError>;

    /// Adds key packages of a device, in order; one of last resort takes the place of the one before.
    fn put_key_packages(&self, device: DeviceId, packages: &[KeyPackage])
    -> Result<(), StoreError>;
    /// Takes a device's oldest single-use key package that has not expired; where there is none left,
    /// the one of last resort, which stays and counts as used from then on.
    fn take_key_package(
        &self,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Option<TakenPackage>, StoreError>;
    /// What a device still has that has not expired.
    fn stock(&self, device: DeviceId, now: Timestamp) -> Result<Stock, StoreError>;
    /// Removes a device's key packages that expire at `until` or before.
    fn drop_key_packages(&self, device: DeviceId, until: Timestamp) -> Result<(), StoreError>;

    /// Keeps a device's key for the classroom, in the place of the one before.
    fn put_classic_key(&self, device: DeviceId, key: &[u8]) -> Result<(), StoreError>;
    /// A device's key for the classroom.
    fn classic_key(&self, device: DeviceId) -> Result<Option<Vec<u8>>, StoreError>;
    /// The keys for the classroom of the devices in use whose accounts are members of a conversation and
    /// not disabled: those first that were kept last.
    fn classic_keys(
        &self,
        members_of: ConversationId,
        limit: u32,
    ) -> Result<Vec<ClassicDevice>, StoreError>;

    /// Adds a blob, which nobody has collected.
    ///
    /// # Errors
    /// [`InsertError::Taken`] where the id is.
    fn insert_blob(&self, blob: &Blob) -> Result<(), InsertError>;
    /// The blob of this id.
    fn blob(&self, id: TransferId) -> Result<Option<Blob>, StoreError>;
    /// Blobs in order of their ids, after `after`.
    fn blobs(&self, after: Option<TransferId>, limit: u32) -> Result<Vec<Blob>, StoreError>;
    /// Blobs that expire at `until` or before.
    fn expired_blobs(&self, until: Timestamp, limit: u32) -> Result<Vec<TransferId>, StoreError>;
    /// What an account's blobs take, or everybody's.
    fn blob_usage(&self, account: Option<AccountId>) -> Result<BlobUsage, StoreError>;
    /// Remembers that an account has collected a blob.
    fn collect_blob(&self, id: TransferId, account: AccountId) -> Result<(), StoreError>;
    /// The accounts that have collected a blob.
    fn collectors(&self, id: TransferId) -> Result<Vec<AccountId>, StoreError>;
    /// Removes a blob, and who has collected it.
    fn drop_blob(&self, id: TransferId) -> Result<(), StoreError>;

    /// Adds an invitation to register.
    fn put_invite(&self, invite: &Invite) -> Result<(), StoreError>;
    /// Takes the invitation with this hash out, if it is there and has not expired: true once.
    fn take_invite(&self, hash: TokenHash, now: Timestamp) -> Result<bool, StoreError>;

    /// Adds a conversation.
    ///
    /// # Errors
    /// [`InsertError::Taken`] where the name or the id is.
    fn insert_conversation(&self, conversation: &Conversation) -> Result<(), InsertError>;
    /// The conversation of this id.
    fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError>;
    /// The conversation of this name.
    fn conversation_by_name(&self, name: &ChannelName) -> Result<Option<Conversation>, StoreError>;
    /// Open channels in order of their names, after `after`.
    fn open_channels(
        &self,
        after: Option<&ChannelName>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError>;
    /// What an account is in a conversation, if anything.
    fn membership(
        &self,
        account: AccountId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError>;
    /// Adds or replaces what an account is in a conversation, or removes it where that is nothing
    /// ([`Membership::is_none`]).
    fn put_membership(
        &self,
        account: AccountId,
        conversation: ConversationId,
        membership: &Membership,
    ) -> Result<(), StoreError>;
    /// The conversations with which an account has a membership, in order of id, after `after`.
    fn memberships(
        &self,
        account: AccountId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<(Conversation, Membership)>, StoreError>;
    /// How many accounts are members (owners and members, not invited ones).
    fn member_count(&self, conversation: ConversationId) -> Result<u64, StoreError>;

    /// Moves an encrypted conversation to an epoch, and replaces what its devices join by with that
    /// epoch's.
    fn begin_epoch(
        &self,
        conversation: ConversationId,
        group_info: &GroupInfo,
    ) -> Result<(), StoreError>;
    /// What devices join an encrypted conversation by; none before its first commit.
    fn group_info(&self, conversation: ConversationId) -> Result<Option<GroupInfo>, StoreError>;

    /// Appends envelopes at the conversation's end, which moves to the last of them, and counts them
    /// for their device, except in an inbox. They continue the conversation's sequence without a gap. All or nothing: after
    /// an error the request may go on, as if it had not been called.
    ///
    /// # Errors
    /// [`AppendError::ReferenceUsed`] where the device has used a reference before.
    fn append(
        &self,
        conversation: ConversationId,
        envelopes: &[StoredEnvelope],
    ) -> Result<(), AppendError>;
    /// Where a device's reference stands, if it was ever appended.
    fn place_of(&self, device: DeviceId, reference: Reference)
    -> Result<Option<Place>, StoreError>;
    /// Envelopes `after < seq <= upto` in order: at most `limit` of them, and, past the first, no more
    /// than `bytes` bytes of bodies; with the chain just before the first.
    fn fetch(
        &self,
        conversation: ConversationId,
        after: u64,
        upto: u64,
        limit: u32,
        bytes: usize,
    ) -> Result<Page, StoreError>;
}
