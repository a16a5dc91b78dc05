//! The relay over real sockets: who is admitted, what is carried, and when it ends.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use portcullis_crypto::{EndpointKey, Secret};
use portcullis_proto::{Bytes, Reply, Request};
use portcullis_server_core::BlobPolicy;
use tempfile::TempDir;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Error, Message, WebSocket};

use crate::people::{Session, populate, serve};
use crate::running::RunningServer;

/// A server, and people with open sessions.
struct World {
    server: RunningServer,
    mira: Session,
    oleg: Session,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        populate(folder.path(), 2);
        let server = serve(
            folder.path(),
            BlobPolicy::default(),
            |_| {},
            |parts| {
                parts.admit = Arc::new(|origin, _| match origin {
                    None => Ok(()),
                    Some(_) => Err("this page may not connect".to_owned()),
                });
            },
        );
        let (mira, oleg) = (Session::open(&server, 1), Session::open(&server, 2));
        Self { server, mira, oleg, _folder: folder }
    }

    /// An endpoint that is registered by mira, or by oleg.
    fn endpoint(&mut self, of: fn(&mut Self) -> &mut Session, number: u8) -> Endpoint {
        register(of(self), &key(number));
        Endpoint::admitted(&self.server, number)
    }
}

fn mira(world: &mut World) -> &mut Session {
    &mut world.mira
}

fn oleg(world: &mut World) -> &mut Session {
    &mut world.oleg
}

fn key(number: u8) -> EndpointKey {
    EndpointKey::from_secret(&Secret::from_bytes([number; 32]))
}

fn register(session: &mut Session, key: &EndpointKey) {
    let key = Bytes(key.public().as_bytes().to_vec());
    let reply = session.ask(Request::RegisterRelayKey { key });
    assert!(matches!(reply, Ok(Reply::RelayKey { .. })), "{reply:?}");
}

fn frame(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// A client of the relay.
struct Endpoint {
    key: EndpointKey,
    socket: WebSocket<TcpStream>,
}

impl Endpoint {
    fn open(server: &RunningServer, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let url = format!("ws://localhost:{}/relay", server.address.port());
        let mut request = url.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { key: key(0), socket }),
            Err(tungstenite::HandshakeError::Failure(Error::Http(response))) => {
                Err(response.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens one, and answers the challenge.
    fn prove(server: &RunningServer, by: &EndpointKey, says: &EndpointKey) -> Self {
        // What iroh's clients ask for, in their order.
        let versions = [("sec-websocket-protocol", "iroh-relay-v2, iroh-relay-v1")];
        let mut endpoint = Self::open(server, &versions).unwrap();
        let challenge = endpoint.next().unwrap();
        assert_eq!((challenge[0], challenge.len()), (0, 17));
        let signature = by.sign_challenge(challenge[1..].try_into().unwrap());
        let id = *says.public().as_bytes();
        endpoint.say(&frame(&[&[1], &id, &[64], signature.as_bytes()]));
        endpoint.key = by.clone();
        endpoint
    }

    fn admitted(server: &RunningServer, number: u8) -> Self {
        let mut endpoint = Self::prove(server, &key(number), &key(number));
        assert_eq!(endpoint.next(), Some(vec![2]));
        endpoint
    }

    fn say(&mut self, frame: &[u8]) {
        self.socket.send(Message::Binary(frame.to_vec().into())).unwrap();
    }

    fn send(&mut self, to: &Self, packet: &[u8]) {
        self.say(&frame(&[&[4], &to.id(), &[0], packet]));
    }

    /// The next frame; none when it is over.
    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match self.socket.read() {
                Ok(Message::Binary(frame)) => return Some(frame.to_vec()),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing comes")
                }
                _ => return None,
            }
        }
    }

    fn id(&self) -> [u8; 32] {
        *self.key.public().as_bytes()
    }

    /// Whether it is served: a ping comes back, and nothing before it.
    fn check_served(&mut self) {
        self.say(&frame(&[&[9], &[5; 8]]));
        assert_eq!(self.next(), Some(frame(&[&[10], &[5; 8]])));
    }
}

#[test]
fn packets_go_from_one_registered_key_to_another() {
    let mut world = World::new();
    let mut one = world.endpoint(mira, 1);
    let mut two = world.endpoint(oleg, 2);
    one.send(&two, b"hello");
    assert_eq!(two.next(), Some(frame(&[&[6], &one.id(), &[0], b"hello"])));
    two.say(&frame(&[&[5], &one.id(), &[1, 0, 2], b"byes"]));
    assert_eq!(one.next(), Some(frame(&[&[7], &two.id(), &[1, 0, 2], b"byes"])));
    one.check_served();
}

#[test]
fn who_is_not_registered_is_refused() {
    let mut world = World::new();
    register(&mut world.mira, &key(1));
    // Another key, and another's.
    let mut stranger = Endpoint::prove(&world.server, &key(3), &key(3));
    assert_eq!(stranger.next().map(|frame| frame[0]), Some(3));
    assert_eq!(stranger.next(), None);
    let mut thief = Endpoint::prove(&world.server, &key(3), &key(1));
    assert_eq!(thief.next(), None);
    assert_eq!(Endpoint::open(&world.server, &[]).err(), Some(400));
    let page = [("sec-websocket-protocol", "iroh-relay-v2"), ("origin", "http://evil.example")];
    assert_eq!(Endpoint::open(&world.server, &page).err(), Some(403));
    Endpoint::admitted(&world.server, 1).check_served();
}

#[test]
fn what_is_for_nobody_or_is_no_frame() {
    let mut world = World::new();
    let mut one = world.endpoint(mira, 1);
    let gone = world.endpoint(oleg, 2);
    one.say(&frame(&[&[4], &[9; 32], &[0], b"hello"]));
    one.check_served();
    one.send(&gone, b"hello");
    drop(gone);
    one.send(&world.endpoint(oleg, 3), b"hello");
    one.check_served();
    one.say(&[77]);
    assert_eq!(one.next(), None);
}

#[test]
fn a_key_has_one_connection_the_newer() {
    let mut world = World::new();
    let mut older = world.endpoint(mira, 1);
    let mut newer = Endpoint::admitted(&world.server, 1);
    assert_eq!(older.next(), None);
    newer.check_served();
}

#[test]
fn what_a_device_has_registered_ends_with_it() {
    let mut world = World::new();
    let mut one = world.endpoint(mira, 1);
    // Somebody else can't take it over, nor keep it up.
    register(&mut world.oleg, &key(1));
    let mut two = world.endpoint(oleg, 2);
    assert_eq!(world.mira.ask(Request::SignOut {}), Ok(Reply::Done));
    assert_eq!(one.next(), None);
    let mut again = Endpoint::prove(&world.server, &key(1), &key(1));
    assert_eq!(again.next().map(|frame| frame[0]), Some(3));
    two.check_served();
}
