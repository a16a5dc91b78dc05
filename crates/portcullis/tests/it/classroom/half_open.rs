//! Guests whose connections are half of one: one that reads no more and stays, one that will say no more and stays. Nobody
//! else notices.

use std::net::Shutdown;

use super::address;
use super::client::Client;
use super::family::BY_THE_TEXT;
use super::http::counter;
use super::key::Key;
use crate::program::World;

/// Characters of a long message: with its signature nearly as much as a frame may have.
const LONG: usize = 60_000;

#[test]
fn half_a_connection_disturbs_nobody() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let server = address(&world);
    let join = |key| Client::join(&BY_THE_TEXT, key, &server);
    let mut listener = join(Key::number(0));
    let (deaf, mut mute) = (join(Key::number(1)), join(Key::number(2)));
    let mut speakers: Vec<_> = Key::many(20).into_iter().map(join).collect();
    let everybody = [deaf.pem(), mute.pem(), speakers[19].pem()];
    listener.list_until(|listed| everybody.iter().all(|pem| listed.contains(pem)));

    // What a person could say still counts as said.
    mute.say_public("my last words");
    mute.shut(Shutdown::Write);
    listener.hear_public("my last words");
    listener.list_until(|listed| !listed.contains(&mute.pem()));

    // More than the kernel's buffers and a queue take; those who read have all of it.
    let text = "x".repeat(LONG);
    for _ in 0..12 {
        for speaker in &mut speakers {
            speaker.say_public(&text);
            speaker.settle();
            listener.settle();
        }
    }
    let last = speakers.len() - 1;
    speakers[last].list();
    for number in 0..5 {
        let (text, answer) = (format!("line {number}"), format!("answer {number}"));
        speakers[last].say_public(&text);
        assert!(listener.hear_public(&text).0.verified);
        listener.say_public(&answer);
        assert!(speakers[last].hear_public(&answer).0.verified);
    }
    assert!(counter(&server, "lagged") >= 1, "nobody was left behind");
    drop(deaf);
}
