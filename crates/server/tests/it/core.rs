//! The server core through its shell: what a stranger is told, and that it leaves in order.

use portcullis_crypto::{ServerSetup, Stretch};
use portcullis_proto::{Event, encode_event};
use portcullis_server::domain::CoreDomain;
use portcullis_server::socket::{self, Settings};
use portcullis_server_core::defences::SOUND;
use portcullis_server_core::store::MemoryStore;
use portcullis_server_core::{BlobPolicy, Instance, Registration, Server};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use crate::running::RunningServer;
use crate::wire::{Client, TEXT, frame};

fn server() -> RunningServer {
    let mut random = ChaCha20Rng::seed_from_u64(7);
    let instance = Instance {
        setup: ServerSetup::generate(&mut random),
        registration: Registration::Open,
        stretch: Stretch::STANDARD,
        rate_factor: 1,
        blobs: BlobPolicy::default(),
        guests: None,
    };
    let store = MemoryStore::default();
    Server::prepare(&store).unwrap();
    let core = Server::new(instance, SOUND, Box::new(random));
    RunningServer::start(CoreDomain::new(core, Box::new(store), None), Settings::default())
}

fn text(client: &mut Client) -> String {
    String::from_utf8(client.next().unwrap().payload).unwrap()
}

#[test]
fn strangers_are_answered_by_stable_codes() {
    let server = server();
    let mut client = Client::open(server.address, "/connect");
    let hello = text(&mut client);
    assert!(hello.starts_with(r#"{"event":"hello","data":{"nonce":""#), "{hello}");
    let mut check = |request: &str, id: u64, code: &str| {
        client.send(&frame(TEXT, request.as_bytes()));
        let answer = text(&mut client);
        let expected = format!(r#"{{"id":{id},"refusal":"{code}","#);
        assert!(answer.starts_with(&expected), "{request}\n{answer}");
    };
    check("", 0, "malformed");
    check("[]", 0, "malformed");
    check(&"[".repeat(500_000), 0, "malformed");
    check(r#"{"id":1,"request":"magic"}"#, 1, "unknown_request");
    check(r#"{"id":2,"request":"sign_out","more":1}"#, 0, "malformed");
    check(r#"{"id":3,"request":"sign_out"}"#, 3, "not_now");
    check(r##"{"id":4,"request":"join","data":{"name":"#lobby"}}"##, 4, "not_now");
    check(r#"{"id":5,"request":"join","data":{"name":5}}"#, 5, "malformed");
    let long = format!(r#"{{"id":6,"request":"sign_out"{}}}"#, " ".repeat(2_000));
    check(&long, 6, "too_large");
}

#[test]
fn a_hundred_requests_in_one_packet_get_a_hundred_answers_in_order() {
    let server = server();
    let mut client = Client::open(server.address, "/connect");
    text(&mut client);
    let request = |id| frame(TEXT, format!(r#"{{"id":{id},"request":"sign_out"}}"#).as_bytes());
    client.send(&(0..100).flat_map(request).collect::<Vec<_>>());
    for id in 0..100 {
        let answer = text(&mut client);
        assert!(answer.starts_with(&format!(r#"{{"id":{id},"#)), "{answer}");
    }
}

#[test]
fn what_the_socket_layer_says_by_itself_are_events_of_the_protocol() {
    let check = |sent: &[u8], event: &Event| {
        assert_eq!(sent, socket::frame::text(encode_event(event).as_bytes()));
    };
    let settings = Settings::default();
    check(&settings.lagging, &Event::Lagging);
    check(&settings.stopping, &Event::Stopping);
}

#[test]
fn a_stop_is_announced() {
    let server = server();
    let mut client = Client::open(server.address, "/connect");
    text(&mut client);
    let stopping = std::thread::spawn(|| server.stop());
    assert_eq!(text(&mut client), r#"{"event":"stopping"}"#);
    let close = client.next().unwrap();
    assert_eq!(close.code(), Some(1001));
    client.send(&frame(0x88, &close.payload));
    assert_eq!(client.next(), None);
    stopping.join().unwrap();
}
