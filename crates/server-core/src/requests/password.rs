//! Changing the password: a new login record, and the identity key wrapped anew under it.

use crate::defences::PasswordConfirmed;
use crate::requests::{login_refusal, stretching, within};
use crate::session::Session;
use crate::store::Login;
use crate::{Context, Effect, Effects, Whose, limits};
use portcullis_crypto::PasswordRecord;
use portcullis_proto::{Bytes, Refusal, Reply};

/// First step: the new password, blinded, is answered.
pub(crate) fn start(
    context: &mut Context<'_>,
    session: &Session,
    request: &Bytes,
) -> Result<Effects, Refusal> {
    let confirmed: PasswordConfirmed = (context.defences.confirm_password)(context, session)?;
    let request = within(request, limits::OPAQUE_BYTES)?;
    let name = session.open()?.name.as_str();
    let response = context.instance.setup.register(request, name).map_err(login_refusal)?;
    Ok(Effects::reply(Reply::RegisterChallenge {
        account: confirmed.account(),
        response: Bytes(response),
        stretching: stretching(context.instance.stretch),
    }))
}

/// Second step: the record is replaced, and the account's other devices have to log in anew.
pub(crate) fn finish(
    context: &mut Context<'_>,
    session: &mut Session,
    upload: &Bytes,
    wrapped_identity: &Bytes,
) -> Result<Effects, Refusal> {
    let confirmed: PasswordConfirmed = (context.defences.confirm_password)(context, session)?;
    let record = PasswordRecord::parse(within(upload, limits::OPAQUE_BYTES)?);
    let login = Login {
        record: record.map_err(login_refusal)?.as_bytes().to_vec(),
        stretch: context.instance.stretch,
        wrapped_identity: within(wrapped_identity, limits::WRAPPED_BYTES)?.to_vec(),
    };
    let account = confirmed.account();
    context.tx.set_login(account, &login)?;
    let open = session.open_mut()?;
    open.confirmed_at = None;
    let mut effects = Effects::reply(Reply::Done);
    let newest = context.tx.newest_list(account)?.ok_or(crate::store::StoreError::Corrupt)?;
    let identity = context.tx.account(account)?.ok_or(crate::store::StoreError::Corrupt)?.identity;
    let list = newest.signed.open(account, &identity);
    let list = list.map_err(|_| crate::store::StoreError::Corrupt)?;
    for other in list.list().devices.iter().filter(|other| other.device != open.device) {
        context.tx.drop_tokens(other.device)?;
        let whose = Whose::Device(other.device);
        effects = effects.and(Effect::End { whose, reason: "the password was changed" });
    }
    Ok(effects)
}
