//! The classroom gateway: other people's clients, at `GET /` without a subprotocol.
//!
//! What a guest sends is read and verified on its connection's own task, since RSA is slow; what becomes of
//! it the server core decides, on the domain's thread, in the same transaction as everything else. What
//! leaves the core for guests is sent by the hub, in one room for each dialect.

mod limits;
mod links;
mod public_url;
mod voice;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use portcullis_crypto::classic::ClassicKey;
use portcullis_proto::classroom::{Incoming as Frame, Payload, SignedFrame};
use portcullis_proto::limits as wire;
use portcullis_server_core::defences::{GuestState, NeighbourAdmitted, SOUND};
use portcullis_server_core::{GuestAsk, GuestRefused, Habits};

use crate::domain::{Ask, CoreDomain, Entrance};
use crate::metrics::Metrics;
use crate::socket::{CloseCode, Connection, ConnectionId, Incoming, Settings, Sink, Ticket};

use limits::{CONNECTIONS, REFUSALS};
pub(crate) use links::Links;
pub use links::Neighbour;
pub use public_url::{BadPublicUrl, PublicUrl};
pub(crate) use voice::{Errand, Voice};

/// What the gateway is made of, besides the domain.
#[derive(Debug)]
pub struct Setup {
    /// The gateway's own key, which signs what accounts say in `#lobby`.
    pub key: ClassicKey,
    /// This server, as `client_list` and `destination_servers` name it: see [`PublicUrl::address`].
    pub address: String,
    /// The servers to be linked with.
    pub neighbours: Vec<Neighbour>,
}

/// 2026-01-01 in seconds since 1970.
const EPOCH_SECONDS: u64 = 1_767_225_600;

/// A counter for what the gateway signs: the seconds since 2026, so that it grows over restarts, and stays
/// within the 31 bits that some clients have for it.
fn counter() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().saturating_sub(EPOCH_SECONDS)
}

/// The socket layer's bounds for guests: their frames are small, and they have no way to fetch what they
/// have missed, so a lagging one is told nothing.
#[must_use]
pub fn settings(settings: &Settings, links: bool) -> Settings {
    Settings {
        // Linked servers tell of all their clients at once; guests never say so much (`Connection::greet`).
        message: if links { wire::GUEST_LIST_BYTES } else { wire::GUEST_FRAME_BYTES },
        lagging: bytes::Bytes::new(),
        stopping: bytes::Bytes::new(),
        greeting: Some(settings.greeting.unwrap_or_default()),
        connections: settings.connections.min(CONNECTIONS),
        ..settings.clone()
    }
}

/// The guests' way in.
pub(crate) struct Gateway {
    entrance: Entrance<CoreDomain>,
    links: Arc<Links>,
    metrics: Arc<Metrics>,
    seats: Mutex<HashMap<ConnectionId, Arc<Mutex<Seat>>>>,
    habits: Mutex<Habits>,
}

/// What is known of a connection before the core hears of it.
#[derive(Default)]
struct Seat {
    is: Who,
    refused: usize,
    /// What was verified of the frames that came together: handed on together, so that they are made durable
    /// and sent on together, however long each takes to verify.
    gathered: Vec<(GuestAsk, Ticket)>,
}

/// Who a connection is.
#[derive(Default)]
enum Who {
    /// It has not said so.
    #[default]
    Unknown,
    /// A guest.
    Guest(GuestState),
    /// A linked server.
    Neighbour(NeighbourAdmitted),
}

impl Gateway {
    pub(crate) fn new(
        entrance: Entrance<CoreDomain>,
        links: Arc<Links>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { entrance, links, metrics, seats: Mutex::default(), habits: Mutex::default() }
    }

    fn seat(&self, connection: ConnectionId) -> Arc<Mutex<Seat>> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(seats.entry(connection).or_default())
    }

    fn habits(&self) -> MutexGuard<'_, Habits> {
        self.habits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Nothing for the core: the frame is of no consequence, as the protocol has it, or concerns a link.
    fn judge(
        &mut self,
        text: &str,
        connection: &Arc<Connection>,
        gateway: &Gateway,
    ) -> Result<Option<GuestAsk>, GuestRefused> {
        let links = &gateway.links;
        if let Who::Neighbour(admitted) = self.is {
            if !links.counts(admitted, connection.id()) {
                return Err(GuestRefused::Stranger);
            }
            return links.hear(admitted, text).map(|()| None);
        }
        match Frame::read(text)? {
            Frame::Signed(frame) => self.judge_signed(frame, connection, gateway),
            Frame::ListRequest => Ok(Some(GuestAsk::List)),
            // What servers say to each other, and to guests.
            Frame::List { .. } | Frame::Update { .. } | Frame::UpdateRequest => {
                Err(GuestRefused::NotForGuests)
            }
        }
    }

    fn judge_signed(
        &mut self,
        frame: SignedFrame,
        connection: &Arc<Connection>,
        gateway: &Gateway,
    ) -> Result<Option<GuestAsk>, GuestRefused> {
        let links = &gateway.links;
        match (&mut self.is, frame.payload()) {
            (Who::Unknown, Payload::Hello { .. }) => {
                let admitted = (SOUND.admit_hello)(&frame)?;
                let admitted = gateway.habits().greet(admitted);
                self.is = Who::Guest(admitted.state());
                connection.greet(wire::GUEST_FRAME_BYTES);
                Ok(Some(GuestAsk::Hello(admitted)))
            }
            (Who::Unknown, Payload::ServerHello { .. }) => {
                self.is = Who::Neighbour(links.admit(&frame, connection)?);
                connection.greet(wire::GUEST_LIST_BYTES);
                Ok(None)
            }
            (Who::Guest(guest), _) => {
                let admitted = (SOUND.admit_frame)(guest, frame)?;
                gateway.habits().learn(&admitted);
                Ok(Some(GuestAsk::Say(admitted)))
            }
            _ => Err(GuestRefused::NoHello),
        }
    }
}

impl Sink for Gateway {
    fn opened(&self, connection: &Arc<Connection>) {
        self.seat(connection.id());
        self.entrance.opened(connection);
    }

    fn message(&self, message: Incoming, ticket: Ticket) {
        let connection = Arc::clone(ticket.connection());
        let seat = self.seat(connection.id());
        let mut seat = seat.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = match &message {
            Incoming::Text(text) => seat.judge(text, &connection, self),
            Incoming::Binary(_) => Err(GuestRefused::Malformed),
        };
        match judged {
            Ok(Some(ask)) => seat.gathered.push((ask, ticket)),
            Ok(None) => {}
            Err(refused) => {
                self.metrics.guests.count(refused);
                seat.refused += 1;
                if seat.refused >= REFUSALS {
                    connection.close(CloseCode::Policy, "too much that can't be accepted");
                }
            }
        }
    }

    fn pause(&self, connection: ConnectionId) {
        let seat = self.seat(connection);
        let gathered =
            std::mem::take(&mut seat.lock().unwrap_or_else(PoisonError::into_inner).gathered);
        for (ask, ticket) in gathered {
            self.entrance.ask(Ask::Guest(ask), ticket);
        }
    }

    fn closed(&self, connection: ConnectionId) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = seats.remove(&connection);
        drop(seats);
        let seat = seat.as_ref().map(|seat| seat.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(Who::Neighbour(admitted)) = seat.as_ref().map(|seat| &seat.is) {
            self.links.incoming_gone(admitted.place(), connection);
        }
        self.entrance.closed(connection);
    }
}
