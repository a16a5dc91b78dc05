//! Peers that don't read, don't answer, or say nothing.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use portcullis_server::socket::{Greeting, Settings};

use crate::echo::{EchoServer, GREETED};
use crate::repeat::Repeat;
use crate::running::RunningServer;
use crate::wire::{Client, Frame, PING, PONG, TEXT, frame, upgrade};

const QUEUE: usize = 1 << 20;

#[test]
fn a_slow_reader_loses_live_events_and_is_told_but_loses_no_reply() {
    let server = EchoServer::start(Settings { queue: QUEUE, ..Settings::default() });
    let mut slow = Client::open(server.address, "/connect");
    // 32 MiB: more than the kernel's buffers and the queue take together.
    slow.send(&frame(TEXT, b"flood 512"));
    slow.send(&frame(TEXT, b"after"));
    // Whoever begins to read before the queue is full may get everything.
    let deadline = Instant::now() + Duration::from_secs(30);
    while server.metrics.lagged.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "the queue never filled");
        std::thread::yield_now();
    }
    let mut neighbour = Client::open(server.address, "/connect");
    neighbour.send(&frame(TEXT, b"not harmed"));
    assert_eq!(neighbour.next(), Some(Frame::new(TEXT, b"not harmed")));
    let mut live = 0;
    let mut others = Vec::new();
    while others.len() < 3 {
        let next = slow.next().unwrap();
        if next.payload.len() == 64 * 1024 {
            live += 1;
        } else {
            others.push(String::from_utf8(next.payload).unwrap());
        }
    }
    assert!(live < 512, "nothing was dropped");
    others.sort();
    assert_eq!(others, ["after", "flood 512", r#"{"event":"lagging"}"#]);
    // Live again.
    slow.send(&frame(TEXT, b"flood 1"));
    assert_eq!(slow.next().unwrap().payload.len(), 64 * 1024);
    assert_eq!(slow.next(), Some(Frame::new(TEXT, b"flood 1")));
}

#[test]
fn who_asks_and_never_reads_is_not_read_from() {
    let server = EchoServer::start(Settings { queue: QUEUE, ..Settings::default() });
    let mut greedy = Client::open(server.address, "/connect");
    let writer = greedy.socket.try_clone().unwrap();
    let payload = vec![b'x'; 100_000];
    let question = frame(TEXT, &payload);
    let asking = std::thread::spawn(move || {
        let mut greedy = Client { socket: writer };
        for _ in 0..400 {
            greedy.send(&question);
        }
    });
    // 40 MiB of answers would be past the hard bound, were they not waited for.
    for _ in 0..400 {
        assert_eq!(greedy.next().unwrap().payload.len(), payload.len());
    }
    asking.join().unwrap();
}

#[test]
fn the_silent_are_pinged_and_the_dead_are_cut() {
    let server = EchoServer::start(Settings {
        sweep_every: Duration::from_millis(10),
        ping_after: Duration::from_millis(200),
        dead_after: Duration::from_millis(1_000),
        ..Settings::default()
    });
    let mut silent = Client::open(server.address, "/connect");
    let mut alive = Client::open(server.address, "/connect");
    for _ in 0..7 {
        assert_eq!(alive.next(), Some(Frame::new(PING, b"")));
        alive.send(&frame(PONG, b""));
    }
    let pings = silent.rest();
    assert!(pings.iter().all(|frame| *frame == Frame::new(PING, b"")));
    assert!((1..=5).contains(&pings.len()), "{} pings", pings.len());
}

/// Where all places are taken, those who have said nothing give way, the oldest first; then nobody.
#[test]
fn silence_keeps_nobody_out() {
    let greeting = Some(Greeting::default());
    let for_guests = Settings { greeting, connections: 3, ..Settings::default() };
    let server = EchoServer::start_with(Settings::default(), for_guests);
    let open = || Client::open(server.address, "/");
    let hello = |client: &mut Client| {
        client.send(&frame(TEXT, b"hello"));
        assert_eq!(client.next(), Some(Frame::new(TEXT, b"hello")));
    };
    let [mut first, mut known, mut second] = [open(), open(), open()];
    hello(&mut known);
    let mut third = open();
    assert_eq!(first.rest().first().and_then(Frame::code), Some(1013));
    hello(&mut third);
    let mut fourth = open();
    assert_eq!(second.rest().first().and_then(Frame::code), Some(1013));
    hello(&mut fourth);
    let mut fifth = Client::dial(server.address);
    fifth.send(upgrade("/").as_bytes());
    assert!(fifth.head().starts_with("HTTP/1.1 503 "));
    [&mut known, &mut third, &mut fourth].into_iter().for_each(hello);
    let guests = &server.metrics.guests;
    let counted = [&guests.gave_way, &guests.turned_away].map(|it| it.load(Ordering::Relaxed));
    assert_eq!(counted, [2, 1]);
}

#[test]
fn whoever_never_says_who_it_is_is_closed() {
    let within = Duration::from_secs(2);
    let server = EchoServer::start(Settings {
        sweep_every: Duration::from_millis(10),
        greeting: Some(Greeting { within, ..Greeting::default() }),
        ..Settings::default()
    });
    let mut known = Client::open(server.address, "/connect");
    known.send(&frame(TEXT, b"hello"));
    assert_eq!(known.next(), Some(Frame::new(TEXT, b"hello")));
    let mut silent = Client::open(server.address, "/connect");
    let mut chatty = Client::open(server.address, "/connect");
    chatty.send(&frame(TEXT, b"nothing useful"));
    assert_eq!(chatty.next(), Some(Frame::new(TEXT, b"nothing useful")));
    for client in [&mut silent, &mut chatty] {
        assert_eq!(client.rest().last().and_then(Frame::code), Some(1008));
    }
    assert_eq!(server.metrics.unmet.load(Ordering::Relaxed), 2);
    known.send(&frame(TEXT, b"still here"));
    assert_eq!(known.next(), Some(Frame::new(TEXT, b"still here")));
}

/// Half messages: whole frames of one that goes on, a part of one frame, and only its announcement.
#[test]
fn long_messages_are_for_those_who_have_said_who_they_are() {
    let greeting = Some(Greeting::default());
    let server = EchoServer::start(Settings { greeting, ..Settings::default() });
    let long = vec![b'x'; 30_000];
    let first = |opcode: u8, length: usize| frame(opcode, &vec![b'x'; length]);
    // A text that goes on, and its continuation.
    let (begins, goes_on) = (TEXT & 0x7f, 0x00);
    let check = |what: &str, pieces: &[&[u8]], expected: Option<u16>| {
        let mut client = Client::open(server.address, "/connect");
        pieces.iter().for_each(|piece| client.send(piece));
        let heard = client.next().unwrap();
        assert_eq!(heard.code(), expected, "{what}");
    };
    check("announced", &[&frame(TEXT, &long)[..8]], Some(1009));
    check("nearly all", &[&frame(TEXT, &long)[..29_000]], Some(1009));
    let parts = [first(begins, 4_000), first(goes_on, 4_000), first(goes_on, 4_000)];
    check("in parts", &parts.each_ref().map(Vec::as_slice), Some(1009));
    check("whole, in one packet", &[&first(TEXT, 10_000)], Some(1009));
    check("short", &[&first(TEXT, 5_000)], None);
    check("short ones", &[&first(TEXT, 5_000), &first(TEXT, 5_000), &first(TEXT, 5_000)], None);
    // Whoever has said who it is may go on at once.
    let mut known = Client::open(server.address, "/connect");
    known.send(&[frame(TEXT, b"hello"), frame(TEXT, &long)].concat());
    assert_eq!(known.next(), Some(Frame::new(TEXT, b"hello")));
    assert_eq!(known.next(), Some(Frame::new(TEXT, &long)));
    assert_eq!(server.metrics.too_long.load(Ordering::Relaxed), 4);
}

/// What was said of itself says how long its messages may be, be they whole or in parts; pings are none.
#[test]
fn how_long_messages_may_be_depends_on_who_it_is() {
    let (greeting, message) = (Some(Greeting::default()), 1 << 20);
    let server = EchoServer::start(Settings { greeting, message, ..Settings::default() });
    let longest = vec![b'x'; GREETED];
    let too_long = vec![b'x'; GREETED + 1];
    let halves = |payload: &[u8]| {
        let (one, other) = payload.split_at(payload.len() / 2);
        [frame(TEXT & 0x7f, one), frame(0x80, other)].concat()
    };
    let check = |hello: &[u8], sent: Vec<u8>, payload: &[u8], accepted: bool| {
        let mut client = Client::open(server.address, "/connect");
        client.send(&frame(TEXT, hello));
        assert_eq!(client.next(), Some(Frame::new(TEXT, hello)));
        for _ in 0..GREETED / 100 {
            client.send(&frame(PING, &[b'.'; 120]));
            assert_eq!(client.next(), Some(Frame::new(PONG, [b'.'; 120])));
        }
        client.send(&sent);
        let heard = client.next().unwrap();
        let expected = if accepted { None } else { Some(1009) };
        assert_eq!(heard.code(), expected, "{} bytes after {hello:?}", payload.len());
        assert!(!accepted || heard.payload == payload);
    };
    for (hello, payload, accepted) in [
        (&b"hello"[..], &longest, true),
        (b"hello", &too_long, false),
        (b"hello from a server", &too_long, true),
    ] {
        check(hello, frame(TEXT, payload), payload, accepted);
        check(hello, halves(payload), payload, accepted);
    }
}

#[test]
fn who_says_nothing_at_all_is_hung_up_on() {
    let server =
        EchoServer::start(Settings { handshake: Duration::from_millis(50), ..Settings::default() });
    assert_eq!(Client::dial(server.address).next(), None);
    let mut slow = Client::dial(server.address);
    slow.send(b"GET /connect HTTP/1.1\r\nHost: loc");
    assert!(slow.rest().iter().all(|frame| frame.first == b'H'));
}

#[test]
fn a_server_whose_domain_has_failed_ends() {
    let server = RunningServer::start(Repeat, Settings::default());
    let mut client = Client::open(server.address, "/connect");
    client.send(&frame(TEXT, b"panic"));
    assert_eq!(client.next(), Some(Frame::new(TEXT, br#"{"event":"stopping"}"#)));
    drop(client);
    assert!(server.outcome().is_err());
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_cut() {
    let server = EchoServer::start(Settings {
        sweep_every: Duration::from_millis(10),
        linger: Duration::from_millis(100),
        ..Settings::default()
    });
    let mut client = Client::open(server.address, "/connect");
    client.send(&frame(0x82, b"binary"));
    let frames = client.rest();
    assert_eq!(frames.len(), 1);
    assert_eq!(frames[0].code(), Some(1003));
    // Our side is still open: only the server can have ended this.
    while server.sockets.count() > 0 {
        std::thread::yield_now();
    }
}
