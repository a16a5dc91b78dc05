//! A sender says where it can be reached, and this device connects there: only to addresses that can be another
//! machine's, and only to so many. Its own services, and those of its link, are not reached for anybody.
//!
//! Attack: a member offers files and names the recipient's own machine, or the address under which a cloud hands
//! out its secrets, as the place to fetch them from.
//! CWE-918, server-side request forgery.
//! Precedent: Capital One, 2019 (169.254.169.254 by a forged request); CVE-2023-42282 and CVE-2024-29415 (filters of
//! addresses that other spellings of 127.0.0.1 passed: so they are compared as addresses, mapped ones unwrapped).
//!
//! A private network is not refused: most direct transfers are within one.

use super::MayGoDirect;
use crate::transfer::{QuicEnd, Task};
use portcullis_crypto::Signature;
use portcullis_proto::{QuicWay, limits as wire};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Proof that a device may connect to these addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayDial {
    tcp: Vec<SocketAddr>,
    quic: Option<QuicWay>,
}

impl MayDial {
    /// The task that connects to them.
    pub(crate) fn into_task(self, own: Option<QuicEnd>, pass: Signature) -> Task {
        Task::Dial { tcp: self.tcp, quic: self.quic, own, pass }
    }

    /// Whether the sender can be called through the server.
    pub(crate) fn is_relayed(&self) -> bool {
        self.quic.as_ref().is_some_and(|quic| quic.relayed)
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(tcp: Vec<SocketAddr>, quic: Option<QuicWay>) -> Self {
        Self { tcp, quic }
    }
}

/// Leaves of a sender's addresses those that may be connected to; nothing where there are none. Those of this
/// machine itself only where `loopback`: where the session's own server is reached there too.
#[must_use]
pub fn may_dial(
    _: MayGoDirect,
    tcp: &[SocketAddr],
    quic: Option<&QuicWay>,
    loopback: bool,
) -> Option<MayDial> {
    let tcp = admitted(tcp, loopback);
    let quic = quic.map(|quic| QuicWay {
        key: quic.key.clone(),
        addresses: admitted(&quic.addresses, loopback),
        relayed: quic.relayed,
    });
    let quic = quic.filter(|quic| quic.relayed || !quic.addresses.is_empty());
    (!tcp.is_empty() || quic.is_some()).then_some(MayDial { tcp, quic })
}

fn admitted(addresses: &[SocketAddr], loopback: bool) -> Vec<SocketAddr> {
    let some = addresses.iter().take(wire::FILE_ADDRESSES).copied();
    let plain = some.map(|address| SocketAddr::new(address.ip().to_canonical(), address.port()));
    plain.filter(|address| address.port() != 0 && is_a_machine_s(address.ip(), loopback)).collect()
}

/// Whether it can be the address of one other machine, or of this one where that is meant.
fn is_a_machine_s(address: IpAddr, loopback: bool) -> bool {
    if address.is_loopback() {
        return loopback;
    }
    match address {
        IpAddr::V4(address) => is_v4_machine_s(address),
        IpAddr::V6(address) => {
            // What is left of the spellings of an IPv4 address stands for none here.
            let embedded = address.segments().starts_with(&[0, 0, 0, 0, 0, 0]);
            // One on the link can't be told without its interface, which differs from machine to machine.
            !embedded && !address.is_multicast() && !address.is_unicast_link_local()
        }
    }
}

fn is_v4_machine_s(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    // This network, and what is reserved with broadcast at its end.
    (1..240).contains(&first) && !address.is_multicast() && !address.is_link_local()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, DirectAsked, SOUND};
    use crate::show::IdentityState;
    use portcullis_proto::Bytes;

    fn direct() -> MayGoDirect {
        let identity = IdentityState::Verified;
        let asked = DirectAsked { identity, allowed: false, always_relay: false };
        (SOUND.may_go_direct)(&[asked]).unwrap()
    }

    fn dial(text: &str, loopback: bool) -> Vec<String> {
        let tcp: Vec<SocketAddr> = text.split(' ').map(|one| one.parse().unwrap()).collect();
        match may_dial(direct(), &tcp, None, loopback) {
            Some(MayDial { tcp, .. }) => tcp.iter().map(ToString::to_string).collect(),
            None => Vec::new(),
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(dial(text, false).join(" "), expected, "{text}");
    }

    #[test]
    fn only_addresses_of_other_machines_are_dialed() {
        check("192.0.2.1:5 [2001:db8::1]:5", "192.0.2.1:5 [2001:db8::1]:5");
        check("192.168.1.5:9 10.0.0.1:9 [fd00::1]:9", "192.168.1.5:9 10.0.0.1:9 [fd00::1]:9");
        check("192.0.2.1:0", "");
        check("0.0.0.0:5", "");
        check("0.0.0.7:5", "");
        check("[::]:5", "");
        check("127.0.0.1:5", "");
        check("127.9.9.9:5", "");
        check("[::1]:5", "");
        check("224.0.0.251:5", "");
        check("[ff02::1]:5", "");
        check("255.255.255.255:5", "");
        check("250.0.0.1:5", "");
        check("169.254.169.254:80", "");
        check("[fe80::1]:5", "");
        // Other spellings of the same.
        check("[::ffff:127.0.0.1]:5", "");
        check("[::ffff:169.254.169.254]:80", "");
        check("[::127.0.0.1]:5", "");
        check("[::ffff:192.0.2.1]:5", "192.0.2.1:5");
        check("127.0.0.1:5 192.0.2.1:5", "192.0.2.1:5");
    }

    #[test]
    fn this_machine_is_dialed_where_its_server_is_there_too() {
        assert_eq!(dial("127.0.0.1:5", true), ["127.0.0.1:5"]);
        assert_eq!(dial("[::1]:5", true), ["[::1]:5"]);
        assert_eq!(dial("127.0.0.1:0", true), Vec::<String>::new());
    }

    #[test]
    fn only_so_many_are_dialed() {
        let many = ["192.0.2.1:5"; wire::FILE_ADDRESSES + 1].join(" ");
        assert_eq!(dial(&many, false).len(), wire::FILE_ADDRESSES);
    }

    #[test]
    fn quic_is_held_to_the_same() {
        let check = |address: &str, relayed: bool, expected: Option<usize>| {
            let addresses = vec![address.parse().unwrap()];
            let quic = QuicWay { key: Bytes(vec![1; 32]), addresses, relayed };
            let may = may_dial(direct(), &[], Some(&quic), false);
            let left = may.and_then(|may| may.quic).map(|quic| quic.addresses.len());
            assert_eq!(left, expected, "{address}");
        };
        check("192.0.2.1:5", false, Some(1));
        check("127.0.0.1:5", false, None);
        check("127.0.0.1:5", true, Some(0));
    }

    #[test]
    fn without_it_a_cloud_s_secrets_are_asked_for() {
        let twin = Defences {
            may_dial: |_, tcp, _, _| Some(MayDial::unproven(tcp.to_vec(), None)),
            ..SOUND
        };
        let cloud = ["169.254.169.254:80".parse().unwrap()];
        let dials =
            |defences: &Defences| (defences.may_dial)(direct(), &cloud, None, false).is_some();
        assert!(dials(&twin));
        assert!(!dials(&SOUND));
    }
}
