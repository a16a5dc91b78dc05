//! Under which addresses this machine may be reached. Nobody outside is asked: the system is asked by which of its
//! own addresses it would go to the server, and out into the world.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use portcullis_proto::limits;
use tokio::net::{ToSocketAddrs, UdpSocket, lookup_host};

use crate::net::Address;

/// Addresses that are nobody's (RFC 5737, RFC 3849): no packet is sent to them.
const OUT: [&str; 2] = ["192.0.2.1:9", "[2001:db8::1]:9"];

/// Addresses of this machine, each with this port.
pub(super) async fn own(server: &Address, port: u16) -> Vec<SocketAddr> {
    let mut found = BTreeSet::new();
    found.extend(towards((server.host(), server.port())).await);
    for out in OUT {
        // The loopback is no way out.
        found.extend(towards(out).await.filter(|address| !address.is_loopback()));
    }
    let found = found.into_iter().take(limits::FILE_ADDRESSES);
    found.map(|address| SocketAddr::new(address, port)).collect()
}

/// By which own address the system would go there.
async fn towards(there: impl ToSocketAddrs) -> Option<IpAddr> {
    for target in lookup_host(there).await.ok()? {
        let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let Ok(socket) = UdpSocket::bind(any).await else { continue };
        // Connecting a UDP socket sends nothing.
        if socket.connect(target).await.is_ok()
            && let Ok(own) = socket.local_addr()
            && !own.ip().is_unspecified()
        {
            return Some(own.ip().to_canonical());
        }
    }
    None
}
