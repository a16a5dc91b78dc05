//! Guests who come: that others hear of them in time, and that copies of what they said keep none of them out.

use super::*;

/// Neighbours take nobody's word whom they don't know.
#[test]
fn who_has_just_come_is_told_of_before_it_is_heard() {
    let mut world = World::with_guests(SOUND);
    let mut guest = world.guest(1);
    let says = |world: &mut World, guest: &mut Guest, expected: bool| {
        let text = guest.public_chat("hi");
        assert_eq!(world.heard(guest, &text), Ok(()));
        let outputs = world.at_gateway();
        let at = |wanted: fn(&GuestOutput) -> bool| outputs.iter().position(wanted);
        let told = at(|output| *output == GuestOutput::ListChanged);
        let said = at(|output| matches!(output, GuestOutput::Relay { .. }));
        assert_eq!(told.is_some(), expected);
        assert!(said.is_some() && told < said);
    };
    says(&mut world, &mut guest, true);
    says(&mut world, &mut guest, false);
    // Nobody is told of who comes a second time, but of who has left in between.
    let mut again = world.guest(1);
    again.counter = guest.counter;
    says(&mut world, &mut again, false);
    world.server.guest_gone(guest.connection);
    world.server.guest_gone(again.connection);
    assert_eq!(world.come(&mut guest, Peer::loopback()), Ok(()));
    says(&mut world, &mut guest, true);
    // What is told of every second need not be told before.
    let mut other = world.guest(2);
    assert!(world.server.tick().contains(&Output::Guest(GuestOutput::ListChanged)));
    says(&mut world, &mut other, false);
}

/// Anybody can repeat a `hello`, and only the guest itself can say something new.
#[test]
fn copies_of_a_hello_keep_no_guest_out() {
    let mut world = World::with_guests(SOUND);
    let mut guest = world.guest(1);
    let mut first = guest.clone();
    first.counter = 7;
    let hello = first.hello();
    let copy = |world: &mut World| {
        let mut copy = Guest::new(1);
        copy.connection = world.guest_connection();
        let heard = world.hear(&mut copy, elsewhere(1), &hello);
        heard.map(|()| copy.connection)
    };
    let text = guest.public_chat("hi");
    assert_eq!(world.heard(&mut guest, &text), Ok(()));
    let copies: Vec<_> =
        (1..crate::limits::GUEST_CONNECTIONS).map(|_| copy(&mut world).unwrap()).collect();
    assert_eq!(copy(&mut world), Err(GuestRefused::Full));
    // A new hello takes the place of the first that has said nothing, not of the one that has.
    let mut anew = Guest::new(1);
    anew.counter = guest.counter;
    for displaced in &copies[..2] {
        assert_eq!(world.come(&mut anew, Peer::loopback()), Ok(()));
        assert!(world.outputs.contains(&Output::Drop { connection: *displaced }));
        assert_eq!(copy(&mut world), Err(GuestRefused::Full));
    }
    for speaker in [&mut guest, &mut anew] {
        speaker.counter = 20 + speaker.connection.0;
        let text = speaker.public_chat("still here");
        assert_eq!(world.heard(speaker, &text), Ok(()));
    }
}
