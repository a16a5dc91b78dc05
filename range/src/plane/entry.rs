//! What is remembered of learners: one line of JSON for each thing that they did, in a file that only grows.

use super::{Receipt, Salt};
use portcullis_proto::{Timestamp, UserName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whose flag was submitted by somebody else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Owner {
    /// This learner's.
    Learner(UserName),
    /// One's who was forgotten since; written as `{}`.
    Forgotten {},
}

impl Owner {
    /// Keeps that it was somebody's, and not whose.
    pub fn forget(&mut self, name: &UserName) {
        if matches!(self, Self::Learner(own) if own == name) {
            *self = Self::Forgotten {};
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Learner(name) => write!(f, "{name}"),
            Self::Forgotten {} => f.write_str("somebody who was forgotten"),
        }
    }
}

/// One thing that a learner did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case", deny_unknown_fields)]
pub enum Entry {
    /// Somebody is here, or was put on the list by the teacher.
    Joined {
        /// Who.
        learner: UserName,
        /// The SHA-256 of what they come back with, as hexadecimal digits; none before they have come.
        token: Option<String>,
        /// What their secrets are derived from besides their name; none in books from before there were any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        salt: Option<Salt>,
        /// When.
        at: Timestamp,
    },
    /// The teacher lets them join again: what they came back with so far opens nothing any more.
    Readmitted {
        /// Who.
        learner: UserName,
        /// When.
        at: Timestamp,
    },
    /// They were here, and did nothing that is remembered otherwise.
    Seen {
        /// Who.
        learner: UserName,
        /// When.
        at: Timestamp,
    },
    /// They took the next hint.
    Hint {
        /// Who.
        learner: UserName,
        /// Of which flaw.
        slug: String,
        /// When.
        at: Timestamp,
    },
    /// They began a world anew.
    Reset {
        /// Who.
        learner: UserName,
        /// Which.
        slug: String,
        /// When.
        at: Timestamp,
    },
    /// The teacher began a world of theirs anew.
    Renewed {
        /// Whose.
        learner: UserName,
        /// Which.
        slug: String,
        /// When.
        at: Timestamp,
    },
    /// They submitted what was not right.
    Missed {
        /// Who.
        learner: UserName,
        /// For which flaw.
        slug: String,
        /// Whose flag it was, if it was somebody else's.
        of: Option<Owner>,
        /// When.
        at: Timestamp,
    },
    /// They solved it.
    Solved {
        /// Who.
        learner: UserName,
        /// Which.
        slug: String,
        /// The proof.
        receipt: Receipt,
        /// When.
        at: Timestamp,
    },
    /// They tried a candidate fix.
    Tried {
        /// Who.
        learner: UserName,
        /// Of which flaw.
        slug: String,
        /// Which, from 1 on.
        fix: usize,
        /// Whether it holds.
        holds: bool,
        /// When.
        at: Timestamp,
    },
}

impl Entry {
    /// Whose it is.
    #[must_use]
    pub const fn learner(&self) -> &UserName {
        match self {
            Self::Joined { learner, .. }
            | Self::Readmitted { learner, .. }
            | Self::Seen { learner, .. }
            | Self::Hint { learner, .. }
            | Self::Reset { learner, .. }
            | Self::Renewed { learner, .. }
            | Self::Missed { learner, .. }
            | Self::Solved { learner, .. }
            | Self::Tried { learner, .. } => learner,
        }
    }

    /// When it was done.
    #[must_use]
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Joined { at, .. }
            | Self::Readmitted { at, .. }
            | Self::Seen { at, .. }
            | Self::Hint { at, .. }
            | Self::Reset { at, .. }
            | Self::Renewed { at, .. }
            | Self::Missed { at, .. }
            | Self::Solved { at, .. }
            | Self::Tried { at, .. } => *at,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod testing {
    use super::*;

    /// Somebody joined.
    pub(in crate::plane) fn joined(name: &str) -> Entry {
        let learner = UserName::parse(name).unwrap();
        Entry::Joined { learner, token: Some("aa".to_owned()), salt: None, at: Timestamp(1) }
    }
}
