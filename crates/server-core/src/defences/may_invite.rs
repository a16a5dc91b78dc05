//! Only present members invite.
//!
//! Attack: an outsider invites themselves, or a friend, into a channel by invitation.
//! CWE-863, incorrect authorization.
//! Precedent: OWASP API5:2023, broken function level authorization; CVE-2023-2515 (a member who makes
//! itself more than that).

use crate::Context;
use crate::defences::may_read::not_found;
use crate::store::Conversation;
use portcullis_proto::{AccountId, ConversationId, Refusal, Role};

/// Proof that an account may invite into a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayInvite {
    conversation: Conversation,
}

impl MayInvite {
    /// Into what.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(conversation: Conversation) -> Self {
        Self { conversation }
    }
}

/// Looks up whether the account is a member now.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`], alike for all reasons.
pub fn may_invite(
    context: &Context<'_>,
    account: AccountId,
    conversation: ConversationId,
) -> Result<MayInvite, Refusal> {
    let membership = context.tx.membership(account, conversation)?;
    membership
        .filter(|membership| matches!(membership.role, Role::Owner | Role::Member))
        .ok_or_else(not_found)?;
    let conversation = context
        .tx
        .conversation(conversation)?
        .ok_or_else(not_found)?;
    Ok(MayInvite { conversation })
}
