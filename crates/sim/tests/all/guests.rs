//! Classroom guests and people: publicly, privately, and with a process that dies in between.

use portcullis_client_core::{Command, GuestWarning, IdentityState, Saying, Show, Warning};
use portcullis_crypto::Stretch;
use portcullis_proto::classroom::{DialectId, GuestKey};
use portcullis_proto::{ConversationId, ConversationName, PersonName, UserName};
use portcullis_sim::{DeviceIndex, World};
use std::slice::from_ref;

pub(crate) const MIRA: DeviceIndex = DeviceIndex(0);
const OLEG: DeviceIndex = DeviceIndex(1);

/// Numbers of known keys that no device has.
pub(crate) const GUEST: usize = 9;

fn user(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

/// Mira and Oleg, and a guest of this dialect who has looked around.
pub(crate) fn world(dialect: DialectId) -> World {
    let mut world = World::new(3, Stretch::LIGHT).unwrap();
    world.admit_guests().unwrap();
    for person in ["mira", "oleg"] {
        world.add_device(&user(person));
        world.settle().unwrap();
    }
    come(&mut world, dialect);
    world
}

pub(crate) fn come(world: &mut World, dialect: DialectId) {
    world.add_guest(GUEST, dialect);
    world.settle().unwrap();
    world.guest_lists(0);
    world.settle().unwrap();
}

fn does(world: &mut World, who: DeviceIndex, command: Command) {
    world.command(who, command);
    world.settle().unwrap();
}

pub(crate) fn chats(world: &mut World, to: &[GuestKey], text: &str) {
    let frame = world.guests[0].chat(to, text).unwrap();
    assert!(world.guest_sends(0, &frame));
    world.settle().unwrap();
}

pub(crate) fn guest(world: &World) -> GuestKey {
    world.guests[0].public().unwrap()
}

/// The device's key, as the guest finds it.
pub(crate) fn key_of(world: &World, who: DeviceIndex) -> GuestKey {
    let key = portcullis_crypto::testing::classic_key(who.0).unwrap().public();
    let devices = world.guests[0].devices();
    devices.into_iter().find(|device| *device.key() == key).unwrap()
}

pub(crate) fn talk(world: &World, who: DeviceIndex) -> Option<ConversationId> {
    let name = ConversationName::Classic(guest(world).name().clone());
    world.devices[who.0].client()?.find(&name)
}

/// What a device has kept of a conversation, in order.
pub(crate) fn lines(world: &World, who: DeviceIndex, id: ConversationId) -> Vec<String> {
    let here = world.devices[who.0].messages().into_iter().filter(|m| m.conversation == id);
    here.map(|message| {
        let by = match (&message.sender, message.identity) {
            (PersonName::Guest(_), IdentityState::Guest) => "guest",
            (PersonName::User(name), state) if state != IdentityState::Guest => name.as_str(),
            other => panic!("{other:?}"),
        };
        format!("{by}: {}", message.text().unwrap())
    })
    .collect()
}

pub(crate) fn warnings(world: &World, who: DeviceIndex) -> Vec<Warning> {
    world.devices[who.0].warnings().cloned().collect()
}

#[test]
fn what_guests_say_publicly_stands_in_the_lobby() {
    for dialect in DialectId::all() {
        let mut world = world(dialect);
        let said = world.guests[0].public_chat("hi\nmira: not me\u{1b}[2J").unwrap();
        assert!(world.guest_sends(0, &said));
        world.settle().unwrap();
        for who in [MIRA, OLEG] {
            let kept = lines(&world, who, ConversationId::LOBBY);
            assert_eq!(kept, ["guest: hi\nmira: not me\u{1b}[2J"], "{dialect:?}");
            assert_eq!(warnings(&world, who), []);
        }
    }
}

#[test]
fn a_guest_and_a_device_talk_privately() {
    for dialect in DialectId::all() {
        let mut world = world(dialect);
        let mira = key_of(&world, MIRA);
        chats(&mut world, &[mira], "psst");
        let id = talk(&world, MIRA).unwrap();
        assert_eq!(talk(&world, OLEG), None);
        let say = |text: &str| Saying::Text(text.to_owned());
        does(&mut world, MIRA, Command::Say { conversation: id, what: say("yes?") });
        assert_eq!(world.guests[0].read(), ["yes?"], "{dialect:?}");
        assert_eq!(lines(&world, MIRA, id), ["guest: psst", "mira: yes?"]);
        for who in [MIRA, OLEG] {
            assert_eq!(warnings(&world, who), []);
            let client = world.devices[who.0].client().unwrap();
            assert!(client.conversations().all(|view| view.id != ConversationId::CLASSROOM));
        }
    }
}

#[test]
fn a_person_writes_first() {
    let mut world = world(DialectId::BY_THE_TEXT);
    let name = PersonName::Guest(guest(&world).name().clone());
    does(&mut world, OLEG, Command::Tell(name, "hello".to_owned()));
    assert_eq!(world.guests[0].read(), ["hello"]);
    let id = talk(&world, OLEG).unwrap();
    assert_eq!(lines(&world, OLEG, id), ["oleg: hello"]);
    let oleg = key_of(&world, OLEG);
    chats(&mut world, &[oleg], "hello to you");
    assert_eq!(lines(&world, OLEG, id), ["oleg: hello", "guest: hello to you"]);
    let view = |world: &World| {
        let client = world.devices[OLEG.0].client().unwrap();
        client.conversations().find(|view| view.id == id).unwrap()
    };
    let shown = view(&world);
    assert_eq!(
        (shown.suite, shown.trust, shown.unread),
        (Some("classic"), IdentityState::Guest, 1)
    );
    does(&mut world, OLEG, Command::MarkRead(id));
    assert_eq!(view(&world).unread, 0);
}

/// What is shown last of a kind.
fn last<T>(world: &World, who: DeviceIndex, of: impl Fn(&Show) -> Option<T>) -> Option<T> {
    world.devices[who.0].shows.iter().rev().find_map(of)
}

fn failed(world: &World, who: DeviceIndex) -> Option<String> {
    last(world, who, |show| match show {
        Show::Failed { reason, .. } => Some(reason.clone()),
        _ => None,
    })
}

#[test]
fn what_cannot_be_said_to_a_guest_is_refused_in_words() {
    let mut world = world(DialectId::BY_THE_TEXT);
    let name = guest(&world).name().clone();
    does(&mut world, MIRA, Command::Tell(PersonName::Guest(name), String::new()));
    let id = talk(&world, MIRA).unwrap();
    let mut check = |what: Saying, expected: &str| {
        does(&mut world, MIRA, Command::Say { conversation: id, what });
        let reason = failed(&world, MIRA).unwrap();
        assert!(reason.contains(expected), "{reason}");
    };
    let target = portcullis_proto::Reference::from_bytes([1; 16]);
    check(Saying::Reply { to: target, text: "yes".to_owned() }, "no replies");
    check(Saying::Edit { target, text: "yes".to_owned() }, "no replies");
    check(Saying::Delete { target }, "no replies");
    check(Saying::Reaction { target, emoji: "+1".to_owned() }, "no replies");
    check(Saying::Text("x".repeat(20_000)), "too long");
    check(Saying::Text("\u{1}".repeat(16_000)), "too long for a guest");
    check(Saying::Text(String::new()), "nothing to send");
    assert_eq!(world.guests[0].read(), [""; 0]);
    world.remove_guest(0);
    let text = Saying::Text("are you there?".to_owned());
    does(&mut world, MIRA, Command::Say { conversation: id, what: text });
    assert_eq!(failed(&world, MIRA).unwrap(), "this guest has left");
    does(&mut world, MIRA, Command::ShowMembers(id));
    let refused = last(&world, MIRA, |show| match show {
        Show::Refused { refusal, .. } => Some(refusal.message.clone()),
        _ => None,
    });
    assert!(refused.unwrap().contains("you two alone"));
}

#[test]
fn whoever_shuts_guests_out_hears_nothing_private() {
    let mut world = world(DialectId::BY_THE_TEXT);
    let mira = key_of(&world, MIRA);
    chats(&mut world, from_ref(&mira), "one");
    does(&mut world, MIRA, Command::AllowGuests(false));
    world.guest_lists(0);
    world.settle().unwrap();
    assert_eq!(world.guests[0].devices().len(), 1);
    chats(&mut world, from_ref(&mira), "two");
    let id = talk(&world, MIRA).unwrap();
    let text = Saying::Text("three".to_owned());
    does(&mut world, MIRA, Command::Say { conversation: id, what: text });
    assert!(failed(&world, MIRA).unwrap().contains("allows no guests"));
    does(&mut world, MIRA, Command::AllowGuests(true));
    chats(&mut world, &[mira], "four");
    assert_eq!(lines(&world, MIRA, id), ["guest: one", "guest: four"]);
    assert_eq!(warnings(&world, MIRA), []);
}

#[test]
fn a_message_for_several_says_so() {
    let mut world = world(DialectId::BY_THE_TEXT);
    let both = [key_of(&world, MIRA), key_of(&world, OLEG)];
    chats(&mut world, &both, "to both");
    let name = guest(&world).name().clone();
    for who in [MIRA, OLEG] {
        assert_eq!(lines(&world, who, talk(&world, who).unwrap()), ["guest: to both"]);
        let shared = GuestWarning::Shared { name: name.clone(), others: 1 };
        assert_eq!(warnings(&world, who), [shared.into()]);
    }
}

#[test]
fn guests_are_listed_and_told_of() {
    let mut world = world(DialectId::BY_THE_TEXT);
    let guests = |show: &Show| match show {
        Show::Guests(guests) => Some(guests.clone()),
        _ => None,
    };
    let moved = |show: &Show| match show {
        Show::GuestsPresence { came, went } => Some((came.clone(), went.clone())),
        _ => None,
    };
    does(&mut world, MIRA, Command::ListGuests);
    let first = guest(&world).name().clone();
    let listed = last(&world, MIRA, guests).unwrap();
    let listed: Vec<_> =
        listed.iter().map(|g| (&g.name, g.dialect.as_str(), g.server.as_str())).collect();
    assert_eq!(listed, [(&first, "text", "localhost:12345")]);
    world.tick();
    world.settle().unwrap();
    world.add_guest(GUEST + 1, DialectId::BY_THE_TEXT);
    world.settle().unwrap();
    world.tick();
    world.settle().unwrap();
    let second = world.guests[1].public().unwrap().name().clone();
    assert_eq!(last(&world, MIRA, moved), Some((vec![second], vec![])));
    world.remove_guest(0);
    world.tick();
    world.settle().unwrap();
    assert_eq!(last(&world, MIRA, moved), Some((vec![], vec![first])));
    assert_eq!(last(&world, OLEG, moved), None);
}

/// The process dies after each effect in turn, while all that there is to say is said.
#[test]
fn nothing_is_lost_or_shown_twice_wherever_a_process_dies() {
    let mut world = world(DialectId::BY_THE_TEXT);
    let mira = key_of(&world, MIRA);
    let name = PersonName::Guest(guest(&world).name().clone());
    let (mut heard, mut said, mut asked) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..200 {
        let text = format!("round {round}");
        world.devices[MIRA.0].fuse = Some(round);
        let chat = world.guests[0].chat(from_ref(&mira), &text).unwrap();
        assert!(world.guest_sends(0, &chat));
        let public = world.guests[0].public_chat(&text).unwrap();
        assert!(world.guest_sends(0, &public));
        world.command(MIRA, Command::Tell(name.clone(), text.clone()));
        world.settle().unwrap();
        heard.extend(world.guests[0].read());
        said.push(text.clone());
        // What was shown to wait is sent: the process lived that long.
        let died = world.devices[MIRA.0].fuse.take().is_none();
        if !died {
            asked.push(text);
            break;
        }
    }
    let id = talk(&world, MIRA).unwrap();
    let lobby = lines(&world, MIRA, ConversationId::LOBBY);
    let expected: Vec<String> = said.iter().map(|text| format!("guest: {text}")).collect();
    assert_eq!(lobby, expected);
    let talk = lines(&world, MIRA, id);
    let (own, theirs): (Vec<_>, Vec<_>) = talk.iter().partition(|line| line.starts_with("mira"));
    assert_eq!(theirs, expected.iter().collect::<Vec<_>>());
    let own: Vec<String> = own.iter().map(|line| line.replace("mira: ", "")).collect();
    assert_eq!(own, heard, "what was said is what was heard");
    assert!(heard.contains(asked.first().unwrap()), "the last round went through: {said:?}");
    let waits =
        |show: &Show| matches!(show, Show::Pending { conversation, .. } if *conversation == id);
    let shown = world.devices[MIRA.0].shows.iter().filter(|show| waits(show)).count();
    assert!(shown <= heard.len(), "{shown} were shown to wait");
    assert!(said.len() > 10, "{said:?}");
    assert_eq!(warnings(&world, MIRA), []);
}
