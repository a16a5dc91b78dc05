//! Tells endpoints under which address they are seen, as iroh asks for it: a connection of QUIC on which nothing
//! else is said. It has the number of the server's TCP port, and its certificate.
//!
//! Anybody may ask, for all that is told is what whoever asks has sent from.
//!
//! Source: draft-ietf-quic-address-discovery; `iroh-relay` 1.4, `quic.rs`.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use noq::crypto::rustls::QuicServerConfig;
use noq::{Endpoint, VarInt};
use rustls::ServerConfig;
use tokio::sync::Semaphore;

use super::limits::{SEEN_AT_ONCE, SILENCE};

/// The name that is asked for (ALPN).
const NAME: &[u8] = b"/iroh-qad/0";

/// Tells everybody, until it is dropped.
pub(crate) struct Seen(Endpoint);

impl Seen {
    /// Listens there.
    ///
    /// # Errors
    /// What the system says, or that these ciphers are not QUIC's.
    pub(crate) fn listen(address: SocketAddr, tls: &ServerConfig) -> io::Result<Self> {
        let mut tls = tls.clone();
        tls.alpn_protocols = vec![NAME.to_vec()];
        let ciphers = QuicServerConfig::try_from(tls).map_err(io::Error::other)?;
        let mut config = noq::ServerConfig::with_crypto(Arc::new(ciphers));
        let mut transport = noq::TransportConfig::default();
        transport
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .max_concurrent_bidi_streams(VarInt::from_u32(0))
            .max_idle_timeout(SILENCE.try_into().ok())
            .send_observed_address_reports(true);
        config.transport_config(Arc::new(transport));
        let endpoint = Endpoint::server(config, address)?;
        tokio::spawn(tell(endpoint.clone()));
        Ok(Self(endpoint))
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        self.0.close(VarInt::from_u32(0), b"");
    }
}

async fn tell(endpoint: Endpoint) {
    let places = Arc::new(Semaphore::new(SEEN_AT_ONCE));
    while let Some(incoming) = endpoint.accept().await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            incoming.ignore();
            continue;
        };
        tokio::spawn(async move {
            if let Ok(connection) = incoming.await {
                connection.closed().await;
            }
            drop(place);
        });
    }
}
