//! Which of a server's doors is knocked at: that of accounts, or that of the classroom, where nobody has one.

use portcullis_proto::SUBPROTOCOL;

use super::ConnectError;

/// A way into a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Portcullis's own protocol.
    Accounts,
    /// The classroom's, as anybody's server speaks it.
    Classroom,
}

impl Door {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Accounts => "/connect",
            Self::Classroom => "/",
        }
    }

    /// The subprotocol that is asked for, and must be agreed to.
    pub(super) const fn subprotocol(self) -> Option<&'static str> {
        match self {
            Self::Accounts => Some(SUBPROTOCOL),
            Self::Classroom => None,
        }
    }

    /// Why there is no way in where somebody else answers.
    pub(super) const fn not_this(self) -> ConnectError {
        match self {
            Self::Accounts => ConnectError::NotPortcullis,
            Self::Classroom => ConnectError::NotClassroom,
        }
    }
}
