//! What a member or a server can make a device do for nothing: look people up, make keys, encrypt for
//! whoever has left, believe a list's age, or take something else for its own commit.

use crate::puppet::*;
use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{Command, Event};
use portcullis_mls::{Changes, Processed};
use portcullis_proto::{
    AccountId, Code, Content, Event as ServerEvent, Kind, Reply, Request, ServerFrame, Stock,
    decode_request,
};
use std::cell::RefCell;
use std::rc::Rc;

#[test]
fn members_whom_there_is_not_are_looked_up_once_each_and_refused() {
    let (mut world, id) = group();
    let before = view(&world, BOB, id);
    let mut puppet = Puppet::copy(&world, MALLORY);
    let count: Rc<RefCell<usize>> = Rc::default();
    let counts = Rc::clone(&count);
    lie(&mut world, ALICE, move |frame| {
        if matches!(&frame, ServerFrame::Refusal(_, refusal) if refusal.code == Code::NotFound) {
            *counts.borrow_mut() += 1;
        }
        vec![frame]
    });
    let invented = (0..60).map(|number| AccountId::from_bytes([100 + number; 16]));
    let roster = puppet.roster(id, |roster| roster.members.extend(invented));
    puppet.commits(&mut world, id, &Changes { roster: Some(roster), ..Changes::default() });
    does(&mut world, ALICE, Command::Rename(id, group_name("+other")));
    assert_eq!(*count.borrow(), 60);
    let words = "A change of this conversation by mallory does not count here: it adds a device that its owner has not signed.";
    HONEST.iter().for_each(|who| assert_eq!(warned(&world, *who)[0], words));
    assert_eq!(find(&world, BOB, "+other"), Some(id));
    let members = |view: Option<portcullis_client_core::GroupView>| view.unwrap().roster.members;
    assert_eq!(members(view(&world, BOB, id)), members(before));
}

#[test]
fn whoever_has_left_gets_no_marks() {
    let (mut world, id) = group();
    does(&mut world, BOB, Command::MarkRead(id));
    say(&mut world, BOB, id, "for alice to mark");
    let mut gone = Puppet::copy(&world, MALLORY);
    let me = gone.account;
    let roster = gone.roster(id, |roster| roster.leaving.push(me));
    gone.commits(&mut world, id, &Changes { roster: Some(roster), ..Changes::default() });
    gone.mls.merge_pending(id).unwrap();
    let before = log(&world, id).len();
    does(&mut world, ALICE, Command::MarkRead(id));
    let mut read = Vec::new();
    for envelope in log(&world, id).into_iter().skip(before) {
        match gone.mls.process(id, envelope.body.as_slice()) {
            Ok(Processed::Message { plaintext, .. }) => {
                read.push(Content::decode(&plaintext).unwrap().kind);
            }
            Ok(Processed::Commit(_)) => gone.mls.merge_staged(id).unwrap(),
            Ok(Processed::Own) | Err(_) => {}
        }
    }
    let sent = log(&world, id).len() - before;
    assert!(sent > 1, "the commit that takes her out, and the mark: {sent}");
    assert!(!read.iter().any(|kind| matches!(kind, Kind::Mark { .. })), "{read:?}");
}

#[test]
fn a_list_s_age_below_what_is_known_is_said() {
    let (mut world, id) = group();
    lie(&mut world, BOB, |frame| match frame {
        ServerFrame::Reply(reply, Reply::ListVersions { versions }) => {
            let versions = versions.into_iter().map(|_| 0).collect();
            vec![ServerFrame::Reply(reply, Reply::ListVersions { versions })]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    say(&mut world, BOB, id, "all well?");
    let words = |name: &str| {
        format!(
            "The server shows an older list of {name}'s devices than it did before; it is not used."
        )
    };
    let told = warned(&world, BOB);
    for name in ["alice", "mallory"] {
        assert_eq!(told.iter().filter(|told| **told == words(name)).count(), 1, "{told:?}");
    }
    understood(&mut world, id, "as before");
}

#[test]
fn ages_of_fewer_lists_than_were_asked_for_hold_nobody_up() {
    let (mut world, id) = group();
    let mut lies = 0;
    lie(&mut world, BOB, move |frame| match frame {
        ServerFrame::Reply(reply, Reply::ListVersions { .. }) if lies < 2 => {
            lies += 1;
            vec![ServerFrame::Reply(reply, Reply::ListVersions { versions: Vec::new() })]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    say(&mut world, BOB, id, "all well?");
    assert_warned(&world, BOB, &["The server sent something that can't be read."]);
    understood(&mut world, id, "as before");
}

#[test]
fn a_server_that_is_never_content_gets_one_stock_at_a_time() {
    let mut world = people();
    let twin = Twin::of(&mut world, BOB, SOUND);
    let uploads = |twin: &Twin| {
        let upload = |frame: &&String| {
            matches!(decode_request(frame), Ok((_, Request::UploadKeyPackages { .. })))
        };
        twin.sends.iter().filter(upload).count()
    };
    let before = uploads(&twin.borrow());
    let empty = ServerEvent::KeyPackages(Stock { left: 0, last_resort: true });
    for _ in 0..10 {
        let frame = portcullis_proto::encode_event(&empty);
        twin.borrow_mut().event(Event::Frame(frame));
    }
    assert_eq!(uploads(&twin.borrow()) - before, 1);
}

#[test]
fn something_else_under_the_reference_of_an_own_commit_does_not_count() {
    let (mut world, id) = group();
    let next = log(&world, id).len() as u64 + 1;
    let mut puppet = Puppet::copy(&world, MALLORY);
    let other = puppet.mls.commit(id, &Changes::default()).unwrap().commit;
    change_envelopes(&mut world, ALICE, id, move |mut envelopes| {
        for envelope in envelopes.iter_mut().filter(|envelope| envelope.seq == next) {
            envelope.body.0.clone_from(&other);
        }
        envelopes
    });
    does(&mut world, ALICE, Command::Rename(id, group_name("+new")));
    let words = "A change of this conversation by alice does not count here: it does not fit the keys of this conversation.";
    assert_eq!(warned(&world, ALICE).first().map(String::as_str), Some(words));
    assert_eq!(find(&world, ALICE, "+new"), None);
}
