//! Files from person to person: offered, answered, moved, received; and what is in the way.

use crate::puppet::*;
use portcullis_client_core::defences::{Defences, SOUND};
use portcullis_client_core::{
    Command, Key, RecipientState, Show, TransferState, TransferView, limits,
};
use portcullis_crypto::Stretch;
use portcullis_proto::{ConversationId, EndReason, FileStep, TransferId};
use portcullis_sim::{DeviceIndex, World};
use std::cell::RefCell;
use std::net::SocketAddr;

/// Several chunks, and not a whole number of them.
pub(crate) fn content(seed: u8) -> Vec<u8> {
    (0..600_001_u32).map(|at| (at % 251) as u8 ^ seed).collect()
}

/// Alice's direct with Bob.
pub(crate) fn direct() -> (World, ConversationId) {
    let mut world = people();
    tell(&mut world, ALICE, "bob", "hello");
    let id = find(&world, ALICE, "bob").unwrap();
    (world, id)
}

pub(crate) fn offers(world: &mut World, who: DeviceIndex, id: ConversationId) -> TransferId {
    let offered = world.offer(who, id, content(1), false).unwrap();
    world.settle().unwrap();
    offered
}

pub(crate) fn transfer(world: &World, who: DeviceIndex, id: TransferId) -> Option<TransferView> {
    let views = world.devices[who.0].client()?.transfers();
    views.into_iter().find(|view| view.transfer == id)
}

pub(crate) fn state(world: &World, who: DeviceIndex, id: TransferId) -> Option<TransferState> {
    transfer(world, who, id).map(|view| view.state)
}

pub(crate) fn recipient(world: &World, id: TransferId, named: &str) -> RecipientState {
    let view = transfer(world, ALICE, id).unwrap();
    view.recipients.into_iter().find(|(who, _)| *who == name(named)).unwrap().1
}

pub(crate) fn accepts(world: &mut World, who: DeviceIndex, transfer: TransferId) {
    does(world, who, Command::Answer { transfer, place: Some("downloads".to_owned()) });
}

pub(crate) fn has(world: &World, who: DeviceIndex, id: TransferId) -> bool {
    let received = &world.devices[who.0].disk.received;
    let mut copies = received.iter().filter(|(of, _)| *of == id);
    let first = copies.next();
    assert_eq!(copies.next(), None, "twice");
    first.is_some_and(|(_, bytes)| *bytes == world.offers[&id].content)
}

pub(crate) fn refusals(world: &World, who: DeviceIndex) -> Vec<String> {
    let shows = world.devices[who.0].shows.iter();
    shows
        .filter_map(|show| match show {
            Show::Refused { what, refusal } => Some(format!("{what}: {}", refusal.message)),
            _ => None,
        })
        .collect()
}

pub(crate) fn verified(world: &mut World) {
    for (who, whom) in [(ALICE, "bob"), (BOB, "alice")] {
        does(world, who, Command::ShowSafetyNumber(name(whom)));
        does(world, who, Command::MarkVerified(name(whom)));
    }
}

pub(crate) fn words(world: &World, who: DeviceIndex, id: ConversationId) -> Vec<String> {
    use portcullis_client_core::Body;
    let here = world.devices[who.0].messages().into_iter().filter(|m| m.conversation == id);
    here.filter_map(|message| match message.body {
        Body::Offer(offered) => Some(format!("{} {offered}", message.sender)),
        Body::Step(step) => Some(format!("{} {step}", message.sender)),
        _ => None,
    })
    .collect()
}

#[test]
fn a_file_goes_through_the_server() {
    let (mut world, id) = direct();
    let transfer = offers(&mut world, ALICE, id);
    assert_eq!(state(&world, BOB, transfer), Some(TransferState::Offered));
    assert_eq!(recipient(&world, transfer, "bob"), RecipientState::Asked);
    let unread = world.devices[BOB.0].client().unwrap().conversations().find(|c| c.id == id);
    assert_eq!(unread.unwrap().unread, 2);
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    assert_eq!(recipient(&world, transfer, "bob"), RecipientState::Received);
    assert_eq!(state(&world, ALICE, transfer), Some(TransferState::Done(Vec::new())));
    let paths = vec![format!("received {transfer}")];
    assert_eq!(state(&world, BOB, transfer), Some(TransferState::Done(paths)));
    let expected = [
        "alice offers report.pdf (600.0 kB)",
        "bob accepted report.pdf",
        "bob has received report.pdf",
    ];
    assert_eq!(words(&world, ALICE, id), expected);
    assert_eq!(words(&world, BOB, id), expected);
    world.check().unwrap();
}

#[test]
fn between_people_who_have_verified_each_other_it_goes_directly() {
    let (mut world, id) = direct();
    verified(&mut world);
    let transfer = offers(&mut world, ALICE, id);
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    assert!(went_directly(&world, BOB, transfer));
    assert_eq!(world.stored_bytes(), 0, "the server has seen nothing of it");
    world.check().unwrap();
}

/// Whether a device has shown that a transfer moves between the devices themselves.
pub(crate) fn went_directly(world: &World, who: DeviceIndex, id: TransferId) -> bool {
    let moved = |show: &Show| matches!(show, Show::Transfer(view) if view.transfer == id && view.state == TransferState::Direct);
    world.devices[who.0].shows.iter().any(moved)
}

#[test]
fn the_relay_learns_of_direct_transfers_alone() {
    let (mut world, id) = direct();
    let through_server = offers(&mut world, ALICE, id);
    accepts(&mut world, BOB, through_server);
    assert_eq!(world.relay_keys(), []);
    verified(&mut world);
    let directly = offers(&mut world, ALICE, id);
    assert_eq!(world.relay_keys(), [], "nobody has accepted");
    accepts(&mut world, BOB, directly);
    assert!(went_directly(&world, BOB, directly));
    let [alice, bob] = world.relay_keys() else { panic!("{:?}", world.relay_keys()) };
    assert!(alice.0 != bob.0 && alice.1 != bob.1);
    // Another transfer has other keys.
    let (first, next) = (world.relay_keys().to_vec(), offers(&mut world, ALICE, id));
    accepts(&mut world, BOB, next);
    assert!(world.relay_keys().len() == 4 && !first.contains(&world.relay_keys()[2]));
    world.check().unwrap();
}

#[test]
fn a_person_allows_it_for_somebody_they_have_not_verified() {
    let (mut world, id) = direct();
    let check = |world: &mut World, allowed: &[(DeviceIndex, &str)], expected: bool| {
        for (who, whom) in allowed {
            does(world, *who, Command::AllowDirect(name(whom), true));
        }
        let transfer = offers(world, ALICE, id);
        accepts(world, BOB, transfer);
        assert!(has(world, BOB, transfer));
        assert_eq!(went_directly(world, BOB, transfer), expected);
    };
    check(&mut world, &[], false);
    // One of them is not enough.
    check(&mut world, &[(BOB, "alice")], false);
    check(&mut world, &[(ALICE, "bob")], true);
    does(&mut world, BOB, Command::AllowDirect(name("alice"), false));
    check(&mut world, &[], false);
    world.check().unwrap();
}

#[test]
fn what_is_declined_or_cancelled_is_over_for_both() {
    let cancelled = || TransferState::Ended(EndReason::Cancelled);
    let check = |by: DeviceIndex, accepted: bool, own: TransferState, theirs: TransferState| {
        let (mut world, id) = direct();
        let transfer = offers(&mut world, ALICE, id);
        if accepted {
            world.command(BOB, Command::Answer { transfer, place: Some(String::new()) });
        }
        does(&mut world, by, Command::Cancel(transfer));
        assert_eq!(state(&world, ALICE, transfer), Some(own));
        assert_eq!(state(&world, BOB, transfer), Some(theirs));
        assert!(!has(&world, BOB, transfer));
        world.check().unwrap();
    };
    check(ALICE, false, cancelled(), cancelled());
    check(ALICE, true, cancelled(), cancelled());
    check(BOB, true, cancelled(), cancelled());
    check(BOB, false, TransferState::Declined, TransferState::Declined);
}

#[test]
fn files_that_have_changed_end_it_in_words() {
    for direct_way in [false, true] {
        let (mut world, id) = direct();
        if direct_way {
            verified(&mut world);
        }
        let transfer = world.offer(ALICE, id, content(1), false).unwrap();
        let place = format!("where the file {transfer} lies");
        world.devices[ALICE.0].disk.places.get_mut(&place).unwrap()[300_000] ^= 1;
        world.deliver_all();
        accepts(&mut world, BOB, transfer);
        world.settle().unwrap();
        let changed = Some(TransferState::Ended(EndReason::Changed));
        for who in [ALICE, BOB] {
            assert_eq!(state(&world, who, transfer), changed);
            let expected =
                "alice can't send report.pdf: the files have changed since they were offered";
            assert_eq!(words(&world, who, id).last().unwrap(), expected);
        }
        assert!(!has(&world, BOB, transfer));
        world.check().unwrap();
    }
}

#[test]
fn several_devices_of_one_account_take_it_once() {
    let (mut world, id) = direct();
    let other = world.add_device(&name("bob"));
    world.settle().unwrap();
    let transfer = offers(&mut world, ALICE, id);
    // Both answer before either has heard of the other.
    for device in [BOB, other] {
        world.command(device, Command::Answer { transfer, place: Some(String::new()) });
    }
    world.settle().unwrap();
    let copies = [BOB, other].into_iter().filter(|device| has(&world, *device, transfer)).count();
    assert_eq!(copies, 1);
    let elsewhere = [BOB, other].map(|device| state(&world, device, transfer).unwrap());
    assert!(elsewhere.contains(&TransferState::Declined), "{elsewhere:?}");
    assert_eq!(recipient(&world, transfer, "bob"), RecipientState::Received);
    world.check().unwrap();
}

/// What a device keeps, as text.
fn home(world: &World, who: DeviceIndex) -> String {
    world.devices[who.0]
        .copy_of_home()
        .values()
        .map(|value| String::from_utf8_lossy(value))
        .collect()
}

#[test]
fn the_key_is_kept_where_it_is_needed_and_for_as_long() {
    let (mut world, id) = direct();
    let [beside_alice, beside_bob] = ["alice", "bob"].map(|of| world.add_device(&name(of)));
    world.settle().unwrap();
    let transfer = offers(&mut world, ALICE, id);
    let record = world.devices[ALICE.0].copy_of_home().remove(&Key::Transfer(transfer)).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let key = record["r"]["offer"]["key"].as_str().unwrap();
    let everywhere = [ALICE, beside_alice, BOB, beside_bob];
    let kept = |world: &World| everywhere.map(|who| home(world, who).contains(key));
    assert_eq!(kept(&world), [true, false, true, true]);
    does(&mut world, BOB, Command::Pause(transfer));
    accepts(&mut world, BOB, transfer);
    assert_eq!(kept(&world), [true, false, true, false]);
    does(&mut world, BOB, Command::Resume(transfer));
    assert!(has(&world, BOB, transfer));
    assert_eq!(kept(&world), [false; 4]);
    world.check().unwrap();
}

#[test]
fn in_a_group_each_answers_for_themselves() {
    let (mut world, id) = group();
    let transfer = offers(&mut world, ALICE, id);
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    assert_eq!(recipient(&world, transfer, "mallory"), RecipientState::Asked);
    assert!(!state(&world, ALICE, transfer).unwrap().is_over());
    accepts(&mut world, MALLORY, transfer);
    assert!(has(&world, MALLORY, transfer));
    assert_eq!(state(&world, ALICE, transfer), Some(TransferState::Done(Vec::new())));
    world.check().unwrap();
}

thread_local! {
    /// Addresses that a curious member has read in the conversation.
    static READ: RefCell<Vec<SocketAddr>> = const { RefCell::new(Vec::new()) };
}

/// A client that also writes down who can be reached where.
fn curious() -> Defences {
    Defences {
        accept_step: |course, by, step| {
            if let FileStep::Reach { tcp, .. } = step {
                READ.with_borrow_mut(|read| read.extend(tcp));
            }
            (SOUND.accept_step)(course, by, step)
        },
        ..SOUND
    }
}

/// What is said in a group is read by all of it, also by those who take nothing.
#[test]
fn in_a_group_nobody_learns_where_a_sender_is_until_all_may() {
    let (mut world, id) = group();
    let _twin = Twin::of(&mut world, MALLORY, curious());
    let check = |world: &mut World, allows: &[(DeviceIndex, &str, bool)], expected: bool| {
        for (who, whom, allow) in allows {
            does(world, *who, Command::AllowDirect(name(whom), *allow));
        }
        let transfer = offers(world, ALICE, id);
        accepts(world, BOB, transfer);
        assert!(has(world, BOB, transfer));
        assert_eq!(went_directly(world, BOB, transfer), expected, "{allows:?}");
        assert_eq!(READ.take().len(), usize::from(expected), "{allows:?}");
    };
    check(&mut world, &[], false);
    check(&mut world, &[(ALICE, "bob", true), (BOB, "alice", true)], false);
    assert_eq!(world.relay_keys(), []);
    check(&mut world, &[(ALICE, "mallory", true)], true);
    check(&mut world, &[(ALICE, "mallory", false)], false);
    // Her being known is not enough either.
    check(&mut world, &[(ALICE, "mallory", true), (ALICE, "bob", false)], false);
    world.check().unwrap();
}

#[test]
fn nobody_waits_for_addresses_that_will_not_come() {
    let (mut world, id) = group();
    for (who, whom) in [(ALICE, "bob"), (BOB, "alice")] {
        does(&mut world, who, Command::AllowDirect(name(whom), true));
    }
    let transfer = offers(&mut world, ALICE, id);
    let begun = world.now;
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    assert!(world.now < begun.plus_millis(limits::REACH_MILLIS), "{:?}", world.now);
    world.check().unwrap();
}

/// Between the permission and the saying the sender's shell looks for addresses, and the network may be away.
#[test]
fn addresses_that_wait_are_taken_back_where_somebody_may_know_them_no_more() {
    let (mut world, id) = group();
    let _twin = Twin::of(&mut world, MALLORY, curious());
    for (who, whom) in [(ALICE, "bob"), (BOB, "alice"), (ALICE, "mallory")] {
        does(&mut world, who, Command::AllowDirect(name(whom), true));
    }
    let transfer = offers(&mut world, ALICE, id);
    let place = Some("downloads".to_owned());
    world.command(BOB, Command::Answer { transfer, place });
    // Everything is said, and no shell does anything yet.
    for _ in 0..8 {
        world.connections().into_iter().for_each(|id| world.deliver(id, usize::MAX, None));
        world.run_batch(usize::MAX, false);
    }
    assert_eq!(recipient(&world, transfer, "bob"), RecipientState::Accepted, "alice knows it");
    does(&mut world, ALICE, Command::AllowDirect(name("mallory"), false));
    assert_eq!(READ.take(), []);
    assert!(has(&world, BOB, transfer));
    assert!(!went_directly(&world, BOB, transfer));
    world.check().unwrap();
}

#[test]
fn whoever_is_taken_out_is_not_waited_for() {
    let (mut world, id) = group();
    let transfer = offers(&mut world, ALICE, id);
    accepts(&mut world, BOB, transfer);
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    assert_eq!(state(&world, ALICE, transfer), Some(TransferState::Done(Vec::new())));
    let ended = Some(TransferState::Ended(EndReason::Failed));
    assert_eq!(state(&world, MALLORY, transfer), ended);
    world.check().unwrap();
}

#[test]
fn a_recipient_who_is_away_gets_it_from_the_server() {
    let (mut world, id) = direct();
    world.crash_device(BOB);
    let transfer = world.offer(ALICE, id, content(2), false).unwrap();
    for _ in 0..200 {
        world.turn_without(BOB).unwrap();
    }
    assert!(world.stored_bytes() > 600_000, "for those who do not answer it is put there");
    world.crash_device(ALICE);
    for _ in 0..20 {
        world.turn_without(ALICE).unwrap();
    }
    world.command(BOB, Command::Answer { transfer, place: Some(String::new()) });
    for _ in 0..40 {
        world.turn_without(ALICE).unwrap();
    }
    assert!(has(&world, BOB, transfer), "its sender is not needed any more");
    world.settle().unwrap();
    world.check().unwrap();
}

#[test]
fn halted_it_waits_and_then_goes_on() {
    for who in [ALICE, BOB] {
        let (mut world, id) = direct();
        let transfer = offers(&mut world, ALICE, id);
        does(&mut world, who, Command::Pause(transfer));
        world.command(BOB, Command::Answer { transfer, place: Some(String::new()) });
        for _ in 0..60 {
            world.turn_without(CAROL).unwrap();
        }
        assert!(!has(&world, BOB, transfer));
        does(&mut world, who, Command::Resume(transfer));
        assert!(has(&world, BOB, transfer));
        world.check().unwrap();
    }
}

#[test]
fn what_a_person_has_named_is_taken_without_asking() {
    let (mut world, id) = direct();
    let check = |world: &mut World, limit: Option<u64>, expected: bool| {
        does(world, BOB, Command::AutoAccept(name("alice"), limit));
        let transfer = offers(world, ALICE, id);
        assert_eq!(has(world, BOB, transfer), expected, "{limit:?}");
        if expected {
            assert_eq!(transfer_place(world, transfer), "");
        }
    };
    check(&mut world, None, false);
    check(&mut world, Some(1000), false);
    check(&mut world, Some(1_000_000), true);
    check(&mut world, None, false);
    world.check().unwrap();
}

fn transfer_place(world: &World, id: TransferId) -> String {
    transfer(world, BOB, id).unwrap().place
}

#[test]
fn only_what_stays_between_people_is_offered() {
    let (mut world, id) = direct();
    let check = |world: &mut World, id: ConversationId, expected: &str| {
        world.offer(ALICE, id, content(1), false).unwrap();
        world.settle().unwrap();
        assert_eq!(refusals(world, ALICE).last().map(String::as_str), Some(expected));
    };
    let open = "offer these files: files are for directs and groups, which nobody else can read";
    check(&mut world, ConversationId::LOBBY, open);
    let elsewhere = "offer these files: you are not in this conversation";
    check(&mut world, ConversationId::from_bytes([9; 16]), elsewhere);
    assert_eq!(words(&world, BOB, id), Vec::<String>::new());
    assert!(world.devices[ALICE.0].client().unwrap().transfers().is_empty());
}

#[test]
fn commands_for_what_is_not_there() {
    let (mut world, id) = direct();
    let nothing = TransferId::from_bytes([9; 16]);
    let transfer = offers(&mut world, ALICE, id);
    accepts(&mut world, BOB, transfer);
    let place = Some(String::new());
    let rows = [
        (Command::Answer { transfer: nothing, place: None }, "there is no such transfer"),
        (Command::Pause(nothing), "there is no such transfer"),
        (Command::Resume(transfer), "it is over"),
        (Command::Cancel(transfer), "it is over"),
        (Command::Answer { transfer, place }, "it waits for no answer"),
    ];
    for (command, expected) in rows {
        does(&mut world, BOB, command);
        let last = refusals(&world, BOB).pop().unwrap();
        assert!(last.ends_with(expected), "{last}");
    }
    does(&mut world, ALICE, Command::ListTransfers);
    let listed = world.devices[ALICE.0].shows.iter().rev().find_map(|show| match show {
        Show::Transfers(views) => Some(views.len()),
        _ => None,
    });
    assert_eq!(listed, Some(1));
}

/// Each process dies after each effect in turn, and comes back.
#[test]
fn whoever_dies_it_goes_on() {
    for who in [ALICE, BOB] {
        for fuse in 0..48 {
            let (mut world, id) = direct_of_two();
            if fuse % 2 == 0 {
                verified(&mut world);
            }
            world.devices[who.0].fuse = Some(fuse);
            let transfer = world.offer(ALICE, id, content(3), false).unwrap();
            world.settle().unwrap();
            if transfer_is_there(&world, transfer) {
                accepts(&mut world, BOB, transfer);
                world.settle().unwrap();
                // Whoever died with the answer on the tongue gives it again.
                accepts(&mut world, BOB, transfer);
                assert!(has(&world, BOB, transfer), "{who:?} after {fuse}");
            }
            world.check().unwrap();
        }
    }
}

/// Alice and Bob alone, which is faster.
fn direct_of_two() -> (World, ConversationId) {
    let mut world = World::new(12, Stretch::LIGHT).unwrap();
    for person in ["alice", "bob"] {
        world.add_device(&name(person));
        world.settle().unwrap();
    }
    tell(&mut world, ALICE, "bob", "hello");
    let id = find(&world, ALICE, "bob").unwrap();
    (world, id)
}

fn transfer_is_there(world: &World, id: TransferId) -> bool {
    let there = [ALICE, BOB].map(|who| state(world, who, id).is_some());
    assert!(there[0] == there[1], "offered, or nothing of it");
    there[0]
}
