//! What a key may yield: the shell's part.

use super::command::Command;
use super::password::Password;
use super::view::ConversationKey;
use portcullis_proto::{DeviceId, UserName};

/// What the shell is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Action {
    /// Obey a command, or say a text. `Help`, `Password` and `Quit` never arrive: the
    /// screen does them, or asks for what they lack.
    Command {
        /// What to do.
        command: Command,
        /// The conversation that was open.
        open: Option<ConversationKey>,
    },
    /// Open another conversation.
    Open(ConversationKey),
    /// Fetch older lines of the open conversation.
    LoadOlder,
    /// Make an account.
    Register {
        /// Its name.
        name: UserName,
        /// Its password.
        password: Password,
        /// The invitation code, where the server asks for one.
        invitation: Option<String>,
    },
    /// Log in on this new device.
    LogIn {
        /// The account's name.
        name: UserName,
        /// Its password.
        password: Password,
    },
    /// Open this home, which has an account.
    Unlock {
        /// The account's password.
        password: Password,
    },
    /// Leave this home's form for that of another account.
    OtherAccount,
    /// Take a device off the list.
    RevokeDevice {
        /// Which.
        device: DeviceId,
        /// The account's password, in confirmation.
        password: Password,
    },
    /// Change the password.
    ChangePassword {
        /// The one of now.
        old: Password,
        /// The one to come.
        new: Password,
    },
    /// Answer the dialog: yes or no.
    Answer(bool),
    /// Draw every cell again.
    Redraw,
    /// Leave.
    Quit,
}
