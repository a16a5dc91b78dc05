//! What is said of transfers, and which one is meant.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::files::Way;
use portcullis_client_core::Fault;
use portcullis_proto::{EndReason, FileName, Holds, Reference, Timestamp, TransferId};

fn about(number: u8, own: bool, state: TransferState) -> TransferView {
    let user = |name| UserName::parse(name).unwrap();
    let recipients =
        vec![(user("bob"), RecipientState::Accepted), (user("carol"), RecipientState::Received)];
    TransferView {
        transfer: TransferId::from_bytes([number; 16]),
        conversation: ConversationId::LOBBY,
        message: Reference::from_bytes([number; 16]),
        sender: user("alice"),
        own,
        title: FileName::parse("report.pdf").unwrap(),
        files: 1,
        bytes: 1_200_000,
        holds: Holds::FILE,
        place: String::new(),
        roomless: false,
        state,
        expires: None,
        recipients: if own { recipients } else { Vec::new() },
    }
}

fn check(own: bool, state: TransferState, what: &str, words: &str) {
    let mut transfers = Transfers::default();
    transfers.take(about(1, own, TransferState::Waiting));
    transfers.take(about(1, own, state.clone()));
    let rows = transfers.rows(|_| None);
    assert_eq!(rows.is_empty(), state.is_over());
    let row = transfers.all.first().unwrap().row();
    assert_eq!((row.what.as_str(), row.state.as_str()), (what, words));
}

#[test]
fn what_is_said_of_each_state() {
    let (to, from) = ("report.pdf to bob and 1 more", "report.pdf from alice");
    check(
        false,
        TransferState::Offered,
        "alice offers report.pdf (1.2 MB)",
        "/get 1 or /decline 1",
    );
    check(false, TransferState::Waiting, from, "waiting");
    check(true, TransferState::Direct, to, "directly, once they take it");
    check(true, TransferState::Relayed, to, "waiting for bytes");
    check(true, TransferState::Stored, to, "on the server, to be fetched");
    check(false, TransferState::Paused, from, "paused: /transfers resume 1");
    check(
        false,
        TransferState::Failed(Fault::NoSpace),
        from,
        "there is no room left on this disk: /transfers resume 1",
    );
    check(false, TransferState::Failed(Fault::Corrupt), from, "what came is not what was offered");
    check(
        false,
        TransferState::Done(vec!["/tmp/report.pdf".into()]),
        from,
        "done: /tmp/report.pdf",
    );
    check(true, TransferState::Done(vec![]), to, "done");
    check(false, TransferState::Ended(EndReason::Cancelled), from, "cancelled");
}

#[test]
fn several_files_are_counted() {
    let check = |own: bool, state: TransferState, holds: Holds, expected: &str| {
        let mut transfers = Transfers::default();
        transfers.take(TransferView { files: 3, holds, ..about(1, own, state) });
        assert_eq!(transfers.all.first().unwrap().row().what, expected);
    };
    let three = Holds { tops: 3, ..Holds::FILE };
    let folder = Holds { folder: true, programs: true, ..Holds::FILE };
    let offers = "alice offers report.pdf and 2 more (3 files, 1.2 MB)";
    check(false, TransferState::Offered, three, offers);
    let offers = "alice offers report.pdf/ (folder, 3 files, with programs, 1.2 MB)";
    check(false, TransferState::Offered, folder, offers);
    let comes = "report.pdf/ (folder, 3 files, with programs) from alice";
    check(false, TransferState::Waiting, folder, comes);
    let goes = "report.pdf and 2 more (3 files) to bob and 1 more";
    check(true, TransferState::Waiting, three, goes);
}

#[test]
fn ten_thousand_paths_are_a_line() {
    let paths = |count| (0..count).map(|number| format!("/in/{number}")).collect::<Vec<_>>();
    assert_eq!(first(&paths(1)), "/in/0");
    assert_eq!(first(&paths(3)), "/in/0, /in/1, /in/2");
    assert_eq!(first(&paths(10_000)), "/in/0, /in/1, /in/2 and 9997 more beside");
}

#[test]
fn until_when_it_waits() {
    let mut transfers = Transfers::default();
    let expires = Some(Timestamp(1_800_000_000_000));
    transfers.take(TransferView { expires, ..about(1, true, TransferState::Waiting) });
    let words = transfers.words(3_600, |_| None);
    assert!(words.contains(" · waiting · until 15 January 2027, 09:00"), "{words}");
}

#[test]
fn how_far_it_is() {
    let mut transfers = Transfers::default();
    transfers.take(about(1, false, TransferState::Relayed));
    let transfer = TransferId::from_bytes([1; 16]);
    let progress = Progress { transfer, way: Way::Fetch, bytes: 42, of: 100, rate: 2 };
    assert!(transfers.moved(&[progress], Some((1, 4))));
    let rows = transfers.rows(|_| None);
    let shown: Vec<_> = rows.iter().map(|row| (row.state.as_str(), row.percent)).collect();
    assert_eq!(shown, [("", Some(25)), ("2 bytes/s, 0:29 left", Some(42))]);
    assert!(transfers.moved(&[], None), "what was read is gone");
    assert!(!transfers.moved(&[], None));
}

#[test]
fn a_person_hears_why_it_goes_by_the_server() {
    let check = |states: &[TransferState], expected: bool| {
        let mut transfers = Transfers::default();
        states.iter().for_each(|state| drop(transfers.take(about(1, false, state.clone()))));
        let rows = transfers.rows(|about| Some(&about.sender));
        let row = rows.first().unwrap().state.ends_with(", by the server: not verified");
        let words = transfers.words(0, |about| Some(&about.sender));
        let hint = "by the server, since alice is not verified: /verify alice, or /direct alice on for both of you";
        assert_eq!((row, words.contains(hint)), (expected, expected), "{states:?}");
    };
    check(&[TransferState::Relayed], true);
    check(&[TransferState::Waiting, TransferState::Relayed], true);
    check(&[TransferState::Waiting], false);
    check(&[TransferState::Direct], false);
    // That way has led nowhere.
    check(&[TransferState::Direct, TransferState::Relayed], false);
}

#[test]
fn what_is_offered_elsewhere_is_taken_by_its_number_alone() {
    let (here, there) = (ConversationId::LOBBY, ConversationId::from_bytes([7; 16]));
    let mut transfers = Transfers::default();
    for (number, conversation) in [(1, here), (2, here), (3, there)] {
        let offered = about(number, false, TransferState::Offered);
        transfers.take(TransferView { conversation, ..offered });
    }
    let check = |number, open, expected: Result<u8, &str>| {
        let found = transfers.offered(number, open, "/get").map(|about| about.transfer);
        let expected = expected.map(|number| TransferId::from_bytes([number; 16]));
        assert_eq!(found, expected.map_err(str::to_owned));
    };
    // Another may have come while somebody typed.
    check(None, Some(here), Err("which of the 2? /get N takes one"));
    check(Some(2), Some(here), Ok(2));
    check(None, Some(there), Ok(3));
    check(Some(1), Some(there), Ok(1));
    check(Some(3), None, Ok(3));
    let elsewhere = "nothing is offered here; alice offers report.pdf: /get 3";
    check(None, None, Err(elsewhere));
    check(None, Some(ConversationId::from_bytes([9; 16])), Err(elsewhere));
    check(Some(9), Some(here), Err("no such offer waits for an answer: /transfers shows all"));
}

#[test]
fn without_a_number_the_only_one_that_fits_is_meant() {
    let mut transfers = Transfers::default();
    for (number, state) in
        [(1, TransferState::Paused), (2, TransferState::Relayed), (3, TransferState::Direct)]
    {
        transfers.take(about(number, false, state));
    }
    let check = |number: Option<usize>, fits, expected: Result<u8, usize>| {
        let only = transfers.only(number, fits).map(|about| about.transfer);
        assert_eq!(only, expected.map(|number| TransferId::from_bytes([number; 16])));
    };
    check(None, |about| about.state == TransferState::Paused, Ok(1));
    check(None, |about| about.state != TransferState::Paused, Err(2));
    check(None, |about| about.state == TransferState::Stored, Err(0));
    check(Some(2), |_| true, Ok(2));
    check(Some(2), |about| about.state == TransferState::Paused, Err(0));
}

#[test]
fn a_number_that_was_shown_means_nothing_else() {
    let mut transfers = Transfers::default();
    let numbers = |transfers: &Transfers| -> Vec<usize> {
        transfers.open().map(|entry| entry.number).collect()
    };
    for number in 1..=3 {
        transfers.take(about(number, false, TransferState::Waiting));
    }
    assert_eq!(numbers(&transfers), [1, 2, 3]);
    transfers.take(about(2, false, TransferState::Declined));
    assert_eq!(numbers(&transfers), [1, 3]);
    transfers.take(about(4, false, TransferState::Waiting));
    assert_eq!(numbers(&transfers), [1, 3, 4]);
    assert!(transfers.only(Some(2), |_| true).is_err());
    // What is over is not meant by a number, and is listed for a while.
    let listed = |transfers: &Transfers| transfers.words(0, |_| None).lines().count() - 1;
    assert_eq!(listed(&transfers), 4);
    assert!(transfers.words(0, |_| None).contains("  – report.pdf from alice · 1.2 MB · declined"));
    for number in 10..30 {
        transfers.take(about(number, false, TransferState::Declined));
    }
    assert_eq!((numbers(&transfers).len(), listed(&transfers)), (3, 3 + OVER));
}

#[test]
fn a_person_hears_where_files_are_and_why_they_are_not() {
    let mut transfers = Transfers::default();
    assert_eq!(transfers.take(about(1, false, TransferState::Waiting)), None);
    let mut check = |state: TransferState, expected: Option<(&str, Level)>| {
        let expected = expected.map(|(words, level)| (words.to_owned(), level));
        assert_eq!(transfers.take(about(1, false, state)), expected);
    };
    check(TransferState::Relayed, None);
    let failed = "report.pdf: there is no room left on this disk. /transfers resume 1 tries again.";
    check(TransferState::Failed(Fault::NoSpace), Some((failed, Level::Warning)));
    check(TransferState::Failed(Fault::NoSpace), None);
    let done = TransferState::Done(vec!["/tmp/report.pdf".into()]);
    check(done, Some(("report.pdf is there: /tmp/report.pdf", Level::Info)));
}
