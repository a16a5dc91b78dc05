//! Directly from engine to engine, over real sockets, and what strangers get to hear on them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_client_core::defences::{self, HELLO, path_pass};
use portcullis_client_core::{Fault, Moved, Task};
use portcullis_crypto::{AuthKey, FileKey};
use portcullis_proto::DeviceId;
use rand_core::OsRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::advance;

use super::super::limits::{PIECE, UNPROVEN};
use super::engine::{DEVICE, Person};
use super::{World, bytes, forged, pass, path_hello, read};

const LARGE: usize = 9 * PIECE + 1000;

#[tokio::test]
async fn a_folder_goes_from_one_to_the_other() {
    let world = World::new();
    world.file("folder/a", &bytes(LARGE));
    world.file("folder/b", &bytes(7));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "folder").await;
    let tcp = alice.serve(&offer, &place).await;
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) },
    );
    let paths = vec![world.chosen().join("folder").to_str().unwrap().to_owned()];
    assert_eq!(bob.next().await, Moved::Received { paths });
    assert!(read(&world.chosen().join("folder/a")) == bytes(LARGE));
    assert!(read(&world.chosen().join("folder/b")) == bytes(7));
}

/// A wire to an address, which breaks each time so many bytes have come back.
async fn breaking(to: SocketAddr, after: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect(to).await.unwrap();
            let (mut from_near, mut to_near) = near.into_split();
            let (from_far, mut to_far) = far.into_split();
            let forth = tokio::spawn(async move { copy(&mut from_near, &mut to_far).await });
            // However it ends.
            let _ = copy(&mut from_far.take(after), &mut to_near).await;
            forth.abort();
        }
    });
    address
}

#[tokio::test]
async fn a_path_that_breaks_again_and_again_gets_there() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let tcp = alice.serve(&offer, &place).await;
    let tcp = vec![breaking(tcp[0], 4 * PIECE as u64 + 5).await];
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) },
    );
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}

#[tokio::test(start_paused = true)]
async fn nobody_there() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (alice, mut bob) = (Person::new(), Person::new());
    let (offer, _) = alice.offer(&world, "a").await;
    // A port that nothing listens on any more.
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nowhere = "0.0.0.0:1".parse().unwrap();
    for tcp in [vec![gone], vec![nowhere], Vec::new()] {
        bob.assign(
            &offer,
            false,
            &world,
            Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) },
        );
        assert_eq!(bob.next().await, Moved::Lacking { have: 0 });
    }
    assert_eq!(world.shown(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn nothing_on_this_machine_is_called_for_somebody_elsewhere() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let alice = Person::new();
    let (offer, _) = alice.offer(&world, "a").await;
    let service = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dial = Task::Dial {
        tcp: vec![service.local_addr().unwrap()],
        quic: None,
        own: None,
        pass: pass(&offer),
    };
    // With a server on this machine, others are there too.
    for (server, expected) in [("ws://192.0.2.1:1", false), ("ws://127.0.0.1:1", true)] {
        let mut bob = Person::at(server);
        bob.assign(&offer, false, &world, dial.clone());
        let called = tokio::select! {
            _ = service.accept() => true,
            moved = bob.next() => {
                assert_eq!(moved, Moved::Lacking { have: 0 });
                false
            }
        };
        assert_eq!(called, expected, "{server}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_comes() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let mut alice = Person::new();
    let (offer, place) = alice.offer(&world, "a").await;
    let tcp = alice.serve(&offer, &place).await;
    assert_eq!(alice.next().await, Moved::Unreached(DEVICE));
    // Nobody listens any more, until it is wanted anew.
    while TcpStream::connect(tcp[0]).await.is_ok() {}
    assert!(!alice.serve(&offer, &place).await.is_empty());
}

/// What comes back to somebody who says this.
async fn answer(to: SocketAddr, said: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(said).await.unwrap();
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn strangers_hear_nothing() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let mut alice = Person::new();
    let (offer, place) = alice.offer(&world, "a").await;
    let to = alice.serve(&offer, &place).await[0];
    let hello = |key: &FileKey, device| path_hello(key, device, 0, [1; 16]);
    let browser = "GET / HTTP/1.1\r\nHost: here\r\n".to_owned() + &"Accept: all\r\n".repeat(9);
    assert_eq!(answer(to, browser.as_bytes()).await, b"");
    assert_eq!(answer(to, &[0; HELLO]).await, b"");
    let other = FileKey::generate(&mut OsRng);
    assert_eq!(answer(to, &hello(&other, DEVICE)).await, b"");
    // It has the key, and is nobody who was told where to come.
    let stranger = DeviceId::from_bytes([9; 16]);
    assert_eq!(answer(to, &hello(&offer.key, stranger)).await, b"");
    // It has the key, and comes in the name of the one who was.
    let member = AuthKey::generate(&mut OsRng);
    let pass = path_pass(&member, &offer.key, DEVICE);
    let in_its_name = defences::path_hello(&offer.key, (DEVICE, &pass), 0, [1; 16]);
    assert_eq!(answer(to, &in_its_name).await, b"");
    // Who is waited for gets all.
    let blob = offer.blob_bytes().unwrap();
    assert_eq!(answer(to, &hello(&offer.key, DEVICE)).await.len() as u64, blob);
    // Any part of it, and nothing beyond.
    let from = |offset| path_hello(&offer.key, DEVICE, offset, [1; 16]);
    assert_eq!(answer(to, &from(blob - 100)).await.len(), 100);
    assert_eq!(answer(to, &from(blob)).await, b"");
    assert_eq!(answer(to, &from(u64::MAX)).await, b"");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_hears_nothing_either() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let mut alice = Person::new();
    let (offer, place) = alice.offer(&world, "a").await;
    let to = alice.serve(&offer, &place).await[0];
    let hello = path_hello(&offer.key, DEVICE, 0, [1; 16]);
    assert_eq!(answer(to, &[]).await, b"");
    assert_eq!(answer(to, &hello[..HELLO - 1]).await, b"");
}

#[tokio::test]
async fn many_who_say_nothing_keep_nobody_out() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let mut alice = Person::new();
    let (offer, place) = alice.offer(&world, "a").await;
    let to = alice.serve(&offer, &place).await[0];
    let mut silent = Vec::new();
    for _ in 0..UNPROVEN {
        silent.push(TcpStream::connect(to).await.unwrap());
    }
    let served = answer(to, &path_hello(&offer.key, DEVICE, 0, [1; 16])).await;
    assert_eq!(served.len() as u64, offer.blob_bytes().unwrap());
    // There is more than one of them who could still speak.
    assert!(silent.pop().unwrap().try_read(&mut [0]).is_err());
}

#[tokio::test(start_paused = true)]
async fn a_sender_who_drips_is_not_waited_for() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let blob = pieces_of(&mut alice, &offer, &place).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = vec![listener.local_addr().unwrap()];
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) },
    );
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_exact(&mut [0; 72]).await.unwrap();
    let dripping = async {
        for byte in &blob {
            // The other side may have had enough.
            let _ = stream.write_all(&[*byte]).await;
            advance(Duration::from_secs(1)).await;
        }
        std::future::pending().await
    };
    let moved = tokio::select! {
        moved = bob.next() => moved,
        () = dripping => unreachable!(),
    };
    assert_eq!(moved, Moved::Lacking { have: 0 });
}

/// A sender of more than sockets hold, and a recipient's connection that has said who it is.
async fn served(world: &World) -> (Person, portcullis_proto::FileOffer, TcpStream) {
    world.file("a", &vec![0; 32 * 1024 * 1024]);
    let mut alice = Person::new();
    let (offer, place) = alice.offer(world, "a").await;
    let to = alice.serve(&offer, &place).await[0];
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(&path_hello(&offer.key, DEVICE, 0, [1; 16])).await.unwrap();
    (alice, offer, stream)
}

#[tokio::test(start_paused = true)]
async fn a_recipient_who_takes_it_in_drops_is_not_waited_for() {
    let world = World::new();
    let (mut alice, offer, mut stream) = served(&world).await;
    let (mut some, mut got) = (vec![0; 16 * 1024], 0);
    // A reset is an end too.
    while let Ok(count @ 1..) = stream.read(&mut some).await {
        got += count as u64;
        advance(Duration::from_secs(10)).await;
    }
    assert!(got < offer.blob_bytes().unwrap(), "{got}");
    assert_eq!(alice.next().await, Moved::Unreached(DEVICE));
}

#[tokio::test(start_paused = true)]
async fn a_recipient_who_takes_nothing_is_not_waited_for() {
    let world = World::new();
    // Its system says for it that all has arrived.
    let (mut alice, _, stream) = served(&world).await;
    stream.readable().await.unwrap();
    let passing = async {
        loop {
            advance(Duration::from_secs(1)).await;
        }
    };
    let moved = tokio::select! {
        moved = alice.next() => moved,
        () = passing => unreachable!(),
    };
    assert_eq!(moved, Moved::Unreached(DEVICE));
}

/// All of an offer's blob.
async fn pieces_of(
    sender: &mut Person,
    offer: &portcullis_proto::FileOffer,
    place: &str,
) -> Vec<u8> {
    let to = sender.serve(offer, place).await[0];
    answer(to, &path_hello(&offer.key, DEVICE, 0, [1; 16])).await
}

#[tokio::test]
async fn a_file_that_changed_does_not_leave() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let mut alice = Person::new();
    let (offer, place) = alice.offer(&world, "a").await;
    let to = alice.serve(&offer, &place).await[0];
    let mut changed = bytes(LARGE);
    changed[5 * PIECE] ^= 1;
    world.file("a", &changed);
    let got = answer(to, &path_hello(&offer.key, DEVICE, 0, [1; 16])).await;
    assert_eq!(alice.next().await, Moved::Changed);
    // The hashes, and chunks as they were offered.
    assert!(got.len() < 6 * PIECE, "{}", got.len());
}

/// What a recipient says of a sender who has this blob for whoever calls.
async fn check_sender(offer: &portcullis_proto::FileOffer, sent: Vec<u8>, expected: Moved) {
    let world = World::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = vec![listener.local_addr().unwrap()];
    let sending = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; HELLO];
            stream.read_exact(&mut hello).await.unwrap();
            let offset = u64::from_be_bytes(hello[16..24].try_into().unwrap());
            let rest = sent.get(offset as usize..).unwrap_or_default();
            // The other side may have heard enough.
            let _ = stream.write_all(rest).await;
        }
    });
    let mut bob = Person::new();
    bob.assign(offer, false, &world, Task::Dial { tcp, quic: None, own: None, pass: pass(offer) });
    assert_eq!(bob.next().await, expected);
    assert_eq!(world.shown(), Vec::<String>::new());
    sending.abort();
}

#[tokio::test]
async fn senders_who_send_something_else() {
    let manifest = format!(r#"[{{"path":["a"],"file":{LARGE}}}]"#);
    let (offer, pieces) = forged(&manifest, &bytes(LARGE), |_| ());
    let blob = pieces.concat();
    // There is no other way, but by the server.
    let nothing = Moved::Lacking { have: 0 };
    check_sender(&offer, vec![0; blob.len()], nothing.clone()).await;
    let mut damaged = blob.clone();
    damaged[4 * PIECE] ^= 1;
    let have = pieces[..4].concat().len() as u64;
    check_sender(&offer, damaged, Moved::Lacking { have }).await;
    let (_, others) = forged(&manifest, &bytes(LARGE), |_| ());
    check_sender(&offer, others.concat(), nothing.clone()).await;
    check_sender(&offer, Vec::new(), nothing).await;
    let have = pieces[..3].concat().len();
    check_sender(&offer, blob[..have + 5].to_vec(), Moved::Lacking { have: have as u64 }).await;
    let (bad, pieces) = forged(r#"[{"path":["..","a"],"file":3}]"#, b"123", |_| ());
    check_sender(&bad, pieces.concat(), Moved::Failed(Fault::Manifest)).await;
}

/// Says zeros to whoever calls, and counts who has said hello before.
async fn zeros() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, calls) = (listener.local_addr().unwrap(), Arc::<AtomicUsize>::default());
    let called = Arc::clone(&calls);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; HELLO];
            if stream.read_exact(&mut hello).await.is_ok() {
                called.fetch_add(1, Ordering::Relaxed);
                let _ = stream.write_all(&vec![0; LARGE]).await;
            }
        }
    });
    (address, calls)
}

#[tokio::test]
async fn a_path_that_gives_something_else_is_left_for_another() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let good = alice.serve(&offer, &place).await[0];
    let ((bad, calls), good) = (zeros().await, breaking(good, 2 * PIECE as u64).await);
    let tcp = vec![bad, good];
    let dial = Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) };
    bob.assign(&offer, false, &world, dial);
    let paths = vec![world.chosen().join("a").to_str().unwrap().to_owned()];
    assert_eq!(bob.next().await, Moved::Received { paths });
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
    assert!(calls.load(Ordering::Relaxed) <= 1, "it is called no more");
}
