//! Who may ask at all: programs on this machine, and no web page but the range's own.
//!
//! That a server listens on loopback does not keep a page in the learner's browser out: it can connect to any
//! port, under the name that its own DNS points there. So `Host` must be this very address, and an `Origin`, if
//! there is one, this very server. (CWE-1385; CVE-2023-3581, CVE-2024-23898.)

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use std::net::SocketAddr;

/// Lets a request through, or answers 403.
pub(super) async fn guard(
    State(address): State<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    if is_admitted(address, request.headers()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "the range answers programs on this machine only\n").into_response()
}

/// Whether host and origin are this range's own.
fn is_admitted(address: SocketAddr, headers: &HeaderMap) -> bool {
    let port = address.port();
    let names = [format!("{address}"), format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    let one = |name| {
        let mut values = headers.get_all(name).iter();
        let first = values.next().map(|value| value.to_str().unwrap_or_default().to_owned());
        (first, values.next().is_some())
    };
    let (host, more_hosts) = one(header::HOST);
    let (origin, more_origins) = one(header::ORIGIN);
    let is_here = |name: &str| names.iter().any(|own| own.eq_ignore_ascii_case(name));
    let host_fits = host.is_some_and(|host| is_here(&host));
    let origin_fits =
        origin.is_none_or(|origin| origin.strip_prefix("http://").is_some_and(is_here));
    host_fits && origin_fits && !more_hosts && !more_origins
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_this_address_is_admitted() {
        let address: SocketAddr = "127.0.0.1:12399".parse().unwrap();
        let check = |host: &[&str], origin: &[&str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in host {
                headers.append(header::HOST, value.parse().unwrap());
            }
            for value in origin {
                headers.append(header::ORIGIN, value.parse().unwrap());
            }
            assert_eq!(is_admitted(address, &headers), expected, "{host:?} {origin:?}");
        };
        check(&["127.0.0.1:12399"], &[], true);
        check(&["localhost:12399"], &["http://127.0.0.1:12399"], true);
        check(&["LOCALHOST:12399"], &["http://localhost:12399"], true);
        check(&[], &[], false);
        check(&["127.0.0.1"], &[], false);
        check(&["127.0.0.1:80"], &[], false);
        check(&["rebound.example:12399"], &[], false);
        check(&["localhost:12399"], &["null"], false);
        check(&["localhost:12399"], &["http://localhost:3000"], false);
        check(&["localhost:12399"], &["https://localhost:12399"], false);
        check(&["localhost:12399"], &["http://localhost:12399.example"], false);
        check(&["localhost:12399", "rebound.example"], &[], false);
        check(&["localhost:12399"], &["http://localhost:12399", "http://evil.example"], false);
    }
}
