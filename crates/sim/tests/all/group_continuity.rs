//! Attacks on what holds a group together: which commit is the last, and whose public state the server
//! hands to a device that joins by itself.

use crate::group_lies::{is_readable, summary};
use crate::puppet::*;
use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{Command, Event};
use portcullis_mls::{Changes, Made};
use portcullis_proto::{
    ConversationId, ConversationKind, Event as ServerEvent, Reply, ServerFrame,
};
use portcullis_sim::{DeviceIndex, World};

#[test]
fn a_direct_that_is_called_a_channel_before_it_is_made_is_not_readable() {
    let mut world = people();
    let id = ConversationId::direct(account(&world, "alice"), account(&world, "bob"));
    let twin = Twin::of(&mut world, ALICE, SOUND);
    lie(&mut world, ALICE, move |frame| {
        let channel = ServerEvent::Conversation(summary(id, ConversationKind::Channel));
        vec![ServerFrame::Event(channel), frame]
    });
    say(&mut world, CAROL, ConversationId::LOBBY, "good morning");
    let secret = "the key is under the mat";
    twin.borrow_mut().event(Event::Command(Command::Tell(name("bob").into(), secret.to_owned())));
    tell(&mut world, ALICE, "bob", secret);
    assert!(!is_readable(&twin.borrow().sends, secret), "it went out readable");
}

#[test]
fn an_old_group_info_brings_no_removed_member_back() {
    let (mut world, id) = group();
    let old = world.log().group_info(id).unwrap().unwrap().body;
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    let phone = DeviceIndex(4);
    lie(&mut world, phone, move |frame| match frame {
        ServerFrame::Reply(reply, Reply::GroupInfo { epoch, .. }) => {
            let group_info = old.clone();
            vec![ServerFrame::Reply(reply, Reply::GroupInfo { epoch, group_info })]
        }
        frame => vec![frame],
    });
    world.add_device(&name("bob"));
    let _ = world.settle();
    say(&mut world, ALICE, id, "without mallory");
    let mallory = account(&world, "mallory");
    for who in HONEST {
        let view = view(&world, who, id).unwrap();
        assert!(!view.leaves.iter().any(|leaf| leaf.account == mallory), "{who:?} {view:?}");
    }
}

#[test]
fn a_refused_commit_does_not_count_later_by_a_new_device() {
    let (mut world, id) = group();
    let mut puppet = Puppet::copy(&world, MALLORY);
    let (alice, me) = (account(&world, "alice"), puppet.account);
    let leaves = puppet.mls.view(id).unwrap().leaves;
    let remove = vec![leaves.iter().find(|leaf| leaf.account == alice).unwrap().device];
    let roster = puppet.roster(id, |roster| {
        roster.members.retain(|account| *account != alice);
        roster.owner = Some(me);
    });
    let changes = Changes { remove, roster: Some(roster), ..Changes::default() };
    puppet.commits(&mut world, id, &changes);
    world.add_device(&name("bob"));
    let _ = world.settle();
    understood(&mut world, id, "all well?");
    let view = view(&world, BOB, id).unwrap();
    assert_eq!(view.roster.owner, Some(alice));
}

/// Mallory sends a commit that is none for here; nobody else is disturbed.
fn stray(make: fn(&mut World, &mut Puppet, ConversationId) -> Made) {
    let (mut world, id) = group();
    let mut puppet = Puppet::copy(&world, MALLORY);
    let made = make(&mut world, &mut puppet, id);
    let before = view(&world, ALICE, id);
    puppet.sends(&mut world, id, &made);
    for who in HONEST {
        let words = "A change of this conversation by mallory does not count here: it comes too late, or a second time.";
        assert_eq!(warned(&world, who)[0], words);
        assert_eq!(essence(view(&world, who, id).as_ref()), essence(before.as_ref()));
    }
    understood(&mut world, id, "all well?");
    assert_eq!(essence(view(&world, BOB, id).as_ref()), essence(before.as_ref()));
}

#[test]
fn a_commit_of_an_old_epoch_disturbs_nobody() {
    stray(|world, puppet, id| {
        let made = puppet.mls.commit(id, &Changes::default()).unwrap();
        does(world, ALICE, Command::Rename(id, group_name("+new")));
        *puppet = Puppet::copy(world, MALLORY);
        made
    });
}

/// The server shows Bob something a second time, before Alice's next message.
fn replay(wanted: fn(&[u8]) -> bool) {
    let (mut world, id) = group();
    let all = log(&world, id);
    let old = all.iter().rev().find(|e| wanted(e.body.as_slice())).unwrap().clone();
    let before = view(&world, BOB, id);
    insert(&mut world, BOB, all.len() as u64 + 1, old);
    say(&mut world, ALICE, id, "all well?");
    let told = warned(&world, BOB);
    assert!(told[0].contains("a second time"), "{told:?}");
    assert!(!told.iter().any(|words| words.contains("no longer fit")), "{told:?}");
    assert_eq!(texts(&world, BOB, id).last().map(String::as_str), Some("all well?"));
    assert_eq!(essence(view(&world, BOB, id).as_ref()), essence(before.as_ref()));
}

#[test]
fn a_replayed_commit_disturbs_nobody() {
    replay(portcullis_mls::is_commit);
}
