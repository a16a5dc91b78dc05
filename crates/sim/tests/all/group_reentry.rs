//! Devices without keys: whom they believe when they join again, and what it takes to make them give
//! their keys up. The server, alone or with somebody outside, does what it can to put another group, or
//! an old one, in the place of what they knew; a member sends what nobody can open.

use crate::group_lies::summary;
use crate::puppet::*;
use portcullis_client_core::Command;
use portcullis_client_core::defences::{
    Defences, EntryAccepted, EntryRefused, Joining, Lists, SOUND,
};
use portcullis_mls::{Changes, Made, Processed, Roster, RosterKind};
use portcullis_proto::{
    Bytes, ClaimedPackage, Code, ConversationId, ConversationKind, Draft, Event as ServerEvent,
    Reference, Refusal, Reply, Request, ServerFrame,
};
use portcullis_sim::{DeviceIndex, World};
use std::cell::RefCell;
use std::rc::Rc;

const LOST_PLACE: &str =
    "This device's keys for the conversation no longer fit the others'. It joins again by itself.";
const STRANGER: &str =
    "This conversation is not entered: nobody whom you knew there speaks for it.";
const OLD: &str = "This conversation is not entered: the server shows it as it was before.";

/// The server says that Bob is out, and that there is nothing more for him to read; so he gives his keys
/// up, by its word alone. Over the next connection he is a member again.
fn dropped(world: &mut World, id: ConversationId) {
    let mut stage = 0;
    lie(world, BOB, move |frame| match (stage, frame) {
        (0, frame) => {
            stage = 1;
            vec![frame, ServerFrame::Event(ServerEvent::Left { conversation: id })]
        }
        (1, ServerFrame::Reply(reply, Reply::Fetched(page))) if page.conversation == id => {
            stage = 2;
            vec![ServerFrame::Refusal(reply, Refusal::new(Code::NotFound, "not for you"))]
        }
        (_, frame) => vec![frame],
    });
    say(world, CAROL, ConversationId::LOBBY, "good morning");
    assert_eq!(view(world, BOB, id), None, "he has given his keys up");
}

fn returns(world: &mut World, who: DeviceIndex) {
    let link = world.link_of(who).unwrap();
    world.cut(link);
    let _ = world.settle();
}

/// Gives this to a device that asks for what it could join by.
fn hands_out(world: &mut World, to: DeviceIndex, group_info: Bytes) {
    lie(world, to, move |frame| match frame {
        ServerFrame::Reply(reply, Reply::GroupInfo { epoch, .. }) => {
            let group_info = group_info.clone();
            vec![ServerFrame::Reply(reply, Reply::GroupInfo { epoch, group_info })]
        }
        frame => vec![frame],
    });
}

/// Asks the sound defence about the same with something left out.
fn entry_without(
    joining: &Joining<'_>,
    lists: &dyn Lists,
    change: impl FnOnce(&mut Joining<'_>),
) -> Result<EntryAccepted, EntryRefused> {
    let mut careless = *joining;
    change(&mut careless);
    (SOUND.accept_entry)(&careless, lists)
}

fn vouched_by_anybody() -> Defences {
    let accept_entry = |joining: &Joining<'_>, lists: &dyn Lists| {
        entry_without(joining, lists, |joining| joining.vouchers = None)
    };
    Defences { accept_entry, ..SOUND }
}

fn of_any_epoch() -> Defences {
    let accept_entry = |joining: &Joining<'_>, lists: &dyn Lists| {
        entry_without(joining, lists, |joining| joining.at_least = 0)
    };
    Defences { accept_entry, ..SOUND }
}

/// Carol, who is no member, makes a group of the same id: all its members and herself, and the devices of
/// Alice and Mallory, at a later epoch.
fn usurped(world: &mut World, id: ConversationId) -> (Puppet, Made) {
    let members = ["alice", "bob", "mallory", "carol"].map(|named| account(world, named));
    let [alice, _, mallory, _] = members;
    let mut puppet = Puppet::copy(world, CAROL);
    let mut line = Line::open(world, &puppet);
    let mut add = Vec::new();
    for account in [alice, mallory] {
        let claim = Request::ClaimKeyPackages { account };
        let Ok(Reply::KeyPackages { packages }) = line.ask(world, claim) else {
            panic!("no key packages");
        };
        let bytes = |claimed: ClaimedPackage| claimed.package.map(|bytes| bytes.0);
        add.extend(packages.into_iter().filter_map(bytes));
    }
    let roster = Roster {
        kind: RosterKind::Group,
        name: Some(group_name("+plan")),
        owner: Some(alice),
        members: members.to_vec(),
        leaving: Vec::new(),
    };
    puppet.mls.create(id, &roster).unwrap();
    for _ in 0..5 {
        puppet.mls.commit(id, &Changes::default()).unwrap();
        puppet.mls.merge_pending(id).unwrap();
    }
    let made = puppet.mls.commit(id, &Changes { add, ..Changes::default() }).unwrap();
    puppet.mls.merge_pending(id).unwrap();
    (puppet, made)
}

/// How much of a conversation's log somebody can open, following what commits they can.
fn opened(world: &World, puppet: &mut Puppet, id: ConversationId) -> usize {
    let mut open = |body: &[u8]| match puppet.mls.process(id, body) {
        Ok(Processed::Commit(_)) => puppet.mls.merge_staged(id).is_ok(),
        Ok(Processed::Message { .. }) => true,
        _ => false,
    };
    log(world, id).iter().map(|envelope| envelope.body.as_slice()).filter(|body| open(body)).count()
}

#[test]
fn a_stranger_s_group_takes_nobody_s_place() {
    let (mut world, id) = group();
    let (mut carol, made) = usurped(&mut world, id);
    let twin = Twin::of(&mut world, BOB, vouched_by_anybody());
    dropped(&mut world, id);
    hands_out(&mut world, BOB, Bytes(made.group_info));
    returns(&mut world, BOB);
    say(&mut world, BOB, id, "a secret for friends");
    let told = warned(&world, BOB);
    assert!(!told.is_empty() && told.iter().all(|words| words == STRANGER), "{told:?}");
    assert_eq!(view(&world, BOB, id), None);
    assert_eq!(opened(&world, &mut carol, id), 0);
    let leaves = twin.borrow().group(id).unwrap().leaves;
    assert!(leaves.iter().any(|leaf| leaf.account == carol.account), "she listens to the twin");
    // What Bob said waits, and goes to his friends once the server shows their group.
    world.liar = None;
    returns(&mut world, BOB);
    world.settle().unwrap();
    assert_eq!(texts(&world, ALICE, id).last().map(String::as_str), Some("a secret for friends"));
    understood(&mut world, id, "all well?");
}

#[test]
fn who_came_and_went_while_a_device_had_no_keys_is_told() {
    let (mut world, id) = group();
    dropped(&mut world, id);
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    does(&mut world, ALICE, Command::Invite(id, name("carol")));
    returns(&mut world, BOB);
    let words = "While this device could not read the conversation, carol came and mallory went.";
    let told = warned(&world, BOB);
    assert_eq!(told.iter().filter(|told| *told == words).count(), 1, "{told:?}");
    understood(&mut world, id, "all well?");
}

#[test]
fn an_old_group_info_brings_nobody_back_where_the_server_says_that_one_is_out() {
    let (mut world, id) = group();
    let old = world.log().group_info(id).unwrap().unwrap().body;
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    let twin = Twin::of(&mut world, BOB, of_any_epoch());
    dropped(&mut world, id);
    hands_out(&mut world, BOB, old);
    returns(&mut world, BOB);
    say(&mut world, BOB, id, "now that mallory is gone");
    let told = warned(&world, BOB);
    assert!(!told.is_empty() && told.iter().all(|words| words == OLD), "{told:?}");
    assert_eq!(view(&world, BOB, id), None);
    let mallory = account(&world, "mallory");
    let leaves = twin.borrow().group(id).unwrap().leaves;
    assert!(leaves.iter().any(|leaf| leaf.account == mallory), "she is back for the twin");
}

/// Bob is out, by a commit; the server says that he is in again, and shows the group as it was.
fn brought_back(out: impl FnOnce(&mut World, ConversationId)) {
    let (mut world, id) = group();
    let old = world.log().group_info(id).unwrap().unwrap().body;
    out(&mut world, id);
    assert_eq!(view(&world, BOB, id), None, "he is out");
    let twin = Twin::of(&mut world, BOB, of_any_epoch());
    let head = log(&world, id).len() as u64;
    let mut told = false;
    lie(&mut world, BOB, move |frame| match frame {
        ServerFrame::Refusal(reply, refusal) if refusal.code == Code::NotFound => {
            let group_info = old.clone();
            vec![ServerFrame::Reply(reply, Reply::GroupInfo { epoch: 1, group_info })]
        }
        frame if !std::mem::replace(&mut told, true) => {
            let mut back = summary(id, ConversationKind::Group);
            (back.name, back.epoch, back.head) = (None, 2, head);
            vec![frame, ServerFrame::Event(ServerEvent::Conversation(back))]
        }
        frame => vec![frame],
    });
    say(&mut world, CAROL, ConversationId::LOBBY, "good morning");
    assert!(warned(&world, BOB).contains(&OLD.to_owned()), "{:?}", warned(&world, BOB));
    assert_eq!(view(&world, BOB, id), None);
    assert!(twin.borrow().group(id).is_some(), "the twin is back in what was");
}

#[test]
fn whoever_left_is_not_brought_back_by_an_old_group_info() {
    brought_back(|world, id| does(world, BOB, Command::Leave(id)));
}

#[test]
fn whoever_was_taken_out_is_not_brought_back_by_an_old_group_info() {
    brought_back(|world, id| does(world, ALICE, Command::Remove(id, name("bob"))));
}

/// Somebody sends a message that says a later epoch, which no server can judge.
fn sends_from_the_future(world: &mut World, who: DeviceIndex, id: ConversationId, number: u8) {
    let mut puppet = Puppet::copy(world, who);
    let mut line = Line::open(world, &puppet);
    let epoch = log(world, id).last().unwrap().epoch;
    let mut body = puppet.mls.encrypt(id, b"x").unwrap();
    body[21..29].copy_from_slice(&999_u64.to_be_bytes());
    let reference = Reference::from_bytes([number; 16]);
    let envelopes = vec![Draft { reference, body: Bytes(body) }];
    let device = puppet.device;
    line.ask(world, Request::Submit { conversation: id, epoch, device, envelopes }).unwrap();
}

#[test]
fn one_member_unseats_nobody_however_often() {
    let (mut world, id) = group();
    for number in 0..8 {
        sends_from_the_future(&mut world, MALLORY, id, 20 + number);
        HONEST.iter().for_each(|who| returns(&mut world, *who));
    }
    for who in HONEST {
        let told = warned(&world, who);
        assert!(told[0].contains("of mallory can't be opened"), "{told:?}");
        assert!(!told.contains(&LOST_PLACE.to_owned()), "{told:?}");
    }
    understood(&mut world, id, "all well?");
}

#[test]
fn where_two_members_are_not_understood_a_device_joins_again() {
    let mut world = people();
    let members = ["bob", "mallory", "carol"].map(name).to_vec();
    does(&mut world, ALICE, Command::CreateGroup(group_name("+plan"), members));
    let id = find(&world, ALICE, "+plan").unwrap();
    understood(&mut world, id, "hello");
    sends_from_the_future(&mut world, MALLORY, id, 20);
    sends_from_the_future(&mut world, CAROL, id, 21);
    returns(&mut world, BOB);
    assert!(warned(&world, BOB).contains(&LOST_PLACE.to_owned()));
    returns(&mut world, ALICE);
    understood(&mut world, id, "all well?");
}

#[test]
fn a_new_device_wastes_no_commit() {
    let (mut world, id) = group();
    does(&mut world, ALICE, Command::Rename(id, group_name("+other")));
    let refused: Rc<RefCell<Vec<Code>>> = Rc::default();
    let hears = Rc::clone(&refused);
    let phone = DeviceIndex(4);
    lie(&mut world, phone, move |frame| {
        if let ServerFrame::Refusal(_, refusal) = &frame {
            hears.borrow_mut().push(refusal.code);
        }
        vec![frame]
    });
    world.add_device(&name("bob"));
    world.settle().unwrap();
    assert!(!refused.borrow().contains(&Code::EpochChanged), "{:?}", refused.borrow());
    understood(&mut world, id, "all well?");
    assert_eq!(view(&world, phone, id), view(&world, BOB, id));
}
