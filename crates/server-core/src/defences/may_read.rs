//! Only members read, and only what was said while they were members.
//!
//! Attack: someone with any login asks for a conversation by its id, or reads on after being removed.
//! CWE-639, authorization bypass through a user-controlled key.
//! Precedent: CVE-2023-2787 (Mattermost: history without a membership check).

use crate::Context;
use crate::store::{Conversation, Span};
use portcullis_proto::{AccountId, Code, ConversationId, Refusal, Role};

/// Proof that an account may read spans of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayRead {
    account: AccountId,
    conversation: Conversation,
    spans: Vec<Span>,
}

impl MayRead {
    /// Who may read.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The first readable stretch after a sequence number: what comes just before it, and its last.
    #[must_use]
    pub fn stretch_after(&self, after: u64) -> Option<(u64, u64)> {
        let end = self.conversation.end.seq;
        self.spans.iter().find_map(|span| {
            let last = span.to.unwrap_or(end).min(end);
            let before = after.max(span.from.saturating_sub(1));
            (before < last).then_some((before, last))
        })
    }

    /// The last sequence number that may be read; 0 where there is none.
    #[must_use]
    pub fn head(&self) -> u64 {
        let end = self.conversation.end.seq;
        self.spans
            .last()
            .map_or(0, |span| span.to.unwrap_or(end).min(end))
    }

    /// For the range's unsound twins: everything, without any check.
    #[must_use]
    pub fn unproven(account: AccountId, conversation: Conversation) -> Self {
        Self {
            account,
            conversation,
            spans: vec![Span { from: 1, to: None }],
        }
    }
}

/// Looks up during which sequence numbers the account was a member.
///
/// # Errors
/// [`Code::NotFound`] alike for a conversation that does not exist and for one that is not the account's.
pub fn may_read(
    context: &Context<'_>,
    account: AccountId,
    conversation: ConversationId,
) -> Result<MayRead, Refusal> {
    let membership = context.tx.membership(account, conversation)?;
    let spans = membership.filter(|m| m.role != Role::Invited || !m.spans.is_empty());
    let spans = spans.map(|membership| membership.spans).unwrap_or_default();
    let found = context
        .tx
        .conversation(conversation)?
        .filter(|_| !spans.is_empty());
    let conversation = found.ok_or_else(not_found)?;
    Ok(MayRead {
        account,
        conversation,
        spans,
    })
}

pub(crate) fn not_found() -> Refusal {
    Refusal::new(
        Code::NotFound,
        "there is no such conversation, or it is not yours",
    )
}
