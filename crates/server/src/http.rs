//! What the server answers over HTTP: the way to connect, health, metrics, and a short page for
//! people. Requests with a foreign `Host` or `Origin` are turned away before anything else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{self, Next};
use axum::routing::{any, get};
use http::header::{CONTENT_TYPE, HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use portcullis_server_core::defences::SOUND;

use crate::blobs::{self, Blobs};
use crate::metrics::Metrics;
use crate::relay::{self, Relay};
use crate::socket::listen::{self, Peer};
use crate::socket::{Challenge, Sockets};
use crate::uploads::{self, Uploads};

/// The subprotocol of `GET /connect`.
pub const SUBPROTOCOL: &str = "portcullis.v1";

/// Judges a request's `Origin` and `Host`. The error is the sentence the peer is told.
pub type Admit = Arc<dyn Fn(Option<&str>, Option<&str>) -> Result<(), String> + Send + Sync>;

/// What the HTTP side needs to know.
#[derive(Clone)]
pub struct Site {
    /// Where upgraded connections go.
    pub sockets: Arc<Sockets>,
    /// Where classroom guests go, if they are admitted.
    pub guests: Option<Arc<Sockets>>,
    /// Where guests' files go, if they are admitted.
    pub uploads: Option<Arc<Uploads>>,
    /// What people store for each other, if anything can be stored.
    pub blobs: Option<Arc<Blobs>>,
    /// What carries packets between devices, if they are carried.
    pub relay: Option<Arc<Relay>>,
    /// Who may ask at all.
    pub admit: Admit,
    /// The one address whose `X-Forwarded-For` is believed.
    pub behind_proxy: Option<IpAddr>,
}

/// The routes of the server. `more` is added to them, behind the same checks.
pub fn router(site: Site, more: Router) -> Router {
    Router::new()
        .route("/", get(front))
        .route("/connect", any(connect))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .merge(uploads::routes())
        .merge(blobs::routes())
        .merge(relay::routes())
        .with_state(site.clone())
        .merge(more)
        .layer(middleware::from_fn_with_state(site, admit))
}

const FRONT_PAGE: &str = "\
This is a Portcullis server: end-to-end encrypted chat.

To connect, use the terminal client:

    portcullis chat --server ws://HOST:PORT

Programs speak JSON over a WebSocket at /connect, subprotocol portcullis.v1.
";

/// The front page; for who asks for an upgrade, the classroom gateway.
async fn front(State(site): State<Site>, request: Request<Body>) -> Response<Body> {
    if !request.headers().contains_key(UPGRADE) {
        return text(StatusCode::OK, FRONT_PAGE);
    }
    let Some(guests) = &site.guests else {
        return text(StatusCode::FORBIDDEN, "Classroom guests are not admitted here.\n");
    };
    let Some(peer) = peer(&request, site.behind_proxy) else {
        return text(StatusCode::BAD_REQUEST, "The proxy names no address.\n");
    };
    if !guests.make_room() {
        Metrics::count(&guests.metrics().guests.turned_away);
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many guests; try again later.\n");
    }
    listen::upgrade(guests, request, peer, None, Challenge::new())
}

async fn connect(State(site): State<Site>, request: Request<Body>) -> Response<Body> {
    let Some(peer) = peer(&request, site.behind_proxy) else {
        return text(StatusCode::BAD_REQUEST, "The proxy names no address.\n");
    };
    listen::upgrade(&site.sockets, request, peer, Some(SUBPROTOCOL), None)
}

async fn metrics(State(site): State<Site>, request: Request<Body>) -> Response<Body> {
    if !asks_directly(&request, site.behind_proxy) {
        return text(StatusCode::FORBIDDEN, "Metrics are for this machine only.\n");
    }
    let mut rows = site.sockets.metrics().render();
    if let Some(blobs) = &site.blobs {
        blobs.render(&mut rows);
    }
    if let Some(relay) = &site.relay {
        relay.render(&mut rows);
    }
    text(StatusCode::OK, rows)
}

/// Whether a request comes from this machine and through nobody. A proxy passes on what strangers ask,
/// and one on this machine may not have been named to us, so whatever is marked as passed on is theirs.
fn asks_directly(request: &Request<Body>, behind_proxy: Option<IpAddr>) -> bool {
    let Some(Peer(direct)) = request.extensions().get::<Peer>() else {
        return false;
    };
    let direct = direct.ip().to_canonical();
    let proxied = behind_proxy.is_some_and(|proxy| proxy.to_canonical() == direct);
    let passed_on = PASSED_ON.iter().any(|header| request.headers().contains_key(*header));
    direct.is_loopback() && !proxied && !passed_on
}

/// Headers that a proxy adds (RFC 7239, RFC 9110 section 7.6.3, and the customary ones).
const PASSED_ON: [&str; 4] = ["x-forwarded-for", "forwarded", "x-real-ip", "via"];

/// Turns away whoever must not ask: see the defence `admit_origin`.
async fn admit(State(site): State<Site>, request: Request<Body>, next: Next) -> Response<Body> {
    let headers = request.headers();
    let refused = match (sole(headers, &ORIGIN), sole(headers, &HOST)) {
        (Ok(origin), Ok(host)) => match (site.admit)(origin, host) {
            Ok(()) => return next.run(request).await,
            Err(sentence) => text(StatusCode::FORBIDDEN, sentence + "\n"),
        },
        _ => text(StatusCode::BAD_REQUEST, "Host and Origin must be plain and given once.\n"),
    };
    Metrics::count(&site.sockets.metrics().foreign);
    refused
}

/// The value of a header that may come at most once, in visible ASCII.
pub(crate) fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(());
    }
    first.map(|value| value.to_str().map_err(|_| ())).transpose()
}

/// Who asks. Behind a proxy that is the last address it added to `X-Forwarded-For`; `None`: it
/// added none.
pub(crate) fn peer(request: &Request<Body>, behind_proxy: Option<IpAddr>) -> Option<SocketAddr> {
    let Peer(direct) = *request.extensions().get::<Peer>()?;
    let forwarded = request.headers().get_all("x-forwarded-for").iter().next_back();
    let forwarded = forwarded.and_then(|value| value.to_str().ok());
    let address = (SOUND.trace_peer)(direct.ip(), behind_proxy, forwarded)?;
    Some(SocketAddr::new(address, direct.port()))
}

/// An answer in plain text.
pub(crate) fn text(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn request_from(direct: &str, forwarded: &[&str]) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        request.extensions_mut().insert(Peer(SocketAddr::new(direct.parse().unwrap(), 5)));
        for line in forwarded {
            let line = HeaderValue::from_str(line).unwrap();
            request.headers_mut().append("x-forwarded-for", line);
        }
        request
    }

    #[test]
    fn metrics_are_for_who_asks_directly() {
        fn check(direct: &str, forwarded: &[&str], proxy: Option<&str>, expected: bool) {
            let proxy = proxy.map(|proxy| proxy.parse().unwrap());
            let direct_ask = asks_directly(&request_from(direct, forwarded), proxy);
            assert_eq!(direct_ask, expected, "{direct} {forwarded:?} {proxy:?}");
        }
        check("127.0.0.1", &[], None, true);
        check("::1", &[], Some("127.0.0.1"), true);
        check("::ffff:127.0.0.1", &[], None, true);
        check("127.0.0.1", &[], Some("10.0.0.1"), true);
        check("10.0.0.1", &[], None, false);
        check("127.0.0.1", &["127.0.0.1"], None, false);
        check("127.0.0.1", &[], Some("127.0.0.1"), false);
        check("::ffff:127.0.0.1", &[], Some("127.0.0.1"), false);
        check("127.0.0.1", &["127.0.0.1"], Some("127.0.0.1"), false);
        check("10.0.0.1", &["127.0.0.1"], Some("10.0.0.1"), false);
    }

    #[test]
    fn only_the_proxy_is_believed() {
        fn check(direct: &str, forwarded: &[&str], expected: Option<&str>) {
            let request = request_from(direct, forwarded);
            let expected = expected.map(|ip| SocketAddr::new(ip.parse().unwrap(), 5));
            let proxy = Some("10.0.0.1".parse().unwrap());
            assert_eq!(peer(&request, proxy), expected, "{direct} {forwarded:?}");
        }
        check("10.0.0.2", &["1.2.3.4"], Some("10.0.0.2"));
        check("10.0.0.1", &["1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &["6.6.6.6, 1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &["6.6.6.6", "1.2.3.4"], Some("1.2.3.4"));
        check("10.0.0.1", &["::1"], Some("::1"));
        check("10.0.0.1", &["nonsense"], None);
        check("10.0.0.1", &[], None);
    }
}
