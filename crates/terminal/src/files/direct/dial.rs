//! The recipient's end of a direct path: it calls the sender at the addresses that it was told, and goes on where
//! it stands, as long as something is gained by it.

use std::net::SocketAddr;
use std::sync::Arc;

use portcullis_client_core::defences::path_hello;
use portcullis_crypto::FileKey;
use portcullis_proto::DeviceId;
use rand_core::{OsRng, RngCore as _};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use super::super::halt::Halt;
use super::super::limits::{DIAL, DIAL_PAUSE, DIAL_ROUNDS};
use super::super::meter::Meter;
use super::super::part::Part;
use super::super::stop::Stop;
use super::tcp;

/// What calling a sender needs.
#[derive(Clone)]
pub(in super::super) struct Dialling {
    pub(in super::super) key: FileKey,
    /// This device.
    pub(in super::super) device: DeviceId,
    /// Where the sender says that it is, as far as the core lets this device connect there (`may_dial`).
    pub(in super::super) addresses: Vec<SocketAddr>,
    pub(in super::super) meter: Arc<Meter>,
    pub(in super::super) stop: Stop,
}

/// Receives what a part lacks. The part is lost only if this process is about to end.
///
/// # Errors
/// [`Halt::Broken`] if the sender can't be reached, or can't be any more.
pub(in super::super) async fn dial(
    mut part: Part,
    dialling: &Dialling,
) -> Result<(Part, Result<(), Halt>), Halt> {
    let mut vain = 0;
    loop {
        let before = part.offset();
        let (back, ended) = round(part, dialling).await?;
        part = back;
        vain = if part.offset() > before { 0 } else { vain + 1 };
        if ended != Err(Halt::Broken) || vain >= DIAL_ROUNDS {
            return Ok((part, ended));
        }
        tokio::select! {
            () = dialling.stop.wanted() => return Err(Halt::Stopped),
            () = sleep(DIAL_PAUSE * vain) => {}
        }
    }
}

/// Calls all addresses at once, and takes the first by which something is gained.
async fn round(mut part: Part, dialling: &Dialling) -> Result<(Part, Result<(), Halt>), Halt> {
    let mut calls = JoinSet::new();
    for address in &dialling.addresses {
        calls.spawn(timeout(DIAL, TcpStream::connect(*address)));
    }
    let before = part.offset();
    loop {
        let called = tokio::select! {
            () = dialling.stop.wanted() => return Err(Halt::Stopped),
            called = calls.join_next() => called,
        };
        let Some(called) = called else { return Ok((part, Err(Halt::Broken))) };
        let Ok(Ok(Ok(stream))) = called else { continue };
        let Some(stream) = hello(stream, dialling, before).await else { continue };
        let (meter, stop) = (Arc::clone(&dialling.meter), dialling.stop.clone());
        let received = spawn_blocking(move || {
            let ended = tcp::receive(&mut part, stream, &meter, &stop);
            (part, ended)
        });
        let (back, ended) = received.await.map_err(|_| Halt::Stopped)?;
        part = back;
        if ended != Err(Halt::Broken) || part.offset() > before {
            return Ok((part, ended));
        }
    }
}

/// Says who is there, and from where on.
async fn hello(
    mut stream: TcpStream,
    dialling: &Dialling,
    offset: u64,
) -> Option<std::net::TcpStream> {
    let mut random = [0; 16];
    OsRng.fill_bytes(&mut random);
    let hello = path_hello(&dialling.key, dialling.device, offset, random);
    stream.write_all(&hello).await.ok()?;
    stream.into_std().ok()
}
