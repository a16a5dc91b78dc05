//! What a connection is given to sign: random bytes in a header of the answer to the WebSocket handshake. Only a
//! linked server looks at it; other peers ignore headers that they don't know (RFC 9110 section 5.1).

use http::{HeaderName, HeaderValue};

/// The header.
pub(crate) const CHALLENGE: HeaderName = HeaderName::from_static("portcullis-challenge");

/// 128 random bits, in hexadecimal digits.
#[derive(Debug)]
pub struct Challenge(String);

impl Challenge {
    /// A new one; `None` where the system gives no random bytes, and then nobody can answer it.
    pub fn new() -> Option<Self> {
        let mut random = [0; 16];
        getrandom::getrandom(&mut random).ok()?;
        Some(Self(format!("{:032x}", u128::from_be_bytes(random))))
    }

    /// As it is signed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        // Digits are always a header value.
        HeaderValue::try_from(&self.0).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}
