//! The opening handshake: which requests become WebSocket connections, and what the others are
//! told. Source: RFC 6455 section 4.2; RFC 9110 section 15.5.22 (426).

use http::header::{
    CONNECTION, HOST, HeaderName, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use tungstenite::handshake::derive_accept_key;

/// Why a request doesn't become a WebSocket connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It doesn't ask for it.
    NoUpgrade,
    /// It has a header twice that may come once.
    Repeated,
    /// It speaks another version of the protocol than 13.
    Version,
    /// Its key isn't 16 bytes in base64.
    Key,
    /// It doesn't offer the subprotocol that is spoken here.
    Subprotocol,
}

/// Headers of which a request has no more than one: RFC 6455 sections 11.3.1 and 11.3.5; RFC 9112
/// section 3.2 for `Host`.
const SINGLE: [HeaderName; 3] = [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, HOST];

/// The answer to a handshake that asks for `subprotocol`; with `None` any will do, and none is
/// named in return.
pub fn answer<B>(
    request: &Request<B>,
    subprotocol: Option<&'static str>,
) -> Result<Response<axum::body::Body>, Refused> {
    let headers = request.headers();
    if request.method() != Method::GET
        || request.version() != Version::HTTP_11
        || !names(headers, &CONNECTION, "upgrade")
        || !names(headers, &UPGRADE, "websocket")
    {
        return Err(Refused::NoUpgrade);
    }
    if SINGLE.iter().any(|header| headers.get_all(header).iter().nth(1).is_some()) {
        return Err(Refused::Repeated);
    }
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refused::Version);
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| is_key(key.as_bytes()));
    let key = key.ok_or(Refused::Key)?;
    if subprotocol.is_some_and(|spoken| !names(headers, &SEC_WEBSOCKET_PROTOCOL, spoken)) {
        return Err(Refused::Subprotocol);
    }
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let reply = response.headers_mut();
    reply.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    reply.insert(UPGRADE, HeaderValue::from_static("websocket"));
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes()));
    // Base64 is always a header value.
    reply.insert(SEC_WEBSOCKET_ACCEPT, accept.map_err(|_| Refused::Key)?);
    if let Some(spoken) = subprotocol {
        reply.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(spoken));
    }
    Ok(response)
}

impl Refused {
    /// What the peer is told.
    pub fn response(self, subprotocol: Option<&'static str>) -> Response<axum::body::Body> {
        let (status, text) = match self {
            Refused::NoUpgrade => {
                (StatusCode::UPGRADE_REQUIRED, "This is a WebSocket address.\n".to_owned())
            }
            Refused::Version => (
                StatusCode::UPGRADE_REQUIRED,
                "This server speaks version 13 of the WebSocket protocol (RFC 6455).\n".to_owned(),
            ),
            Refused::Repeated => (
                StatusCode::BAD_REQUEST,
                "Host, Sec-WebSocket-Key and Sec-WebSocket-Version may come only once.\n"
                    .to_owned(),
            ),
            Refused::Key => (
                StatusCode::BAD_REQUEST,
                "Sec-WebSocket-Key must be 16 bytes in base64.\n".to_owned(),
            ),
            Refused::Subprotocol => {
                let spoken = subprotocol.unwrap_or_default();
                (StatusCode::BAD_REQUEST, format!("Ask for the subprotocol {spoken}.\n"))
            }
        };
        let mut response = Response::new(axum::body::Body::from(text));
        *response.status_mut() = status;
        if status == StatusCode::UPGRADE_REQUIRED {
            let headers = response.headers_mut();
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

/// Whether a comma-separated header, which may come in several lines, names `token`.
fn names(headers: &HeaderMap, header: &HeaderName, token: &str) -> bool {
    headers
        .get_all(header)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|named| named.trim().eq_ignore_ascii_case(token))
}

/// Whether these are 16 bytes in base64: 22 characters and two for padding.
fn is_key(key: &[u8]) -> bool {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.len() == 24 && key.ends_with(b"==") && key.iter().take(22).all(base64)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const SOUND: &[(&str, &str)] = &[
        ("host", "a"),
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-protocol", "other, portcullis.v1"),
    ];

    /// A sound request with one header replaced, or left out.
    fn request(replaced: &str, by: Option<&str>) -> Request<()> {
        let mut request = Request::builder();
        for (name, value) in SOUND {
            let value = if *name == replaced { by } else { Some(*value) };
            if let Some(value) = value {
                request = request.header(*name, value);
            }
        }
        request.body(()).unwrap()
    }

    #[test]
    fn handshakes_are_judged_by_their_headers() {
        fn check(replaced: &str, by: Option<&str>, expected: Result<StatusCode, Refused>) {
            let answer = answer(&request(replaced, by), Some("portcullis.v1"));
            assert_eq!(answer.map(|response| response.status()), expected, "{replaced}: {by:?}");
        }
        check("", None, Ok(StatusCode::SWITCHING_PROTOCOLS));
        check("connection", Some("UPGRADE"), Ok(StatusCode::SWITCHING_PROTOCOLS));
        check("connection", Some("keep-alive"), Err(Refused::NoUpgrade));
        check("connection", None, Err(Refused::NoUpgrade));
        check("upgrade", Some("h2c"), Err(Refused::NoUpgrade));
        check("upgrade", None, Err(Refused::NoUpgrade));
        check("sec-websocket-version", Some("8"), Err(Refused::Version));
        check("sec-websocket-version", None, Err(Refused::Version));
        check("sec-websocket-key", None, Err(Refused::Key));
        check("sec-websocket-key", Some("c2hvcnQ="), Err(Refused::Key));
        check("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZ???"), Err(Refused::Key));
        check("sec-websocket-protocol", None, Err(Refused::Subprotocol));
        check("sec-websocket-protocol", Some("portcullis.v2"), Err(Refused::Subprotocol));
    }

    #[test]
    fn what_is_single_comes_once() {
        fn check(header: &'static str, value: &str, expected: Result<StatusCode, Refused>) {
            let mut request = request("", None);
            request.headers_mut().append(header, HeaderValue::from_str(value).unwrap());
            let answer = answer(&request, Some("portcullis.v1"));
            assert_eq!(answer.map(|response| response.status()), expected, "{header}: {value}");
        }
        let sound = Ok(StatusCode::SWITCHING_PROTOCOLS);
        check("host", "b", Err(Refused::Repeated));
        check("sec-websocket-key", KEY, Err(Refused::Repeated));
        check("sec-websocket-key", "x", Err(Refused::Repeated));
        check("sec-websocket-version", "13", Err(Refused::Repeated));
        check("sec-websocket-version", "8", Err(Refused::Repeated));
        check("sec-websocket-protocol", "another", sound);
        check("connection", "keep-alive", sound);
    }

    #[test]
    fn the_accept_key_is_the_one_of_the_rfc() {
        let response = answer(&request("", None), Some("portcullis.v1")).unwrap();
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "portcullis.v1");
    }

    #[test]
    fn refusals_say_what_is_spoken_here() {
        fn check(refused: Refused, status: StatusCode) {
            assert_eq!(refused.response(Some("portcullis.v1")).status(), status);
        }
        check(Refused::NoUpgrade, StatusCode::UPGRADE_REQUIRED);
        check(Refused::Version, StatusCode::UPGRADE_REQUIRED);
        check(Refused::Repeated, StatusCode::BAD_REQUEST);
        check(Refused::Key, StatusCode::BAD_REQUEST);
        check(Refused::Subprotocol, StatusCode::BAD_REQUEST);
    }
}
