//! Strangers who may be about to prove that they are who is waited for. Few are heard at once, and fewer from one
//! place; where there are too many, the oldest gives way: who means it speaks at once.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv6Addr};

use iroh::PublicKey;
use iroh::endpoint::IncomingAddr;
use tokio::task::AbortHandle;

use super::super::limits::{UNPROVEN, UNPROVEN_EACH};

/// Where somebody calls from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// An IPv4 address, or the network of an IPv6 one: one machine has as many of those as it likes.
    Net(IpAddr),
    /// By the server's relay, which lets in whom the server knows.
    Relay(PublicKey),
    /// Nothing that is known here.
    Other,
}

impl Origin {
    /// Of a call from this address.
    pub(super) fn of(address: IpAddr) -> Self {
        let net = match address.to_canonical() {
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            address => address,
        };
        Self::Net(net)
    }

    /// Of a call by QUIC.
    pub(super) fn of_quic(from: &IncomingAddr) -> Self {
        match from {
            IncomingAddr::Ip(address) => Self::of(address.ip()),
            IncomingAddr::Relay { endpoint_id, .. } => Self::Relay(*endpoint_id),
            _ => Self::Other,
        }
    }
}

/// Who is being heard, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Unproven(VecDeque<(Origin, AbortHandle)>);

impl Unproven {
    /// Somebody more is heard; somebody else may have to go.
    pub(super) fn enter(&mut self, origin: Origin, hearing: AbortHandle) {
        self.0.retain(|(_, hearing)| !hearing.is_finished());
        let same = |(other, _): &(Origin, AbortHandle)| *other == origin;
        let oldest = if self.0.iter().filter(|one| same(one)).count() >= UNPROVEN_EACH {
            self.0.iter().position(same)
        } else {
            (self.0.len() >= UNPROVEN).then_some(0)
        };
        if let Some((_, hearing)) = oldest.and_then(|oldest| self.0.remove(oldest)) {
            hearing.abort();
        }
        self.0.push_back((origin, hearing));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use tokio::task::JoinHandle;

    /// Has these heard in order; says which had to go.
    async fn gone(origins: &[Origin]) -> Vec<usize> {
        let mut unproven = Unproven::default();
        let enter = |origin: &Origin| {
            let hearing = tokio::spawn(std::future::pending::<()>());
            unproven.enter(*origin, hearing.abort_handle());
            hearing
        };
        let all: Vec<JoinHandle<()>> = origins.iter().map(enter).collect();
        // Those that were told to end do so now.
        tokio::task::yield_now().await;
        (0..all.len()).filter(|number| all[*number].is_finished()).collect()
    }

    fn at(address: &str) -> Origin {
        Origin::of(address.parse().unwrap())
    }

    #[tokio::test]
    async fn the_oldest_from_one_place_gives_way() {
        let many = [at("192.0.2.1"); UNPROVEN_EACH + 2];
        assert_eq!(gone(&many[..UNPROVEN_EACH]).await, [0; 0]);
        assert_eq!(gone(&many).await, [0, 1]);
        // Nobody else does.
        assert_eq!(gone(&[&[at("192.0.2.2")], &many[..]].concat()).await, [1, 2]);
    }

    #[tokio::test]
    async fn the_oldest_of_all_gives_way() {
        let many = |count| (0..count).map(|number| at(&format!("192.0.2.{number}")));
        assert_eq!(gone(&many(UNPROVEN).collect::<Vec<_>>()).await, [0; 0]);
        assert_eq!(gone(&many(UNPROVEN + 2).collect::<Vec<_>>()).await, [0, 1]);
    }

    #[tokio::test]
    async fn who_has_ended_takes_no_place() {
        let mut unproven = Unproven::default();
        for _ in 0..2 * UNPROVEN_EACH {
            let hearing = tokio::spawn(std::future::ready(()));
            let handle = hearing.abort_handle();
            hearing.await.unwrap();
            unproven.enter(at("192.0.2.1"), handle);
        }
        assert_eq!(unproven.0.len(), 1);
    }

    #[test]
    fn places() {
        assert_eq!(at("192.0.2.1"), at("::ffff:192.0.2.1"));
        assert_ne!(at("192.0.2.1"), at("192.0.2.2"));
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:3:4:5:6"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
    }
}
