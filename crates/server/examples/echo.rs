//! A WebSocket server that sends every message back, over the server's own socket layer: conformance
//! suites (such as Autobahn's) are pointed at it. Any path, any subprotocol, text and binary.
//!
//! `cargo run -p portcullis-server --example echo -- 127.0.0.1:9001`

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use http::{Request, Response};
use portcullis_server::metrics::Metrics;
use portcullis_server::socket::listen::{self, Peer};
use portcullis_server::socket::{
    Class, Connection, ConnectionId, Incoming, Settings, Sink, Sockets, Ticket, frame,
};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".to_owned());
    let listener = TcpListener::bind(&address).await?;
    // Conformance suites send messages of 16 MiB and read the answers at their leisure.
    let settings = Settings {
        message: 16 << 20,
        queue: 64 << 20,
        queue_hard: 128 << 20,
        binary: true,
        ..Settings::default()
    };
    let sockets = Sockets::new(settings, Arc::new(Metrics::default()), Arc::new(Echo));
    let router = Router::new().fallback(upgrade).with_state(Arc::clone(&sockets));
    tokio::spawn(Arc::clone(&sockets).sweep());
    eprintln!("echo listens on {}", listener.local_addr()?);
    listen::listen(listener, None, router, sockets).await;
    Ok(())
}

async fn upgrade(State(sockets): State<Arc<Sockets>>, request: Request<Body>) -> Response<Body> {
    match request.extensions().get::<Peer>().copied() {
        Some(Peer(peer)) => listen::upgrade(&sockets, request, peer, None, None),
        None => Response::new(Body::empty()),
    }
}

struct Echo;

impl Sink for Echo {
    fn opened(&self, _: &Arc<Connection>) {}

    fn message(&self, message: Incoming, ticket: Ticket) {
        let framed = match &message {
            Incoming::Text(text) => frame::text(text.as_bytes()),
            Incoming::Binary(bytes) => frame::binary(bytes),
        };
        ticket.connection().send(&framed, Class::Reply);
    }

    fn closed(&self, _: ConnectionId) {}
}
