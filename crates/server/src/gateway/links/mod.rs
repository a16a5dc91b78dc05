//! The neighbourhood: servers that have agreed to let their guests talk to each other.
//!
//! Each link has a connection that we open, and may have one that the other side opens. What comes is the
//! same on both; what we send goes out on ours, or on theirs while ours is down. Of those that the other side opens
//! the last one counts. A frame of our guests goes
//! once to each server that it concerns; what comes from a linked server goes to our guests and no further.

mod outgoing;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_crypto::classic::ClassicKey;
use portcullis_proto::classroom::{
    self, DialectId, GuestKey, Incoming as Frame, Payload, SignedFrame,
};
use portcullis_server_core::defences::{Arrived, GuestState, NeighbourAdmitted, Pinned, SOUND};
use portcullis_server_core::{GuestAsk, GuestList, GuestRefused, Peer};
use tokio::sync::{Semaphore, mpsc};

use super::limits::LINK_IN_FLIGHT;
use crate::domain::{Ask, CoreDomain, Entrance};
use crate::metrics::Metrics;
use crate::socket::frame;
use crate::socket::{Class, CloseCode, Connection, ConnectionId};

/// A server to be linked with.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// Where it listens: `ws://host:port` or `wss://host:port`.
    pub url: http::Uri,
    /// What stands for it in lists and in `destination_servers`: `host:port`.
    pub address: String,
    /// Its key.
    pub key: GuestKey,
}

/// All links.
pub(crate) struct Links {
    links: Vec<Link>,
    /// What each says when it connects is judged by this, in the same order.
    pinned: Mutex<Vec<Pinned>>,
    /// This server, as others name it.
    own: String,
    key: ClassicKey,
    entrance: Entrance<CoreDomain>,
    metrics: Arc<Metrics>,
    /// The `client_update` that was sent last: what a new connection is told.
    update: Mutex<Option<String>>,
}

/// One link.
struct Link {
    neighbour: Neighbour,
    in_flight: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outgoing: Option<mpsc::Sender<String>>,
    incoming: Option<Arc<Connection>>,
    /// The clients that the neighbour has told us of last, and how each signs, once that is known.
    clients: Vec<GuestState>,
}

impl Links {
    pub(crate) fn new(
        neighbours: Vec<Neighbour>,
        own: String,
        key: ClassicKey,
        entrance: Entrance<CoreDomain>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let pinned = Mutex::new(neighbours.iter().map(pinned).collect());
        let link = |neighbour| Link {
            neighbour,
            in_flight: Arc::new(Semaphore::new(LINK_IN_FLIGHT)),
            state: Mutex::default(),
        };
        let links = neighbours.into_iter().map(link).collect();
        Arc::new(Self { links, pinned, own, key, entrance, metrics, update: Mutex::default() })
    }

    /// Opens our connections, and opens them anew whenever they are gone. Must be called inside a runtime.
    pub(crate) fn start(self: &Arc<Self>) {
        for place in 0..self.links.len() {
            tokio::spawn(outgoing::keep(Arc::clone(self), place));
        }
    }

    /// What stands for a link where the core asks for a connection.
    pub(crate) const fn id(place: usize) -> ConnectionId {
        ConnectionId(ConnectionId::FIRST_LINK + place as u64)
    }

    /// What stands for its address where the core counts rates by it: of 0.0.0.0/8, where nobody is.
    pub(crate) fn peer(id: ConnectionId) -> Peer {
        let place = u32::try_from(id.0 - ConnectionId::FIRST_LINK).unwrap_or(u32::MAX);
        Peer::new(IpAddr::V4(Ipv4Addr::from_bits(place & 0x00ff_ffff)))
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.links.is_empty()
    }

    /// Sends a frame of our guests to the servers that it concerns.
    pub(crate) fn relay(&self, signed: &SignedFrame) {
        for link in &self.links {
            let concerns = match signed.payload() {
                Payload::Chat(chat) => {
                    let address = &link.neighbour.address;
                    chat.destinations.iter().any(|to| to.eq_ignore_ascii_case(address))
                }
                _ => true,
            };
            if concerns {
                link.send(signed.text());
            }
        }
    }

    /// Sends one frame to one link.
    pub(crate) fn send(&self, id: ConnectionId, text: &str) {
        let place =
            id.0.checked_sub(ConnectionId::FIRST_LINK).and_then(|at| usize::try_from(at).ok());
        if let Some(link) = place.and_then(|place| self.links.get(place)) {
            link.send(text);
        }
    }

    /// Sends a text of the gateway's own to all.
    pub(crate) fn say(&self, text: &str) {
        for link in &self.links {
            link.send(text);
        }
    }

    /// Tells all neighbours who is here.
    pub(crate) fn update(&self, list: &GuestList, own_key: &[u8]) {
        let layout = DialectId::BY_THE_TEXT.row().pem;
        let keys = list.devices.iter().map(Vec::as_slice).chain([own_key]);
        let ours: Vec<String> = keys.map(|key| classroom::pem_of(key, layout)).collect();
        let guests = list.guests.iter().map(|guest| guest.pem());
        let text = classroom::write_update(guests.chain(ours.iter().map(String::as_str)));
        *lock(&self.update) = Some(text.clone());
        self.say(&text);
    }

    /// A connection has said that it is a linked server's.
    pub(crate) fn admit(
        &self,
        frame: &SignedFrame,
        connection: &Arc<Connection>,
    ) -> Result<NeighbourAdmitted, GuestRefused> {
        let (challenge, from) = (connection.challenge(), connection.peer().ip());
        let arrived = Arrived { own: &self.own, challenge, from };
        let mut pinned = lock(&self.pinned);
        let admitted = (SOUND.admit_neighbour)(frame, &pinned, arrived)?;
        if let Some(pinned) = pinned.get_mut(admitted.place()) {
            pinned.up = Some(frame.counter());
        }
        if let Some(link) = self.links.get(admitted.place()) {
            let older = lock(&link.state).incoming.replace(Arc::clone(connection));
            drop(pinned);
            if let Some(older) = older {
                older.close(CloseCode::Policy, "there is a newer connection");
            }
            self.greet(link);
        }
        Ok(admitted)
    }

    /// Where a neighbour's address leads, as it is found out before it is connected to.
    fn found(&self, place: usize, addresses: &[SocketAddr]) {
        if let Some(pinned) = lock(&self.pinned).get_mut(place) {
            pinned.hosts = addresses.iter().map(SocketAddr::ip).collect();
        }
    }

    /// Whether a connection that a linked server has opened is still the one that counts.
    pub(crate) fn counts(&self, admitted: NeighbourAdmitted, connection: ConnectionId) -> bool {
        self.links.get(admitted.place()).is_some_and(|link| {
            let state = lock(&link.state);
            state.incoming.as_ref().is_some_and(|incoming| incoming.id() == connection)
        })
    }

    /// A connection of a linked server has gone.
    pub(crate) fn incoming_gone(&self, place: usize, connection: ConnectionId) {
        let mut pinned = lock(&self.pinned);
        if let (Some(link), Some(pinned)) = (self.links.get(place), pinned.get_mut(place)) {
            let mut state = lock(&link.state);
            state.incoming = state.incoming.take().filter(|other| other.id() != connection);
            if state.incoming.is_none() {
                pinned.up = None;
            }
            self.gone(place, state);
        }
    }

    /// Once no connection is left, the neighbour's clients are gone too.
    fn gone(&self, place: usize, mut state: MutexGuard<'_, State>) {
        if state.incoming.is_none() && state.outgoing.is_none() {
            state.clients.clear();
            drop(state);
            self.entrance.link_closed(Self::id(place));
        }
    }

    /// The first things that a new connection is told, after who we are.
    fn greet(&self, link: &Link) {
        link.send(&classroom::write_update_request());
        if let Some(update) = lock(&self.update).as_deref() {
            link.send(update);
        }
    }

    /// Takes in what a linked server says.
    pub(crate) fn hear(&self, admitted: NeighbourAdmitted, text: &str) -> Result<(), GuestRefused> {
        let place = admitted.place();
        let Some(link) = self.links.get(place) else {
            return Ok(());
        };
        let ask = match Frame::read(text)? {
            Frame::Update { clients } => {
                let clients: Vec<GuestKey> =
                    clients.iter().filter_map(|pem| GuestKey::parse(pem).ok()).collect();
                let states = clients.iter().cloned().map(GuestState::listed).collect();
                lock(&link.state).clients = states;
                let Neighbour { address, key, .. } = &link.neighbour;
                let (server, itself) = (address.clone(), key.id());
                GuestAsk::Neighbour { admitted, server, clients, itself }
            }
            Frame::UpdateRequest => {
                if let Some(update) = lock(&self.update).as_deref() {
                    link.send(update);
                }
                return Ok(());
            }
            Frame::Signed(frame) => link.judge(frame)?,
            Frame::ListRequest | Frame::List { .. } => return Ok(()),
        };
        // Without room it is left out: whoever floods us loses what they flood us with.
        let room = Arc::clone(&link.in_flight).try_acquire_owned();
        let room = room.map_err(|_| GuestRefused::TooOften)?;
        self.entrance.link(Self::id(place), Ask::Guest(ask), room);
        Ok(())
    }
}

impl Link {
    fn send(&self, text: &str) {
        let state = lock(&self.state);
        if let Some(outgoing) = &state.outgoing {
            // What does not fit is left out: see `LINK_FRAMES`.
            let _ = outgoing.try_send(text.to_owned());
        } else if let Some(incoming) = &state.incoming {
            incoming.send(&frame::text(text.as_bytes()), Class::Live);
        }
    }

    /// Finds who of the neighbour's clients has signed a frame. Counters are for the neighbour to look at,
    /// which sees the connections; the store tells replays.
    fn judge(&self, frame: SignedFrame) -> Result<GuestAsk, GuestRefused> {
        let clients = lock(&self.state).clients.clone();
        let signed = |client: &GuestState, known: bool| {
            client.signing.is_some() == known
                && frame.verify(client.key.key(), client.signing).is_ok()
        };
        let signer = match frame.payload() {
            Payload::PublicChat { sender, .. } => {
                clients.iter().position(|client| client.key.is_fingerprint(sender))
            }
            // Those of whom it is known how they sign cost least.
            _ => clients
                .iter()
                .position(|client| signed(client, true))
                .or_else(|| clients.iter().position(|client| signed(client, false))),
        };
        let place = signer.ok_or(GuestRefused::Stranger)?;
        let mut client = clients.get(place).ok_or(GuestRefused::Stranger)?.clone();
        client.last = None;
        let admitted = (SOUND.admit_frame)(&mut client, frame)?;
        let mut state = lock(&self.state);
        let same = state.clients.iter_mut().find(|other| other.key == client.key);
        if let Some(same) = same {
            same.signing = client.signing;
        }
        Ok(GuestAsk::Say(admitted))
    }
}

/// Where its address leads is found out at the start, since it may connect before we have tried to.
fn pinned(neighbour: &Neighbour) -> Pinned {
    let (address, key) = (neighbour.address.clone(), neighbour.key.clone());
    let hosts = address.to_socket_addrs().map(|found| found.map(|it| it.ip()).collect());
    Pinned { address, key, hosts: hosts.unwrap_or_default(), up: None }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No code that holds one of these locks can leave what it guards half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
