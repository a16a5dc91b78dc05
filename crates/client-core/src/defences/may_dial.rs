//! A recipient calls only addresses that a sender can be at: none that means this machine itself, everybody, or
//! the link alone.
//!
//! Attack: a sender tells addresses of things that only the recipient can reach, has them called, and learns from
//! what follows whether something is there.
//! CWE-918, server-side request forgery; CWE-441, unintended proxy.
//! Precedent: CVE-1999-0017 (FTP bounce: a server that connects wherever a client tells it).

use std::net::{IpAddr, SocketAddr};

/// Proof that an address may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayDial {
    address: SocketAddr,
}

impl MayDial {
    /// The address.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(address: SocketAddr) -> Self {
        Self { address }
    }
}

/// No sender can be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DialRefused;

/// Judges an address that a sender has told. `local` says that the server is on this machine: then so may be the
/// sender.
///
/// # Errors
/// [`DialRefused`].
pub fn may_dial(address: SocketAddr, local: bool) -> Result<MayDial, DialRefused> {
    // An IPv4 address in the clothes of an IPv6 one is what it is.
    let ip = address.ip().to_canonical();
    let of_the_link = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast() || ip.octets()[0] == 0,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    let nowhere = address.port() == 0 || ip.is_unspecified() || ip.is_multicast() || of_the_link;
    if nowhere || ip.is_loopback() && !local {
        return Err(DialRefused);
    }
    Ok(MayDial { address: SocketAddr::new(ip, address.port()) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    type Decision = fn(SocketAddr, bool) -> Result<MayDial, DialRefused>;

    fn check(decision: Decision, address: &str, local: bool, good: bool) {
        let decided = decision(address.parse().unwrap(), local);
        assert_eq!(decided.is_ok(), good, "{address} {local}");
    }

    #[test]
    fn addresses_that_a_sender_can_be_at() {
        let refuses = |address: &str| {
            check(may_dial, address, false, false);
            check(may_dial, address, true, false);
        };
        check(may_dial, "203.0.113.7:4000", false, true);
        check(may_dial, "192.168.1.7:4000", false, true);
        check(may_dial, "[2001:db8::7]:4000", false, true);
        check(may_dial, "[fd00::7]:4000", false, true);
        check(may_dial, "127.0.0.1:4000", false, false);
        check(may_dial, "127.0.0.1:4000", true, true);
        check(may_dial, "[::1]:4000", false, false);
        check(may_dial, "[::1]:4000", true, true);
        check(may_dial, "[::ffff:127.0.0.1]:4000", false, false);
        refuses("203.0.113.7:0");
        refuses("0.0.0.0:4000");
        refuses("0.1.2.3:4000");
        refuses("[::]:4000");
        refuses("[::ffff:0.0.0.0]:4000");
        refuses("255.255.255.255:4000");
        refuses("224.0.0.1:4000");
        refuses("[ff02::1]:4000");
        refuses("169.254.169.254:80");
        refuses("[::ffff:169.254.169.254]:80");
        refuses("[fe80::1]:4000");
    }

    #[test]
    fn a_twin_that_calls_anybody_reaches_what_only_this_machine_can() {
        let twin: Decision = |address, _| Ok(MayDial::unproven(address));
        check(twin, "127.0.0.1:6379", false, true);
        check(twin, "169.254.169.254:80", false, true);
    }
}
