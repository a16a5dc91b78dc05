//! What a client stores must not drift: every later version reads what this one wrote. The order of the
//! keys and the form of each kind of record, with ids, keys and hashes by their size alone.

use crate::guests::MIRA;
use crate::puppet::{ALICE, BOB};
use portcullis_client_core::{Command, Key, Saying};
use portcullis_crypto::Stretch;
use portcullis_proto::classroom::DialectId;
use portcullis_proto::{Bytes, ConversationId, UserName};
use portcullis_sim::{DeviceIndex, World};
use serde_json::Value;

const EXPECTED: &str = r##"
Account {"r":{"account":ID,"acknowledged":2,"device":[ID,32 bytes,32 bytes],"identity":32 bytes,"list":{"list":BYTES,"signature":64 bytes},"name":"mira","registering":null,"retired":null,"token":32 bytes},"v":2}
Person {"r":{"changed":null,"identity":32 bytes,"list":{"list":BYTES,"signature":64 bytes},"name":"oleg","verified":false},"v":2}
Conversation {"r":{"acknowledged_at":1,"base":0,"chains":[{"chain":32 bytes,"seq":0},{"chain":32 bytes,"seq":1},{"chain":32 bytes,"seq":2}],"encrypted":null,"own_number":1,"promised":[],"read":{"chain":32 bytes,"seq":2},"summary":{"access":"open","conversation":ID,"epoch":0,"head":2,"kind":"channel","name":"#lobby","role":"member","since":1},"unread":1},"v":2}
Encrypted {"r":{"acknowledged_at":3,"base":0,"chains":[{"chain":32 bytes,"seq":0},{"chain":32 bytes,"seq":1},{"chain":32 bytes,"seq":2},{"chain":32 bytes,"seq":3}],"encrypted":{"before":0,"commit":null,"entry":null,"epoch":1,"floor":null,"known":null,"last_said":2,"looked_at":0,"marks":[[ID,{"delivered":2,"read":0}]],"name":null,"plan":{"add":[],"create":false,"leave":false,"name":null,"owner":null,"remove":[],"renew":false},"start":0,"strayed":[],"welcome":null},"own_number":0,"promised":[],"read":{"chain":32 bytes,"seq":3},"summary":{"access":"invitation","conversation":ID,"epoch":1,"head":3,"kind":"direct","role":"member","since":1,"with":{"account":ID,"name":"oleg"}},"unread":1},"v":2}
Number {"r":1,"v":2}
Inbox {"r":{"chain":32 bytes,"seq":1},"v":2}
Mls BYTES
Outbox {"r":[{"body":[0,BYTES],"content":BYTES}],"v":2}
Message {"r":{"account":ID,"body":{"text":{"reply_to":null,"text":"hello"}},"conversation":ID,"device":ID,"id":ID,"identity":"own","own":true,"sender":"mira","sent_at":TIME,"seq":1},"v":2}
"##;

#[test]
fn records_have_the_form_that_they_always_had() {
    let mut world = World::new(5, Stretch::LIGHT).unwrap();
    let [mira, oleg] = ["mira", "oleg"].map(|name| {
        let index = world.add_device(&UserName::parse(name).unwrap());
        world.settle().unwrap();
        index
    });
    say(&mut world, mira, "hello");
    world.settle().unwrap();
    say(&mut world, oleg, "hello, mira");
    world.settle().unwrap();
    world.command(oleg, Command::Tell(UserName::parse("mira").unwrap().into(), "alone".to_owned()));
    world.settle().unwrap();
    world.cut(world.link_of(mira).unwrap());
    say(&mut world, mira, "later");
    assert_forms(&world, mira, |_| true, EXPECTED);
}

const OF_GUESTS: &str = r#"
Classic {"r":{"own":{"counter":1,"device":ID,"key":BYTES,"start":0},"place":2},"v":2}
Guest {"r":{"answered":true,"conversation":ID,"dialect":{"fingerprint":0,"iv_bytes":16,"longest_salt":false,"name":"text","nested":false,"recipe":16},"outbox":[{"at":TIME,"frame":null,"id":ID,"text":"later"}],"pem":BYTES,"place":2,"unread":1},"v":2}
GuestSeen {"r":null,"v":2}
"#;

#[test]
fn records_of_guests_have_the_form_that_they_always_had() {
    let mut world = crate::guests::world(DialectId::BY_THE_TEXT);
    let mira = crate::guests::key_of(&world, MIRA);
    crate::guests::chats(&mut world, &[mira], "psst");
    let id = crate::guests::talk(&world, MIRA).unwrap();
    let say = |text: &str| Saying::Text(text.to_owned());
    world.command(MIRA, Command::Say { conversation: id, what: say("yes?") });
    world.settle().unwrap();
    world.cut(world.link_of(MIRA).unwrap());
    world.command(MIRA, Command::Say { conversation: id, what: say("later") });
    let of_guests = |key| matches!(key, Key::Classic | Key::Guest(_) | Key::GuestSeen(_));
    assert_forms(&world, MIRA, of_guests, OF_GUESTS);
}

const OF_RECIPIENT: &str = r#"
Person {"r":{"auto_accept":1000,"changed":null,"direct":true,"identity":32 bytes,"list":{"list":BYTES,"signature":64 bytes},"name":"alice","verified":false},"v":2}
Transfer {"r":{"at":TIME,"conversation":ID,"device":ID,"ended":null,"halted":null,"message":ID,"offer":{"bytes":600065,"files":1,"key":32 bytes,"manifest":64,"root":32 bytes,"title":"report.pdf","transfer":ID},"part":{"receives":{"answered_at":6,"quic":null,"relayed":true,"stage":{"received":[BYTES]},"tcp":[]}},"place":"downloads","recipients":[[ID,"received",ID,false]],"released":true,"sender":ID},"v":2}
"#;

const OF_SENDER: &str = r#"
Transfer {"r":{"at":TIME,"conversation":ID,"device":ID,"ended":null,"halted":null,"message":ID,"offer":{"bytes":600065,"files":1,"key":32 bytes,"manifest":64,"root":32 bytes,"title":"report.pdf","transfer":ID},"part":{"sends":{"offered":true,"relay_now":false,"stored":true}},"place":BYTES,"recipients":[[ID,"received",ID,false]],"released":true,"sender":ID},"v":2}
"#;

#[test]
fn records_of_transfers_have_the_form_that_they_always_had() {
    let (mut world, id) = crate::files::direct();
    let transfer = crate::files::offers(&mut world, ALICE, id);
    world.command(BOB, Command::AutoAccept(UserName::parse("alice").unwrap(), Some(1000)));
    world.command(BOB, Command::AllowDirect(UserName::parse("alice").unwrap(), true));
    crate::files::accepts(&mut world, BOB, transfer);
    let of_files = |key| matches!(key, Key::Transfer(_) | Key::Person(_));
    assert_forms(&world, BOB, of_files, OF_RECIPIENT);
    assert_forms(&world, ALICE, |key| matches!(key, Key::Transfer(_)), OF_SENDER);
}

/// One record of each kind.
fn assert_forms(world: &World, who: DeviceIndex, of: impl Fn(Key) -> bool, expected: &str) {
    let mut text = "\n".to_owned();
    let mut last = "";
    for (key, value) in world.devices[who.0].copy_of_home().into_iter().filter(|(key, _)| of(*key))
    {
        let name = name(key);
        if name != last {
            // The keys of encrypted conversations have a form of their own.
            let value = serde_json::from_slice(&value).map_or("BYTES".to_owned(), |v| form(&v));
            text += &format!("{name} {value}\n");
        }
        last = name;
    }
    assert_eq!(text, expected, "\n{text}");
}

fn say(world: &mut World, index: DeviceIndex, text: &str) {
    let (conversation, text) = (ConversationId::LOBBY, text.to_owned());
    world.command(index, Command::Say { conversation, what: Saying::Text(text) });
}

fn name(key: Key) -> &'static str {
    match key {
        Key::Account => "Account",
        Key::Person(_) => "Person",
        Key::Conversation(ConversationId::LOBBY) => "Conversation",
        Key::Conversation(_) => "Encrypted",
        Key::Number(..) => "Number",
        Key::Outbox(_) => "Outbox",
        Key::Inbox => "Inbox",
        Key::Mls(_) => "Mls",
        Key::Classic => "Classic",
        Key::Guest(_) => "Guest",
        Key::GuestSeen(_) => "GuestSeen",
        Key::Transfer(_) => "Transfer",
        Key::Message(..) => "Message",
    }
}

/// A record with what differs from run to run named by its kind.
fn form(value: &Value) -> String {
    let list = |parts: Vec<String>| parts.join(",");
    match value {
        Value::Array(items) => format!("[{}]", list(items.iter().map(form).collect())),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("\"{name}\":{}", form(value));
            format!("{{{}}}", list(fields.iter().map(field).collect()))
        }
        Value::String(text) if text.len() == 32 => "ID".to_owned(),
        Value::String(text) if text.len() > 40 => match serde_json::from_value(value.clone()) {
            Ok(Bytes(bytes)) if bytes.len() <= 64 => format!("{} bytes", bytes.len()),
            _ => "BYTES".to_owned(),
        },
        Value::Number(number) if number.as_u64() > Some(1 << 40) => "TIME".to_owned(),
        other => other.to_string(),
    }
}
