//! What is answered to requests that don't become WebSocket connections.

use std::io::Read as _;

use portcullis_server::socket::Settings;

use crate::echo::EchoServer;
use crate::wire::{CLOSE, Client, Frame, TEXT, frame, upgrade};

#[test]
fn requests_are_answered_by_their_path_and_headers() {
    let server = EchoServer::start(Settings::default());
    let check = |request: &str, status: &str, part: &str| {
        let mut client = Client::dial(server.address);
        client.send(request.as_bytes());
        let mut answer = String::new();
        client.socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}\n{answer}");
        assert!(answer.contains(part), "{request}\n{answer}");
    };
    let get = |path: &str, more: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{more}\r\n")
    };
    check(&get("/", ""), "200", "portcullis chat --server");
    check(&get("/healthz", ""), "200", "ok");
    check(&get("/metrics", ""), "200", "portcullis_open 0");
    check(&get("/nowhere", ""), "404", "");
    check(&get("/connect", ""), "426", "sec-websocket-version: 13");
    check(&get("/healthz", "Origin: https://example.org\r\n"), "403", "may not connect");
    check(&get("/healthz", "Origin: a\r\nOrigin: b\r\n"), "400", "given once");
    check(&get("/healthz", "Host: elsewhere\r\n"), "400", "");
    check(&get("/metrics", ""), "200", "portcullis_foreign_total 3\n");
    check(&get("/metrics", "X-Forwarded-For: 127.0.0.1\r\n"), "403", "this machine only");
    check(&get("/metrics", "Forwarded: for=127.0.0.1\r\n"), "403", "this machine only");
    check("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "405", "");
    check("GARBAGE\r\n\r\n", "400", "");
    let closing = |handshake: String| handshake.replace("Connection: U", "Connection: close, U");
    let sound = closing(upgrade("/connect"));
    check(&sound.replace(": 13", ": 12"), "426", "sec-websocket-version: 13");
    check(&sound.replace("dGhl", "dGh"), "400", "Sec-WebSocket-Key");
    let twice = |header: &str| sound.replace("Upgrade: ", &format!("{header}\r\nUpgrade: "));
    check(&twice("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "400", "only once");
    check(&twice("Sec-WebSocket-Version: 13"), "400", "only once");
    check(&twice("Host: localhost"), "400", "given once");
    check(&sound.replace("portcullis.v1", "portcullis.v9"), "400", "portcullis.v1");
    check(&sound.replace("GET", "POST"), "426", "");
}

#[test]
fn the_last_place_is_taken_once() {
    let server = EchoServer::start(Settings { connections: 1, ..Settings::default() });
    let mut first = Client::open(server.address, "/connect");
    first.send(&frame(TEXT, b"in"));
    assert_eq!(first.next(), Some(Frame::new(TEXT, b"in")));
    let mut second = Client::dial(server.address);
    second.send(upgrade("/connect").as_bytes());
    assert_eq!(second.next(), None);
}

#[test]
fn a_graceful_stop_tells_everybody() {
    let server = EchoServer::start(Settings::default());
    let mut clients = (0..20).map(|_| Client::open(server.address, "/connect")).collect::<Vec<_>>();
    for client in &mut clients {
        client.send(&frame(TEXT, b"in"));
        assert_eq!(client.next(), Some(Frame::new(TEXT, b"in")));
    }
    let stopped = std::thread::spawn(move || {
        server.runtime.block_on(server.sockets.stop());
        assert_eq!(server.sockets.count(), 0);
    });
    for client in &mut clients {
        assert_eq!(client.next(), Some(Frame::new(TEXT, br#"{"event":"stopping"}"#)));
        let close = client.next().unwrap();
        assert_eq!(close.code(), Some(1001));
        client.send(&frame(CLOSE, &close.payload));
        assert_eq!(client.next(), None);
    }
    stopped.join().unwrap();
}
