//! The recipient's end of a direct path: it calls the sender at the addresses that it was told, and goes on where
//! it stands, as long as something is gained by it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use portcullis_client_core::defences::{HELLO, path_hello};
use portcullis_client_core::{Fault, QuicEnd};
use portcullis_crypto::{FileKey, Signature};
use portcullis_proto::{DeviceId, QuicWay};
use rand_core::{OsRng, RngCore as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::super::halt::Halt;
use super::super::limits::{DIAL, DIAL_PAUSE, DIAL_QUIC, DIAL_ROUNDS, HEAD_START, STALLED};
use super::super::meter::Meter;
use super::super::part::Part;
use super::super::stop::Stop;
use super::addresses;
use super::quic::Quic;
use super::wire::Wire;
use crate::net::Connector;

/// What calling a sender needs.
#[derive(Clone)]
pub(in super::super) struct Dialling {
    pub(in super::super) key: FileKey,
    /// This device, and what shows the sender that it is.
    pub(in super::super) device: DeviceId,
    pub(in super::super) pass: Signature,
    /// Where the sender says that it is, as far as the core lets this device connect there (`may_dial`).
    pub(in super::super) tcp: Vec<SocketAddr>,
    pub(in super::super) quic: Option<QuicWay>,
    /// As whom to call by QUIC.
    pub(in super::super) own: Option<QuicEnd>,
    pub(in super::super) server: Connector,
    pub(in super::super) meter: Arc<Meter>,
    pub(in super::super) stop: Stop,
}

/// Receives what a part lacks. The part is lost only if this process is about to end.
///
/// # Errors
/// [`Halt::Broken`] if the sender can't be reached, or can't be any more.
pub(in super::super) async fn dial(
    part: Part,
    dialling: &Dialling,
) -> Result<(Part, Result<(), Halt>), Halt> {
    let dialling = &elsewhere(dialling).await;
    let quic = match &dialling.quic {
        Some(_) => {
            let own = dialling.own.as_ref();
            Quic::open(None, &dialling.key, own, &dialling.server).await.map(Arc::new)
        }
        None => None,
    };
    let dialled = rounds(part, dialling, quic.as_ref()).await;
    if let Some(quic) = quic {
        quic.close();
    }
    dialled
}

/// The same without this machine's own addresses.
async fn elsewhere(dialling: &Dialling) -> Dialling {
    let mut dialling = dialling.clone();
    let server = dialling.server.address().clone();
    dialling.tcp = addresses::elsewhere(&dialling.tcp, &server).await;
    if let Some(quic) = &mut dialling.quic {
        quic.addresses = addresses::elsewhere(&quic.addresses, &server).await;
    }
    dialling
}

async fn rounds(
    mut part: Part,
    dialling: &Dialling,
    quic: Option<&Arc<Quic>>,
) -> Result<(Part, Result<(), Halt>), Halt> {
    let (mut vain, mut gained) = (0, Instant::now());
    let mut dialling = dialling.clone();
    loop {
        let before = part.offset();
        let (back, ended) = round(part, &mut dialling, quic).await?;
        part = back;
        (vain, gained) =
            if part.offset() > before { (0, Instant::now()) } else { (vain + 1, gained) };
        // Who can be called, and says nothing, is not called again.
        let silent = gained.elapsed() >= STALLED;
        if ended != Err(Halt::Broken) || vain >= DIAL_ROUNDS || silent {
            return Ok((part, ended));
        }
        tokio::select! {
            () = dialling.stop.wanted() => return Err(Halt::Stopped),
            () = sleep(DIAL_PAUSE * vain) => {}
        }
    }
}

/// Calls all addresses at once, and takes the first by which something is gained.
async fn round(
    mut part: Part,
    dialling: &mut Dialling,
    quic: Option<&Arc<Quic>>,
) -> Result<(Part, Result<(), Halt>), Halt> {
    let mut calls = calls(dialling, quic);
    let mut before = part.offset();
    loop {
        let called = tokio::select! {
            () = dialling.stop.wanted() => return Err(Halt::Stopped),
            called = calls.join_next() => called,
        };
        let Some(called) = called else { return Ok((part, Err(Halt::Broken))) };
        let Ok(Some((way, mut wire))) = called else { continue };
        if wire.say(&hello(dialling, before)).await.is_none() {
            continue;
        }
        let (meter, stop) = (Arc::clone(&dialling.meter), dialling.stop.clone());
        let (back, ended) = wire.receive(part, meter, stop).await?;
        part = back;
        if ended == Err(Halt::Fault(Fault::Damaged)) {
            // Whoever gave that is called no more; others may have what was offered.
            dialling.give_up(way);
            before = part.offset();
        } else if ended != Err(Halt::Broken) || part.offset() > before {
            return Ok((part, ended));
        }
    }
}

/// A way to a sender: by TCP to an address, or by QUIC.
type Way = Option<SocketAddr>;

impl Dialling {
    fn give_up(&mut self, way: Way) {
        match way {
            Some(address) => self.tcp.retain(|other| *other != address),
            None => self.quic = None,
        }
    }
}

/// Calls under way: TCP at once, and QUIC a little later.
fn calls(dialling: &Dialling, quic: Option<&Arc<Quic>>) -> JoinSet<Option<(Way, Wire)>> {
    let mut calls = JoinSet::new();
    for address in dialling.tcp.clone() {
        calls.spawn(async move {
            let called = timeout(DIAL, TcpStream::connect(address)).await;
            Some((Some(address), Wire::Tcp(called.ok()?.ok()?)))
        });
    }
    if let (Some(quic), Some(way)) = (quic, &dialling.quic) {
        let (quic, key, way) = (Arc::clone(quic), dialling.key.clone(), way.clone());
        let wait = if dialling.tcp.is_empty() { Duration::ZERO } else { HEAD_START };
        calls.spawn(async move {
            sleep(wait).await;
            let called = timeout(DIAL_QUIC, quic.call(&key, &way)).await;
            Some((None, Wire::Quic(called.ok()??)))
        });
    }
    calls
}

/// Who is there, and from where on.
fn hello(dialling: &Dialling, offset: u64) -> [u8; HELLO] {
    let mut random = [0; 16];
    OsRng.fill_bytes(&mut random);
    path_hello(&dialling.key, (dialling.device, &dialling.pass), offset, random)
}
