//! What accounts have to do with classroom guests: letting them write, and writing to them.

use crate::defences::Claimed;
use crate::guests::join_classroom;
use crate::session::Session;
use crate::store::Membership;
use crate::{Context, Effect, Effects, GuestOutput};
use portcullis_crypto::Signature;
use portcullis_proto::{
    AccountId, Bytes, Code, ConversationId, DeviceId, Refusal, Reply, Role, limits as wire,
};

/// Keeps the key of the session's device, for guests to know.
pub(crate) fn publish_key(
    context: &mut Context<'_>,
    session: &Session,
    key: &Bytes,
    proof: &Signature,
) -> Result<Effects, Refusal> {
    let proven = (context.defences.prove_classic_key)(context, session, key, proof)?;
    context.tx.put_classic_key(proven.device(), proven.key().spki())?;
    context.guests.forget_list();
    Ok(Effects::reply(Reply::Done))
}

/// Whether guests may write to the account privately: whether it reads what they write.
pub(crate) fn allow(
    context: &mut Context<'_>,
    session: &Session,
    allow: bool,
) -> Result<Effects, Refusal> {
    let (account, conversation) = (session.open()?.account, ConversationId::CLASSROOM);
    let membership = context.tx.membership(account, conversation)?;
    let before = membership.as_ref().is_some_and(|before| before.role.is_present());
    if before == allow {
        return Ok(Effects::reply(Reply::Done));
    }
    let effect = if allow {
        if context.instance.guests.is_none() {
            return Err(Refusal::new(Code::Forbidden, "this server admits no guests"));
        }
        join_classroom(context, account)?;
        Effect::Subscribe { account, conversation }
    } else {
        let end = context.tx.conversation(conversation)?.map_or(0, |row| row.end.seq);
        let mut spans = membership.map(|before| before.spans).unwrap_or_default();
        // A span in which nothing was said is kept: it shows that the account has left by its own will.
        if let Some(span) = spans.last_mut() {
            span.to.get_or_insert(end);
        }
        let left = Membership { role: Role::Outside, spans };
        context.tx.put_membership(account, conversation, &left)?;
        context.guests.forget_list();
        Effect::Unsubscribe { account, conversation }
    };
    Ok(Effects::reply(Reply::Done).and(effect))
}

/// A page of the guests who are here. Whoever lists them is told who comes and goes from then on.
pub(crate) fn list(
    context: &Context<'_>,
    session: &Session,
    after: Option<AccountId>,
) -> Result<Effects, Refusal> {
    session.open()?;
    let own = context.instance.guests.as_ref().map_or("", |policy| policy.address.as_str());
    let (guests, more) = context.guests.page(after, own);
    Ok(Effects::reply(Reply::Guests { guests, more }).and(Effect::WatchPresence))
}

/// Hands a device's frame to the gateway, for one guest.
pub(crate) fn chat(
    context: &mut Context<'_>,
    session: &Session,
    guest: AccountId,
    device: DeviceId,
    frame: String,
) -> Result<Effects, Refusal> {
    if frame.len() > wire::GUEST_FRAME_BYTES {
        return Err(Refusal::new(Code::TooLarge, "a message to a guest is at most 64 KiB"));
    }
    let sender = (context.defences.stamp_sender)(context, session, Claimed(device))?;
    let may_tell = (context.defences.may_tell_guest)(context, sender, guest)?;
    let (connections, key) = may_tell.into_parts();
    let tell = GuestOutput::Tell { connections, key, frame };
    Ok(Effects::reply(Reply::Done).at_gateway(tell))
}
