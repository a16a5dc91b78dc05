//! Saying something, and reading what was said.

use crate::defences::{Claimed, MayWrite};
use crate::session::Session;
use crate::store::{AppendError, Place, StoredEnvelope};
use crate::{Audience, Context, Effect, Effects};
use portcullis_proto::{
    Code, ConversationId, DeviceId, Draft, Envelope, Event, Fetched, Refusal, Reply, Seen, limits,
};

/// What a submit brings.
pub(crate) struct Submit {
    pub(crate) conversation: ConversationId,
    pub(crate) epoch: u64,
    pub(crate) device: DeviceId,
    pub(crate) envelopes: Vec<Draft>,
}

/// Appends all envelopes or none. The same envelopes again are answered with their first place, so
/// that a client that lost the answer just asks again.
pub(crate) fn submit(
    context: &mut Context<'_>,
    session: &Session,
    parts: Submit,
) -> Result<Effects, Refusal> {
    let Submit {
        conversation,
        epoch,
        device,
        envelopes: drafts,
    } = parts;
    check_size(&drafts)?;
    let sender = (context.defences.stamp_sender)(context, session, Claimed(device))?;
    let may_write = (context.defences.may_write)(context, sender, conversation)?;
    if epoch != may_write.conversation().epoch {
        let message = "the conversation has changed; catch up and make it again";
        return Err(Refusal::new(Code::EpochChanged, message));
    }
    let references: Vec<_> = drafts.iter().map(|draft| draft.reference).collect();
    let stored = place(context, &may_write, drafts);
    match context.tx.append(conversation, &stored) {
        Ok(()) => {}
        Err(AppendError::ReferenceUsed) => {
            let mut places = Vec::with_capacity(references.len());
            for reference in references {
                places.push(context.tx.place_of(sender.device(), reference)?);
            }
            return answer_again(conversation, &places);
        }
        Err(error) => return Err(error.into()),
    }
    let before = may_write.conversation().end.seq;
    let last = before + stored.len() as u64;
    let mut effects = Effects::reply(Reply::Submitted {
        first: before + 1,
        last,
        accepted_at: context.now,
    });
    for StoredEnvelope { envelope, .. } in stored {
        let to = Audience::Conversation(conversation);
        effects = effects.and(Effect::Deliver {
            to,
            event: Event::Envelope(envelope),
        });
    }
    Ok(effects)
}

/// A page of what the account may read.
pub(crate) fn fetch(
    context: &mut Context<'_>,
    session: &Session,
    conversation: ConversationId,
    after: u64,
    limit: u32,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let may_read = (context.defences.may_read)(context, account, conversation)?;
    let head = may_read.head();
    let Some((before, last)) = may_read.stretch_after(after) else {
        // Nothing comes after; a client that claims to be further than the log learns where it ends.
        let at = after.min(head);
        let page = context.tx.fetch(conversation, at, at, 1, 0)?;
        let fetched = Fetched {
            conversation,
            base: page.base,
            envelopes: Vec::new(),
            head,
        };
        return Ok(Effects::reply(Reply::Fetched(fetched)));
    };
    let limit = limit.clamp(1, limits::FETCH_ENVELOPES);
    let page = context
        .tx
        .fetch(conversation, before, last, limit, limits::FETCH_BYTES)?;
    let fetched = Fetched {
        conversation,
        base: page.base,
        envelopes: page.envelopes,
        head,
    };
    Ok(Effects::reply(Reply::Fetched(fetched)))
}

fn check_size(drafts: &[Draft]) -> Result<(), Refusal> {
    if drafts.is_empty() {
        return Err(Refusal::new(
            Code::Malformed,
            "a submit holds at least one envelope",
        ));
    }
    let fits = |draft: &Draft| draft.body.as_slice().len() <= limits::ENVELOPE_BYTES;
    if drafts.len() > limits::SUBMIT_ENVELOPES || !drafts.iter().all(fits) {
        return Err(Refusal::new(
            Code::TooLarge,
            "too many envelopes, or too large a one",
        ));
    }
    Ok(())
}

/// Gives the drafts their places: the next sequence numbers, and the chain on from the end.
fn place(context: &Context<'_>, may_write: &MayWrite, drafts: Vec<Draft>) -> Vec<StoredEnvelope> {
    let (sender, conversation) = (may_write.sender(), may_write.conversation());
    let Seen { mut seq, mut chain } = conversation.end;
    let mut stored = Vec::with_capacity(drafts.len());
    for Draft { reference, body } in drafts {
        seq += 1;
        let envelope = Envelope {
            conversation: conversation.id,
            seq,
            account: sender.account(),
            device: sender.device(),
            epoch: conversation.epoch,
            reference,
            accepted_at: context.now,
            body,
        };
        chain = envelope.chain_after(chain);
        stored.push(StoredEnvelope { envelope, chain });
    }
    stored
}

/// The answer that was lost, if every reference stands in this conversation, in the same order.
fn answer_again(
    conversation: ConversationId,
    places: &[Option<Place>],
) -> Result<Effects, Refusal> {
    let reused = || Refusal::from(AppendError::ReferenceUsed);
    let first = places.first().copied().flatten().ok_or_else(reused)?;
    let in_order = (first.seq..).zip(places).all(|(seq, place)| {
        place.is_some_and(|place| place.seq == seq && place.conversation == conversation)
    });
    if !in_order {
        return Err(reused());
    }
    let last = first.seq + places.len() as u64 - 1;
    let accepted_at = first.accepted_at;
    Ok(Effects::reply(Reply::Submitted {
        first: first.seq,
        last,
        accepted_at,
    }))
}
