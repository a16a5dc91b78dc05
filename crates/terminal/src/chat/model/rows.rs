//! The rows of the list of conversations: what each is called, what protects it, and what is unread.

use super::room::Room;
use super::{Model, key_of};
use crate::ui::view::{Conversation, ConversationKind, Trust};
use portcullis_client_core::IdentityState;
use portcullis_proto::{ConversationId, ConversationKind as Kind, Role};

/// The suite of a channel, in words.
const CHANNEL_SUITE: &str = "signed, not encrypted";

/// Digits of an id that tell groups of one name apart, unless more are needed.
const ID_DIGITS: usize = 4;

impl Model {
    /// What a conversation is called on screen. Several groups may have one name, and their ids tell them
    /// apart: `+lab·010c`.
    pub(super) fn title(&self, id: ConversationId, room: &Room) -> String {
        let name = &room.about.name;
        let same =
            self.rooms.iter().filter(|(other, room)| **other != id && room.about.name == *name);
        let others: Vec<String> = same.map(|(other, _)| other.to_string()).collect();
        let id = id.to_string();
        let tells =
            |digits: &usize| others.iter().all(|other| other.get(..*digits) != id.get(..*digits));
        match (ID_DIGITS..id.len()).find(tells).filter(|_| !others.is_empty()) {
            Some(digits) => format!("{name}·{}", id.get(..digits).unwrap_or_default()),
            None => name.to_string(),
        }
    }
}

/// A row.
pub(super) fn row(id: ConversationId, room: &Room, name: String) -> Conversation {
    let about = &room.about;
    let unread = room.unread.max(u64::from(room.is_invitation));
    Conversation {
        key: key_of(id),
        name,
        kind: kind(about.kind),
        suite: match (about.role, about.suite) {
            _ if room.outside.is_some() => "you are no longer in it".to_owned(),
            (Role::Invited, _) => format!("you are invited: /join {}", about.name),
            (_, Some(suite)) => format!("encrypted: {suite}"),
            (_, None) => CHANNEL_SUITE.to_owned(),
        },
        trust: about.suite.filter(|_| room.outside.is_none()).map(|_| match about.trust {
            IdentityState::Verified | IdentityState::Own => Trust::Verified,
            IdentityState::NotVerified => Trust::NotVerified,
            IdentityState::Guest => Trust::Guest,
            IdentityState::Changed => Trust::Warning("identity changed!".to_owned()),
        }),
        members: about.members,
        unread: u32::try_from(unread).unwrap_or(u32::MAX),
        mention: room.mention,
        muted: false,
        gone: room.outside.is_some(),
    }
}

/// What the screen calls a conversation's kind.
pub(super) const fn kind(kind: Kind) -> ConversationKind {
    match kind {
        Kind::Direct => ConversationKind::Direct,
        Kind::Classic => ConversationKind::Guest,
        Kind::Group => ConversationKind::Group,
        Kind::Channel | Kind::Inbox | Kind::Unknown => ConversationKind::Channel,
    }
}
