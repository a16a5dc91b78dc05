//! A server that lies about files, and members whose clients were tampered with: what came is what was offered, or it
//! clearly failed; nobody speaks for anybody else.

use crate::files::{
    accepts, content, direct, has, offers, recipient, state, transfer, went_directly,
};
use crate::puppet::*;
use portcullis_client_core::defences::{Course, Defences, OfferMade, Recipient, SOUND};
use portcullis_client_core::{
    Command, Event, Fault, Key, RecipientState, Task, TransferState, limits,
};
use portcullis_crypto::{FileKey, Hash, Secret};
use portcullis_proto::{
    AccountId, Bytes, Code, Content, ConversationId, EndReason, FileName, FileOffer, FileStep,
    Holds, Kind, Reference, Refusal, Reply, ServerFrame, TransferId,
};
use portcullis_sim::World;

/// Bob has accepted what Alice offers, and something is done to the server's bytes on their way.
fn with_tampered_bytes(tamper: fn(&mut Vec<u8>)) -> (World, TransferId) {
    let (mut world, id) = direct();
    let transfer = world.offer(ALICE, id, content(1), true).unwrap();
    world.settle().unwrap();
    world.tamper_with_blobs(tamper);
    accepts(&mut world, BOB, transfer);
    (world, transfer)
}

#[test]
fn bytes_that_are_not_what_was_offered_are_not_kept() {
    let rows: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes[3] ^= 1,
        // Two hashes change places.
        |bytes| bytes.swap(0, 32),
        // Two chunks do, with their hashes.
        |bytes| {
            let (one, other) = bytes[96..].split_at_mut(256 * 1024);
            one.swap_with_slice(&mut other[..256 * 1024]);
            (0..32).for_each(|at| bytes.swap(at, at + 32));
        },
        |bytes| bytes[400_000] ^= 1,
        |bytes| bytes.iter_mut().for_each(|byte| *byte = 0),
    ];
    for tamper in rows {
        let (mut world, transfer) = with_tampered_bytes(tamper);
        // A server that gives the same each time is asked so often, and no more.
        for tried in 1..=limits::DAMAGED_TRIES {
            assert!(world.devices[BOB.0].disk.received.is_empty());
            let is_last = tried == limits::DAMAGED_TRIES;
            let fault = if is_last { Fault::Corrupt } else { Fault::Damaged };
            assert_eq!(state(&world, BOB, transfer), Some(TransferState::Failed(fault)));
            does(&mut world, BOB, Command::Resume(transfer));
        }
        let ended = RecipientState::Ended(EndReason::Failed);
        assert_eq!(recipient(&world, transfer, "bob"), ended);
        world.check().unwrap();
    }
}

#[test]
fn a_server_s_bad_chunk_is_asked_for_again() {
    let (mut world, transfer) = with_tampered_bytes(|bytes| bytes[400_000] ^= 1);
    assert_eq!(state(&world, BOB, transfer), Some(TransferState::Failed(Fault::Damaged)));
    world.tamper_with_blobs(|bytes| bytes[400_000] ^= 1);
    does(&mut world, BOB, Command::Resume(transfer));
    assert!(has(&world, BOB, transfer));
    world.check().unwrap();
}

/// Changes the first answers of a kind that Bob gets.
fn answers_otherwise(world: &mut World, mut times: usize, reply: fn(u64) -> ServerFrame) {
    lie(world, BOB, move |frame| match frame {
        ServerFrame::Reply(id, Reply::Blob { .. }) if times > 0 => {
            times -= 1;
            vec![reply(id)]
        }
        frame => vec![frame],
    });
}

#[test]
fn a_token_that_does_not_serve_is_asked_for_again() {
    let (mut world, id) = direct();
    let transfer = offers(&mut world, ALICE, id);
    answers_otherwise(&mut world, 4, |id| {
        let expires_at = portcullis_proto::Timestamp(u64::MAX);
        ServerFrame::Reply(id, Reply::Blob { token: Bytes(vec![7; 129]), expires_at })
    });
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    world.check().unwrap();
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    let (mut world, id) = direct();
    let transfer = offers(&mut world, ALICE, id);
    answers_otherwise(&mut world, 4, |id| {
        ServerFrame::Refusal(id, Refusal::new(Code::Unavailable, "not now"))
    });
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    world.check().unwrap();
}

fn denies(id: u64) -> ServerFrame {
    ServerFrame::Refusal(id, Refusal::new(Code::NotFound, "there is no such blob"))
}

/// It may have lost it, and its sender puts it there again.
#[test]
fn a_server_that_denies_having_it_is_asked_again() {
    let (mut world, id) = direct();
    let transfer = offers(&mut world, ALICE, id);
    answers_otherwise(&mut world, 3, denies);
    accepts(&mut world, BOB, transfer);
    assert!(has(&world, BOB, transfer));
    world.check().unwrap();
}

#[test]
fn a_server_that_has_it_no_more_when_it_is_old_ends_it_for_both() {
    let (mut world, id) = direct();
    let transfer = offers(&mut world, ALICE, id);
    answers_otherwise(&mut world, usize::MAX, denies);
    world.command(BOB, Command::Answer { transfer, place: Some(String::new()) });
    for _ in 0..40 {
        world.turn_without(CAROL).unwrap();
    }
    assert_eq!(state(&world, BOB, transfer), Some(TransferState::Waiting));
    world.now = world.now.plus_millis(limits::OFFER_MILLIS);
    world.settle().unwrap();
    assert_eq!(state(&world, BOB, transfer), Some(TransferState::Failed(Fault::Expired)));
    let ended = TransferState::Ended(EndReason::Failed);
    assert_eq!(state(&world, ALICE, transfer), Some(ended));
    world.check().unwrap();
}

/// A group in which Bob has accepted what Alice offers, and its bytes have not come yet.
fn accepted_in_group() -> (World, ConversationId, TransferId) {
    let (mut world, id) = group();
    does(&mut world, BOB, Command::AllowDirect(name("alice"), true));
    let transfer = offers(&mut world, ALICE, id);
    does(&mut world, BOB, Command::Pause(transfer));
    accepts(&mut world, BOB, transfer);
    (world, id, transfer)
}

/// Mallory's device says these, as no client of ours does.
fn mallory_says(world: &mut World, id: ConversationId, kinds: Vec<(Kind, Vec<Reference>)>) {
    let after = world.devices[MALLORY.0].client().unwrap().seen(id).unwrap();
    let mut contents = Vec::new();
    for (kind, refs) in kinds {
        let reference = Reference::fresh(world.now, world.chance.rng());
        let sent_at = world.now;
        contents.push(Content { id: reference, kind, refs, sent_at, after, place: None });
    }
    Puppet::copy(world, MALLORY).says_all(world, id, &contents);
}

/// Whoever says where a device is to connect to is taken for the one that offers.
fn steps_unchecked() -> Defences {
    Defences {
        accept_step: |_, by, step| {
            let device = match step {
                FileStep::Reach { device, .. } => Some(*device),
                _ => None,
            };
            let accepted =
                Recipient { state: RecipientState::Accepted, device, direct: true, have: 0 };
            let recipients = [(AccountId::from_bytes([1; 16]), accepted)].into();
            let course = Course { sender: by.0, device: by.1, recipients, ended: None };
            (SOUND.accept_step)(Some(&course), by, step)
        },
        ..SOUND
    }
}

const NOT_THEIRS: &str =
    "mallory spoke of a transfer of files, which does not count: it is not theirs to say.";

#[test]
fn nobody_else_says_where_a_device_is_to_connect_to() {
    let (mut world, id, offered) = accepted_in_group();
    let twin = Twin::of(&mut world, BOB, steps_unchecked());
    let bob = Puppet::copy(&world, BOB).device;
    let tcp = vec!["192.0.2.66:666".parse().unwrap()];
    let offer = transfer(&world, BOB, offered).unwrap().message;
    let reach = FileStep::Reach { device: bob, tcp: tcp.clone(), quic: None };
    mallory_says(&mut world, id, vec![(Kind::Step(reach), vec![offer])]);
    for who in HONEST {
        assert_warned(&world, who, &[NOT_THEIRS]);
    }
    twin.borrow_mut().event(Event::Command(Command::Resume(offered)));
    let dials = |task: &Task| matches!(task, Task::Dial { tcp: to, .. } if *to == tcp);
    assert!(twin.borrow().tasks.iter().any(dials), "the twin follows her");
    does(&mut world, BOB, Command::Resume(offered));
    assert!(has(&world, BOB, offered));
    assert!(!went_directly(&world, BOB, offered));
}

#[test]
fn members_speak_for_themselves_alone() {
    let (mut world, id, offered) = accepted_in_group();
    let offer = transfer(&world, BOB, offered).unwrap().message;
    let ended = FileStep::Ended { reason: EndReason::Cancelled };
    let said = [ended, FileStep::Received, FileStep::Relay { have: 0 }];
    let said = said.into_iter().map(|step| (Kind::Step(step), vec![offer])).collect();
    mallory_says(&mut world, id, said);
    assert_eq!(recipient(&world, offered, "bob"), RecipientState::Accepted);
    assert_eq!(recipient(&world, offered, "mallory"), RecipientState::Asked);
    does(&mut world, BOB, Command::Resume(offered));
    assert!(has(&world, BOB, offered));
}

/// What Mallory offers under an id of her choice.
fn forged(transfer: TransferId) -> Kind {
    Kind::Offer(Box::new(FileOffer {
        transfer,
        key: FileKey::from_secret(Secret::from_bytes([66; 32])),
        root: Hash::from_bytes([66; 32]),
        bytes: 1000,
        manifest: 100,
        title: FileName::closest("malware"),
        files: 1,
        holds: Holds::FILE,
    }))
}

#[test]
fn an_offer_takes_no_other_s_place() {
    let (mut world, id, offered) = accepted_in_group();
    let unsound = Defences {
        accept_offer: |made| (SOUND.accept_offer)(&OfferMade { known: false, ..*made }),
        ..SOUND
    };
    let twin = Twin::of(&mut world, BOB, unsound);
    mallory_says(&mut world, id, vec![(forged(offered), Vec::new())]);
    let words = "mallory offered files, which does not count: it takes the place of another offer.";
    for who in HONEST {
        assert_warned(&world, who, &[words]);
    }
    assert_eq!(twin.borrow().transfer(offered).unwrap().sender, name("mallory"));
    assert_eq!(transfer(&world, BOB, offered).unwrap().sender, name("alice"));
    does(&mut world, BOB, Command::Resume(offered));
    assert!(has(&world, BOB, offered));
}

#[test]
fn a_flood_of_offers_fills_nobody_s_home() {
    let (mut world, id, offered) = accepted_in_group();
    let many = (0..200_u8).map(|number| (forged(TransferId::from_bytes([number; 16])), Vec::new()));
    mallory_says(&mut world, id, many.collect());
    // She is told so of some, and not of all 168.
    let bob = account(&world, "bob");
    assert!(log(&world, id).iter().filter(|envelope| envelope.account == bob).count() < 100);
    let views = world.devices[BOB.0].client().unwrap().transfers();
    assert_eq!(views.len(), 33, "32 of hers, and the one of Alice");
    let words =
        "mallory offered files, which does not count: too many of their offers wait for an answer.";
    assert_warned(&world, BOB, &[words]);
    let kept = world.devices[BOB.0].copy_of_home();
    let records = kept.keys().filter(|key| matches!(key, Key::Transfer(_)));
    assert_eq!(records.count(), 33);
    does(&mut world, BOB, Command::Resume(offered));
    assert!(has(&world, BOB, offered));
}
