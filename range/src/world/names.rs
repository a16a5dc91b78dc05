//! What the ids in a world's frames are of, for whoever reads its wire.
//!
//! Leaves out what a server can't know and people do: what a group is called.

use super::World;
use portcullis_proto::{AccountId, ConversationId, ConversationKind, DeviceId};
use portcullis_server_core::store::Store as _;

impl World {
    /// Whose or what this id is, in a few words; none where nobody here has it.
    #[must_use]
    pub fn name_of(&self, id: &str) -> Option<String> {
        let conversation = || self.conversation(id.parse().ok()?);
        let device = || {
            let device = self.store.device(id.parse::<DeviceId>().ok()?).ok()??;
            Some(format!("a device of {}", self.account(device.account)?))
        };
        self.account(id.parse().ok()?).or_else(conversation).or_else(device)
    }

    fn account(&self, id: AccountId) -> Option<String> {
        Some(self.store.account(id).ok()??.name.to_string())
    }

    fn conversation(&self, id: ConversationId) -> Option<String> {
        let conversation = self.store.conversation(id).ok()??;
        let named = conversation.name.map(|name| name.to_string());
        let between = || {
            let [one, other] = conversation.between?;
            Some(format!("{} and {}", self.account(one)?, self.account(other)?))
        };
        let kind = || match conversation.kind {
            ConversationKind::Group => Some("a group".to_owned()),
            ConversationKind::Inbox => Some("an inbox".to_owned()),
            _ => None,
        };
        named.or_else(between).or_else(kind)
    }
}
