//! `chat --classroom`: visitors of a classroom server, here of our own.

use rustix::process::Signal;

use crate::program::World;
use crate::pty::Pty;

/// Starts a visit, with the home of this name.
fn visit(world: &World, home: &str, more: &[&str]) -> Pty {
    let home = world.path(home);
    let server = world.server();
    let visit = ["chat", "--classroom", &server, "--home", home.to_str().unwrap()];
    let mut pty = Pty::start(&world.path(""), &[&visit, more].concat(), &[]);
    pty.wait_for("● online");
    pty.wait_for("a visitor");
    pty
}

/// What others call a visitor: it stands in the status line.
fn name(pty: &Pty) -> String {
    let screen = pty.screen();
    let words: Vec<&str> = screen.split_whitespace().collect();
    let own = words.windows(3).find(|words| words[1..] == ["·", "a"]);
    own.map(|words| words[0].to_owned()).unwrap_or_else(|| panic!("no name\n{screen}"))
}

#[test]
fn two_visitors_talk() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (mut mira, mut noor) = (visit(&world, "mira", &[]), visit(&world, "noor", &[]));
    let names = [name(&mira), name(&noor)];
    mira.wait_for("Nobody vouches");
    mira.keys("Is anybody here?\r");
    noor.wait_for("Is anybody here?");
    noor.keys("I am. 你好\r");
    mira.wait_for("I am. 你好");
    for pty in [&mut mira, &mut noor] {
        pty.wait_for("signed, not encrypted");
    }

    mira.keys(&format!("/msg {} between us\r", names[1]));
    mira.wait_for("between us");
    mira.wait_for("encrypted: classic");
    noor.keys(&format!("/msg {} only us\r", names[0]));
    noor.wait_for("between us");
    mira.wait_for("only us");
    // From elsewhere too, it is shown.
    mira.keys("\u{1b}1");
    mira.wait_for("Nobody vouches");
    mira.keys(&format!("/msg {} and once more\r", names[1]));
    mira.wait_for("and once more");
    noor.wait_for("and once more");
    mira.keys("/help\r");
    mira.wait_until("the help of a visit", |screen| {
        screen.contains("/msg ~NAME") && !screen.contains("/group")
    });
    // All of it: Escape and the key after it would be one key.
    mira.keys("\u{1b}");
    mira.wait_until("no help", |screen| !screen.contains("/msg ~NAME"));
    mira.keys("/list\r");
    // The gateway, by which accounts speak, is one of them.
    mira.wait_for("2 here:");
    mira.keys("/create #plan\r");
    mira.wait_for("a classroom server knows texts alone");
    mira.keys("\u{15}/msg ~aaaabbbbccccdddd hello\r");
    mira.wait_for("~aaaabbbbccccdddd is not here");
}

#[test]
fn a_visitor_comes_back_with_the_same_key() {
    let mut world = World::new(&[]);
    let server = world.serve();
    let (mut mira, mut noor) = (visit(&world, "mira", &[]), visit(&world, "noor", &[]));
    let own = name(&mira);
    mira.keys("said before\r");
    noor.wait_for("said before");
    mira.signal(Signal::TERM);
    assert_eq!(mira.end(), 0);
    let mut mira = visit(&world, "mira", &["--dialect", "sorted-dumps-longest"]);
    assert_eq!(name(&mira), own);
    mira.wait_for("said before");
    mira.keys("said after\r");
    noor.wait_for("said after");

    server.kill();
    mira.wait_for("connection lost");
    mira.keys("said meanwhile\r");
    mira.wait_for("said meanwhile …");
    let _server = world.serve();
    mira.wait_until("sent", |screen| {
        screen.contains("● online") && !screen.contains("said meanwhile …")
    });
}

#[test]
fn what_a_visitor_has_not_said_yet_is_said_by_the_next_visit() {
    let mut world = World::new(&[]);
    let server = world.serve();
    let mut mira = visit(&world, "mira", &[]);
    server.kill();
    mira.wait_for("connection lost");
    mira.keys("said before I left\r");
    mira.wait_for("said before I left …");
    mira.signal(Signal::TERM);
    assert_eq!(mira.end(), 0);
    let _server = world.serve();
    let mut noor = visit(&world, "noor", &[]);
    let mut mira = visit(&world, "mira", &[]);
    noor.wait_for("said before I left");
    mira.wait_until("said once", |screen| {
        screen.matches("said before I left").count() == 1
            && !screen.contains("said before I left …")
    });
}

#[test]
fn a_visitor_and_an_account_meet_in_the_lobby() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["noor"]);
    let tail = world.start("noor", "noor", &["tail", "--in", "#lobby"]);
    let mut visitor = visit(&world, "visitor", &[]);
    visitor.keys("hello, accounts\r");
    let line = tail.json();
    assert_eq!(
        (&line["sender"], &line["text"]),
        (&name(&visitor).into(), &"hello, accounts".into())
    );
    drop(tail);
    world.lines("noor", "noor", &["send", "--to", "#lobby", "hello, visitor"]);
    visitor.wait_for("noor: hello, visitor");
}

#[test]
fn an_account_is_told_how_a_guest_gets_a_file() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let visitor = visit(&world, "visitor", &[]);
    let mut noor = Pty::register(&world.path(""), &world.server(), "noor");
    noor.keys(&format!("/msg {} hello\r", name(&visitor)));
    noor.wait_for("encrypted: classic");
    noor.keys("/file report.pdf\r");
    noor.wait_for("/api/upload");
}

#[test]
fn what_is_no_classroom_server_is_said_to_be_none() {
    let mut world = World::new(&["--guests", "no"]);
    let _server = world.serve();
    let (server, folder) = (world.server(), world.path(""));
    let mut pty = Pty::start(&folder, &["chat", "--classroom", &server], &[]);
    pty.wait_for("is no use in trying again");
    // Where nothing else was asked for, the home is one for each server.
    let place = server.strip_prefix("ws://").unwrap().replace(':', "-");
    assert!(folder.join("homes/portcullis/classroom").join(place).join("home.key").exists());
}
