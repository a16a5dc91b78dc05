//! Directs and groups, on an honest server.

use portcullis_client_core::{Body, Command, Saying, Show};
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::{ConversationId, ConversationName, GroupName, UserName};
use portcullis_sim::{DeviceIndex, World};

const ALICE: DeviceIndex = DeviceIndex(0);
const BOB: DeviceIndex = DeviceIndex(1);
const CAROL: DeviceIndex = DeviceIndex(2);

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

fn world(people: &[&str]) -> World {
    let mut world = World::new(7, Stretch::LIGHT).unwrap();
    for person in people {
        world.add_device(&name(person));
        world.settle().unwrap();
    }
    world
}

fn does(world: &mut World, who: DeviceIndex, command: Command) {
    world.command(who, command);
    world.settle().unwrap();
}

fn tell(world: &mut World, who: DeviceIndex, whom: &str, text: &str) {
    does(world, who, Command::Tell(name(whom).into(), text.to_owned()));
}

fn say(world: &mut World, who: DeviceIndex, conversation: &str, text: &str) {
    let conversation = find(world, who, conversation).unwrap();
    does(world, who, Command::Say { conversation, what: Saying::Text(text.to_owned()) });
}

fn find(world: &World, who: DeviceIndex, named: &str) -> Option<ConversationId> {
    world.devices[who.0].client()?.find(&ConversationName::parse(named).unwrap())
}

/// What a device has kept of a conversation, one line each.
fn lines(world: &World, who: DeviceIndex, id: ConversationId) -> Vec<String> {
    let messages = world.devices[who.0].messages().into_iter();
    let here = messages.filter(|message| message.conversation == id);
    here.map(|message| match &message.body {
        Body::Text { text, .. } => format!("{}: {text}", message.sender),
        Body::Notices(notices) => {
            let words: Vec<String> = notices.iter().map(ToString::to_string).collect();
            format!("{} {}", message.sender, words.join("; "))
        }
        other => format!("{}: {other:?}", message.sender),
    })
    .collect()
}

fn check(world: &World, who: DeviceIndex, conversation: &str, expected: &[&str]) {
    let id = find(world, who, conversation).unwrap();
    assert_eq!(lines(world, who, id), expected, "{who:?} in {conversation}");
}

fn warnings(world: &World, who: DeviceIndex) -> Vec<String> {
    world.devices[who.0].warnings().map(ToString::to_string).collect()
}

fn refused(world: &World, who: DeviceIndex) -> Vec<String> {
    let sentence = |show: &Show| match show {
        Show::Refused { refusal, .. } => Some(refusal.message.clone()),
        _ => None,
    };
    world.devices[who.0].shows.iter().filter_map(sentence).collect()
}

fn group(world: &mut World, who: DeviceIndex, named: &str, members: &[&str]) -> ConversationId {
    let members = members.iter().map(|member| name(member)).collect();
    does(world, who, Command::CreateGroup(GroupName::parse(named).unwrap(), members));
    find(world, who, named).unwrap()
}

#[test]
fn two_people_talk_in_private() {
    let mut world = world(&["alice", "bob"]);
    tell(&mut world, ALICE, "bob", "hello");
    tell(&mut world, BOB, "alice", "hello back");
    let expected = ["alice made this conversation with bob", "alice: hello", "bob: hello back"];
    check(&world, ALICE, "bob", &expected);
    check(&world, BOB, "alice", &expected);
    for who in [ALICE, BOB] {
        assert_eq!(warnings(&world, who), [""; 0]);
        assert_eq!(refused(&world, who), [""; 0]);
    }
}

#[test]
fn whoever_is_away_reads_it_later() {
    let mut world = world(&["alice", "bob"]);
    world.crash_device(BOB);
    world.command(ALICE, Command::Tell(name("bob").into(), "are you there?".to_owned()));
    for _ in 0..30 {
        for id in world.connections() {
            world.deliver(id, usize::MAX, None);
        }
        world.run_batch(usize::MAX, false);
        world.tick();
    }
    assert!(!world.devices[ALICE.0].client().unwrap().has_unsent());
    world.settle().unwrap();
    check(
        &world,
        BOB,
        "alice",
        &["alice made this conversation with bob", "alice: are you there?"],
    );
}

#[test]
fn two_who_begin_at_once_end_in_one_conversation() {
    let mut world = world(&["alice", "bob"]);
    world.command(ALICE, Command::Tell(name("bob").into(), "from alice".to_owned()));
    world.command(BOB, Command::Tell(name("alice").into(), "from bob".to_owned()));
    world.settle().unwrap();
    let id = find(&world, ALICE, "bob").unwrap();
    assert_eq!(find(&world, BOB, "alice"), Some(id));
    let said = lines(&world, ALICE, id);
    assert_eq!(said, lines(&world, BOB, id));
    assert_eq!(said.len(), 3, "{said:?}");
    for who in [ALICE, BOB] {
        assert_eq!(warnings(&world, who), [""; 0]);
        assert_eq!(refused(&world, who), [""; 0]);
    }
}

#[test]
fn a_group_from_its_making_to_its_end() {
    let mut world = world(&["alice", "bob", "carol"]);
    let id = group(&mut world, ALICE, "+plan", &["bob"]);
    say(&mut world, BOB, "+plan", "before carol");
    does(&mut world, BOB, Command::Invite(id, name("carol")));
    say(&mut world, CAROL, "+plan", "thanks");
    does(&mut world, ALICE, Command::Remove(id, name("bob")));
    say(&mut world, CAROL, "+plan", "without bob");
    does(&mut world, ALICE, Command::Rename(id, GroupName::parse("+quiet").unwrap()));
    does(&mut world, ALICE, Command::Leave(id));
    say(&mut world, CAROL, "+quiet", "alone");
    let whole = [
        "alice made this conversation with bob",
        "bob: before carol",
        "bob added carol",
        "carol: thanks",
        "alice removed bob",
        "carol: without bob",
        "alice named this group +quiet",
        "alice left; made carol the owner",
        "carol: alone",
    ];
    assert_eq!(lines(&world, CAROL, id), whole[2..]);
    assert_eq!(lines(&world, ALICE, id), whole[..8]);
    assert_eq!(lines(&world, BOB, id), whole[..5]);
    assert_eq!(find(&world, BOB, "+plan"), None);
    // Once it was left, nothing shows it as if it were there.
    let shows = &world.devices[ALICE.0].shows;
    let left = shows.iter().position(|show| *show == Show::Left(id)).unwrap();
    let again = |show: &Show| matches!(show, Show::Conversation(view) if view.id == id);
    assert!(!shows[left..].iter().any(again));
}

#[test]
fn a_second_device_takes_part_by_itself() {
    let mut world = world(&["alice", "bob"]);
    tell(&mut world, ALICE, "bob", "before");
    world.crash_device(ALICE);
    let phone = world.add_device(&name("alice"));
    world.settle().unwrap();
    tell(&mut world, BOB, "alice", "to both");
    tell(&mut world, phone, "bob", "from the phone");
    let id = find(&world, BOB, "alice").unwrap();
    assert_eq!(
        lines(&world, phone, id)[1..],
        ["bob: to both".to_owned(), "alice: from the phone".to_owned()]
    );
    assert!(lines(&world, phone, id)[0].contains("sent before this device was added"));
    let whole = [
        "alice made this conversation with bob",
        "alice: before",
        "alice takes part with another device",
        "bob: to both",
        "alice: from the phone",
    ];
    assert_eq!(lines(&world, BOB, id), whole);
    assert_eq!(lines(&world, ALICE, id), whole);
}

#[test]
fn a_removed_device_is_out_before_the_next_message() {
    let mut world = world(&["alice", "bob"]);
    tell(&mut world, ALICE, "bob", "before");
    let phone = world.add_device(&name("alice"));
    world.settle().unwrap();
    let device = world.devices[phone.0].shows.iter().find_map(|show| match show {
        Show::Online { device, .. } => Some(*device),
        _ => None,
    });
    let password = Password::new("password of alice".into());
    does(&mut world, ALICE, Command::RevokeDevice(device.unwrap(), password));
    tell(&mut world, BOB, "alice", "not for the phone");
    let id = find(&world, BOB, "alice").unwrap();
    let said = lines(&world, BOB, id);
    let removed = said.iter().position(|line| line.contains("took out a device")).unwrap();
    let told = said.iter().position(|line| line == "bob: not for the phone").unwrap();
    assert!(removed < told, "{said:?}");
    assert!(!lines(&world, phone, id).iter().any(|line| line.contains("not for the phone")));
}

#[test]
fn messages_are_answered_changed_and_taken_back() {
    let mut world = world(&["alice", "bob"]);
    tell(&mut world, ALICE, "bob", "at nine");
    let id = find(&world, ALICE, "bob").unwrap();
    let target = world.devices[BOB.0].messages().iter().find(|m| m.text().is_some()).unwrap().id;
    let does_to = |world: &mut World, who, what| {
        does(world, who, Command::Say { conversation: id, what });
    };
    let text = || "good".to_owned();
    does_to(&mut world, BOB, Saying::Reply { to: target, text: text() });
    does_to(&mut world, BOB, Saying::Reaction { target, emoji: "👍".to_owned() });
    does_to(&mut world, ALICE, Saying::Edit { target, text: "at ten".to_owned() });
    does_to(&mut world, BOB, Saying::Edit { target, text: "at noon".to_owned() });
    does_to(&mut world, ALICE, Saying::Delete { target });
    does_to(&mut world, ALICE, Saying::Edit { target, text: "never".to_owned() });
    let bodies = |who: DeviceIndex| -> Vec<Body> {
        world.devices[who.0].messages().into_iter().map(|message| message.body).skip(2).collect()
    };
    let expected = [
        Body::Text { text: text(), reply_to: Some(target) },
        Body::Reaction { target, emoji: "👍".to_owned() },
        Body::Edit { target, text: "at ten".to_owned() },
        Body::Delete { target },
    ];
    assert_eq!(bodies(ALICE), expected);
    assert_eq!(bodies(BOB), expected);
}

#[test]
fn a_home_from_an_old_copy_uses_no_key_again() {
    let mut world = world(&["alice", "bob"]);
    tell(&mut world, ALICE, "bob", "before the copy");
    let id = find(&world, ALICE, "bob").unwrap();
    let copy = world.devices[ALICE.0].copy_of_home();
    tell(&mut world, ALICE, "bob", "after the copy");
    let device = |world: &World| world.devices[ALICE.0].client().unwrap().group(id).unwrap();
    let before = device(&world);
    world.crash_device(ALICE);
    world.devices[ALICE.0].restore_home(copy);
    world.settle().unwrap();
    assert!(warnings(&world, ALICE)[0].contains("restored from an older copy"));
    tell(&mut world, ALICE, "bob", "as a new device");
    tell(&mut world, BOB, "alice", "understood");
    for who in [ALICE, BOB] {
        let said = lines(&world, who, id);
        let end = ["alice: as a new device", "bob: understood"];
        assert!(said.ends_with(&end.map(str::to_owned)), "{who:?} {said:?}");
    }
    // None of the old leaf's keys is in use any more.
    let after = device(&world);
    let old = before.leaves.iter().filter(|leaf| after.leaves.contains(leaf));
    assert_eq!(old.count(), 1, "bob's alone");
}
