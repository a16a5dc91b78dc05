//! What happens to a client.

use crate::transfer::Moved;
use portcullis_crypto::{Outcome, Password};
use portcullis_proto::{
    Access, ChannelName, ConversationId, DeviceId, FileOffer, GroupName, PersonName, Reference,
    TransferId, UserName,
};
use std::fmt;

/// The number of a piece of slow work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Something that happened.
pub enum Event {
    /// A connection to the server stands.
    Connected,
    /// It is gone.
    Disconnected,
    /// A text frame came in.
    Frame(String),
    /// Slow work is done.
    Worked(JobId, Outcome),
    /// Something came of a task for a transfer.
    Moved(TransferId, Moved),
    /// The person, or a program, wants something.
    Command(Command),
    /// Time has passed: about once a second.
    Tick,
}

impl fmt::Debug for Event {
    /// Frames carry tokens, so only their length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => f.write_str("Connected"),
            Self::Disconnected => f.write_str("Disconnected"),
            Self::Frame(frame) => write!(f, "Frame({} bytes)", frame.len()),
            Self::Worked(id, outcome) => f.debug_tuple("Worked").field(id).field(outcome).finish(),
            Self::Moved(id, moved) => f.debug_tuple("Moved").field(id).field(moved).finish(),
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Tick => f.write_str("Tick"),
        }
    }
}

/// Something to be said.
#[derive(Clone, PartialEq, Eq)]
pub enum Saying {
    /// A text.
    Text(String),
    /// A text that answers a message.
    Reply {
        /// Which.
        to: Reference,
        /// What.
        text: String,
    },
    /// An own message otherwise.
    Edit {
        /// Which.
        target: Reference,
        /// What it is to say.
        text: String,
    },
    /// Take an own message back.
    Delete {
        /// Which.
        target: Reference,
    },
    /// React to a message.
    Reaction {
        /// Which.
        target: Reference,
        /// With what; empty takes one's reaction back.
        emoji: String,
    },
}

impl fmt::Debug for Saying {
    /// Leaves out what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Reply { to, text } => write!(f, "Reply({to}, {} bytes)", text.len()),
            Self::Edit { target, text } => write!(f, "Edit({target}, {} bytes)", text.len()),
            Self::Delete { target } => write!(f, "Delete({target})"),
            Self::Reaction { target, .. } => write!(f, "Reaction({target})"),
        }
    }
}

/// What a person can want.
pub enum Command {
    /// Make an account, with this device as its first.
    Register {
        /// The name wanted.
        name: UserName,
        /// The password.
        password: Password,
        /// An invitation code, where the server asks for one.
        invite: Option<String>,
    },
    /// Log in: by the home's own account, or as a new device of one.
    LogIn {
        /// The account's name.
        name: UserName,
        /// The password.
        password: Password,
    },
    /// Say something.
    Say {
        /// Where.
        conversation: ConversationId,
        /// What.
        what: Saying,
    },
    /// Say something to somebody alone: in the direct with them, which is made where there is none, or to
    /// a classroom guest.
    Tell(PersonName, String),
    /// Make a group with these members.
    CreateGroup(GroupName, Vec<UserName>),
    /// Take somebody out of a group.
    Remove(ConversationId, UserName),
    /// Give a group another name.
    Rename(ConversationId, GroupName),
    /// Make somebody else the owner of a group.
    SetOwner(ConversationId, UserName),
    /// Show who takes part in an encrypted conversation.
    ShowMembers(ConversationId),
    /// Join a channel.
    Join(ChannelName),
    /// Make a channel.
    Create(ChannelName, Access),
    /// Leave a channel or group.
    Leave(ConversationId),
    /// Let somebody join a channel, or make them a member of a group.
    Invite(ConversationId, UserName),
    /// List the open channels.
    ListChannels,
    /// List the accounts, and hear who comes and goes from then on.
    ListUsers,
    /// List the classroom guests who are here.
    ListGuests,
    /// Whether classroom guests may write to this account privately.
    AllowGuests(bool),
    /// Show the safety number with somebody.
    ShowSafetyNumber(UserName),
    /// The safety numbers were compared and are the same.
    MarkVerified(UserName),
    /// Take somebody's new identity key for theirs.
    AcceptIdentity(UserName),
    /// List this account's devices.
    ListDevices,
    /// Take a device out of the account.
    RevokeDevice(DeviceId, Password),
    /// Change the password.
    ChangePassword {
        /// The present one.
        old: Password,
        /// The new one.
        new: Password,
    },
    /// A conversation was looked at: nothing in it is unread.
    MarkRead(ConversationId),
    /// Offer files in an encrypted conversation. The shell has read and hashed them.
    Offer {
        /// Where.
        conversation: ConversationId,
        /// What.
        offer: Box<FileOffer>,
        /// Where the files are, in the shell's own words.
        place: String,
        /// Put them on the server without waiting for anybody's answer.
        relay_now: bool,
    },
    /// Take or decline what was offered.
    Answer {
        /// Which.
        transfer: TransferId,
        /// Where the files are to be put, in the shell's own words; none declines.
        place: Option<String>,
    },
    /// Halt a transfer.
    Pause(TransferId),
    /// Go on with a transfer that was halted, or could not go on.
    Resume(TransferId),
    /// End a transfer before its time, here and for others where it was offered here.
    Cancel(TransferId),
    /// Show the transfers.
    ListTransfers,
    /// Take what somebody offers up to so many bytes without being asked; none asks always.
    AutoAccept(UserName, Option<u64>),
    /// Whether somebody whose identity is not verified may be reached, and may reach this device, directly,
    /// which shows them its address.
    AllowDirect(UserName, bool),
    /// End the session and its token.
    SignOut,
}

impl fmt::Debug for Command {
    /// Leaves out passwords, invitation codes and what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { name, .. } => write!(f, "Register({name}, ..)"),
            Self::LogIn { name, .. } => write!(f, "LogIn({name}, ..)"),
            Self::Say { conversation, what } => write!(f, "Say({conversation}, {what:?})"),
            Self::Tell(name, text) => write!(f, "Tell({name}, {} bytes)", text.len()),
            Self::CreateGroup(name, members) => write!(f, "CreateGroup({name}, {members:?})"),
            Self::Remove(id, name) => write!(f, "Remove({id}, {name})"),
            Self::Rename(id, name) => write!(f, "Rename({id}, {name})"),
            Self::SetOwner(id, name) => write!(f, "SetOwner({id}, {name})"),
            Self::ShowMembers(id) => write!(f, "ShowMembers({id})"),
            Self::Join(name) => write!(f, "Join({name})"),
            Self::Create(name, access) => write!(f, "Create({name}, {access:?})"),
            Self::Leave(id) => write!(f, "Leave({id})"),
            Self::Invite(id, name) => write!(f, "Invite({id}, {name})"),
            Self::ListChannels => f.write_str("ListChannels"),
            Self::ListUsers => f.write_str("ListUsers"),
            Self::ListGuests => f.write_str("ListGuests"),
            Self::AllowGuests(allow) => write!(f, "AllowGuests({allow})"),
            Self::ShowSafetyNumber(name) => write!(f, "ShowSafetyNumber({name})"),
            Self::MarkVerified(name) => write!(f, "MarkVerified({name})"),
            Self::AcceptIdentity(name) => write!(f, "AcceptIdentity({name})"),
            Self::ListDevices => f.write_str("ListDevices"),
            Self::RevokeDevice(device, _) => write!(f, "RevokeDevice({device}, ..)"),
            Self::ChangePassword { .. } => f.write_str("ChangePassword(..)"),
            Self::MarkRead(id) => write!(f, "MarkRead({id})"),
            Self::Offer { conversation, offer, .. } => {
                write!(f, "Offer({conversation}, {}, ..)", offer.transfer)
            }
            Self::Answer { transfer, place } => {
                write!(f, "Answer({transfer}, {})", place.is_some())
            }
            Self::Pause(id) => write!(f, "Pause({id})"),
            Self::Resume(id) => write!(f, "Resume({id})"),
            Self::Cancel(id) => write!(f, "Cancel({id})"),
            Self::ListTransfers => f.write_str("ListTransfers"),
            Self::AutoAccept(name, bytes) => write!(f, "AutoAccept({name}, {bytes:?})"),
            Self::AllowDirect(name, allow) => write!(f, "AllowDirect({name}, {allow})"),
            Self::SignOut => f.write_str("SignOut"),
        }
    }
}
