//! What a newcomer stumbles over: being taken out of a group, a wrong password, names that are one's own.

use crate::program::World;
use crate::pty::{PASSWORD, Pty};

#[test]
fn what_is_typed_for_a_group_is_never_said_to_everybody() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let folder = world.path("");
    let mut mira = Pty::register(&folder, &world.server(), "mira");
    let mut noor = Pty::register(&folder, &world.server(), "noor");
    mira.keys("/group lab noor\r");
    mira.wait_for("+lab ❯");
    noor.wait_for("mira has brought you into +lab");
    // Alt-2: the second of the list.
    noor.keys("\u{1b}2");
    noor.wait_for("+lab ❯");
    noor.keys("the secret is");
    mira.keys("/kick noor\r");
    noor.wait_for("You are no longer in +lab: mira");
    noor.keys(" hunter2\r");
    noor.wait_for("Alt-Up and Alt-Down open another");
    assert!(noor.screen().contains("+lab ❯ the secret is hunter2"), "{}", noor.screen());
    mira.keys("/kick mira\r");
    mira.wait_for("that is you");
    noor.keys("\u{15}/all good morning\r");
    mira.keys("\u{3}\u{1b}1");
    mira.wait_for("noor: good morning");
    assert!(!mira.screen().contains("hunter2"), "{}", mira.screen());
    // What was said in the group stays in reach.
    noor.keys("\u{1b}1");
    noor.wait_for("#lobby ❯");
    noor.keys("\u{1b}2");
    noor.wait_for("+lab ❯");
}

#[test]
fn a_wrong_password_is_asked_for_again_where_nobody_reads_it() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let mut mira = Pty::register(&world.path(""), &world.server(), "mira");
    let change = |old: &str| format!("{old}\ra new and long one\ra new and long one\r");
    mira.keys("/password\r");
    mira.wait_for("Change your password");
    mira.keys(&change("not this one"));
    mira.wait_until("a refusal in the form", |screen| {
        screen.contains("Change your password") && screen.contains('✗')
    });
    mira.keys(&change(PASSWORD));
    mira.wait_for("The password is changed.");
    mira.wait_until("no form", |screen| !screen.contains("Change your password"));
    assert!(!mira.screen().contains("mira:"), "{}", mira.screen());
}

#[test]
fn a_chat_goes_on_where_it_was_left() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let folder = world.path("");
    let mut mira = Pty::register(&folder, &world.server(), "mira");
    for name in ["one", "two", "three"] {
        mira.keys(&format!("/create #{name}\r"));
        mira.wait_for(&format!("#{name} ❯"));
    }
    // The list goes by names: #lobby, #one, #three, #two.
    mira.keys("\u{1b}3");
    mira.wait_for("#three ❯");
    mira.keys("/quit\r");
    assert_eq!(mira.end(), 0);
    let server = world.server();
    let mut mira = Pty::start(&folder, &["chat", "--server", &server, "--user", "mira"], &[]);
    mira.wait_for("Welcome back");
    mira.keys(&format!("{PASSWORD}\r"));
    mira.wait_for("#three ❯");
}

#[test]
fn verbs_tell_oneself_from_others() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    world.lines("mira", "mira", &["group", "create", "team", "noor"]);
    let check = |verb: &[&str], expected: Option<i32>, words: &str| {
        let (code, errors) = world.start("mira", "mira", verb).ending();
        assert_eq!(code, expected, "{verb:?}: {errors}");
        assert!(errors.contains(words), "{verb:?}: {errors}");
    };
    check(&["group", "remove", "team", "mira"], Some(2), "that is you");
    check(&["send", "--to", "#lobby", ""], Some(2), "nothing to send");
    check(&["tail", "--in", "nosuch"], Some(8), "if there is such an account");
    assert!(world.lines("mira", "mira", &["guests"]).is_empty());
    for (switch, allowed) in [("off", false), ("on", true)] {
        let line = &world.lines("mira", "mira", &["guests", switch])[0];
        assert_eq!(line["guests_allowed"], allowed);
    }
}
