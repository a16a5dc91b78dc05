//! A server that answers for what it was sent, and then shows something else: it takes no message from
//! its author unnoticed, and nothing that was read gives way to an answer.

use crate::puppet::*;
use portcullis_client_core::Command;
use portcullis_proto::{Envelope, Reply, ServerFrame};

fn not_kept(at: u64) -> String {
    format!(
        "The server said that it had stored what you sent as number {at}, and shows something else there: the others may not have it."
    )
}

/// Leaves out one entry, and closes the gap.
fn swallow(envelopes: Vec<Envelope>, at: u64) -> Vec<Envelope> {
    let kept = envelopes.into_iter().filter(|envelope| envelope.seq != at);
    let moved = |mut envelope: Envelope| {
        envelope.seq -= u64::from(envelope.seq > at);
        envelope
    };
    kept.map(moved).collect()
}

#[test]
fn an_acknowledged_message_that_the_server_swallows_is_missed_by_its_author() {
    let (mut world, id) = group();
    let next = log(&world, id).len() as u64 + 1;
    for who in [ALICE, BOB, MALLORY] {
        change_envelopes(&mut world, who, id, move |envelopes| swallow(envelopes, next));
    }
    say(&mut world, BOB, id, "the server eats this");
    assert_warned(&world, BOB, &[]);
    say(&mut world, ALICE, id, "one");
    assert_eq!(warned(&world, BOB).first(), Some(&not_kept(next)));
    assert!(texts(&world, BOB, id).contains(&"the server eats this".to_owned()));
    assert!(!texts(&world, ALICE, id).contains(&"the server eats this".to_owned()));
}

#[test]
fn an_acknowledged_commit_that_the_server_swallows_is_missed_and_given_up() {
    let (mut world, id) = group();
    let next = log(&world, id).len() as u64 + 1;
    change_envelopes(&mut world, ALICE, id, move |envelopes| swallow(envelopes, next));
    does(&mut world, ALICE, Command::Rename(id, group_name("+new")));
    say(&mut world, BOB, id, "something else");
    let told = warned(&world, ALICE);
    assert!(told.contains(&not_kept(next)), "{told:?}");
    assert_eq!(find(&world, ALICE, "+new"), None);
}

#[test]
fn an_answer_writes_nothing_over_what_was_read() {
    let (mut world, id) = group();
    let before = texts(&world, BOB, id);
    let mut lies = 0;
    lie(&mut world, BOB, move |frame| match frame {
        ServerFrame::Reply(reply, Reply::Submitted { accepted_at, .. }) if lies < 2 => {
            lies += 1;
            vec![ServerFrame::Reply(reply, Reply::Submitted { first: 2, last: 2, accepted_at })]
        }
        frame => vec![frame],
    });
    say(&mut world, BOB, id, "in whose place?");
    assert_eq!(warned(&world, BOB).first(), Some(&not_kept(2)));
    let mut expected = before;
    expected.push("in whose place?".to_owned());
    assert_eq!(texts(&world, BOB, id), expected);
    assert_eq!(texts(&world, ALICE, id), expected);
}
