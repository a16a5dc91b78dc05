//! Channels: which there are, making, joining and leaving them.

use crate::defences::may_read::not_found;
use crate::requests::summary::summary;
use crate::session::Session;
use crate::store::{Conversation, Membership, Span};
use crate::{Audience, Context, Effect, Effects, limits};
use portcullis_proto::{
    Access, AccountId, ChannelName, Code, ConversationId, ConversationKind, ConversationSummary,
    Event, Refusal, Reply, Role, UserName, limits as wire,
};

/// A page of the account's conversations.
pub(crate) fn mine(
    context: &Context<'_>,
    session: &Session,
    after: Option<ConversationId>,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let mut after = after;
    loop {
        let mut rows = context.tx.memberships(account, after, wire::PAGE_ROWS + 1)?;
        let more = rows.len() > wire::PAGE_ROWS as usize;
        rows.truncate(wire::PAGE_ROWS as usize);
        after = rows.last().map(|(conversation, _)| conversation.id);
        // What the account has left is remembered for its spans, and not listed.
        let present = rows.iter().filter(|(_, membership)| membership.role != Role::Outside);
        let summaries = present.map(|(c, m)| summary(context, account, c, Some(m)));
        let conversations = summaries.collect::<Result<Vec<_>, _>>()?;
        if !more || !conversations.is_empty() {
            return Ok(Effects::reply(Reply::Conversations { conversations, more }));
        }
    }
}

/// A page of the open channels.
pub(crate) fn open_ones(
    context: &Context<'_>,
    session: &Session,
    after: Option<&ChannelName>,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let mut rows = context.tx.open_channels(after, wire::PAGE_ROWS + 1)?;
    let more = rows.len() > wire::PAGE_ROWS as usize;
    rows.truncate(wire::PAGE_ROWS as usize);
    let mut channels = Vec::with_capacity(rows.len());
    for conversation in &rows {
        let membership = context.tx.membership(account, conversation.id)?;
        let members = Some(context.tx.member_count(conversation.id)?);
        let summary = summary(context, account, conversation, membership.as_ref())?;
        channels.push(ConversationSummary { members, ..summary });
    }
    Ok(Effects::reply(Reply::Channels { channels, more }))
}

/// Makes a channel and joins it.
pub(crate) fn create(
    context: &mut Context<'_>,
    session: &Session,
    name: ChannelName,
    access: Access,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    check_room(context, account)?;
    let id = ConversationId::random(context.rng);
    let conversation = Conversation::channel(id, name, access);
    context.tx.insert_conversation(&conversation)?;
    let owner = Membership { role: Role::Owner, spans: vec![Span { from: 1, to: None }] };
    enter(context, account, &conversation, &owner)
}

/// Joins a channel.
pub(crate) fn join(
    context: &mut Context<'_>,
    session: &Session,
    name: &ChannelName,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let may_join = (context.defences.may_join)(context, account, name)?;
    let conversation = may_join.conversation();
    let before = may_join.before();
    if let Some(before) = before.filter(|b| b.role.is_present()) {
        let summary = summary(context, account, conversation, Some(before))?;
        return Ok(Effects::reply(Reply::Conversation(summary)));
    }
    check_room(context, account)?;
    // What was said in an open channel is public; by invitation one hears what is said from now on.
    let spans = match conversation.access {
        Access::Open => vec![Span { from: 1, to: None }],
        Access::Invitation => {
            let mut spans = before.map(|before| before.spans.clone()).unwrap_or_default();
            spans.push(Span { from: conversation.end.seq + 1, to: None });
            spans
        }
    };
    enter(context, account, conversation, &Membership { role: Role::Member, spans })
}

/// Leaves a channel; what was readable stays so.
pub(crate) fn leave(
    context: &mut Context<'_>,
    session: &Session,
    id: ConversationId,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    if id == ConversationId::LOBBY {
        return Err(Refusal::new(Code::Forbidden, "everyone is in #lobby"));
    }
    if id == ConversationId::CLASSROOM {
        let message = "whether guests may write to this account is said by `allow_guests`";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    let conversation = context.tx.conversation(id)?.ok_or_else(not_found)?;
    let Some(membership) = context.tx.membership(account, id)? else {
        // Whoever has left an open channel already, perhaps unheard, may say so again.
        let open = conversation.access == Access::Open;
        return open.then(|| Effects::reply(Reply::Done)).ok_or_else(not_found);
    };
    if conversation.kind != ConversationKind::Channel {
        let message =
            "a group is left by a commit that takes oneself out, and a direct is for ever";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    let mut spans = membership.spans;
    if let Some(span) = spans.last_mut() {
        span.to.get_or_insert(conversation.end.seq);
    }
    // A span in which nothing was said holds nothing to read.
    spans.retain(|span| span.to.is_none_or(|to| span.from <= to));
    context.tx.put_membership(account, id, &Membership { role: Role::Outside, spans })?;
    let event = Event::Left { conversation: id };
    Ok(Effects::reply(Reply::Done)
        .and(Effect::Unsubscribe { account, conversation: id })
        .and(Effect::Deliver { to: Audience::Account(account), event }))
}

/// Lets another account join, and tells it so.
pub(crate) fn invite(
    context: &mut Context<'_>,
    session: &Session,
    id: ConversationId,
    name: &UserName,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let may_invite = (context.defences.may_invite)(context, account, id)?;
    let no_account = || Refusal::new(Code::NotFound, "there is no account of this name");
    let guest = context.tx.account_by_name(name)?.ok_or_else(no_account)?.id;
    let before = context.tx.membership(guest, id)?;
    if before.as_ref().is_some_and(|before| before.role != Role::Outside) {
        return Ok(Effects::reply(Reply::Done));
    }
    let invited = |(_, membership): &Row| membership.role == Role::Invited;
    if count(context, guest, invited)? >= limits::INVITATIONS {
        let message =
            "this account has as many invitations as may wait; it has to answer some first";
        return Err(Refusal::new(Code::TooLarge, message));
    }
    let spans = before.map(|before| before.spans).unwrap_or_default();
    let membership = Membership { role: Role::Invited, spans };
    context.tx.put_membership(guest, id, &membership)?;
    let told = summary(context, guest, may_invite.conversation(), Some(&membership))?;
    let event = Event::Conversation(told);
    Ok(Effects::reply(Reply::Done).and(Effect::Deliver { to: Audience::Account(guest), event }))
}

fn enter(
    context: &Context<'_>,
    account: AccountId,
    conversation: &Conversation,
    membership: &Membership,
) -> Result<Effects, Refusal> {
    context.tx.put_membership(account, conversation.id, membership)?;
    let summary = summary(context, account, conversation, Some(membership))?;
    let event = Event::Conversation(summary.clone());
    Ok(Effects::reply(Reply::Conversation(summary))
        .and(Effect::Subscribe { account, conversation: conversation.id })
        .and(Effect::Deliver { to: Audience::Account(account), event }))
}

/// A conversation with what an account is in it.
type Row = (Conversation, Membership);

/// The conversations that an account hears: all of them, however many it was invited to or has left.
pub(crate) fn heard(
    context: &Context<'_>,
    account: AccountId,
) -> Result<Vec<ConversationId>, Refusal> {
    let mut heard = Vec::new();
    each_membership(context, account, |row| heard.extend(is_present(row).then_some(row.0.id)))?;
    Ok(heard)
}

/// Only what an account does itself takes room: nobody else decides about that.
pub(crate) fn check_room(context: &Context<'_>, account: AccountId) -> Result<(), Refusal> {
    let own = |(conversation, membership): &Row| match conversation.kind {
        ConversationKind::Channel => membership.role.is_present(),
        _ => membership.role == Role::Owner,
    };
    if count(context, account, own)? >= limits::MEMBERSHIPS {
        let message = "this account is in as many conversations as it may be";
        return Err(Refusal::new(Code::TooLarge, message));
    }
    Ok(())
}

fn is_present((_, membership): &Row) -> bool {
    membership.role.is_present()
}

fn count(
    context: &Context<'_>,
    account: AccountId,
    counted: impl Fn(&Row) -> bool,
) -> Result<u32, Refusal> {
    let mut count = 0;
    each_membership(context, account, |row| count += u32::from(counted(row)))?;
    Ok(count)
}

/// Shows all rows of an account, a page at a time.
fn each_membership(
    context: &Context<'_>,
    account: AccountId,
    mut show: impl FnMut(&Row),
) -> Result<(), Refusal> {
    let mut after = None;
    loop {
        let rows = context.tx.memberships(account, after, limits::MEMBERSHIPS_READ)?;
        rows.iter().for_each(&mut show);
        match rows.last() {
            Some((last, _)) if rows.len() >= limits::MEMBERSHIPS_READ as usize => {
                after = Some(last.id);
            }
            _ => return Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::Output;
    use crate::store::{InsertError, Store as _};
    use crate::testing::{Person, World, channel};
    use portcullis_proto::{ConversationKind as Kind, Request};

    /// The channels that a person sees in a list, with its role in each.
    fn listed(world: &mut World, person: &Person, request: Request) -> Vec<(String, Role)> {
        let channels = match world.ask(person.connection, request) {
            Ok(Reply::Conversations { conversations, .. }) => conversations,
            Ok(Reply::Channels { channels, .. }) => channels,
            other => panic!("{other:?}"),
        };
        let row = |summary: ConversationSummary| (summary.name.unwrap().to_string(), summary.role);
        let mut rows: Vec<_> = channels.into_iter().map(row).collect();
        rows.sort_by(|(one, _), (other, _)| one.cmp(other));
        rows
    }

    fn check(world: &mut World, person: &Person, mine: &[(&str, Role)], open: &[(&str, Role)]) {
        let wanted = |rows: &[(&str, Role)]| -> Vec<(String, Role)> {
            rows.iter().map(|(name, role)| ((*name).to_owned(), *role)).collect()
        };
        let request = Request::Conversations { after: None };
        assert_eq!(listed(world, person, request), wanted(mine));
        let request = Request::Channels { after: None };
        assert_eq!(listed(world, person, request), wanted(open));
    }

    #[test]
    fn a_channel_by_invitation_from_invitation_to_leaving() {
        use Role::{Invited, Member, Outside, Owner};
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let den = world.create(&mira, "#den", Access::Invitation);
        world.create(&mira, "#tea", Access::Open);
        let open = [("#lobby", Member), ("#tea", Outside)];
        let mine = [("#den", Owner), ("#lobby", Member), ("#tea", Owner)];
        check(&mut world, &mira, &mine, &[("#lobby", Member), ("#tea", Owner)]);
        check(&mut world, &oleg, &[("#lobby", Member)], &open);

        world.invite(&mira, den, &oleg).unwrap();
        let told = world.told();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, Audience::Account(oleg.account));
        check(&mut world, &oleg, &[("#den", Invited), ("#lobby", Member)], &open);
        world.invite(&mira, den, &oleg).unwrap();
        assert_eq!(world.told(), []); // once is enough

        world.join(&oleg, "#den").unwrap();
        let subscribe = Effect::Subscribe { account: oleg.account, conversation: den };
        assert_eq!(world.effects()[0], Output::Effect(subscribe));
        check(&mut world, &oleg, &[("#den", Member), ("#lobby", Member)], &open);
        world.join(&oleg, "#den").unwrap();
        assert_eq!(world.effects(), []);

        world.leave(&oleg, den).unwrap();
        let unsubscribe = Effect::Unsubscribe { account: oleg.account, conversation: den };
        assert_eq!(world.effects()[0], Output::Effect(unsubscribe));
        let left = Event::Left { conversation: den };
        assert_eq!(world.told(), [(Audience::Account(oleg.account), left)]);
        check(&mut world, &oleg, &[("#lobby", Member)], &open);
    }

    #[test]
    fn a_channel_counts_its_members() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let tea = world.create(&mira, "#tea", Access::Open);
        let mut check = |step: fn(&mut World, &Person, ConversationId), expected: u64| {
            step(&mut world, &oleg, tea);
            assert_eq!(world.store.inner.member_count(tea), Ok(expected));
        };
        check(|_, _, _| {}, 1);
        check(|world, oleg, _| drop(world.join(oleg, "#tea").unwrap()), 2);
        check(|world, oleg, tea| drop(world.leave(oleg, tea).unwrap()), 1);
        check(|world, oleg, tea| drop(world.leave(oleg, tea).unwrap()), 1);
    }

    fn check_refused(request: fn(&Person, ConversationId) -> Request, expected: Code) {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let den = world.create(&mira, "#den", Access::Invitation);
        let refused = world.attempt(oleg.connection, request(&oleg, den));
        assert_eq!(refused, Err(expected));
    }

    #[test]
    fn what_is_refused() {
        check_refused(|_, conversation| Request::Leave { conversation }, Code::NotFound);
        check_refused(
            |_, _| Request::Leave { conversation: ConversationId::LOBBY },
            Code::Forbidden,
        );
        for name in ["#den", "#lobby", "#DEN"] {
            let mut world = World::new();
            let mira = world.person("mira");
            world.create(&mira, "#den", Access::Invitation);
            let request = Request::CreateChannel { name: channel(name), access: Access::Open };
            assert_eq!(world.attempt(mira.connection, request), Err(Code::NameTaken));
        }
    }

    /// Makes a channel by invitation that `host` is in, and invites the guest.
    fn invited(world: &mut World, host: &Person, guest: &Person, n: u32) -> Result<Reply, Refusal> {
        let den = world.create(host, &format!("#den{n}"), Access::Invitation);
        world.invite(host, den, guest)
    }

    /// Invitations must not fill the room of the invited, and are bounded by themselves.
    #[test]
    fn invitations_take_no_room_and_are_bounded_apart() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        for n in 0..limits::INVITATIONS {
            assert_eq!(invited(&mut world, &mira, &oleg, n), Ok(Reply::Done));
        }
        let past = invited(&mut world, &mira, &oleg, limits::INVITATIONS).unwrap_err();
        assert_eq!(past.code, Code::TooLarge);
        let own = Request::CreateChannel { name: channel("#own"), access: Access::Open };
        assert!(world.ask(oleg.connection, own).is_ok());

        let first = world.store.inner.conversation_by_name(&channel("#den0")).unwrap().unwrap();
        world.leave(&oleg, first.id).unwrap();
        assert_eq!(world.store.inner.membership(oleg.account, first.id), Ok(None));
        world.invite(&mira, first.id, &oleg).unwrap();
        world.join(&oleg, "#den0").unwrap();
        assert!(invited(&mut world, &mira, &oleg, 999).is_ok(), "joining frees its place too");
    }

    /// Gives an account `rows` conversations in which it has this role.
    fn with_rows(world: &mut World, guest: &Person, kind: Kind, role: Role, rows: u32) {
        world.operate(|store| {
            for n in 0..rows {
                let mut id = [0; 16];
                id[0..4].copy_from_slice(&n.to_be_bytes()); // before every other
                let id = ConversationId::from_bytes(id);
                let name = channel(&format!("#row{n}"));
                let row = match kind {
                    Kind::Group => Conversation::group(id),
                    _ => Conversation::channel(id, name, Access::Invitation),
                };
                let spans = vec![Span { from: 1, to: Some(1) }];
                store.insert_conversation(&row)?;
                store.put_membership(guest.account, id, &Membership { role, spans })?;
            }
            Ok::<_, InsertError>(())
        });
    }

    #[test]
    fn only_what_one_is_in_takes_room() {
        fn check(kind: Kind, role: Role, rows: u32, expected: Result<(), Code>) {
            let make: [fn(&Person) -> Request; 2] = [
                |_| Request::CreateChannel { name: channel("#own"), access: Access::Open },
                |oleg| oleg.make_group(ConversationId::from_bytes([0x7f; 16]), 1, &[]),
            ];
            for make in make {
                let mut world = World::new();
                let oleg = world.person("oleg");
                with_rows(&mut world, &oleg, kind, role, rows);
                let made = world.attempt(oleg.connection, make(&oleg)).map(|_| ());
                assert_eq!(made, expected, "{kind:?} {role:?}");
            }
        }
        use Kind::{Channel, Group};
        let room = limits::MEMBERSHIPS - 1; // one is #lobby
        check(Channel, Role::Invited, limits::MEMBERSHIPS + 1, Ok(()));
        check(Channel, Role::Outside, limits::MEMBERSHIPS + 1, Ok(()));
        check(Channel, Role::Member, room - 1, Ok(()));
        check(Channel, Role::Member, room, Err(Code::TooLarge));
        check(Channel, Role::Owner, room, Err(Code::TooLarge));
        check(Group, Role::Member, limits::MEMBERSHIPS + 1, Ok(()));
        check(Group, Role::Owner, room - 1, Ok(()));
        check(Group, Role::Owner, room, Err(Code::TooLarge));
    }

    #[test]
    fn none_that_is_heard_is_missed_however_many_rows_there_are() {
        let mut world = World::new();
        let oleg = world.person("oleg");
        with_rows(&mut world, &oleg, Kind::Channel, Role::Outside, limits::MEMBERSHIPS_READ + 1);
        let tea = world.create(&oleg, "#tea", Access::Open);
        let connection = world.connect();
        let finish = world.begin_login(connection, "oleg", &oleg.password).unwrap();
        world.ask(connection, finish).unwrap();
        let open = world.open(&oleg, connection);
        world.ask(connection, open).unwrap();
        let heard = world.effects().iter().find_map(|output| match output {
            Output::Connection { effect: Effect::Opened { conversations, .. }, .. } => {
                Some(conversations.clone())
            }
            _ => None,
        });
        let mut heard = heard.unwrap();
        heard.sort();
        let mut wanted = vec![tea, ConversationId::LOBBY];
        wanted.sort();
        assert_eq!(heard, wanted);
    }
}
