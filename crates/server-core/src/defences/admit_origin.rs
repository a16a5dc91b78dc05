//! Which web pages may open a connection: none but the server's own and those that the operator names.
//!
//! Attack: a page on some other site opens a WebSocket to the server from the visitor's browser, or
//! reaches a server on loopback through a name that it points there (DNS rebinding).
//! CWE-1385, missing origin validation in WebSockets; CWE-350.
//! Precedent: CVE-2023-3581 (Mattermost), CVE-2024-23898 (Jenkins).

use portcullis_proto::{Code, Refusal};

/// What the operator has configured.
#[derive(Debug, Clone, Default)]
pub struct OriginPolicy {
    /// The server listens on loopback only.
    pub on_loopback: bool,
    /// Host names (without port) by which the server is reached from elsewhere; empty for any.
    pub hosts: Vec<String>,
    /// Origins of web pages that may connect.
    pub origins: Vec<String>,
}

/// The request's `Host` header, as it came.
#[derive(Debug, Clone, Copy)]
pub struct Host<'a>(pub Option<&'a str>);

/// Proof that a request's origin and host were checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OriginAdmitted(());

impl OriginAdmitted {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Admits a request without an origin (no browser sends that), from a loopback origin while on
/// loopback, or from a configured one; and by a host name that is this server's.
///
/// # Errors
/// [`Code::Forbidden`].
pub fn admit_origin(
    policy: &OriginPolicy,
    origin: Option<&str>,
    Host(host): Host<'_>,
) -> Result<OriginAdmitted, Refusal> {
    let name = host.map(without_port);
    let host_fits = match name {
        None => policy.hosts.is_empty() && !policy.on_loopback,
        Some(name) if policy.on_loopback => {
            is_loopback(name) || policy.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
        }
        Some(name) => {
            policy.hosts.is_empty()
                || policy.hosts.iter().any(|host| host.eq_ignore_ascii_case(name))
        }
    };
    let origin_fits = match origin {
        None => true,
        Some(origin) => {
            let local = |rest: &str| is_loopback(without_port(rest));
            let from_here = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"))
                .is_some_and(local);
            (policy.on_loopback && from_here)
                || policy.origins.iter().any(|known| known.eq_ignore_ascii_case(origin))
        }
    };
    if host_fits && origin_fits {
        return Ok(OriginAdmitted(()));
    }
    Err(Refusal::new(Code::Forbidden, "this host or origin is not admitted"))
}

/// A host without its port. IPv6 addresses stand in brackets (RFC 3986 section 3.2.2).
fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.split_inclusive(']').next().unwrap_or(host);
    }
    host.rsplit_once(':').map_or(host, |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host }
    })
}

fn is_loopback(name: &str) -> bool {
    let v4 = name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback());
    v4 || name.eq_ignore_ascii_case("localhost") || name == "[::1]"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &OriginPolicy, origin: Option<&str>, host: Option<&str>, expected: bool) {
        let admitted = admit_origin(policy, origin, Host(host)).is_ok();
        assert_eq!(admitted, expected, "{origin:?} {host:?}");
    }

    #[test]
    fn on_loopback() {
        let here = OriginPolicy { on_loopback: true, ..OriginPolicy::default() };
        check(&here, None, Some("127.0.0.1:12345"), true);
        check(&here, None, Some("localhost:12345"), true);
        check(&here, None, Some("[::1]:12345"), true);
        check(&here, Some("http://localhost:3000"), Some("localhost:12345"), true);
        check(&here, Some("http://127.0.0.1"), Some("localhost:12345"), true);
        check(&here, Some("https://evil.example"), Some("localhost:12345"), false);
        check(&here, Some("http://localhost.evil.example"), Some("localhost:12345"), false);
        check(&here, Some("http://localhost@evil.example"), Some("localhost:12345"), false);
        check(&here, Some("null"), Some("localhost:12345"), false);
        check(&here, Some("file://"), Some("localhost:12345"), false);
        check(&here, None, Some("rebound.evil.example:12345"), false);
        check(&here, None, None, false);
    }

    #[test]
    fn beyond_loopback() {
        let there = OriginPolicy {
            on_loopback: false,
            hosts: vec!["chat.example".into()],
            origins: vec!["https://chat.example".into()],
        };
        check(&there, None, Some("chat.example"), true);
        check(&there, None, Some("CHAT.example:443"), true);
        check(&there, None, Some("other.example"), false);
        check(&there, Some("https://chat.example"), Some("chat.example"), true);
        check(&there, Some("http://localhost:3000"), Some("chat.example"), false);
        check(&there, Some("https://chat.example.evil.example"), Some("chat.example"), false);
    }
}
