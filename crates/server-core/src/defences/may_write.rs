//! Only present members write, and only into the epoch that they know.
//!
//! Attack: somebody who was never a member, or no longer is, puts messages into a conversation.
//! CWE-862, missing authorization.
//! Precedent: OWASP API1:2023, broken object level authorization: the first of its ten.

use crate::Context;
use crate::defences::Sender;
use crate::defences::may_read::not_found;
use crate::store::Conversation;
use portcullis_proto::{ConversationId, Refusal, Role};

/// Proof that a sender may write into a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayWrite {
    sender: Sender,
    conversation: Conversation,
}

impl MayWrite {
    /// Who writes.
    #[must_use]
    pub const fn sender(&self) -> Sender {
        self.sender
    }

    /// Where, as it is in this transaction.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(sender: Sender, conversation: Conversation) -> Self {
        Self {
            sender,
            conversation,
        }
    }
}

/// Looks up whether the sender's account is a member now.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`], alike for all reasons.
pub fn may_write(
    context: &Context<'_>,
    sender: Sender,
    conversation: ConversationId,
) -> Result<MayWrite, Refusal> {
    let membership = context.tx.membership(sender.account(), conversation)?;
    membership
        .filter(|membership| matches!(membership.role, Role::Owner | Role::Member))
        .ok_or_else(not_found)?;
    let conversation = context
        .tx
        .conversation(conversation)?
        .ok_or_else(not_found)?;
    Ok(MayWrite {
        sender,
        conversation,
    })
}
