//! Every bound of the socket layer, with its unit and its reason, and the few texts it sends.

use std::time::Duration;

use bytes::Bytes;

use super::frame;

/// What the socket layer is told once, when it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Bytes of the longest message, and of the longest frame. A longer one closes with 1009
    /// before its payload is read.
    pub message: usize,
    /// Bytes that tungstenite's read buffer starts with, for each connection: it is resident for
    /// idle connections too.
    pub read_buffer: usize,
    /// Bytes a connection's queue may hold before live events are dropped for it (*lagging*).
    pub queue: usize,
    /// Bytes a connection's queue may hold before the connection is closed: replies aren't
    /// dropped, so a peer that asks and never reads must end somewhere.
    pub queue_hard: usize,
    /// Requests of one connection that may wait for their replies; past it the connection isn't
    /// read from, so that TCP slows the peer down.
    pub in_flight: u32,
    /// Bytes of waiting requests of all connections together, for the same reason. Not less than
    /// `message`.
    pub in_flight_bytes: u32,
    /// Open connections, those still in the handshake included. One more is dropped at once; of guests' connections
    /// one gives way whose peer has not said who it is.
    pub connections: usize,
    /// Silence after which a peer is pinged, and again each time it passes.
    pub ping_after: Duration,
    /// Silence after which a peer counts as gone.
    pub dead_after: Duration,
    /// How often silence is looked for: one sweep over all connections costs less memory than a
    /// timer each.
    pub sweep_every: Duration,
    /// How long a peer may take to send a request's headers, or its part of the TLS handshake.
    pub handshake: Duration,
    /// How long a closed connection is kept for the peer to read the close frame and to answer.
    pub linger: Duration,
    /// How long a graceful stop waits for all peers together.
    pub stop: Duration,
    /// What a peer may cost before it has said who it is; `None` where nobody has to.
    pub greeting: Option<Greeting>,
    /// Whether binary messages are delivered; otherwise they close with 1003.
    pub binary: bool,
    /// The frame that ends a lag: "you have missed events, fetch them by your cursors".
    pub lagging: Bytes,
    /// The frame that announces a graceful stop.
    pub stopping: Bytes,
}

/// The bounds of a peer that has not said who it is ([`super::Connection::greet`]).
#[derive(Clone, Copy, Debug)]
pub struct Greeting {
    /// How long it may take to say so: clients that make a key first need seconds. Past it the connection is closed
    /// with 1008, so that silent ones take nobody's place.
    pub within: Duration,
    /// Bytes of a message: a `hello` with the longest key takes 3 KiB. Past it the connection is closed with 1009, so
    /// that thousands of half messages cost little.
    pub bytes: usize,
}

impl Default for Greeting {
    fn default() -> Self {
        Greeting { within: Duration::from_secs(30), bytes: 8 * 1024 }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            message: portcullis_proto::limits::CLIENT_FRAME_BYTES,
            read_buffer: 512,
            queue: 1 << 20,
            queue_hard: 8 << 20,
            in_flight: 64,
            in_flight_bytes: 64 << 20,
            connections: 16_384,
            ping_after: Duration::from_secs(30),
            dead_after: Duration::from_secs(90),
            sweep_every: Duration::from_secs(1),
            handshake: Duration::from_secs(10),
            linger: Duration::from_secs(2),
            stop: Duration::from_millis(1_500),
            greeting: None,
            binary: false,
            lagging: frame::text(br#"{"event":"lagging"}"#),
            stopping: frame::text(br#"{"event":"stopping"}"#),
        }
    }
}

/// Bytes of each thread's read buffer, shared by all the connections it serves.
pub(super) const SCRATCH: usize = 64 * 1024;

/// Bytes written from a queue in one go, so that whoever wants to add to it doesn't wait long.
pub(super) const DRAIN_STEP: usize = 256 * 1024;

/// Bytes read and thrown away after a close, so that the peer's kernel doesn't meet a reset before
/// the close frame.
pub(super) const LINGER_BYTES: usize = 4 << 20;

/// After a message of at least this many bytes tungstenite's buffer is let go, and made anew: one
/// long message must not cost a connection memory for ever.
pub(super) const LONG_MESSAGE: usize = 4 * 1024;
