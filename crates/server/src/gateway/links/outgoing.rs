//! The connection that we open to a linked server, kept open.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use portcullis_proto::classroom::{self, DialectId, MadeFor};
use portcullis_proto::limits;
use portcullis_server_core::defences::NeighbourAdmitted;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};

use futures_util::{SinkExt as _, StreamExt as _};

use super::{Links, lock};
use crate::gateway::counter;
use crate::gateway::limits::{
    LINK_CONNECT, LINK_FIRST_PAUSE, LINK_FRAMES, LINK_LONGEST_PAUSE, LINK_PING_AFTER,
};
use crate::socket::CHALLENGE;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Socket = tokio_tungstenite::WebSocketStream<Box<dyn Stream>>;

/// Opens the connection, speaks until it ends, and does so again, for ever.
pub(super) async fn keep(links: Arc<Links>, place: usize) {
    let mut pause = LINK_FIRST_PAUSE;
    loop {
        match tokio::time::timeout(LINK_CONNECT, open(&links, place)).await {
            Ok(Ok((socket, challenge))) => {
                tracing::info!(neighbour = place, "linked");
                let since = Instant::now();
                let ended = speak(&links, place, socket, challenge).await;
                if since.elapsed() > LINK_LONGEST_PAUSE {
                    pause = LINK_FIRST_PAUSE;
                }
                tracing::info!(neighbour = place, reason = ?ended.err(), "the link is down");
            }
            Ok(Err(error)) => tracing::debug!(neighbour = place, %error, "can't link"),
            Err(_) => tracing::debug!(neighbour = place, "can't link in time"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LINK_LONGEST_PAUSE);
    }
}

/// Opens the connection, and says what the other side gives to be signed on it.
async fn open(links: &Links, place: usize) -> io::Result<(Socket, String)> {
    let neighbour = &links.links.get(place).ok_or(io::ErrorKind::NotFound)?.neighbour;
    let url = &neighbour.url;
    let host = url.host().ok_or(io::ErrorKind::InvalidInput)?;
    let secure = url.scheme_str() == Some("wss");
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let found: Vec<_> = lookup_host((host.trim_matches(['[', ']']), port)).await?.collect();
    links.found(place, &found);
    let tcp = TcpStream::connect(found.as_slice()).await?;
    tcp.set_nodelay(true)?;
    let stream: Box<dyn Stream> = if secure {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        Box::new(TlsConnector::from(Arc::new(roots()?)).connect(name, tcp).await?)
    } else {
        Box::new(tcp)
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(limits::GUEST_LIST_BYTES))
        .max_frame_size(Some(limits::GUEST_LIST_BYTES));
    let opened = client_async_with_config(url, stream, Some(config)).await;
    let (socket, response) = opened.map_err(io::Error::other)?;
    let challenge = response.headers().get(CHALLENGE).and_then(|value| value.to_str().ok());
    Ok((socket, challenge.unwrap_or_default().to_owned()))
}

/// The roots that this machine trusts.
fn roots() -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

/// Says who we are, then carries frames both ways until the connection ends.
async fn speak(
    links: &Arc<Links>,
    place: usize,
    mut socket: Socket,
    challenge: String,
) -> Result<(), Error> {
    let Some(link) = links.links.get(place) else {
        return Ok(());
    };
    let made_for = MadeFor { recipient: link.neighbour.address.clone(), challenge };
    let (text, key, own) = (DialectId::BY_THE_TEXT, &links.key, &links.own);
    let hello = classroom::write_server_hello(text, key, counter(), own, Some(&made_for));
    socket.send(Message::text(hello.unwrap_or_default())).await?;
    let (sender, mut waiting) = mpsc::channel(LINK_FRAMES);
    lock(&link.state).outgoing = Some(sender);
    links.greet(link);
    let ended = carry(links, place, &mut socket, &mut waiting).await;
    let mut state = lock(&link.state);
    state.outgoing = None;
    links.gone(place, state);
    ended
}

async fn carry(
    links: &Arc<Links>,
    place: usize,
    socket: &mut Socket,
    waiting: &mut mpsc::Receiver<String>,
) -> Result<(), Error> {
    let mut silent = false;
    loop {
        tokio::select! {
            Some(text) = waiting.recv() => socket.send(Message::text(text)).await?,
            heard = socket.next() => {
                silent = false;
                match heard {
                    None | Some(Ok(Message::Close(_))) => return Ok(()),
                    Some(Ok(Message::Text(text))) => hear(links, place, text.as_str()).await,
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error),
                }
            }
            () = tokio::time::sleep(LINK_PING_AFTER) => {
                if silent {
                    return Ok(());
                }
                silent = true;
                socket.send(Message::Ping(bytes::Bytes::new())).await?;
            }
        }
    }
}

/// Verifying takes its time, so it is done where others need not wait for it.
async fn hear(links: &Arc<Links>, place: usize, text: &str) {
    let (links, text) = (Arc::clone(links), text.to_owned());
    let metrics = Arc::clone(&links.metrics);
    let admitted = NeighbourAdmitted::dialled(place);
    let heard = tokio::task::spawn_blocking(move || links.hear(admitted, &text)).await;
    if let Ok(Err(refused)) = heard {
        metrics.guests.count(refused);
    }
}
