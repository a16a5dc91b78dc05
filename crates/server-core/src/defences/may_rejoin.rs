//! Only present members get what lets a device into an encrypted conversation by itself.
//!
//! Attack: somebody who was removed, or never was a member, asks for the group's public state, learns who
//! is in it, and makes an external commit that lets a device of theirs in.
//! CWE-862, missing authorization.
//! Precedent: RFC 9420 section 12.4.3.2 (whoever has a GroupInfo can join by external commit); wire-server
//! and others hand it to members alone for that reason.

use crate::Context;
use crate::defences::may_read::not_found;
use portcullis_proto::{AccountId, ConversationId, Refusal};

/// Proof that an account may have a conversation's public state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayRejoin {
    conversation: ConversationId,
}

impl MayRejoin {
    /// Of what.
    #[must_use]
    pub const fn conversation(self) -> ConversationId {
        self.conversation
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(conversation: ConversationId) -> Self {
        Self { conversation }
    }
}

/// Looks up whether the account is a member now; having been one is not enough.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`], alike for all reasons.
pub fn may_rejoin(
    context: &Context<'_>,
    account: AccountId,
    conversation: ConversationId,
) -> Result<MayRejoin, Refusal> {
    let membership = context.tx.membership(account, conversation)?;
    membership.filter(|membership| membership.role.is_present()).ok_or_else(not_found)?;
    Ok(MayRejoin { conversation })
}
