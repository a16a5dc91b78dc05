//! A connection to a server that comes back by itself: the address, TLS, the WebSocket, and the wait
//! between one try and the next. It hands frames over and understands none.
//!
//! Source: RFC 6455; each protocol's path and subprotocol.

mod address;
mod backoff;
mod door;
mod link;
mod socket;
mod tls;

pub use address::{Address, BadAddress};
pub use door::Door;
pub use link::{Link, LinkEvent, Outgoing};
pub use socket::{ConnectError, Connector};
pub use tls::{TlsError, TlsRoots};

use std::time::Duration;

/// Silence after which the server is pinged.
const PING_AFTER: Duration = Duration::from_secs(30);

/// Silence after which the connection counts as dead.
const DEAD_AFTER: Duration = Duration::from_secs(90);

/// How long the way from a name to an open WebSocket may take.
const CONNECT: Duration = Duration::from_secs(15);

/// Frames from the server that wait to be looked at; past it TCP slows the server down.
const WAITING_FRAMES: usize = 256;
