//! The core's guests in the shell: what it lets out for classroom guests becomes frames, in rooms by
//! dialect. It decides nothing.

use std::collections::HashMap;
use std::sync::Arc;

use portcullis_proto::classroom::{self, DialectId, SignedFrame};
use portcullis_server_core::{GuestList, GuestOutput};

use super::core::Room;
use crate::gateway::{Errand, Links, Voice};
use crate::hub::Batch;
use crate::metrics::Metrics;
use crate::socket::ConnectionId;

/// Who of the connections is a guest, and how each wants to be talked to.
pub(super) struct GuestRooms {
    voice: Voice,
    links: Arc<Links>,
    metrics: Arc<Metrics>,
    /// This server, as `client_list` names it.
    address: String,
    /// The gateway's own key, as DER `SubjectPublicKeyInfo`.
    own_key: Vec<u8>,
    dialects: HashMap<ConnectionId, DialectId>,
    /// How many guests speak each dialect.
    present: HashMap<DialectId, usize>,
    /// The lists that were written last, by dialect.
    written: HashMap<DialectId, (Arc<GuestList>, String)>,
}

impl GuestRooms {
    pub(super) fn new(
        voice: Voice,
        links: Arc<Links>,
        metrics: Arc<Metrics>,
        address: String,
        own_key: Vec<u8>,
    ) -> Self {
        Self {
            voice,
            links,
            metrics,
            address,
            own_key,
            dialects: HashMap::new(),
            present: HashMap::new(),
            written: HashMap::new(),
        }
    }

    /// Whether linked servers want to hear who is here.
    pub(super) fn has_links(&self) -> bool {
        !self.links.is_empty()
    }

    /// Does what the core has decided.
    pub(super) fn follow(&mut self, output: GuestOutput, batch: &mut Batch<Room>) {
        match output {
            GuestOutput::Joined { connection, dialect, .. } => {
                let connection = ConnectionId(connection.0);
                // What a guest says may show more of its dialect than was known.
                if let Some(before) = self.forget(connection) {
                    batch.leave(Room::Guests(before), connection);
                }
                self.dialects.insert(connection, dialect);
                *self.present.entry(dialect).or_insert(0) += 1;
                batch.join(Room::Guests(dialect), connection);
            }
            GuestOutput::Refused { why, .. } => self.metrics.guests.count(why),
            GuestOutput::Relay { except, frame, here, onward } => {
                if here {
                    self.relay(ConnectionId(except.0), &frame, batch);
                }
                if onward {
                    self.links.relay(&frame);
                }
            }
            GuestOutput::List { connection, list } if ConnectionId(connection.0).is_link() => {
                self.links.update(&list, &self.own_key);
            }
            GuestOutput::List { connection, list } => {
                let connection = ConnectionId(connection.0);
                let text = self.list(connection, list);
                batch.reply(connection, text.as_bytes());
            }
            // The domain asks for the list, for the links.
            GuestOutput::ListChanged => {}
            GuestOutput::Say { name, auth, body } => {
                let dialects = self.present.keys().copied().collect();
                self.voice.send(Errand::Say { name, auth, body, dialects });
            }
            GuestOutput::Tell { connections, key, frame } => {
                let connections = connections.into_iter().map(|it| ConnectionId(it.0)).collect();
                self.voice.send(Errand::Tell { connections, key, frame });
            }
        }
    }

    /// A connection has gone, from the hub too; what it spoke.
    pub(super) fn forget(&mut self, connection: ConnectionId) -> Option<DialectId> {
        let dialect = self.dialects.remove(&connection)?;
        if let Some(count) = self.present.get_mut(&dialect) {
            *count -= 1;
            if *count == 0 {
                self.present.remove(&dialect);
                self.written.remove(&dialect);
            }
        }
        Some(dialect)
    }

    fn relay(&self, except: ConnectionId, frame: &SignedFrame, batch: &mut Batch<Room>) {
        for dialect in self.present.keys() {
            let text = classroom::for_dialect(frame, *dialect);
            batch.room_except(Room::Guests(*dialect), except, text.as_bytes());
        }
    }

    /// The list as this connection's dialect writes keys; whoever has not said hello gets the first one's.
    fn list(&mut self, connection: ConnectionId, list: Arc<GuestList>) -> &str {
        let dialect = self.dialects.get(&connection).copied().unwrap_or_default();
        let (address, own_key) = (&self.address, &self.own_key);
        let write = || write_list(&list, address, own_key, dialect);
        let (of, text) =
            self.written.entry(dialect).or_insert_with(|| (Arc::clone(&list), write()));
        if !Arc::ptr_eq(of, &list) {
            *text = write();
            *of = list;
        }
        text
    }
}

fn write_list(list: &GuestList, address: &str, own_key: &[u8], dialect: DialectId) -> String {
    let layout = dialect.row().pem;
    let pem = |key: &[u8]| classroom::pem_of(key, layout);
    let guests = list.guests.iter().map(|guest| guest.pem().to_owned());
    let devices = list.devices.iter().map(|key| pem(key));
    let own = guests.chain(devices).chain([pem(own_key)]).collect();
    let own = classroom::ServerList { address: address.to_owned(), clients: own };
    let others = list.neighbours.iter().map(|(address, keys)| classroom::ServerList {
        address: address.as_ref().to_owned(),
        clients: keys.iter().map(|key| key.pem().to_owned()).collect(),
    });
    let servers: Vec<_> = std::iter::once(own).chain(others).collect();
    classroom::write_list(&servers)
}
