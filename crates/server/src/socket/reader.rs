//! The one task that owns a connection's reading half: bytes in, whole messages out.
//!
//! It reads into a buffer that its thread shares among all connections, so that an idle connection
//! costs no read buffer but tungstenite's small one, and feeds tungstenite's protocol code from
//! memory. What that code wants to write (pongs, the answer to a close) goes to the outbox like
//! everything else. Source: RFC 6455 sections 5 to 8.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use futures_util::future::poll_immediate;
use tokio::io::{AsyncRead, ReadBuf, ReadHalf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio_rustls::server::TlsStream;
use tungstenite::error::CapacityError;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use super::boundary::Boundary;
use super::connection::Connection;
use super::frame::CloseCode;
use super::limits::{LONG_MESSAGE, SCRATCH, Settings};
use super::linger::linger;
use super::outbox::{Class, Wire};
use crate::metrics::Metrics;

/// A connection's reading half.
pub(super) enum ReadSide {
    Plain(OwnedReadHalf),
    Tls(Box<ReadHalf<TlsStream<TcpStream>>>),
}

/// Reads until the connection ends, and hands every message to the sink. `first` is what came in
/// one packet with the handshake.
pub(super) async fn read(connection: Arc<Connection>, mut side: ReadSide, first: Bytes) {
    connection.sockets.sink.opened(&connection);
    let mut protocol = Protocol::new(&connection.sockets.settings);
    let mut fed = protocol.feed(&first);
    // Even when empty, it keeps the whole buffer alive that HTTP was read into.
    drop(first);
    let ending = loop {
        if let Some(ending) = deliver(&connection, fed).await {
            break ending;
        }
        if protocol.boundary.message() > connection.longest() as u64 {
            break TOO_LONG;
        }
        connection.may_read().await;
        match fill(&connection, &mut side, |bytes| protocol.feed(bytes)).await {
            Some(next) => fed = next,
            None => break Ending::Silent,
        }
        connection.hear();
    };
    if let Ending::Breach(code, reason) = ending {
        let metrics = &connection.sockets.metrics;
        Metrics::count(&metrics.breaches);
        if code == CloseCode::TooBig {
            Metrics::count(&metrics.too_long);
        }
        connection.close(code, reason);
    }
    connection.sockets.sink.closed(connection.id());
    // What remains is rare and short; boxed in a task of its own it doesn't enlarge this one.
    let sockets = Arc::clone(&connection.sockets);
    sockets.runtime.spawn(linger(connection, side, matches!(ending, Ending::Silent)));
}

/// Hands over what was read. Says how the connection ends, if it does.
async fn deliver(connection: &Arc<Connection>, mut fed: Fed) -> Option<Ending> {
    let sockets = &connection.sockets;
    for message in fed.messages {
        // How long it may be is known only now: the one before it may have said who this is.
        if message.len() > connection.longest() {
            fed.ending = Some(TOO_LONG);
            break;
        }
        let bytes = u32::try_from(message.len()).unwrap_or(u32::MAX);
        let mut room = std::pin::pin!(async {
            connection.may_ask().await;
            // The budget is never closed.
            Arc::clone(&sockets.budget).acquire_many_owned(bytes).await
        });
        let budget = match poll_immediate(&mut room).await {
            Some(budget) => budget,
            None => {
                // What was gathered must not wait for room that it takes up itself.
                sockets.sink.pause(connection.id());
                room.await
            }
        };
        if connection.closing_since().is_some() {
            break;
        }
        let Ok(budget) = budget else {
            return Some(Ending::Silent);
        };
        Metrics::count(&sockets.metrics.received);
        sockets.sink.message(message, connection.ticket(budget));
    }
    sockets.sink.pause(connection.id());
    if !fed.answers.is_empty() {
        let answers = Bytes::from(fed.answers);
        match fed.ending {
            // The answer to the peer's close is the last thing it is sent.
            Some(Ending::Silent) => connection.answer_close(&answers),
            _ => connection.send(&answers, Class::Reply),
        }
    }
    fed.ending
}

/// Waits for bytes and hands them to `feed`. `None`: the peer is gone.
pub(super) async fn fill<R>(
    connection: &Connection,
    side: &mut ReadSide,
    mut feed: impl FnMut(&[u8]) -> R,
) -> Option<R> {
    match (side, &connection.outbox.wire) {
        (ReadSide::Plain(half), _) => read_some(half, &mut feed).await,
        (ReadSide::Tls(half), Wire::Tls(bells)) => tokio::select! {
            () = bells.stop_reading.notified() => None,
            read = read_some(half.as_mut(), &mut feed) => read,
        },
        (ReadSide::Tls(_), Wire::Plain(_)) => None,
    }
}

async fn read_some<R>(
    half: &mut (impl AsyncRead + Unpin),
    feed: &mut impl FnMut(&[u8]) -> R,
) -> Option<R> {
    poll_fn(|context| {
        SCRATCH_BUFFER.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut *half).poll_read(context, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    Poll::Ready(Some(feed(buffer.filled())))
                }
                Poll::Ready(_) => Poll::Ready(None),
            }
        })
    })
    .await
}

thread_local! {
    static SCRATCH_BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into());
}

/// tungstenite's half of a connection.
struct Protocol {
    context: WebSocketContext,
    config: WebSocketConfig,
    boundary: Boundary,
    binary: bool,
}

/// What came of some bytes.
#[derive(Default)]
struct Fed {
    messages: Vec<Incoming>,
    /// Frames that tungstenite wants to write: pongs, or the answer to a close.
    answers: Vec<u8>,
    ending: Option<Ending>,
}

/// How a connection ends by what the peer sent.
enum Ending {
    /// It closed, as it should, or has gone.
    Silent,
    /// It is closed for a breach.
    Breach(CloseCode, &'static str),
}

/// A message from a peer.
#[derive(Debug)]
pub enum Incoming {
    /// Text, checked to be UTF-8.
    Text(tungstenite::Utf8Bytes),
    /// Bytes; only where [`Settings::binary`] lets them in.
    Binary(Bytes),
}

impl Incoming {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Incoming::Text(text) => text.len(),
            Incoming::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Protocol {
    fn new(settings: &Settings) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(settings.read_buffer)
            .write_buffer_size(0)
            .max_write_buffer_size(64 * 1024)
            .max_frame_size(Some(settings.message))
            .max_message_size(Some(settings.message));
        Protocol {
            context: WebSocketContext::new(Role::Server, Some(config)),
            config,
            boundary: Boundary::default(),
            binary: settings.binary,
        }
    }

    /// Everything that `bytes`, after what came before them, amount to.
    fn feed(&mut self, bytes: &[u8]) -> Fed {
        let mut fed = Fed::default();
        let boundary = &mut self.boundary;
        let mut memory = Memory { input: bytes, output: &mut fed.answers, boundary };
        fed.ending = loop {
            match self.context.read(&mut memory) {
                Ok(Message::Text(text)) => fed.messages.push(Incoming::Text(text)),
                Ok(Message::Binary(payload)) if self.binary => {
                    fed.messages.push(Incoming::Binary(payload));
                }
                Ok(Message::Binary(_)) => break Some(NO_BINARY),
                Ok(_) => continue,
                Err(error) => break ending(&error),
            }
            memory.boundary.end_message();
            let long = fed.messages.last().is_some_and(|message| message.len() >= LONG_MESSAGE);
            if long && memory.boundary.is_between_frames() && self.context.can_write() {
                // Its buffer is as long as the message, and empty: a new one starts small.
                self.context = WebSocketContext::new(Role::Server, Some(self.config));
            }
        };
        fed
    }
}

const NO_BINARY: Ending = Ending::Breach(CloseCode::Unsupported, "this server takes text only");

const TOO_LONG: Ending = Ending::Breach(CloseCode::TooBig, "message too long");

/// What an error of tungstenite's means for the connection; `None`: it wants more bytes.
fn ending(error: &Error) -> Option<Ending> {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => None,
        Error::ConnectionClosed | Error::AlreadyClosed | Error::Io(_) => Some(Ending::Silent),
        // The highest bit of a 64-bit length must be zero.
        Error::Capacity(CapacityError::MessageTooLong { size, .. }) if *size > LONGEST_LENGTH => {
            Some(Ending::Breach(CloseCode::Protocol, "impossible length"))
        }
        Error::Capacity(_) => Some(TOO_LONG),
        Error::Utf8(_) => Some(Ending::Breach(CloseCode::NotUtf8, "text is not UTF-8")),
        _ => Some(Ending::Breach(CloseCode::Protocol, "breach of RFC 6455")),
    }
}

const LONGEST_LENGTH: usize = usize::MAX >> 1;

/// The bytes just read, and a place for what is to be written, in the shape of a stream. It gives
/// out no bytes of two frames at once.
struct Memory<'a> {
    input: &'a [u8],
    output: &'a mut Vec<u8>,
    boundary: &'a mut Boundary,
}

impl Read for Memory<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let passed = self.boundary.pass(self.input, buffer.len());
        let (mut part, rest) = self.input.split_at_checked(passed).unwrap_or((self.input, &[]));
        self.input = rest;
        part.read(buffer)
    }
}

impl Write for Memory<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.output.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
