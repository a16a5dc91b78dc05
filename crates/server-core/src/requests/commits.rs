//! Commits: what changes an encrypted conversation's members or their devices, or makes it (RFC 9750
//! section 5.2: one order of commits, kept by the delivery service).

use crate::defences::{Claimed, MayCommit, Proposed};
use crate::requests::channels::check_room;
use crate::requests::log::{epoch_changed, place, said_before};
use crate::requests::summary::summary;
use crate::session::Session;
use crate::store::{Conversation, GroupInfo, Membership, Span, StoredEnvelope};
use crate::{Audience, Context, Effect, Effects, Rate, RateKey};
use portcullis_proto::{
    AccountId, Bytes, Code, ConversationId, ConversationKind, Creates, DeviceId, Draft, Event,
    Members, Reference, Refusal, Reply, Role, Welcome, limits,
};

/// What a commit brings.
pub(crate) struct Commit {
    pub(crate) conversation: ConversationId,
    pub(crate) epoch: u64,
    pub(crate) device: DeviceId,
    pub(crate) creates: Option<Creates>,
    pub(crate) envelope: Draft,
    pub(crate) welcome: Option<Welcome>,
    pub(crate) group_info: Bytes,
    pub(crate) members: Members,
}

/// Appends a commit, moves the conversation to the epoch that it begins, changes the list of members and
/// leaves its welcome in the inboxes: all or nothing. The same commit again is answered with its place,
/// whatever has happened since, so that a client that lost the answer just asks again.
pub(crate) fn commit(
    context: &mut Context<'_>,
    session: &Session,
    parts: Commit,
) -> Result<Effects, Refusal> {
    let Commit { conversation, epoch, device, creates, envelope, welcome, group_info, members } =
        parts;
    check_size(&envelope, welcome.as_ref(), &group_info)?;
    let sender = (context.defences.stamp_sender)(context, session, Claimed(device))?;
    let drafts = vec![envelope];
    if let Some(again) = said_before(context, sender, conversation, &drafts)? {
        return Ok(again);
    }
    let (welcomed, welcome) = welcome.map(|w| (w.devices, w.body)).unwrap_or_default();
    let proposed = Proposed { conversation, creates, members: &members, welcomed: &welcomed };
    let may_commit = (context.defences.may_commit)(context, sender, &proposed)?;
    let before = may_commit.conversation();
    if epoch != before.epoch {
        return Err(epoch_changed());
    }
    admit(context, &may_commit)?;

    if may_commit.is_new() {
        if before.kind == ConversationKind::Group {
            check_room(context, sender.account())?;
        }
        context.tx.insert_conversation(before)?;
    }
    let epoch = before.epoch.saturating_add(1);
    let references: Vec<Reference> = drafts.iter().map(|draft| draft.reference).collect();
    let stored = place(context, sender.into(), before, epoch, drafts);
    context.tx.append(conversation, &stored)?;
    context.tx.begin_epoch(conversation, &GroupInfo { epoch, body: group_info })?;
    let seq = before.end.seq + 1;
    change_members(context, &may_commit, seq)?;
    let mut then = Vec::new();
    for reference in references {
        leave_welcomes(context, &may_commit, reference, &welcome, &mut then)?;
    }
    tell(context, &may_commit, stored, &mut then)?;
    let reply = Reply::Submitted { first: seq, last: seq, accepted_at: context.now };
    Ok(Effects::all(reply, then))
}

/// What a device needs to join by an external commit.
pub(crate) fn group_info(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let may_rejoin = (context.defences.may_rejoin)(context, account, conversation)?;
    let found = context.tx.group_info(may_rejoin.conversation())?;
    let nothing = || Refusal::new(Code::NotFound, "a channel has no public state to join by");
    let GroupInfo { epoch, body } = found.ok_or_else(nothing)?;
    Ok(Effects::reply(Reply::GroupInfo { epoch, group_info: body }))
}

fn check_size(
    envelope: &Draft,
    welcome: Option<&Welcome>,
    group_info: &Bytes,
) -> Result<(), Refusal> {
    let within = |bytes: &Bytes, limit: usize| bytes.as_slice().len() <= limit;
    let fits = within(&envelope.body, limits::ENVELOPE_BYTES)
        && within(group_info, limits::GROUP_INFO_BYTES)
        && welcome.is_none_or(|welcome| within(&welcome.body, limits::WELCOME_BYTES));
    fits.then_some(()).ok_or_else(|| {
        Refusal::new(Code::TooLarge, "a part of this commit is longer than it may be")
    })
}

/// Counts what the commit does to others: nobody is added, nor an inbox filled, without bound.
fn admit(context: &mut Context<'_>, may_commit: &MayCommit) -> Result<(), Refusal> {
    let own = may_commit.sender().account();
    for account in may_commit.entering().filter(|account| *account != own) {
        let rate = (Rate::Add, RateKey::Between(own, account));
        (context.defences.admit_rate)(context, rate, 1)?;
    }
    for device in may_commit.welcomed().iter().filter(|device| device.account != own) {
        let rate = (Rate::Welcome, RateKey::Toward(own, device.id));
        (context.defences.admit_rate)(context, rate, 1)?;
    }
    Ok(())
}

/// A membership begins with the commit that adds the account, and ends with the one that removes it.
fn change_members(context: &Context<'_>, may_commit: &MayCommit, seq: u64) -> Result<(), Refusal> {
    for change in may_commit.changes() {
        let mut spans = change.before.as_ref().map(|b| b.spans.clone()).unwrap_or_default();
        match (change.was_present(), change.role.is_present()) {
            (false, true) => spans.push(Span { from: seq, to: None }),
            (true, false) => {
                if let Some(span) = spans.last_mut() {
                    span.to.get_or_insert(seq);
                }
            }
            _ => {}
        }
        let membership = Membership { role: change.role, spans };
        let conversation = may_commit.conversation().id;
        context.tx.put_membership(change.account, conversation, &membership)?;
    }
    Ok(())
}

/// Leaves the welcome in the inbox of each device, which is made when it is first needed.
fn leave_welcomes(
    context: &Context<'_>,
    may_commit: &MayCommit,
    commit: Reference,
    welcome: &Bytes,
    then: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    for device in may_commit.welcomed() {
        let device = device.id;
        let inbox = match context.tx.conversation(ConversationId::inbox(device))? {
            Some(inbox) => inbox,
            None => {
                let inbox = Conversation::inbox(device);
                context.tx.insert_conversation(&inbox)?;
                inbox
            }
        };
        let reference = Reference::of_welcome(commit, device);
        let draft = Draft { reference, body: welcome.clone() };
        let stored = place(context, may_commit.sender().into(), &inbox, inbox.epoch, vec![draft]);
        context.tx.append(inbox.id, &stored)?;
        then.extend(deliver(Audience::Device(device), stored));
    }
    Ok(())
}

/// Tells whoever a commit concerns: those who come hear of the conversation before the commit, and those
/// who go still hear the commit.
fn tell(
    context: &Context<'_>,
    may_commit: &MayCommit,
    stored: Vec<StoredEnvelope>,
    then: &mut Vec<Effect>,
) -> Result<(), Refusal> {
    let conversation = may_commit.conversation().id;
    for change in may_commit.changes().iter().filter(|change| change.role.is_present()) {
        let account = change.account;
        if !change.was_present() {
            then.push(Effect::Subscribe { account, conversation });
        }
        let event = Event::Conversation(summary_now(context, account, conversation)?);
        then.push(Effect::Deliver { to: Audience::Account(account), event });
    }
    then.extend(deliver(Audience::Conversation(conversation), stored));
    for change in may_commit.changes().iter().filter(|change| change.role == Role::Outside) {
        let account = change.account;
        then.push(Effect::Unsubscribe { account, conversation });
        let event = Event::Left { conversation };
        then.push(Effect::Deliver { to: Audience::Account(account), event });
    }
    Ok(())
}

fn summary_now(
    context: &Context<'_>,
    account: AccountId,
    id: ConversationId,
) -> Result<portcullis_proto::ConversationSummary, Refusal> {
    let conversation = context.tx.conversation(id)?.ok_or(crate::store::StoreError::Corrupt)?;
    let membership = context.tx.membership(account, id)?;
    summary(context, account, &conversation, membership.as_ref())
}

fn deliver(to: Audience, stored: Vec<StoredEnvelope>) -> impl Iterator<Item = Effect> {
    stored
        .into_iter()
        .map(move |stored| Effect::Deliver { to, event: Event::Envelope(stored.envelope) })
}

#[cfg(test)]
mod tests;
