//! Which of a server's doors is knocked at: that of accounts, that of the classroom, where nobody has one, or one
//! that somebody else's server has.

use portcullis_proto::SUBPROTOCOL;

use super::ConnectError;

/// A way into a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Door {
    /// Portcullis's own protocol.
    Accounts,
    /// The classroom's, as anybody's server speaks it.
    Classroom,
    /// Portcullis's own protocol at another path, under another name.
    Other {
        /// Begins with a slash.
        path: String,
        /// The subprotocol that is asked for, and must be agreed to.
        subprotocol: &'static str,
        /// What the person is told where the server says that it has gone (RFC 9110 section 15.5.11).
        gone: String,
    },
}

impl Door {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Accounts => "/connect",
            Self::Classroom => "/",
            Self::Other { path, .. } => path,
        }
    }

    /// The subprotocol that is asked for, and must be agreed to.
    pub(super) const fn subprotocol(&self) -> Option<&'static str> {
        match self {
            Self::Accounts => Some(SUBPROTOCOL),
            Self::Classroom => None,
            Self::Other { subprotocol, .. } => Some(subprotocol),
        }
    }

    /// Why there is no way in where the server says that there is none any more.
    pub(super) fn gone(&self) -> ConnectError {
        match self {
            Self::Other { gone, .. } => ConnectError::Gone(gone.clone()),
            Self::Accounts | Self::Classroom => self.not_this(),
        }
    }

    /// Why there is no way in where somebody else answers.
    pub(super) const fn not_this(&self) -> ConnectError {
        match self {
            Self::Accounts | Self::Other { .. } => ConnectError::NotPortcullis,
            Self::Classroom => ConnectError::NotClassroom,
        }
    }
}
