//! A sender says where it can be reached, and this device connects there: only to addresses that can be another
//! machine's, and only to so many. Its own services, those of its link and those of its cloud are not reached for
//! anybody. Which other addresses are this machine's own, the system alone knows: the shell leaves those out.
//!
//! Attack: a member offers files and names the recipient's own machine, or the address under which a cloud hands
//! out its secrets, as the place to fetch them from.
//! CWE-918, server-side request forgery.
//! Precedent: Capital One, 2019 (169.254.169.254 by a forged request); CVE-2023-42282 and CVE-2024-29415 (filters of
//! addresses that other spellings of 127.0.0.1 passed: so they are compared as addresses, and an IPv6 address that
//! leads to an IPv4 one counts as that).
//! Source: RFC 6052 and RFC 8215 (NAT64), RFC 7915 (translated), RFC 3056 (6to4), RFC 4380 (Teredo), RFC 5214 (ISATAP).
//!
//! A private network is not refused: most direct transfers are within one.

use super::MayGoDirect;
use crate::transfer::{QuicEnd, Task};
use portcullis_crypto::Signature;
use portcullis_proto::{QuicWay, limits as wire};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where clouds tell a machine its secrets, besides 169.254.0.0/16: Alibaba's, Azure's and Oracle's …
const CLOUDS_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// … and the networks in which Amazon and Google do: `fd00:ec2::/32` and `fd20:ce::/32`.
const CLOUDS_V6: [[u16; 2]; 2] = [[0xfd00, 0x0ec2], [0xfd20, 0x00ce]];

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
        IpAddr::V6(address) => is_v6_machine_s(address),
    }
}

fn is_v4_machine_s(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    // This network and this machine, and what is reserved with broadcast at its end.
    let is_one_s = (1..240).contains(&first) && !address.is_loopback() && !address.is_multicast();
    is_one_s && !address.is_link_local() && !CLOUDS_V4.contains(&address)
}

fn is_v6_machine_s(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // What is left of the spellings of an IPv4 address stands for none here; where in a network's own NAT64 prefix
    // one stands, only that network knows.
    let is_nobody_s = segments.starts_with(&[0; 6]) || segments.starts_with(&[0x64, 0xff9b, 1]);
    let is_cloud_s = CLOUDS_V6.iter().any(|cloud| segments.starts_with(cloud));
    if is_nobody_s || is_cloud_s || !embedded(address).is_none_or(is_v4_machine_s) {
        return false;
    }
    // One on the link can't be told without its interface, which differs from machine to machine.
    !address.is_multicast() && !address.is_unicast_link_local()
}

/// The IPv4 address to which packets to this one are handed on, if to any.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let (high, low) = match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => (high, low),
        [0x2002, high, low, ..] => (high, low),
        [0x2001, 0, .., high, low] => (!high, !low),
        [.., 0 | 0x200, 0x5efe, high, low] => (high, low),
        _ => return None,
    };
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    Some(Ipv4Addr::new(a, b, c, d))
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
        check("[::192.0.2.1]:5", "");
        check("127.0.0.1:5 192.0.2.1:5", "192.0.2.1:5");
    }

    #[test]
    fn no_cloud_s_secrets_are_dialed() {
        check("169.254.170.2:80 100.100.100.200:80 168.63.129.16:80 192.0.0.192:80", "");
        check("[fd00:ec2::254]:80 [fd00:ec2:0:0:1::23]:80 [fd20:ce::254]:80", "");
        check("[::ffff:100.100.100.200]:80", "");
        // Their neighbours are anybody's.
        check("100.100.100.201:80 [fd00:ec3::254]:80", "100.100.100.201:80 [fd00:ec3::254]:80");
    }

    /// An IPv6 address that leads to an IPv4 one is dialed where that one would be.
    fn check_embedded(spelling: impl Fn(Ipv4Addr) -> Ipv6Addr) {
        for (text, expected) in [
            ("192.0.2.1", true),
            ("10.0.0.1", true),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("100.100.100.200", false),
            ("0.0.0.0", false),
            ("224.0.0.251", false),
            ("255.255.255.255", false),
        ] {
            let address = spelling(text.parse().unwrap());
            for loopback in [false, true] {
                let dialed = dial(&format!("[{address}]:5"), loopback);
                assert_eq!(!dialed.is_empty(), expected, "{text} as {address}");
            }
        }
    }

    #[test]
    fn addresses_that_lead_to_others_are_dialed_where_those_would_be() {
        let with = |before: &str, after: &str, change: fn(u32) -> u32| {
            let (before, after) = (before.to_owned(), after.to_owned());
            move |v4: Ipv4Addr| -> Ipv6Addr {
                let bits = change(v4.to_bits());
                format!("{before}{:x}:{:x}{after}", bits >> 16, bits & 0xffff).parse().unwrap()
            }
        };
        let same = |bits| bits;
        check_embedded(with("64:ff9b::", "", same));
        check_embedded(with("::ffff:0:", "", same));
        check_embedded(with("2002:", "::1", same));
        check_embedded(with("2002:", ":5:6:7:8:9", same));
        check_embedded(with("2001:0:c000:201:8000:1234:", "", |bits| !bits));
        check_embedded(with("2001:db8:1:2:0:5efe:", "", same));
        check_embedded(with("2001:db8:1:2:200:5efe:", "", same));
        // Where in it an IPv4 address stands is not known here.
        check("[64:ff9b:1::c000:201]:5 [64:ff9b:1:7f00:0:100::]:5", "");
        // What looks alike and is none of them.
        check("[2001:1::7f00:1]:5 [64:ff9a::7f00:1]:5", "[2001:1::7f00:1]:5 [64:ff9a::7f00:1]:5");
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
