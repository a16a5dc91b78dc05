//! From engine to engine by QUIC alone, and what strangers get of it.

use iroh::endpoint::{Connection, VarInt, presets};
use iroh::{Endpoint, EndpointAddr, PublicKey, TransportAddr};
use portcullis_client_core::defences::{HELLO, path_name};
use portcullis_client_core::{Moved, Task};
use portcullis_crypto::FileKey;
use portcullis_proto::{Bytes, DeviceId, FileOffer, QuicWay};
use rand_core::OsRng;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Duration, advance, interval, pause};

use super::super::limits::PIECE;
use super::engine::{DEVICE, Person, until};
use super::{World, bytes, forged, pass, path_hello, read};

const LARGE: usize = 9 * PIECE + 1000;

fn by_quic(offer: &FileOffer, way: &QuicWay) -> Task {
    Task::Dial { tcp: Vec::new(), quic: Some(way.clone()), own: None, pass: pass(offer) }
}

#[tokio::test]
async fn a_file_goes_by_quic_alone() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let way = alice.serve_ways(&offer, &place).await.1.unwrap();
    assert!(!way.relayed);
    bob.assign(&offer, false, &world, by_quic(&offer, &way));
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}

#[tokio::test]
async fn where_tcp_does_not_answer_quic_does() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let quic = alice.serve_ways(&offer, &place).await.1;
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp: vec![closed], quic, own: None, pass: pass(&offer) },
    );
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}

/// Somebody with a key of their own.
async fn somebody() -> Endpoint {
    Endpoint::builder(presets::Minimal).bind().await.unwrap()
}

async fn call(caller: &Endpoint, way: &QuicWay, name: &[u8]) -> Option<Connection> {
    let id = PublicKey::from_bytes(way.key.as_slice().try_into().unwrap()).unwrap();
    let addresses = way.addresses.iter().copied().map(TransportAddr::Ip);
    caller.connect(EndpointAddr::from_parts(id, addresses), name).await.ok()
}

/// What somebody hears who knows the name, and says this.
async fn answer(way: &QuicWay, name: &[u8], said: &[u8]) -> Vec<u8> {
    let caller = somebody().await;
    let connection = call(&caller, way, name).await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(said).await.unwrap();
    let mut heard = Vec::new();
    let mut some = vec![0; PIECE];
    while let Ok(Some(count)) = receive.read(&mut some).await {
        heard.extend_from_slice(&some[..count]);
    }
    heard
}

#[tokio::test]
async fn strangers_hear_nothing() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let way = alice.serve_ways(&offer, &place).await.1.unwrap();
    let endpoint = way.key.as_slice().try_into().unwrap();
    let other = FileKey::generate(&mut OsRng);
    // Who can't name it is not answered at all, while others are.
    let stranger = somebody().await;
    let wrong = path_name(&other, endpoint);
    let name = path_name(&offer.key, endpoint);
    let mut unanswered = std::pin::pin!(call(&stranger, &way, &wrong));
    tokio::select! {
        answered = &mut unanswered => panic!("{answered:?}"),
        // It waits for its hello to be answered, and has long been heard.
        heard = answer(&way, &name, &[0; HELLO]) => assert_eq!(heard, b""),
    }
    // Who has seen the name on its way, or is nobody who was told where to come.
    let hello = |key: &FileKey, device| path_hello(key, device, 0, [1; 16]);
    assert_eq!(answer(&way, &name, &hello(&other, DEVICE)).await, b"");
    let device = DeviceId::from_bytes([9; 16]);
    assert_eq!(answer(&way, &name, &hello(&offer.key, device)).await, b"");
    bob.assign(&offer, false, &world, by_quic(&offer, &way));
    tokio::select! {
        answered = &mut unanswered => panic!("{answered:?}"),
        moved = bob.next() => assert!(matches!(moved, Moved::Received { .. })),
    }
}

/// A sender that can be called for an offer, and where.
async fn sender_of(offer: &FileOffer) -> (Endpoint, QuicWay) {
    let sender = Endpoint::builder(presets::Minimal);
    let sender = sender.clear_ip_transports().bind_addr("127.0.0.1:0").unwrap();
    let sender = sender.bind().await.unwrap();
    let key = *sender.id().as_bytes();
    sender.set_alpns(vec![path_name(&offer.key, &key).to_vec()]);
    let addresses = sender.bound_sockets();
    (sender, QuicWay { key: Bytes(key.to_vec()), addresses, relayed: false })
}

/// A sender that ends each connection after three chunks; says from where on each wanted them.
async fn breaking(offer: &FileOffer, blob: Vec<u8>) -> (QuicWay, UnboundedReceiver<u64>) {
    let (sender, way) = sender_of(offer).await;
    let (calls, called) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(incoming) = sender.accept().await {
            let connection = incoming.await.unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            let mut hello = [0; HELLO];
            receive.read_exact(&mut hello).await.unwrap();
            let offset = u64::from_be_bytes(hello[16..24].try_into().unwrap());
            calls.send(offset).unwrap();
            let rest = &blob[offset as usize..];
            send.write_all(&rest[..rest.len().min(3 * PIECE + 320)]).await.unwrap();
            send.finish().unwrap();
            // Until all has arrived, or the other side has closed because it has all.
            let _ = send.stopped().await;
            connection.close(VarInt::from_u32(0), b"");
        }
    });
    (way, called)
}

/// A sender that gives a byte a second; says when somebody has called.
async fn dripping(offer: &FileOffer, blob: Vec<u8>) -> (QuicWay, UnboundedReceiver<()>) {
    let (sender, way) = sender_of(offer).await;
    let (calls, called) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(incoming) = sender.accept().await {
            let connection = incoming.await.unwrap();
            let (mut send, mut receive) = connection.accept_bi().await.unwrap();
            receive.read_exact(&mut [0; HELLO]).await.unwrap();
            calls.send(()).unwrap();
            let mut second = interval(Duration::from_secs(1));
            for byte in &blob {
                second.tick().await;
                // The other side may have had enough.
                if send.write_all(&[*byte]).await.is_err() {
                    break;
                }
            }
        }
    });
    (way, called)
}

/// What comes of something while time passes, in steps so small that nothing that is under way comes too late.
async fn while_time_passes(person: &mut Person) -> Moved {
    pause();
    let passing = async {
        loop {
            advance(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        moved = person.next() => moved,
        () = passing => unreachable!(),
    }
}

#[tokio::test]
async fn a_sender_who_drips_is_not_waited_for() {
    let world = World::new();
    let manifest = format!(r#"[{{"path":["a"],"file":{LARGE}}}]"#);
    let (offer, pieces) = forged(&manifest, &bytes(LARGE), |_| ());
    let (way, mut called) = dripping(&offer, pieces.concat()).await;
    let mut bob = Person::new();
    bob.assign(&offer, false, &world, by_quic(&offer, &way));
    called.recv().await.unwrap();
    let moved = while_time_passes(&mut bob).await;
    assert!(matches!(moved, Moved::Lacking { .. }), "{moved:?}");
    assert!(called.try_recv().is_err(), "it is not called again, as one whose path broke");
}

#[tokio::test]
async fn a_recipient_who_takes_nothing_is_not_waited_for() {
    let world = World::new();
    // More than may be under way.
    world.file("a", &vec![0; 32 * 1024 * 1024]);
    let mut alice = Person::new();
    let (offer, place) = alice.offer(&world, "a").await;
    let way = alice.serve_ways(&offer, &place).await.1.unwrap();
    let name = path_name(&offer.key, way.key.as_slice().try_into().unwrap());
    let caller = somebody().await;
    // Its system says for it that all has arrived, as far as there is room.
    let connection = call(&caller, &way, &name).await.unwrap();
    let (mut send, _receive) = connection.open_bi().await.unwrap();
    send.write_all(&path_hello(&offer.key, DEVICE, 0, [1; 16])).await.unwrap();
    until(&alice, PIECE as u64).await;
    let moved = while_time_passes(&mut alice).await;
    assert_eq!(moved, Moved::Unreached(DEVICE));
}

#[tokio::test]
async fn a_path_that_breaks_again_and_again_gets_there() {
    let world = World::new();
    let manifest = format!(r#"[{{"path":["a"],"file":{LARGE}}}]"#);
    let (offer, pieces) = forged(&manifest, &bytes(LARGE), |_| ());
    let (way, mut called) = breaking(&offer, pieces.concat()).await;
    let mut bob = Person::new();
    bob.assign(&offer, false, &world, by_quic(&offer, &way));
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
    let mut from = Vec::new();
    while let Ok(offset) = called.try_recv() {
        from.push(offset);
    }
    assert_eq!(from[0], 0);
    assert!(from.len() > 2 && from.is_sorted_by(|one, next| one < next), "{from:?}");
}

#[tokio::test]
async fn the_sender_learns_that_all_has_arrived() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let way = alice.serve_ways(&offer, &place).await.1.unwrap();
    bob.assign(&offer, false, &world, by_quic(&offer, &way));
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    alice.until_idle().await;
    // It may come again.
    let name = path_name(&offer.key, way.key.as_slice().try_into().unwrap());
    let blob = offer.blob_bytes().unwrap();
    let hello = path_hello(&offer.key, DEVICE, blob - 100, [1; 16]);
    assert_eq!(answer(&way, &name, &hello).await.len(), 100);
}
