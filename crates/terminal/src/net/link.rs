//! A connection that is kept up: one task connects, hands frames over in both directions, notices when
//! the server is gone, and comes back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rand_core::{OsRng, RngCore as _};
use rustls::ClientConfig;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::backoff::Backoff;
use super::socket::{self, Socket};
use super::tls;
use super::{
    Address, ConnectError, DEAD_AFTER, Door, PING_AFTER, TlsError, TlsRoots, WAITING_FRAMES,
};

/// What happens on a link.
pub enum LinkEvent {
    /// A connection stands. What is sent goes this way; dropping it closes the connection.
    Connected(Outgoing),
    /// A text frame came.
    Frame(String),
    /// The connection is gone.
    Disconnected,
    /// The next try is so far away.
    Waiting {
        /// How long.
        delay: Duration,
        /// Why the last one came to nothing, unless it did not: then the connection was lost.
        reason: Option<ConnectError>,
    },
    /// No connection can be had, and no further try is made.
    Failed(ConnectError),
}

/// The way to the server, for as long as its connection stands. What is sent later goes nowhere, so
/// that no frame reaches a connection that it was not meant for.
pub struct Outgoing(UnboundedSender<ToServer>);

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outgoing")
    }
}

enum ToServer {
    Frame(String),
    /// The session is open.
    Settled,
}

/// Frames hold tokens and what people say, so only their length is shown.
impl fmt::Debug for LinkEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(_) => f.write_str("Connected"),
            Self::Frame(text) => write!(f, "Frame({} bytes)", text.len()),
            Self::Disconnected => f.write_str("Disconnected"),
            Self::Waiting { delay, .. } => write!(f, "Waiting({delay:?})"),
            Self::Failed(_) => f.write_str("Failed"),
        }
    }
}

impl Outgoing {
    /// Sends a text frame.
    pub fn send(&self, frame: String) {
        // Where the connection is gone, `Disconnected` is on its way.
        let _ = self.0.send(ToServer::Frame(frame));
    }

    /// The session is open: after this connection the next one is tried soon.
    pub fn settled(&self) {
        let _ = self.0.send(ToServer::Settled);
    }
}

/// A link; it ends when this is dropped.
#[derive(Debug)]
pub struct Link {
    events: mpsc::Receiver<LinkEvent>,
    task: JoinHandle<()>,
}

impl Link {
    /// Begins to connect.
    ///
    /// # Errors
    /// [`TlsError`] where the address asks for TLS and it can't be set up.
    pub fn open(address: Address, door: Door, roots: &TlsRoots) -> Result<Self, TlsError> {
        let tls = address.is_tls().then(|| tls::config(tls::store(roots)?)).transpose()?;
        let (events, receiver) = mpsc::channel(WAITING_FRAMES);
        let task = tokio::spawn(keep_up(address, door, tls, events));
        Ok(Self { events: receiver, task })
    }

    /// The next event; none after [`LinkEvent::Failed`]. Nothing is lost if this is dropped.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        self.events.recv().await
    }

    /// The next event, if it is there already.
    pub fn try_next(&mut self) -> Option<LinkEvent> {
        self.events.try_recv().ok()
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whoever listened is gone.
struct Deaf;

async fn keep_up(
    address: Address,
    door: Door,
    tls: Option<Arc<ClientConfig>>,
    events: mpsc::Sender<LinkEvent>,
) {
    // When nobody listens any more, there is nothing left to do.
    let _ = keep_trying(&address, &door, tls.as_ref(), &events).await;
}

async fn keep_trying(
    address: &Address,
    door: &Door,
    tls: Option<&Arc<ClientConfig>>,
    events: &mpsc::Sender<LinkEvent>,
) -> Result<(), Deaf> {
    let mut backoff = Backoff::default();
    loop {
        let reason = match socket::open(address, tls, door).await {
            Ok(socket) => {
                let (sender, outgoing) = mpsc::unbounded_channel();
                tell(events, LinkEvent::Connected(Outgoing(sender))).await?;
                let settled = exchange(socket, outgoing, events).await?;
                tell(events, LinkEvent::Disconnected).await?;
                if settled {
                    backoff.reset();
                }
                None
            }
            Err(error) if error.is_final() => {
                return tell(events, LinkEvent::Failed(error)).await;
            }
            Err(error) => Some(error),
        };
        let delay = backoff.next(OsRng.next_u64());
        tell(events, LinkEvent::Waiting { delay, reason }).await?;
        tokio::time::sleep(delay).await;
    }
}

/// Hands frames over until the connection ends; says whether a session was open in it.
async fn exchange(
    mut socket: Socket,
    mut outgoing: UnboundedReceiver<ToServer>,
    events: &mpsc::Sender<LinkEvent>,
) -> Result<bool, Deaf> {
    let mut settled = false;
    let mut heard = Instant::now();
    let mut ping_at = heard + PING_AFTER;
    loop {
        tokio::select! {
            message = socket.next() => {
                let Some(Ok(message)) = message else { break };
                match message {
                    Message::Text(text) => tell(events, LinkEvent::Frame(text.as_str().to_owned())).await?,
                    Message::Binary(_) | Message::Close(_) => break,
                    _ => {}
                }
                // After it was taken: a slow reader must not count as a silent server.
                heard = Instant::now();
                ping_at = heard + PING_AFTER;
            }
            frame = outgoing.recv() => match frame {
                Some(ToServer::Settled) => settled = true,
                Some(ToServer::Frame(frame)) => {
                    if send_all(&mut socket, frame, &mut outgoing, &mut settled).await.is_err() {
                        break;
                    }
                }
                None => break,
            },
            () = sleep_until(ping_at) => {
                let dead = heard.elapsed() >= DEAD_AFTER;
                if dead || send(&mut socket, Message::Ping(Bytes::new())).await.is_err() {
                    break;
                }
                ping_at += PING_AFTER;
            }
        }
    }
    // A farewell, if the server still listens.
    let _ = timeout(Duration::from_millis(100), socket.close(None)).await;
    Ok(settled)
}

/// Sends a frame, and with it what waits behind it.
async fn send_all(
    socket: &mut Socket,
    first: String,
    outgoing: &mut UnboundedReceiver<ToServer>,
    settled: &mut bool,
) -> Result<(), Error> {
    socket.feed(Message::text(first)).await?;
    while let Ok(next) = outgoing.try_recv() {
        match next {
            ToServer::Frame(frame) => socket.feed(Message::text(frame)).await?,
            ToServer::Settled => *settled = true,
        }
    }
    match timeout(DEAD_AFTER, socket.flush()).await {
        Ok(result) => result,
        Err(_) => Err(Error::ConnectionClosed),
    }
}

async fn send(socket: &mut Socket, message: Message) -> Result<(), Error> {
    match timeout(DEAD_AFTER, socket.send(message)).await {
        Ok(result) => result,
        Err(_) => Err(Error::ConnectionClosed),
    }
}

async fn tell(events: &mpsc::Sender<LinkEvent>, event: LinkEvent) -> Result<(), Deaf> {
    events.send(event).await.map_err(|_| Deaf)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    /// What has gone is not tried again, and said in the words of whoever chose the door; of the chat's own doors
    /// nothing is ever gone.
    #[tokio::test]
    async fn a_door_that_has_gone_is_said_to_be() {
        let other = Door::Other {
            path: "/worlds/x/connect".to_owned(),
            subprotocol: "somebodys.v1",
            gone: "this world has gone".to_owned(),
        };
        let gone = ConnectError::Gone("this world has gone".to_owned());
        for (door, status, expected) in [
            (other.clone(), "410 Gone", gone),
            (other, "401 Unauthorized", ConnectError::NotPortcullis),
            (Door::Accounts, "410 Gone", ConnectError::NotPortcullis),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("ws://{}", listener.local_addr().unwrap());
            let address = Address::parse(&address).unwrap();
            let mut link = Link::open(address, door, &TlsRoots::System).unwrap();
            let (mut peer, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(peer.read_u8().await.unwrap());
            }
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            peer.write_all(answer.as_bytes()).await.unwrap();
            let told = link.next().await.unwrap();
            let LinkEvent::Failed(reason) = told else { panic!("{status}: {told:?}") };
            assert_eq!(reason, expected, "{status}");
        }
    }
}
