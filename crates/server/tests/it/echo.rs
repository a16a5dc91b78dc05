//! A server that sends every message back, inside the test's own process.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_server::http::{self, Site};
use portcullis_server::metrics::Metrics;
use portcullis_server::socket::{
    Class, Connection, ConnectionId, Incoming, Settings, Sink, Sockets, Ticket, frame, listen,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// Bytes that a message may have after `hello`, where nobody could send so long ones before.
pub(crate) const GREETED: usize = 60_000;

pub(crate) struct EchoServer {
    pub(crate) address: SocketAddr,
    pub(crate) sockets: Arc<Sockets>,
    pub(crate) runtime: Runtime,
    pub(crate) metrics: Arc<Metrics>,
}

impl EchoServer {
    pub(crate) fn start(settings: Settings) -> Self {
        Self::start_with(settings.clone(), settings)
    }

    /// The same, with other bounds for classroom guests.
    pub(crate) fn start_with(settings: Settings, for_guests: Settings) -> Self {
        let runtime = Runtime::new().unwrap();
        let metrics = Arc::new(Metrics::default());
        let (address, sockets) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let sockets = Sockets::new(settings, Arc::clone(&metrics), Arc::new(Echo));
            let guests = Sockets::for_guests(for_guests, Arc::clone(&metrics), Arc::new(Echo));
            let site = Site {
                sockets: Arc::clone(&sockets),
                guests: Some(guests),
                uploads: None,
                blobs: None,
                relay: None,
                admit: Arc::new(|origin, _| match origin {
                    None => Ok(()),
                    Some(_) => Err("this page may not connect".to_owned()),
                }),
                behind_proxy: None,
            };
            let router = http::router(site, axum::Router::new());
            tokio::spawn(Arc::clone(&sockets).sweep());
            tokio::spawn(listen::listen(listener, None, router, Arc::clone(&sockets)));
            (address, sockets)
        });
        EchoServer { address, sockets, runtime, metrics }
    }
}

struct Echo;

impl Sink for Echo {
    fn opened(&self, _: &Arc<Connection>) {}

    /// A message that says `flood N` is answered by N live frames of 64 KiB and one reply; `hello` says who it is, and
    /// `hello from a server` that it has more to say.
    fn message(&self, message: Incoming, ticket: Ticket) {
        let connection = ticket.connection();
        let framed = match &message {
            Incoming::Text(text) => {
                match text.as_str() {
                    "hello" => connection.greet(GREETED),
                    "hello from a server" => connection.greet(usize::MAX),
                    _ => {}
                }
                if let Some(count) = text.strip_prefix("flood ") {
                    let live = frame::text(&[b'.'; 64 * 1024]);
                    for _ in 0..count.parse().unwrap() {
                        connection.send(&live, Class::Live);
                    }
                }
                frame::text(text.as_bytes())
            }
            Incoming::Binary(bytes) => frame::binary(bytes),
        };
        connection.send(&framed, Class::Reply);
    }

    fn closed(&self, _: ConnectionId) {}
}
