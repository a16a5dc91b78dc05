//! Strangers who leave welcomes into conversations that are none of theirs, at an honest server: they
//! take nobody's place, and keep nobody out.

use crate::puppet::*;
use portcullis_client_core::Command;
use portcullis_client_core::defences::{Defences, Joining, Lists, SOUND};
use portcullis_mls::{Changes, Roster, RosterKind};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ConversationId, Creates, Reference, Reply, Request,
    Welcome,
};
use portcullis_sim::World;
use std::cell::Cell;
use std::rc::Rc;

/// Mallory makes a group of her own, welcomes Bob, and calls it by the id of another conversation where
/// only his device reads it.
fn lay(world: &mut World, called: ConversationId, epochs: usize) {
    let (mut puppet, bob) = (Puppet::copy(world, MALLORY), Puppet::copy(world, BOB));
    let mut line = Line::open(world, &puppet);
    let claim = Request::ClaimKeyPackages { account: bob.account };
    let Ok(Reply::KeyPackages { packages }) = line.ask(world, claim) else {
        panic!("no key packages");
    };
    let members: Vec<AccountId> = vec![puppet.account, bob.account];
    let roster = Roster {
        kind: RosterKind::Group,
        name: Some(group_name("+plan")),
        owner: Some(puppet.account),
        members,
        leaving: Vec::new(),
    };
    puppet.mls.forget(called);
    puppet.mls.create(called, &roster).unwrap();
    for _ in 0..epochs {
        puppet.mls.commit(called, &Changes::default()).unwrap();
        puppet.mls.merge_pending(called).unwrap();
    }
    let add = packages.into_iter().filter_map(|claimed| claimed.package).map(|bytes| bytes.0);
    let changes = Changes { add: add.collect(), ..Changes::default() };
    let made = puppet.mls.commit(called, &changes).unwrap();
    let elsewhere = ConversationId::from_bytes([9; 16]);
    let reference = Reference::from_bytes([9; 16]);
    let mut request = commit(elsewhere, 0, puppet.device, reference, &made);
    if let Request::Commit { creates, welcome, members, .. } = &mut request {
        *creates = Some(Creates::Group {});
        *welcome =
            made.welcome.map(|body| Welcome { devices: vec![bob.device], body: Bytes(body) });
        members.added = vec![bob.account];
    }
    line.ask(world, request).unwrap();
}

/// The same, and Bob finds it.
fn snare(world: &mut World, called: ConversationId, epochs: usize) {
    lay(world, called, epochs);
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    world.settle().unwrap();
}

/// What Bob is told, but for that he can't join what Mallory says that her own conversation is.
fn told(world: &World) -> Vec<String> {
    let elsewhere = "The server sent something that can't be read.";
    warned(world, BOB).into_iter().filter(|words| words != elsewhere).collect()
}

#[test]
fn nobody_takes_the_id_of_a_direct_between_two_others() {
    let mut world = people();
    let id = ConversationId::direct(account(&world, "alice"), account(&world, "bob"));
    // Takes a group under whatever id it comes.
    let accept_entry = |joining: &Joining<'_>, lists: &dyn Lists| {
        let conversation = ConversationId::from_bytes([9; 16]);
        (SOUND.accept_entry)(&Joining { conversation, ..*joining }, lists)
    };
    lay(&mut world, id, 0);
    let twin = Twin::of(&mut world, BOB, Defences { accept_entry, ..SOUND });
    assert!(twin.borrow().group(id).is_some(), "the twin has the stranger's keys for it");
    let words = "mallory invited you to a conversation, which is not entered: it is not the conversation that it claims to be.";
    assert_eq!(told(&world), [words]);
    tell(&mut world, BOB, "alice", "hello alice");
    tell(&mut world, ALICE, "bob", "hello bob");
    for who in HONEST {
        assert_eq!(texts(&world, who, id), ["hello alice", "hello bob"]);
    }
}

#[test]
fn nobody_keeps_another_out_of_a_channel_by_its_id() {
    let mut world = people();
    let tea = ChannelName::parse("#tea").unwrap();
    does(&mut world, ALICE, Command::Create(tea.clone(), Access::Open));
    let id = find(&world, ALICE, "#tea").unwrap();
    snare(&mut world, id, 0);
    does(&mut world, BOB, Command::Join(tea));
    say(&mut world, BOB, id, "hello");
    assert_eq!(texts(&world, ALICE, id), ["hello"]);
    assert_eq!(told(&world), [""; 0]);
    assert_eq!(view(&world, BOB, id), None, "a channel has no keys");
}

/// Bob was in the group, as was Mallory, who has its id from then; a welcome of hers waits for him.
fn snared_after_removal() -> (World, ConversationId) {
    let (mut world, id) = group();
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    does(&mut world, ALICE, Command::Remove(id, name("bob")));
    snare(&mut world, id, 40);
    (world, id)
}

#[test]
fn a_stranger_s_welcome_does_not_silence_whom_somebody_invites_again() {
    let (mut world, id) = snared_after_removal();
    does(&mut world, ALICE, Command::Invite(id, name("bob")));
    say(&mut world, ALICE, id, "welcome back");
    say(&mut world, BOB, id, "thanks");
    understood(&mut world, id, "all well?");
    assert!(
        texts(&world, BOB, id).ends_with(&["welcome back", "thanks", "all well?"].map(Into::into))
    );
    assert!(texts(&world, ALICE, id).contains(&"thanks".to_owned()));
    assert_eq!(told(&world), [""; 0]);
}

#[test]
fn a_stranger_s_welcome_that_comes_last_is_found_out_by_the_log() {
    let (mut world, id) = group();
    does(&mut world, ALICE, Command::Remove(id, name("mallory")));
    does(&mut world, ALICE, Command::Remove(id, name("bob")));
    // Both lie in his inbox when he comes, and that of the stranger is the last.
    let away = Rc::new(Cell::new(true));
    let is_away = Rc::clone(&away);
    lie(&mut world, BOB, move |frame| if is_away.get() { Vec::new() } else { vec![frame] });
    does(&mut world, ALICE, Command::Invite(id, name("bob")));
    away.set(false);
    snare(&mut world, id, 40);
    understood(&mut world, id, "all well?");
    say(&mut world, BOB, id, "as before");
    assert_eq!(texts(&world, ALICE, id).last().map(String::as_str), Some("as before"));
}
