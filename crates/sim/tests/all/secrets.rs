//! `Debug` of whatever holds a secret shows none of its bytes, in any form that a log would print them
//! in. Leaves out the types of the terminal and the server's shell, which their own crates test.

use portcullis_client_core::{Command, Effect, Event, Key, Saying, Write};
use portcullis_crypto::{
    AuthKey, ExportKey, IdentityKey, Password, SealKey, Secret, ServerSetup, Signature, Stretch,
};
use portcullis_proto::{
    AccountId, Bytes, ClientFrame, ConversationId, DeviceId, Event as ServerEvent, Opened, Reply,
    Request, ServerFrame, UserName, encode_reply,
};
use portcullis_server_core::store::Store as _;
use portcullis_server_core::{
    BlobPolicy, ConnectionId, Incoming, Instance, Output, Peer, Registration, Server,
};
use portcullis_sim::{Chance, World};
use std::fmt::Debug;

/// The secret in every place: as a text, and as bytes.
const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-";

fn bytes() -> [u8; 32] {
    SECRET.as_bytes().try_into().unwrap()
}

fn user() -> UserName {
    UserName::parse("mira").unwrap()
}

/// How the beginning of some bytes looks as text, numbers, hexadecimal digits and base64.
fn forms(secret: &[u8]) -> Vec<String> {
    let start = &secret[..8];
    let joined = |parts: Vec<String>, with: &str| parts.join(with);
    let numbers: Vec<String> = start.iter().map(u8::to_string).collect();
    let hex: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
    let base64 = serde_json::to_string(&Bytes(secret[..6].to_vec())).unwrap();
    let mut forms = vec![
        joined(numbers.clone(), ", "),
        joined(numbers, ",\n    "),
        joined(hex.clone(), ""),
        joined(hex, ", "),
        base64.trim_matches('"').to_owned(),
    ];
    forms.extend(core::str::from_utf8(start).ok().map(str::to_owned));
    forms
}

#[track_caller]
fn hides(value: &dyn Debug, secret: &[u8]) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        let dense: String = text.split_whitespace().collect();
        for form in forms(secret) {
            let bare: String = form.split_whitespace().collect();
            assert!(!dense.contains(&bare), "shows {form}: {text}");
        }
    }
}

#[track_caller]
fn check(value: &dyn Debug) {
    hides(value, SECRET.as_bytes());
}

#[test]
fn keys_and_passwords() {
    let mut long = [0; 64];
    long[..32].copy_from_slice(&bytes());
    check(&Secret::from_bytes(bytes()));
    check(&Password::new(SECRET.to_owned()));
    check(&SealKey::from_secret(Secret::from_bytes(bytes())));
    check(&ExportKey::from_secret(Secret::from_bytes(long)));
    check(&AuthKey::from_secret(&Secret::from_bytes(bytes())));
    check(&IdentityKey::from_secret(&Secret::from_bytes(bytes())));
    let mut chance = Chance::new(1);
    let setup = ServerSetup::generate(chance.rng());
    let secret = setup.to_bytes().to_vec();
    hides(&setup, &secret);
    let registration = Registration::Open;
    let instance = Instance {
        setup,
        registration,
        stretch: Stretch::LIGHT,
        rate_factor: 1,
        blobs: BlobPolicy::default(),
        guests: None,
    };
    hides(&instance, &secret);
}

#[test]
fn what_a_client_hears_and_does() {
    let password = || Password::new(SECRET.to_owned());
    let name = user();
    let invite = Some(SECRET.to_owned());
    let register = Command::Register { name: user(), password: password(), invite };
    check(&register);
    check(&Event::Command(register));
    check(&Command::LogIn { name, password: password() });
    check(&Command::RevokeDevice(DeviceId::from_bytes([1; 16]), password()));
    check(&Command::ChangePassword { old: password(), new: password() });
    let text = SECRET.to_owned();
    check(&Command::Say { conversation: ConversationId::LOBBY, what: Saying::Text(text) });
    check(&Event::Frame(opened_frame()));
    check(&Effect::Send(resume_frame()));
    let write = || Write { key: Key::Account, value: Some(SECRET.as_bytes().to_vec().into()) };
    check(&write());
    check(&Effect::Persist(vec![write()]));
}

#[test]
fn what_travels() {
    let frame = || register_start();
    check(&frame());
    check(&ClientFrame { id: 1, request: frame() });
    check(&Incoming::Request { connection: ConnectionId(1), id: 1, request: Ok(frame()) });
    check(&resume());
    let reply = Reply::Opened(opened());
    check(&ServerFrame::Reply(1, reply.clone()));
    check(&Output::Reply { connection: ConnectionId(1), id: 1, result: Ok(reply) });
    check(&portcullis_proto::decode_request(&resume_frame()));
}

fn register_start() -> Request {
    let (invite, request) = (Some(SECRET.to_owned()), Bytes(SECRET.as_bytes().to_vec()));
    Request::RegisterStart { name: user(), invite, request }
}

fn resume() -> Request {
    let (token, device) = (Bytes(SECRET.as_bytes().to_vec()), DeviceId::from_bytes([1; 16]));
    Request::Resume { token, device, proof: Signature::from_bytes([0; 64]) }
}

fn resume_frame() -> String {
    ClientFrame { id: 1, request: resume() }.encode()
}

fn opened() -> Opened {
    Opened {
        account: AccountId::from_bytes([1; 16]),
        name: user(),
        device: DeviceId::from_bytes([1; 16]),
        token: Some(Bytes(SECRET.as_bytes().to_vec())),
        submitted: 0,
        list_version: 1,
        stock: portcullis_proto::Stock::default(),
    }
}

fn opened_frame() -> String {
    encode_reply(1, &Reply::Opened(opened()))
}

/// A session between the steps of a registration holds the invitation code.
#[test]
fn a_server_and_its_sessions() {
    let mut world = World::new(1, Stretch::LIGHT).unwrap();
    let setup = ServerSetup::generate(world.chance.rng());
    let registration = Registration::Open;
    let instance = Instance {
        setup,
        registration,
        stretch: Stretch::LIGHT,
        rate_factor: 1,
        blobs: BlobPolicy::default(),
        guests: None,
    };
    let defences = portcullis_server_core::defences::SOUND;
    let rng = Box::new(world.chance.fork().into_rng());
    let mut server = Server::new(instance, defences, rng);
    let connection = ConnectionId(1);
    let hello = server.connect(connection, Peer::loopback(), world.now);
    assert!(matches!(hello, ServerEvent::Hello { .. }));
    let request = Ok(register_start());
    let outputs =
        server.run(&world.store, world.now, vec![Incoming::Request { connection, id: 1, request }]);
    check(&outputs);
    check(&server);
}

/// All that a device keeps and all that its server stores, after people have talked.
#[test]
fn a_played_world() {
    let mut world = World::new(2, Stretch::LIGHT).unwrap();
    let mira = world.add_device(&user());
    world.settle().unwrap();
    let device = &world.devices[mira.0];
    let record = device.copy_of_home().remove(&Key::Account).unwrap();
    let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
    let read = |value: &serde_json::Value| -> Bytes {
        serde_json::from_value(value.clone()).expect("base64")
    };
    let (key, token) = (read(&record["r"]["device"][1]), read(&record["r"]["token"]));
    let account = world.store.account_by_name(&user()).unwrap().unwrap();
    for secret in [&key.0, &token.0] {
        hides(device, secret);
        hides(&device.client(), secret);
        hides(&device.shows, secret);
        hides(&world, secret);
        hides(&world.store, secret);
        hides(&account, secret);
    }
    let record = account.login.record;
    hides(&world.store, record.as_slice());
}
