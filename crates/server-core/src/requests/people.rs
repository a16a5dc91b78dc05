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
    let users = accounts.into_iter().filter(is_someone).map(card).collect();
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

/// The account in whose name the store keeps what guests say is nobody's.
fn is_someone(account: &Account) -> bool {
    account.id != AccountId::GATEWAY
}

fn card(context: &Context<'_>, account: Option<Account>, after: u64) -> Result<Effects, Refusal> {
    let not_found = || Refusal::new(Code::NotFound, "there is no such account");
    let account = account.filter(is_someone).ok_or_else(not_found)?;
    let limit = u32::try_from(limits::DEVICE_LIST_VERSIONS).unwrap_or(u32::MAX);
    let lists = context.tx.lists(account.id, after, limit)?;
    Ok(Effects::reply(Reply::Account(AccountCard {
        account: account.id,
        name: account.name,
        identity: account.identity,
        lists: lists.into_iter().map(|list| list.signed).collect(),
    })))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::World;
    use portcullis_proto::Request;

    #[test]
    fn versions_come_in_the_order_asked_for() {
        let mut world = World::new();
        let (mut mira, oleg) = (world.person("mira"), world.person("oleg"));
        world.enrol(&mut mira);
        let nobody = AccountId::from_bytes([9; 16]);
        let mut check = |accounts: &[AccountId], expected: Result<&[u64], Code>| {
            let request = Request::ListVersions { accounts: accounts.to_vec() };
            let versions = match world.attempt(oleg.connection, request) {
                Ok(Reply::ListVersions { versions }) => Ok(versions),
                Ok(other) => panic!("{other:?}"),
                Err(code) => Err(code),
            };
            assert_eq!(versions, expected.map(<[u64]>::to_vec));
        };
        check(&[], Ok(&[]));
        check(&[oleg.account, nobody, mira.account, oleg.account], Ok(&[1, 0, 2, 1]));
        check(&[nobody; limits::LIST_VERSIONS], Ok(&[0; limits::LIST_VERSIONS]));
        check(&[nobody; limits::LIST_VERSIONS + 1], Err(Code::TooLarge));
    }
}
