//! `serve`: the server as it is shipped. This is the one place where it is put together, from the sound
//! defences.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_crypto::Stretch;
use portcullis_proto::classroom::GuestKey;
use portcullis_server::domain::CoreDomain;
use portcullis_server::gateway::{Neighbour, PublicUrl, Setup};
use portcullis_server::http::Admit;
use portcullis_server::socket::Settings;
use portcullis_server::sqlite::{OpenError, SqliteStore};
use portcullis_server::{Parts, blobs, run, tls, uploads};
use portcullis_server_core::defences::{Host, OriginPolicy, SOUND};
use portcullis_server_core::{BlobPolicy, GuestPolicy, Instance, Registration, Server};
use portcullis_terminal::verbs::{Exit, Failure};
use rand_core::OsRng;
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

use crate::cli;

/// Serves until SIGTERM or Ctrl-C.
pub(crate) fn serve(options: cli::Serve) -> Result<(), Failure> {
    log(options.log_json);
    refuse_exposed(&options)?;
    let folder = data_folder(&options.data)?;
    let runtime = tokio::runtime::Runtime::new().map_err(|error| failed(&error))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(options.listen).await;
        let listener = listener.map_err(|error| cannot_listen(options.listen, &error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let parts = parts(&options, &folder, address)?;
        let stop = stop_signal().map_err(|error| failed(&error))?;
        announce(address, &folder).map_err(|error| failed(&error))?;
        let ended = run(listener, parts, stop).await;
        tracing::info!("stopped");
        ended.map_err(|error| failed(&error))
    })
}

/// The data folder, named or the user's own.
pub(crate) fn data_folder(data: &cli::Data) -> Result<PathBuf, Failure> {
    let message = "there is no home directory to keep data in; name a folder with --data";
    let default = || Some(portcullis_terminal::verbs::data_folder()?.join("portcullis-server"));
    data.folder.clone().or_else(default).ok_or_else(|| Failure::new(Exit::Usage, message))
}

/// The failure of whoever can't use a data folder.
pub(crate) fn unusable(folder: &Path, error: OpenError) -> Failure {
    let exit = match error {
        OpenError::InUse(_) => Exit::InUse,
        _ => Exit::Unusable,
    };
    Failure::new(exit, format!("{}: {error}", folder.display()))
}

fn parts(
    options: &cli::Serve,
    folder: &Path,
    address: SocketAddr,
) -> Result<Parts<CoreDomain>, Failure> {
    let tls = match (&options.tls_cert, &options.tls_key) {
        (Some(certificate), Some(key)) => {
            let config = tls::load(certificate, key);
            Some(config.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?)
        }
        _ => None,
    };
    let unusable = |error| unusable(folder, error);
    let store = SqliteStore::open(folder).map_err(unusable)?;
    // Before anything stands in the store: only an empty one has no set-up yet.
    let setup = store.load_or_create_setup(&mut OsRng).map_err(unusable)?;
    Server::prepare(&store).map_err(|error| unusable(error.into()))?;
    let gateway = gateway(options, address, folder, &unusable)?;
    if gateway.is_some() {
        Server::prepare_guests(&store).map_err(|error| unusable(error.into()))?;
    }
    let guests = gateway
        .as_ref()
        .map(|setup| GuestPolicy { address: setup.address.clone(), gateway: setup.key.public() });
    let instance = Instance {
        guests,
        setup,
        registration: match options.registration {
            cli::Registration::Open => Registration::Open,
            cli::Registration::Invite => Registration::Invite,
            cli::Registration::Closed => Registration::Closed,
        },
        stretch: Stretch::STANDARD,
        rate_factor: options.rate_factor,
        blobs: blob_policy(options),
    };
    let server = Server::new(instance, SOUND, Box::new(OsRng));
    let uploads = gateway.is_some().then(|| uploads(options, folder, address));
    Ok(Parts {
        domain: CoreDomain::new(server, Box::new(store), gateway)
            .with_blobs(blobs::Settings::new(folder.join("blobs"))),
        settings: Settings::default(),
        admit: admit(options),
        tls,
        behind_proxy: options.behind_proxy,
        uploads,
        more: axum::Router::new(),
    })
}

/// The classroom gateway: where the operator says so, and unasked where nobody but this machine can reach
/// the server.
fn gateway(
    options: &cli::Serve,
    address: SocketAddr,
    folder: &Path,
    unusable: &dyn Fn(OpenError) -> Failure,
) -> Result<Option<Setup>, Failure> {
    let alone = address.ip().is_loopback() && options.behind_proxy.is_none();
    let admitted = options.guests.map_or(alone, |guests| guests == cli::Guests::Yes);
    if !admitted {
        return Ok(None);
    }
    let key = SqliteStore::load_or_create_classroom_key(folder).map_err(unusable)?;
    let neighbours = options.neighbour.iter().map(neighbour).collect::<Result<_, _>>()?;
    Ok(Some(Setup { key, address: public_url(options, address).address(), neighbours }))
}

/// Reads the key of a server to link with.
fn neighbour(at: &cli::NeighbourAt) -> Result<Neighbour, Failure> {
    let usage = |why: &dyn std::fmt::Display| {
        Failure::new(Exit::Usage, format!("{}: {why}", at.key.display()))
    };
    let pem = std::fs::read_to_string(&at.key).map_err(|error| usage(&error))?;
    let key = GuestKey::parse(&pem).map_err(|error| usage(&error))?;
    let host = at.url.host().unwrap_or_default();
    let default = if at.url.scheme_str() == Some("wss") { 443 } else { 80 };
    let port = at.url.port_u16().unwrap_or(default);
    Ok(Neighbour { url: at.url.clone(), address: format!("{host}:{port}"), key })
}

/// Guests' files.
fn uploads(options: &cli::Serve, folder: &Path, address: SocketAddr) -> uploads::Settings {
    let base = public_url(options, address);
    let mut settings = uploads::Settings::new(folder.join("uploads"), base);
    settings.policy.rate_factor = options.rate_factor;
    settings.policy.file_bytes = options.guest_file_bytes.unwrap_or(settings.policy.file_bytes);
    settings.policy.quota_bytes = options.guest_quota_bytes.unwrap_or(settings.policy.quota_bytes);
    settings
}

/// What people may store for each other.
fn blob_policy(options: &cli::Serve) -> BlobPolicy {
    let usual = BlobPolicy::default();
    let keep_millis = options.blob_age_days.map(|days| days * 24 * 3600 * 1000);
    BlobPolicy {
        account_bytes: options.blob_quota.unwrap_or(usual.account_bytes),
        all_bytes: options.blob_space.unwrap_or(usual.all_bytes),
        keep_millis: keep_millis.unwrap_or(usual.keep_millis),
        ..usual
    }
}

/// How guests reach this server.
fn public_url(options: &cli::Serve, address: SocketAddr) -> PublicUrl {
    options.public_url.clone().unwrap_or_else(|| PublicUrl::local(address.port()))
}

fn admit(options: &cli::Serve) -> Admit {
    let policy = OriginPolicy {
        // Through a proxy the server is reached by that one's name.
        on_loopback: options.listen.ip().is_loopback() && options.behind_proxy.is_none(),
        hosts: options.host.clone(),
        origins: options.allow_origin.clone(),
    };
    Arc::new(move |origin, host| {
        let admitted = (SOUND.admit_origin)(&policy, origin, Host(host));
        admitted.map(drop).map_err(|refusal| refusal.message)
    })
}

fn refuse_exposed(options: &cli::Serve) -> Result<(), Failure> {
    let (tls, proxy) = (options.tls_cert.is_some(), options.behind_proxy.is_some());
    let admitted = (SOUND.may_listen)(options.listen.ip(), tls, proxy);
    admitted.map(drop).map_err(|refusal| Failure::new(Exit::Usage, refusal.message))
}

/// Says where it listens, for people and for whoever has started it.
fn announce(address: SocketAddr, folder: &Path) -> io::Result<()> {
    tracing::info!(%address, data = %folder.display(), "listening");
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {address}")?;
    out.flush()
}

#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without such a signal the server runs on.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

/// The log goes to standard error; `RUST_LOG` says how much of it.
fn log(json: bool) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // There is a log already only if this is called twice.
    let _ = if json { log.json().try_init() } else { log.with_ansi(false).try_init() };
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("can't listen on {address}: {error}"))
}

fn failed(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, error.to_string())
}
