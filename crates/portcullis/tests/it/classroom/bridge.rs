//! Guests and accounts: in `#lobby`, and privately between one guest and one device.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::address;
use super::client::{Client, What};
use super::family::{BY_THE_TEXT, FAMILIES, Inner, unbase64};
use super::key::{Key, ONE_LINE};
use crate::program::World;

#[test]
fn guests_and_accounts_share_the_lobby() {
    let mut world = World::new(&[]);
    let server = world.serve();
    world.register(&["mira", "noor"]);
    let tail = world.start("mira", "mira", &["tail", "--in", "#lobby"]);
    let join = |number| Client::join(FAMILIES[number], Key::number(number), &address(&world));
    let mut guests: Vec<_> = (0..FAMILIES.len()).map(join).collect();
    let mut frames = Vec::new();
    for guest in &mut guests {
        guest.list();
        let text = format!("noor: I am no account\n\u{202e}{}", guest.family.name);
        let frame = guest.say_public(&text);
        is_of_guest(&tail.json(), "#lobby", guest, &text);
        // Said again by another connection, it is heard no more.
        let mut again = Client::join(guest.family, guest.key.clone(), &address(&world));
        again.send(frame.as_str());
        again.settle();
        frames.push(frame);
    }
    world.lines("noor", "noor", &["send", "--to", "#lobby", "first\nmira: \"é\" \u{1f600}"]);
    let line = tail.json();
    assert_eq!((&line["sender"], &line["identity"]), (&"noor".into(), &"not_verified".into()));
    for guest in &mut guests {
        let name = guest.family.name;
        let (said, _) = guest.hear_public_like("noor: first");
        assert!(said.verified, "{name}: {said:?}");
        assert!(said.text.ends_with("mira: \"é\" \u{1f600}"), "{name}: {said:?}");
        assert!(!said.text.contains(['\n', '\r']), "{name}: {said:?}");
    }

    // Nor is it heard again after the server has forgotten every connection.
    assert_eq!(server.terminate(), Some(0));
    let _server = world.serve();
    for (guest, frame) in guests.iter().zip(frames) {
        let mut again = Client::join(guest.family, guest.key.clone(), &address(&world));
        again.send(frame);
        again.settle();
    }
    let mut guest = Client::join(&BY_THE_TEXT, Key::number(12), &address(&world));
    guest.say_public("after all of it");
    is_of_guest(&tail.json(), "#lobby", &guest, "after all of it");
}

#[test]
fn a_guest_and_a_device_talk_privately() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira"]);
    let server = address(&world);
    let families = FAMILIES.iter().filter(|family| family.inner != Inner::Own);
    let join = |(number, family)| Client::join(family, Key::number(number), &server);
    let mut guests: Vec<_> = (0..).zip(families.copied()).map(join).collect();
    let mut silent = Client::join(&BY_THE_TEXT, Key::number(12), &server);
    let own: Vec<_> = guests.iter().chain([&silent]).map(Client::pem).collect();
    let count = (2 * guests.len()).to_string();
    let tail = world.start("mira", "mira", &["tail", "--count", &count]);
    for guest in guests.iter_mut().chain([&mut silent]) {
        // Besides the guests there are the gateway and the device of mira.
        guest.list_until(|pems| pems.len() == own.len() + 2);
    }
    for guest in &mut guests {
        guest.say_public("to all");
        is_of_guest(&tail.json(), "#lobby", guest, "to all");
        let text = format!("only for you,\n{}", guest.family.name);
        let frame = guest.say_private_to(|person| !own.contains(&person.pem), &text);
        is_of_guest(&tail.json(), &name_of(guest), guest, &text);
        let mut again = Client::join(guest.family, guest.key.clone(), &server);
        again.send(frame);
        again.settle();
    }
    assert_eq!(tail.end(), Some(0));
    // Who has said nothing is written to by the protocol's text.
    for guest in guests.iter_mut().chain([&mut silent]) {
        let text = format!("and for you\n{}", guest.family.name);
        let name = name_of(guest);
        let sent = world.lines("mira", "mira", &["send", "--to", &name, &text]);
        assert_eq!(sent[0]["conversation"], name);
        let (said, frame) = guest.hear_private(&text);
        assert!(said.verified, "{}: {said:?}", guest.family.name);
        assert_eq!(said.participants[1..], [guest.fingerprint()]);
        assert!(!frame.contains("for you"), "{frame}");
    }
    // Nobody else could read any of it, and none of it came twice.
    for guest in guests.iter_mut().chain([&mut silent]) {
        guest.list();
        let read = guest.heard().into_iter().filter(|heard| matches!(heard.what, What::Private(_)));
        assert_eq!(read.count(), 0, "{}", guest.family.name);
    }
}

/// Also those that only ever do something short, by scripts.
#[test]
fn every_device_that_was_at_work_can_be_written_to() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let mut guest = Client::join(&BY_THE_TEXT, Key::number(0), &address(&world));
    let mut check = |home: &str, words: &[&str], devices: usize| {
        world.lines("mira", home, words);
        // Besides them there are the guest itself and the gateway.
        assert_eq!(guest.list().len(), devices + 2, "{words:?}");
    };
    check("first", &["register"], 1);
    check("second", &["send", "--to", "#lobby", "hello"], 2);
    check("second", &["guests", "off"], 0);
    check("third", &["guests", "on"], 3);
}

/// A line of `tail`: a guest's, under a name that no account can have.
fn is_of_guest(line: &Value, conversation: &str, guest: &Client, text: &str) {
    assert_eq!(
        (&line["conversation"], &line["text"]),
        (&conversation.into(), &text.into()),
        "{line}"
    );
    assert_eq!(
        (&line["sender"], &line["identity"]),
        (&name_of(guest).into(), &"guest".into()),
        "{line}"
    );
    assert_eq!(line["guest"], true, "{line}");
}

/// `~` and the first 80 bits of the hash of the key, in base32.
fn name_of(guest: &Client) -> String {
    let pem = guest.key.public().pem(ONE_LINE);
    let hash = Sha256::digest(unbase64(pem.lines().nth(1).unwrap()).unwrap());
    let bits = hash[..10].iter().fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
    let letter = |place: u32| {
        let value = usize::try_from(bits >> (75 - 5 * place) & 31).unwrap();
        char::from(b"abcdefghijklmnopqrstuvwxyz234567"[value])
    };
    std::iter::once('~').chain((0..16).map(letter)).collect()
}
