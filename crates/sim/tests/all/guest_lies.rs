//! A server that lies about classroom guests: beside each device that refuses, a twin without the defence, which
//! falls for it.

use crate::guests::{GUEST, MIRA, chats, come, guest, key_of, lines, talk, warnings, world};
use crate::puppet::{Twin, insert, log, say};
use portcullis_client_core::defences::{
    Defences, GuestAccepted, GuestRefused, SOUND, accept_guest,
};
use portcullis_client_core::{Command, GuestWarning, Key, Saying, Show};
use portcullis_crypto::testing::classic_key;
use portcullis_proto::classroom::{
    DialectId, GuestBody, GuestKey, Incoming, PemLayout, pem_of, write_public_chat,
};
use portcullis_proto::{ConversationId, Envelope};
use portcullis_sim::World;
use std::cell::RefCell;
use std::rc::Rc;

const TEXT: DialectId = DialectId::BY_THE_TEXT;
const LOBBY: ConversationId = ConversationId::LOBBY;

/// The key that signed what the server shows under another.
fn signer() -> GuestKey {
    let spki = classic_key(GUEST + 1).unwrap().public().spki().to_vec();
    GuestKey::parse(&pem_of(&spki, PemLayout::ALL[0])).unwrap()
}

/// Takes whoever signed for the one who is named.
fn any_signer(envelope: &Envelope, seen: bool) -> Result<GuestAccepted, GuestRefused> {
    let honest = accept_guest(envelope, seen);
    let frame = |envelope: &Envelope| GuestBody::from_body(&envelope.body).unwrap().frame;
    let body = || GuestBody { key: signer(), frame: frame(envelope) }.to_body();
    honest.or_else(|_| accept_guest(&Envelope { body: body(), ..envelope.clone() }, seen))
}

/// Takes everything for new.
fn never_seen(envelope: &Envelope, _: bool) -> Result<GuestAccepted, GuestRefused> {
    accept_guest(envelope, false)
}

fn says(world: &mut World, text: &str) {
    let frame = world.guests[0].public_chat(text).unwrap();
    assert!(world.guest_sends(0, &frame));
    let _ = world.settle();
}

fn shown(twin: &Rc<RefCell<Twin>>, text: &str) -> usize {
    let is = |show: &&Show| matches!(show, Show::Message(said) if said.text() == Some(text));
    twin.borrow().shows.iter().filter(is).count()
}

#[test]
fn words_are_not_put_into_a_guests_mouth() {
    let mut world = world(TEXT);
    says(&mut world, "true");
    let twin = Twin::of(&mut world, MIRA, Defences { accept_guest: any_signer, ..SOUND });
    let honest = log(&world, LOBBY).pop().unwrap();
    // Signed by somebody else, under the guest's key.
    let frame = write_public_chat(TEXT, &classic_key(GUEST + 1).unwrap(), 7, "false").unwrap();
    let Incoming::Signed(frame) = Incoming::read(&frame).unwrap() else { panic!("{frame}") };
    let reference = frame.reference(frame.verify(signer().key(), None).unwrap());
    let body = GuestBody { key: guest(&world), frame }.to_body();
    insert(&mut world, MIRA, honest.seq + 1, Envelope { reference, body, ..honest.clone() });
    says(&mut world, "also true");
    assert_eq!(lines(&world, MIRA, LOBBY), ["guest: true", "guest: also true"]);
    let forged = GuestWarning::NotAuthentic { seq: honest.seq + 1 };
    assert_eq!(warnings(&world, MIRA)[0], forged.into());
    assert_eq!(shown(&twin, "false"), 1, "the twin believes it");
}

#[test]
fn what_a_guest_said_once_is_shown_once() {
    let mut world = world(TEXT);
    let mira = key_of(&world, MIRA);
    says(&mut world, "pay 10");
    chats(&mut world, std::slice::from_ref(&mira), "pay 20");
    let talk = talk(&world, MIRA).unwrap();
    let twin = Twin::of(&mut world, MIRA, Defences { accept_guest: never_seen, ..SOUND });
    for id in [LOBBY, ConversationId::CLASSROOM] {
        let honest = log(&world, id).pop().unwrap();
        insert(&mut world, MIRA, honest.seq + 1, honest);
    }
    says(&mut world, "and that was all");
    let chat = world.guests[0].chat(&[mira], "really").unwrap();
    assert!(world.guest_sends(0, &chat));
    let _ = world.settle();
    assert_eq!(lines(&world, MIRA, LOBBY), ["guest: pay 10", "guest: and that was all"]);
    assert_eq!(lines(&world, MIRA, talk), ["guest: pay 20", "guest: really"]);
    let replayed = GuestWarning::Replayed { name: guest(&world).name().clone() };
    assert_eq!(warnings(&world, MIRA)[..2], [replayed.clone().into(), replayed.into()]);
    assert_eq!([shown(&twin, "pay 10"), shown(&twin, "pay 20")], [1, 1], "once more");
}

#[test]
fn a_server_that_writes_the_log_anew_replays_nothing() {
    let mut world = world(TEXT);
    let mira = key_of(&world, MIRA);
    chats(&mut world, &[mira], "pay 20");
    let talk = talk(&world, MIRA).unwrap();
    // The account leaves and comes back, so nothing of the log is remembered; what was shown is.
    for allow in [false, true] {
        world.command(MIRA, Command::AllowGuests(allow));
        world.settle().unwrap();
    }
    let old = log(&world, ConversationId::CLASSROOM).pop().unwrap();
    insert(&mut world, MIRA, old.seq + 1, old);
    let chat = world.guests[0].chat(&[], "for others").unwrap();
    assert!(world.guest_sends(0, &chat));
    let _ = world.settle();
    assert_eq!(lines(&world, MIRA, talk), ["guest: pay 20"]);
    let replayed = GuestWarning::Replayed { name: guest(&world).name().clone() };
    assert_eq!(warnings(&world, MIRA)[0], replayed.into());
}

#[test]
fn a_home_from_an_old_copy_makes_another_key() {
    let mut world = world(TEXT);
    let mira = key_of(&world, MIRA);
    chats(&mut world, &[mira], "hello");
    let id = talk(&world, MIRA).unwrap();
    let copy = world.devices[MIRA.0].copy_of_home();
    say(&mut world, MIRA, LOBBY, "one more");
    world.crash_device(MIRA);
    world.devices[MIRA.0].restore_home(copy.clone());
    world.settle().unwrap();
    let device = |home: &[u8]| {
        let record: serde_json::Value = serde_json::from_slice(home).unwrap();
        (record["r"]["own"]["device"].clone(), record["r"]["own"]["counter"].clone())
    };
    let now = world.devices[MIRA.0].copy_of_home();
    assert_ne!(device(&copy[&Key::Classic]).0, device(&now[&Key::Classic]).0);
    // What was said before stays, and the conversation goes on.
    let what = Saying::Text("hello again".to_owned());
    world.command(MIRA, Command::Say { conversation: id, what });
    world.settle().unwrap();
    assert_eq!(lines(&world, MIRA, id), ["guest: hello", "mira: hello again"]);
    come(&mut world, TEXT);
}

/// A key that is being made when the process dies is made again, and known to guests only once it is kept.
#[test]
fn a_device_that_dies_while_it_makes_its_key_can_be_written_to() {
    let mut rounds = 0;
    for fuse in 0.. {
        let mut world = World::new(4, portcullis_crypto::Stretch::LIGHT).unwrap();
        world.admit_guests().unwrap();
        world.add_device(&portcullis_proto::UserName::parse("mira").unwrap());
        world.devices[MIRA.0].fuse = Some(fuse);
        world.settle().unwrap();
        let lived = world.devices[MIRA.0].fuse.take().is_some();
        come(&mut world, TEXT);
        let spki = classic_key(MIRA.0).unwrap().public().spki().to_vec();
        let devices = world.guests[0].devices();
        let known: Vec<_> = devices.iter().map(|key| key.key().spki()).collect();
        assert_eq!(known, [spki.as_slice()], "{fuse}");
        chats(&mut world, &devices, "hello");
        assert_eq!(lines(&world, MIRA, talk(&world, MIRA).unwrap()), ["guest: hello"], "{fuse}");
        rounds = fuse;
        if lived {
            break;
        }
    }
    assert!(rounds > 10, "{rounds}");
}
