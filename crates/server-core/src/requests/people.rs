//! Who there is.

use crate::session::Session;
use crate::store::Account;
use crate::{Context, Effect, Effects};
use portcullis_proto::{AccountCard, AccountId, Code, Refusal, Reply, UserCard, UserName, limits};

/// A page of the accounts. Whoever lists them is told who comes and goes from then on.
pub(crate) fn users(
    context: &mut Context<'_>,
    session: &Session,
    after: Option<&UserName>,
) -> Result<Effects, Refusal> {
    session.open()?;
    let mut accounts = context.tx.accounts(after, limits::PAGE_ROWS + 1)?;
    let more = accounts.len() > limits::PAGE_ROWS as usize;
    accounts.truncate(limits::PAGE_ROWS as usize);
    let card = |account: Account| UserCard {
        online: context.presence.is_online(account.id),
        account: account.id,
        name: account.name,
    };
    let users = accounts.into_iter().map(card).collect();
    Ok(Effects::reply(Reply::Users { users, more }).and(Effect::WatchPresence))
}

/// An account by its name.
pub(crate) fn by_name(
    context: &Context<'_>,
    name: &UserName,
    after: u64,
) -> Result<Effects, Refusal> {
    card(context, context.tx.account_by_name(name)?, after)
}

/// An account by its id.
pub(crate) fn by_id(
    context: &Context<'_>,
    account: AccountId,
    after: u64,
) -> Result<Effects, Refusal> {
    card(context, context.tx.account(account)?, after)
}

/// The newest versions of device lists, so that a client sees before it sends whose have changed.
pub(crate) fn list_versions(
    context: &Context<'_>,
    accounts: &[AccountId],
) -> Result<Effects, Refusal> {
    if accounts.len() > limits::LIST_VERSIONS {
        return Err(Refusal::new(Code::TooLarge, "too many accounts at once"));
    }
    let mut versions = Vec::with_capacity(accounts.len());
    for account in accounts {
        versions.push(context.tx.newest_list(*account)?.map_or(0, |list| list.version));
    }
    Ok(Effects::reply(Reply::ListVersions { versions }))
}

fn card(context: &Context<'_>, account: Option<Account>, after: u64) -> Result<Effects, Refusal> {
    let not_found = || Refusal::new(Code::NotFound, "there is no such account");
    let account = account.ok_or_else(not_found)?;
    let limit = u32::try_from(limits::DEVICE_LIST_VERSIONS).unwrap_or(u32::MAX);
    let lists = context.tx.lists(account.id, after, limit)?;
    Ok(Effects::reply(Reply::Account(AccountCard {
        account: account.id,
        name: account.name,
        identity: account.identity,
        lists: lists.into_iter().map(|list| list.signed).collect(),
    })))
}
