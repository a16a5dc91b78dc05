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

    match request {
        Request::RegisterStart {
            name,
            invite,
            request,
        } => register::start(context, session, name, invite, &request),
        Request::RegisterFinish {
            upload,
            identity,
            wrapped_identity,
            list,
            device,
            proof,
        } => {
            let parts = register::Finish {
                upload,
                identity,
                wrapped_identity,
                list,
                device,
                proof,
            };
            register::finish(context, session, parts)
        }
        Request::LoginStart { name, request } => login::start(context, session, name, &request),
        Request::LoginFinish { finalization } => login::finish(context, session, &finalization),
        Request::Open {
            device,
            proof,
            list,
        } => login::open(context, session, device, &proof, list.as_ref()),
        Request::Resume {
            token,
            device,
            proof,
        } => login::resume(context, session, &token, device, &proof),
        Request::Conversations { after } => channels::mine(context, session, after),
        Request::Channels { after } => channels::open_ones(context, session, after.as_ref()),
        Request::CreateChannel { name, access } => channels::create(context, session, name, access),
        Request::Join { name } => channels::join(context, session, &name),
        Request::Leave { conversation } => channels::leave(context, session, conversation),
        Request::Invite { conversation, name } => {
            channels::invite(context, session, conversation, &name)
        }
        Request::Submit {
            conversation,
            epoch,
            device,
            envelopes,
        } => {
            let parts = log::Submit {
                conversation,
                epoch,
                device,
                envelopes,
            };
            log::submit(context, session, parts)
        }
        Request::Fetch {
            conversation,
            after,
            limit,
        } => log::fetch(context, session, conversation, after, limit),
        Request::Users { after } => people::users(context, session, after.as_ref()),
        Request::AccountByName {
            name,
            after_version,
        } => people::by_name(context, &name, after_version),
        Request::AccountById {
            account,
            after_version,
        } => people::by_id(context, account, after_version),
        Request::PublishList { list } => devices::publish(context, session, &list),
        Request::PasswordStart { request } => password::start(context, session, &request),
        Request::PasswordFinish {
            upload,
            wrapped_identity,
        } => password::finish(context, session, &upload, &wrapped_identity),
        Request::SignOut {} => login::sign_out(context, session),
    }
}
