//! Every breach of RFC 6455 is met by its close code, and harms nobody else.

use portcullis_server::socket::Settings;

use crate::echo::EchoServer;
use crate::wire::{BINARY, CLOSE, Client, Frame, PING, PONG, TEXT, frame, header};

/// Bytes of the longest message the server under test takes.
const LONGEST: usize = 100_000;

fn server() -> EchoServer {
    EchoServer::start(Settings { message: LONGEST, ..Settings::default() })
}

fn close_payload(code: u16, reason: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], reason].concat()
}

/// What the server sends back before it closes, and the code it closes with.
fn check(server: &EchoServer, what: &str, sent: &[&[u8]], answers: &[Frame], code: Option<u16>) {
    let mut client = Client::open(server.address, "/connect");
    client.send(&sent.concat());
    let mut frames = client.rest();
    let last = frames.pop().unwrap_or_else(|| panic!("{what}: hung up without a close frame"));
    assert_eq!(last.first, CLOSE, "{what}");
    assert_eq!(last.code(), code, "{what}: {}", String::from_utf8_lossy(&last.payload));
    assert_eq!(frames, answers, "{what}");
}

#[test]
fn breaches_of_framing_close_with_1002() {
    let server = server();
    let breach = |what: &str, sent: &[&[u8]]| check(&server, what, sent, &[], Some(1002));
    breach("an unmasked frame", &[&header(TEXT, 0, 2), b"hi"]);
    breach("reserved bit 1", &[&frame(TEXT | 0x40, b"hi")]);
    breach("reserved bit 2", &[&frame(TEXT | 0x20, b"hi")]);
    breach("reserved bit 3", &[&frame(TEXT | 0x10, b"hi")]);
    breach("a reserved bit in a ping", &[&frame(PING | 0x40, b"hi")]);
    for opcode in [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf] {
        breach(&format!("reserved opcode {opcode:#x}"), &[&frame(0x80 | opcode, b"hi")]);
    }
    breach("a fragmented ping", &[&frame(PING & 0x7f, b"hi")]);
    breach("a fragmented close", &[&frame(CLOSE & 0x7f, &close_payload(1000, b""))]);
    breach("a ping of 126 bytes", &[&frame(PING, &[b'x'; 126])]);
    breach("a close of 126 bytes", &[&frame(CLOSE, &close_payload(1000, &[b'x'; 124]))]);
    breach("a continuation of nothing", &[&frame(0x80, b"hi")]);
    breach("a first continuation of nothing", &[&frame(0x00, b"hi")]);
    breach("a text inside a text", &[&frame(0x01, b"a"), &frame(TEXT, b"b")]);
    breach("a binary inside a text", &[&frame(0x01, b"a"), &frame(BINARY, b"b")]);
    breach("a length with the highest bit", &[&[TEXT, 0xff], &(1u64 << 63).to_be_bytes(), &[0; 4]]);
    breach("the greatest length", &[&[TEXT, 0xff], &u64::MAX.to_be_bytes(), &[0; 4]]);
}

#[test]
fn breaches_of_closing_close_with_1002() {
    let server = server();
    let breach = |what: &str, payload: &[u8], code| {
        check(&server, what, &[&frame(CLOSE, payload)], &[], code);
    };
    breach("a close of one byte", &[3], Some(1002));
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        breach(&format!("close code {code}"), &close_payload(code, b""), Some(1002));
    }
    breach("a close reason that is not UTF-8", &close_payload(1000, &[0xff]), Some(1007));
    // These are sound, and answered in kind.
    breach("a close of nothing", &[], None);
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        breach(&format!("close code {code}"), &close_payload(code, b"bye"), Some(code));
    }
}

#[test]
fn what_is_not_text_is_closed_with_its_own_code() {
    let server = server();
    let breach = |what: &str, sent: &[&[u8]], code| check(&server, what, sent, &[], Some(code));
    breach("binary", &[&frame(BINARY, b"hi")], 1003);
    breach("binary in fragments", &[&frame(0x02, b"h"), &frame(0x80, b"i")], 1003);
    for bytes in [
        &[0xff][..],
        &[0xc0, 0x80],
        &[0xed, 0xa0, 0x80],
        &[0xf4, 0x90, 0x80, 0x80],
        &[0xe2, 0x82],
        &[b'a', 0x80],
    ] {
        breach(&format!("text {bytes:x?}"), &[&frame(TEXT, bytes)], 1007);
    }
    let split = [&frame(0x01, &[0xe2, 0x82])[..], &frame(0x80, b"x")];
    breach("a character broken off by the next fragment", &split, 1007);
    breach("a character cut by the end", &[&frame(0x01, &[0xe2, 0x82]), &frame(0x80, b"")], 1007);
    breach("bad bytes before the message has ended", &[&frame(0x01, &[0xff])], 1007);
    breach("a frame too long", &[&header(TEXT, 0x80, LONGEST as u64 + 1), &[0; 4]], 1009);
    let half = vec![b'x'; LONGEST / 2 + 1];
    breach("fragments too long together", &[&frame(0x01, &half), &frame(0x80, &half)], 1009);
}

#[test]
fn sound_frames_are_answered_however_they_are_sent() {
    let server = server();
    let bye = frame(CLOSE, &close_payload(1000, b""));
    let sound = |what: &str, sent: &[&[u8]], answers: &[Frame]| {
        check(&server, what, &[&sent.concat(), &bye], answers, Some(1000));
    };
    let hundred = (0..100).map(|n| n.to_string()).collect::<Vec<_>>();
    let packet = hundred.iter().flat_map(|n| frame(TEXT, n.as_bytes())).collect::<Vec<_>>();
    let echoed = hundred.iter().map(|n| Frame::new(TEXT, n)).collect::<Vec<_>>();
    sound("a hundred frames in one packet", &[&packet], &echoed);
    sound("nothing", &[&frame(TEXT, b"")], &[Frame::new(TEXT, b"")]);
    sound("a ping", &[&frame(PING, b"you?")], &[Frame::new(PONG, b"you?")]);
    sound("a pong nobody asked for", &[&frame(PONG, b"me!")], &[]);
    let longest = vec![b'x'; LONGEST];
    sound("the longest", &[&frame(TEXT, &longest)], &[Frame::new(TEXT, &longest)]);
    let fragments = [&frame(0x01, &[0xe2])[..], &frame(0x00, &[0x82]), &frame(0x80, &[0xac])];
    sound("a character over three fragments", &fragments, &[Frame::new(TEXT, "€")]);
    let interleaved = [&frame(0x01, b"a")[..], &frame(PING, b"!"), &frame(0x80, b"b")];
    let answers = [Frame::new(TEXT, b"ab"), Frame::new(PONG, b"!")];
    // The pong may go first: it doesn't wait for the message.
    let mut client = Client::open(server.address, "/connect");
    client.send(&[&interleaved.concat()[..], &bye].concat());
    let mut frames = client.rest();
    frames.pop();
    frames.sort_by_key(|frame| frame.first);
    assert_eq!(frames, answers);
}

#[test]
fn a_peer_that_leaves_in_the_middle_harms_nobody() {
    let server = server();
    let whole = [frame(0x01, b"one "), frame(PING, b"x"), frame(0x80, b"two")].concat();
    let mut neighbour = Client::open(server.address, "/connect");
    for cut in 0..whole.len() {
        let mut client = Client::open(server.address, "/connect");
        client.send(&whole[..cut]);
        client.socket.shutdown(std::net::Shutdown::Write).unwrap();
        let answered = client.rest();
        assert!(answered.iter().all(|frame| frame.first == PONG), "cut at {cut}: {answered:?}");
        neighbour.send(&frame(TEXT, b"still here"));
        assert_eq!(neighbour.next(), Some(Frame::new(TEXT, b"still here")));
    }
}

#[test]
fn a_frame_cut_at_every_byte_arrives_whole() {
    let server = server();
    let whole = [frame(0x01, b"one "), frame(0x80, "two €".as_bytes())].concat();
    let mut client = Client::open(server.address, "/connect");
    for byte in &whole {
        client.send(&[*byte]);
    }
    for cut in 0..whole.len() {
        client.send(&whole[..cut]);
        client.send(&whole[cut..]);
    }
    for _ in 0..=whole.len() {
        assert_eq!(client.next(), Some(Frame::new(TEXT, "one two €")));
    }
}

#[test]
fn bytes_behind_the_handshake_are_frames() {
    let server = server();
    let mut client = Client::dial(server.address);
    let mut packet = crate::wire::upgrade("/connect").into_bytes();
    packet.extend(frame(TEXT, b"early"));
    client.send(&packet);
    assert!(client.head().starts_with("HTTP/1.1 101 "));
    assert_eq!(client.next(), Some(Frame::new(TEXT, b"early")));
}
