//! Batches, sessions that replace one another, presence, failing stores and handlers that panic.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::defences::SOUND;
use crate::testing::{Person, World, channel, user};

const LOBBY: ConversationId = ConversationId::LOBBY;

fn codes(results: Vec<Result<Reply, Refusal>>) -> Vec<Option<Code>> {
    let code = |result: Result<Reply, Refusal>| result.err().map(|refusal| refusal.code);
    results.into_iter().map(code).collect()
}

fn dropped(world: &World) -> Vec<ConnectionId> {
    let drop = |output: &Output| match output {
        Output::Drop { connection } => Some(*connection),
        _ => None,
    };
    world.outputs.iter().filter_map(drop).collect()
}

/// Whether the connection has an open session.
fn is_open(world: &mut World, connection: ConnectionId) -> bool {
    world.ask(connection, Request::Users { after: None }).is_ok()
}

#[test]
fn a_refusal_in_the_middle_of_a_batch_harms_nobody() {
    let mut world = World::new();
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    let nowhere = ConversationId::from_bytes([9; 16]);
    let batch = vec![
        (mira.connection, mira.submit(LOBBY, &[1])),
        (oleg.connection, oleg.submit(nowhere, &[1])),
        (oleg.connection, oleg.submit(LOBBY, &[2])),
        (mira.connection, mira.submit(LOBBY, &[1, 2])),
        (mira.connection, mira.submit(LOBBY, &[3])),
    ];
    let expected = [None, Some(Code::NotFound), None, Some(Code::ReferenceReused), None];
    assert_eq!(codes(world.batch(batch)), expected);
    assert_eq!(world.readable(&mira, LOBBY), Ok(vec![1, 2, 3]));
}

#[test]
fn a_frame_that_is_no_request_is_answered_in_its_turn() {
    let mut world = World::new();
    let mira = world.person("mira");
    let connection = mira.connection;
    let incoming = |id, request| Incoming::Request { connection, id, request };
    let malformed = Refusal::new(Code::Malformed, "no");
    let batch = vec![
        incoming(1, Ok(mira.submit(LOBBY, &[1]))),
        incoming(0, Err(malformed)),
        incoming(2, Ok(mira.submit(LOBBY, &[2]))),
    ];
    let outputs = world.server.run(&world.store, world.now, batch);
    let ids = outputs.iter().filter_map(|output| match output {
        Output::Reply { id, result, .. } => Some((*id, result.is_ok())),
        _ => None,
    });
    let ids: Vec<_> = ids.collect();
    assert_eq!(ids, [(1, true), (0, false), (2, true)]);
}

#[test]
fn a_second_session_of_a_device_ends_the_first() {
    let mut world = World::new();
    let mira = world.person("mira");
    let newer = world.connect();
    let batch = vec![
        (mira.connection, mira.submit(LOBBY, &[1])),
        (newer, world.resume(&mira, newer)),
        (mira.connection, mira.submit(LOBBY, &[2])),
        (newer, mira.submit(LOBBY, &[3])),
    ];
    let expected = [None, None, Some(Code::NotNow), None];
    assert_eq!(codes(world.batch(batch)), expected);
    let whose = Whose::Device(mira.device);
    let end = |output: &&Output| matches!(output, Output::Effect(Effect::End { whose: w, .. }) if *w == whose);
    let ended: Vec<_> = world.outputs.iter().filter(end).collect();
    assert_eq!(ended.len(), 1);
    assert_eq!(world.server.count(), (1, 1));
    world.server.disconnect(mira.connection); // the shell closes it, late
    assert!(is_open(&mut world, newer));
    assert_eq!(world.server.count(), (1, 1));
}

#[test]
fn whoever_signs_out_in_a_batch_is_gone_for_the_rest_of_it() {
    let mut world = World::new();
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    let batch = vec![
        (mira.connection, Request::SignOut {}),
        (mira.connection, mira.submit(LOBBY, &[1])),
        (oleg.connection, oleg.submit(LOBBY, &[1])),
    ];
    assert_eq!(codes(world.batch(batch)), [None, Some(Code::NotNow), None]);
}

#[test]
fn a_disabled_account_is_ended_from_outside() {
    let mut world = World::new();
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    world.operate(|store| store.set_disabled(mira.account, true));
    let outputs = world.server.end_disabled(&world.store).unwrap();
    assert_eq!(outputs.len(), 1);
    assert!(!is_open(&mut world, mira.connection));
    assert!(is_open(&mut world, oleg.connection));
    assert_eq!(world.server.end_disabled(&world.store), Ok(vec![]));
}

/// Who came and went, told once a second to those who have listed the users.
#[test]
fn presence_is_told_once() {
    let mut world = World::new();
    let mira = world.person("mira");
    let told = |world: &mut World| match world.server.tick().pop() {
        None => None,
        Some(Output::Effect(Effect::Deliver {
            to: Audience::PresenceWatchers,
            event: Event::Presence { online, offline, .. },
        })) => Some((online, offline)),
        Some(other) => panic!("{other:?}"),
    };
    assert_eq!(told(&mut world), Some((vec![user("mira")], vec![])));
    let mut oleg = world.person("oleg");
    let second = world.enrol(&mut oleg);
    assert_eq!(told(&mut world), Some((vec![user("oleg")], vec![])));
    world.ask(mira.connection, Request::Users { after: None }).unwrap();
    let watch = Output::Connection { connection: mira.connection, effect: Effect::WatchPresence };
    assert_eq!(world.effects(), [watch]);
    world.come_back(&mut oleg).unwrap();
    world.server.disconnect(second.connection);
    assert_eq!(told(&mut world), None);
    world.server.disconnect(oleg.connection);
    assert_eq!(told(&mut world), Some((vec![], vec![user("oleg")])));
    assert_eq!(told(&mut world), None);
}

/// Mira says something, oleg logs out and in, and a newcomer registers, while `call` fails.
fn check_failing(call: &'static str, error: StoreError) {
    let mut world = World::new();
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    let nina = world.newcomer("nina", None).unwrap();
    let again = world.connect();
    let resume = world.resume(&oleg, again);
    let batch = vec![
        (mira.connection, mira.submit(LOBBY, &[1])),
        (again, resume),
        (nina.person.connection, nina.finish),
        (mira.connection, Request::Join { name: channel("#none") }),
    ];
    let before = world.trace();
    let _ = world.server.tick();
    world.store.fail(call, error);
    let results = world.batch(batch);
    assert_eq!(codes(results), [Some(Code::Unavailable); 4], "{call}");
    assert!(world.trace() == before, "{call} left a trace");
    assert_eq!(world.told(), []);
    for moved in [again, nina.person.connection] {
        assert!(dropped(&world).contains(&moved), "{call} kept a moved session");
    }
    assert!(!dropped(&world).contains(&mira.connection));
    // Whoever moved comes back; mira goes on where she was.
    assert_eq!(world.say(&mira, LOBBY, &[1]), Ok((1, 1)));
    let mut oleg = oleg;
    assert!(world.come_back(&mut oleg).is_ok());
    assert!(is_open(&mut world, oleg.connection));
    assert_eq!(world.server.count().1, 2);
}

#[test]
fn a_batch_that_is_not_durable_did_not_happen() {
    check_failing("commit", StoreError::Full);
    check_failing("commit", StoreError::ReadOnly);
    check_failing("begin", StoreError::Io);
    check_failing("savepoint", StoreError::Io);
    check_failing("release", StoreError::Full);
    check_failing("rollback_to_savepoint", StoreError::Io);
}

/// A session that the store did not take must not count its account out when it is dropped.
#[test]
fn presence_survives_a_failed_opening() {
    for call in ["release", "commit"] {
        let mut world = World::new();
        let mut mira = world.person("mira");
        let second = world.enrol(&mut mira);
        world.server.disconnect(second.connection);
        let connection = world.connect();
        world.store.fail(call, StoreError::Full);
        let resume = world.resume(&second, connection);
        assert!(world.ask(connection, resume).is_err());
        assert_eq!(world.server.count(), (1, 1), "{call}");
    }
}

/// A row that can't be read refuses the request that needs it, and only that.
fn check_damaged(call: &'static str, make: fn(&mut World, &Person) -> (ConnectionId, Request)) {
    let mut world = World::new();
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    let first = make(&mut world, &mira);
    let before = world.trace();
    world.store.fail(call, StoreError::Corrupt);
    let second = (oleg.connection, Request::Users { after: None });
    let results = world.batch(vec![first, second]);
    assert_eq!(codes(results), [Some(Code::Unavailable), None], "{call}");
    assert!(world.trace() == before, "{call} left a trace");
    assert!(is_open(&mut world, mira.connection));
}

#[test]
fn a_damaged_row_harms_only_who_needs_it() {
    let submit = |_: &mut World, mira: &Person| (mira.connection, mira.submit(LOBBY, &[1]));
    for call in ["membership", "conversation", "append"] {
        check_damaged(call, submit);
    }
    check_damaged("newest_list", |world, mira| {
        let connection = world.connect();
        let finish = world.begin_login(connection, "mira", &mira.password);
        (connection, finish.unwrap())
    });
    for call in ["token", "device", "account", "newest_list", "memberships"] {
        check_damaged(call, |world, mira| {
            let connection = world.connect();
            (connection, world.resume(mira, connection))
        });
    }
    for call in ["put_membership", "insert_conversation", "memberships"] {
        check_damaged(call, |_, mira| {
            let request = Request::CreateChannel { name: channel("#den"), access: Access::Open };
            (mira.connection, request)
        });
    }
}

#[test]
fn a_handler_that_panics_leaves_no_trace_and_harms_nobody() {
    let defences = Defences {
        may_invite: |context, account, conversation| {
            let left =
                crate::store::Membership { role: portcullis_proto::Role::Outside, spans: vec![] };
            let _ = context.tx.put_membership(account, conversation, &left);
            panic!("a mistake of the programmer's")
        },
        ..SOUND
    };
    let mut world = World::with(defences);
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    let mistaken = || Request::Invite { conversation: LOBBY, name: user("oleg") };
    assert_eq!(world.attempt(mira.connection, mistaken()), Err(Code::Unavailable));
    let batch = vec![
        (oleg.connection, oleg.submit(LOBBY, &[1])),
        (mira.connection, mistaken()),
        (mira.connection, mira.submit(LOBBY, &[1])),
    ];
    let expected = [None, Some(Code::Unavailable), None];
    assert_eq!(codes(world.batch(batch)), expected);
    assert_eq!(world.readable(&oleg, LOBBY), Ok(vec![1, 2]));
}
