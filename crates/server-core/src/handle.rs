//! One request.

use crate::requests::{
    blobs, channels, commits, devices, guests, log, login, packages, password, people, register,
    relay,
};
use crate::{Context, Effects, Session, limits, rule};
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
        Request::Submit { envelopes, .. } => envelopes.len().max(1),
        Request::Commit { welcome: Some(welcome), .. } => {
            1 + welcome.devices.len() / limits::WELCOMES_PER_TOKEN
        }
        Request::ListVersions { accounts } => accounts.len().max(1),
        Request::GuestChat { frame, .. } => 1 + frame.len() / limits::GUEST_BYTES_PER_TOKEN,
        _ => 1,
    };
    let cost = u32::try_from(cost).unwrap_or(u32::MAX);
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
        R::Commit { conversation, epoch, device, creates, envelope, welcome, group_info, members } => {
            let parts = commits::Commit {
                conversation, epoch, device, creates, envelope, welcome, group_info, members,
            };
            commits::commit(context, session, parts)
        }
        R::GroupInfo { conversation } => commits::group_info(context, session, conversation),
        R::UploadKeyPackages { packages } => packages::upload(context, session, packages),
        R::ClaimKeyPackages { account } => packages::claim(context, session, account),
        R::Fetch { conversation, after, limit } => log::fetch(context, session, conversation, after, limit),
        R::Users { after } => people::users(context, session, after.as_ref()),
        R::AccountByName { name, after_version } => people::by_name(context, &name, after_version),
        R::AccountById { account, after_version } => people::by_id(context, account, after_version),
        R::ListVersions { accounts } => people::list_versions(context, &accounts),
        R::ReserveBlob { blob, conversation, bytes } => blobs::reserve(context, session, blob, conversation, bytes),
        R::FetchBlob { blob } => blobs::fetch(context, session, blob),
        R::ReleaseBlob { blob } => blobs::release(context, session, blob),
        R::RegisterRelayKey { key } => relay::register(context, session, &key),
        R::PublishList { list } => devices::publish(context, session, &list),
        R::PasswordStart { request } => password::start(context, session, &request),
        R::PasswordFinish { upload, wrapped_identity } => {
            password::finish(context, session, &upload, &wrapped_identity)
        }
        R::PublishClassicKey { key, proof } => guests::publish_key(context, session, &key, &proof),
        R::AllowGuests { allow } => guests::allow(context, session, allow),
        R::Guests { after } => guests::list(context, session, after),
        R::GuestChat { guest, device, frame } => guests::chat(context, session, guest, device, frame),
        R::SignOut {} => login::sign_out(context, session),
    }
}
