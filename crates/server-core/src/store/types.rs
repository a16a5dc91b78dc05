//! What the store keeps, as the core sees it.

use portcullis_crypto::{AuthPublic, Hash, IdentityPublic, Stretch};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ConversationId, ConversationKind, DeviceId, Envelope,
    Reference, Role, Seen, SignedList, Timestamp, TransferId, UserName,
};

/// The world is to blame: the store can't do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreError {
    /// No room is left on the disk.
    Full,
    /// The store may not be written.
    ReadOnly,
    /// What was read is not what was written; carries no contents.
    Corrupt,
    /// Any other failure of the disk or the database.
    Io,
}

impl core::fmt::Display for StoreError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Full => "the disk is full",
            Self::ReadOnly => "the database is read-only",
            Self::Corrupt => "the database is damaged",
            Self::Io => "the database can't be used",
        })
    }
}

impl core::error::Error for StoreError {}

/// Why something could not be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertError {
    /// Its name, id or version is there already.
    Taken,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for InsertError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why envelopes could not be appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendError {
    /// The device has used one of the references before.
    ReferenceUsed,
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for AppendError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What a login is checked against, and what only the password opens.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The OPAQUE record, 192 bytes; parsed where a login begins.
    pub record: Vec<u8>,
    /// How the password was stretched for it.
    pub stretch: Stretch,
    /// The identity key's secret, wrapped under the login's export key.
    pub wrapped_identity: Vec<u8>,
}

impl core::fmt::Debug for Login {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Login(..)")
    }
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: UserName,
    /// Its identity key.
    pub identity: IdentityPublic,
    /// Its login.
    pub login: Login,
    /// Locked out by the operator.
    pub disabled: bool,
    /// When it registered.
    pub created_at: Timestamp,
}

/// A version of a device list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredList {
    /// Which version.
    pub version: u64,
    /// As it was published.
    pub signed: SignedList,
}

/// A device that is or was in an account's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub account: AccountId,
    /// Its key.
    pub auth: AuthPublic,
    /// Taken out of the list.
    pub revoked: bool,
    /// How many envelopes it has ever submitted; [`super::Store::append`] counts.
    pub submitted: u64,
}

/// The hash of a secret that a client holds: the store never has the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub Hash);

/// A session token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// Its hash.
    pub hash: TokenHash,
    /// The only device that it serves.
    pub device: DeviceId,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// An invitation to register, for one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invite {
    /// Its hash.
    pub hash: TokenHash,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// A channel's name; nothing else has one here.
    pub name: Option<ChannelName>,
    /// A direct's two accounts.
    pub between: Option<[AccountId; 2]>,
    /// Who may join.
    pub access: Access,
    /// Its epoch; 0 in a channel and in an inbox.
    pub epoch: u64,
    /// Its end: the last sequence number and the chain there.
    pub end: Seen,
}

impl Conversation {
    /// An empty channel.
    #[must_use]
    pub fn channel(id: ConversationId, name: ChannelName, access: Access) -> Self {
        Self { name: Some(name), access, ..Self::empty(id, ConversationKind::Channel) }
    }

    /// The direct of two accounts, before its first commit.
    #[must_use]
    pub fn direct(one: AccountId, other: AccountId) -> Self {
        let id = ConversationId::direct(one, other);
        Self { between: Some([one, other]), ..Self::empty(id, ConversationKind::Direct) }
    }

    /// A group before its first commit.
    #[must_use]
    pub fn group(id: ConversationId) -> Self {
        Self::empty(id, ConversationKind::Group)
    }

    /// A device's inbox, in which nothing lies yet.
    #[must_use]
    pub fn inbox(device: DeviceId) -> Self {
        Self::empty(ConversationId::inbox(device), ConversationKind::Inbox)
    }

    /// What classroom guests say privately, before anything is said: a channel without a name, which nobody
    /// finds, and which nobody but guests writes into.
    #[must_use]
    pub fn classroom() -> Self {
        Self::empty(ConversationId::CLASSROOM, ConversationKind::Channel)
    }

    fn empty(id: ConversationId, kind: ConversationKind) -> Self {
        let end = Seen { seq: 0, chain: Envelope::chain_start(id) };
        Self { id, kind, name: None, between: None, access: Access::Invitation, epoch: 0, end }
    }
}

/// What devices need to join an encrypted conversation by themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfo {
    /// The epoch that it belongs to.
    pub epoch: u64,
    /// An MLS `GroupInfo`.
    pub body: Bytes,
}

/// A key package that a device has left to be handed out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackage {
    /// An MLS `KeyPackage`.
    pub body: Bytes,
    /// From when on it is not handed out any more.
    pub expires_at: Timestamp,
    /// Handed out again and again where no other is left.
    pub last_resort: bool,
}

/// A key package that was taken out to be handed to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenPackage {
    /// An MLS `KeyPackage`.
    pub body: Bytes,
    /// It is handed out this once, and gone.
    pub single_use: bool,
    /// It is the one of last resort, and this is the first time that it is handed out.
    pub last_resort_first: bool,
}

/// A device's key for the classroom, as guests are to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassicDevice {
    /// Which device.
    pub device: DeviceId,
    /// Whose it is.
    pub account: AccountId,
    /// An RSA key as DER `SubjectPublicKeyInfo`.
    pub key: Vec<u8>,
}

/// Sequence numbers during which an account was a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub from: u64,
    /// The last; none while the membership lasts.
    pub to: Option<u64>,
}

/// What an account is, and was, in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// What it is now; [`Role::Outside`] once it has left.
    pub role: Role,
    /// What it may read, in order, without overlaps.
    pub spans: Vec<Span>,
}

impl Membership {
    /// Outside, with nothing to read: the same as no membership, so no row is kept for it.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.role == Role::Outside && self.spans.is_empty()
    }
}

/// An envelope in its place, with the chain after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEnvelope {
    /// The envelope.
    pub envelope: Envelope,
    /// The conversation's chain after it.
    pub chain: Hash,
}

/// A page of a conversation's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The place just before the first envelope: the asked-for place, and the chain there.
    pub base: Seen,
    /// The envelopes, in order.
    pub envelopes: Vec<Envelope>,
}

/// Where an envelope stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// In which conversation.
    pub conversation: ConversationId,
    /// At which sequence number.
    pub seq: u64,
    /// Since when.
    pub accepted_at: Timestamp,
    /// The reference that stands there.
    pub reference: Reference,
}

/// What a blob's bytes are called on the disk: random, so that those of a blob that is gone are never taken
/// for those of a later one under the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobFile(pub [u8; 16]);

impl core::fmt::Display for BlobFile {
    /// 32 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A transfer's sealed bytes, or the room for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    /// The transfer.
    pub id: TransferId,
    /// What its bytes are called on the disk.
    pub file: BlobFile,
    /// Whose it is, and whose share it takes.
    pub account: AccountId,
    /// Whose members may fetch it.
    pub conversation: ConversationId,
    /// How many bytes it will have.
    pub bytes: u64,
    /// Since when there is room for it.
    pub created_at: Timestamp,
    /// From when on it is not handed out any more.
    pub expires_at: Timestamp,
}

impl Blob {
    /// When room is kept for it no longer, unless a byte has come.
    #[must_use]
    pub const fn lapses_at(&self) -> Timestamp {
        self.created_at.plus_millis(crate::limits::BLOB_EMPTY_MILLIS)
    }
}

/// What blobs take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BlobUsage {
    /// How many there are.
    pub blobs: u64,
    /// How many bytes they will have together.
    pub bytes: u64,
}
