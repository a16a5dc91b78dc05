//! What a server says: replies to requests, and events. A client ignores fields and events that it
//! does not know.

use crate::bytes::fixed;
use crate::{
    AccountId, Bytes, ChannelName, ConversationId, DeviceId, Envelope, Seen, SignedList, Timestamp,
    UserName,
};
use portcullis_crypto::{Hash, IdentityPublic};
use serde::{Deserialize, Serialize};

/// The result of a request that was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", content = "data", rename_all = "snake_case")]
pub enum Reply {
    /// It was done, and there is nothing to add.
    Done,
    /// To `register_start`, `password_start`: OPAQUE `RegistrationResponse`.
    RegisterChallenge {
        /// The account's id, which the device list and the wrapped identity name.
        account: AccountId,
        /// OPAQUE `RegistrationResponse`.
        response: Bytes,
        /// How to stretch the password.
        stretching: Stretching,
    },
    /// To `login_start`: OPAQUE `KE2`, the same for names that don't exist.
    LoginChallenge {
        /// OPAQUE `KE2`.
        response: Bytes,
        /// How this account's password was stretched.
        stretching: Stretching,
    },
    /// To `login_finish`: the account is known; `open` comes next.
    LoggedIn(LoggedIn),
    /// To `register_finish`, `open` and `resume`: the session is open.
    Opened(Opened),
    /// To `conversations`.
    Conversations {
        /// One page.
        conversations: Vec<ConversationSummary>,
        /// Whether there is another page.
        more: bool,
    },
    /// To `channels`.
    Channels {
        /// One page.
        channels: Vec<ConversationSummary>,
        /// Whether there is another page.
        more: bool,
    },
    /// To `create_channel` and `join`.
    Conversation(ConversationSummary),
    /// To `submit`: durable from now on, at these sequence numbers.
    Submitted {
        /// Of the first envelope.
        first: u64,
        /// Of the last envelope.
        last: u64,
        /// When, by the server's clock.
        accepted_at: Timestamp,
    },
    /// To `fetch`.
    Fetched(Fetched),
    /// To `users`.
    Users {
        /// One page.
        users: Vec<UserCard>,
        /// Whether there is another page.
        more: bool,
    },
    /// To `claim_key_packages`: one for each of the account's devices that has any left.
    KeyPackages {
        /// The account's devices in use.
        packages: Vec<ClaimedPackage>,
    },
    /// To `group_info`.
    GroupInfo {
        /// The epoch that it belongs to.
        epoch: u64,
        /// An MLS `GroupInfo` with the tree, as the last committer made it.
        group_info: Bytes,
    },
    /// To `list_versions`, in the order asked for; 0 for an account that does not exist.
    ListVersions {
        /// The newest version of each account's device list.
        versions: Vec<u64>,
    },
    /// To `guests`.
    Guests {
        /// One page.
        guests: Vec<GuestCard>,
        /// Whether there is another page.
        more: bool,
    },
    /// To `account_by_name` and `account_by_id`.
    Account(AccountCard),
    /// To `reserve_blob` and `fetch_blob`: what `/blobs` asks for.
    Blob {
        /// A secret, whose base64 is the `Bearer` of an `Authorization` (RFC 6750).
        token: Bytes,
        /// Until when it serves.
        expires_at: Timestamp,
    },
    /// To `register_relay_key`.
    RelayKey {
        /// Until when it serves.
        expires_at: Timestamp,
    },
    /// A reply of a kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Something that the server says unasked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", content = "data", rename_all = "snake_case")]
pub enum Event {
    /// The first frame of a connection.
    Hello {
        /// 32 fresh random bytes, which a device signs to open a session on this connection.
        #[serde(with = "fixed")]
        nonce: Hash,
        /// The server's clock.
        time: Timestamp,
    },
    /// Something was said.
    Envelope(Envelope),
    /// A conversation is new to the account, or has changed for it.
    Conversation(ConversationSummary),
    /// The account has left a conversation, or was taken out.
    Left {
        /// Which.
        conversation: ConversationId,
    },
    /// Who came and went within the last second.
    Presence {
        /// Came.
        online: Vec<UserName>,
        /// Went.
        offline: Vec<UserName>,
        /// There were more than fit: list the users anew.
        more: bool,
    },
    /// Which classroom guests came and went within the last second.
    Guests {
        /// Came.
        came: Vec<AccountId>,
        /// Went.
        went: Vec<AccountId>,
        /// There were more than fit: list the guests anew.
        more: bool,
    },
    /// An account's device list has a new version.
    DeviceList {
        /// Whose.
        account: AccountId,
        /// Which.
        version: u64,
    },
    /// The device's stock of key packages runs low, or its last resort was used.
    KeyPackages(Stock),
    /// Events were left out, since this connection read too slowly: fetch from the cursors.
    Lagging,
    /// The server stops; come back in a moment.
    Stopping,
    /// The session has ended, and the connection with it.
    Closed {
        /// Why, in a sentence.
        reason: String,
    },
    /// An event of a kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// How a password is stretched (Argon2id, RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stretching {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

/// An account after its password was proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedIn {
    /// Its id.
    pub account: AccountId,
    /// Its identity key.
    #[serde(with = "fixed")]
    pub identity: IdentityPublic,
    /// The identity key's secret, under a key that only the password gives.
    pub wrapped_identity: Bytes,
    /// The newest version of its device list.
    pub list: SignedList,
}

/// An open session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Opened {
    /// The account.
    pub account: AccountId,
    /// Its name.
    pub name: UserName,
    /// The device.
    pub device: DeviceId,
    /// A token to resume by: 32 bytes; absent where the session was resumed by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Bytes>,
    /// How many envelopes this device has ever submitted. A device that knows of fewer was restored
    /// from an old copy.
    pub submitted: u64,
    /// The version of the account's device list.
    pub list_version: u64,
    /// The device's key packages.
    pub stock: Stock,
}

/// The key packages that the server still has of a device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Single-use ones that have not expired.
    pub left: u32,
    /// One of last resort that has not expired and was never handed out.
    pub last_resort: bool,
}

/// A key package that was handed out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedPackage {
    /// Whose.
    pub device: DeviceId,
    /// An MLS `KeyPackage`; none where the device has never left any, or all have expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Bytes>,
}

/// An account's id and its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountName {
    /// Its id.
    pub account: AccountId,
    /// Its name.
    pub name: UserName,
}

/// What a conversation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConversationKind {
    /// Signed, not encrypted.
    Channel,
    /// Two accounts, for ever; encrypted.
    Direct,
    /// As many as its members invite; encrypted.
    Group,
    /// A device's own: welcomes for it.
    Inbox,
    /// A classroom guest and one device; known to that device alone.
    Classic,
    /// A kind that this version does not know.
    #[serde(other)]
    Unknown,
}

/// Who may join a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Everyone with an account.
    Open,
    /// Who was invited.
    Invitation,
}

/// What an account is in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Made it; may invite.
    Owner,
    /// May read and write, and invite.
    Member,
    /// May join.
    Invited,
    /// Neither: an open channel that the account is not in.
    Outside,
}

impl Role {
    /// Whether an account of this role reads and writes.
    #[must_use]
    pub const fn is_present(self) -> bool {
        matches!(self, Self::Owner | Self::Member)
    }
}

/// A conversation as one account sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationSummary {
    /// Its id.
    pub conversation: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// A channel's name. A group's is known to its members alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ChannelName>,
    /// The other account of a direct.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<AccountName>,
    /// Who may join.
    pub access: Access,
    /// What the account is in it.
    pub role: Role,
    /// Its epoch; 0 in a channel.
    pub epoch: u64,
    /// The first sequence number of the account's present membership.
    #[serde(default)]
    pub since: u64,
    /// The last sequence number that the account may read.
    pub head: u64,
    /// How many accounts are in it, where it was counted: in lists of channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<u64>,
}

/// A page of a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fetched {
    /// Which conversation.
    pub conversation: ConversationId,
    /// Where the page begins: the place just before its first envelope. It differs from what was
    /// asked for where the account may not read what lies between.
    pub base: Seen,
    /// The envelopes, in order.
    pub envelopes: Vec<Envelope>,
    /// The last sequence number that the account may read.
    pub head: u64,
}

/// An account in the list of users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCard {
    /// Its id.
    pub account: AccountId,
    /// Its name.
    pub name: UserName,
    /// Whether one of its devices has a session now.
    pub online: bool,
}

/// A classroom guest who is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestCard {
    /// What stands for its key: [`AccountId::of_guest`].
    pub guest: AccountId,
    /// Its key, exactly as it sent it.
    pub pem: String,
    /// The name of its dialect, as far as the server could tell: see `classroom::Dialect`.
    pub dialect: String,
    /// The classroom server that it is connected to, as `destination_servers` names it.
    pub server: String,
}

/// An account's public side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountCard {
    /// Its id.
    pub account: AccountId,
    /// Its name.
    pub name: UserName,
    /// Its identity key.
    #[serde(with = "fixed")]
    pub identity: IdentityPublic,
    /// The versions of its device list after the one asked for, in order, at most
    /// [`crate::limits::DEVICE_LIST_VERSIONS`].
    pub lists: Vec<SignedList>,
}
