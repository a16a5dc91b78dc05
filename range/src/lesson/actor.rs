//! Somebody of a lesson: what they know and seal, driven by a script that is told what they read.

use super::Defences;
use super::frame::{Header, Kind, Sealed};
use super::note::{Note, seal_note};
use super::suite::{self, Key, Nonce, Numbers, Removal, same};
use crate::plane::Secrets;
use crate::world::Happened;
use portcullis_crypto::Randomness;
use portcullis_proto::{Bytes, ChannelName, UserName};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// What a script is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cue {
    /// The connection broke and was made again; how often it was made by now.
    Back(u64),
    /// Somebody asks in the open.
    Asked(String),
    /// They have read something that was sealed for them.
    Read {
        /// Who says it, as they see it.
        sender: UserName,
        /// Where.
        place: ChannelName,
        /// What.
        text: String,
    },
}

/// What somebody does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Says something.
    Say(ChannelName, String),
    /// Orders something.
    Order(ChannelName, String),
    /// Sends a note.
    Note(ChannelName, String),
    /// Answers in the open.
    Answer(String),
    /// Shuts somebody out of a group.
    Remove(ChannelName, UserName),
    /// Writes to the operator.
    Write(String),
    /// Opens the operator's page with this password.
    OpenPage(String),
}

/// What somebody does when they are told something.
pub type Script = fn(&Actor, &Cue, &Secrets) -> Vec<Act>;

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Did {
    /// Frames for the desk.
    pub(crate) frames: Vec<String>,
    /// What the plane is to know.
    pub(crate) happened: Vec<Happened>,
}

/// A group's key as somebody knows it.
#[derive(Debug, Clone)]
struct Ring {
    key: Key,
    epoch: u64,
    members: Vec<UserName>,
}

/// Somebody.
pub struct Actor {
    name: UserName,
    script: Script,
    salt: [u8; 4],
    numbers: Numbers,
    rings: BTreeMap<ChannelName, Ring>,
    pairs: BTreeMap<UserName, Key>,
    requests: u64,
}

#[derive(Deserialize)]
struct Heard {
    event: String,
    data: Value,
}

#[derive(Deserialize)]
struct Passed {
    post: usize,
    message: Sealed,
}

impl Actor {
    /// Somebody who knows nobody yet.
    pub fn new(name: UserName, script: Script, rng: &mut dyn Randomness) -> Self {
        let mut salt = [0; 4];
        rng.fill_bytes(&mut salt);
        let numbers = Numbers { connects: 1, ..Numbers::default() };
        Self {
            name,
            script,
            salt,
            numbers,
            rings: BTreeMap::new(),
            pairs: BTreeMap::new(),
            requests: 0,
        }
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &UserName {
        &self.name
    }

    /// They share a key with somebody alone.
    pub(crate) fn meet(&mut self, other: UserName, key: Key) {
        self.pairs.insert(other, key);
    }

    /// They are in a group.
    pub(crate) fn enter(&mut self, place: ChannelName, key: Key, members: Vec<UserName>) {
        self.rings.insert(place, Ring { key, epoch: 1, members });
    }

    pub(crate) const fn tick(&mut self) {
        self.numbers.seconds += 1;
    }

    /// Their connection broke, and was made again.
    pub(crate) fn back(&mut self, with: &mut With<'_>) -> Did {
        self.numbers.connects += 1;
        self.numbers.since_connect = 0;
        self.play(&Cue::Back(self.numbers.connects), Did::default(), with)
    }

    /// A frame from the desk.
    pub(crate) fn hear(&mut self, text: &str, with: &mut With<'_>) -> Did {
        let Ok(Heard { event, data }) = serde_json::from_str(text) else { return Did::default() };
        match event.as_str() {
            "asked" => {
                let asked = data["text"].as_str().unwrap_or_default().to_owned();
                self.play(&Cue::Asked(asked), Did::default(), with)
            }
            "sealed" => match serde_json::from_value(data) {
                Ok(passed) => self.open(passed, with),
                Err(_) => Did::default(),
            },
            _ => Did::default(),
        }
    }

    /// Does something.
    pub(crate) fn act(&mut self, act: Act, with: &mut With<'_>) -> Did {
        let mut did = Did::default();
        self.do_it(act, with, &mut did);
        did
    }

    fn play(&mut self, cue: &Cue, mut did: Did, with: &mut With<'_>) -> Did {
        for act in (self.script)(self, cue, with.secrets) {
            self.do_it(act, with, &mut did);
        }
        did
    }

    fn do_it(&mut self, act: Act, with: &mut With<'_>, did: &mut Did) {
        match act {
            Act::Say(place, text) => self.say(Kind::Word, place, &text, with, did),
            Act::Order(place, text) => self.say(Kind::Order, place, &text, with, did),
            Act::Note(place, text) => self.say(Kind::Note, place, &text, with, did),
            Act::Answer(text) => self.request("answer", &json!({"text": text}), did),
            Act::Remove(place, who) => self.remove(&place, &who, with, did),
            Act::Write(text) => self.request("write", &json!({"text": text}), did),
            Act::OpenPage(password) => {
                let data = json!({"name": self.name, "password": password});
                self.request("operator", &data, did);
            }
        }
    }

    fn request(&mut self, request: &str, data: &Value, did: &mut Did) {
        self.requests += 1;
        let frame = json!({"id": self.requests, "request": request, "data": data});
        did.frames.push(frame.to_string());
    }

    fn say(
        &mut self,
        kind: Kind,
        place: ChannelName,
        text: &str,
        with: &mut With<'_>,
        did: &mut Did,
    ) {
        let Some(Ring { key, .. }) = self.rings.get(&place).cloned() else { return };
        let header = Header { kind, from: self.name.clone(), place: place.clone() };
        let (nonce, body, tag) = match kind {
            Kind::Note => {
                let mut start = [0; 16];
                with.rng.fill_bytes(&mut start);
                let key = note_key(&key, &header);
                let Note { start, body, tag } = seal_note(&key, start, text.as_bytes());
                (start.to_vec(), body, tag)
            }
            Kind::Order => {
                let nonce = self.next_nonce(with.defences);
                let body = suite::turn(&key, &nonce, text.as_bytes());
                let tag = (with.defences.order_tag)(&key, &header, &nonce, &body);
                (nonce.to_vec(), body, tag)
            }
            Kind::Word | Kind::Key => {
                let nonce = self.next_nonce(with.defences);
                let bound = (with.defences.bound)(&header);
                let padded = (with.defences.pad)(text.as_bytes());
                let Some(body) = suite::seal_word(&key, &nonce, &bound, &padded) else { return };
                (nonce.to_vec(), body, Vec::new())
            }
        };
        let (nonce, body, tag) = (Bytes(nonce), Bytes(body), Bytes(tag));
        let from = self.name.clone();
        let sealed = Sealed { kind, from, place: place.clone(), to: None, nonce, body, tag };
        self.request("post", &json!(sealed), did);
        let (by, text) = (self.name.clone(), text.to_owned());
        did.happened.push(Happened::Said { by, place, text });
    }

    fn next_nonce(&mut self, defences: &Defences) -> Nonce {
        let number = (defences.take_number)(&self.numbers);
        self.numbers.stored = self.numbers.stored.max(number);
        self.numbers.since_connect += 1;
        let mut nonce = [0; 12];
        let bytes = self.salt.iter().copied().chain(number.to_be_bytes());
        nonce.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        nonce
    }

    fn remove(&mut self, place: &ChannelName, who: &UserName, with: &mut With<'_>, did: &mut Did) {
        let Some(ring) = self.rings.get_mut(place) else { return };
        ring.members.retain(|member| member != who);
        ring.epoch += 1;
        let (old, fresh) = (ring.key.clone(), Key::random(with.rng));
        let removal = Removal { old, fresh, epoch: ring.epoch, remaining: ring.members.clone() };
        ring.key = (with.defences.next_key)(&removal);
        let key = ring.key.clone();
        for to in removal.remaining {
            let Some(pair) = self.pairs.get(&to).cloned() else { continue };
            let header = Header { kind: Kind::Key, from: self.name.clone(), place: place.clone() };
            let mut nonce = [0; 12];
            with.rng.fill_bytes(&mut nonce);
            let sealed = suite::seal_word(&pair, &nonce, &suite::bound(&header), key.as_bytes());
            let Some(body) = sealed.map(Bytes) else { continue };
            let Header { kind, from, place } = header;
            let (nonce, tag) = (Bytes(nonce.to_vec()), Bytes::default());
            let sealed = Sealed { kind, from, place, to: Some(to), nonce, body, tag };
            self.request("post", &json!(sealed), did);
        }
    }

    fn open(&mut self, passed: Passed, with: &mut With<'_>) -> Did {
        let Passed { post, message } = passed;
        if message.from == self.name {
            return Did::default();
        }
        match message.kind {
            Kind::Key => {
                self.take_key(&message);
                Did::default()
            }
            Kind::Note => self.open_note(post, message, with),
            Kind::Word | Kind::Order => match self.text_of(&message, with.defences) {
                Some(text) => self.read(message, text, Did::default(), with),
                None => Did::default(),
            },
        }
    }

    fn text_of(&self, message: &Sealed, defences: &Defences) -> Option<Vec<u8>> {
        let key = &self.rings.get(&message.place)?.key;
        let nonce: Nonce = message.nonce.as_slice().try_into().ok()?;
        let (header, body) = (message.header(), message.body.as_slice());
        if message.kind == Kind::Order {
            let tag = (defences.order_tag)(key, &header, &nonce, body);
            let taken = same(&tag, message.tag.as_slice());
            return taken.then(|| suite::turn(key, &nonce, body));
        }
        let padded = suite::open_word(key, &nonce, &(defences.bound)(&header), body)?;
        suite::unpad(&padded).map(<[u8]>::to_vec)
    }

    fn open_note(&mut self, post: usize, message: Sealed, with: &mut With<'_>) -> Did {
        let Some(Ring { key, .. }) = self.rings.get(&message.place).cloned() else {
            return Did::default();
        };
        let Ok(start) = message.nonce.as_slice().try_into() else { return Did::default() };
        let (body, tag) = (message.body.as_slice().to_vec(), message.tag.as_slice().to_vec());
        let key = note_key(&key, &message.header());
        let opened = (with.defences.open_note)(&key, &Note { start, body, tag });
        let mut did = Did::default();
        let receipt = opened.receipt;
        let data = json!({"post": post, "word": receipt.word, "work": receipt.work});
        self.request("receipt", &data, &mut did);
        match opened.text {
            Some(text) => self.read(message, text, did, with),
            None => did,
        }
    }

    fn take_key(&mut self, message: &Sealed) -> Option<()> {
        message.to.as_ref().filter(|to| **to == self.name)?;
        let pair = self.pairs.get(&message.from)?;
        let nonce: Nonce = message.nonce.as_slice().try_into().ok()?;
        let bound = suite::bound(&message.header());
        let key = suite::open_word(pair, &nonce, &bound, message.body.as_slice())?;
        let ring = self.rings.get_mut(&message.place)?;
        ring.key = Key::from_bytes(key.as_slice().try_into().ok()?);
        ring.epoch += 1;
        Some(())
    }

    fn read(&mut self, message: Sealed, text: Vec<u8>, mut did: Did, with: &mut With<'_>) -> Did {
        let Ok(text) = String::from_utf8(text) else { return did };
        let Sealed { from: sender, place, .. } = message;
        let (by, seen) = (self.name.clone(), (sender.clone(), place.clone(), text.clone()));
        let (from, at, what) = seen;
        did.happened.push(Happened::Read { by, sender: from, place: at, text: what });
        self.play(&Cue::Read { sender, place, text }, did, with)
    }
}

/// The key of one sender's notes at one place, so that nobody moves a note.
fn note_key(key: &Key, header: &Header) -> Key {
    key.derive(&suite::bound(header))
}

/// What an actor does things with.
pub(crate) struct With<'w> {
    /// The decisions in force.
    pub(crate) defences: &'w Defences,
    /// Chance.
    pub(crate) rng: &'w mut dyn Randomness,
    /// What the script knows of the world's secrets.
    pub(crate) secrets: &'w Secrets,
}

impl fmt::Debug for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({})", self.name)
    }
}
