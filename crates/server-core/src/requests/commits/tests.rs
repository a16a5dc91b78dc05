//! What commits change, whom they tell, and what becomes of them when they meet.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::Output;
use crate::store::Store as _;
use crate::testing::{
    Person, Setting, USUAL, World, adding, body, group_info, naming, reference, removing, welcome,
    welcoming,
};
use portcullis_proto::{ConversationSummary, Envelope, Event, Request};

const GROUP: ConversationId = ConversationId::from_bytes([7; 16]);

fn people(world: &mut World) -> [Person; 3] {
    ["mira", "oleg", "nina"].map(|name| world.person(name))
}

/// Commits, and says at which place.
fn commit(world: &mut World, who: &Person, request: Request) -> Result<u64, Code> {
    match world.attempt(who.connection, request)? {
        Reply::Submitted { first, last, accepted_at } => {
            assert_eq!((first, accepted_at), (last, world.now));
            Ok(first)
        }
        other => panic!("{other:?}"),
    }
}

fn say(world: &mut World, who: &Person, epoch: u64, number: u8) -> Result<u64, Code> {
    let mut request = who.submit(GROUP, &[number]);
    if let Request::Submit { epoch: named, .. } = &mut request {
        *named = epoch;
    }
    match world.attempt(who.connection, request)? {
        Reply::Submitted { first, .. } => Ok(first),
        other => panic!("{other:?}"),
    }
}

/// The conversations that a person is in, but the lobby.
fn listed(world: &mut World, who: &Person) -> Vec<ConversationSummary> {
    match world.ask(who.connection, Request::Conversations { after: None }) {
        Ok(Reply::Conversations { conversations, .. }) => conversations
            .into_iter()
            .filter(|summary| summary.conversation != ConversationId::LOBBY)
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn epochs_grow_by_commits_alone_and_everything_is_said_in_one() {
    let mut world = World::new();
    let [mira, oleg, _] = people(&mut world);
    assert_eq!(commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])), Ok(1));
    assert_eq!(say(&mut world, &oleg, 1, 2), Ok(2));
    assert_eq!(say(&mut world, &mira, 1, 3), Ok(3));
    for wrong in [0, 2, u64::MAX] {
        assert_eq!(say(&mut world, &oleg, wrong, 4), Err(Code::EpochChanged));
        let stale = oleg.commit(GROUP, wrong, 4, Members::default());
        assert_eq!(commit(&mut world, &oleg, stale), Err(Code::EpochChanged));
    }
    let next = oleg.commit(GROUP, 1, 5, Members::default());
    assert_eq!(commit(&mut world, &oleg, next), Ok(4));
    assert_eq!(say(&mut world, &mira, 1, 6), Err(Code::EpochChanged));
    assert_eq!(say(&mut world, &mira, 2, 6), Ok(5));
    let page = world.fetch(&oleg, GROUP, 0).unwrap();
    let epochs: Vec<_> = page.envelopes.iter().map(|e| (e.seq, e.epoch)).collect();
    assert_eq!(epochs, [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2)]);
    let kept = world.store.inner.group_info(GROUP).unwrap().unwrap();
    assert_eq!(kept, GroupInfo { epoch: 2, body: group_info(5) });
}

#[test]
fn of_two_commits_at_once_one_is_told() {
    let mut world = World::new();
    let [mira, oleg, nina] = people(&mut world);
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
    let both = vec![
        (mira.connection, mira.commit(GROUP, 1, 2, removing(&[&oleg]))),
        (oleg.connection, oleg.commit(GROUP, 1, 2, adding(&[&nina]))),
        (mira.connection, mira.commit(GROUP, 1, 3, adding(&[&nina]))),
    ];
    let codes: Vec<_> =
        world.batch(both).into_iter().map(|r| r.err().map(|refusal| refusal.code)).collect();
    assert_eq!(codes, [None, Some(Code::NotFound), Some(Code::EpochChanged)]);

    // Both start the direct at the same moment: there is one, and the other catches up with it.
    let both = vec![
        (nina.connection, nina.make_direct(&oleg, 9)),
        (oleg.connection, oleg.make_direct(&nina, 9)),
    ];
    let codes: Vec<_> =
        world.batch(both).into_iter().map(|r| r.err().map(|refusal| refusal.code)).collect();
    assert_eq!(codes, [None, Some(Code::EpochChanged)]);
    let direct = ConversationId::direct(oleg.account, nina.account);
    assert_eq!(world.readable(&oleg, direct), Ok(vec![1]));
}

/// The answer to a commit is lost; something happens; the same is sent again.
#[test]
fn a_commit_again_is_answered_with_its_place() {
    type Meanwhile = fn(&mut World, &Person, &Person);
    let nothing: Meanwhile = |_, _, _| {};
    let moved: Meanwhile = |world, mira, _| {
        commit(world, mira, mira.commit(GROUP, 2, 9, Members::default())).unwrap();
    };
    let removed: Meanwhile = |world, mira, oleg| {
        commit(world, mira, mira.commit(GROUP, 2, 9, removing(&[oleg]))).unwrap();
    };
    for meanwhile in [nothing, moved, removed] {
        let mut world = World::new();
        let [mira, oleg, nina] = people(&mut world);
        commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
        let lost = welcoming(&[&nina], oleg.commit(GROUP, 1, 2, adding(&[&nina])));
        let first = world.ask(oleg.connection, lost.clone());
        meanwhile(&mut world, &mira, &oleg);
        world.wait(5_000);
        let before = world.trace();
        assert_eq!(world.ask(oleg.connection, lost.clone()), first);
        assert_eq!(world.effects(), []);
        assert!(world.trace() == before, "committed twice");

        let mut other = lost.clone();
        if let Request::Commit { envelope, .. } = &mut other {
            envelope.body = body(99);
        }
        assert_eq!(commit(&mut world, &oleg, other), Err(Code::ReferenceReused));
        let mut elsewhere = lost;
        if let Request::Commit { conversation, .. } = &mut elsewhere {
            *conversation = ConversationId::LOBBY;
        }
        assert_eq!(commit(&mut world, &oleg, elsewhere), Err(Code::ReferenceReused));
    }
}

#[test]
fn a_commit_that_made_the_conversation_is_answered_again_too() {
    let mut world = World::new();
    let [mira, oleg, _] = people(&mut world);
    for made in [mira.make_group(GROUP, 1, &[&oleg]), mira.make_direct(&oleg, 2)] {
        let first = world.ask(mira.connection, made.clone());
        assert!(first.is_ok());
        assert_eq!(world.ask(mira.connection, made), first);
    }
}

#[test]
fn members_read_from_their_adding_to_their_removal() {
    let mut world = World::new();
    let [mira, oleg, nina] = people(&mut world);
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
    say(&mut world, &mira, 1, 2).unwrap();
    let check = |world: &mut World, who: &Person, expected: Result<&[u64], Code>| {
        let found = world.readable(who, GROUP).map_err(|refusal| refusal.code);
        assert_eq!(found, expected.map(<[u64]>::to_vec), "{}", who.name);
    };
    check(&mut world, &oleg, Ok(&[1, 2]));
    check(&mut world, &nina, Err(Code::NotFound));
    commit(&mut world, &oleg, oleg.commit(GROUP, 1, 3, adding(&[&nina]))).unwrap();
    say(&mut world, &mira, 2, 4).unwrap();
    check(&mut world, &nina, Ok(&[3, 4]));
    commit(&mut world, &mira, mira.commit(GROUP, 2, 5, removing(&[&nina]))).unwrap();
    say(&mut world, &mira, 3, 6).unwrap();
    check(&mut world, &nina, Ok(&[3, 4, 5]));
    assert_eq!(say(&mut world, &nina, 3, 7), Err(Code::NotFound));
    commit(&mut world, &oleg, oleg.commit(GROUP, 3, 7, adding(&[&nina]))).unwrap();
    commit(&mut world, &nina, nina.commit(GROUP, 4, 8, removing(&[&nina]))).unwrap();
    say(&mut world, &mira, 5, 9).unwrap();
    check(&mut world, &nina, Ok(&[3, 4, 5, 7, 8]));
    check(&mut world, &mira, Ok(&[1, 2, 3, 4, 5, 6, 7, 8, 9]));
}

#[test]
fn whom_a_commit_tells_what_and_in_which_order() {
    let mut world = World::new();
    let [mira, oleg, nina] = people(&mut world);
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
    let members =
        Members { owner: Some(nina.account), removed: vec![mira.account], ..adding(&[&nina]) };
    let request = welcoming(&[&nina, &oleg], mira.commit(GROUP, 1, 2, members));
    let answer = commit(&mut world, &mira, request);
    assert_eq!(answer, Ok(2));
    assert!(matches!(world.outputs[0], Output::Reply { .. }));
    let envelope = |conversation, seq, epoch, reference, body| Envelope {
        conversation,
        seq,
        account: mira.account,
        device: mira.device,
        epoch,
        reference,
        accepted_at: world.now,
        body,
    };
    let tell = |to, event| Output::Effect(Effect::Deliver { to, event });
    let welcomed = |person: &Person| {
        let inbox = ConversationId::inbox(person.device);
        let reference = Reference::of_welcome(reference(2), person.device);
        let event = Event::Envelope(envelope(inbox, 1, 0, reference, welcome(2)));
        tell(Audience::Device(person.device), event)
    };
    let summary = ConversationSummary {
        conversation: GROUP,
        kind: ConversationKind::Group,
        name: None,
        with: None,
        access: portcullis_proto::Access::Invitation,
        role: Role::Owner,
        epoch: 2,
        since: 2,
        head: 2,
        members: Some(2),
    };
    let [mira, nina, oleg] = [&mira, &nina, &oleg];
    let account = Audience::Account;
    let expected = [
        welcomed(nina),
        welcomed(oleg),
        Output::Effect(Effect::Subscribe { account: nina.account, conversation: GROUP }),
        tell(account(nina.account), Event::Conversation(summary)),
        tell(
            Audience::Conversation(GROUP),
            Event::Envelope(envelope(GROUP, 2, 2, reference(2), body(2))),
        ),
        Output::Effect(Effect::Unsubscribe { account: mira.account, conversation: GROUP }),
        tell(account(mira.account), Event::Left { conversation: GROUP }),
    ];
    assert_eq!(world.effects(), expected);
}

#[test]
fn what_is_listed_of_directs_and_groups() {
    let mut world = World::new();
    let [mira, oleg, nina] = people(&mut world);
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
    commit(&mut world, &mira, welcoming(&[&oleg], mira.make_direct(&oleg, 2))).unwrap();
    commit(&mut world, &mira, mira.commit(GROUP, 1, 3, naming(&oleg))).unwrap();
    let check = |world: &mut World, who: &Person, other: &Person, role: Role| {
        let [group, direct] = &listed(world, who)[..] else { panic!("two conversations") };
        assert_eq!(group.conversation, GROUP); // ids that are computed come last
        assert_eq!((group.kind, group.role), (ConversationKind::Group, role));
        assert_eq!((group.epoch, group.since, group.head, group.members), (2, 1, 2, Some(2)));
        assert_eq!((&group.name, &group.with), (&None, &None));
        assert_eq!(direct.conversation, ConversationId::direct(mira.account, oleg.account));
        assert_eq!((direct.kind, direct.role), (ConversationKind::Direct, Role::Member));
        assert_eq!((direct.epoch, direct.since, direct.head, direct.members), (1, 1, 1, None));
        let with = direct.with.as_ref().unwrap();
        assert_eq!((with.account, &with.name), (other.account, &other.name));
    };
    check(&mut world, &mira, &oleg, Role::Member);
    check(&mut world, &oleg, &mira, Role::Owner);
    assert_eq!(listed(&mut world, &nina), []);
    let channels = world.ask(nina.connection, Request::Channels { after: None });
    assert!(matches!(channels, Ok(Reply::Channels { channels, .. }) if channels.len() == 1));
}

/// Whoever comes back hears the directs and groups that it is in, and nothing else of the kind.
#[test]
fn a_session_hears_directs_and_groups() {
    let mut world = World::new();
    let [mira, oleg, mut nina] = people(&mut world);
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&nina])).unwrap();
    commit(&mut world, &mira, mira.make_direct(&nina, 2)).unwrap();
    commit(&mut world, &mira, welcoming(&[&nina], mira.commit(GROUP, 1, 3, adding(&[&oleg]))))
        .unwrap();
    let direct = ConversationId::direct(mira.account, nina.account);
    let mut check = |expected: &[ConversationId]| {
        world.come_back(&mut nina).unwrap();
        let heard = world.effects().into_iter().find_map(|output| match output {
            Output::Connection { effect: Effect::Opened { conversations, .. }, .. } => {
                Some(conversations)
            }
            _ => None,
        });
        assert_eq!(heard.unwrap(), expected);
        let gone = mira.commit(GROUP, 2, 4, removing(&[&nina]));
        let _ = world.ask(mira.connection, gone);
    };
    check(&[GROUP, ConversationId::LOBBY, direct]);
    check(&[ConversationId::LOBBY, direct]);
}

#[test]
fn welcomes_lie_in_the_inbox_of_their_device_and_count_for_nobody() {
    let mut world = World::new();
    let [mira, mut oleg, nina] = people(&mut world);
    let second = world.enrol(&mut oleg);
    commit(&mut world, &mira, welcoming(&[&oleg, &second], mira.make_group(GROUP, 1, &[&oleg])))
        .unwrap();
    commit(&mut world, &mira, welcoming(&[&oleg], mira.make_direct(&oleg, 2))).unwrap();
    let inbox = ConversationId::inbox(oleg.device);
    let page = world.fetch(&oleg, inbox, 0).unwrap();
    let found: Vec<_> = page.envelopes.iter().map(|e| (e.seq, e.epoch, e.body.clone())).collect();
    assert_eq!(found, [(1, 0, welcome(1)), (2, 0, welcome(2))]);
    assert_eq!(page.head, 2);
    assert_eq!(world.readable(&second, ConversationId::inbox(second.device)), Ok(vec![1]));
    // One in which nothing lies is empty, and another's isn't there.
    assert_eq!(world.readable(&nina, ConversationId::inbox(nina.device)), Ok(vec![]));
    for stranger in [&second, &mira, &nina] {
        let refused = world.fetch(stranger, inbox, 0).unwrap_err();
        assert_eq!(refused.code, Code::NotFound);
        assert_eq!(world.say(stranger, inbox, &[9]).unwrap_err().code, Code::NotFound);
    }
    assert_eq!(world.say(&oleg, inbox, &[9]).unwrap_err().code, Code::NotFound);
    let submitted =
        |person: &Person| world.store.inner.device(person.device).unwrap().unwrap().submitted;
    assert_eq!((submitted(&mira), submitted(&oleg)), (2, 0));
}

/// The world as it is with real rates, and a group of mira's.
fn hurried() -> (World, [Person; 3]) {
    let mut world = World::build(Setting { rate_factor: 1, ..USUAL });
    let people = people(&mut world);
    (world, people)
}

#[test]
fn a_flood_of_welcomes_is_stopped_and_disturbs_nobody_else() {
    let (mut world, [mira, oleg, nina]) = hurried();
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg, &nina])).unwrap();
    let mut epoch = 1;
    let mut flood = |world: &mut World, whom: &Person| {
        let request = mira.commit(GROUP, epoch, epoch as u8 + 9, Members::default());
        let done = commit(world, &mira, welcoming(&[whom], request));
        epoch += u64::from(done.is_ok());
        done.map(|_| ())
    };
    for _ in 0..20 {
        assert_eq!(flood(&mut world, &oleg), Ok(()));
    }
    assert_eq!(flood(&mut world, &oleg), Err(Code::RateLimited));
    assert_eq!(flood(&mut world, &nina), Ok(()));
    let inbox = ConversationId::inbox(oleg.device);
    assert_eq!(world.readable(&oleg, inbox).unwrap().len(), 20);
    let welcomed = welcoming(&[&oleg], nina.make_direct(&oleg, 1));
    assert_eq!(commit(&mut world, &nina, welcomed), Ok(1));
    world.wait(60_000);
    assert_eq!(flood(&mut world, &oleg), Ok(()));
    assert_eq!(flood(&mut world, &oleg), Err(Code::RateLimited));
}

#[test]
fn nobody_fills_anothers_list_with_groups() {
    let (mut world, [mira, oleg, nina]) = hurried();
    let mut made = 0;
    let mut group = |world: &mut World, who: &Person| {
        made += 1;
        let id = ConversationId::from_bytes([made; 16]);
        commit(world, who, who.make_group(id, made, &[&oleg])).map(|_| ())
    };
    for _ in 0..20 {
        assert_eq!(group(&mut world, &mira), Ok(()));
    }
    assert_eq!(group(&mut world, &mira), Err(Code::RateLimited));
    assert_eq!(group(&mut world, &nina), Ok(()));
    let request = mira.make_group(ConversationId::from_bytes([99; 16]), 99, &[&nina]);
    assert_eq!(commit(&mut world, &mira, request), Ok(1));
    // And what others added it to leaves room for what it does itself.
    assert_eq!(group(&mut world, &oleg), Ok(()));
}

#[test]
fn commits_come_at_a_rate_that_counts_their_welcomes() {
    let check = |devices: usize, expected: u32| {
        let (mut world, [mira, oleg, _]) = hurried();
        let commit = welcoming(&vec![&oleg; devices], mira.commit(GROUP, 1, 9, Members::default()));
        let limited = |world: &mut World| {
            let answer = world.ask(mira.connection, commit.clone());
            answer.unwrap_err().code == Code::RateLimited
        };
        let first = (0..=expected).find(|_| limited(&mut world));
        assert_eq!(first, Some(expected), "{devices}");
    };
    check(1, 120);
    check(8, 60);
    check(64, 13);
}

#[test]
fn parts_are_bounded() {
    let check = |change: fn(&mut Draft, &mut Option<Welcome>, &mut Bytes), expected| {
        let mut world = World::new();
        let [mira, oleg, _] = people(&mut world);
        let mut request = welcoming(&[&oleg], mira.make_group(GROUP, 1, &[&oleg]));
        if let Request::Commit { envelope, welcome, group_info, .. } = &mut request {
            change(envelope, welcome, group_info);
        }
        assert_eq!(commit(&mut world, &mira, request), expected);
    };
    check(|envelope, _, _| envelope.body = Bytes(vec![1; limits::ENVELOPE_BYTES]), Ok(1));
    check(|_, _, info| *info = Bytes(vec![1; limits::GROUP_INFO_BYTES]), Ok(1));
    check(
        |_, welcome, _| {
            welcome.as_mut().unwrap().body = Bytes(vec![1; limits::WELCOME_BYTES]);
        },
        Ok(1),
    );
    let large = Err(Code::TooLarge);
    check(|envelope, _, _| envelope.body = Bytes(vec![1; limits::ENVELOPE_BYTES + 1]), large);
    check(|_, _, info| *info = Bytes(vec![1; limits::GROUP_INFO_BYTES + 1]), large);
    check(
        |_, welcome, _| {
            welcome.as_mut().unwrap().body = Bytes(vec![1; limits::WELCOME_BYTES + 1]);
        },
        large,
    );
}

#[test]
fn a_commit_is_its_own_devices() {
    let mut world = World::new();
    let [mira, oleg, _] = people(&mut world);
    let forged = oleg.make_group(GROUP, 1, &[]);
    assert_eq!(commit(&mut world, &mira, forged), Err(Code::Forbidden));
}

/// Joining, inviting and leaving are for channels.
#[test]
fn what_is_for_channels_alone() {
    let mut world = World::new();
    let [mira, oleg, nina] = people(&mut world);
    commit(&mut world, &mira, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
    commit(&mut world, &mira, mira.make_direct(&oleg, 2)).unwrap();
    let direct = ConversationId::direct(mira.account, oleg.account);
    for conversation in [GROUP, direct] {
        let mut check = |who: &Person, request, expected| {
            assert_eq!(world.attempt(who.connection, request), Err(expected));
        };
        let invite = Request::Invite { conversation, name: nina.name.clone() };
        check(&mira, invite, Code::NotFound);
        check(&mira, Request::Leave { conversation }, Code::Forbidden);
        check(&nina, Request::Leave { conversation }, Code::NotFound);
    }
}
