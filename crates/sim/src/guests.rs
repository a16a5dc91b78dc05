//! Classroom guests of a simulated world: each is a key of the known ones and a dialect. What they say goes
//! through the server's own defences; what they hear, they take as the protocol's text says. Their connections
//! never stall or break; they go when they are told to, and when the server dies.

use portcullis_crypto::ClassicKey;
use portcullis_crypto::testing::classic_key;
use portcullis_proto::classroom::{
    Dialect, DialectId, GuestKey, Incoming, Outgoing, Payload, SignedFrame, open_chat, pem_of,
    write_chat, write_hello, write_public_chat,
};
use portcullis_server_core::defences::{admit_frame, admit_hello};
use portcullis_server_core::{ConnectionId, GuestAsk, GuestList, GuestOutput, GuestState};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What stands for the server in lists.
pub(crate) const ADDRESS: &str = "localhost:12345";

/// A guest.
pub struct Guest {
    pub(crate) connection: ConnectionId,
    key: ClassicKey,
    dialect: Dialect,
    counter: u64,
    state: Option<GuestState>,
    /// The frames that came, and are its own to read.
    frames: Vec<String>,
    /// The last counter of each key that it heard.
    counters: BTreeMap<Vec<u8>, u64>,
    list: Option<Arc<GuestList>>,
}

impl Guest {
    /// With the known key of this number, in the dialect of this row.
    #[must_use]
    pub(crate) fn new(connection: ConnectionId, number: usize, dialect: DialectId) -> Option<Self> {
        Some(Self {
            connection,
            key: classic_key(number).ok()?,
            dialect: dialect.into(),
            counter: 0,
            state: None,
            frames: Vec::new(),
            counters: BTreeMap::new(),
            list: None,
        })
    }

    /// Its public key, as it shows it.
    ///
    #[must_use]
    pub fn public(&self) -> Option<GuestKey> {
        GuestKey::parse(&pem_of(self.key.public().spki(), self.dialect.pem)).ok()
    }

    /// The devices that it can write to, in order of their publishing.
    #[must_use]
    pub fn devices(&self) -> Vec<GuestKey> {
        let devices = self.list.iter().flat_map(|list| &list.devices);
        devices.filter_map(|spki| GuestKey::parse(&pem_of(spki, self.dialect.pem)).ok()).collect()
    }

    /// Makes itself known.
    pub(crate) fn hello(&mut self) -> Option<GuestAsk> {
        let counter = self.next();
        let text = write_hello(self.dialect, &self.key, counter).ok()?;
        let hello = admit_hello(&signed(&text)?).ok()?;
        self.state = Some(hello.state());
        Some(GuestAsk::Hello(hello))
    }

    /// Says something to everybody.
    #[must_use]
    pub fn public_chat(&mut self, text: &str) -> Option<String> {
        let counter = self.next();
        write_public_chat(self.dialect, &self.key, counter, text).ok()
    }

    /// Writes something for these alone.
    #[must_use]
    pub fn chat(&mut self, to: &[GuestKey], text: &str) -> Option<String> {
        let to: Vec<(&GuestKey, &str)> = to.iter().map(|guest| (guest, ADDRESS)).collect();
        let counter = self.next();
        let counted = u8::try_from(counter % 251).unwrap_or_default();
        let (iv, key) = ([counted; 16], [counted ^ 1; 16]);
        let outgoing = Outgoing { to: &to, text, iv: &iv, key: &key };
        write_chat(self.dialect, &self.key, counter, &outgoing).ok()
    }

    /// What the server's front door makes of a frame.
    pub(crate) fn admit(&mut self, frame: &str) -> Option<GuestAsk> {
        let admitted = admit_frame(self.state.as_mut()?, signed(frame)?);
        admitted.ok().map(GuestAsk::Say)
    }

    pub(crate) fn hears(&mut self, output: &GuestOutput) {
        match output {
            GuestOutput::Relay { except, frame, .. } if *except != self.connection => {
                self.frames.push(frame.text().to_owned());
            }
            GuestOutput::Tell { connections, frame, .. }
                if connections.contains(&self.connection) =>
            {
                self.frames.push(frame.clone());
            }
            GuestOutput::List { connection, list } if *connection == self.connection => {
                self.list = Some(Arc::clone(list));
            }
            _ => {}
        }
    }

    /// What it was told privately by devices, each counter taken once.
    pub fn read(&mut self) -> Vec<String> {
        let devices = self.devices();
        let mut texts = Vec::new();
        for text in std::mem::take(&mut self.frames) {
            let Some(frame) = signed(&text) else { continue };
            let by = devices.iter().find(|device| frame.verify(device.key(), None).is_ok());
            let (Some(by), Payload::Chat(chat)) = (by, frame.payload()) else { continue };
            let last = self.counters.entry(by.key().spki().to_vec()).or_default();
            if frame.counter() <= *last {
                continue;
            }
            *last = frame.counter();
            texts.extend(open_chat(chat, &self.key, by).map(|opened| opened.text));
        }
        texts
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

fn signed(text: &str) -> Option<SignedFrame> {
    match Incoming::read(text).ok()? {
        Incoming::Signed(frame) => Some(frame),
        _ => None,
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Guest({})", self.dialect.name)
    }
}
