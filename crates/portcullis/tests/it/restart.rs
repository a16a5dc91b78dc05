//! The server goes and comes back, and nobody has to do anything about it.

use crate::program::World;

#[test]
fn tails_and_sends_outlive_a_restart() {
    let mut world = World::new(&[]);
    let server = world.serve();
    world.register(&["mira", "noor"]);
    let tail = world.start("noor", "noor", &["tail"]);
    let mut sending = world.start("mira", "mira", &["send", "--to", "#lobby", "-"]);
    sending.say("before");
    assert_eq!(sending.json()["seq"], 1);
    assert_eq!(tail.json()["text"], "before");

    assert_eq!(server.terminate(), Some(0));
    sending.say("meanwhile");
    let second = world.start("noor", "second", &["send", "--to", "#lobby", "from another"]);
    let _server = world.serve();
    let mut seqs = [&sending, &second].map(|process| process.json()["seq"].as_u64().unwrap());
    seqs.sort_unstable();
    assert_eq!(seqs, [2, 3]);
    assert_eq!(second.end(), Some(0));
    for seq in [2, 3] {
        assert_eq!(tail.json()["seq"], seq);
    }
    sending.say("after");
    assert_eq!(sending.json()["seq"], 4);
    assert_eq!(tail.json()["text"], "after");
    assert_eq!(sending.end(), Some(0));
}

#[test]
fn what_a_killed_send_left_goes_first() {
    let mut world = World::new(&[]);
    let server = world.serve();
    world.register(&["mira"]);
    let mut sending = world.start("mira", "mira", &["send", "--to", "#lobby", "-"]);
    sending.say("one");
    assert_eq!(sending.json()["seq"], 1);
    assert_eq!(server.terminate(), Some(0));
    // A line is kept in the home before anything else is done with it; what waits has rows of kind 5.
    let home = rusqlite::Connection::open(world.path("mira").join("home.db")).unwrap();
    let waiting = || -> i64 {
        let rows = "SELECT count(*) FROM records WHERE substr(hex(key), 1, 2) = '05'";
        home.query_row(rows, (), |row| row.get(0)).unwrap()
    };
    assert_eq!(waiting(), 0);
    sending.say("two");
    let until = std::time::Instant::now() + crate::program::DEADLINE;
    while waiting() == 0 {
        assert!(std::time::Instant::now() < until, "the line is kept in time");
        std::thread::yield_now();
    }
    sending.kill();

    let _server = world.serve();
    let sent = world.lines("mira", "mira", &["send", "--to", "#lobby", "three"]);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0]["seq"], 3);
    let lines = world.lines("mira", "second", &["tail", "--count", "3"]);
    let texts: Vec<_> = lines.iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
}
