//! What a client shows, and the words of its warnings: here alone, so that a test can hold them fast.

use crate::defences::{ChangeRefused, CommitRefused, EntryRefused, PackageRefused};
use crate::message::{Body, Message};
use portcullis_crypto::SafetyNumber;
use portcullis_proto::{
    Access, ConversationId, ConversationKind, ConversationName, DeviceId, DeviceName, Reference,
    Refusal, Role, Timestamp, UserName,
};
use std::fmt;

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
    /// All of the account's conversations have been shown as they are now.
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

/// What a server, or a member, did that it must not, or a change that a person must know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The log is shorter than what was seen of it.
    Rewound {
        /// The last sequence number that was seen.
        seen: u64,
        /// The last one that the server admits now.
        head: u64,
    },
    /// An author has seen another log than this device.
    Forked {
        /// The author.
        author: UserName,
        /// Up to where the author had read.
        at: u64,
    },
    /// A page does not continue what was read before.
    BrokenChain {
        /// Where it should have continued.
        at: u64,
    },
    /// The server says that the account was not a member for a while.
    Skipped {
        /// The first number that is not shown.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The server speaks of messages that it does not show.
    Withheld {
        /// The last number that was read.
        at: u64,
        /// Up to where messages should be.
        head: u64,
    },
    /// Envelopes came in another order than their numbers, or in another conversation's place.
    OutOfOrder {
        /// Which number was expected.
        expected: u64,
        /// Which came.
        got: u64,
    },
    /// Messages of a device are missing.
    Missing {
        /// Its account.
        author: UserName,
        /// How many.
        count: u64,
    },
    /// A message that was there before came again.
    Replayed {
        /// Its account.
        author: UserName,
    },
    /// A message whose signature or place does not hold; its text is not shown.
    NotAuthentic {
        /// Whom the server names as its author.
        author: UserName,
        /// Where it stood.
        seq: u64,
    },
    /// A message of a device that the author's signed device list does not name.
    UnlistedDevice {
        /// Whom the server names as its author.
        author: UserName,
        /// Where it stood.
        seq: u64,
    },
    /// An account shows another identity key.
    IdentityChanged {
        /// Which.
        name: UserName,
    },
    /// The server shows a device list that was replaced before.
    OlderList {
        /// Whose.
        name: UserName,
    },
    /// The server shows a device list that is not signed, or does not follow the one before.
    ForgedList {
        /// Whose.
        name: UserName,
    },
    /// An account has a new device, signed by the identity that is known.
    DeviceAdded {
        /// Which.
        name: UserName,
        /// What its owner calls it.
        device: DeviceName,
    },
    /// An account has removed devices.
    DeviceRevoked {
        /// Which.
        name: UserName,
    },
    /// This account has a new device.
    OwnDeviceAdded {
        /// What it is called.
        device: DeviceName,
    },
    /// A device of this account was removed.
    OwnDeviceRevoked,
    /// The server asks for a cheaper password stretching than this client allows.
    WeakStretching,
    /// This home was restored from an older copy.
    Restored,
    /// The server sent something that can't be read.
    Nonsense,
    /// The server says that a conversation is of another kind than it was, or with somebody else.
    KindChanged,
    /// A change of members or devices does not count here.
    RefusedCommit {
        /// Who made it.
        author: UserName,
        /// Where it stood.
        seq: u64,
        /// Why.
        reason: CommitRefused,
    },
    /// An edit, deletion, reaction or reply does not count.
    RefusedChange {
        /// Who made it.
        author: UserName,
        /// Where it stood.
        seq: u64,
        /// Why.
        refused: ChangeRefused,
    },
    /// What a device says whose change of the conversation was refused.
    Strayed {
        /// Its account.
        author: UserName,
        /// Where it stood.
        seq: u64,
    },
    /// A message that these keys don't open.
    Unreadable {
        /// Whom the server names as its author.
        author: UserName,
        /// Where it stood.
        seq: u64,
    },
    /// This device's keys are not what the others have; it joins again.
    LostPlace,
    /// It has joined again.
    FoundAgain {
        /// Entries that it could not read meanwhile.
        count: u64,
    },
    /// It has joined again several times, and still can't read.
    Lost,
    /// A welcome that none of this device's key packages opens.
    WelcomeNotForUs,
    /// A welcome to where this device is already.
    ReplayedWelcome,
    /// A welcome into a conversation that is not entered.
    RefusedWelcome {
        /// Who sent it.
        name: UserName,
        /// Why.
        reason: EntryRefused,
    },
    /// A conversation of this account that is not entered.
    RefusedEntry {
        /// Why.
        reason: EntryRefused,
    },
    /// A key package that is not used.
    RefusedKeyPackage {
        /// Whose it was said to be.
        name: UserName,
        /// Why.
        reason: PackageRefused,
    },
}

const WEAK_STRETCHING: &str = "The server asks for a weaker protection of your password than this program allows; the login was stopped.";
const KIND_CHANGED: &str = "The server says that a conversation is of another kind than before, or with somebody else; it is not believed.";
const LOST_PLACE: &str =
    "This device's keys for the conversation no longer fit the others'. It joins again by itself.";
const LOST: &str = "This device can't follow the conversation, though it has joined again several times. Log in as a new device, or ask the others what they see.";
const RESTORED: &str =
    "This home was restored from an older copy. Its history stays; it goes on as a new device.";

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rewound { seen, head } => write!(
                f,
                "The server has taken messages back: you have read up to number {seen}, and it now ends at {head}."
            ),
            Self::Forked { author, at } => write!(
                f,
                "The server shows {author} another conversation than you: what you were shown up to number {at} differs."
            ),
            Self::BrokenChain { at } => write!(
                f,
                "The server has changed what you have already read, at or before number {at}."
            ),
            Self::Skipped { from, to } => write!(
                f,
                "Messages {from} to {to} are not shown: the server says that you were not a member then."
            ),
            Self::Withheld { at, head } => write!(
                f,
                "The server speaks of messages up to number {head}, and shows none after {at}."
            ),
            Self::OutOfOrder { expected, got } => {
                write!(f, "The server sent message number {got} where number {expected} belongs.")
            }
            Self::Missing { author, count: 1 } => {
                write!(f, "A message of {author} is missing before the next.")
            }
            Self::Missing { author, count } => {
                write!(f, "{count} messages of {author} are missing before the next.")
            }
            Self::Replayed { author } => {
                write!(f, "A message of {author} came a second time; it is not shown again.")
            }
            Self::NotAuthentic { author, seq } => write!(
                f,
                "Message number {seq} is not from {author}, though the server says so; it is not shown."
            ),
            Self::UnlistedDevice { author, seq } => write!(
                f,
                "Message number {seq} comes from a device that {author} has not signed; it is not shown."
            ),
            Self::IdentityChanged { name } => write!(
                f,
                "The identity key of {name} has changed. Either {name} has made a new account, or somebody stands between you. Compare safety numbers (/verify {name}), then /accept {name}."
            ),
            Self::OlderList { name } => write!(
                f,
                "The server shows an older list of {name}'s devices than it did before; it is not used."
            ),
            Self::ForgedList { name } => write!(
                f,
                "The server shows a list of {name}'s devices that {name} has not signed; it is not used."
            ),
            Self::DeviceAdded { name, device } => {
                write!(f, "{name} has added a device: {device}.")
            }
            Self::DeviceRevoked { name } => write!(f, "{name} has removed a device."),
            Self::OwnDeviceAdded { device } => write!(
                f,
                "A device was added to your account: {device}. If that was not you, remove it (/devices revoke) and change your password (/password)."
            ),
            Self::OwnDeviceRevoked => f.write_str("A device was removed from your account."),
            Self::WeakStretching => f.write_str(WEAK_STRETCHING),
            Self::Restored => f.write_str(RESTORED),
            Self::Nonsense => f.write_str("The server sent something that can't be read."),
            Self::KindChanged => f.write_str(KIND_CHANGED),
            Self::RefusedCommit { author, reason, .. } => write!(
                f,
                "A change of this conversation by {author} does not count here: {reason}."
            ),
            Self::RefusedChange { author, refused, .. } => {
                write!(f, "{author} tried to change a message, which does not count: {refused}.")
            }
            Self::Strayed { author, seq } => write!(
                f,
                "Entry number {seq} of {author} can't be read: it follows a change that does not count here."
            ),
            Self::Unreadable { author, seq } => write!(
                f,
                "Message number {seq} of {author} can't be opened, so it is not shown: it was changed on its way, or this device has lost its place."
            ),
            Self::LostPlace => f.write_str(LOST_PLACE),
            Self::FoundAgain { count: 0 } => {
                f.write_str("This device takes part in the conversation again.")
            }
            Self::FoundAgain { count } => write!(
                f,
                "This device takes part in the conversation again; it could not read {count} entries meanwhile."
            ),
            Self::Lost => f.write_str(LOST),
            Self::WelcomeNotForUs => f.write_str(
                "Somebody sent keys to this device that it can't open; if they are for a conversation of yours, it joins by itself."
            ),
            Self::ReplayedWelcome => {
                f.write_str("The server sent old keys of a conversation again; they are not used.")
            }
            Self::RefusedWelcome { name, reason } => write!(
                f,
                "{name} invited you to a conversation, which is not entered: {reason}."
            ),
            Self::RefusedEntry { reason } => {
                write!(f, "This conversation is not entered: {reason}.")
            }
            Self::RefusedKeyPackage { name, reason } => write!(
                f,
                "The server offered a key for a device of {name} that is not used: {reason}."
            ),
        }
    }
}
