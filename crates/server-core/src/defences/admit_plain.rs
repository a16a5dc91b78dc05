//! Where the server has a certificate, only peers on this machine may speak without TLS.
//!
//! Attack: a client is led to `ws://` instead of `wss://` (a typed address, a link, a stripped redirect),
//! and whoever is on the way reads and changes what it says: for a classroom guest all that is public, and
//! who talks to whom. On this machine nobody is on the way.
//! CWE-319, cleartext transmission of sensitive information.
//! Precedent: TLS stripping (Marlinspike, "New Tricks for Defeating SSL in Practice", 2009).

use portcullis_proto::{Code, Refusal};
use std::net::IpAddr;

/// Proof that a peer may speak without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlainAdmitted(());

impl PlainAdmitted {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Looks at where the connection comes from, as the socket has it.
///
/// # Errors
/// [`Code::Forbidden`].
pub fn admit_plain(peer: IpAddr) -> Result<PlainAdmitted, Refusal> {
    match peer.to_canonical().is_loopback() {
        true => Ok(PlainAdmitted(())),
        false => Err(Refusal::new(Code::Forbidden, "this server speaks TLS")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_speaks_plainly() {
        let check = |peer: &str, expected: bool| {
            assert_eq!(admit_plain(peer.parse().unwrap()).is_ok(), expected, "{peer}");
        };
        check("127.0.0.1", true);
        check("127.8.8.8", true);
        check("::1", true);
        check("::ffff:127.0.0.1", true);
        check("192.0.2.1", false);
        check("::ffff:192.0.2.1", false);
        check("10.0.0.1", false);
        check("fe80::1", false);
        check("0.0.0.0", false);
    }
}
