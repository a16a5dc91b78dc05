//! Beyond its own machine a server listens only where the way to it is encrypted.
//!
//! Attack: somebody on the network reads session tokens and channels, or changes them, because a server
//! was opened to the world in a hurry.
//! CWE-319, cleartext transmission of sensitive information.
//! Precedent: OWASP ASVS 4.0 requirement 9.1.1; chat servers found open by the thousand in address scans.

use portcullis_proto::{Code, Refusal};
use std::net::IpAddr;

/// Proof that listening here exposes nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayListen(());

impl MayListen {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Admits an address on loopback, and any other with TLS or behind a named proxy that speaks it.
///
/// # Errors
/// [`Code::Forbidden`].
pub fn may_listen(address: IpAddr, tls: bool, behind_proxy: bool) -> Result<MayListen, Refusal> {
    if address.to_canonical().is_loopback() || tls || behind_proxy {
        return Ok(MayListen(()));
    }
    let message = "beyond this machine a server listens only with --tls-cert and --tls-key, or with \
                   --behind-proxy";
    Err(Refusal::new(Code::Forbidden, message))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(address: &str, tls: bool, behind_proxy: bool, expected: bool) {
        let admitted = may_listen(address.parse().unwrap(), tls, behind_proxy).is_ok();
        assert_eq!(admitted, expected, "{address} {tls} {behind_proxy}");
    }

    #[test]
    fn the_open_network_needs_tls_or_a_proxy() {
        check("127.0.0.1", false, false, true);
        check("127.0.0.53", false, false, true);
        check("::1", false, false, true);
        check("::ffff:127.0.0.1", false, false, true);
        check("0.0.0.0", false, false, false);
        check("::", false, false, false);
        check("192.168.1.5", false, false, false);
        check("0.0.0.0", true, false, true);
        check("10.0.0.1", false, true, true);
    }
}
