//! Conversations as they are shown.

use crate::client::{Client, Step};
use crate::conversation::Conversation;
use crate::encrypted::SUITE;
use crate::show::{ConversationView, IdentityState, Show};
use portcullis_proto::{
    ChannelName, ConversationId, ConversationKind, ConversationName, ConversationSummary,
    GroupName, UserName,
};

impl Client {
    /// A conversation is there, or is shown otherwise than before. One that was left is not shown again.
    pub(crate) fn show_conversation(&self, step: &mut Step<'_>, id: ConversationId) {
        let present = self.conversations.get(&id).filter(|conversation| conversation.is_shown());
        if let Some(conversation) = present {
            step.show(Show::Conversation(self.view(conversation)));
        }
    }

    /// A conversation as it is shown.
    pub(crate) fn view(&self, conversation: &Conversation) -> ConversationView {
        let summary = &conversation.summary;
        ConversationView {
            id: summary.conversation,
            kind: summary.kind,
            name: self.title(conversation),
            suite: conversation.encrypted.is_some().then_some(SUITE),
            trust: self.trust(conversation),
            access: summary.access,
            role: summary.role,
            unread: conversation.unread,
            members: self.member_count(conversation).or(summary.members),
        }
    }

    /// What a conversation is called. What a group is called only its members know.
    pub(crate) fn title(&self, conversation: &Conversation) -> ConversationName {
        let summary = &conversation.summary;
        match summary.kind {
            ConversationKind::Direct => {
                let with = summary.with.as_ref();
                let known = with.and_then(|with| self.name_of(with.account));
                let name = known.or_else(|| with.map(|with| with.name.clone()));
                ConversationName::Direct(name.unwrap_or_else(crate::people::nobody))
            }
            ConversationKind::Group => {
                let agreed = conversation.encrypted.as_ref();
                let name = agreed.and_then(|encrypted| encrypted.name.clone());
                name.map_or_else(unnamed, ConversationName::Group)
            }
            _ => channel_name(summary),
        }
    }

    /// What is known of the identities of those who take part: the worst of it.
    fn trust(&self, conversation: &Conversation) -> IdentityState {
        let members = self.mls.view(conversation.id()).map(|view| view.roster.members);
        let states: Vec<IdentityState> = members
            .unwrap_or_default()
            .into_iter()
            .map(|account| self.identity_of(account))
            .filter(|state| *state != IdentityState::Own)
            .collect();
        [IdentityState::Changed, IdentityState::NotVerified, IdentityState::Verified]
            .into_iter()
            .find(|state| states.contains(state))
            .unwrap_or(IdentityState::NotVerified)
    }

    fn member_count(&self, conversation: &Conversation) -> Option<u64> {
        let roster = self.mls.view(conversation.id())?.roster;
        Some(roster.members.len().saturating_sub(roster.leaving.len()) as u64)
    }

    /// A channel of which only the server has told.
    pub(crate) fn channel_view(summary: &ConversationSummary) -> ConversationView {
        ConversationView {
            id: summary.conversation,
            kind: summary.kind,
            name: channel_name(summary),
            suite: None,
            trust: IdentityState::NotVerified,
            access: summary.access,
            role: summary.role,
            unread: 0,
            members: summary.members,
        }
    }

    /// Whether a conversation is this device's alone yet.
    pub(crate) fn is_being_made(&self, id: ConversationId) -> bool {
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        encrypted.is_some_and(|encrypted| encrypted.plan.create)
    }
}

fn channel_name(summary: &ConversationSummary) -> ConversationName {
    let name = summary.name.clone();
    ConversationName::Channel(name.unwrap_or_else(ChannelName::lobby))
}

/// A group whose members have not told this device yet what they call it.
fn unnamed() -> ConversationName {
    const NAME: &str = "+unnamed";
    match GroupName::parse(NAME) {
        Ok(name) => ConversationName::Group(name),
        Err(_) => ConversationName::Direct(nobody()),
    }
}

fn nobody() -> UserName {
    crate::people::nobody()
}
