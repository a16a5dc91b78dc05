//! Hostile guests: each does one thing that the protocol forbids, through a real socket. It comes to
//! nothing, it is counted, and two other guests talk on undisturbed.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};

use rsa::{BigUint, RsaPublicKey};
use tungstenite::Message;

use super::address;
use super::client::Client;
use super::family::{BY_THE_TEXT, FAMILIES, base64, unbase64};
use super::http::{ask, counter};
use super::json::Json;
use super::key::{EXPONENT_3, Key, LONG, ONE_LINE, PublicKey, SHORT, pem_of};
use crate::program::World;

/// One thing that a hostile guest does.
struct Attack {
    what: &'static str,
    run: fn(&Scene),
    /// Under what it is counted, `portcullis_*_total`, and how often at least.
    counted: (&'static str, u64),
    /// How many of its frames the others get, since they break nothing by themselves.
    reaching: std::ops::RangeInclusive<usize>,
}

const fn refused(what: &'static str, counted: (&'static str, u64), run: fn(&Scene)) -> Attack {
    Attack { what, run, counted, reaching: 0..=0 }
}

const ATTACKS: &[Attack] = &[
    Attack {
        reaching: 1..=1,
        ..refused("says again what it has said", ("guest_counter", 1), |scene| {
            let mut guest = scene.guest();
            let frame = guest.say_public("twice");
            guest.send(frame);
            guest.settle();
        })
    },
    refused("counts down", ("guest_counter", 1), |scene| {
        let mut guest = scene.guest();
        let data = guest.public_data("with the counter of its hello");
        guest.send(guest.family.frame(&guest.key, guest.family.first_counter, &data));
        guest.settle();
    }),
    Attack {
        reaching: 1..=1,
        ..refused("says again what it has said elsewhere", ("guest_replay", 1), |scene| {
            let mut guest = scene.guest();
            let frame = guest.say_public("once");
            guest.settle();
            let mut again = scene.guest();
            again.send(frame);
            again.settle();
        })
    },
    refused("says hello with the PEM of another", ("guest_bad_signature", 1), |scene| {
        let mut guest = scene.stranger();
        let public_key = Json::text(&scene.victim);
        guest.say(&Json::object([("type", Json::text("hello")), ("public_key", public_key)]));
        guest.settle();
    }),
    refused("replaces the signature", ("guest_bad_signature", 1), |scene| {
        let mut guest = scene.guest();
        guest.send(guest.family.frame(&Key::number(2), 1, &guest.public_data("forged")));
        guest.settle();
    }),
    refused("says hello again", ("guest_second_hello", 2), |scene| {
        let mut guest = scene.guest();
        guest.say(&guest.hello_data());
        guest.key = Key::number(2);
        guest.say(&guest.hello_data());
        guest.settle();
    }),
    refused("says something before hello", ("guest_no_hello", 1), |scene| {
        let mut guest = scene.stranger();
        guest.say_public("too early");
        guest.settle();
    }),
    refused("names another as the sender", ("guest_not_the_sender", 3), |scene| {
        let mut guest = scene.guest();
        let key = PublicKey::from_pem(&scene.victim).unwrap();
        let fingerprint = (guest.family.fingerprint)(&key);
        for sender in [fingerprint.as_str(), "", "mira"] {
            guest.say(&Json::object([
                ("type", Json::text("public_chat")),
                ("sender", Json::text(sender)),
                ("message", Json::text("in another's name")),
            ]));
        }
        guest.settle();
    }),
    refused("names 10,000 destinations", ("guest_too_many_destinations", 1), |scene| {
        let mut guest = scene.guest();
        // As strings they would be too long for a frame.
        guest.family = FAMILIES[4];
        guest.say(&chat(vec![""; 10_000], 1));
        guest.settle();
    }),
    refused("encrypts to 150 keys", ("guest_too_many_destinations", 1), |scene| {
        let mut guest = scene.guest();
        guest.say(&chat(vec!["localhost:1"; 150], 150));
        guest.settle();
    }),
    refused("names other hosts as destinations", ("guest_elsewhere", 1), |scene| {
        let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
        elsewhere.set_nonblocking(true).unwrap();
        let host = elsewhere.local_addr().unwrap().to_string();
        let mut guest = scene.guest();
        guest.say(&chat(vec![&host, "169.254.169.254:80", "file:///etc/passwd"], 3));
        guest.list();
        assert!(elsewhere.accept().is_err(), "nobody comes");
    }),
    refused("speaks for a server", ("guest_not_for_guests", 2), |scene| {
        let mut guest = scene.guest();
        let sender = Json::text("localhost:1");
        guest.say(&Json::object([("type", Json::text("server_hello")), ("sender", sender)]));
        guest.say(&Json::object([("type", Json::text("shutdown"))]));
        guest.settle();
    }),
    refused("nests deeply", ("guest_malformed", 6), |scene| {
        let mut guest = scene.guest();
        for (open, close) in [("[", "]"), ("{\"a\":[", "]}")] {
            let deep = [open.repeat(5_000), close.repeat(5_000)].concat();
            guest.send(deep.clone());
            let signature = base64(b"signature");
            let text = Json::text(deep.clone()).write(guest.family.style);
            for data in [deep, text] {
                guest.send(format!(
                    r#"{{"type":"signed_data","data":{data},"counter":1,"signature":"{signature}"}}"#
                ));
            }
        }
        guest.settle();
    }),
    refused("says a field twice", ("guest_malformed", 2), |scene| {
        let mut guest = scene.guest();
        let Json::Object(mut fields) = guest.public_data("the first") else { unreachable!() };
        fields.push(("message".to_owned(), Json::text("the second")));
        guest.say(&Json::Object(fields));
        let frame = guest.family.frame(&guest.key, 9, &guest.public_data("nine"));
        guest.send(frame.replace("\"counter\":9", "\"counter\":9,\"counter\":10"));
        guest.settle();
    }),
    refused("sends what is no frame", ("guest_malformed", 16), |scene| {
        let mut guest = scene.guest();
        let frame = guest.family.frame(&guest.key, 9, &guest.public_data("nine"));
        let counters = ["-9", "9.0", "9e0", "\"9\"", "null", "99999999999999999999"];
        for counter in counters {
            guest.send(frame.replace("\"counter\":9", &format!("\"counter\":{counter}")));
        }
        for text in
            ["", "{", "[]", "null", "{}", r#"{"type":"signed_data"}"#, "\u{0}", "{\"type\":7}"]
        {
            guest.send(text);
        }
        guest.send(frame.replace("\"signature\":\"", "\"signature\":\"!"));
        guest.send(frame.replace("\"data\":\"", "\"data\":7,\"was\":\""));
        guest.settle();
    }),
    refused("sends nothing else", ("guest_malformed", 64), |scene| {
        let mut guest = scene.guest();
        for _ in 0..1_000 {
            guest.send("{");
        }
        guest.settle();
    }),
    refused("sends bytes", ("breaches", 1), |scene| {
        let mut guest = scene.guest();
        let frame = guest.family.frame(&guest.key, 9, &guest.public_data("nine"));
        guest.send(Message::Binary(frame.into_bytes().into()));
        guest.settle();
    }),
    refused("sends a megabyte", ("too_long", 1), |scene| {
        let mut guest = scene.guest();
        guest.say_public(&"a".repeat(1 << 20));
        guest.settle();
    }),
    refused("is a page of another host", ("foreign", 2), |scene| {
        let answers = [
            "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            "POST /api/upload HTTP/1.1\r\nContent-Type: application/octet-stream",
        ];
        for head in answers {
            let head = format!("{head}\r\nOrigin: https://elsewhere.example");
            assert_eq!(ask(&scene.server, &head, b"bytes").status, 403, "{head}");
        }
    }),
    Attack {
        reaching: 8..=8,
        ..refused("comes through too many connections", ("guest_full", 1), |scene| {
            // Those on which nothing was said would make room.
            let speaks = |_| {
                let mut guest = scene.guest();
                guest.say_public("here too");
                guest.settle();
                guest
            };
            let _guests: Vec<_> = (0..9).map(speaks).collect();
        })
    },
    refused("asks too often who is here", ("guest_too_often", 100), |scene| {
        let mut guest = scene.guest();
        for _ in 0..200 {
            guest.send(r#"{"type":"client_list_request"}"#);
        }
        guest.settle();
    }),
    Attack {
        reaching: 1..=199,
        ..refused("says too much", ("guest_too_often", 50), |scene| {
            let mut guest = scene.guest();
            for number in 0..200 {
                guest.say_public(&number.to_string());
            }
            guest.settle();
        })
    },
];

#[test]
fn hostile_guests_disturb_nobody() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let server = address(&world);
    let mut talker = Client::join(&BY_THE_TEXT, Key::number(0), &server);
    let mut listener = Client::join(&BY_THE_TEXT, Key::number(1), &server);
    for (number, attack) in ATTACKS.iter().enumerate() {
        // Its connections may be gone a little later than it.
        let attacker = Key::number(3 + number % 15);
        let scene = Scene { server: server.clone(), victim: talker.pem(), attacker };
        talker.list();
        listener.list();
        let (reason, times) = attack.counted;
        let before = scene.count(reason);
        (attack.run)(&scene);
        talker.say_public(attack.what);
        let (said, _) = listener.hear_public(attack.what);
        assert!(said.verified, "{}", attack.what);
        let reached = listener.heard().len();
        assert!(attack.reaching.contains(&reached), "{}: {reached}", attack.what);
        let counted = scene.count(reason) - before;
        assert!(counted >= times, "{}: {reason} {counted}", attack.what);
        let people = listener.list();
        let there = |pem: &str| people.iter().filter(|person| person.pem == pem).count();
        assert_eq!((there(&talker.pem()), there(&listener.pem())), (1, 1), "{}", attack.what);
    }
}

/// Forty keys at one address use up all that the address has, and go on; who says no more than people do is heard.
#[test]
fn many_keys_silence_nobody() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let server = address(&world);
    let mut talker = Client::join(&BY_THE_TEXT, Key::number(0), &server);
    let mut listener = Client::join(&BY_THE_TEXT, Key::number(1), &server);
    listener.list_until(|listed| listed.len() >= 2);
    let scene = Scene { server, victim: String::new(), attacker: Key::number(2) };
    let join = |key| Client::join(&BY_THE_TEXT, key, &scene.server);
    let mut flooders: Vec<_> = Key::many(40).into_iter().map(join).collect();
    // Messages to many cost most.
    let first = |flooder: &mut Client| {
        for _ in 0..12 {
            flooder.say(&chat(vec!["localhost"; 128], 0));
        }
        flooder.settle();
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Also where something below fails.
        let _ends = Ends(&over);
        let over = &over;
        for flooders in flooders.chunks_mut(10) {
            scope.spawn(move || {
                flooders.iter_mut().for_each(first);
                while !over.load(Ordering::Relaxed) {
                    for flooder in flooders.iter_mut() {
                        flooder.say_public("flood");
                    }
                }
            });
        }
        // Until the flood meets its bounds.
        while scene.count("guest_too_often") < 1_000 {
            listener.settle();
        }
        for number in 0..15 {
            let text = format!("line {number}");
            talker.say_public(&text);
            assert!(listener.hear_public(&text).0.verified);
        }
    });
}

/// Says that something is over when it goes.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn keys_that_are_worth_nothing_are_refused() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    let (victim, attacker) = (String::new(), Key::number(0));
    let scene = Scene { server: address(&world), victim, attacker };
    let mut observer = scene.guest();
    let mut check = |what: &str, pem: &str, key: &Key, admitted: bool| {
        let before = scene.count("guest_bad_key");
        let mut guest = Client::connect(&BY_THE_TEXT, key.clone(), &scene.server);
        let public_key = Json::text(pem);
        guest.say(&Json::object([("type", Json::text("hello")), ("public_key", public_key)]));
        guest.settle();
        let listed = observer.list().iter().any(|person| person.pem == pem);
        assert_eq!(listed, admitted, "{what}");
        assert_eq!(scene.count("guest_bad_key") - before, u64::from(!admitted), "{what}");
    };
    let key = Key::number(1);
    for (what, pem, admitted) in [
        ("4096 bits", LONG, true),
        ("1024 bits", SHORT, false),
        ("an exponent of 3", EXPONENT_3, false),
    ] {
        let key = Key::from_pem(pem);
        check(what, &key.public().pem(ONE_LINE), &key, admitted);
    }
    for bits in [512, 16_384] {
        check(&format!("{bits} bits"), &made_up(bits), &key, false);
    }
    let good = key.public().pem(ONE_LINE);
    let [begin, body, end] = good.lines().collect::<Vec<_>>().try_into().unwrap();
    let der = unbase64(body).unwrap();
    let pem = |der: &[u8]| pem_of(der, ONE_LINE);
    for (what, pem) in [
        ("nothing", String::new()),
        ("no PEM", "my key".to_owned()),
        ("no markers", body.to_owned()),
        ("no end", format!("{begin}\n{body}")),
        ("no base64", format!("{begin}\n{}\n{end}", body.replace('M', "*"))),
        ("half of it", pem(&der[..der.len() / 2])),
        ("bytes after it", pem(&[&der[..], &[0]].concat())),
        ("nothing within", pem(&[])),
        ("another label", good.replace("PUBLIC", "RSA PUBLIC")),
        ("a private key", include_str!("keys/01.pem").to_owned()),
        ("two keys", format!("{good}\n{good}")),
        ("an elliptic curve's", pem(&[&ED25519_SPKI[..], &[9; 32]].concat())),
        ("thousands of blanks", format!("{begin}\n{body}{}\n{end}", " ".repeat(6_000))),
    ] {
        check(what, &pem, &key, false);
    }
    check("as it should be", &good, &key, true);
}

#[test]
fn guests_stay_out_where_they_are_not_admitted() {
    let mut world = World::new(&["--guests", "no"]);
    let _server = world.serve();
    let upgrade = "GET / HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==";
    let answer = ask(&address(&world), upgrade, &[]);
    assert_ne!(answer.status, 101, "{answer:?}");
}

/// Where attacks happen.
struct Scene {
    server: String,
    /// The PEM of a guest who does nothing wrong.
    victim: String,
    attacker: Key,
}

impl Scene {
    /// The attacker, before its hello.
    fn stranger(&self) -> Client {
        Client::connect(&BY_THE_TEXT, self.attacker.clone(), &self.server)
    }

    /// The attacker.
    fn guest(&self) -> Client {
        let mut guest = self.stranger();
        guest.hello();
        guest
    }

    /// How often something was refused for this reason.
    fn count(&self, reason: &str) -> u64 {
        counter(&self.server, reason)
    }
}

/// A `chat` that nobody can open.
fn chat(destinations: Vec<&str>, keys: usize) -> Json {
    let key = base64(&[7; 256]);
    Json::object([
        ("type", Json::text("chat")),
        ("destination_servers", Json::texts(destinations.into_iter().map(ToOwned::to_owned))),
        ("iv", Json::text(base64(&[7; 16]))),
        ("symm_keys", Json::texts(vec![key; keys])),
        ("chat", Json::text(base64(&[7; 64]))),
    ])
}

/// The PEM of a key of so many bits, whose prime factors nobody needs.
fn made_up(bits: usize) -> String {
    let number = BigUint::from_bytes_be(&vec![0xc3; bits / 8]);
    let key = RsaPublicKey::new_with_max_size(number, BigUint::from(65_537_u32), bits).unwrap();
    PublicKey(key).pem(ONE_LINE)
}

/// `SubjectPublicKeyInfo` of Ed25519 up to the key (RFC 8410 section 4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
