//! QUIC, by iroh: for two devices of which neither can simply be called. Each transfer has an endpoint of its own,
//! with a key that nobody has seen before, for as long as it goes on.
//!
//! Left out is everything by which iroh would be known to others: no discovery, no port mapping, no relay but the
//! server that both are connected to, and no name is asked for but the server's. A connection asks for a name that
//! only holders of the transfer's key can make; to others nothing is answered.
//!
//! Source: RFC 9000, RFC 9001, RFC 7301 (the name is an ALPN protocol name).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use iroh::endpoint::{
    Connection, ConnectionError, Incoming, PortmapperConfig, QuicTransportConfig, RecvStream,
    SendStream, VarInt, presets,
};
use iroh::{
    Endpoint, EndpointAddr, NetReportConfig, PublicKey, RelayUrl, SecretKey, TransportAddr,
};
use portcullis_client_core::QuicEnd;
use portcullis_client_core::defences::{HELLO, path_name};
use portcullis_crypto::FileKey;
use portcullis_proto::{Bytes, QuicWay, limits};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::super::halt::Halt;
use super::super::limits::{ONLINE, QUIC_LAST, QUIC_WINDOW, STALLED};
use super::super::meter::Meter;
use super::super::part::Part;
use super::super::pieces::{Giver, Taker, keep, pipe, seal};
use super::super::sealed::{Outgoing, Sealed};
use super::super::stop::Stop;
use super::pace::{too_slow, unless_slow};
use super::{addresses, relay};
use crate::net::{Address, Connector};

/// What a recipient closes with once it has all.
const DONE: VarInt = VarInt::from_u32(1);

/// One transfer's endpoint.
pub(super) struct Quic {
    endpoint: Endpoint,
    name: [u8; 32],
    relay: Option<RelayUrl>,
}

impl Quic {
    /// An endpoint at this address, or at any; none where the system gives none. Whoever holds the key of a
    /// transfer may call it.
    pub(super) async fn open(
        at: Option<SocketAddr>,
        key: &FileKey,
        own: Option<&QuicEnd>,
        server: &Connector,
    ) -> Option<Self> {
        let mut builder = Endpoint::builder(presets::Empty)
            .crypto_provider(Arc::new(ciphers()))
            .transport_config(transport())
            .portmapper_config(PortmapperConfig::Disabled)
            .net_report_config(NetReportConfig::minimal());
        if let Some(at) = at {
            builder = builder.clear_ip_transports().bind_addr(at).ok()?;
        }
        if let Some(own) = own {
            builder = builder.secret_key(SecretKey::from_bytes(own.secret.expose()));
        }
        let relay = own.filter(|own| own.relayed).and_then(|_| relay::url(server.address()));
        if let Some(url) = relay.clone() {
            builder = relay::through(builder, url, server);
        }
        let endpoint = builder.bind().await.ok()?;
        let name = path_name(key, endpoint.id().as_bytes());
        endpoint.set_alpns(vec![name.to_vec()]);
        Some(Self { endpoint, name, relay })
    }

    /// How it can be reached. Where that is by way of the server, it is there by then.
    pub(super) async fn way(&self, server: &Address) -> QuicWay {
        let relayed = match self.relay {
            Some(_) => timeout(ONLINE, self.endpoint.online()).await.is_ok(),
            None => false,
        };
        let mut addresses = BTreeSet::new();
        for socket in self.endpoint.bound_sockets() {
            if !socket.ip().is_unspecified() {
                addresses.insert(socket);
                continue;
            }
            let own = addresses::own(server, socket.port()).await;
            addresses.extend(own.into_iter().filter(|own| own.is_ipv4() == socket.is_ipv4()));
        }
        // As the server sees it, if that has said so.
        addresses.extend(self.endpoint.addr().ip_addrs().copied());
        let addresses = addresses.into_iter().take(limits::FILE_ADDRESSES).collect();
        QuicWay { key: Bytes(self.endpoint.id().as_bytes().to_vec()), addresses, relayed }
    }

    /// The next connection that asks for the transfer by its name; for ever, if there is none.
    pub(super) async fn called(&self) -> Incoming {
        while let Some(incoming) = self.endpoint.accept().await {
            if self.is_named(&incoming) {
                return incoming;
            }
            incoming.ignore();
        }
        std::future::pending().await
    }

    fn is_named(&self, incoming: &Incoming) -> bool {
        let names = incoming.decrypt().and_then(|hello| hello.alpns());
        names.into_iter().flatten().flatten().any(|name| *name == self.name)
    }

    /// Calls the other end of a transfer.
    pub(super) async fn call(&self, key: &FileKey, way: &QuicWay) -> Option<QuicStream> {
        let other: [u8; 32] = way.key.as_slice().try_into().ok()?;
        let id = PublicKey::from_bytes(&other).ok()?;
        let addresses = way.addresses.iter().copied().map(TransportAddr::Ip);
        let relay = self.relay.clone().filter(|_| way.relayed).map(TransportAddr::Relay);
        let to = EndpointAddr::from_parts(id, addresses.chain(relay));
        let connection = self.endpoint.connect(to, &path_name(key, &other)).await.ok()?;
        let (send, receive) = connection.open_bi().await.ok()?;
        Some(QuicStream { connection, send, receive })
    }

    /// Ends it, after what was said last has left. Nothing waits for that.
    pub(super) fn close(&self) {
        let endpoint = self.endpoint.clone();
        tokio::spawn(async move { endpoint.close().await });
    }
}

/// One exchange of keys whose hello fits into one packet: the name in it is looked at before anything is answered.
/// What goes over it is sealed already.
fn ciphers() -> CryptoProvider {
    CryptoProvider { kx_groups: vec![aws_lc_rs::kx_group::X25519], ..aws_lc_rs::default_provider() }
}

/// One stream each way, with so much under way.
fn transport() -> QuicTransportConfig {
    let idle = STALLED.try_into().ok();
    QuicTransportConfig::builder()
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .max_idle_timeout(idle)
        .stream_receive_window(VarInt::from_u32(QUIC_WINDOW))
        .receive_window(VarInt::from_u32(QUIC_WINDOW))
        .send_window(QUIC_WINDOW.into())
        .build()
}

/// The one stream of a connection.
pub(super) struct QuicStream {
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
}

impl QuicStream {
    /// Lets somebody in who has called.
    pub(super) async fn accept(incoming: Incoming) -> Option<Self> {
        let connection = incoming.accept().ok()?.await.ok()?;
        let (send, receive) = connection.accept_bi().await.ok()?;
        Some(Self { connection, send, receive })
    }

    /// Says something short.
    pub(super) async fn say(&mut self, hello: &[u8; HELLO]) -> Option<()> {
        self.send.write_all(hello).await.ok()
    }

    /// Hears it.
    pub(super) async fn hear(&mut self) -> Option<[u8; HELLO]> {
        let mut hello = [0; HELLO];
        self.receive.read_exact(&mut hello).await.ok()?;
        Some(hello)
    }

    /// Sends a blob from a byte on; the other side has all of it when this returns.
    ///
    /// # Errors
    /// [`Halt`].
    pub(super) async fn send(
        mut self,
        sealed: Arc<Sealed>,
        offset: u64,
        meter: &Meter,
        stop: &Stop,
    ) -> Result<(), Halt> {
        meter.set(offset);
        let (into, from) = pipe();
        let stopped = stop.clone();
        let sealing = spawn_blocking(move || seal(&sealed, offset, into, &stopped));
        let written = tokio::select! {
            () = stop.wanted() => Err(Halt::Stopped),
            written = self.write_pieces(from, meter) => written,
            () = too_slow(meter) => Err(Halt::Slow),
        };
        // What stopped the sealing is why no more was written.
        sealing.await.unwrap_or(Err(Halt::Stopped))?;
        written?;
        tokio::select! {
            () = stop.wanted() => Err(Halt::Stopped),
            arrived = self.arrive() => arrived,
        }
    }

    async fn write_pieces(&mut self, mut from: Taker<Outgoing>, meter: &Meter) -> Result<(), Halt> {
        while let Some(piece) = from.take().await {
            let mut left = piece.bytes();
            while !left.is_empty() {
                let written = timeout(STALLED, self.send.write(left)).await;
                let written = written.map_err(|_| Halt::Broken)?.map_err(|_| Halt::Broken)?;
                left = left.get(written..).unwrap_or_default();
            }
            meter.add(piece.bytes().len() as u64);
            from.give_back(piece.into_buffer());
        }
        Ok(())
    }

    /// Waits until the other side says that it has all.
    async fn arrive(&mut self) -> Result<(), Halt> {
        // One that is closed already may be closed because all is there.
        let _ = self.send.finish();
        match timeout(QUIC_LAST, self.connection.closed()).await {
            Ok(ConnectionError::ApplicationClosed(close)) if close.error_code == DONE => Ok(()),
            _ => Err(Halt::Broken),
        }
    }

    /// Receives what a part lacks of a blob. The part is lost only if this process is about to end.
    ///
    /// # Errors
    /// [`Halt`].
    pub(super) async fn receive(
        mut self,
        part: Part,
        meter: Arc<Meter>,
        stop: &Stop,
    ) -> Result<(Part, Result<(), Halt>), Halt> {
        let (blob, offset) = (part.blob(), part.offset());
        let (into, from) = pipe();
        let (stopped, metered) = (stop.clone(), Arc::clone(&meter));
        let keeping = spawn_blocking(move || {
            let mut part = part;
            let kept = keep(&mut part, from, &metered, &stopped);
            (part, kept)
        });
        let lengths = blob.pieces_from(offset).map(|piece| piece.len);
        let slow = tokio::select! {
            () = stop.wanted() => false,
            () = self.read_pieces(lengths, into) => false,
            () = too_slow(&meter) => true,
        };
        let (part, kept) = keeping.await.map_err(|_| Halt::Stopped)?;
        let ended = stop.check().and(unless_slow(kept, slow));
        if ended.is_ok() {
            self.connection.close(DONE, b"");
        }
        Ok((part, ended))
    }

    /// Reads pieces of these lengths, until the stream ends or nobody takes them.
    async fn read_pieces(
        &mut self,
        lengths: impl Iterator<Item = usize>,
        mut into: Giver<Vec<u8>>,
    ) {
        for length in lengths {
            let mut piece = into.buffer();
            piece.resize(length, 0);
            let mut left = piece.as_mut_slice();
            while !left.is_empty() {
                let Ok(Ok(Some(read))) = timeout(STALLED, self.receive.read(left)).await else {
                    return;
                };
                left = left.get_mut(read..).unwrap_or_default();
            }
            if !into.put(piece).await {
                return;
            }
        }
    }
}
