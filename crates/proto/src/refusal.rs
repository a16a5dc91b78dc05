//! What a server answers to a request that it does not carry out: a stable code for programs and a
//! sentence for people. Neither ever carries a secret, or says more than the asker may know.

use serde::{Deserialize, Serialize};

/// Why a request was refused. The names on the wire are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The frame is no request: not JSON, an unknown field, a wrong type.
    Malformed,
    /// A known form, but beyond a limit of size or number.
    TooLarge,
    /// Not a request that this server knows.
    UnknownRequest,
    /// Needs a session, or another step of the login first.
    NotNow,
    /// Name or password, token or device key: which of them is not said.
    LoginFailed,
    /// The user name or channel name is taken.
    NameTaken,
    /// Registration is closed, or the invitation is not valid.
    RegistrationClosed,
    /// There is no such account, channel or conversation, or not for this account.
    NotFound,
    /// The account may not do this.
    Forbidden,
    /// The request comes too often; try again later.
    RateLimited,
    /// The conversation has moved on: catch up and make it again.
    EpochChanged,
    /// The device list is refused, or was changed meanwhile.
    ListRefused,
    /// The same reference was used for something else.
    ReferenceReused,
    /// There is no room for so much, in the account's share of this server or on the server.
    NoRoom,
    /// The server can't store anything now; nothing was changed.
    Unavailable,
    /// A code that this version does not know.
    #[serde(other)]
    Unknown,
}

impl Code {
    /// The code's name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TooLarge => "too_large",
            Self::UnknownRequest => "unknown_request",
            Self::NotNow => "not_now",
            Self::LoginFailed => "login_failed",
            Self::NameTaken => "name_taken",
            Self::RegistrationClosed => "registration_closed",
            Self::NotFound => "not_found",
            Self::Forbidden => "forbidden",
            Self::RateLimited => "rate_limited",
            Self::EpochChanged => "epoch_changed",
            Self::ListRefused => "list_refused",
            Self::ReferenceReused => "reference_reused",
            Self::NoRoom => "no_room",
            Self::Unavailable => "unavailable",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the same request may succeed later, so that a client tries it again by itself.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unavailable)
    }
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people, in one sentence.
    pub message: String,
    /// Where waiting helps: how many milliseconds.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal with this code and sentence.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None }
    }

    /// The refusal of a request that came too often.
    #[must_use]
    pub fn rate_limited(retry_after: u64) -> Self {
        let seconds = retry_after.div_ceil(1000);
        Self {
            code: Code::RateLimited,
            message: format!("too many requests of this kind; try again in {seconds} s"),
            retry_after: Some(retry_after),
        }
    }
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({})", self.message, self.code.name())
    }
}

impl core::error::Error for Refusal {}
