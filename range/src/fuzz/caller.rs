//! Connections to a host that are no sockets: HTTP (RFC 9112), and WebSocket frames (RFC 6455 section 5.2) behind
//! it. Leaves out what is asked, and whatever the host does not do: chunks, fragments, extensions.

use axum::serve::Listener;
use std::future::pending;
use std::io;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::mpsc;

/// Bytes that a connection takes before somebody reads them: more than one step leads to.
const BUFFER: usize = 4 * 1024 * 1024;

/// Where the host hears of connections.
pub(super) struct Lobby(mpsc::UnboundedReceiver<DuplexStream>);

/// Makes connections.
pub(super) struct Telephone(mpsc::UnboundedSender<DuplexStream>);

/// Both ends.
pub(super) fn exchange() -> (Telephone, Lobby) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (Telephone(sender), Lobby(receiver))
}

impl Listener for Lobby {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An answer over HTTP.
pub(super) struct Answered {
    pub(super) status: u16,
    /// In small letters; names and values as they stand.
    pub(super) head: String,
    pub(super) body: String,
}

impl Answered {
    /// Whether it says that it is of this type.
    pub(super) fn is_of(&self, content_type: &str) -> bool {
        self.head.contains(&format!("content-type: {content_type}"))
    }
}

impl Telephone {
    /// Asks, and hears the answer out; of a stream of events only its beginning. With the connection, for what
    /// comes after an upgrade.
    pub(super) async fn ask(&self, request: &[u8]) -> Option<(Answered, DuplexStream)> {
        let (mut stream, far) = duplex(BUFFER);
        self.0.send(far).ok()?;
        stream.write_all(request).await.ok()?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8(head).ok()?.to_lowercase();
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let mut answered = Answered { status, head, body: String::new() };
        if status != 101 && !answered.is_of("text/event-stream") {
            // Nothing more follows, so the host hangs up once it has answered.
            stream.shutdown().await.ok()?;
            stream.read_to_string(&mut answered.body).await.ok()?;
        }
        Some((answered, stream))
    }
}

/// What has come over a WebSocket.
pub(super) enum Heard {
    Text(String),
    Pong,
    /// It is over.
    End,
}

/// A WebSocket.
pub(super) struct Socket(pub(super) DuplexStream);

/// Kinds of frames.
pub(super) const TEXT: u8 = 1;
pub(super) const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Socket {
    /// Sends a frame, and a ping behind it. Whoever has hung up does not hear it.
    pub(super) async fn send(&mut self, kind: u8, payload: &[u8]) -> Option<()> {
        let mut frame = vec![0x80 | kind, 0x80 | 127];
        frame.extend(u64::try_from(payload.len()).ok()?.to_be_bytes());
        // Masked with nothing.
        frame.extend([0; 4]);
        frame.extend(payload);
        frame.extend([0x80 | PING, 0x80, 0, 0, 0, 0]);
        self.0.write_all(&frame).await.ok()
    }

    /// Sends a ping.
    pub(super) async fn ping(&mut self) -> Option<()> {
        self.0.write_all(&[0x80 | PING, 0x80, 0, 0, 0, 0]).await.ok()
    }

    /// The next frame.
    pub(super) async fn hear(&mut self) -> Heard {
        self.read().await.unwrap_or(Heard::End)
    }

    async fn read(&mut self) -> Option<Heard> {
        let kind = self.0.read_u8().await.ok()? & 0x0f;
        let length = match self.0.read_u8().await.ok()? & 0x7f {
            126 => u64::from(self.0.read_u16().await.ok()?),
            127 => self.0.read_u64().await.ok()?,
            length => u64::from(length),
        };
        let mut payload = vec![0; usize::try_from(length).ok()?];
        self.0.read_exact(&mut payload).await.ok()?;
        assert!([TEXT, CLOSE, PONG].contains(&kind), "a frame of kind {kind}");
        Some(match kind {
            TEXT => Heard::Text(String::from_utf8(payload).ok()?),
            PONG => Heard::Pong,
            _ => Heard::End,
        })
    }
}
