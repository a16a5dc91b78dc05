//! The words of all warnings: here alone, so that a test can hold them fast.

use crate::defences::{
    ChangeRefused, CommitRefused, EntryRefused, OfferRefused, PackageRefused, StepRefused,
};
use crate::message::list;
use portcullis_proto::{DeviceName, GuestName, UserName};
use std::fmt;

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
    /// Something else stands where the server said that it had stored an own entry.
    NotKept {
        /// Where.
        at: u64,
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
    /// An edit, deletion, reaction or reply does not count.
    RefusedChange {
        /// Who made it.
        author: UserName,
        /// Where it stood.
        seq: u64,
        /// Why.
        refused: ChangeRefused,
    },
    /// Something about an encrypted conversation's keys.
    Group(GroupWarning),
    /// Something about a classroom guest.
    Guest(GuestWarning),
    /// Something about files between people.
    Files(FileWarning),
}

/// What must be known of files that somebody offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileWarning {
    /// An offer does not count.
    RefusedOffer {
        /// Who made it.
        author: UserName,
        /// Why.
        refused: OfferRefused,
    },
    /// Something that was said of a transfer does not count.
    RefusedStep {
        /// Who said it.
        author: UserName,
        /// Why.
        refused: StepRefused,
    },
}

/// What must be known of an encrypted conversation's keys, members and devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupWarning {
    /// A change of members or devices does not count here.
    RefusedCommit {
        /// Who made it.
        author: UserName,
        /// Where it stood.
        seq: u64,
        /// Why.
        reason: CommitRefused,
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
    /// These are members now, and those are no longer, since this device had keys last.
    MembersChanged {
        /// Who has come.
        came: Vec<UserName>,
        /// Who has gone.
        went: Vec<UserName>,
    },
    /// Somebody else owns the group, since this device had keys last.
    OwnerChanged {
        /// Who.
        name: UserName,
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

/// What must be known of what is said in a guest's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestWarning {
    /// No guest has signed it, or not for this place.
    NotAuthentic {
        /// Where it stood.
        seq: u64,
    },
    /// It was shown before.
    Replayed {
        /// Whose it is.
        name: GuestName,
    },
    /// It is for this device, and can't be read.
    Unreadable {
        /// Who sent it.
        name: GuestName,
    },
    /// It names another author than who sent it.
    OtherAuthor {
        /// Who sent it.
        name: GuestName,
    },
    /// It does not name this device among its readers.
    NotAddressed {
        /// Who sent it.
        name: GuestName,
    },
    /// What was shown last went to others as well.
    Shared {
        /// Who sent it.
        name: GuestName,
        /// How many they are.
        others: usize,
    },
}

impl From<GuestWarning> for Warning {
    fn from(warning: GuestWarning) -> Self {
        Self::Guest(warning)
    }
}

impl From<FileWarning> for Warning {
    fn from(warning: FileWarning) -> Self {
        Self::Files(warning)
    }
}

impl From<GroupWarning> for Warning {
    fn from(warning: GroupWarning) -> Self {
        Self::Group(warning)
    }
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
            Self::NotKept { at } => write!(
                f,
                "The server said that it had stored what you sent as number {at}, and shows something else there: the others may not have it."
            ),
            Self::Missing { author, count } => missing(f, author, *count),
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
            Self::IdentityChanged { name } => identity_changed(f, name),
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
            Self::OwnDeviceAdded { device } => own_device_added(f, device),
            Self::OwnDeviceRevoked => f.write_str("A device was removed from your account."),
            Self::WeakStretching => f.write_str(WEAK_STRETCHING),
            Self::Restored => f.write_str(RESTORED),
            Self::Nonsense => f.write_str("The server sent something that can't be read."),
            Self::KindChanged => f.write_str(KIND_CHANGED),
            Self::RefusedChange { author, refused, .. } => {
                write!(f, "{author} tried to change a message, which does not count: {refused}.")
            }
            Self::Group(warning) => warning.fmt(f),
            Self::Guest(warning) => warning.fmt(f),
            Self::Files(warning) => warning.fmt(f),
        }
    }
}

fn own_device_added(f: &mut fmt::Formatter<'_>, device: &DeviceName) -> fmt::Result {
    write!(
        f,
        "A device was added to your account: {device}. If that was not you, remove it (/devices revoke) and change your password (/password)."
    )
}

fn identity_changed(f: &mut fmt::Formatter<'_>, name: &UserName) -> fmt::Result {
    write!(
        f,
        "The identity key of {name} has changed. Either {name} has made a new account, or somebody stands between you. Compare safety numbers (/verify {name}), then /accept {name}."
    )
}

fn missing(f: &mut fmt::Formatter<'_>, author: &UserName, count: u64) -> fmt::Result {
    match count {
        1 => write!(f, "A message of {author} is missing before the next."),
        count => write!(f, "{count} messages of {author} are missing before the next."),
    }
}

fn members_changed(came: &[UserName], went: &[UserName]) -> String {
    let came = (!came.is_empty()).then(|| format!("{} came", list(came)));
    let went = (!went.is_empty()).then(|| format!("{} went", list(went)));
    came.into_iter().chain(went).collect::<Vec<_>>().join(" and ")
}

impl fmt::Display for GroupWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RefusedCommit { author, reason, .. } => write!(
                f,
                "A change of this conversation by {author} does not count here: {reason}."
            ),
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
            Self::MembersChanged { came, went } => write!(
                f,
                "While this device could not read the conversation, {}.",
                members_changed(came, went)
            ),
            Self::OwnerChanged { name } => write!(
                f,
                "While this device could not read the conversation, {name} became its owner."
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

impl fmt::Display for GuestWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAuthentic { seq } => write!(
                f,
                "Message number {seq} is from no guest, though the server says so; it is not shown."
            ),
            Self::Replayed { name } => {
                write!(f, "A message of {name} came a second time; it is not shown again.")
            }
            Self::Unreadable { name } => {
                write!(f, "A private message of {name} can't be read, so it is not shown.")
            }
            Self::OtherAuthor { name } => write!(
                f,
                "{name} sent a private message that names somebody else as its author; it is not shown."
            ),
            Self::NotAddressed { name } => write!(
                f,
                "{name} sent a private message that was meant for others; it is not shown."
            ),
            Self::Shared { name, others: 1 } => {
                write!(f, "What {name} wrote last went to somebody else as well.")
            }
            Self::Shared { name, others } => {
                write!(f, "What {name} wrote last went to {others} others as well.")
            }
        }
    }
}

impl fmt::Display for FileWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RefusedOffer { author, refused } => {
                write!(f, "{author} offered files, which does not count: {refused}.")
            }
            Self::RefusedStep { author, refused } => {
                write!(f, "{author} spoke of a transfer of files, which does not count: {refused}.")
            }
        }
    }
}
