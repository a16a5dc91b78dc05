//! What happens to a client.

use portcullis_crypto::{Outcome, Password};
use portcullis_proto::{Access, ChannelName, ConversationId, DeviceId, UserName};
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
            Self::Command(command) => f.debug_tuple("Command").field(command).finish(),
            Self::Tick => f.write_str("Tick"),
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
        text: String,
    },
    /// Join a channel.
    Join(ChannelName),
    /// Make a channel.
    Create(ChannelName, Access),
    /// Leave a channel.
    Leave(ConversationId),
    /// Let somebody join a channel.
    Invite(ConversationId, UserName),
    /// List the open channels.
    ListChannels,
    /// List the accounts, and hear who comes and goes from then on.
    ListUsers,
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
    /// End the session and its token.
    SignOut,
}

impl fmt::Debug for Command {
    /// Leaves out passwords, invitation codes and what is said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { name, .. } => write!(f, "Register({name}, ..)"),
            Self::LogIn { name, .. } => write!(f, "LogIn({name}, ..)"),
            Self::Say { conversation, text } => {
                write!(f, "Say({conversation}, {} bytes)", text.len())
            }
            Self::Join(name) => write!(f, "Join({name})"),
            Self::Create(name, access) => write!(f, "Create({name}, {access:?})"),
            Self::Leave(id) => write!(f, "Leave({id})"),
            Self::Invite(id, name) => write!(f, "Invite({id}, {name})"),
            Self::ListChannels => f.write_str("ListChannels"),
            Self::ListUsers => f.write_str("ListUsers"),
            Self::ShowSafetyNumber(name) => write!(f, "ShowSafetyNumber({name})"),
            Self::MarkVerified(name) => write!(f, "MarkVerified({name})"),
            Self::AcceptIdentity(name) => write!(f, "AcceptIdentity({name})"),
            Self::ListDevices => f.write_str("ListDevices"),
            Self::RevokeDevice(device, _) => write!(f, "RevokeDevice({device}, ..)"),
            Self::ChangePassword { .. } => f.write_str("ChangePassword(..)"),
            Self::MarkRead(id) => write!(f, "MarkRead({id})"),
            Self::SignOut => f.write_str("SignOut"),
        }
    }
}
