//! What a client shows.

use crate::message::{Body, Message};
use crate::transfer::TransferView;
pub use crate::warning::{FileWarning, GroupWarning, GuestWarning, Warning};
use portcullis_crypto::SafetyNumber;
use portcullis_proto::{
    Access, ConversationId, ConversationKind, ConversationName, DeviceId, DeviceName, GuestName,
    Reference, Refusal, Role, Timestamp, UserName,
};

/// Something for the person, or the program.
#[derive(Debug, Clone, PartialEq)]
pub enum Show {
    /// Name and password are needed, or something in their way.
    Need(Need),
    /// The login goes on; what it is doing.
    Progress(&'static str),
    /// The session is open.
    Online {
        /// The account's name.
        name: UserName,
        /// This device.
        device: DeviceId,
    },
    /// The connection is gone.
    Offline,
    /// The server said why it ends the session.
    Ended(String),
    /// A conversation is there, or has changed.
    Conversation(ConversationView),
    /// All of the account's conversations have been shown as they are now; on a visit, the server has said who
    /// is there.
    Listed,
    /// A conversation is no longer the account's.
    Left(ConversationId),
    /// A conversation is caught up: nothing older than the server's newest is missing.
    CaughtUp(ConversationId, u64),
    /// A message in its place.
    Message(Message),
    /// An own message waits to be sent.
    Pending {
        /// Where.
        conversation: ConversationId,
        /// Its id.
        id: Reference,
        /// What.
        body: Body,
        /// When.
        at: Timestamp,
    },
    /// An own message is durable on the server.
    Sent {
        /// Where.
        conversation: ConversationId,
        /// Its id.
        id: Reference,
        /// Its place.
        seq: u64,
    },
    /// An own message was not taken.
    Failed {
        /// Where.
        conversation: ConversationId,
        /// Its id.
        id: Reference,
        /// Why.
        reason: String,
    },
    /// How far somebody has come in a conversation.
    Mark {
        /// Where.
        conversation: ConversationId,
        /// Who.
        name: UserName,
        /// Up to which sequence number a device of theirs has everything.
        delivered: u64,
        /// Up to which they have looked at it.
        read: u64,
    },
    /// Who takes part in an encrypted conversation.
    Members {
        /// Where.
        conversation: ConversationId,
        /// In the order in which they joined.
        members: Vec<MemberView>,
        /// The same for all who see the same keys: to be compared, if somebody wants to make sure.
        code: String,
    },
    /// The accounts, one page after the other; `more` says that another page follows.
    People {
        /// Some of them.
        people: Vec<PersonView>,
        /// Whether it is the first page.
        first: bool,
        /// Whether another page follows.
        more: bool,
    },
    /// Who came and went.
    Presence {
        /// Came.
        online: Vec<UserName>,
        /// Went.
        offline: Vec<UserName>,
    },
    /// The classroom guests who are here.
    Guests(Vec<GuestView>),
    /// Which classroom guests came and went.
    GuestsPresence {
        /// Came; those whose cards are not known yet are told of once they are.
        came: Vec<GuestName>,
        /// Went.
        went: Vec<GuestName>,
    },
    /// The open channels.
    Channels(Vec<ConversationView>),
    /// This account's devices.
    Devices(Vec<DeviceView>),
    /// A safety number to be compared.
    SafetyNumber {
        /// With whom.
        name: UserName,
        /// The number.
        number: SafetyNumber,
        /// What is known of their identity.
        state: IdentityState,
    },
    /// A transfer of files is there, or has changed.
    Transfer(Box<TransferView>),
    /// All transfers, the newest last.
    Transfers(Vec<TransferView>),
    /// Something was done.
    Done(String),
    /// The password was changed: the shell wraps the store key anew.
    PasswordChanged,
    /// Something was not done.
    Refused {
        /// What.
        what: &'static str,
        /// Why.
        refusal: Refusal,
    },
    /// A person must know this.
    Warning {
        /// Where, if anywhere.
        conversation: Option<ConversationId>,
        /// What.
        warning: Warning,
    },
}

/// What a login lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nobody has logged in from this home.
    Account,
    /// The password, since the server asks for it again.
    Password,
}

/// A conversation in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationView {
    /// Its id.
    pub id: ConversationId,
    /// What it is.
    pub kind: ConversationKind,
    /// Its name.
    pub name: ConversationName,
    /// How it is encrypted: the suite's name; none in a channel, which is signed only.
    pub suite: Option<&'static str>,
    /// What is known of the others' identities, the worst of them.
    pub trust: IdentityState,
    /// Who may join.
    pub access: Access,
    /// What the account is in it.
    pub role: Role,
    /// Messages that were not looked at.
    pub unread: u64,
    /// How many accounts are in it, where known.
    pub members: Option<u64>,
}

/// Somebody who takes part in an encrypted conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The name.
    pub name: UserName,
    /// Whether they own the group.
    pub owner: bool,
    /// With how many devices they take part.
    pub devices: usize,
    /// What is known of their identity.
    pub identity: IdentityState,
}

/// What is known of somebody's identity key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdentityState {
    /// Taken on trust at first contact.
    NotVerified,
    /// Compared by safety number.
    Verified,
    /// The server shows another key than before, which was not accepted.
    Changed,
    /// One's own account.
    Own,
    /// A classroom guest: a key without an account. What it says names no place, so it could have been said
    /// elsewhere, or before.
    Guest,
}

/// An account in the list of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonView {
    /// The name.
    pub name: UserName,
    /// Whether a device of theirs has a session.
    pub online: bool,
    /// What is known of their identity; none before first contact.
    pub identity: Option<IdentityState>,
}

/// A classroom guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestView {
    /// The name, computed from its key.
    pub name: GuestName,
    /// What is known of how it writes: the name of a row of the table of dialects.
    pub dialect: String,
    /// The classroom server that it is connected to, as the gateway calls it.
    pub server: String,
}

/// One of the account's devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceView {
    /// Its id.
    pub id: DeviceId,
    /// Its name.
    pub name: DeviceName,
    /// When it was added, by its own clock.
    pub added_at: Timestamp,
    /// Whether it is this one.
    pub this: bool,
}
