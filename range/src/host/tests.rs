//! The scripted teacher's walk through every flaw, and many worlds at once of which some are hostile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::{Answer, Host, Refused, Slot, SlotError, Told, Wish, lock};
use crate::doors::Inside;
use crate::flaws::{self, Flaw};
use crate::hands::Hands;
use crate::plane::{FlagRoot, Folder, Owner, Secrets, Whose};
use crate::world::{Cue, Person, WorldError};
use portcullis_client_core::{Command, Show};
use portcullis_proto::UserName;
use serde_json::json;
use std::net::SocketAddr;
use tokio::sync::mpsc::error::TryRecvError;

fn host(folder: &tempfile::TempDir) -> Host {
    let opened = Folder::open(&folder.path().join("range"), "").unwrap();
    Host::new(opened, SocketAddr::from(([127, 0, 0, 1], 12399)))
}

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

/// Show, four hints, exploit, submit, receipt: for every flaw, in the learner's own worlds.
#[test]
fn every_flaw_is_walked_through() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    for flaw in flaws::ALL {
        let page = host.show(&mira, flaw);
        assert!(page.get("precedent").is_none(), "{}: the page gives it away", flaw.slug);
        assert_eq!(host.diff(&mira, flaw), Err(Refused::NotYet));
        for count in 1..=4 {
            assert_eq!(host.hint(&mira, flaw).unwrap().len(), count);
        }
        let told = host.show(&mira, flaw).to_string();
        assert!(!told.contains("NONCE"), "{}: the learner's word is not told: {told}", flaw.slug);
        let slot = host.slot(&mira, flaw).unwrap();
        let secrets = lock(&slot).secrets.clone();
        let submitted = lock(&slot).with(|world| {
            let mut doors = Inside::new(world, &secrets);
            Ok((flaw.exploit)(&mut Hands::new(&mut doors)))
        });
        let submitted = submitted.unwrap().unwrap_or_else(|lost| panic!("{}: {lost}", flaw.slug));
        host.look(&mira, &lock(&slot)).unwrap();
        let receipt = match submitted {
            Some(value) => match host.submit(&mira, flaw, &value).unwrap() {
                Answer::Solved(receipt, _) => receipt,
                other => panic!("{}: {other:?}", flaw.slug),
            },
            None => host.row(&mira, flaw.slug).receipt.unwrap(),
        };
        let solved = receipt.verify(Some(&host.receipt_key())).unwrap();
        assert_eq!((solved.slug.as_str(), solved.hints, solved.resets), (flaw.slug, 4, 0));
        assert!(host.diff(&mira, flaw).is_ok());
    }
    assert_eq!(host.receipts(&mira).len(), flaws::ALL.len());
}

/// Whoever is forgotten gets nothing more through what they had open.
#[test]
fn a_forgotten_learner_stays_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    let flaw = flaws::find("history-idor").unwrap();
    let slot = host.slot(&mira, flaw).unwrap();
    let mut watching = lock(&slot).watch();
    let generation = lock(&slot).generation;
    assert!(matches!(host.grant(Wish::Forget { name: mira.clone() }), Told::Text(_)));
    assert_eq!(watching.try_recv(), Err(TryRecvError::Disconnected));
    assert_ne!(lock(&slot).generation, generation);
    assert!(lock(&slot).world().is_none());
    assert_eq!(host.solved(&mira, flaw).unwrap_err(), Refused::Stranger);
    assert_eq!(host.hint(&mira, flaw).unwrap_err(), Refused::Stranger);
    assert!(lock(&host.records).book.learner(&mira).is_none());
    let written = std::fs::read_to_string(folder.path().join("range/progress.jsonl")).unwrap();
    assert_eq!(written, "");
}

/// A fix in a learner's world ends what could be solved there, until it is begun anew.
#[test]
fn nothing_is_solved_in_a_repaired_world() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    let flaw = flaws::find("history-idor").unwrap();
    let secrets = lock(&host.slot(&mira, flaw).unwrap()).secrets.clone();
    host.fix(&mira, flaw, 1).unwrap();
    let submit = |value: &str| host.submit(&mira, flaw, value).unwrap();
    assert!(matches!(submit(&secrets.flag.to_string()), Answer::Wrong));
    assert_eq!(host.fix(&mira, flaw, 0).unwrap_err(), Refused::NoFix);
    assert_eq!(host.fix(&mira, flaw, 99).unwrap_err(), Refused::NoFix);
    host.reset(&mira, flaw).unwrap();
    assert!(matches!(submit(&secrets.flag.to_string()), Answer::Wrong), "an old world's flag");
    let fresh = lock(&host.slot(&mira, flaw).unwrap()).secrets.flag.to_string();
    assert!(matches!(submit(&fresh), Answer::Solved(..)));
}

/// After a solve only what is one's own is right, of whichever of one's worlds; somebody else's is still seen.
#[test]
fn what_is_submitted_after_a_solve_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let (mira, oleg) = (name("mira"), name("oleg"));
    for name in [&mira, &oleg] {
        host.join(name, None).unwrap();
    }
    let flaw = flaws::find("history-idor").unwrap();
    let flag = |name| lock(&host.slot(name, flaw).unwrap()).secrets.flag.to_string();
    let submit = |value: &str| format!("{:?}", host.submit(&mira, flaw, value).unwrap());
    let (own, foreign) = (flag(&mira), flag(&oleg));
    // Whose it is, is known after its owner has another world, too.
    host.begin_anew(&oleg, flaw).unwrap();
    assert_ne!(flag(&oleg), foreign);
    assert_eq!(submit(&foreign), "Foreign");
    assert_eq!(submit(&own), "Solved");
    host.begin_anew(&mira, flaw).unwrap();
    let fresh = flag(&mira);
    for (value, expected) in [
        (own.as_str(), "Solved"),
        (&fresh, "Solved"),
        (&foreign, "Foreign"),
        ("00000-00000-00000-00000", "Wrong"),
        ("", "Wrong"),
    ] {
        assert_eq!(submit(value), expected, "{value}");
    }
    let row = host.row(&mira, flaw.slug);
    assert!(row.receipt.is_some());
    let of = Owner::Learner(oleg.clone());
    assert_eq!((row.misses, row.foreign), (2, vec![of.clone(), of]));
    // That it was somebody's stays when they are forgotten, and their name does not.
    host.grant(Wish::Forget { name: oleg });
    assert_eq!(host.row(&mira, flaw.slug).foreign, vec![Owner::Forgotten {}; 2]);
    assert!(host.progress().contains("submitted a flag of somebody who was forgotten"));
    let path = folder.path().join("range/progress.jsonl");
    assert!(!std::fs::read_to_string(path).unwrap().contains("oleg"));
    drop(host);
    let again = self::host(&folder);
    assert_eq!(again.row(&mira, flaw.slug).foreign, vec![Owner::Forgotten {}; 2]);
}

/// What the teacher begins anew is another world, and no reset of the learner's.
#[test]
fn the_teachers_resets_are_not_the_learners() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    let flaw = flaws::find("history-idor").unwrap();
    let flag = || lock(&host.slot(&mira, flaw).unwrap()).secrets.flag.to_string();
    let mut flags = vec![flag()];
    host.begin_anew(&mira, flaw).unwrap();
    flags.push(flag());
    let told = host.grant(Wish::Reset { name: Some(mira.clone()), slug: None });
    assert!(matches!(told, Told::Text(told) if told == "1 world begins anew\n"));
    flags.push(flag());
    flags.dedup();
    assert_eq!(flags.len(), 3);
    assert_eq!(host.row(&mira, flaw.slug).resets, 1);
    let Answer::Solved(receipt, _) = host.submit(&mira, flaw, &flag()).unwrap() else {
        panic!("not solved")
    };
    assert_eq!(receipt.verify(None).unwrap().resets, 1);
    assert!(host.export_csv().contains("mira,history-idor,1,solved,0,1,0,0"));
}

/// A world that nobody is in goes after a while; what its learner has done, and its secrets, stay.
#[test]
fn idle_worlds_are_put_away() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    let flaw = flaws::find("history-idor").unwrap();
    let count = || lock(&host.worlds).len();
    let secret = lock(&host.slot(&mira, flaw).unwrap()).secrets.flag.to_string();
    host.hint(&mira, flaw).unwrap();
    let (start, idle) = (super::now(), crate::limits::IDLE_MILLIS);
    host.put_away(start.plus_millis(idle / 2));
    assert_eq!(count(), 1, "too early");
    let held = host.slot(&mira, flaw).unwrap();
    host.put_away(start.plus_millis(2 * idle));
    assert_eq!(count(), 1, "somebody is about to use it");
    let door = lock(&held).room().unwrap();
    drop(held);
    host.put_away(start.plus_millis(2 * idle));
    assert_eq!(count(), 1, "somebody is in it");
    drop(door);
    host.put_away(start.plus_millis(2 * idle));
    assert_eq!(count(), 0);
    assert_eq!(lock(&host.slot(&mira, flaw).unwrap()).secrets.flag.to_string(), secret);
    assert_eq!(host.row(&mira, flaw.slug).hints, 1);
}

/// Begun anew for ever, a world would fill the disk; the teacher is trusted not to.
#[test]
fn resets_and_fixes_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    let flaw = flaws::find("history-idor").unwrap();
    // A slow machine may have earned some more.
    let refused = (0..100).find_map(|_| host.begin_anew(&mira, flaw).err());
    assert!(matches!(refused, Some(Refused::TooOften(1..=30))), "{refused:?}");
    let refused = (0..100).find_map(|_| host.fix(&mira, flaw, 1).err());
    assert!(matches!(refused, Some(Refused::TooOften(1..=10))), "{refused:?}");
    host.reset(&mira, flaw).unwrap();
}

/// What is solved is said to be, in a world that was repaired or begun anew as well.
#[test]
fn a_solve_outlives_its_world() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(&folder);
    let mira = name("mira");
    host.join(&mira, None).unwrap();
    let flaw = flaws::find("history-idor").unwrap();
    let flag = lock(&host.slot(&mira, flaw).unwrap()).secrets.flag.to_string();
    assert!(matches!(host.submit(&mira, flaw, &flag).unwrap(), Answer::Solved(..)));
    host.fix(&mira, flaw, 1).unwrap();
    assert!(matches!(host.submit(&mira, flaw, &flag).unwrap(), Answer::Solved(..)));
    host.reset(&mira, flaw).unwrap();
    assert!(matches!(host.submit(&mira, flaw, &flag).unwrap(), Answer::Solved(..)));
    let seen = flaws::find("sender-spoof").unwrap();
    assert_eq!(host.submit(&mira, seen, &flag).unwrap_err(), Refused::SeenByItself);
}

/// Answers itself for ever.
fn endless(_: &Person, cue: &Cue, _: &Secrets) -> Vec<Command> {
    match cue {
        Cue::Show(Show::Message(_) | Show::Channels(_)) => vec![Command::ListChannels],
        _ => Vec::new(),
    }
}

/// Does what no code here should.
fn panics(_: &Person, cue: &Cue, _: &Secrets) -> Vec<Command> {
    match cue {
        Cue::Show(Show::Message(message)) if message.text() == Some("boo") => panic!("boo"),
        _ => Vec::new(),
    }
}

fn with_script(flaw: &Flaw, react: crate::world::React) -> &'static Flaw {
    Box::leak(Box::new(Flaw { react, ..*flaw }))
}

#[test]
fn hostile_worlds_end_alone() {
    let root = FlagRoot::from_bytes([9; 32]);
    let flaw = flaws::find("history-idor").unwrap();
    let make = |number: usize, flaw: &'static Flaw| {
        let learner = format!("learner-{number}");
        let whose = Whose { class: "", learner: &learner, slug: flaw.slug, salt: None, variant: 0 };
        Slot::new(flaw, root.secrets(whose), 0, 0, None)
    };
    let mut slots: Vec<Slot> = (0..500).map(|number| make(number, flaw).unwrap()).collect();
    let say = |slot: &mut Slot, text: &str| {
        let text = text.to_owned();
        slot.with(move |world| world.stage().says("you", "#lobby", &text))
    };
    let fine = |slot: &mut Slot| {
        let line = slot.with(crate::world::World::session).unwrap();
        let frame = json!({"id": 1, "request": "channels", "data": {}}).to_string();
        slot.with(|world| world.send(line, &frame)).unwrap();
        let answers = slot.with(|world| Ok(world.receive(line))).unwrap();
        answers.iter().any(|answer| answer.contains("\"reply\":\"channels\""))
    };
    assert!(slots.iter_mut().all(fine));
    let mut panicking = make(500, with_script(flaw, panics)).unwrap();
    assert_eq!(say(&mut panicking, "boo"), Err(SlotError::Broken));
    assert_eq!(say(&mut panicking, "hello"), Err(SlotError::Broken), "it stays gone");
    let exhausted = Err(SlotError::World(WorldError::Exhausted));
    let endless = make(501, with_script(flaw, endless));
    let ended = endless.map_or_else(Err, |mut slot| say(&mut slot, "hello"));
    assert_eq!(ended, exhausted);
    assert!(slots.iter_mut().all(fine), "others are disturbed");
}

fn hashed(token: &str) -> String {
    super::hex(&portcullis_crypto::sha256(&[token.as_bytes()]))
}

/// Fills the folder of a range with learners, who came at these times and come back with their numbers.
fn fill(path: &std::path::Path, at: impl Fn(u64) -> u64) {
    let lines = (0..).take(crate::limits::LEARNERS).map(|number| {
        let (learner, token) = (name(&format!("pupil{number}")), Some(hashed(&number.to_string())));
        let at = portcullis_proto::Timestamp(at(number));
        serde_json::to_string(&crate::plane::Entry::Joined { learner, token, salt: None, at })
            .unwrap()
            + "\n"
    });
    std::fs::write(path.join("progress.jsonl"), lines.collect::<String>()).unwrap();
}

/// What CTFd's importer takes: Python's reader of CSV has a limit for each field, and CTFd's tables have theirs.
#[test]
fn all_learners_flags_fit_into_a_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("range");
    drop(Folder::open(&path, "").unwrap());
    fill(&path, |_| 1);
    let exported = host(&folder).export_ctfd();
    assert_eq!(exported.lines().count(), 1 + flaws::ALL.len());
    for line in exported.lines().skip(1) {
        // A quote in a field is doubled (RFC 4180); no field is empty.
        let line = line.replace("\"\"", "\0");
        let fields: Vec<&str> = line.split("\",\"").collect();
        let count = fields[7].matches("case_insensitive").count();
        assert_eq!((fields.len(), count), (10, crate::limits::LEARNERS));
        assert!(fields[7].len() <= 131_072, "{} letters of flags", fields[7].len());
        assert!(fields[0].len() <= 80 && fields[2].len() <= 80 && fields[1].len() <= 65_535);
    }
}

/// A home range that is full is not shut for good: who has solved nothing, holds no world and was not here for a day
/// gives way, and where nobody does, the way out is named.
#[test]
fn a_full_range_has_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("range");
    drop(Folder::open(&path, "").unwrap());
    let is_there =
        |host: &Host, text: &str| lock(&host.records).book.learner(&name(text)).is_some();
    let now = super::now().0;
    fill(&path, |number| if number < 5 { now / 2 + number } else { now });
    let mut host = host(&folder);
    // Who came while it did not run is not known.
    assert_eq!(host.join(&name("mira"), None).unwrap_err(), Refused::Full);
    host.started = portcullis_proto::Timestamp(0);
    // What is asked with a token, and a stream that is open, count as being here.
    assert_eq!(host.learner("3").unwrap(), name("pupil3"));
    let _stream = host.room(&name("pupil4")).unwrap();
    host.tick();
    let (flaw, first) = (flaws::find("history-idor").unwrap(), name("pupil0"));
    // One of the three who were here long ago is in a world, and one has solved something.
    host.slot(&first, flaw).unwrap();
    let (learner, slug) = (name("pupil1"), flaw.slug.to_owned());
    let receipt = host.solved(&learner, flaw).unwrap();
    let at = portcullis_proto::Timestamp(1);
    lock(&host.records).book.add(&crate::plane::Entry::Solved { learner, slug, receipt, at });
    let mut news = host.news.subscribe();
    host.join(&name("mira"), None).unwrap();
    let told = news.try_recv().unwrap();
    assert_eq!((told.learner, told.what), (name("pupil2"), "forgotten"));
    assert!(!is_there(&host, "pupil2") && is_there(&host, "pupil0") && is_there(&host, "pupil1"));
    let refused = host.join(&name("oleg"), None).unwrap_err();
    assert_eq!(refused, Refused::Full);
    assert!(refused.to_string().contains("class forget NAME"), "{refused}");
    host.grant(Wish::Forget { name: first });
    host.join(&name("oleg"), None).unwrap();
}

/// A list that is too long is refused with the way out.
#[test]
fn a_full_class_has_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Folder::open(&folder.path().join("range"), "7b").unwrap();
    let host = Host::new(opened, SocketAddr::from(([127, 0, 0, 1], 12399)));
    let list = (0..=crate::limits::LEARNERS).map(|number| format!("pupil{number}\n"));
    let Told::Refused(why) = host.grant(Wish::Roster { csv: list.collect() }) else {
        panic!("taken")
    };
    assert!(why.contains("2001 new ones; `class forget NAME` makes room"), "{why}");
}

/// Whoever comes under the name of somebody who was forgotten has other secrets; who is in an old book keeps theirs.
#[test]
fn a_name_that_was_forgotten_is_somebody_else() {
    let folder = tempfile::tempdir().unwrap();
    let opened = Folder::open(&folder.path().join("range"), "7b").unwrap();
    let host = Host::new(opened, SocketAddr::from(([127, 0, 0, 1], 12399)));
    let (mira, flaw) = (name("mira"), flaws::find("history-idor").unwrap());
    let list = || {
        let Told::Text(_) = host.grant(Wish::Roster { csv: "mira\n".to_owned() }) else {
            panic!("not listed")
        };
        let codes = host.codes().unwrap();
        let code = codes.split_whitespace().last().unwrap().to_owned();
        host.join(&mira, Some(&code)).unwrap();
        (code, lock(&host.slot(&mira, flaw).unwrap()).secrets.flag.to_string())
    };
    let (code, flag) = list();
    host.grant(Wish::Forget { name: mira.clone() });
    let (other_code, other_flag) = list();
    assert_ne!(code, other_code);
    assert_ne!(flag, other_flag);
    drop(host);
    let old = r#"{"what":"joined","learner":"mira","token":"aa","at":1}"#;
    let path = folder.path().join("range");
    std::fs::write(path.join("progress.jsonl"), format!("{old}\n")).unwrap();
    let host = Host::new(Folder::open(&path, "7b").unwrap(), SocketAddr::from(([127, 0, 0, 1], 1)));
    assert_eq!(host.whose(&mira, flaw, 0).salt, None);
    host.grant(Wish::Readmit { name: mira.clone() });
    let code = host.codes().unwrap();
    host.join(&mira, code.split_whitespace().last()).unwrap();
    assert_eq!(host.whose(&mira, flaw, 0).salt, None);
}
