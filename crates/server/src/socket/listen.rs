//! The accept loop: TCP, TLS where it is asked for, HTTP, and the way out of HTTP for those who
//! upgrade. It is our own, and not axum's, because the socket must come out of it again whole.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::Service as _;

use portcullis_server_core::defences::SOUND;

use super::challenge::{CHALLENGE, Challenge};
use super::handshake::{self, Refused};
use super::{Sockets, Stream};
use crate::metrics::Metrics;

/// The address that a request came from; in the extensions of every request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Connections that may wait to be accepted. Past it the kernel drops a client's first packet, and the
/// client waits a second before the next: when everybody comes back at once, that is most of the time.
/// The system may allow fewer.
const BACKLOG: i32 = 16_384;

/// Accepts connections and serves `router` on them until it is dropped.
pub async fn listen(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    sockets: Arc<Sockets>,
) {
    // Asking again makes the queue longer. Where that is refused, the one it has will do.
    let _ = socket2::SockRef::from(&listener).listen(BACKLOG);
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                Metrics::count(&sockets.metrics.accepted);
                if let Some(place) = Place::take(&sockets) {
                    let (tls, router) = (tls.clone(), router.clone());
                    sockets.runtime.spawn(serve(stream, peer, tls, router, place));
                } else {
                    Metrics::count(&sockets.metrics.turned_away);
                }
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "can't accept connections for the moment");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Answers a handshake, and takes the socket out of HTTP once the answer is written.
pub fn upgrade(
    sockets: &Arc<Sockets>,
    mut request: Request<Body>,
    peer: SocketAddr,
    subprotocol: Option<&'static str>,
    challenge: Option<Challenge>,
) -> Response<Body> {
    let answered = handshake::answer(&request, subprotocol);
    let mut response = match answered {
        Ok(response) => response,
        Err(refused) => return refused.response(subprotocol),
    };
    if let Some(challenge) = &challenge {
        response.headers_mut().insert(CHALLENGE, challenge.header());
    }
    let Some(upgrading) = request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>() else {
        return Refused::NoUpgrade.response(subprotocol);
    };
    let sockets = Arc::clone(sockets);
    tokio::spawn(async move {
        // A peer that has gone before the answer was written is nobody's loss.
        if let Ok(upgraded) = upgrading.await
            && let Some((stream, first)) = take_out(upgraded)
        {
            sockets.adopt(stream, peer, first, challenge);
        }
    });
    response
}

/// How long to wait when the system has no more file descriptors or memory for connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes of HTTP headers that are read before they are too many.
const HTTP_BUFFER: usize = 16 * 1024;

/// One of the server's places for connections, held while the socket speaks HTTP.
struct Place(Arc<Sockets>);

impl Place {
    fn take(sockets: &Arc<Sockets>) -> Option<Self> {
        let handshaking = sockets.handshaking.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(sockets));
        (handshaking + sockets.count() < sockets.settings.connections).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.handshaking.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    place: Place,
) {
    // Frames are gathered before they are written: waiting for more would only add delay.
    let _ = stream.set_nodelay(true);
    let wait = place.0.settings.handshake;
    let tls = match tls {
        Some(_) if speaks_plainly(&stream, peer, wait).await => None,
        tls => tls,
    };
    match tls {
        None => serve_http(TokioIo::new(stream), peer, router, wait).await,
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(wait, tls.accept(stream)).await {
                serve_http(TokioIo::new(stream), peer, router, wait).await;
            }
        }
    }
    drop(place);
}

/// The first byte of a TLS connection: a record that holds a handshake message (RFC 8446 section 5.1).
const TLS_HANDSHAKE: u8 = 22;

/// Whether a peer that may do so speaks without TLS: see the defence `admit_plain`.
async fn speaks_plainly(stream: &TcpStream, peer: SocketAddr, wait: Duration) -> bool {
    if (SOUND.admit_plain)(peer.ip()).is_err() {
        return false;
    }
    let mut first = [TLS_HANDSHAKE];
    let peeked = tokio::time::timeout(wait, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first != [TLS_HANDSHAKE]
}

async fn serve_http<I>(io: TokioIo<I>, peer: SocketAddr, router: Router, wait: Duration)
where
    TokioIo<I>: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
        let mut router = router.clone();
        async move {
            request.extensions_mut().insert(Peer(peer));
            let Ok(response) = router.call(request.map(Body::new)).await;
            Ok::<Response<Body>, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(wait)
        .max_buf_size(HTTP_BUFFER)
        .serve_connection(io, service)
        .with_upgrades();
    // Whatever goes wrong with HTTP concerns this peer alone, and it has been told.
    let _ = connection.await;
}

/// The socket inside an upgraded connection, and what came behind the handshake.
fn take_out(upgraded: Upgraded) -> Option<(Stream, Bytes)> {
    match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => Some((Stream::Plain(parts.io.into_inner()), parts.read_buf)),
        Err(upgraded) => {
            let parts = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>().ok()?;
            Some((Stream::Tls(Box::new(parts.io.into_inner())), parts.read_buf))
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}
