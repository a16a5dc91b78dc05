//! A whole server inside the test's own process, around any domain.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_server::domain::Domain;
use portcullis_server::socket::Settings;
use portcullis_server::{Parts, run};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct RunningServer {
    pub(crate) address: SocketAddr,
    runtime: Runtime,
    shutdown: oneshot::Sender<()>,
    running: JoinHandle<std::io::Result<()>>,
}

impl RunningServer {
    pub(crate) fn start(domain: impl Domain, settings: Settings) -> Self {
        Self::start_with(domain, settings, None)
    }

    pub(crate) fn start_with(
        domain: impl Domain,
        settings: Settings,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        Self::start_changed(domain, |parts| {
            parts.settings = settings;
            parts.tls = tls;
        })
    }

    /// Starts a server after a change of its parts.
    pub(crate) fn start_changed<D: Domain>(domain: D, change: impl FnOnce(&mut Parts<D>)) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, told) = oneshot::channel::<()>();
        let mut parts = Parts {
            domain,
            settings: Settings::default(),
            admit: Arc::new(|_, _| Ok(())),
            tls: None,
            behind_proxy: None,
            uploads: None,
            more: axum::Router::new(),
        };
        change(&mut parts);
        let running = runtime.spawn(run(listener, parts, async {
            // The test may end without a word.
            let _ = told.await;
        }));
        RunningServer { address, runtime, shutdown, running }
    }

    /// Waits until the server has ended by itself, and returns why.
    pub(crate) fn outcome(self) -> std::io::Result<()> {
        self.runtime.block_on(self.running).unwrap()
    }

    /// Stops gracefully.
    pub(crate) fn stop(self) {
        self.shutdown.send(()).unwrap();
        self.runtime.block_on(self.running).unwrap().unwrap();
    }
}
