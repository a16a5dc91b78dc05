//! A scripted classroom client: its connection, what it says and what it makes of what it hears, by the
//! habits of its family.

use std::collections::HashMap;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use tungstenite::{Error, Message, WebSocket};

use super::chat::Recipient;
use super::family::{Family, Signed};
use super::json::Json;
use super::key::{Key, PublicKey};
use super::wire::{Root, Wire};
use crate::program::DEADLINE;

/// In this time after `hello` a client of one family can't take a `client_list`.
const REGISTERING: Duration = Duration::from_millis(200);

/// After this time without anything new a client asks again who is there.
const ASKING_AGAIN: Duration = Duration::from_millis(600);

/// A client with its connection.
pub(crate) struct Client {
    pub(crate) family: &'static Family,
    pub(crate) key: Key,
    socket: WebSocket<Wire>,
    counter: i64,
    /// Who is there, as the last `client_list` had it.
    people: Vec<Person>,
    /// The last counter of each fingerprint.
    counters: HashMap<String, i64>,
    /// What was heard while something else was waited for.
    heard: Vec<Heard>,
    ended: bool,
}

/// Somebody in `client_list`.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) pem: String,
    /// The address of the server that lists them.
    pub(crate) server: String,
    key: PublicKey,
    fingerprint: String,
}

/// What a client has made of one frame.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The frame as it came.
    pub(crate) frame: String,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// A `client_list`.
    List,
    /// To everybody.
    Public(Said),
    /// A `chat` for this client.
    Private(Said),
    /// A `chat` that this client can't open.
    Sealed,
    /// Something that this family ignores, and why.
    Ignored(&'static str),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    /// The fingerprint that the frame names.
    pub(crate) sender: String,
    pub(crate) text: String,
    /// The listed key of this fingerprint has signed it.
    pub(crate) verified: bool,
    /// The fingerprints of a private message.
    pub(crate) participants: Vec<String>,
}

impl Client {
    /// Connects, and says nothing yet. `server` is `HOST:PORT`.
    pub(crate) fn connect(family: &'static Family, key: Key, server: &str) -> Self {
        Self::connect_by(family, key, server, None)
    }

    /// The same, inside TLS where there is a root to trust.
    pub(crate) fn connect_by(
        family: &'static Family,
        key: Key,
        server: &str,
        root: Option<&Root>,
    ) -> Self {
        let (_, port) = server.rsplit_once(':').unwrap();
        let scheme = if root.is_some() { "wss" } else { "ws" };
        // As a program on this machine is told to.
        let address = format!("{scheme}://localhost:{port}/");
        let wire = Wire::open(server, root);
        let (socket, _) = tungstenite::client(address, wire).unwrap();
        let (counter, people, heard) = (family.first_counter, Vec::new(), Vec::new());
        let counters = HashMap::new();
        Self { family, key, socket, counter, people, counters, heard, ended: false }
    }

    /// Connects and introduces itself.
    pub(crate) fn join(family: &'static Family, key: Key, server: &str) -> Self {
        let mut client = Self::connect(family, key, server);
        client.hello();
        client
    }

    pub(crate) fn hello(&mut self) {
        self.say(&self.hello_data());
        if self.family.registers_late {
            let until = Instant::now() + REGISTERING;
            while let Some(frame) = self.frame(until) {
                assert!(!is_list(&frame), "{}: breaks at an early list", self.family.name);
                self.take(frame);
            }
        }
    }

    pub(crate) fn hello_data(&self) -> Json {
        let pem = self.pem();
        Json::object([("type", Json::text("hello")), ("public_key", Json::text(pem))])
    }

    /// Its key, as it says it.
    pub(crate) fn pem(&self) -> String {
        self.key.public().pem(self.family.pem)
    }

    /// Its fingerprint, as its family makes it.
    pub(crate) fn fingerprint(&self) -> String {
        (self.family.fingerprint)(&self.key.public())
    }

    /// Asks who is there.
    pub(crate) fn list(&mut self) -> Vec<Person> {
        self.send(r#"{"type":"client_list_request"}"#);
        self.wait("a client_list", |heard| heard.what == What::List);
        self.people.clone()
    }

    /// Asks who is there, now and then, until it is as it should be, by their PEMs.
    pub(crate) fn list_until(&mut self, is_there: impl Fn(&[String]) -> bool) {
        let until = Instant::now() + DEADLINE;
        loop {
            let pems: Vec<_> = self.list().into_iter().map(|person| person.pem).collect();
            if is_there(&pems) {
                return;
            }
            assert!(Instant::now() < until, "{}: still {pems:?}", self.family.name);
            if let Some(frame) = self.frame(Instant::now() + ASKING_AGAIN) {
                self.take(frame);
            }
        }
    }

    /// Says something to everybody; the frame.
    pub(crate) fn say_public(&mut self, text: &str) -> String {
        self.say(&self.public_data(text))
    }

    pub(crate) fn public_data(&self, text: &str) -> Json {
        Json::object([
            ("type", Json::text("public_chat")),
            ("sender", Json::text(self.fingerprint())),
            ("message", Json::text(text)),
        ])
    }

    /// Says something to the one who is listed with this PEM; the frame.
    pub(crate) fn say_private(&mut self, pem: &str, text: &str) -> String {
        self.say_private_to(|person| person.pem == pem, text)
    }

    /// Says something to those who are listed and meant; the frame.
    pub(crate) fn say_private_to(
        &mut self,
        is_meant: impl Fn(&Person) -> bool,
        text: &str,
    ) -> String {
        let meant = self.people.iter().filter(|person| is_meant(person)).cloned();
        let to: Vec<_> =
            meant.map(|Person { key, server, .. }| Recipient { key, server }).collect();
        assert!(!to.is_empty(), "they are listed");
        self.say(&self.family.chat(&self.key, &to, text))
    }

    /// Signs and sends; the frame.
    pub(crate) fn say(&mut self, data: &Json) -> String {
        let frame = self.family.frame(&self.key, self.counter, data);
        self.counter += 1;
        self.send(frame.as_str());
        frame
    }

    /// Sends whatever it is. Where the server has hung up, whoever waits for an answer is told.
    pub(crate) fn send(&mut self, frame: impl Into<Message>) {
        let _ = self.socket.send(frame.into());
    }

    /// Shuts its connection in one direction, and keeps it.
    pub(crate) fn shut(&self, how: Shutdown) {
        self.socket.get_ref().socket().shutdown(how).unwrap();
    }

    /// Waits until the server has read all that was sent, or has hung up.
    pub(crate) fn settle(&mut self) {
        self.send(Message::Ping(Vec::new().into()));
        let until = Instant::now() + DEADLINE;
        loop {
            self.wait_until(until);
            match self.socket.read() {
                Ok(Message::Pong(_)) => return,
                Ok(_) => {}
                Err(Error::Io(error)) if is_late(&error) => panic!("it is read in time"),
                Err(_) => return,
            }
        }
    }

    /// Hears this text, said to everybody; and the frame.
    pub(crate) fn hear_public(&mut self, text: &str) -> (Said, String) {
        self.hear(text, |what| match what {
            What::Public(said) if said.text == text => Some(said.clone()),
            _ => None,
        })
    }

    /// Hears a text that begins like this, said to everybody.
    pub(crate) fn hear_public_like(&mut self, start: &str) -> (Said, String) {
        self.hear(start, |what| match what {
            What::Public(said) if said.text.starts_with(start) => Some(said.clone()),
            _ => None,
        })
    }

    /// Hears this text in private.
    pub(crate) fn hear_private(&mut self, text: &str) -> (Said, String) {
        self.hear(text, |what| match what {
            What::Private(said) if said.text == text => Some(said.clone()),
            _ => None,
        })
    }

    fn hear(&mut self, text: &str, wanted: impl Fn(&What) -> Option<Said>) -> (Said, String) {
        let heard = self.wait(text, |heard| wanted(&heard.what).is_some());
        (wanted(&heard.what).unwrap(), heard.frame)
    }

    /// Waits for what is looked for; the rest is kept for later.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Heard) -> bool) -> Heard {
        let until = Instant::now() + DEADLINE;
        let mut at = 0;
        loop {
            while at < self.heard.len() {
                if wanted(&self.heard[at]) {
                    return self.heard.remove(at);
                }
                at += 1;
            }
            assert!(!self.ended, "{}: its listener has ended before {what:?}", self.family.name);
            let Some(frame) = self.frame(until) else {
                panic!("{}: hears {what:?} in time, not {:?}", self.family.name, self.heard);
            };
            self.take(frame);
        }
    }

    /// What was heard and not waited for until now.
    pub(crate) fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    fn wait_until(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        self.socket.get_ref().socket().set_read_timeout(Some(left)).unwrap();
    }

    fn frame(&mut self, until: Instant) -> Option<String> {
        loop {
            self.wait_until(until);
            match self.socket.read() {
                Ok(Message::Text(text)) => return Some(text.to_string()),
                Ok(Message::Ping(_) | Message::Pong(_)) => {}
                Err(Error::Io(error)) if is_late(&error) => return None,
                other => panic!("{}: {other:?}, after {:?}", self.family.name, self.heard),
            }
        }
    }

    fn take(&mut self, frame: String) {
        let what = self.make_of(&frame);
        self.heard.push(Heard { frame, what });
    }

    fn make_of(&mut self, frame: &str) -> What {
        let Some(json) = Json::read(frame) else { return What::Ignored("it is not JSON") };
        match json.get_text("type") {
            Some("client_list") => self.list_of(&json).map_or(What::Ignored("no list"), |people| {
                self.people = people;
                What::List
            }),
            Some("signed_data") => match self.family.read(&json) {
                Ok(signed) => self.signed(&signed),
                Err(why) => What::Ignored(why),
            },
            _ => What::Ignored("its type is unknown"),
        }
    }

    fn list_of(&self, json: &Json) -> Option<Vec<Person>> {
        let Json::List(servers) = json.get("servers")? else { return None };
        let mut people = Vec::new();
        for entry in servers {
            let server = entry.get_text("address")?.to_owned();
            for pem in entry.get_texts("clients")? {
                let key = PublicKey::from_pem(pem)?;
                let fingerprint = (self.family.fingerprint)(&key);
                people.push(Person {
                    pem: pem.to_owned(),
                    server: server.clone(),
                    key,
                    fingerprint,
                });
            }
        }
        Some(people)
    }

    fn signed(&mut self, signed: &Signed) -> What {
        let text = |name: &str| signed.data.get_text(name).map(ToOwned::to_owned);
        match text("type").as_deref() {
            Some("public_chat") => match (text("sender"), text("message")) {
                (Some(sender), Some(text)) => match self.judge(&sender, signed) {
                    Ok(verified) => {
                        What::Public(Said { sender, text, verified, participants: Vec::new() })
                    }
                    Err(why) => What::Ignored(why),
                },
                _ => What::Ignored("a field is missing"),
            },
            Some("chat") => self.private(signed),
            _ => What::Ignored("its type is unknown"),
        }
    }

    fn private(&mut self, signed: &Signed) -> What {
        if self.family.ends_at_echo && self.family.verify(signed, &self.key.public()) {
            self.ended = true;
        }
        let Some(opened) = self.family.open_chat(&signed.data, &self.key) else {
            return What::Sealed;
        };
        let (text, participants) = (opened.message, opened.participants);
        if !participants.iter().skip(1).any(|one| *one == self.fingerprint()) {
            return What::Ignored("this client does not take part");
        }
        let sender = participants[0].clone();
        match self.judge(&sender, signed) {
            Ok(verified) => What::Private(Said { sender, text, verified, participants }),
            Err(why) => What::Ignored(why),
        }
    }

    /// Whether a message is verified; the error says why it is ignored.
    fn judge(&mut self, sender: &str, signed: &Signed) -> Result<bool, &'static str> {
        let person = self.people.iter().find(|person| person.fingerprint == sender);
        let verified = person.is_some_and(|person| self.family.verify(signed, &person.key));
        if !verified && self.family.insists {
            return Err("it does not verify");
        }
        if verified {
            let last = self.counters.entry(sender.to_owned()).or_insert(-1);
            if signed.counter <= *last {
                return Err("its counter does not grow");
            }
            *last = signed.counter;
        }
        Ok(verified)
    }
}

fn is_list(frame: &str) -> bool {
    Json::read(frame).is_some_and(|json| json.get_text("type") == Some("client_list"))
}

fn is_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}
