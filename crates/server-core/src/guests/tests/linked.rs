//! The clients of linked servers: guests there.

use super::*;

/// Who came and who went, where that is what is told.
fn presence(output: Output) -> Option<(Vec<AccountId>, Vec<AccountId>)> {
    match output {
        Output::Effect(Effect::Deliver { event: Event::Guests { came, went, .. }, .. }) => {
            Some((came, went))
        }
        _ => None,
    }
}

#[test]
fn a_linked_servers_clients_are_guests_there() {
    let mut world = World::with_guests(SOUND);
    let mira = world.person("mira");
    world.publish_classic_key(&mira, 8);
    let mut here = world.guest(1);
    let link = world.guest_connection();
    let update = |world: &mut World, numbers: &[usize]| {
        let clients = numbers.iter().map(|number| guest_key(*number)).collect();
        let admitted = NeighbourAdmitted::dialled(0);
        let (server, itself) = ("school:1".to_owned(), guest_key(4).id());
        let ask = GuestAsk::Neighbour { admitted, server, clients, itself };
        assert_eq!(world.guest_asks(link, elsewhere(1), ask), Ok(()));
    };
    update(&mut world, &[1, 2, 3, 4]);
    let listed = list(&mut world, &mut here);
    assert_eq!(listed.guests, [guest_key(1)]);
    assert_eq!(listed.neighbours.len(), 1);
    assert_eq!((listed.neighbours[0].0.as_ref(), listed.neighbours[0].1.len()), ("school:1", 4));
    // The server itself is listed for clients, and heard, but no guest to people.
    let people = world.attempt(mira.connection, Request::Guests { after: None });
    let Ok(Reply::Guests { guests, more: false }) = people else { panic!("{people:?}") };
    let mut people: Vec<_> = guests.iter().map(|card| card.guest).collect();
    people.sort_by_key(|id| (1..=3).position(|number| guest_key(number).id() == *id));
    assert_eq!(people, [1, 2, 3].map(|number| guest_key(number).id()));
    let itself = guest_key(4).id();
    let moved = |world: &mut World, how_many: (usize, usize)| {
        let (came, went) = world.server.tick().into_iter().find_map(presence).unwrap();
        assert_eq!((came.len(), went.len()), how_many, "{came:?} {went:?}");
        assert!(came.iter().chain(&went).all(|id| *id != itself));
    };
    moved(&mut world, (3, 0));
    // Who is here as well is told here, others by the link.
    let tell = |world: &mut World, guest: usize| {
        let frame = chat(&classic_key(8), 1, &[], "hi");
        let request =
            Request::GuestChat { guest: guest_key(guest).id(), device: mira.device, frame };
        match world.attempt_at_gateway(mira.connection, request)?.as_slice() {
            [GuestOutput::Tell { connections, .. }] => Ok(connections.clone()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(tell(&mut world, 1), Ok(vec![here.connection]));
    assert_eq!(tell(&mut world, 2), Ok(vec![link]));
    // What is said there is said here, and not sent back.
    let mut there = Guest::new(2);
    there.connection = link;
    there.state = Some(crate::GuestState::listed(there.public.clone()));
    let text = there.public_chat("hi from there");
    assert_eq!(world.heard(&mut there, &text), Ok(()));
    let relay = world.at_gateway();
    assert!(
        matches!(&relay[..], [GuestOutput::Relay { except, onward: false, .. }] if *except == link)
    );
    update(&mut world, &[3]);
    assert_eq!(tell(&mut world, 2), Err(Code::NotFound));
    moved(&mut world, (0, 1));
    let text = there.public_chat("hi");
    assert_eq!(world.heard(&mut there, &text), Err(GuestRefused::Stranger));
    world.server.guest_gone(link);
    assert_eq!(tell(&mut world, 3), Err(Code::NotFound));
    assert_eq!(world.server.count_guests(), 1);
}
