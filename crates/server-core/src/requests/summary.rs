//! A conversation as one account sees it.

use crate::Context;
use crate::store::{Conversation, Membership, StoreError};
use portcullis_proto::{
    AccountId, AccountName, ConversationKind, ConversationSummary, Refusal, Role,
};

/// The summary for an account, with what it is in the conversation. Members are counted in groups alone:
/// counting those of every channel is for the list of channels.
pub(crate) fn summary(
    context: &Context<'_>,
    account: AccountId,
    conversation: &Conversation,
    membership: Option<&Membership>,
) -> Result<ConversationSummary, Refusal> {
    let end = conversation.end.seq;
    let last = membership.and_then(|membership| membership.spans.last());
    let lasting = last.filter(|span| span.to.is_none());
    let members = match conversation.kind {
        ConversationKind::Group => Some(context.tx.member_count(conversation.id)?),
        _ => None,
    };
    Ok(ConversationSummary {
        conversation: conversation.id,
        kind: conversation.kind,
        name: conversation.name.clone(),
        with: with(context, account, conversation)?,
        access: conversation.access,
        role: membership.map_or(Role::Outside, |membership| membership.role),
        epoch: conversation.epoch,
        since: lasting.map_or(0, |span| span.from),
        head: last.map_or(0, |span| span.to.unwrap_or(end)),
        members,
    })
}

/// The other one of a direct.
fn with(
    context: &Context<'_>,
    account: AccountId,
    conversation: &Conversation,
) -> Result<Option<AccountName>, StoreError> {
    let Some([one, other]) = conversation.between else {
        return Ok(None);
    };
    let account = if one == account { other } else { one };
    let name = context.tx.account(account)?.ok_or(StoreError::Corrupt)?.name;
    Ok(Some(AccountName { account, name }))
}
