//! Where a server is: `ws://host:port` or `wss://host:port`.
//!
//! Leaves out everything else of URLs: no user, no path, no query. The path is the protocol's.

use std::fmt;
use std::net::IpAddr;

/// The port of a server that names none and speaks no TLS.
const PLAIN_PORT: u16 = 12345;
/// The port of one that does.
const TLS_PORT: u16 = 443;

/// A server's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    tls: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

/// The text is no address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAddress;

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a server is ws://HOST:PORT or wss://HOST:PORT")
    }
}

impl std::error::Error for BadAddress {}

impl Address {
    /// Reads an address as a person types it.
    ///
    /// # Errors
    /// [`BadAddress`] for anything but a scheme, a host and perhaps a port.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(BadAddress)?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ws" => false,
            "wss" => true,
            _ => return Err(BadAddress),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = split_port(rest).ok_or(BadAddress)?;
        let port = match port {
            Some(port) => port.parse().map_err(|_| BadAddress)?,
            None if tls => TLS_PORT,
            None => PLAIN_PORT,
        };
        if port == 0 || !is_host(host) {
            return Err(BadAddress);
        }
        let host = host.to_ascii_lowercase();
        Ok(Self { tls, host, port })
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.tls
    }

    /// A name or an IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        let address: Option<IpAddr> = self.host.parse().ok();
        address.map_or(self.host == "localhost", |address| address.is_loopback())
    }

    /// Whether what is sent can be seen and changed on its way: no TLS, and not this machine.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.tls && !self.is_local()
    }

    /// Host and port, as HTTP names them.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The URL of a path, which begins with a slash.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{self}{path}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        let _: std::net::Ipv6Addr = host.parse().ok()?;
        return match after {
            "" => Some((host, None)),
            after => Some((host, Some(after.strip_prefix(':')?))),
        };
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => None,
        Some((host, port)) => Some((host, Some(port))),
        None => Some((text, None)),
    }
}

fn is_host(host: &str) -> bool {
    if host.contains(':') {
        return host.parse::<std::net::Ipv6Addr>().is_ok();
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let address = Address::parse(text).ok();
        let written = address.as_ref().map(Address::to_string);
        assert_eq!(written.as_deref(), expected, "{text}");
        if let Some(written) = written {
            assert_eq!(Address::parse(&written).ok(), address, "{text}");
        }
    }

    #[test]
    fn addresses() {
        check("ws://127.0.0.1:12345", Some("ws://127.0.0.1:12345"));
        check("WSS://Chat.Example/", Some("wss://chat.example:443"));
        check("ws://localhost", Some("ws://localhost:12345"));
        check("ws://[::1]:9", Some("ws://[::1]:9"));
        check("wss://[2001:db8::1]", Some("wss://[2001:db8::1]:443"));
        check("http://localhost", None);
        check("localhost:12345", None);
        check("ws://", None);
        check("ws://:1", None);
        check("ws://a:0", None);
        check("ws://a:65536", None);
        check("ws://a:b", None);
        check("ws://a/path", None);
        check("ws://user@a", None);
        check("ws://a?b", None);
        check("ws://::1:9", None);
        check("ws://[::1", None);
        check("ws://[::1]9", None);
        check("ws://[a]:9", None);
        check("ws://a b", None);
        check("ws://a\r\nHost: b", None);
    }

    fn check_exposed(text: &str, expected: bool) {
        let address = Address::parse(text);
        assert_eq!(address.map(|a| a.is_exposed()), Ok(expected), "{text}");
    }

    #[test]
    fn only_this_machine_needs_no_tls() {
        check_exposed("ws://127.0.0.1:1", false);
        check_exposed("ws://127.9.9.9:1", false);
        check_exposed("ws://[::1]:1", false);
        check_exposed("ws://localhost:1", false);
        check_exposed("wss://chat.example", false);
        check_exposed("ws://chat.example", true);
        check_exposed("ws://localhost.example", true);
        check_exposed("ws://192.168.0.1", true);
    }
}
