//! What is said in a conversation, as it is shown and kept: messages, changes of messages, and changes
//! of who takes part.

mod files;

pub use self::files::{FilesOffered, FilesStep, FilesTold, kind_of, quoted, size, titled};

use crate::show::IdentityState;
use portcullis_proto::{
    AccountId, ConversationId, DeviceId, GroupName, PersonName, Reference, Timestamp, UserName,
};
use std::fmt;

/// An entry of a conversation that was verified, as far as `identity` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Where.
    pub conversation: ConversationId,
    /// Its place.
    pub seq: u64,
    /// Its id.
    pub id: Reference,
    /// The author.
    pub account: AccountId,
    /// The author's name.
    pub sender: PersonName,
    /// The author's device.
    pub device: DeviceId,
    /// When, by the author's clock.
    pub sent_at: Timestamp,
    /// What.
    pub body: Body,
    /// What is known of the author's identity. The signature holds in any case.
    pub identity: IdentityState,
    /// Whether this very device made it.
    pub own: bool,
}

impl Message {
    /// The text, if it is a text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match &self.body {
            Body::Text { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// What an entry holds. A change speaks of an earlier message of the same conversation, which stays
/// in the store as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// A text.
    Text {
        /// What was said.
        text: String,
        /// The message that it answers.
        reply_to: Option<Reference>,
    },
    /// Its author says it otherwise.
    Edit {
        /// Which message.
        target: Reference,
        /// What it says now.
        text: String,
    },
    /// Its author takes it back.
    Delete {
        /// Which message.
        target: Reference,
    },
    /// Somebody reacts to it.
    Reaction {
        /// Which message.
        target: Reference,
        /// With what; empty takes the author's reaction back.
        emoji: String,
    },
    /// Who takes part has changed, or what the conversation is called; the sender did it.
    Notices(Vec<Notice>),
    /// Files are offered.
    Offer(FilesOffered),
    /// Somebody says what they do about an offer of files.
    Step(FilesStep),
    /// A kind that this version does not know, by its name.
    Unknown(String),
}

/// A change of a conversation's members or devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It was made, with these members besides the maker.
    Created(Vec<UserName>),
    /// These became members.
    Added(Vec<UserName>),
    /// These were taken out.
    Removed(Vec<UserName>),
    /// The sender has left.
    Left,
    /// It has another name.
    Renamed(GroupName),
    /// It has another owner.
    Owner(UserName),
    /// The sender takes part with another device.
    DeviceJoined,
    /// The sender added devices of these members.
    DevicesAdded(Vec<UserName>),
    /// Devices of these members, which have removed them, no longer take part.
    DevicesRemoved(Vec<UserName>),
    /// So many messages before were sent before this device was added.
    Before(u64),
}

/// The words that follow the sender's name, but for [`Notice::Before`], which stands alone.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created(names) if names.is_empty() => f.write_str("made this conversation"),
            Self::Created(names) => write!(f, "made this conversation with {}", list(names)),
            Self::Added(names) => write!(f, "added {}", list(names)),
            Self::Removed(names) => write!(f, "removed {}", list(names)),
            Self::Left => f.write_str("left"),
            Self::Renamed(name) => write!(f, "named this group {name}"),
            Self::Owner(name) => write!(f, "made {name} the owner"),
            Self::DeviceJoined => f.write_str("takes part with another device"),
            Self::DevicesAdded(names) => write!(f, "added a device of {}", list(names)),
            Self::DevicesRemoved(names) => {
                write!(f, "took out a device that {} removed", list(names))
            }
            Self::Before(1) => f.write_str("1 entry was sent before this device was added"),
            Self::Before(count) => {
                write!(f, "{count} entries were sent before this device was added")
            }
        }
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(names: &[UserName]) -> String {
    let names: Vec<&str> = names.iter().map(UserName::as_str).collect();
    match names.split_last() {
        None => "nobody".to_owned(),
        Some((last, [])) => (*last).to_owned(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_do() {
        let check = |names: &[&str], expected: &str| {
            let names = names.iter().map(|name| UserName::parse(name).unwrap()).collect();
            assert_eq!(Notice::Added(names).to_string(), expected);
        };
        check(&["oleg"], "added oleg");
        check(&["oleg", "nina"], "added oleg and nina");
        check(&["oleg", "nina", "mira"], "added oleg, nina and mira");
    }
}
