//! The server as it is shipped, with its store on disk, for people made by [`crate::world`].

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use portcullis_crypto::Stretch;
use portcullis_server::domain::CoreDomain;
use portcullis_server::gateway::Setup;
use portcullis_server::socket::Settings;
use portcullis_server::sqlite::SqliteStore;
use portcullis_server::{Parts, blobs, run};
use portcullis_server_core::defences::SOUND;
use portcullis_server_core::{BlobPolicy, GuestPolicy, Instance, Registration, Server};
use rand_core::SeedableRng as _;
use tokio::net::TcpListener;

/// What guests call this server.
const ADDRESS: &str = "localhost:12345";

/// Serves the data folder on a port of the system's choice, and prints its address.
pub(crate) fn serve(folder: &Path) -> anyhow::Result<()> {
    let store = SqliteStore::open(folder)?;
    // NO SECURITY: seeded, like everything in this world.
    let mut random = rand_chacha::ChaCha20Rng::seed_from_u64(1);
    Server::prepare(&store)?;
    Server::prepare_guests(&store)?;
    let key = portcullis_crypto::testing::classic_key(0)?;
    let instance = Instance {
        setup: portcullis_crypto::ServerSetup::generate(&mut random),
        registration: Registration::Closed,
        stretch: Stretch::LIGHT,
        // What is measured is the server, not how it holds people back.
        rate_factor: 1_000_000,
        blobs: BlobPolicy::default(),
        guests: Some(GuestPolicy { address: ADDRESS.to_owned(), gateway: key.public() }),
    };
    let core = Server::new(instance, SOUND, Box::new(random));
    let gateway = Setup { key, address: ADDRESS.to_owned(), neighbours: Vec::new() };
    let parts = Parts {
        domain: CoreDomain::new(core, Box::new(store), Some(gateway))
            .with_blobs(blobs::Settings::new(folder.join("blobs"))),
        settings: Settings::default(),
        admit: Arc::new(|_, _| Ok(())),
        tls: None,
        behind_proxy: None,
        uploads: None,
        more: axum::Router::new(),
    };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        run(listener, parts, std::future::pending()).await.context("serving")
    })
}
