//! Where a connection comes from is what the operating system says, or what the one named proxy says.
//!
//! Attack: a client writes any address into `X-Forwarded-For`, and so escapes every rate that counts by
//! address, or uses up somebody else's.
//! CWE-348, use of less trusted source.
//! Precedent: OWASP API4:2023 (rate limits evaded by forged headers); RFC 7239 section 8.1.

use std::net::IpAddr;

/// The address that counts as the peer's; none where the proxy names none, and then nobody is served.
/// Of what the proxy hands on only the last entry is its own; those before it are the client's words.
#[must_use]
pub fn trace_peer(
    direct: IpAddr,
    behind_proxy: Option<IpAddr>,
    forwarded: Option<&str>,
) -> Option<IpAddr> {
    if behind_proxy != Some(direct) {
        return Some(direct);
    }
    forwarded?.rsplit(',').next()?.trim().parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(direct: &str, forwarded: Option<&str>, expected: Option<&str>) {
        let proxy = Some("10.0.0.1".parse().unwrap());
        let traced = trace_peer(direct.parse().unwrap(), proxy, forwarded);
        assert_eq!(traced, expected.map(|ip| ip.parse().unwrap()), "{direct} {forwarded:?}");
    }

    #[test]
    fn only_the_proxy_is_believed() {
        check("10.0.0.2", Some("1.2.3.4"), Some("10.0.0.2"));
        check("10.0.0.2", None, Some("10.0.0.2"));
        check("10.0.0.1", Some("1.2.3.4"), Some("1.2.3.4"));
        check("10.0.0.1", Some("6.6.6.6, 1.2.3.4"), Some("1.2.3.4"));
        check("10.0.0.1", Some("nonsense"), None);
        check("10.0.0.1", None, None);
    }
}
