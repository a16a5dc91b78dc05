//! How the world outside reaches this server, as its operator has configured it: what stands in the
//! classroom's lists and in the addresses of files. A request's `Host` is never believed for it.

use std::fmt;

/// `http://host[:port]` or `https://host[:port]`, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    secure: bool,
    /// With its port, where that is not the scheme's own.
    authority: String,
}

/// Why a text is no such address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPublicUrl;

impl fmt::Display for BadPublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a public address is http://HOST[:PORT] or https://HOST[:PORT], without a path")
    }
}

impl std::error::Error for BadPublicUrl {}

impl PublicUrl {
    /// Reads what an operator writes.
    ///
    /// # Errors
    /// [`BadPublicUrl`].
    pub fn parse(text: &str) -> Result<Self, BadPublicUrl> {
        let uri: http::Uri = text.parse().map_err(|_| BadPublicUrl)?;
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(BadPublicUrl),
        };
        let authority = uri.authority().ok_or(BadPublicUrl)?;
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        if !plain || authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(BadPublicUrl);
        }
        Ok(Self { secure, authority: authority.as_str().to_ascii_lowercase() })
    }

    /// The address of a server that is reached on this machine alone.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self { secure: false, authority: format!("localhost:{port}") }
    }

    /// `host:port`, as the classroom's `destination_servers` has it.
    #[must_use]
    pub fn address(&self) -> String {
        let (_, after) = self.authority.rsplit_once(']').unwrap_or(("", &self.authority));
        if after.contains(':') {
            return self.authority.clone();
        }
        let port = if self.secure { 443 } else { 80 };
        format!("{}:{port}", self.authority)
    }
}

impl fmt::Display for PublicUrl {
    /// Without a slash at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expected: Option<(&str, &str)>| {
            let parsed = PublicUrl::parse(text).ok();
            let shown = parsed.map(|url| (url.to_string(), url.address()));
            let expected = expected.map(|(url, address)| (url.to_owned(), address.to_owned()));
            assert_eq!(shown, expected, "{text}");
        };
        check("http://localhost:12345", Some(("http://localhost:12345", "localhost:12345")));
        check("https://Chat.Example/", Some(("https://chat.example", "chat.example:443")));
        check("http://[::1]:80", Some(("http://[::1]:80", "[::1]:80")));
        check("http://[::1]", Some(("http://[::1]", "[::1]:80")));
        check("ws://localhost:1", None);
        check("localhost:12345", None);
        check("http://a/b", None);
        check("http://a?b", None);
        check("http://u:p@a", None);
        check("http://", None);
        assert_eq!(PublicUrl::local(7).to_string(), "http://localhost:7");
    }
}
