//! Scripted classroom guests: they come, say things and listen, as their clients do. The shell's part, reading and
//! verifying on the way in, is done here by the world's defences.

use super::World;
use crate::defences::GuestState;
use crate::{ConnectionId, GuestAsk, GuestOutput, GuestRefused, Incoming, Output, Peer};
use portcullis_crypto::{ClassicKey, Purpose, Salt};
use portcullis_proto::classroom::{
    DialectId, GuestKey, Incoming as Frame, Outgoing, Payload, SignedFrame, pem_of, write_chat,
    write_hello, write_public_chat,
};
use portcullis_proto::{AccountId, Bytes, Code, Request};

use super::Person;

/// What stands for the server in lists.
pub(crate) const ADDRESS: &str = "localhost:12345";

/// A guest and, once it has come, its connection.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) key: ClassicKey,
    pub(crate) public: GuestKey,
    /// Its last counter.
    pub(crate) counter: u64,
    pub(crate) connection: ConnectionId,
    /// What the gateway knows of it on this connection.
    pub(crate) state: Option<GuestState>,
}

/// A key of the pool.
pub(crate) fn classic_key(number: usize) -> ClassicKey {
    portcullis_crypto::testing::classic_key(number).unwrap()
}

pub(crate) fn guest_key(number: usize) -> GuestKey {
    let layout = DialectId::BY_THE_TEXT.row().pem;
    GuestKey::parse(&pem_of(classic_key(number).public().spki(), layout)).unwrap()
}

/// A frame as the protocol's text has it, with this data, whatever it is.
pub(crate) fn signed(key: &ClassicKey, data: &str, counter: u64) -> String {
    let signature = key.sign(Salt::Digest, format!("{data}{counter}").as_bytes()).unwrap();
    let (kind, signature) = ("signed_data", Bytes(signature));
    serde_json::json!({"type": kind, "data": data, "counter": counter, "signature": signature})
        .to_string()
}

pub(crate) fn read(text: &str) -> SignedFrame {
    match Frame::read(text) {
        Ok(Frame::Signed(frame)) => frame,
        other => panic!("{other:?}"),
    }
}

impl Guest {
    /// With this key of the pool; on no connection yet.
    pub(crate) fn new(number: usize) -> Self {
        Self {
            key: classic_key(number),
            public: guest_key(number),
            counter: 0,
            connection: ConnectionId(0),
            state: None,
        }
    }

    pub(crate) fn id(&self) -> AccountId {
        self.public.id()
    }

    pub(crate) fn hello(&self) -> String {
        write_hello(DialectId::BY_THE_TEXT, &self.key, self.counter).unwrap()
    }

    pub(crate) fn public_chat(&mut self, text: &str) -> String {
        self.counter += 1;
        write_public_chat(DialectId::BY_THE_TEXT, &self.key, self.counter, text).unwrap()
    }

    pub(crate) fn chat(&mut self, to: &[&GuestKey], text: &str) -> String {
        self.counter += 1;
        chat(&self.key, self.counter, to, text)
    }
}

/// A private message of whoever has this key.
pub(crate) fn chat(key: &ClassicKey, counter: u64, to: &[&GuestKey], text: &str) -> String {
    let to: Vec<_> = to.iter().map(|guest| (*guest, ADDRESS)).collect();
    let outgoing = Outgoing { to: &to, text, iv: &[3; 16], key: &[4; 16] };
    write_chat(DialectId::BY_THE_TEXT, key, counter, &outgoing).unwrap()
}

impl World {
    /// A guest with this key of the pool comes and makes itself known.
    pub(crate) fn guest(&mut self, number: usize) -> Guest {
        let mut guest = Guest::new(number);
        assert_eq!(self.come(&mut guest, Peer::loopback()), Ok(()));
        guest
    }

    /// A guest makes itself known on a new connection.
    pub(crate) fn come(&mut self, guest: &mut Guest, peer: Peer) -> Result<(), GuestRefused> {
        guest.connection = self.guest_connection();
        guest.state = None;
        let hello = guest.hello();
        self.hear(guest, peer, &hello)
    }

    pub(crate) fn guest_connection(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId(self.connections)
    }

    /// What the gateway does with a frame: verifies it, and hands it to the core in a batch of its own.
    pub(crate) fn hear(
        &mut self,
        guest: &mut Guest,
        peer: Peer,
        text: &str,
    ) -> Result<(), GuestRefused> {
        let ask = self.verified(guest, text)?;
        self.guest_asks(guest.connection, peer, ask)
    }

    /// The same from this machine.
    pub(crate) fn heard(&mut self, guest: &mut Guest, text: &str) -> Result<(), GuestRefused> {
        self.hear(guest, Peer::loopback(), text)
    }

    /// What the gateway makes of a frame.
    pub(crate) fn verified(&self, guest: &mut Guest, text: &str) -> Result<GuestAsk, GuestRefused> {
        let defences = self.setting.defences;
        let frame = match Frame::read(text)? {
            Frame::Signed(frame) => frame,
            Frame::ListRequest => return Ok(GuestAsk::List),
            other => panic!("{other:?}"),
        };
        match (&mut guest.state, frame.payload()) {
            (None, Payload::Hello { .. }) => {
                let hello = (defences.admit_hello)(&frame)?;
                guest.state = Some(hello.state());
                Ok(GuestAsk::Hello(hello))
            }
            (Some(state), _) => (defences.admit_frame)(state, frame).map(GuestAsk::Say),
            (None, _) => Err(GuestRefused::NoHello),
        }
    }

    /// Something verified, in a batch of its own.
    pub(crate) fn guest_asks(
        &mut self,
        connection: ConnectionId,
        peer: Peer,
        ask: GuestAsk,
    ) -> Result<(), GuestRefused> {
        let before = self.trace();
        let batch = vec![Incoming::Guest { connection, peer, ask }];
        self.outputs = self.server.run(&self.store, self.now, batch);
        let refused = |output: &Output| match output {
            Output::Guest(GuestOutput::Refused { connection: of, why }) => {
                assert_eq!(*of, connection);
                Some(*why)
            }
            _ => None,
        };
        match self.outputs.iter().find_map(refused) {
            None => Ok(()),
            Some(why) => {
                assert!(self.trace() == before, "refused as {why:?} left a trace");
                assert!(self.told().is_empty(), "refused as {why:?} was told");
                Err(why)
            }
        }
    }

    /// A request, and what it gives the gateway to do.
    pub(crate) fn attempt_at_gateway(
        &mut self,
        connection: ConnectionId,
        request: Request,
    ) -> Result<Vec<GuestOutput>, Code> {
        self.attempt(connection, request)?;
        Ok(self.at_gateway())
    }

    /// What the last batch gave the gateway to do.
    pub(crate) fn at_gateway(&self) -> Vec<GuestOutput> {
        let guests = |output: &Output| match output {
            Output::Guest(output) => Some(output.clone()),
            _ => None,
        };
        self.outputs.iter().filter_map(guests).collect()
    }

    /// The texts that the last batch has sent on to the other guests.
    pub(crate) fn relayed(&self) -> Vec<String> {
        let relayed = |output| match output {
            GuestOutput::Relay { frame, .. } => Some(frame.text().to_owned()),
            _ => None,
        };
        self.at_gateway().into_iter().filter_map(relayed).collect()
    }

    /// The person's device publishes this key of the pool.
    pub(crate) fn publish_classic_key(&mut self, person: &Person, number: usize) {
        let key = classic_key(number).public().spki().to_vec();
        let proof = person.auth.sign(Purpose::ClassicKey, &key);
        let request = Request::PublishClassicKey { key: Bytes(key), proof };
        self.ask(person.connection, request).unwrap();
    }
}
