//! Servers that don't give what they have.

use portcullis_client_core::{Fault, Moved, Task};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::advance;

use super::super::limits::{PIECE, STALLED_RELAY};
use super::engine::{Person, until};
use super::{World, bytes, forged, read};

const LARGE: usize = 9 * PIECE + 1000;

/// The hashes and three chunks.
const SOME: usize = 320 + 3 * PIECE;

/// From which byte on somebody asks.
async fn asked(stream: &mut TcpStream) -> usize {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let (_, range) = head.split_once("range: bytes=").unwrap();
    range.split_once('-').unwrap().0.parse().unwrap()
}

/// A server that answers each request with one of these, from the byte on that was asked for, and says from which one
/// that was. It leaves connections open.
async fn server(answers: Vec<Vec<u8>>) -> (&'static str, UnboundedReceiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("ws://{}", listener.local_addr().unwrap());
    let (calls, called) = unbounded_channel();
    tokio::spawn(async move {
        let mut open = Vec::new();
        for blob in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let offset = asked(&mut stream).await;
            calls.send(offset).unwrap();
            // It promises more than it may give.
            let head = format!("HTTP/1.1 206 \r\nContent-Length: {}\r\n\r\n", 2 * LARGE - offset);
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&blob[offset..]).await.unwrap();
            open.push(stream);
        }
        std::future::pending::<()>().await;
    });
    (Box::leak(address.into_boxed_str()), called)
}

fn fetch() -> Task {
    Task::Fetch { token: "token".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_gives_no_more_is_asked_again() {
    let world = World::new();
    let manifest = format!(r#"[{{"path":["a"],"file":{LARGE}}}]"#);
    let (offer, pieces) = forged(&manifest, &bytes(LARGE), |_| ());
    let blob = pieces.concat();
    let (server, mut called) = server(vec![blob[..SOME].to_vec(), blob]).await;
    let mut bob = Person::at(server);
    bob.assign(&offer, false, &world, fetch());
    assert_eq!(called.recv().await, Some(0));
    until(&bob, SOME as u64).await;
    // In small steps, so that nobody's patience ends while bytes are under way.
    let passing = async {
        loop {
            advance(STALLED_RELAY / 1000).await;
        }
    };
    let from = tokio::select! {
        from = called.recv() => from,
        () = passing => unreachable!(),
    };
    assert_eq!(from, Some(SOME));
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}

#[tokio::test]
async fn a_server_s_bad_chunk_is_asked_for_again() {
    let world = World::new();
    let manifest = format!(r#"[{{"path":["a"],"file":{LARGE}}}]"#);
    let (offer, pieces) = forged(&manifest, &bytes(LARGE), |_| ());
    let (good, mut bad, mut worse) = (pieces.concat(), pieces.concat(), pieces.concat());
    bad[SOME] ^= 1;
    worse[5] ^= 1;
    let (server, mut called) = server(vec![worse, bad, good]).await;
    let mut bob = Person::at(server);
    for from in [0, 0] {
        bob.assign(&offer, false, &world, fetch());
        assert_eq!(called.recv().await, Some(from));
        assert_eq!(bob.next().await, Moved::Failed(Fault::Damaged));
    }
    bob.assign(&offer, false, &world, fetch());
    assert_eq!(called.recv().await, Some(SOME));
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}
