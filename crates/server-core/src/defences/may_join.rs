//! Who may join a channel: everyone an open one, the invited one by invitation.
//!
//! Attack: somebody guesses the name of a channel by invitation and walks in.
//! CWE-862, missing authorization.
//! Precedent: OWASP API5:2023, broken function level authorization; invitation links that are guessed.

use crate::Context;
use crate::defences::may_read::not_found;
use crate::store::{Conversation, Membership};
use portcullis_proto::{Access, AccountId, ChannelName, Refusal, Role};

/// Proof that an account may join a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayJoin {
    conversation: Conversation,
    before: Option<Membership>,
}

impl MayJoin {
    /// The channel.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// What the account was in it before.
    #[must_use]
    pub const fn before(&self) -> Option<&Membership> {
        self.before.as_ref()
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(conversation: Conversation, before: Option<Membership>) -> Self {
        Self {
            conversation,
            before,
        }
    }
}

/// Looks the channel up, and whether it admits the account.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`] alike for a channel that does not exist and a closed door.
pub fn may_join(
    context: &Context<'_>,
    account: AccountId,
    name: &ChannelName,
) -> Result<MayJoin, Refusal> {
    let conversation = context
        .tx
        .conversation_by_name(name)?
        .ok_or_else(not_found)?;
    let before = context.tx.membership(account, conversation.id)?;
    let role = before
        .as_ref()
        .map_or(Role::Outside, |membership| membership.role);
    if conversation.access == Access::Invitation && role == Role::Outside {
        return Err(not_found());
    }
    Ok(MayJoin {
        conversation,
        before,
    })
}
