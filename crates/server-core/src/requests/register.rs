//! Making an account, with its first device (RFC 9807 section 5).

use crate::defences::admit_registration::closed;
use crate::requests::{devices, login, login_refusal, stretching, within};
use crate::session::{Registering, Session, State, not_now};
use crate::store::{Account, Login, Membership, Span};
use crate::{Context, Effects, Registration, limits};
use portcullis_crypto::{IdentityPublic, PasswordRecord, Signature};
use portcullis_proto::{
    AccountId, Bytes, Code, ConversationId, DeviceId, Refusal, Reply, Role, SignedList, UserName,
};

/// First step: the blinded password is answered, and the name and id are kept in the session.
pub(crate) fn start(
    context: &mut Context<'_>,
    session: &mut Session,
    name: UserName,
    invite: Option<String>,
    request: &Bytes,
) -> Result<Effects, Refusal> {
    let without_code = context.instance.registration == Registration::Invite && invite.is_none();
    if context.instance.registration == Registration::Closed || without_code {
        return Err(closed());
    }
    if context.tx.account_by_name(&name)?.is_some() {
        return Err(taken());
    }
    let request = within(request, limits::OPAQUE_BYTES)?;
    let response = context.instance.setup.register(request, name.as_str());
    let response = Bytes(response.map_err(login_refusal)?);
    let account = AccountId::random(context.rng);
    session.state = State::Registering(Box::new(Registering { account, name, invite }));
    let stretching = stretching(context.instance.stretch);
    Ok(Effects::reply(Reply::RegisterChallenge { account, response, stretching }))
}

/// What the second step brings.
pub(crate) struct Finish {
    pub(crate) upload: Bytes,
    pub(crate) identity: IdentityPublic,
    pub(crate) wrapped_identity: Bytes,
    pub(crate) list: SignedList,
    pub(crate) device: DeviceId,
    pub(crate) proof: Signature,
}

/// Second step: the account, its list, its device and its place in `#lobby`, all or nothing.
pub(crate) fn finish(
    context: &mut Context<'_>,
    session: &mut Session,
    parts: Finish,
) -> Result<Effects, Refusal> {
    let State::Registering(begun) = std::mem::replace(&mut session.state, State::Fresh) else {
        return Err(not_now());
    };
    (context.defences.admit_registration)(context, begun.invite.as_deref())?;
    let upload = PasswordRecord::parse(within(&parts.upload, limits::OPAQUE_BYTES)?);
    let record = upload.map_err(login_refusal)?.as_bytes().to_vec();
    let account = Account {
        id: begun.account,
        name: begun.name,
        identity: parts.identity,
        login: Login {
            record,
            stretch: context.instance.stretch,
            wrapped_identity: within(&parts.wrapped_identity, limits::WRAPPED_BYTES)?.to_vec(),
        },
        disabled: false,
        created_at: context.now,
    };
    context.tx.insert_account(&account).map_err(|error| match Refusal::from(error) {
        refusal if refusal.code == Code::NameTaken => taken(),
        refusal => refusal,
    })?;
    let member = Membership { role: Role::Member, spans: vec![Span { from: 1, to: None }] };
    context.tx.put_membership(account.id, ConversationId::LOBBY, &member)?;

    let proven =
        devices::prove_new(context, session, &account, &parts.list, parts.device, &parts.proof)?;
    devices::store(context, &account, &parts.list, Some(proven))?;
    login::open_session(context, session, &account, proven, None)
}

fn taken() -> Refusal {
    Refusal::new(Code::NameTaken, "this user name is taken")
}
