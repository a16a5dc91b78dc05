//! What happens to a client.

use portcullis_crypto::{Outcome, Password};
use portcullis_proto::{Access, ChannelName, ConversationId, DeviceId, UserName};

/// The number of a piece of slow work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Something that happened.
#[derive(Debug)]
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

/// What a person can want.
#[derive(Debug)]
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
