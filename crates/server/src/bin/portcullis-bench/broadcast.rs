//! The transport alone: everything one connection says, everybody hears. No login, no store.

use std::sync::Arc;

use portcullis_server::domain::{self, Arrival, Domain};
use portcullis_server::http::{self, Site};
use portcullis_server::hub::{self, Batch};
use portcullis_server::metrics::Metrics;
use portcullis_server::socket::{Incoming, Settings, Sockets, listen};
use tokio::net::TcpListener;
use tungstenite::Utf8Bytes;

/// Serves on a port of the system's choice, and prints its address.
pub(crate) fn serve() -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::default());
    let hub = hub::start(Arc::clone(&metrics))?;
    let domain = domain::start(Broadcast, hub, Arc::clone(&metrics))?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let sockets = Sockets::new(Settings::default(), metrics, Arc::new(domain.entrance()));
        let site = Site {
            sockets: Arc::clone(&sockets),
            guests: None,
            uploads: None,
            blobs: None,
            relay: None,
            admit: Arc::new(|_, _| Ok(())),
            behind_proxy: None,
        };
        let router = http::router(site, axum::Router::new());
        tokio::spawn(Arc::clone(&sockets).sweep());
        println!("{address}");
        listen::listen(listener, None, router, sockets).await;
        Ok(())
    })
}

struct Broadcast;

impl Domain for Broadcast {
    type Room = u8;
    type Request = Utf8Bytes;

    fn read(message: &Incoming) -> Utf8Bytes {
        match message {
            Incoming::Text(text) => text.clone(),
            Incoming::Binary(_) => Utf8Bytes::default(),
        }
    }

    fn carry_out(&mut self, arrivals: Vec<Arrival<Utf8Bytes>>, batch: &mut Batch<u8>) {
        for arrival in arrivals {
            match arrival {
                Arrival::Opened(connection) => batch.join(0, connection.id()),
                Arrival::Request(_, text) => batch.room(0, text.as_bytes()),
                Arrival::Closed(_) => {}
            }
        }
    }

    fn tick(&mut self, _: &mut Batch<u8>) {}
}
