//! The sender's end of direct paths: it listens for as long as the transfer goes on, is silent to everybody who
//! doesn't prove that they have its key and are one of the devices that it waits for, and serves those.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use iroh::endpoint::Incoming;
use portcullis_client_core::defences::{Defences, PathProven};
use portcullis_client_core::{Moved, QuicEnd};
use portcullis_crypto::AuthPublic;
use portcullis_proto::{DeviceId, FileOffer, QuicWay, TransferId};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::halt::Halt;
use super::super::limits::{PROOF, SERVED_AT_ONCE, UNREACHED};
use super::super::meter::{Gauges, Way};
use super::super::sealed::Sealed;
use super::super::stop::Stop;
use super::addresses;
use super::quic::{Quic, QuicStream};
use super::unproven::{Origin, Unproven};
use super::wire::Wire;
use crate::net::Connector;

/// What a listener needs.
pub(in super::super) struct Listening {
    pub(in super::super) offer: FileOffer,
    pub(in super::super) sealed: Arc<Sealed>,
    pub(in super::super) defences: Defences,
    pub(in super::super) gauges: Gauges,
    /// Where to listen, if not anywhere.
    pub(in super::super) at: Option<SocketAddr>,
    pub(in super::super) server: Connector,
    /// As whom to be there by QUIC.
    pub(in super::super) own: Option<QuicEnd>,
    pub(in super::super) events: UnboundedSender<(TransferId, Moved)>,
    pub(in super::super) stop: Stop,
}

/// Serves the devices that are asked for, until it is stopped, or nobody is left to come, or it can't go on.
///
/// # Errors
/// [`Halt`].
pub(in super::super) async fn listen(
    listening: Listening,
    devices: UnboundedReceiver<(DeviceId, AuthPublic)>,
) -> Result<(), Halt> {
    let bound = bind(listening.at).await;
    let bound = bound.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (address, listener) = bound.map_err(|error| Halt::disk(&error))?;
    let tcp = match listening.at {
        Some(at) if !at.ip().is_unspecified() => vec![address],
        _ => addresses::own(listening.server.address(), address.port()).await,
    };
    // Where there is none, there is TCP.
    let own = listening.own.as_ref();
    let quic = Quic::open(listening.at, &listening.offer.key, own, &listening.server).await;
    let way = match &quic {
        Some(quic) => Some(quic.way(listening.server.address()).await),
        None => None,
    };
    let (proven, ended) = (unbounded_channel(), unbounded_channel());
    let port = Port {
        listening,
        ways: (tcp, way),
        waits: BTreeMap::new(),
        keys: BTreeMap::new(),
        is_deserted: false,
        served: 0,
        unproven: Unproven::default(),
        greeted: JoinSet::new(),
        proven: proven.0,
        ended: ended.0,
    };
    let doors = (&listener, quic.as_ref());
    let served = port.serve(doors, devices, proven.1, ended.1).await;
    if let Some(quic) = quic {
        quic.close();
    }
    served
}

async fn bind(at: Option<SocketAddr>) -> io::Result<TcpListener> {
    if let Some(at) = at {
        return TcpListener::bind(at).await;
    }
    // Where there is IPv6, this is for both.
    match TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).await {
        Ok(listener) => Ok(listener),
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).await,
    }
}

/// How it stands with a device.
enum Wait {
    /// It has until then to come.
    Until(Instant),
    /// It is there; this stops the sending, which has this number.
    There(Stop, u64),
    /// All was sent. It may come again, if not all has arrived.
    Sent,
}

/// A sending has ended: to whom, its number, and how.
type Ended = (DeviceId, u64, Result<(), Halt>);

struct Port {
    listening: Listening,
    ways: (Vec<SocketAddr>, Option<QuicWay>),
    waits: BTreeMap<DeviceId, Wait>,
    /// By what those show that they are.
    keys: BTreeMap<DeviceId, AuthPublic>,
    /// Nobody is left who could come.
    is_deserted: bool,
    /// How many connections were served so far.
    served: u64,
    unproven: Unproven,
    greeted: JoinSet<()>,
    proven: UnboundedSender<(Wire, PathProven)>,
    ended: UnboundedSender<Ended>,
}

impl Port {
    async fn serve(
        mut self,
        (tcp, quic): (&TcpListener, Option<&Quic>),
        mut devices: UnboundedReceiver<(DeviceId, AuthPublic)>,
        mut proven: UnboundedReceiver<(Wire, PathProven)>,
        mut ended: UnboundedReceiver<Ended>,
    ) -> Result<(), Halt> {
        let stop = self.listening.stop.clone();
        loop {
            let first = self.first_to_come();
            tokio::select! {
                () = stop.wanted() => return Err(Halt::Stopped),
                Some(device) = devices.recv() => self.wait_for(device),
                Ok((stream, from)) = tcp.accept() => {
                    self.greet(Origin::of(from.ip()), async move { Some(Wire::Tcp(stream)) });
                }
                incoming = called(quic) => {
                    let from = Origin::of_quic(&incoming.remote_addr());
                    let opening = async move { QuicStream::accept(incoming).await.map(Wire::Quic) };
                    self.greet(from, opening);
                }
                Some((wire, who)) = proven.recv() => self.send(wire, who),
                Some(end) = ended.recv() => self.end(end)?,
                Some(_) = self.greeted.join_next() => {}
                device = missed(first) => self.give_up(device),
            }
            if self.is_deserted {
                return Ok(());
            }
        }
    }

    fn wait_for(&mut self, (device, auth): (DeviceId, AuthPublic)) {
        self.keys.insert(device, auth);
        // Told again while it is at it, it goes on.
        if let Entry::Vacant(place) = self.waits.entry(device) {
            place.insert(Wait::Until(Instant::now() + UNREACHED));
            let (tcp, quic) = self.ways.clone();
            self.tell(Moved::Listening { device, tcp, quic });
        }
    }

    /// The device that has to come first, and until when.
    fn first_to_come(&self) -> Option<(Instant, DeviceId)> {
        let until = |(device, wait): (&DeviceId, &Wait)| match wait {
            Wait::Until(until) => Some((*until, *device)),
            Wait::There(..) | Wait::Sent => None,
        };
        self.waits.iter().filter_map(until).min()
    }

    /// Waits no longer for a device.
    fn give_up(&mut self, device: DeviceId) {
        self.waits.remove(&device);
        self.tell(Moved::Unreached(device));
        self.is_deserted = self.waits.is_empty();
    }

    /// Hears a stranger's first bytes, for a while. Answers nothing.
    fn greet(
        &mut self,
        from: Origin,
        opening: impl Future<Output = Option<Wire>> + Send + 'static,
    ) {
        let (key, prove) = (self.listening.offer.key.clone(), self.listening.defences.prove_path);
        let (keys, proven) = (self.keys.clone(), self.proven.clone());
        let hearing = self.greeted.spawn(async move {
            let heard = timeout(PROOF, async {
                let mut wire = opening.await?;
                Some((wire.hear().await?, wire))
            });
            if let Ok(Some((hello, wire))) = heard.await
                && let Ok(who) = prove(&key, &keys, &hello)
            {
                // The listener may be gone.
                let _ = proven.send((wire, who));
            }
        });
        self.unproven.enter(from, hearing);
    }

    /// Sends to a device that is waited for; a newer connection takes an older one's place.
    fn send(&mut self, wire: Wire, who: PathProven) {
        let device = who.device();
        let there = self.waits.values().filter(|wait| matches!(wait, Wait::There(..))).count();
        let Some(wait) = self.waits.get_mut(&device) else { return };
        match wait {
            Wait::There(older, _) => older.stop(),
            _ if there >= SERVED_AT_ONCE => return,
            _ => {}
        }
        self.served += 1;
        let (number, stop) = (self.served, Stop::default());
        *wait = Wait::There(stop.clone(), number);
        let sealed = Arc::clone(&self.listening.sealed);
        let (transfer, of) = (self.listening.offer.transfer, sealed.blob().bytes());
        let metered = self.listening.gauges.open(transfer, Way::To(device), of);
        let ended = self.ended.clone();
        tokio::spawn(async move {
            let sent = wire.send(sealed, who.offset(), metered.meter(), stop).await;
            // The listener may be gone.
            let _ = ended.send((device, number, sent));
        });
    }

    fn end(&mut self, (device, number, sent): Ended) -> Result<(), Halt> {
        let Some(wait) = self.waits.get_mut(&device) else { return Ok(()) };
        if !matches!(wait, Wait::There(_, current) if *current == number) {
            return Ok(());
        }
        *wait = match sent {
            Ok(()) => Wait::Sent,
            Err(Halt::Broken | Halt::Stopped) => Wait::Until(Instant::now() + UNREACHED),
            Err(Halt::Slow) => {
                self.give_up(device);
                return Ok(());
            }
            Err(halt) => return Err(halt),
        };
        Ok(())
    }

    fn tell(&self, moved: Moved) {
        // Whoever listened is gone, and this will be.
        let _ = self.listening.events.send((self.listening.offer.transfer, moved));
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        for wait in self.waits.values() {
            if let Wait::There(stop, _) = wait {
                stop.stop();
            }
        }
    }
}

/// The next who calls by QUIC; for ever, where there is none.
async fn called(quic: Option<&Quic>) -> Incoming {
    match quic {
        Some(quic) => quic.called().await,
        None => std::future::pending().await,
    }
}

/// The device that did not come in time; for ever, if none is waited for.
async fn missed(first: Option<(Instant, DeviceId)>) -> DeviceId {
    match first {
        Some((until, device)) => {
            sleep_until(until).await;
            device
        }
        None => std::future::pending().await,
    }
}
