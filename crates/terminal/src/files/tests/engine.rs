//! Engines: what they go on with, what they stop, and what they leave behind.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use portcullis_client_core::defences::{SOUND, part_name};
use portcullis_client_core::{Assignment, Fault, Moved, Task};
use portcullis_proto::{DeviceId, FileOffer, QuicWay, TransferId};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::limits::PIECE;
use super::super::{BadSource, Engine, Preparing, Setup, Way, records};
use super::{World, auth, bytes, pass, path_hello, read};
use crate::net::{Address, Connector, TlsRoots};

const LARGE: usize = 9 * PIECE + 1000;

/// Everybody's device.
pub(super) const DEVICE: DeviceId = DeviceId::from_bytes([7; 16]);

/// Somebody with a home and an engine.
pub(super) struct Person {
    home: TempDir,
    engine: Engine,
    server: &'static str,
}

impl Person {
    pub(super) fn new() -> Self {
        Self::at("ws://127.0.0.1:1")
    }

    /// Somebody of this server.
    pub(super) fn at(server: &'static str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let downloads = home.path().join("nowhere");
        let engine = engine(home.path().to_owned(), downloads, server);
        Self { home, engine, server }
    }

    /// The program ends and begins again.
    fn restart(&mut self) {
        self.restart_into(self.home.path().join("nowhere"));
    }

    /// It begins with another folder for what has none.
    fn restart_into(&mut self, downloads: PathBuf) {
        self.engine = engine(self.home.path().to_owned(), downloads, self.server);
    }

    pub(super) async fn next(&mut self) -> Moved {
        self.engine.next().await.unwrap().1
    }

    pub(super) async fn offer(&self, world: &World, name: &str) -> (FileOffer, String) {
        let paths = vec![world.path("files").join(name)];
        let prepared = self.engine.prepare(paths, Preparing::default()).await.unwrap();
        let (offer, place, _) = prepared.unwrap();
        (offer, place)
    }

    /// Serves the one device there is; says where on TCP.
    pub(super) async fn serve(&mut self, offer: &FileOffer, place: &str) -> Vec<SocketAddr> {
        self.serve_ways(offer, place).await.0
    }

    /// Serves the one device there is; says where.
    pub(super) async fn serve_ways(
        &mut self,
        offer: &FileOffer,
        place: &str,
    ) -> (Vec<SocketAddr>, Option<QuicWay>) {
        let task = Task::Serve { device: DEVICE, auth: auth().public(), own: None };
        let (offer, place) = (offer.clone(), place.to_owned());
        self.engine.assign(Assignment { offer, own: true, place, task });
        match self.next().await {
            Moved::Listening { tcp, quic, .. } => (tcp, quic),
            other => unreachable!("{other:?}"),
        }
    }

    pub(super) fn assign(&mut self, offer: &FileOffer, own: bool, world: &World, task: Task) {
        let place = world.chosen().to_str().unwrap().to_owned();
        self.engine.assign(Assignment { offer: offer.clone(), own, place, task });
    }

    /// Receives into this folder; into the one for what has none, if it is "".
    fn receive(&mut self, offer: &FileOffer, place: &str, task: Task) {
        let (offer, place) = (offer.clone(), place.to_owned());
        self.engine.assign(Assignment { offer, own: false, place, task });
    }

    /// Waits until nothing moves any more.
    pub(super) async fn until_idle(&self) {
        while !self.engine.progress().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    fn kept(&self) -> Vec<String> {
        let found = fs::read_dir(self.home.path().join("transfers")).unwrap();
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn engine(home: PathBuf, downloads: PathBuf, server: &str) -> Engine {
    let address = Address::parse(server).unwrap();
    let server = Connector::new(address, &TlsRoots::System).unwrap();
    let setup = Setup { home, downloads, server, device: DEVICE, listen: None, defences: SOUND };
    Engine::new(setup).unwrap()
}

/// A sender that sends so much of a blob, and then says nothing more; says who has called.
async fn silent_after(blob: Vec<u8>) -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<u64>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (calls, called) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 72];
            stream.read_exact(&mut hello).await.unwrap();
            let offset = u64::from_be_bytes(hello[16..24].try_into().unwrap());
            stream.write_all(blob.get(offset as usize..).unwrap_or_default()).await.unwrap();
            calls.send(offset).unwrap();
            held.push(stream);
        }
    });
    (address, called)
}

/// Waits until a recipient has so much.
pub(super) async fn until(person: &Person, bytes: u64) {
    while person.engine.progress().first().is_none_or(|progress| progress.bytes < bytes) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn stopped_and_begun_again_it_goes_on() {
    let world = World::new();
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, tcp, said) = large_file(&world, &mut alice).await;
    let (silent, mut called) = silent_after(said[..320 + 3 * PIECE].to_vec()).await;
    let at_silent = Task::Dial { tcp: vec![silent], quic: None, own: None, pass: pass(&offer) };
    bob.assign(&offer, false, &world, at_silent.clone());
    assert_eq!(called.recv().await, Some(0));
    until(&bob, 320 + 3 * PIECE as u64).await;
    // Told the same again, it goes on with what it does.
    bob.assign(&offer, false, &world, at_silent.clone());
    bob.assign(&offer, false, &world, Task::Rest);
    bob.assign(&offer, false, &world, at_silent);
    assert_eq!(called.recv().await, Some(320 + 3 * PIECE as u64));
    bob.restart();
    assert_eq!(world.shown(), Vec::<String>::new());
    // Another way takes the place of the one before.
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp: vec![silent], quic: None, own: None, pass: pass(&offer) },
    );
    assert_eq!(called.recv().await, Some(320 + 3 * PIECE as u64));
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) },
    );
    assert!(matches!(bob.next().await, Moved::Received { .. }));
    assert!(called.try_recv().is_err());
    assert!(read(&world.chosen().join("a")) == bytes(LARGE));
}

#[tokio::test]
async fn where_it_goes_stays_as_it_was_when_it_was_begun() {
    let world = World::new();
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, tcp, said) = large_file(&world, &mut alice).await;
    let some = 320 + 3 * PIECE;
    let (silent, mut called) = silent_after(said[..some].to_vec()).await;
    let folders = ["one", "two", "three"].map(|name| world.chosen().join(name));
    let [one, two, three] = &folders;
    folders[..2].iter().for_each(|folder| fs::create_dir(folder).unwrap());
    let part = |folder: &PathBuf| folder.join(part_name(offer.transfer, DEVICE)).exists();
    let at_silent = Task::Dial { tcp: vec![silent], quic: None, own: None, pass: pass(&offer) };

    bob.restart_into(one.clone());
    bob.receive(&offer, "", at_silent.clone());
    assert_eq!(called.recv().await, Some(0));
    until(&bob, some as u64).await;
    // Begun again with another folder for everything, it goes on in the first.
    bob.restart_into(two.clone());
    bob.receive(&offer, "", at_silent.clone());
    assert_eq!(called.recv().await, Some(some as u64));
    assert_eq!((part(one), part(two)), (true, false));
    // A folder that is not there takes nothing away from another.
    bob.receive(&offer, three.to_str().unwrap(), Task::Fetch { token: String::new() });
    assert_eq!(bob.next().await, Moved::Failed(Fault::NotFound));
    assert_eq!((part(one), part(two)), (true, false));
    // Only where it is named for this transfer, and nothing is left behind.
    bob.receive(
        &offer,
        two.to_str().unwrap(),
        Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) },
    );
    let paths = vec![two.join("a").to_str().unwrap().to_owned()];
    assert_eq!(bob.next().await, Moved::Received { paths });
    assert_eq!((part(one), part(two)), (false, true));
    assert!(read(&two.join("a")) == bytes(LARGE));
}

#[tokio::test]
async fn where_what_was_begun_is_gone_it_begins_where_everything_goes() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let tcp = alice.serve(&offer, &place).await;
    let transfers = bob.home.path().join("transfers");
    records::add(&transfers, offer.transfer, &world.path("gone")).unwrap();
    bob.restart_into(world.chosen());
    bob.receive(&offer, "", Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) });
    let paths = vec![world.chosen().join("a").to_str().unwrap().to_owned()];
    assert_eq!(bob.next().await, Moved::Received { paths });
}

/// Alice offers a large file, and is there for whoever calls: where, and all that she sends then.
async fn large_file(world: &World, alice: &mut Person) -> (FileOffer, Vec<SocketAddr>, Vec<u8>) {
    world.file("a", &bytes(LARGE));
    let (offer, place) = alice.offer(world, "a").await;
    let tcp = alice.serve(&offer, &place).await;
    let blob = alice_blob(&tcp, &offer).await;
    (offer, tcp, blob)
}

/// All that a sender sends to its recipient.
async fn alice_blob(tcp: &[SocketAddr], offer: &FileOffer) -> Vec<u8> {
    let mut stream = tokio::net::TcpStream::connect(tcp[0]).await.unwrap();
    stream.write_all(&path_hello(&offer.key, DEVICE, 0, [1; 16])).await.unwrap();
    let mut blob = Vec::new();
    stream.read_to_end(&mut blob).await.unwrap();
    blob
}

#[tokio::test]
async fn what_is_forgotten_leaves_nothing_but_the_files() {
    let world = World::new();
    world.file("a", &bytes(LARGE));
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, place) = alice.offer(&world, "a").await;
    let tcp = alice.serve(&offer, &place).await;
    let at = tcp[0];
    let dial = Task::Dial { tcp, quic: None, own: None, pass: pass(&offer) };
    bob.assign(&offer, false, &world, dial.clone());
    let received = bob.next().await;
    // Nobody has heard of it before the program ends: it is said again, and not received again.
    bob.restart();
    bob.assign(&offer, false, &world, dial);
    assert_eq!(bob.next().await, received);
    assert_eq!(world.names(), [&part_name(offer.transfer, DEVICE), "a"]);
    assert_eq!((alice.kept().len(), bob.kept().len()), (1, 1));
    alice.assign(&offer, true, &world, Task::Forget);
    bob.assign(&offer, false, &world, Task::Forget);
    while !alice.kept().is_empty() || !bob.kept().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.names(), ["a"]);
    // Nobody listens any more.
    while tokio::net::TcpStream::connect(at).await.is_ok() {}
}

#[tokio::test]
async fn progress_is_told_for_each_way() {
    let world = World::new();
    let (mut alice, mut bob) = (Person::new(), Person::new());
    let (offer, _, said) = large_file(&world, &mut alice).await;
    let (silent, mut called) = silent_after(said[..320 + 2 * PIECE].to_vec()).await;
    assert_eq!(bob.engine.progress(), []);
    bob.assign(
        &offer,
        false,
        &world,
        Task::Dial { tcp: vec![silent], quic: None, own: None, pass: pass(&offer) },
    );
    called.recv().await.unwrap();
    until(&bob, 320 + 2 * PIECE as u64).await;
    let progress = bob.engine.progress()[0];
    assert_eq!((progress.transfer, progress.way), (offer.transfer, Way::Dial));
    assert_eq!((progress.bytes, progress.of), (320 + 2 * PIECE as u64, said.len() as u64));
    bob.assign(&offer, false, &world, Task::Rest);
    while !bob.engine.progress().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn preparing_can_be_stopped() {
    let world = World::new();
    let path = world.file("a", &bytes(LARGE));
    let alice = Person::new();
    let preparing = Preparing::default();
    preparing.stop();
    let prepared = alice.engine.prepare(vec![path], preparing).await.unwrap();
    assert_eq!(prepared.err(), Some(BadSource::Stopped));
    assert_eq!(alice.kept(), Vec::<String>::new());
}

#[test]
fn old_parts_and_hashes_are_removed() {
    let world = World::new();
    let (transfers, day) = (world.path("transfers"), Duration::from_secs(24 * 3600));
    let transfer = TransferId::from_bytes([1; 16]);
    let part = world.chosen().join(part_name(transfer, DEVICE));
    let others = [transfers.join("notes.part"), world.chosen().join("notes")];
    others.iter().for_each(|path| fs::write(path, b"").unwrap());
    fs::create_dir(&part).unwrap();
    fs::write(part.join("hashes"), b"").unwrap();
    records::add(&transfers, transfer, &part).unwrap();
    fs::write(transfers.join(format!("{transfer}.hashes")), b"").unwrap();
    let sweep = |days: u32| {
        records::sweep(&transfers, SystemTime::now() + day * days, day * 7, day * 30);
        (part.exists(), transfers.join(format!("{transfer}.hashes")).exists())
    };
    assert_eq!(sweep(6), (true, true));
    assert_eq!(sweep(8), (false, true));
    assert_eq!(sweep(29), (false, true));
    assert_eq!(sweep(31), (false, false));
    assert!(others.iter().all(|path| path.exists()));
}

#[tokio::test]
async fn what_belongs_to_no_transfer_is_removed_at_the_start() {
    let world = World::new();
    world.file("a", b"a");
    world.file("b", b"b");
    let mut alice = Person::new();
    let (known, _) = alice.offer(&world, "a").await;
    let (stray, _) = alice.offer(&world, "b").await;
    let transfers = alice.home.path().join("transfers");
    let parts =
        [known.transfer, stray.transfer].map(|id| world.chosen().join(part_name(id, DEVICE)));
    for (offer, part) in [&known, &stray].into_iter().zip(&parts) {
        fs::create_dir(part).unwrap();
        records::add(&transfers, offer.transfer, part).unwrap();
    }
    alice.restart();
    alice.engine.keep_only(&[known.transfer].into()).await.unwrap();
    let (id, mut kept) = (known.transfer, alice.kept());
    kept.sort();
    assert_eq!(kept, [format!("{id}.hashes"), format!("{id}.part")]);
    assert_eq!(parts.map(|part| part.exists()), [true, false]);
}
