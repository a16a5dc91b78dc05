//! The terminal client as people use it.

use rustix::process::Signal;
use vt100::Color;

use crate::program::World;
use crate::pty::{PASSWORD, Pty};

#[test]
fn two_people_talk() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let folder = world.path("");
    let mut mira = Pty::register(&folder, &world.server(), "mira");
    mira.wait_for("#lobby");
    mira.keys("Is anybody here?\r");
    mira.wait_for("mira: Is anybody here?");

    let mut noor = Pty::register(&folder, &world.server(), "noor");
    noor.wait_for("mira: Is anybody here?");
    noor.keys("I am. 你好 👋\r");
    for pty in [&mut mira, &mut noor] {
        pty.wait_for("noor: I am. 你好 👋");
        pty.wait_for("● mira");
        pty.wait_for("● noor");
        pty.wait_for("signed, not encrypted");
    }
    mira.wait_for("2 online");

    mira.keys("/create #plan invitation\r");
    mira.wait_for("You are in #plan.");
    mira.keys("/invite noor\r");
    noor.wait_for("You are invited: /join #plan");
    noor.keys("/join plan\r");
    noor.wait_for("You are in #plan.");
    noor.keys("in private\r");
    mira.wait_for("noor: in private");
}

#[test]
fn safety_numbers_are_compared() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["noor"]);
    let mut mira = Pty::register(&world.path(""), &world.server(), "mira");
    mira.keys("/verify noor\r");
    mira.wait_for("Safety number with noor");
    mira.wait_for("Do they match?");
    let screen = mira.screen();
    let is_group = |word: &&str| word.len() == 5 && word.bytes().all(|byte| byte.is_ascii_digit());
    assert_eq!(screen.split_whitespace().filter(is_group).count(), 12, "{screen}");
    mira.keys("y");
    mira.wait_for("noor is verified.");
    mira.wait_for("✓○ noor");
    mira.keys("/list\r");
    mira.wait_for("1 here: mira");
    mira.wait_for("1 away: noor");
    mira.keys("/devices\r");
    mira.wait_for("(this one)");
}

#[test]
fn a_removed_device_asks_for_the_password() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (folder, server) = (world.path(""), world.server());
    let mut first = Pty::register(&folder, &server, "mira");
    let mut second = Pty::start(&folder, &["chat", "--server", &server, "--home", "second"], &[]);
    second.wait_for("Make a new account");
    // F2: I have an account.
    second.keys("\u{1b}OQ");
    second.wait_for("Log in on this new device");
    second.keys(&format!("mira\r{PASSWORD}\r"));
    second.wait_for("● online");
    first.wait_for("A device was added to your account");
    first.keys("/devices\r");
    first.wait_for("Your devices:");
    let screen = first.screen();
    let is_number = |word: &&str| word.len() == 8 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let words = || screen.split_whitespace().filter(is_number);
    let other = screen.lines().filter(|line| !line.contains("(this one)"));
    let other = other.flat_map(str::split_whitespace).find(is_number);
    assert_eq!(words().count(), 2, "{screen}");
    first.keys(&format!("/devices revoke {}\r", other.unwrap()));
    first.wait_for("Take a device off the list");
    first.keys(&format!("{PASSWORD}\r"));
    first.wait_for("The device was removed.");
    second.wait_for("Welcome back");
    second.wait_for("this device was removed from the account");
}

#[test]
fn a_home_is_unlocked_by_its_password_alone() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let folder = world.path("");
    let mut mira = Pty::register(&folder, &world.server(), "mira");
    mira.keys("remember this\r");
    mira.wait_until("sent", |screen| {
        screen.contains("mira: remember this") && !screen.contains("remember this …")
    });
    let server = world.server();
    let again = ["chat", "--server", &server, "--user", "mira"];
    // A second chat has no use for a home that is in use, unless that very one is asked for.
    let mut other = Pty::start(&folder, &["chat", "--server", &server], &[]);
    other.wait_for("Make a new account");
    let mut locked = Pty::start(&folder, &again, &[]);
    locked.wait_for("Welcome back");
    locked.keys(&format!("{PASSWORD}\r"));
    locked.wait_for("your home is in use by process");

    mira.keys("/quit\r");
    assert_eq!(mira.end(), 0);
    let mut mira = Pty::start(&folder, &["chat", "--server", &server], &[]);
    mira.wait_for("Welcome back");
    mira.wait_for("mira at ws://");
    mira.keys("not the password\r");
    mira.wait_for("✗ this password does not open your home");
    mira.keys(&format!("{PASSWORD}\r"));
    mira.wait_for("● online");
    mira.wait_for("mira: remember this");
}

#[test]
fn a_taken_name_leaves_no_home_behind() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["noor"]);
    let folder = world.path("");
    let mut pty = Pty::start(&folder, &["chat", "--server", &world.server()], &[]);
    pty.wait_for("Make a new account");
    pty.keys(&format!("noor\r{PASSWORD}\r{PASSWORD}\r"));
    pty.wait_for("✗");
    pty.wait_for("taken");
    drop(pty);
    let mut pty = Pty::start(&folder, &["chat", "--server", &world.server()], &[]);
    pty.wait_for("Make a new account");
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let mut world = World::new(&[]);
    let server = world.serve();
    let mut mira = Pty::register(&world.path(""), &world.server(), "mira");
    server.kill();
    mira.wait_for("connection lost");
    mira.keys("said meanwhile\r");
    mira.wait_for("mira: said meanwhile …");
    let _server = world.serve();
    mira.wait_for("● online");
    mira.wait_until("sent", |screen| !screen.contains("said meanwhile …"));
    assert_eq!(mira.screen().matches("said meanwhile").count(), 1, "{}", mira.screen());
    world.register(&["noor"]);
    let lines = world.lines("noor", "noor", &["tail", "--from", "1", "--count", "1"]);
    assert_eq!(lines[0]["text"], "said meanwhile");
}

#[test]
fn what_others_send_is_shown_and_not_obeyed() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["noor"]);
    let mut mira = Pty::register(&world.path(""), &world.server(), "mira");
    let hostile = "a\u{1b}]0;pwned\u{7}b\u{1b}[2Jc \u{202e}abc end";
    world.lines("noor", "noor", &["send", "--to", "#lobby", hostile]);
    mira.wait_for("⟦U+202E⟧abc end");
    mira.wait_for("a␛]0;pwned␇b␛[2Jc");
    let written = String::from_utf8_lossy(&mira.written).into_owned();
    for obeyed in ["\u{1b}]0;pwned", "\u{1b}[2Jc", "\u{202e}"] {
        assert!(!written.contains(obeyed), "{obeyed:?} reached the terminal");
    }
}

#[test]
fn colours_are_few_and_can_be_none() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let start = |name: &str, environment: &[(&str, &str)]| {
        let arguments = ["chat", "--server", &world.server(), "--user", name];
        let mut pty = Pty::start(&world.path(""), &arguments, environment);
        pty.fill_in(name);
        pty.keys("colourful\r");
        pty.wait_for(&format!("{name}: colourful"));
        pty
    };
    let mut mira = start("mira", &[("TERM", "xterm")]);
    mira.wait_for_colour();
    let sixteen = |colour: &Color| matches!(colour, Color::Default | Color::Idx(0..16));
    assert!(mira.colours().iter().all(sixteen), "{:?}", mira.colours());
    let noor = start("noor", &[("NO_COLOR", "1")]);
    assert!(noor.colours().iter().all(|colour| *colour == Color::Default));
}

#[test]
fn any_size_will_do() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let mut mira = Pty::register(&world.path(""), &world.server(), "mira");
    mira.keys("still here\r");
    mira.wait_for("mira: still here");
    for (rows, cols) in [(12, 40), (4, 20), (50, 200), (1, 1), (24, 80)] {
        mira.resize(rows, cols);
        let shown = if rows > 3 { "still" } else { "" };
        mira.wait_for(shown);
    }
    // What was drawn for another size has no such row at this one's edge.
    mira.wait_for("F1 help");
    mira.keys("/help\r");
    mira.wait_for("┌─ Help ");
    mira.wait_for("/create #NAME [open|invitation]");
    // All of it: Escape and the key after it would be one key.
    mira.wait_until("the help alone", |screen| !screen.contains("still here"));
    mira.keys("\u{1b}");
    mira.wait_for("mira: still here");
    mira.keys("/nonsense\r");
    mira.wait_for("/help");
}

#[test]
fn the_terminal_is_given_back() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let folder = world.path("");
    let check = |name: &str, leave: fn(&mut Pty)| {
        let mut pty = Pty::register(&folder, &world.server(), name);
        assert!(pty.is_alternate());
        leave(&mut pty);
        assert_eq!(pty.end(), 0, "{name}");
        assert!(!pty.is_alternate(), "{name}");
        let written = String::from_utf8_lossy(&pty.written).into_owned();
        // Bracketed paste off, and the cursor shown.
        assert!(written.contains("\u{1b}[?2004l") && written.ends_with("\u{1b}[?25h"), "{name}");
    };
    check("mira", |pty| {
        pty.keys("\u{3}");
        pty.wait_for("Ctrl-C again quits");
        pty.keys("\u{3}");
    });
    check("noor", |pty| pty.signal(Signal::TERM));
    check("omar", |pty| pty.signal(Signal::HUP));
}
