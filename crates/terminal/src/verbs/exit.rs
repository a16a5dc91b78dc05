//! How a program ends: the codes that scripts rely on, and why.
//!
//! `docs/exit-codes.md` lists them too; a test compares.

use std::fmt;

use portcullis_proto::Code;

use crate::home::HomeError;
use crate::net::{ConnectError, TlsError};

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Anything that has no code of its own.
    Failed = 1,
    /// The command line, or a file it names, can't be understood.
    Usage = 2,
    /// Another process holds the home or the data folder.
    InUse = 3,
    /// The name or the password is wrong.
    LoginFailed = 4,
    /// The server refused it; the refusal's code is on standard error.
    Refused = 5,
    /// The server can't be reached, or `--timeout` has passed.
    Unreachable = 6,
    /// The home or the data folder is damaged, incomplete, of a newer version or somebody else's.
    Unusable = 7,
    /// The account is not in the conversation.
    NotThere = 8,
}

impl Exit {
    /// All of them, with what they mean.
    pub const ALL: [(Self, &str); 9] = [
        (Self::Done, "done"),
        (Self::Failed, "anything that has no code of its own"),
        (Self::Usage, "the command line, or a file it names, can't be understood"),
        (Self::InUse, "another process holds the home or the data folder"),
        (Self::LoginFailed, "the name or the password is wrong"),
        (Self::Refused, "the server refused it; the refusal's code is on standard error"),
        (Self::Unreachable, "the server can't be reached, or --timeout has passed"),
        (
            Self::Unusable,
            "the home or the data folder is damaged, incomplete, of a newer version or somebody else's",
        ),
        (Self::NotThere, "the account is not in the conversation"),
    ];

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// For standard error; empty where there is nothing to say.
    pub message: String,
}

impl Failure {
    /// A failure with these words.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Whoever read standard output has gone: nothing to complain of.
    pub(super) fn pipe_closed() -> Self {
        Self::new(Exit::Done, "")
    }

    /// A refusal of the server.
    pub(super) fn refused(what: &str, refusal: &portcullis_proto::Refusal) -> Self {
        let exit = match refusal.code {
            Code::LoginFailed => Exit::LoginFailed,
            _ => Exit::Refused,
        };
        Self::new(exit, format!("can't {what}: {refusal}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        let exit = match error {
            HomeError::InUse(..) => Exit::InUse,
            HomeError::WrongPassword(_) => Exit::LoginFailed,
            HomeError::OutOfMemory => Exit::Failed,
            _ => Exit::Unusable,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<TlsError> for Failure {
    fn from(error: TlsError) -> Self {
        Self::new(Exit::Usage, error.to_string())
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Self::new(Exit::Unreachable, error.to_string())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_exit_codes_is_complete() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/exit-codes.md");
        let page = std::fs::read_to_string(page).unwrap();
        for (number, (exit, meaning)) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), number);
            let row = format!("| {number} | {meaning} |");
            assert!(page.contains(&row), "{row}");
        }
    }
}
