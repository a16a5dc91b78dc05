//! Classroom guests as the core sees them: what they ask, what becomes of it, who of them is here.
//!
//! Guests have no session: a guest is its RSA key. What they send is verified on the way in
//! ([`admit_hello`](crate::defences::admit_hello), [`admit_frame`](crate::defences::admit_frame)), off the domain's
//! thread, since RSA is slow; what becomes of it is decided in the order of arrival with all other requests, in
//! the same transaction. Leaves out the classroom's frames (`portcullis_proto::classroom`), and writing and
//! signing them, which is the shell's.

mod asks;
mod habits;
mod here;
mod refused;

pub(crate) use asks::{ask, join_classroom, same_server};
pub use habits::Habits;
pub use here::Guests;
pub use refused::GuestRefused;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use portcullis_crypto::{AuthPublic, ClassicPublic};
use portcullis_proto::classroom::{DialectId, GuestKey, SignedFrame};
use portcullis_proto::{AccountId, Bytes, UserName};

use crate::ConnectionId;
use crate::defences::{FrameAdmitted, HelloAdmitted, NeighbourAdmitted};

/// That guests are admitted, and what they know this server by.
#[derive(Debug, Clone)]
pub struct GuestPolicy {
    /// What stands for this server in lists and in `destination_servers`: `host:port`.
    pub address: String,
    /// The key that signs what accounts say in `#lobby`.
    pub gateway: ClassicPublic,
}

/// What comes from a guest's connection, or from a linked server's.
#[derive(Debug)]
pub enum GuestAsk {
    /// A guest makes itself known.
    Hello(HelloAdmitted),
    /// A guest says something.
    Say(FrameAdmitted),
    /// Who is here? Anybody may ask.
    List,
    /// A linked server says which clients it has, in the place of those that it had before.
    Neighbour {
        /// That the connection is a linked server's.
        admitted: NeighbourAdmitted,
        /// Its address, as `destination_servers` names it.
        server: String,
        /// Its clients' keys.
        clients: Vec<GuestKey>,
        /// Who the server itself is, should it stand among them: it speaks for its accounts, and is nobody's guest.
        itself: AccountId,
    },
}

/// What the gateway has to do.
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub enum GuestOutput {
    /// The connection is this guest's from now on, and hears what is said to all.
    Joined {
        /// Which.
        connection: ConnectionId,
        /// Whose it is.
        guest: AccountId,
        /// How it wants to be talked to.
        dialect: DialectId,
    },
    /// What a connection sent was of no consequence. Nothing is told to it; the metrics count it.
    Refused {
        /// Which.
        connection: ConnectionId,
        /// Why.
        why: GuestRefused,
    },
    /// Send a frame on, as it came: to all guests here and, where it is one of theirs, to linked servers.
    Relay {
        /// Not to the one that it came from.
        except: ConnectionId,
        /// What.
        frame: Arc<SignedFrame>,
        /// It concerns guests here.
        here: bool,
        /// It came from a guest here, so linked servers haven't heard it.
        onward: bool,
    },
    /// Answer with a list.
    List {
        /// Where to.
        connection: ConnectionId,
        /// What stands in it; the same again as long as nothing has changed.
        list: Arc<GuestList>,
    },
    /// What the next list says is not what the last one did: linked servers may want to hear of it.
    ListChanged,
    /// An account says something in `#lobby`: verify it, and if it is a text, say it to the guests.
    Say {
        /// The author.
        name: UserName,
        /// The key of the author's device.
        auth: AuthPublic,
        /// The envelope's body: a `SignedContent`.
        body: Bytes,
    },
    /// A device says something to one guest: verify that it is a `chat` signed by the device's key, and send it.
    Tell {
        /// The guest's connections here; where it has none, that of the linked server that has it.
        connections: Vec<ConnectionId>,
        /// The device's key.
        key: ClassicPublic,
        /// What it says.
        frame: String,
    },
}

/// Who can be talked to. The gateway itself belongs into it too.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GuestList {
    /// The keys of the guests here.
    pub guests: Vec<GuestKey>,
    /// The keys of the devices of accounts that allow guests, each as DER `SubjectPublicKeyInfo`.
    pub devices: Vec<Vec<u8>>,
    /// Linked servers' addresses, and the keys of their clients.
    pub neighbours: Vec<(Arc<str>, Vec<GuestKey>)>,
}
