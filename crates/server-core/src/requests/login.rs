//! Logging in: the password (RFC 9807 section 6), then the device; or a token and the device.

use crate::defences::{Claim, DeviceProven, token_hash};
use crate::guests::join_classroom;
use crate::requests::{channels, devices, login_failed, login_refusal, stretching, within};
use crate::session::{self, LoggingIn, Open, Session, State, not_now};
use crate::store::{Account, Token, TokenHash};
use crate::{Context, Effect, Effects, Rate, RateKey, limits};
use portcullis_crypto::{Randomness, Signature};
use portcullis_proto::{
    Bytes, Code, ConversationId, DeviceId, LoggedIn, Opened, Refusal, Reply, SignedList, UserName,
};

/// First step: answers KE1 by KE2. In an open session it begins a confirmation of the password.
pub(crate) fn start(
    context: &mut Context<'_>,
    session: &mut Session,
    name: UserName,
    request: &Bytes,
) -> Result<Effects, Refusal> {
    if session.open().is_ok_and(|open| open.name != name) {
        return Err(Refusal::new(Code::Forbidden, "this session is another account's"));
    }
    let by_name = (Rate::LoginByName, RateKey::NameAt(name.clone(), session.peer.address()));
    (context.defences.admit_rate)(context, by_name, 1)?;
    let target = (context.defences.find_login)(context, &name)?;
    let request = within(request, limits::OPAQUE_BYTES)?;
    let answered =
        context.instance.setup.login(target.record(), request, name.as_str(), context.rng);
    let (login, response) = answered.map_err(login_refusal)?;
    let account = target.account();
    let account = account.map(|account| (account.id, account.login.clone()));
    let begun = Box::new(LoggingIn { name, account, login });
    match &mut session.state {
        State::Open(open) => open.confirming = Some(begun),
        state => *state = State::LoggingIn(begun),
    }
    let stretching = stretching(target.stretch());
    Ok(Effects::reply(Reply::LoginChallenge { response: Bytes(response), stretching }))
}

/// Second step: KE3 proves the password. An attempt that succeeds gives its tokens back.
pub(crate) fn finish(
    context: &mut Context<'_>,
    session: &mut Session,
    finalization: &Bytes,
) -> Result<Effects, Refusal> {
    let address = session.peer.address();
    let begun = match &mut session.state {
        State::Open(open) => open.confirming.take().ok_or_else(not_now)?,
        state => match std::mem::replace(state, State::Fresh) {
            State::LoggingIn(begun) => begun,
            _ => return Err(not_now()),
        },
    };
    let finalization = within(finalization, limits::OPAQUE_BYTES)?;
    begun.login.finish(finalization).map_err(login_refusal)?;
    let (account, against) = begun.account.ok_or_else(login_failed)?;
    let account = context.tx.account(account)?.ok_or_else(login_failed)?;
    if account.login != against {
        return Err(login_failed());
    }
    let by_address = match &session.state {
        State::Open(open) => RateKey::Device(open.device),
        _ => RateKey::Address(address),
    };
    context.limits.give_back((Rate::LoginByAddress, by_address), 1);
    context.limits.give_back((Rate::LoginByName, RateKey::NameAt(begun.name, address)), 1);
    check_enabled(&account)?;
    let list = context.tx.newest_list(account.id)?;
    let list = list.ok_or(crate::store::StoreError::Corrupt)?.signed;
    match &mut session.state {
        State::Open(open) => open.confirmed_at = Some(context.now),
        state => {
            *state = State::LoggedIn(Box::new(session::LoggedIn { account: account.id, against }));
        }
    }
    Ok(Effects::reply(Reply::LoggedIn(LoggedIn {
        account: account.id,
        identity: account.identity,
        wrapped_identity: Bytes(account.login.wrapped_identity),
        list,
    })))
}

/// Third step: opens the session as a device that is in the list, or is added to it here.
pub(crate) fn open(
    context: &mut Context<'_>,
    session: &mut Session,
    device: DeviceId,
    proof: &Signature,
    list: Option<&SignedList>,
) -> Result<Effects, Refusal> {
    let State::LoggedIn(proven) = &session.state else {
        return Err(not_now());
    };
    // The password may have been changed, or the account disabled, since it was proven.
    let account = context.tx.account(proven.account)?;
    let account = account.filter(|account| account.login == proven.against);
    let account = account.ok_or_else(login_failed)?;
    check_enabled(&account)?;
    if let Some(list) = list {
        let proven = devices::prove_new(context, session, &account, list, device, proof)?;
        let told = devices::store(context, &account, list, Some(proven))?;
        let mut effects = open_session(context, session, &account, proven, None)?;
        effects.then.extend(told);
        return Ok(effects);
    }
    let known = context.tx.device(device)?.filter(|known| known.account == account.id);
    let known = known.filter(|known| !known.revoked).ok_or_else(no_such_device)?;
    let claim = Claim { account: account.id, device, key: &known.auth, proof };
    let proven = (context.defences.prove_device)(session, &claim)?;
    open_session(context, session, &account, proven, None)
}

/// Opens the session by an earlier one's token.
pub(crate) fn resume(
    context: &mut Context<'_>,
    session: &mut Session,
    token: &Bytes,
    device: DeviceId,
    proof: &Signature,
) -> Result<Effects, Refusal> {
    let accepted = (context.defences.accept_token)(context, token)?;
    if accepted.device().id != device {
        return Err(no_such_device());
    }
    let account = accepted.account();
    let claim = Claim { account: account.id, device, key: &accepted.device().auth, proof };
    let proven = (context.defences.prove_device)(session, &claim)?;
    open_session(context, session, account, proven, Some(accepted.hash()))
}

/// Ends the session and its token.
pub(crate) fn sign_out(
    context: &mut Context<'_>,
    session: &mut Session,
) -> Result<Effects, Refusal> {
    let open = session.open()?;
    context.tx.drop_token(open.token)?;
    let whose = crate::Whose::Device(open.device);
    Ok(Effects::reply(Reply::Done).and(Effect::End { whose, reason: "signed out" }))
}

/// The session of a proven device: its token, if it has none yet, and what it hears.
pub(crate) fn open_session(
    context: &mut Context<'_>,
    session: &mut Session,
    account: &Account,
    proven: DeviceProven,
    token: Option<TokenHash>,
) -> Result<Effects, Refusal> {
    let device = proven.device();
    let (hash, fresh) = match token {
        Some(hash) => (hash, None),
        None => {
            let (hash, secret) = new_token(context, device)?;
            (hash, Some(secret))
        }
    };
    let known = context.tx.device(device)?.ok_or(crate::store::StoreError::Corrupt)?;
    let version = context.tx.newest_list(account.id)?.map_or(0, |list| list.version);
    // An account that never was in it is of a time before guests were admitted, or is new.
    let classroom = context.tx.membership(account.id, ConversationId::CLASSROOM)?;
    if context.instance.guests.is_some() && classroom.is_none() {
        join_classroom(context, account.id)?;
    }
    let conversations = channels::heard(context, account.id)?;
    session.state = State::Open(Box::new(Open {
        account: account.id,
        name: account.name.clone(),
        device,
        token: hash,
        confirming: None,
        confirmed_at: None,
    }));
    let opened = Reply::Opened(Opened {
        account: account.id,
        name: account.name.clone(),
        device,
        token: fresh,
        submitted: known.submitted,
        list_version: version,
        stock: context.tx.stock(device, context.now)?,
    });
    let effect = Effect::Opened { account: account.id, device, conversations };
    Ok(Effects::reply(opened).and(effect))
}

/// A fresh token in the place of the device's earlier ones.
fn new_token(context: &mut Context<'_>, device: DeviceId) -> Result<(TokenHash, Bytes), Refusal> {
    let mut secret = [0; 32];
    let rng: &mut dyn Randomness = context.rng;
    rng.fill_bytes(&mut secret);
    let hash = token_hash(&secret);
    let expires_at = context.now.plus_millis(limits::TOKEN_MILLIS);
    context.tx.drop_tokens(device)?;
    context.tx.put_token(&Token { hash, device, expires_at })?;
    Ok((hash, Bytes(secret.to_vec())))
}

fn check_enabled(account: &Account) -> Result<(), Refusal> {
    if account.disabled {
        let message = "the operator of this server has disabled this account";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    Ok(())
}

fn no_such_device() -> Refusal {
    Refusal::new(Code::LoginFailed, "this device is not one of the account's")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use crate::ConnectionId;
    use crate::store::Store as _;
    use crate::testing::{Person, World};
    use portcullis_proto::Code;

    type Meanwhile = fn(&mut World, &mut Person);

    const NOTHING: Meanwhile = |_, _| {};
    const DISABLED: Meanwhile = |world, mira| {
        world.operate(|store| store.set_disabled(mira.account, true));
    };
    const PASSWORD_CHANGED: Meanwhile = |world, mira| {
        world.confirm(mira).unwrap();
        world.change_password(mira, "another").unwrap();
    };

    /// Mira's second device logs in; something happens before its last step, or the one before that.
    fn check(meanwhile: Meanwhile, expected: [Result<(), Code>; 2]) {
        let mut results = Vec::new();
        for late in [true, false] {
            let mut world = World::new();
            let mut mira = world.person("mira");
            let second = world.enrol(&mut mira);
            let connection: ConnectionId = world.connect();
            let finish = world.begin_login(connection, "mira", &mira.password).unwrap();
            let request = if late {
                world.ask(connection, finish).unwrap();
                world.open(&second, connection)
            } else {
                finish
            };
            meanwhile(&mut world, &mut mira);
            results.push(world.attempt(connection, request).map(|_| ()));
        }
        assert_eq!(results, expected);
    }

    #[test]
    fn a_login_in_progress_ends_with_its_password_and_its_account() {
        check(NOTHING, [Ok(()), Ok(())]);
        check(DISABLED, [Err(Code::Forbidden), Err(Code::Forbidden)]);
        check(PASSWORD_CHANGED, [Err(Code::LoginFailed), Err(Code::LoginFailed)]);
    }

    #[test]
    fn every_step_of_a_login_serves_once() {
        let mut world = World::new();
        let mira = world.person("mira");
        let connection = world.connect();
        let finish = world.begin_login(connection, "mira", &mira.password).unwrap();
        assert!(world.ask(connection, finish.clone()).is_ok());
        assert_eq!(world.attempt(connection, finish), Err(Code::NotNow));
        let open = world.open(&mira, connection);
        assert!(world.ask(connection, open.clone()).is_ok());
        assert_eq!(world.attempt(connection, open), Err(Code::NotNow));
    }
}
