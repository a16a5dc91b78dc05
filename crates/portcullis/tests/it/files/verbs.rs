//! `send --file` and `receive`.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::{bytes_below, found, noise, until};
use crate::program::{World, json, text};

/// Enough that a kill lands in the middle.
const LARGE: usize = 100_000_000;

#[test]
fn files_wait_for_whoever_is_away() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let report = world.file("report.pdf", &noise(1_000_000, 1));
    let folder = world.path("own").join("photos");
    world.file("photos/one.png", &noise(300_000, 2));
    world.file("photos/deep/er/two.png", b"two");
    world.file("photos/none", b"");
    fs::create_dir(folder.join("empty")).unwrap();
    let tool = world.file("photos/tool.sh", b"#!/bin/sh\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("/etc/passwd", folder.join("link")).unwrap();

    let sent = world.lines(
        "mira",
        "mira",
        &["send", "--to", "noor", "--file", report.to_str().unwrap(), folder.to_str().unwrap()],
    );
    assert_eq!(sent[0]["state"], "stored");
    assert_eq!(sent[0]["title"], "report.pdf");
    assert_eq!(sent[0]["files"], 6);
    assert_eq!((&sent[0]["kind"], &sent[0]["programs"]), (&"several".into(), &true.into()));
    let listed = world.lines("mira", "mira", &["transfers"]);
    assert_eq!((&listed[0]["kind"], &listed[0]["programs"]), (&"several".into(), &true.into()));

    let into = world.folder("incoming");
    fs::write(into.join("report.pdf"), "something of noor's own").unwrap();
    let got = world.lines(
        "noor",
        "noor",
        &["receive", "--from", "mira", "--into", into.to_str().unwrap(), "--once"],
    );
    assert_eq!((got.len(), &got[0]["sender"]), (1, &"mira".into()));
    assert_eq!((&got[0]["kind"], &got[0]["programs"]), (&"several".into(), &true.into()));
    let expected = [
        "photos/deep/er/two.png",
        "photos/none",
        "photos/one.png",
        "photos/tool.sh",
        "report (2).pdf",
        "report.pdf",
    ];
    assert_eq!(found(&into), expected);
    assert_eq!(fs::read(into.join("report.pdf")).unwrap(), b"something of noor's own");
    assert!(fs::read(into.join("report (2).pdf")).unwrap() == noise(1_000_000, 1));
    assert!(fs::read(into.join("photos/one.png")).unwrap() == noise(300_000, 2));
    assert!(into.join("photos/empty").is_dir());
    let mode = |name: &str| fs::metadata(into.join(name)).unwrap().permissions().mode();
    assert_eq!(mode("photos/tool.sh") & 0o111, 0o111);
    assert_eq!(mode("photos/one.png") & 0o111, 0);
}

#[test]
fn what_is_sent_next_is_told_apart_from_what_was_received_meanwhile() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let into = world.folder("in");
    // The second takes longer to read than the log, which says that the first was received.
    for (name, bytes, all) in [("one", 5000, &["one"][..]), ("two", 30_000_000, &["one", "two"])] {
        let content = noise(bytes, 1);
        let file = world.file(name, &content);
        let send = ["send", "--to", "noor", "--file", file.to_str().unwrap()];
        let sent = world.lines("mira", "mira", &send);
        assert_eq!((&sent[0]["title"], &sent[0]["state"]), (&name.into(), &"stored".into()));
        let receive = ["receive", "--into", into.to_str().unwrap(), "--once"];
        let got = world.lines("noor", "noor", &receive);
        assert_eq!((got.len(), &got[0]["transfer"]), (1, &sent[0]["transfer"]));
        assert_eq!(found(&into), all);
        assert!(fs::read(into.join(name)).unwrap() == content);
    }
}

#[test]
fn a_group_gets_one_upload() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor", "otto"]);
    world.lines("mira", "mira", &["group", "create", "lab", "noor", "otto"]);
    let file = world.file("plan.txt", b"the plan");
    world.lines("mira", "mira", &["send", "--to", "+lab", "--file", file.to_str().unwrap()]);
    for user in ["noor", "otto"] {
        let into = world.folder(&format!("{user}.in"));
        let words = ["receive", "--into", into.to_str().unwrap(), "--once"];
        world.lines(user, user, &words);
        assert_eq!(found(&into), ["plan.txt"]);
    }
    // Everybody has it, so the server needs it no more.
    until("the server drops it", || found(&world.path("data").join("blobs")).is_empty());
}

#[test]
fn what_comes_and_goes_is_listed_and_may_be_ended() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let blobs = world.path("data").join("blobs");
    for (name, bytes) in [("one", 5000), ("two", 7000)] {
        let file = world.file(name, &noise(bytes, 1));
        world.lines("mira", "mira", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
    }
    let all = world.lines("mira", "mira", &["transfers"]);
    let check = |number: usize, title: &str| {
        let one = &all[number - 1];
        let seen = (&one["number"], &one["title"], &one["state"]);
        assert_eq!(seen, (&number.into(), &title.into(), &"stored".into()));
    };
    check(1, "one");
    check(2, "two");
    assert_eq!((&all[1]["bytes"], &all[1]["own"]), (&7000.into(), &true.into()));
    assert_eq!(all[0]["recipients"][0]["state"], "asked");

    let ended = world.lines("mira", "mira", &["transfers", "--cancel", "1"]);
    assert_eq!((&ended[0]["title"], &ended[0]["state"]), (&"one".into(), &"ended".into()));
    until("the server drops it", || found(&blobs).len() == 1);
    let second = all[1]["transfer"].as_str().unwrap();
    let ended = world.lines("mira", "mira", &["transfers", "--cancel", second]);
    assert_eq!((&ended[0]["title"], &ended[0]["reason"]), (&"two".into(), &"cancelled".into()));
    until("the server drops it", || found(&blobs).is_empty());
    let check = |which: &str, code: i32, says: &str| {
        let output = world.run("mira", "mira", &["transfers", "--cancel", which]);
        assert_eq!(output.status.code(), Some(code), "{which}");
        assert!(text(&output.stderr).contains(says), "{which}: {}", text(&output.stderr));
    };
    check("9", 2, "there is no such transfer");
    check(second, 5, "it is over");
}

#[test]
fn what_can_not_be_sent() {
    let mut world = World::new(&["--blob-quota", "1000000"]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let small = world.file("small", b"x");
    let large = world.file("large", &noise(2_000_000, 1));
    let (small, large) = (small.to_str().unwrap(), large.to_str().unwrap());
    let check = |to: &str, file: &str, code: i32, says: &str| {
        let output = world.run("mira", "mira", &["send", "--to", to, "--file", file]);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{to} {file}: {errors}");
        assert!(errors.contains(says), "{to} {file}: {errors}");
    };
    check("noor", "/nowhere/at/all", 2, "/nowhere/at/all: it is not there");
    check("noor", "/dev/null", 2, "neither a file nor a folder");
    check("#lobby", small, 2, "files go to a user or a +group");
    check("nobody", small, 5, "there is no account called nobody");
    check("noor", large, 5, "room");
    check("noor", small, 0, "");
}

#[test]
fn what_the_server_has_no_room_for_waits_for_its_recipient() {
    let mut world = World::new(&["--blob-quota", "1000000"]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let content = noise(2_000_000, 1);
    let large = world.file("large", &content);
    let send = ["send", "--to", "noor", "--file", large.to_str().unwrap()];
    // From here on noor may know where mira is.
    let direct = [&send[..], &["--direct", "--timeout", "1"]].concat();
    assert_eq!(world.run("mira", "mira", &direct).status.code(), Some(6));
    world.lines("mira", "mira", &["transfers", "--cancel", "1"]);

    let output = world.run("mira", "mira", &[&send[..], &["--timeout", "3"]].concat());
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{errors}");
    let waits = "the server has no room for large: waiting for 3 s for noor to take it directly";
    assert!(errors.contains(waits), "{errors}");
    assert!(errors.contains("the offer was withdrawn"), "{errors}");
    let all = world.lines("mira", "mira", &["transfers"]);
    let states = all.iter().map(|line| line["state"].as_str());
    assert!(states.into_iter().all(|state| state == Some("ended")), "{all:?}");

    // While it waits, noor comes.
    let sending = world.start("mira", "mira", &send);
    let into = world.folder("in");
    let into_name = into.to_str().unwrap();
    let receive = ["receive", "--into", into_name, "--once", "--direct"];
    let got = world.lines("noor", "noor", &receive);
    assert_eq!(got.len(), 1);
    assert!(fs::read(into.join("large")).unwrap() == content);
    assert_eq!(sending.json()["state"], "received");
}

#[test]
fn what_is_left_alone() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor", "otto"]);
    let file = world.file("note", &noise(5000, 1));
    for user in ["mira", "otto"] {
        world.lines(user, user, &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
    }
    let into = world.folder("in");
    let into = into.to_str().unwrap();
    let got = world.lines("noor", "noor", &["receive", "--from", "otto", "--into", into, "--once"]);
    assert_eq!(got[0]["sender"], "otto");
    let limited = ["receive", "--most", "4999", "--into", into, "--once", "--timeout", "3"];
    let output = world.run("noor", "noor", &limited);
    assert_eq!(output.status.code(), Some(6));
    assert!(text(&output.stderr).contains("left alone: note (5.0 kB) of mira"));
}

#[test]
fn what_could_not_be_kept_is_tried_again() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let file = world.file("note", &noise(5000, 1));
    let (into, transfers) = (world.folder("later"), world.path("noor").join("transfers"));
    // Whoever begins to receive makes it anew, after a look at the folder.
    let _ = fs::remove_dir_all(&transfers);
    let receiving = world.start("noor", "noor", &["receive", "--into", into.to_str().unwrap()]);
    until("it receives", || transfers.exists());
    fs::remove_dir(&into).unwrap();
    world.lines("mira", "mira", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
    // It has been tried by the time that this is there.
    until("it is taken", || !found(&transfers).is_empty());
    fs::create_dir(&into).unwrap();
    assert_eq!(receiving.json()["title"], "note");
    until("nothing else is left", || found(&into) == ["note"]);
}

#[test]
fn a_folder_or_a_person_that_is_not_there_is_told_at_once() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["noor"]);
    let into = world.path("nowhere");
    let output = world.run("noor", "noor", &["receive", "--into", into.to_str().unwrap()]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("nowhere: there is no such folder"), "{errors}");
    let into = world.folder("in");
    let from = ["receive", "--from", "mira", "--into", into.to_str().unwrap()];
    let output = world.run("noor", "noor", &from);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{errors}");
    assert!(errors.contains("there is no account called mira"), "{errors}");
}

#[test]
fn whoever_waits_for_a_file_is_told_for_which() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let file = world.file("large.bin", &noise(LARGE, 4));
    let into = world.folder("in");
    let blobs = world.path("data").join("blobs");
    let receive = ["receive", "--into", into.to_str().unwrap(), "--once", "--timeout", "12"];
    let check = |says: &str| {
        let (code, errors) = world.start("noor", "noor", &receive).ending();
        assert_eq!(code, Some(6), "{errors}");
        assert!(errors.contains(says), "{errors}");
        assert!(errors.contains("nothing has moved for 12 s"), "{errors}");
    };
    check("waiting for somebody to offer files");
    let send = ["send", "--to", "noor", "--file", file.to_str().unwrap()];
    let sending = world.start("mira", "mira", &send);
    until("some of it is on the server", || bytes_below(&blobs) > 1_000_000);
    sending.kill();
    assert!(bytes_below(&blobs) < LARGE as u64, "it was killed in the middle");
    check("waiting for mira to send large.bin (100.0 MB)");
    let small = world.file("small.bin", b"small");
    let to_noor = ["send", "--to", "noor", "--direct", "--timeout", "3", "--file"];
    let send = [&to_noor[..], &[small.to_str().unwrap()]].concat();
    let (code, errors) = world.start("mira", "mira", &send).ending();
    let stands =
        "nothing has moved for 3 s; the offer stands; `portcullis transfers --cancel` takes";
    assert!(code == Some(6) && errors.contains(stands), "{errors}");
}

#[test]
fn what_was_taken_before_is_left_alone_where_it_is_not_wanted() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor", "otto"]);
    let content = noise(LARGE, 2);
    let file = world.file("large.bin", &content);
    world.lines("mira", "mira", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
    let into = world.folder("in");
    let receive = ["receive", "--into", into.to_str().unwrap(), "--once"];
    let receiving = world.start("noor", "noor", &receive);
    until("some of it is here", || bytes_below(&into) > 0);
    receiving.kill();
    let here = bytes_below(&into);
    assert!(found(&into).iter().all(|name| name.starts_with('.')), "killed in the middle: {here}");

    let limits = [("by sender", ["--from", "otto"]), ("by size", ["--most", "5000"])];
    for (name, limit) in limits {
        let file = world.file(name, &noise(5000, 3));
        world.lines("otto", "otto", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);
        let output = world.run("noor", "noor", &[&receive[..], &limit].concat());
        let (lines, errors) = (text(&output.stdout), text(&output.stderr));
        assert_eq!((lines.lines().count(), output.status.code()), (1, Some(0)), "{lines}{errors}");
        assert_eq!(json(&lines)["title"], name);
        assert!(errors.contains("left alone: large.bin (100.0 MB) of mira"), "{errors}");
        fs::remove_file(into.join(name)).unwrap();
        assert_eq!(bytes_below(&into), here, "no more of the other");
    }

    assert_eq!(world.lines("noor", "noor", &receive)[0]["sender"], "mira");
    assert_eq!(found(&into), ["large.bin"]);
    assert!(fs::read(into.join("large.bin")).unwrap() == content);
}
