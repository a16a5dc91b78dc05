//! Saying something, and reading what was said.

use crate::defences::{Claimed, FrameAdmitted, Sender};
use crate::session::Session;
use crate::store::{AppendError, Conversation, Place, StoreError, StoredEnvelope};
use crate::{Audience, Context, Effect, Effects, GuestOutput};
use portcullis_proto::{
    AccountId, Code, ConversationId, DeviceId, Draft, Envelope, Event, Fetched, Refusal, Reply,
    Seen, limits,
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
    let Submit { conversation, epoch, device, envelopes: drafts } = parts;
    check_size(&drafts)?;
    let sender = (context.defences.stamp_sender)(context, session, Claimed(device))?;
    let may_write = (context.defences.may_write)(context, sender, conversation)?;
    let present = may_write.conversation();
    if epoch != present.epoch {
        // What was said before is answered whatever the epoch is now.
        return said_before(context, sender, conversation, &drafts)?.ok_or_else(epoch_changed);
    }
    let stored = place(context, may_write.sender().into(), present, epoch, drafts);
    match context.tx.append(conversation, &stored) {
        Ok(()) => {}
        // Looked up only now: nearly all that is submitted is new.
        Err(AppendError::ReferenceUsed) => {
            let drafts: Vec<_> = stored.into_iter().map(|stored| draft(stored.envelope)).collect();
            let again = said_before(context, sender, conversation, &drafts)?;
            return again.ok_or_else(|| AppendError::ReferenceUsed.into());
        }
        Err(error) => return Err(error.into()),
    }
    let before = present.end.seq;
    let last = before + stored.len() as u64;
    let mut effects =
        Effects::reply(Reply::Submitted { first: before + 1, last, accepted_at: context.now });
    for StoredEnvelope { envelope, .. } in stored {
        let to = Audience::Conversation(conversation);
        if conversation == ConversationId::LOBBY && !context.guests.is_empty() {
            effects = effects.at_gateway(say_to_guests(context, session, &envelope)?);
        }
        effects = effects.and(Effect::Deliver { to, event: Event::Envelope(envelope) });
    }
    Ok(effects)
}

/// Has the gateway say an envelope of `#lobby` to the guests that are here.
fn say_to_guests(
    context: &Context<'_>,
    session: &Session,
    envelope: &Envelope,
) -> Result<GuestOutput, Refusal> {
    let name = session.open()?.name.clone();
    let auth = context.tx.device(envelope.device)?.ok_or(StoreError::Corrupt)?.auth;
    Ok(GuestOutput::Say { name, auth, body: envelope.body.clone() })
}

/// A page of what the account may read.
pub(crate) fn fetch(
    context: &mut Context<'_>,
    session: &Session,
    conversation: ConversationId,
    after: u64,
    limit: u32,
) -> Result<Effects, Refusal> {
    let may_read = (context.defences.may_read)(context, session, conversation)?;
    let head = may_read.head();
    let Some((before, last)) = may_read.stretch_after(after) else {
        // Nothing comes after. The page stands at the last place that may be read, so that it continues
        // with what is said next, and a client that claims to be further learns where the log ends.
        let end = may_read.conversation().end;
        let base = match head == end.seq {
            true => end,
            false => context.tx.fetch(conversation, head, head, 1, 0)?.base,
        };
        let fetched = Fetched { conversation, base, envelopes: Vec::new(), head };
        return Ok(Effects::reply(Reply::Fetched(fetched)));
    };
    let limit = limit.clamp(1, limits::FETCH_ENVELOPES);
    let page = context.tx.fetch(conversation, before, last, limit, limits::FETCH_BYTES)?;
    let fetched = Fetched { conversation, base: page.base, envelopes: page.envelopes, head };
    Ok(Effects::reply(Reply::Fetched(fetched)))
}

fn check_size(drafts: &[Draft]) -> Result<(), Refusal> {
    if drafts.is_empty() {
        return Err(Refusal::new(Code::Malformed, "a submit holds at least one envelope"));
    }
    let fits = |draft: &Draft| draft.body.as_slice().len() <= limits::ENVELOPE_BYTES;
    if drafts.len() > limits::SUBMIT_ENVELOPES || !drafts.iter().all(fits) {
        return Err(Refusal::new(Code::TooLarge, "too many envelopes, or too large a one"));
    }
    Ok(())
}

/// Whose envelopes are: made from the proof of it alone.
#[derive(Clone, Copy)]
pub(crate) struct Author {
    account: AccountId,
    device: DeviceId,
}

impl From<Sender> for Author {
    fn from(sender: Sender) -> Self {
        Self { account: sender.account(), device: sender.device() }
    }
}

impl From<&FrameAdmitted> for Author {
    /// The gateway stands for all guests; which one it was, stands in the envelope.
    fn from(_: &FrameAdmitted) -> Self {
        Self { account: AccountId::GATEWAY, device: DeviceId::GATEWAY }
    }
}

/// Gives the drafts their places: the next sequence numbers, and the chain on from the end.
pub(crate) fn place(
    context: &Context<'_>,
    author: Author,
    conversation: &Conversation,
    epoch: u64,
    drafts: Vec<Draft>,
) -> Vec<StoredEnvelope> {
    let Author { account, device } = author;
    let Seen { mut seq, mut chain } = conversation.end;
    let mut stored = Vec::with_capacity(drafts.len());
    for Draft { reference, body } in drafts {
        seq += 1;
        let envelope = Envelope {
            conversation: conversation.id,
            seq,
            account,
            device,
            epoch,
            reference,
            accepted_at: context.now,
            body,
        };
        chain = envelope.chain_after(chain);
        stored.push(StoredEnvelope { envelope, chain });
    }
    stored
}

fn draft(envelope: Envelope) -> Draft {
    Draft { reference: envelope.reference, body: envelope.body }
}

/// The answer that was lost, if the very same stands in this conversation, in the same order; nothing
/// where all of it is new.
pub(crate) fn said_before(
    context: &Context<'_>,
    sender: Sender,
    conversation: ConversationId,
    drafts: &[Draft],
) -> Result<Option<Effects>, Refusal> {
    let mut places = Vec::with_capacity(drafts.len());
    for draft in drafts {
        places.extend(context.tx.place_of(sender.device(), draft.reference)?);
    }
    let Some(Place { seq: first, accepted_at, .. }) = places.first().copied() else {
        return Ok(None);
    };
    let reused = || Refusal::from(AppendError::ReferenceUsed);
    let in_order =
        (first..).zip(&places).all(|(seq, p)| p.seq == seq && p.conversation == conversation);
    if places.len() != drafts.len() || !in_order {
        return Err(reused());
    }
    let last = first + places.len() as u64 - 1;
    let page = context.tx.fetch(conversation, first - 1, last, u32::MAX, usize::MAX)?;
    if page.envelopes.into_iter().map(draft).ne(drafts.iter().cloned()) {
        return Err(reused());
    }
    Ok(Some(Effects::reply(Reply::Submitted { first, last, accepted_at })))
}

pub(crate) fn epoch_changed() -> Refusal {
    let message = "the conversation has changed; catch up and make it again";
    Refusal::new(Code::EpochChanged, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{Person, World, body, drafts, reference};
    use portcullis_proto::{Access, Bytes, Request};

    const LOBBY: ConversationId = ConversationId::LOBBY;

    /// What mira submits, after 1, 2, 3 in the lobby and 4 in her den.
    fn check_again(into_den: bool, numbers: &[u8], expected: Result<(u64, u64), Code>) {
        let mut world = World::new();
        let mira = world.person("mira");
        let den = world.create(&mira, "#den", Access::Open);
        assert_eq!(world.say(&mira, LOBBY, &[1, 2, 3]), Ok((1, 3)));
        assert_eq!(world.say(&mira, den, &[4]), Ok((1, 1)));
        let before = world.trace();
        let conversation = if into_den { den } else { LOBBY };
        world.wait(5_000);
        let said = world.say(&mira, conversation, numbers);
        assert_eq!(world.trace() != before, !world.effects().is_empty());
        assert_eq!(world.say(&mira, conversation, numbers), said);
        let said = said.map_err(|refusal| refusal.code);
        assert_eq!(said, expected, "{numbers:?}");
    }

    #[test]
    fn submitting_again_is_answered_with_the_first_places() {
        check_again(false, &[1, 2, 3], Ok((1, 3)));
        check_again(false, &[1, 2], Ok((1, 2)));
        check_again(false, &[2], Ok((2, 2)));
        check_again(false, &[5], Ok((4, 4)));
        check_again(false, &[5, 6], Ok((4, 5)));
        check_again(true, &[4], Ok((1, 1)));
        check_again(true, &[5], Ok((2, 2)));
        let reused = Err(Code::ReferenceReused);
        check_again(false, &[2, 1], reused);
        check_again(false, &[1, 3], reused);
        check_again(false, &[3, 5], reused);
        check_again(false, &[5, 1], reused);
        check_again(false, &[5, 5], reused);
        check_again(false, &[1, 1], reused);
        check_again(true, &[1, 2, 3], reused);
        check_again(true, &[4, 1], reused);
        check_again(false, &[4], reused);
    }

    #[test]
    fn the_answer_is_the_same_and_nobody_hears_it_twice() {
        let mut world = World::new();
        let mira = world.person("mira");
        let submit = || mira.submit(LOBBY, &[1]);
        let first = world.ask(mira.connection, submit());
        assert_eq!(world.told().len(), 1);
        world.wait(60_000);
        assert_eq!(world.ask(mira.connection, submit()), first);
        assert_eq!(world.effects(), []);
    }

    #[test]
    fn a_reference_with_another_body_is_used_up() {
        let mut world = World::new();
        let mira = world.person("mira");
        world.say(&mira, LOBBY, &[1, 2]).unwrap();
        let mut check = |envelopes: Vec<Draft>, expected: Result<(), Code>| {
            let said = world.attempt(mira.connection, submit(&mira, 0, envelopes));
            assert_eq!(said.map(|_| ()), expected);
        };
        let other = |number, like| Draft { reference: reference(number), body: body(like) };
        check(drafts(&[1, 2]), Ok(()));
        check(vec![other(1, 2)], Err(Code::ReferenceReused));
        check(vec![other(1, 1), other(2, 9)], Err(Code::ReferenceReused));
        check(vec![other(3, 1)], Ok(()));
    }

    /// What was said before is answered before the epoch is compared.
    #[test]
    fn submitting_again_after_an_epoch_has_begun() {
        let mut world = World::new();
        let mira = world.person("mira");
        let group = ConversationId::from_bytes([7; 16]);
        let commit = |world: &mut World, request| world.ask(mira.connection, request).unwrap();
        commit(&mut world, mira.make_group(group, 1, &[]));
        let said = |world: &mut World, numbers: &[u8]| {
            let (epoch, device, envelopes) = (1, mira.device, drafts(numbers));
            let request = Request::Submit { conversation: group, epoch, device, envelopes };
            world.attempt(mira.connection, request)
        };
        let first = said(&mut world, &[2, 3]);
        assert!(first.is_ok());
        commit(&mut world, mira.commit(group, 1, 4, portcullis_proto::Members::default()));
        assert_eq!(said(&mut world, &[2, 3]), first);
        assert_eq!(said(&mut world, &[5]), Err(Code::EpochChanged));
        assert_eq!(said(&mut world, &[3, 5]), Err(Code::ReferenceReused));
    }

    #[test]
    fn references_are_each_devices_own() {
        let mut world = World::new();
        let (mut mira, oleg) = (world.person("mira"), world.person("oleg"));
        let second = world.enrol(&mut mira);
        for (person, seq) in [(&mira, 1), (&oleg, 2), (&second, 3)] {
            assert_eq!(world.say(person, LOBBY, &[1]), Ok((seq, seq)));
        }
    }

    #[test]
    fn places_have_no_gaps_and_the_chain_commits_to_all() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let mut told = Vec::new();
        for (who, numbers) in [(&mira, &[1, 2][..]), (&oleg, &[1]), (&mira, &[2, 1]), (&mira, &[3])]
        {
            let _ = world.say(who, LOBBY, numbers);
            told.extend(world.told().into_iter().map(|(to, event)| {
                assert_eq!(to, Audience::Conversation(LOBBY));
                match event {
                    Event::Envelope(envelope) => envelope,
                    other => panic!("{other:?}"),
                }
            }));
        }
        let mut chain = Envelope::chain_start(LOBBY);
        for (seq, envelope) in (1..).zip(&told) {
            let base = world.fetch(&oleg, LOBBY, seq - 1).unwrap().base;
            assert_eq!(base, Seen { seq: seq - 1, chain });
            assert_eq!(envelope.seq, seq);
            assert_eq!(envelope.accepted_at, world.now);
            chain = envelope.chain_after(chain);
        }
        assert_eq!(told.len(), 4);
        let page = world.fetch(&oleg, LOBBY, 0).unwrap();
        assert_eq!(page.envelopes, told);
        let end = world.fetch(&oleg, LOBBY, 4).unwrap();
        assert_eq!(end.base, Seen { seq: 4, chain });
    }

    fn check_refused(make: fn(&Person) -> Request, expected: Result<(), Code>) {
        let mut world = World::new();
        let mira = world.person("mira");
        let said = world.attempt(mira.connection, make(&mira));
        assert_eq!(said.map(|_| ()), expected);
    }

    fn submit(mira: &Person, epoch: u64, envelopes: Vec<Draft>) -> Request {
        Request::Submit { conversation: LOBBY, epoch, device: mira.device, envelopes }
    }

    fn draft(bytes: usize) -> Draft {
        Draft { reference: reference(1), body: Bytes(vec![0; bytes]) }
    }

    #[test]
    fn limits_and_epochs() {
        check_refused(|mira| submit(mira, 1, drafts(&[1])), Err(Code::EpochChanged));
        check_refused(|mira| submit(mira, u64::MAX, drafts(&[1])), Err(Code::EpochChanged));
        check_refused(|mira| submit(mira, 0, vec![]), Err(Code::Malformed));
        let full: Vec<u8> = (0..limits::SUBMIT_ENVELOPES as u8).collect();
        assert_eq!(full.len(), 64);
        check_refused(|mira| submit(mira, 0, drafts(&[1; 65])), Err(Code::TooLarge));
        check_refused(
            |mira| mira.submit(LOBBY, &std::array::from_fn::<u8, 64, _>(|n| n as u8)),
            Ok(()),
        );
        check_refused(|mira| submit(mira, 0, vec![draft(limits::ENVELOPE_BYTES)]), Ok(()));
        check_refused(
            |mira| submit(mira, 0, vec![draft(limits::ENVELOPE_BYTES + 1)]),
            Err(Code::TooLarge),
        );
        check_refused(|mira| submit(mira, 0, vec![draft(0)]), Ok(()));
    }

    /// How many envelopes of 300 come in one page.
    fn check_page(bytes: usize, after: u64, limit: u32, expected: usize) {
        let mut world = World::new();
        let mira = world.person("mira");
        for number in 0..300_u16 {
            let mut id = [0; 16];
            id[..2].copy_from_slice(&number.to_le_bytes());
            let envelope = Draft {
                reference: portcullis_proto::Reference::from_bytes(id),
                body: Bytes(vec![0; bytes]),
            };
            let request = submit(&mira, 0, vec![envelope]);
            world.ask(mira.connection, request).unwrap();
        }
        let request = Request::Fetch { conversation: LOBBY, after, limit };
        let Ok(Reply::Fetched(page)) = world.ask(mira.connection, request) else {
            panic!("no page");
        };
        assert_eq!(page.envelopes.len(), expected, "{bytes} {after} {limit}");
        assert_eq!(page.head, 300);
    }

    #[test]
    fn a_page_is_bounded_in_number_and_in_bytes() {
        check_page(1, 0, 10, 10);
        check_page(1, 0, 0, 1); // a page of nothing would never end
        check_page(1, 0, u32::MAX, 256);
        check_page(1, 290, 256, 10);
        check_page(1, 300, 256, 0);
        check_page(1, u64::MAX, 256, 0);
        check_page(limits::FETCH_BYTES / 64, 0, 256, 64);
    }

    #[test]
    fn one_envelope_always_fits_a_page() {
        let mut world = World::new();
        let mira = world.person("mira");
        for number in [1, 2, 3] {
            let envelope = Draft {
                reference: reference(number),
                body: Bytes(vec![number; limits::ENVELOPE_BYTES]),
            };
            world.ask(mira.connection, submit(&mira, 0, vec![envelope])).unwrap();
        }
        let page = world.fetch(&mira, LOBBY, 0).unwrap();
        assert_eq!(page.envelopes.len(), 2);
        assert_eq!(world.fetch(&mira, LOBBY, 2).unwrap().envelopes.len(), 1);
        assert_ne!(page.envelopes[0].body, body(1));
    }
}
