//! Guests in a world: what becomes of what they say, who hears it, and what a failing store leaves.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use crate::defences::{NeighbourAdmitted, SOUND};
use crate::store::{Store as _, StoreError};
use crate::testing::{
    ADDRESS, Guest, Setting, USUAL, World, chat, classic_key, guest_key, signed, user,
};
use crate::{Audience, Effect, GuestAsk, Incoming, Output, Peer};
use portcullis_proto::classroom::{
    Dialect, DialectId, GuestBody, Incoming as Frame, Outgoing, write_chat, write_list_request,
};
use portcullis_proto::{
    Code, ConversationId, DeviceId, Envelope, Event, Reply, Request, limits as wire,
};

mod coming;
mod linked;

const LOBBY: ConversationId = ConversationId::LOBBY;
const CLASSROOM: ConversationId = ConversationId::CLASSROOM;

/// At the usual rates.
fn slow_world() -> World {
    World::build(Setting { guests: true, rate_factor: 1, ..USUAL })
}

fn elsewhere(last: u8) -> Peer {
    Peer::new([192, 0, 2, last].into())
}

/// The envelopes that the last batch told members of a conversation of.
fn told(world: &World, of: ConversationId) -> Vec<Envelope> {
    let envelope = |(to, event)| match event {
        Event::Envelope(envelope) => {
            assert_eq!(to, Audience::Conversation(envelope.conversation));
            Some(envelope)
        }
        _ => None,
    };
    let told: Vec<_> = world.told().into_iter().filter_map(envelope).collect();
    assert!(told.iter().all(|envelope| envelope.conversation == of));
    told
}

fn check_kept(make: fn(&mut Guest) -> String, into: ConversationId) {
    let mut world = World::with_guests(SOUND);
    let mira = world.person("mira");
    let (mut guest, other) = (world.guest(1), world.guest(2));
    let text = make(&mut guest);
    let _ = world.server.tick();
    assert_eq!(world.heard(&mut guest, &text), Ok(()));
    let [envelope] = &told(&world, into)[..] else { panic!("one envelope") };
    assert_eq!((envelope.account, envelope.device), (AccountId::GATEWAY, DeviceId::GATEWAY));
    let body = GuestBody::from_body(&envelope.body).unwrap();
    assert_eq!((body.key.pem(), body.frame.text()), (guest.public.pem(), text.as_str()));
    let signing = body.frame.verify(guest.public.key(), None).unwrap();
    assert_eq!(envelope.reference, body.frame.reference(signing));
    // It is sent on byte for byte, not back to where it came from.
    let [_, Output::Guest(GuestOutput::Relay { except, frame, here: true, onward: true })] =
        &world.outputs[..]
    else {
        panic!("{:?}", world.outputs);
    };
    assert_eq!((*except, frame.text()), (guest.connection, text.as_str()));
    assert_ne!(*except, other.connection);
    let page = world.fetch(&mira, into, 0).unwrap();
    assert_eq!(page.envelopes, std::slice::from_ref(envelope));
}

#[test]
fn what_guests_say_is_kept_as_it_came_and_sent_on() {
    check_kept(|guest| guest.public_chat("hi"), LOBBY);
    check_kept(|guest| guest.chat(&[&guest_key(2)], "hi"), CLASSROOM);
}

/// For ever, whatever connection it comes by, and also after the server has been away.
#[test]
fn what_was_said_before_is_not_said_again() {
    for make in [|g: &mut Guest| g.public_chat("hi"), |g: &mut Guest| g.chat(&[], "hi")] {
        let mut world = World::with_guests(SOUND);
        let mut guest = world.guest(1);
        let text = make(&mut guest);
        assert_eq!(world.heard(&mut guest, &text), Ok(()));
        let mut again = Guest::new(1);
        assert_eq!(world.come(&mut again, elsewhere(1)), Ok(()));
        assert_eq!(world.heard(&mut again, &text), Err(GuestRefused::Replay));
        assert_eq!(world.relayed(), Vec::<String>::new());
        world.restart();
        assert_eq!(world.come(&mut again, elsewhere(1)), Ok(()));
        assert_eq!(world.heard(&mut again, &text), Err(GuestRefused::Replay));
        // A client that begins at 0 again says something new.
        again.counter = 0;
        assert_eq!(world.come(&mut again, elsewhere(1)), Ok(()));
        let text = again.public_chat("hi again");
        assert_eq!(world.heard(&mut again, &text), Ok(()));
    }
}

#[test]
fn nobody_speaks_before_hello_or_for_a_guest_of_another_connection() {
    let mut world = World::with_guests(SOUND);
    let (mut guest, mut other) = (world.guest(1), world.guest(2));
    let text = guest.public_chat("hi");
    let ask = world.verified(&mut guest, &text).unwrap();
    let refused = world.guest_asks(other.connection, Peer::loopback(), ask);
    assert_eq!(refused, Err(GuestRefused::Stranger));
    world.server.guest_gone(guest.connection);
    let text = guest.public_chat("hi");
    assert_eq!(world.heard(&mut guest, &text), Err(GuestRefused::Stranger));
    other.state = None;
    let hello = other.hello();
    assert_eq!(world.heard(&mut other, &hello), Err(GuestRefused::SecondHello));
    assert!(!world.outputs.iter().any(|output| matches!(output, Output::Drop { .. })));
}

#[test]
fn accounts_are_told_to_guests_only_while_some_are_here() {
    let mut world = World::with_guests(SOUND);
    let mira = world.person("mira");
    let said = |world: &mut World, number: u8| {
        world.say(&mira, LOBBY, &[number]).unwrap();
        world.at_gateway()
    };
    assert_eq!(said(&mut world, 1), []);
    let guest = world.guest(1);
    let (name, auth, body) = (user("mira"), mira.auth.public(), crate::testing::body(2));
    assert_eq!(said(&mut world, 2), [GuestOutput::Say { name, auth, body }]);
    // What is asked again, or said elsewhere, is not said to them.
    assert_eq!(said(&mut world, 2), []);
    let den = world.create(&mira, "#den", portcullis_proto::Access::Open);
    world.say(&mira, den, &[3]).unwrap();
    assert_eq!(world.at_gateway(), []);
    world.server.guest_gone(guest.connection);
    assert_eq!(said(&mut world, 4), []);
}

/// How many of `most` messages are heard.
fn heard(world: &mut World, guest: &mut Guest, peer: Peer, most: usize) -> usize {
    let said = (0..most).take_while(|_| {
        let text = guest.chat(&[], "hi");
        match world.hear(guest, peer, &text) {
            Ok(()) => true,
            Err(why) => {
                assert_eq!(why, GuestRefused::TooOften);
                false
            }
        }
    });
    said.count()
}

#[test]
fn a_flood_stops_its_guest_alone() {
    let mut world = slow_world();
    let (mut one, mut two) = (world.guest(1), world.guest(2));
    assert_eq!(heard(&mut world, &mut one, elsewhere(1), 200), 120);
    assert_eq!(heard(&mut world, &mut two, elsewhere(1), 1), 1);
    world.wait(200);
    assert_eq!(heard(&mut world, &mut one, elsewhere(1), 9), 1);
}

/// Messages to many cost more, and no message has more destinations than there may be.
#[test]
fn destinations_are_paid_for() {
    let data = |destinations: usize| {
        let names = vec![ADDRESS; destinations];
        serde_json::json!({"type": "chat", "destination_servers": names, "iv": "", "symm_keys": [],
            "chat": ""})
        .to_string()
    };
    let check = |destinations: usize, expected: usize| {
        let mut world = slow_world();
        let mut guest = world.guest(1);
        let heard = (1..200).take_while(|counter| {
            let text = signed(&guest.key, &data(destinations), *counter);
            world.heard(&mut guest, &text).is_ok()
        });
        assert_eq!(heard.count(), expected, "{destinations}");
    };
    check(1, 120);
    check(16, 60);
    check(128, 13);
    check(129, 0);
    check(2_000, 0);
    let text = signed(&classic_key(1), &data(129), 1);
    assert_eq!(
        Frame::read(&text).map_err(GuestRefused::from),
        Err(GuestRefused::TooManyDestinations)
    );
}

#[test]
fn a_batch_that_is_not_durable_leaves_guests_as_they_were() {
    for call in ["commit", "savepoint", "release", "begin"] {
        let mut world = World::with_guests(SOUND);
        let (mira, mut guest) = (world.person("mira"), world.guest(1));
        let _ = world.server.tick();
        let text = guest.public_chat("hi");
        let say = world.verified(&mut guest, &text).unwrap();
        let mut late = Guest::new(2);
        late.connection = world.guest_connection();
        let hello = late.hello();
        let hello = world.verified(&mut late, &hello).unwrap();
        let peer = Peer::loopback();
        let of = |connection, ask| Incoming::Guest { connection, peer, ask };
        let (connection, request) = (mira.connection, Ok(mira.submit(LOBBY, &[1])));
        let batch = vec![
            of(guest.connection, say),
            of(late.connection, hello),
            Incoming::Request { connection, id: 7, request },
        ];
        let before = world.trace();
        world.store.fail(call, StoreError::Full);
        let outputs = world.server.run(&world.store, world.now, batch);
        assert!(world.trace() == before, "{call}");
        let refused = |connection| {
            let why = GuestRefused::Unavailable;
            Output::Guest(GuestOutput::Refused { connection, why })
        };
        assert_eq!(outputs[..2], [refused(guest.connection), refused(late.connection)], "{call}");
        assert!(matches!(outputs[2], Output::Reply { id: 7, result: Err(_), .. }));
        assert_eq!(outputs[3..], [Output::Drop { connection: late.connection }], "{call}");
        assert_eq!(world.server.count_guests(), 1);
        let changed = world.server.tick();
        assert!(!changed.iter().any(|output| matches!(output, Output::Effect(_))), "{changed:?}");
        // Whoever was here goes on.
        let text = guest.public_chat("hi again");
        assert_eq!(world.heard(&mut guest, &text), Ok(()));
    }
}

/// What `guests` shows, and what watchers of presence are told.
#[test]
fn guests_are_listed_and_told_of_once_a_second() {
    let mut world = World::with_guests(SOUND);
    let mira = world.person("mira");
    let _ = world.server.tick();
    let told = |world: &mut World, expected: Option<(&[AccountId], &[AccountId])>| {
        let expected = expected.map(|(came, went)| {
            let event = Event::Guests { came: came.to_vec(), went: went.to_vec(), more: false };
            Output::Effect(Effect::Deliver { to: Audience::PresenceWatchers, event })
        });
        let outputs = world.server.tick().into_iter();
        let told: Vec<_> = outputs.filter(|output| matches!(output, Output::Effect(_))).collect();
        assert_eq!(told, expected.into_iter().collect::<Vec<_>>());
    };
    let listed =
        |world: &mut World| match world.ask(mira.connection, Request::Guests { after: None }) {
            Ok(Reply::Guests { guests, more: false }) => guests,
            other => panic!("{other:?}"),
        };
    assert_eq!(listed(&mut world), []);
    let guest = world.guest(1);
    told(&mut world, Some((&[guest.id()], &[])));
    let [card] = &listed(&mut world)[..] else { panic!("one guest") };
    assert_eq!((card.guest, card.pem.as_str()), (guest.id(), guest.public.pem()));
    assert_eq!((card.dialect.as_str(), card.server.as_str()), ("text", ADDRESS));
    let second = world.guest(1);
    told(&mut world, None);
    world.server.guest_gone(guest.connection);
    told(&mut world, None);
    assert_eq!(listed(&mut world).len(), 1);
    world.server.guest_gone(second.connection);
    told(&mut world, Some((&[], &[guest.id()])));
    assert_eq!(listed(&mut world), []);
    let passing = world.guest(2);
    world.server.guest_gone(passing.connection);
    told(&mut world, None);
}

/// The guests and devices in the list that a guest gets.
fn list(world: &mut World, guest: &mut Guest) -> Arc<GuestList> {
    assert_eq!(world.heard(guest, &write_list_request()), Ok(()));
    match &world.at_gateway()[..] {
        [GuestOutput::List { connection, list }] => {
            assert_eq!(*connection, guest.connection);
            Arc::clone(list)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn lists_name_guests_and_devices_and_are_made_anew_only_where_they_change() {
    let mut world = World::with_guests(SOUND);
    let mut mira = world.person("mira");
    let mut guest = world.guest(1);
    let key = |number: usize| classic_key(number).public().spki().to_vec();
    let mut check = |world: &mut World, devices: &[usize]| {
        let first = list(world, &mut guest);
        assert_eq!(first.guests, [guest_key(1)]);
        assert_eq!(first.devices, devices.iter().map(|n| key(*n)).collect::<Vec<_>>());
        world.say(&mira, LOBBY, &[9]).unwrap();
        assert!(Arc::ptr_eq(&first, &list(world, &mut guest)));
    };
    check(&mut world, &[]);
    world.publish_classic_key(&mira, 8);
    check(&mut world, &[8]);
    let second = world.enrol(&mut mira.clone());
    world.publish_classic_key(&second, 9);
    check(&mut world, &[9, 8]);
    let allow = |allow| Request::AllowGuests { allow };
    world.ask(mira.connection, allow(false)).unwrap();
    check(&mut world, &[]);
    world.ask(mira.connection, allow(true)).unwrap();
    check(&mut world, &[9, 8]);
    mira = second;
    world.operate(|store| store.set_disabled(mira.account, true));
    world.server.end_disabled(&world.store).unwrap();
    assert_eq!(list(&mut world, &mut world_guest()).devices, Vec::<Vec<u8>>::new());
}

/// Anybody may ask who is here, before hello too.
fn world_guest() -> Guest {
    let mut guest = Guest::new(3);
    guest.connection = ConnectionId(999);
    guest
}

/// What mira may read of three private messages, of which the second is said while she has shut guests out.
#[test]
fn an_account_hears_guests_while_it_allows_them() {
    let mut world = World::with_guests(SOUND);
    let (mut mira, mut guest) = (world.person("mira"), world.guest(1));
    let allow = |world: &mut World, allow: bool| {
        let done = world.ask(mira.connection, Request::AllowGuests { allow });
        assert_eq!(done, Ok(Reply::Done));
        world.effects().len()
    };
    let mut say = |world: &mut World| {
        let text = guest.chat(&[], "hi");
        world.heard(&mut guest, &text).unwrap();
    };
    assert_eq!(allow(&mut world, true), 0); // new accounts do
    say(&mut world);
    assert_eq!(allow(&mut world, false), 1);
    assert_eq!(allow(&mut world, false), 0);
    say(&mut world);
    assert_eq!(allow(&mut world, true), 1);
    say(&mut world);
    assert_eq!(world.readable(&mira, CLASSROOM), Ok(vec![3]));
    // Who has shut them out stays so when coming back, even if nothing was ever said.
    let mut oleg = world.person("oleg");
    world.ask(oleg.connection, Request::AllowGuests { allow: false }).unwrap();
    for person in [&mut oleg, &mut mira] {
        world.come_back(person).unwrap();
    }
    let of = |world: &World, account| world.store.inner.membership(account, CLASSROOM).unwrap();
    let present = |world: &World, account| of(world, account).unwrap().role.is_present();
    assert!(present(&world, mira.account) && !present(&world, oleg.account));
    assert_eq!(world.readable(&oleg, CLASSROOM), Ok(vec![]));
}

#[test]
fn nobody_else_writes_into_the_classroom_or_changes_who_is_in_it() {
    let mut world = World::with_guests(SOUND);
    let (mira, oleg) = (world.person("mira"), world.person("oleg"));
    world.ask(oleg.connection, Request::AllowGuests { allow: false }).unwrap();
    let submit = mira.submit(CLASSROOM, &[1]);
    assert_eq!(world.attempt(mira.connection, submit), Err(Code::NotFound));
    let invite = Request::Invite { conversation: CLASSROOM, name: user("oleg") };
    assert_eq!(world.attempt(mira.connection, invite), Err(Code::NotFound));
    let leave = Request::Leave { conversation: CLASSROOM };
    assert_eq!(world.attempt(mira.connection, leave), Err(Code::Forbidden));
    let commit = mira.commit(CLASSROOM, 0, 1, portcullis_proto::Members::default());
    assert_eq!(world.attempt(mira.connection, commit), Err(Code::Forbidden));
}

/// What stands for guests in the store is nobody: not shown, not found, and nobody logs in as it.
#[test]
fn the_gateways_account_is_nobodys() {
    let mut world = World::with_guests(SOUND);
    let mira = world.person("mira");
    match world.ask(mira.connection, Request::Users { after: None }) {
        Ok(Reply::Users { users, .. }) => assert_eq!(users.len(), 1),
        other => panic!("{other:?}"),
    }
    let (account, name) = (AccountId::GATEWAY, user("guests"));
    let by_id = Request::AccountById { account, after_version: 0 };
    assert_eq!(world.attempt(mira.connection, by_id), Err(Code::NotFound));
    let by_name = Request::AccountByName { name: name.clone(), after_version: 0 };
    assert_eq!(world.attempt(mira.connection, by_name), Err(Code::NotFound));
    let connection = world.connect();
    let tried = world.log_in(connection, "guests", "").unwrap_err();
    assert_eq!(tried.code, Code::LoginFailed);
    // Where somebody has this name, the gateway takes another.
    let mut world = World::new();
    let guests = world.person("guests");
    crate::Server::prepare_guests(&world.store).unwrap();
    crate::Server::prepare_guests(&world.store).unwrap();
    let kept = world.store.account(AccountId::GATEWAY).unwrap().unwrap();
    assert_eq!(kept.name, user("guests-1"));
    assert_eq!(world.store.account_by_name(&name).unwrap().unwrap().id, guests.account);
}

#[test]
fn without_a_gateway_there_are_no_guests() {
    let mut world = World::new();
    let mira = world.person("mira");
    let allow = Request::AllowGuests { allow: true };
    assert_eq!(world.attempt(mira.connection, allow), Err(Code::Forbidden));
    let shut = Request::AllowGuests { allow: false };
    assert_eq!(world.attempt(mira.connection, shut), Ok(Reply::Done));
    assert_eq!(world.store.conversation(CLASSROOM), Ok(None));
}

#[test]
fn guests_and_frames_are_bounded() {
    let mut world = World::with_guests(SOUND);
    for _ in 0..crate::limits::GUEST_CONNECTIONS {
        let mut guest = world.guest(1);
        let text = guest.public_chat("hi");
        assert_eq!(world.heard(&mut guest, &text), Ok(()));
    }
    let mut guest = Guest::new(1);
    assert_eq!(world.come(&mut guest, elsewhere(1)), Err(GuestRefused::Full));
    let connection = guest.connection;
    assert_eq!(world.outputs.last(), Some(&Output::Drop { connection }));
    assert_eq!(world.come(&mut Guest::new(2), elsewhere(1)), Ok(()));
    let mira = world.person("mira");
    world.publish_classic_key(&mira, 8);
    let (guest, device) = (guest_key(2).id(), mira.device);
    let mut check = |bytes: usize, expected: Result<Reply, Code>| {
        let request = Request::GuestChat { guest, device, frame: "x".repeat(bytes) };
        assert_eq!(world.attempt(mira.connection, request), expected, "{bytes}");
    };
    check(wire::GUEST_FRAME_BYTES, Ok(Reply::Done));
    check(wire::GUEST_FRAME_BYTES + 1, Err(Code::TooLarge));
}

/// A guest's chat with these destinations: whether anybody here hears it, if it goes anywhere.
fn check_destinations(destinations: &[&str], expected: Result<bool, GuestRefused>) {
    let mut world = World::with_guests(SOUND);
    let mut guest = world.guest(1);
    let link = world.guest_connection();
    let clients = vec![guest_key(2)];
    let admitted = NeighbourAdmitted::dialled(0);
    let (server, itself) = ("school:1".to_owned(), guest_key(3).id());
    let update = GuestAsk::Neighbour { admitted, server, clients, itself };
    assert_eq!(world.guest_asks(link, Peer::loopback(), update), Ok(()));
    guest.counter += 1;
    let _ = world.server.tick();
    let data = serde_json::json!({"type": "chat", "destination_servers": destinations});
    let text = signed(&guest.key, &data.to_string(), guest.counter);
    let heard = world.heard(&mut guest, &text).map(|()| {
        let output = world.at_gateway();
        let [GuestOutput::Relay { here, onward: true, .. }] = &output[..] else {
            panic!("{output:?}");
        };
        assert_eq!(told(&world, CLASSROOM).len(), usize::from(*here));
        *here
    });
    assert_eq!(heard, expected, "{destinations:?}");
}

#[test]
fn a_chat_goes_where_it_says_and_to_no_other_host() {
    let (own, alias) = (ADDRESS, ADDRESS.replace("localhost", "127.0.0.1"));
    check_destinations(&[own], Ok(true));
    check_destinations(&[&alias], Ok(true));
    check_destinations(&[], Ok(true));
    check_destinations(&[&format!("ws://{own}/")], Ok(true));
    check_destinations(&["school:1", own], Ok(true));
    check_destinations(&["school:1"], Ok(false));
    check_destinations(&["SCHOOL:1", "evil.example:80"], Ok(false));
    let elsewhere = Err(GuestRefused::Elsewhere);
    check_destinations(&["evil.example:80"], elsewhere);
    check_destinations(&["169.254.169.254"], elsewhere);
    check_destinations(&[&ADDRESS.replace("localhost", "evil.example")], elsewhere);
    check_destinations(&[&format!("{ADDRESS}@evil.example")], elsewhere);
    check_destinations(&[""], elsewhere);
}

/// How accounts are told that a guest speaks.
fn card(world: &mut World, asks: ConnectionId, guest: AccountId) -> String {
    let Ok(Reply::Guests { guests, .. }) = world.ask(asks, Request::Guests { after: None }) else {
        panic!("no guests");
    };
    guests.into_iter().find(|card| card.guest == guest).unwrap().dialect
}

/// A hello does not show how a client computes fingerprints; what it says in public does.
#[test]
fn what_a_guest_says_shows_more_of_its_dialect() {
    let mut world = World::with_guests(SOUND);
    let (mira, mut guest) = (world.person("mira"), world.guest(1));
    let known = card(&mut world, mira.connection, guest.id());
    guest.counter += 1;
    let hex: String = portcullis_crypto::sha256(&[guest.public.pem().as_bytes()])
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let data = serde_json::json!({"type": "public_chat", "sender": hex, "message": "hi"});
    let text = signed(&guest.key, &data.to_string(), guest.counter);
    assert_eq!(world.heard(&mut guest, &text), Ok(()));
    let joined = world.at_gateway().into_iter().find_map(|output| match output {
        GuestOutput::Joined { connection, dialect, .. } => Some((connection, dialect)),
        _ => None,
    });
    let (connection, dialect) = joined.unwrap();
    assert_eq!(connection, guest.connection);
    let seen = guest.public.fingerprint_in(&hex).unwrap();
    assert_eq!(dialect.row().fingerprint, seen);
    let learnt = card(&mut world, mira.connection, guest.id());
    assert!(learnt == dialect.name() && learnt != known);
    // Once it is known it is no news.
    guest.counter += 1;
    let text = signed(&guest.key, &data.to_string(), guest.counter);
    assert_eq!(world.heard(&mut guest, &text), Ok(()));
    assert_eq!(world.at_gateway().len(), 1);
}

/// Before a guest has said anything to an account, what it said to others shows how it is to be answered.
#[test]
fn how_long_its_vectors_are_is_learnt_from_what_it_says_to_anybody() {
    let mut world = World::with_guests(SOUND);
    let (mira, mut guest) = (world.person("mira"), world.guest(1));
    for iv_bytes in [12, 16] {
        guest.counter += 1;
        let dialect = Dialect { iv_bytes, ..DialectId::BY_THE_TEXT.row() };
        let (other, iv, key) = (guest_key(2), &[3; 16], &[4; 16]);
        let outgoing = Outgoing { to: &[(&other, ADDRESS)], text: "hi", iv, key };
        let text = write_chat(dialect, &guest.key, guest.counter, &outgoing).unwrap();
        assert_eq!(world.heard(&mut guest, &text), Ok(()));
        let learnt = DialectId::from_name(&card(&mut world, mira.connection, guest.id()));
        assert_eq!(learnt.unwrap().row().iv_bytes, iv_bytes);
    }
}
