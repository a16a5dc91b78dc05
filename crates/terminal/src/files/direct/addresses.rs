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

/// Those of somebody's addresses that are not this machine's own: nobody has its services called. All of them where
/// the session's own server is on it, for then others are there too.
pub(super) async fn elsewhere(addresses: &[SocketAddr], server: &Address) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    for address in addresses {
        // To one of its own the system goes by that same one.
        if server.is_local() || towards(*address).await != Some(address.ip().to_canonical()) {
            found.push(*address);
        }
    }
    found
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    async fn check(server: &str, addresses: &str, expected: &str) {
        let server = Address::parse(server).unwrap();
        let all: Vec<SocketAddr> = addresses.split(' ').map(|one| one.parse().unwrap()).collect();
        let left = elsewhere(&all, &server).await;
        let left: Vec<String> = left.iter().map(ToString::to_string).collect();
        assert_eq!(left.join(" "), expected, "{server:?}");
    }

    #[tokio::test]
    async fn own_addresses_are_told_from_others() {
        let remote = "wss://192.0.2.7";
        check(remote, "127.0.0.1:5 192.0.2.1:5 [2001:db8::1]:5", "192.0.2.1:5 [2001:db8::1]:5")
            .await;
        check(remote, "[::ffff:127.0.0.1]:5", "").await;
        check("ws://127.0.0.1:1", "127.0.0.1:5", "127.0.0.1:5").await;
        // Whatever this machine is called in its network.
        let here = towards(OUT[0]).await;
        if let Some(own) = here {
            check(remote, &SocketAddr::new(own, 5).to_string(), "").await;
        }
    }
}
