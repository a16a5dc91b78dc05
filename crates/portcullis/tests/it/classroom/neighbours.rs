//! A neighbourhood of two servers: guests of both talk publicly and privately, frames arrive once, and the
//! link comes back after one of the servers was killed. And whoever is no neighbour: strangers, and what was
//! said to another.

use std::fs;
use std::net::TcpListener;
use std::time::Instant;

use super::address;
use super::client::{Client, What};
use super::family::BY_THE_TEXT;
use super::http::counter;
use super::json::Json;
use super::key::Key;
use crate::program::{DEADLINE, World};

/// Two servers that name each other, with their data made and their ports known.
fn neighbours() -> [World; 2] {
    // Whoever waits for a change in a list asks often.
    let mut worlds = [(); 2].map(|()| World::new(&["--rate-factor", "1000"]));
    let keys = [0, 1].map(|place: usize| {
        worlds[place].serve().kill();
        let key = worlds[place].admin(&["classroom-key"]);
        assert!(key.status.success());
        key.stdout
    });
    for (place, other) in [(0, 1), (1, 0)] {
        let file = worlds[place].path("neighbour.pem");
        fs::write(&file, &keys[other]).unwrap();
        let (_, port) = address(&worlds[other])
            .rsplit_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        worlds[place]
            .add_options(&["--neighbour", &format!("ws://localhost:{port}={}", file.display())]);
    }
    worlds
}

/// Asks until somebody is listed, or is not listed any more.
fn until_listed(client: &mut Client, pem: &str, listed: bool) {
    let until = Instant::now() + DEADLINE;
    while client.list().iter().any(|person| person.pem == pem) != listed {
        assert!(Instant::now() < until, "the list changes in time");
    }
}

#[test]
fn guests_of_linked_servers_talk_and_links_come_back() {
    let [mut near, mut far] = neighbours();
    let _near = near.serve();
    let server = far.serve();
    let join =
        |number, world: &World| Client::join(&BY_THE_TEXT, Key::number(number), &address(world));
    let (mut anna, mut ben) = (join(0, &near), join(1, &far));
    meet(&mut anna, &mut ben);
    // Whoever comes may speak at once.
    for number in [3, 4] {
        let text = format!("at once, {number}");
        Client::join(&BY_THE_TEXT, Key::number(number), &address(&far)).say_public(&text);
        anna.wait(&text, |heard| heard.frame.contains(&text));
    }

    server.kill();
    until_listed(&mut anna, &ben.pem(), false);
    let _far = far.serve();
    // Another key: clients of this family insist that counters grow.
    let mut ben = join(2, &far);
    meet(&mut anna, &mut ben);
}

/// Each sees the other, hears it publicly, once, and privately.
fn meet(anna: &mut Client, ben: &mut Client) {
    until_listed(anna, &ben.pem(), true);
    until_listed(ben, &anna.pem(), true);
    for turned in [false, true] {
        let (speaker, listener) =
            if turned { (&mut *ben, &mut *anna) } else { (&mut *anna, &mut *ben) };
        let frame = speaker.say_public("hello next door");
        let (said, arrived) = listener.hear_public("hello next door");
        assert!(said.verified && arrived == frame, "{arrived}");
        speaker.say_private(&listener.pem(), "between us");
        let (said, _) = listener.hear_private("between us");
        assert!(said.verified);
        speaker.say_public("once");
        listener.hear_public("once");
        let more = listener.heard();
        let again =
            |what: &What| matches!(what, What::Public(said) if said.text == "hello next door");
        assert!(!more.iter().any(|heard| again(&heard.what)), "{more:?}");
    }
}

/// More clients than fit a guest's frame, by a server whose key is pinned.
#[test]
fn a_large_server_is_a_neighbour_too() {
    let mut world = World::new(&[]);
    let file = world.path("neighbour.pem");
    let key = Key::number(3);
    fs::write(&file, key.public().pem(BY_THE_TEXT.pem)).unwrap();
    world.add_options(&["--neighbour", &format!("ws://localhost:1={}", file.display())]);
    let _server = world.serve();
    let mut guest = Client::join(&BY_THE_TEXT, Key::number(0), &address(&world));
    let mut neighbour = Client::connect(&BY_THE_TEXT, key, &address(&world));
    neighbour.say(&Json::object([
        ("type", Json::text("server_hello")),
        ("sender", Json::text("localhost:1")),
    ]));
    let pem = Key::number(4).public().pem(BY_THE_TEXT.pem);
    let clients = vec![&pem; 400];
    let update = serde_json::json!({"type": "client_update", "clients": clients}).to_string();
    assert!(update.len() > 2 * 64 * 1024);
    neighbour.send(update);
    guest.list_until(|listed| listed.contains(&pem));
}

/// Frames that are longer than a guest's are for neighbours, and for nobody who might yet be one.
#[test]
fn guests_of_a_neighbour_say_no_more_at_once_than_others() {
    let mut world = World::new(&[]);
    let file = world.path("neighbour.pem");
    fs::write(&file, Key::number(3).public().pem(BY_THE_TEXT.pem)).unwrap();
    world.add_options(&["--neighbour", &format!("ws://localhost:1={}", file.display())]);
    let _server = world.serve();
    let pem = Key::number(4).public().pem(BY_THE_TEXT.pem);
    let check = |says_hello: bool, clients: usize| {
        let before = counter(&address(&world), "too_long");
        let mut guest = Client::connect(&BY_THE_TEXT, Key::number(0), &address(&world));
        if says_hello {
            guest.hello();
        }
        let update = serde_json::json!({"type": "client_update", "clients": vec![&pem; clients]});
        guest.send(update.to_string());
        guest.settle();
        let counted = counter(&address(&world), "too_long") - before;
        assert_eq!(counted, 1, "{clients} clients, says hello: {says_hello}");
    };
    check(false, 400);
    check(true, 400);
    // Also where it comes in one piece.
    check(false, 20);
}

#[test]
fn who_has_not_the_pinned_key_is_no_neighbour() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let mut guest = Client::join(&BY_THE_TEXT, Key::number(0), &address(&world));
    let mut stranger = Client::connect(&BY_THE_TEXT, Key::number(1), &address(&world));
    stranger.say(&Json::object([
        ("type", Json::text("server_hello")),
        ("sender", Json::text("localhost:1")),
    ]));
    let pem = Key::number(2).public().pem(BY_THE_TEXT.pem);
    let update = serde_json::json!({"type": "client_update", "clients": [pem]});
    stranger.send(update.to_string());
    stranger.settle();
    assert!(guest.list().iter().all(|person| person.pem != pem));
}

/// A neighbour of A takes what A says to it to B, which has pinned A: while A is linked with B, and once it is gone.
#[test]
fn what_a_server_says_to_one_neighbour_opens_no_link_to_another() {
    let [mut a, mut b] = neighbours();
    let rogue = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, file) = (rogue.local_addr().unwrap().port(), a.path("rogue.pem"));
    fs::write(&file, Key::number(3).public().pem(BY_THE_TEXT.pem)).unwrap();
    a.add_options(&["--neighbour", &format!("ws://127.0.0.1:{port}={}", file.display())]);
    let server = a.serve();
    let _b = b.serve();
    let mut linked = tungstenite::accept(rogue.accept().unwrap().0).unwrap();
    let hello = linked.read().unwrap();
    assert!(hello.to_text().unwrap().contains("server_hello"), "{hello}");

    let mut anna = Client::join(&BY_THE_TEXT, Key::number(0), &address(&a));
    let mut ben = Client::join(&BY_THE_TEXT, Key::number(1), &address(&b));
    until_listed(&mut ben, &anna.pem(), true);
    let stray = Key::number(2).public().pem(BY_THE_TEXT.pem);
    let update = serde_json::json!({"type": "client_update", "clients": [stray]}).to_string();
    let repeat = |ben: &mut Client| {
        let mut copy = Client::connect(&BY_THE_TEXT, Key::number(2), &address(&b));
        copy.send(hello.clone());
        copy.send(update.clone());
        copy.settle();
        assert!(ben.list().iter().all(|person| person.pem != stray));
    };
    repeat(&mut ben);
    // A's guests are still A's, and are heard.
    assert!(ben.list().iter().any(|person| person.pem == anna.pem()));
    anna.say_public("still here");
    ben.hear_public("still here");
    server.kill();
    until_listed(&mut ben, &anna.pem(), false);
    repeat(&mut ben);
}
