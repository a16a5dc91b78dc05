//! The server's shell: sockets, HTTP, TLS, and the thread that runs the server core.
//!
//! [`run`] is a whole server, given its world: a listener, the core with its store, and what tells
//! it to stop. Threads: tokio's, which read connections and drain the slow ones; the *domain*, which
//! runs the core in batches; and the *fan-out*, which writes to everybody else.

pub mod blobs;
mod body;
mod clock;
pub mod domain;
pub mod gateway;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod relay;
pub mod socket;
pub mod sqlite;
pub mod tls;
pub mod uploads;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use domain::Domain;
use http::{Admit, Site};
use metrics::Metrics;
use relay::Relay;
use relay::seen::Seen;
use socket::{Settings, Sockets, listen};
use uploads::Uploads;

/// What a server is made of.
pub struct Parts<D> {
    /// Decides what becomes of requests; [`domain::CoreDomain`] but for load tests.
    pub domain: D,
    /// The bounds of the socket layer.
    pub settings: Settings,
    /// Judges `Origin` and `Host`.
    pub admit: Admit,
    /// TLS, if it is spoken.
    pub tls: Option<Arc<ServerConfig>>,
    /// The one address whose `X-Forwarded-For` is believed.
    pub behind_proxy: Option<IpAddr>,
    /// Guests' files, if they are admitted.
    pub uploads: Option<uploads::Settings>,
    /// More routes, behind the same checks.
    pub more: Router,
}

/// Serves until `shutdown` is ready, then tells everybody, finishes what has arrived, and returns
/// within [`Settings::stop`] and the time of one batch.
///
/// # Errors
/// When the system gives no threads, or one of the server's own has failed: then nobody can be
/// answered any more, and the server ends rather than pretend.
pub async fn run<D: Domain>(
    listener: TcpListener,
    parts: Parts<D>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let metrics = Arc::new(Metrics::default());
    let hub = hub::start(Arc::clone(&metrics))?;
    let mut domain = parts.domain;
    let blobs = domain.open_blobs()?;
    let relay = Relay::new();
    domain.open_relay(Arc::clone(&relay));
    let mut domain = domain::start(domain, hub, Arc::clone(&metrics))?;
    let guests = domain.guests.take().map(|door| {
        let settings = gateway::settings(&parts.settings, door.links);
        Sockets::for_guests(settings, Arc::clone(&metrics), door.sink)
    });
    // Accounts' connections wait for a login as long as they like.
    let settings = Settings { greeting: None, ..parts.settings };
    let sockets = Sockets::new(settings, metrics, Arc::new(domain.entrance()));
    let site = Site {
        sockets: Arc::clone(&sockets),
        guests: guests.clone(),
        uploads: parts.uploads.map(Uploads::open).transpose()?,
        blobs,
        relay: Some(relay),
        admit: parts.admit,
        behind_proxy: parts.behind_proxy,
    };
    let router = http::router(site, parts.more);
    let all: Vec<_> = std::iter::once(Arc::clone(&sockets)).chain(guests).collect();
    let sweeping: Vec<_> = all.iter().map(|one| tokio::spawn(Arc::clone(one).sweep())).collect();
    let seen =
        parts.tls.as_deref().map(|tls| Seen::listen(listener.local_addr()?, tls)).transpose();
    // Devices then find each other less often; all else is as it was.
    let _seen = seen.inspect_err(|error| tracing::warn!(%error, "can't tell who is seen where"));
    let tls = parts.tls.map(TlsAcceptor::from);
    let listening = tokio::spawn(listen::listen(listener, tls, router, Arc::clone(&sockets)));
    let failed = tokio::select! {
        () = shutdown => false,
        () = domain.failed() => true,
    };
    listening.abort();
    let mut stopping = tokio::task::JoinSet::new();
    for sockets in all {
        stopping.spawn(async move { sockets.stop().await });
    }
    stopping.join_all().await;
    sweeping.iter().for_each(tokio::task::JoinHandle::abort);
    if failed {
        return Err(io::Error::other("a thread of the server has failed"));
    }
    // The thread has only what arrived to finish; waiting for it must not stop the runtime's.
    tokio::task::spawn_blocking(move || domain.stop()).await.map_err(io::Error::other)
}

/// Lets this process open as many files as it may, since each connection is one; returns how many.
/// For `main`, before anything else.
pub fn raise_file_limit() -> u64 {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it isn't granted, fewer connections are possible, and the accept loop says so.
    let _ = setrlimit(Resource::Nofile, limit);
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
