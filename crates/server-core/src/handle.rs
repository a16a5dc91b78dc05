//! One request.

use crate::requests::{channels, devices, log, login, password, people, register};
use crate::{Context, Effects, Session, rule};
use portcullis_proto::{Refusal, Request};

/// Carries a request out, or refuses it. A refusal leaves nothing in the store once the caller has
/// rolled back to its savepoint; the rates count it all the same.
///
/// # Errors
/// The refusal for the one who asked.
pub fn handle(
    context: &mut Context<'_>,
    session: &mut Session,
    request: Request,
) -> Result<Effects, Refusal> {
    let rule = rule(request.kind());
    rule.permits(session)?;
    let cost = match &request {
        // A submit without envelopes is refused, but not free.
        Request::Submit { envelopes, .. } => {
            u32::try_from(envelopes.len()).unwrap_or(u32::MAX).max(1)
        }
        _ => 1,
    };
    let key = (rule.rate, session.rate_key());
    (context.defences.admit_rate)(context, key, cost)?;

    carry_out(context, session, request)
}

/// The table of handlers, a row or two for each request.
#[rustfmt::skip]
fn carry_out(
    context: &mut Context<'_>,
    session: &mut Session,
    request: Request,
) -> Result<Effects, Refusal> {
    use Request as R;
    match request {
        R::RegisterStart { name, invite, request } => register::start(context, session, name, invite, &request),
        R::RegisterFinish { upload, identity, wrapped_identity, list, device, proof } => {
            let parts = register::Finish { upload, identity, wrapped_identity, list, device, proof };
            register::finish(context, session, parts)
        }
        R::LoginStart { name, request } => login::start(context, session, name, &request),
        R::LoginFinish { finalization } => login::finish(context, session, &finalization),
        R::Open { device, proof, list } => login::open(context, session, device, &proof, list.as_ref()),
        R::Resume { token, device, proof } => login::resume(context, session, &token, device, &proof),
        R::Conversations { after } => channels::mine(context, session, after),
        R::Channels { after } => channels::open_ones(context, session, after.as_ref()),
        R::CreateChannel { name, access } => channels::create(context, session, name, access),
        R::Join { name } => channels::join(context, session, &name),
        R::Leave { conversation } => channels::leave(context, session, conversation),
        R::Invite { conversation, name } => channels::invite(context, session, conversation, &name),
        R::Submit { conversation, epoch, device, envelopes } => {
            log::submit(context, session, log::Submit { conversation, epoch, device, envelopes })
        }
        R::Fetch { conversation, after, limit } => log::fetch(context, session, conversation, after, limit),
        R::Users { after } => people::users(context, session, after.as_ref()),
        R::AccountByName { name, after_version } => people::by_name(context, &name, after_version),
        R::AccountById { account, after_version } => people::by_id(context, account, after_version),
        R::PublishList { list } => devices::publish(context, session, &list),
        R::PasswordStart { request } => password::start(context, session, &request),
        R::PasswordFinish { upload, wrapped_identity } => {
            password::finish(context, session, &upload, &wrapped_identity)
        }
        R::SignOut {} => login::sign_out(context, session),
    }
}
