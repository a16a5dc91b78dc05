//! Files for which the server has no room, and offers for which their recipients have none.

use crate::files::{
    accepts, content, direct, has, offers, recipient, refusals, state, transfer, verified,
    went_directly, words,
};
use crate::puppet::*;
use portcullis_client_core::{Command, RecipientState, Show, TransferState, limits};
use portcullis_proto::{Code, EndReason, Refusal, Reply, ServerFrame};
use portcullis_server_core::store::Store as _;
use portcullis_sim::World;
use std::cell::Cell;
use std::rc::Rc;

/// The server has no room for what Alice offers, while this is so. Counts how often she has asked.
fn without_room(world: &mut World) -> (Rc<Cell<bool>>, Rc<Cell<usize>>) {
    let (full, asked) = (Rc::new(Cell::new(true)), Rc::new(Cell::new(0)));
    let (is_full, counts) = (Rc::clone(&full), Rc::clone(&asked));
    lie(world, ALICE, move |frame| match frame {
        ServerFrame::Reply(id, Reply::Blob { .. }) if is_full.get() => {
            counts.set(counts.get() + 1);
            let refusal = Refusal::new(Code::NoRoom, "there are 5 bytes left");
            vec![ServerFrame::Refusal(id, refusal)]
        }
        frame => vec![frame],
    });
    (full, asked)
}

#[test]
fn to_nobody_who_is_known_nothing_is_offered() {
    let (mut world, id) = direct();
    without_room(&mut world);
    let offered = offers(&mut world, ALICE, id);
    assert_eq!(refusals(&world, ALICE), ["offer these files: there are 5 bytes left"]);
    assert_eq!(transfer(&world, ALICE, offered), None);
    assert_eq!(transfer(&world, BOB, offered), None);
    world.check().unwrap();
}

#[test]
fn who_can_be_reached_directly_is_offered_it_all_the_same() {
    let (mut world, id) = direct();
    verified(&mut world);
    let (_, asked) = without_room(&mut world);
    let offered = offers(&mut world, ALICE, id);
    let told = "The files go directly, or not at all: there are 5 bytes left.";
    let shows = &world.devices[ALICE.0].shows;
    assert!(shows.iter().any(|show| matches!(show, Show::Done(done) if done == told)));
    // However long Bob does not answer, the server is not needed.
    for _ in 0..100 {
        world.turn_without(CAROL).unwrap();
    }
    accepts(&mut world, BOB, offered);
    assert!(has(&world, BOB, offered) && went_directly(&world, BOB, offered));
    assert_eq!(asked.get(), 1);
    world.check().unwrap();
}

/// Alice may be reached by Bob, who does not want that, or can't.
#[test]
fn once_the_server_is_needed_it_goes_there_or_ends_in_words() {
    for (room, expected) in [(true, TransferState::Done(Vec::new())), (false, NO_ROOM)] {
        let (mut world, id) = direct();
        does(&mut world, ALICE, Command::AllowDirect(name("bob"), true));
        let (full, _) = without_room(&mut world);
        let offered = offers(&mut world, ALICE, id);
        full.set(!room);
        accepts(&mut world, BOB, offered);
        assert_eq!(has(&world, BOB, offered), room);
        assert_eq!(state(&world, ALICE, offered), Some(expected));
        if !room {
            assert_eq!(state(&world, BOB, offered), Some(NO_ROOM));
            let told = "alice can't send report.pdf: there is no room for it on the server";
            assert_eq!(words(&world, BOB, id).last().unwrap(), told);
        }
        world.check().unwrap();
    }
}

const NO_ROOM: TransferState = TransferState::Ended(EndReason::NoRoom);

/// One of a group goes on directly, whatever becomes of the others; they get it when there is room.
#[test]
fn whoever_is_served_directly_is_not_ended_for_another() {
    let (mut world, id) = group();
    for (who, whom) in [(ALICE, "bob"), (ALICE, "mallory"), (BOB, "alice")] {
        does(&mut world, who, Command::AllowDirect(name(whom), true));
    }
    without_room(&mut world);
    let offered = offers(&mut world, ALICE, id);
    does(&mut world, BOB, Command::Pause(offered));
    for who in [BOB, MALLORY] {
        world.command(who, Command::Answer { transfer: offered, place: Some(String::new()) });
    }
    world.turn_without(CAROL).unwrap();
    assert_ne!(state(&world, ALICE, offered), Some(NO_ROOM), "Bob may still come");
    does(&mut world, BOB, Command::Resume(offered));
    assert!(has(&world, BOB, offered));
    assert_eq!(state(&world, ALICE, offered), Some(NO_ROOM));
    assert_eq!(state(&world, MALLORY, offered), Some(NO_ROOM));
    assert_eq!(recipient(&world, offered, "bob"), RecipientState::Received);
    world.check().unwrap();
}

/// Bob is away while Alice waits for him: that the server has no room ends nothing.
#[test]
fn who_comes_back_goes_on_directly() {
    for comes_back in ["resumed", "restarted"] {
        let (mut world, id) = direct();
        verified(&mut world);
        let (_, asked) = without_room(&mut world);
        let offered = world.offer(ALICE, id, content(1), true).unwrap();
        world.settle().unwrap();
        world.command(BOB, Command::Answer { transfer: offered, place: Some(String::new()) });
        world.deliver_all();
        if comes_back == "resumed" {
            does(&mut world, BOB, Command::Pause(offered));
            for _ in 0..200 {
                world.move_files(ALICE, false);
            }
        } else {
            world.crash_device(BOB);
            (0..200).for_each(|_| world.turn_without(BOB).unwrap());
        }
        assert!(!state(&world, ALICE, offered).unwrap().is_over(), "{comes_back}");
        does(&mut world, BOB, Command::Resume(offered));
        world.settle().unwrap();
        assert!(has(&world, BOB, offered) && went_directly(&world, BOB, offered), "{comes_back}");
        assert_eq!(asked.get(), 1);
        world.check().unwrap();
    }
}

/// Bob has not answered, and it is being put on the server; then he takes it directly.
#[test]
fn what_goes_directly_is_not_put_on_the_server_any_more() {
    let (mut world, id) = direct();
    verified(&mut world);
    let offered = world.offer(ALICE, id, content(1), true).unwrap();
    while world.stored_bytes() == 0 {
        world.deliver_all();
        world.move_files(ALICE, false);
    }
    let before = world.stored_bytes();
    world.command(BOB, Command::Answer { transfer: offered, place: Some(String::new()) });
    world.deliver_all();
    for _ in 0..9 {
        world.move_files(ALICE, false);
        world.deliver_all();
    }
    assert_eq!(world.stored_bytes(), before, "it is not needed there");
    assert_eq!(state(&world, ALICE, offered), Some(TransferState::Direct));
    world.settle().unwrap();
    assert!(has(&world, BOB, offered) && went_directly(&world, BOB, offered));
    world.check().unwrap();
}

#[test]
fn the_sender_learns_that_too_many_offers_wait() {
    let (mut world, id) = direct();
    let mut offered = Vec::new();
    for number in 0..=u8::try_from(limits::OFFERS_WAITING).unwrap() {
        offered.push(world.offer(ALICE, id, vec![number; 9], false).unwrap());
        world.settle().unwrap();
    }
    let last = offered.pop().unwrap();
    assert_eq!(transfer(&world, BOB, last), None);
    assert_eq!(recipient(&world, last, "bob"), RecipientState::Full);
    assert_eq!(state(&world, ALICE, last), Some(TransferState::Declined));
    let told = "bob was not asked for report.pdf: too many of these offers wait for an answer";
    assert_eq!(words(&world, ALICE, id).last().unwrap(), told);
    assert!(offered.iter().all(|id| recipient(&world, *id, "bob") == RecipientState::Asked));
    let told =
        "alice offered files, which does not count: too many of their offers wait for an answer.";
    assert_warned(&world, BOB, &[told]);
}

#[test]
fn an_offer_that_nobody_answers_ends() {
    let (mut world, id) = direct();
    let offered = offers(&mut world, ALICE, id);
    for who in [ALICE, BOB] {
        let expires = transfer(&world, who, offered).unwrap().expires.unwrap();
        assert!(expires > world.now && expires <= world.now.plus_millis(limits::OFFER_MILLIS));
    }
    world.now = world.now.plus_millis(limits::OFFER_MILLIS);
    world.tick();
    world.settle().unwrap();
    for who in [ALICE, BOB] {
        let view = transfer(&world, who, offered).unwrap();
        assert_eq!(view.state, TransferState::Ended(EndReason::Expired));
        assert_eq!(view.expires, None);
    }
    let told = "alice takes report.pdf back: it was not answered in time";
    assert_eq!(words(&world, BOB, id).last().unwrap(), told);
    world.check().unwrap();
}

/// In a group it is done for those who have it, and goes on for those who have taken it.
#[test]
fn who_has_taken_it_is_not_hurried() {
    for paused in [false, true] {
        let (mut world, id) = group();
        let offered = offers(&mut world, ALICE, id);
        if paused {
            does(&mut world, BOB, Command::Pause(offered));
        }
        accepts(&mut world, BOB, offered);
        world.now = world.now.plus_millis(limits::OFFER_MILLIS);
        world.tick();
        world.settle().unwrap();
        assert_eq!(has(&world, BOB, offered), !paused);
        let done = Some(TransferState::Done(Vec::new()));
        assert_eq!(state(&world, ALICE, offered) == done, !paused);
        assert_eq!(state(&world, ALICE, offered).unwrap().is_over(), !paused);
        let expired = Some(TransferState::Ended(EndReason::Expired));
        assert_eq!(state(&world, MALLORY, offered), expired);
    }
}

#[test]
fn what_is_taken_without_asking_is_counted_by_the_day() {
    let (mut world, id) = direct();
    does(&mut world, BOB, Command::AutoAccept(name("alice"), Some(1_000_000)));
    let check = |world: &mut World, expected: bool| {
        let offered = offers(world, ALICE, id);
        assert_eq!(has(world, BOB, offered), expected);
    };
    check(&mut world, true);
    check(&mut world, false);
    // It is kept.
    world.crash_device(BOB);
    world.settle().unwrap();
    check(&mut world, false);
    world.now = world.now.plus_millis(25 * 3600 * 1000);
    check(&mut world, true);
    check(&mut world, false);
    world.check().unwrap();
}

#[test]
fn what_another_device_had_taken_is_over_for_all_devices() {
    for by in [ALICE, BOB] {
        let (mut world, id) = direct();
        let other = world.add_device(&name("bob"));
        world.settle().unwrap();
        let offered = offers(&mut world, ALICE, id);
        does(&mut world, BOB, Command::Pause(offered));
        accepts(&mut world, BOB, offered);
        assert_eq!(state(&world, other, offered), Some(TransferState::Declined));
        does(&mut world, by, Command::Cancel(offered));
        let cancelled = Some(TransferState::Ended(EndReason::Cancelled));
        assert_eq!(state(&world, other, offered), cancelled);
        world.check().unwrap();
    }
    // One of them has it: that is not undone.
    let (mut world, id) = group();
    let other = world.add_device(&name("bob"));
    world.settle().unwrap();
    let offered = offers(&mut world, ALICE, id);
    accepts(&mut world, BOB, offered);
    does(&mut world, ALICE, Command::Cancel(offered));
    assert_eq!(state(&world, other, offered), Some(TransferState::Declined));
    world.check().unwrap();
}

/// Nothing of it has come when its sender goes away, and nobody keeps room for it.
#[test]
fn room_that_has_lapsed_is_reserved_again() {
    let (mut world, id) = direct();
    let offered = offers(&mut world, ALICE, id);
    world.crash_device(ALICE);
    world.command(BOB, Command::Answer { transfer: offered, place: Some(String::new()) });
    world.now = world.now.plus_millis(2 * 3600 * 1000);
    for _ in 0..20 {
        world.turn_without(ALICE).unwrap();
    }
    assert_eq!(world.reserved(), 0);
    assert_eq!(state(&world, BOB, offered), Some(TransferState::Waiting));
    world.settle().unwrap();
    assert!(has(&world, BOB, offered));
    world.check().unwrap();
}

/// The direct path breaks when Bob has two of three chunks: the server gets the third, even if Alice has begun to put
/// all of it there; and what Bob loses after all, it gets as well.
#[test]
fn after_a_broken_path_the_server_gets_what_is_lacking() {
    for (early, loses) in [(false, false), (true, false), (false, true)] {
        let (mut world, id) = direct();
        for (who, whom) in [(ALICE, "bob"), (BOB, "alice")] {
            does(&mut world, who, Command::AllowDirect(name(whom), true));
        }
        let offered = offers(&mut world, ALICE, id);
        world.command(BOB, Command::Answer { transfer: offered, place: Some(String::new()) });
        for _ in 0..9 {
            world.deliver_all();
            world.move_files(ALICE, false);
        }
        (0..3).for_each(|_| assert!(world.move_files(BOB, false)));
        if early {
            world.command(ALICE, Command::AllowDirect(name("bob"), false));
            world.deliver_all();
            assert!(world.move_files(ALICE, false));
            assert!(world.stored_bytes() > 0);
        }
        world.crash_device(ALICE);
        for _ in 0..9 {
            world.move_files(BOB, false);
            world.deliver_all();
        }
        assert_eq!(state(&world, BOB, offered), Some(TransferState::Relayed));
        world.command(BOB, Command::Pause(offered));
        (0..20).for_each(|_| world.turn_without(CAROL).unwrap());
        assert_eq!(state(&world, ALICE, offered), Some(TransferState::Stored));
        let stored = world.stored_bytes();
        assert!((1..200_000).contains(&stored), "{stored}");
        if loses {
            world.crash_device(BOB);
            world.turn_without(CAROL).unwrap();
        }
        does(&mut world, BOB, Command::Resume(offered));
        world.settle().unwrap();
        assert!(has(&world, BOB, offered), "{early} {loses}");
        assert_eq!(world.stored_bytes(), 0);
        world.check().unwrap();
    }
}

/// Its sender believes that it is there.
#[test]
fn what_the_server_has_lost_is_put_there_again() {
    let (mut world, id) = direct();
    let offered = offers(&mut world, ALICE, id);
    does(&mut world, BOB, Command::Pause(offered));
    accepts(&mut world, BOB, offered);
    assert_eq!(state(&world, ALICE, offered), Some(TransferState::Stored));
    world.store.begin().unwrap();
    world.store.drop_blob(offered).unwrap();
    world.store.commit().unwrap();
    does(&mut world, BOB, Command::Resume(offered));
    assert!(has(&world, BOB, offered));
    world.check().unwrap();
}

/// Of what its sender believes to be there, a part has gone with the server's disk.
#[test]
fn what_the_server_has_cut_off_is_put_there_again() {
    for left in [100_000, 0] {
        let (mut world, id) = direct();
        let offered = offers(&mut world, ALICE, id);
        does(&mut world, BOB, Command::Pause(offered));
        accepts(&mut world, BOB, offered);
        assert_eq!(state(&world, ALICE, offered), Some(TransferState::Stored));
        world.tamper_with_blobs(|bytes| bytes.truncate(left));
        world.command(BOB, Command::Resume(offered));
        (0..60).for_each(|_| world.turn_without(CAROL).unwrap());
        assert!(has(&world, BOB, offered), "{left}");
        world.check().unwrap();
    }
}
