//! `/relay`: carries the packets of two devices that can't reach each other yet, or at all, as iroh's relays do.
//! What is in the packets is QUIC's, and in that are sealed chunks; who may have them carried is the defence
//! `may_relay`'s decision.
//!
//! A small relay of our own, and not `iroh-relay`'s: that brings a second TLS library, certificates by ACME and a
//! command line of its own, and counts per connection what has to be counted per account (decision 0021).
//!
//! Leaves out what iroh's clients can do without: telling them that another has gone, and how healthy they are.

mod connection;
mod frames;
mod limits;
pub(crate) mod seen;
mod share;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::{any, get};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use portcullis_proto::{AccountId, DeviceId, Refusal};
use portcullis_server_core::Whose;
use portcullis_server_core::defences::{MayRelay, RelayAsked, RelayKey, SOUND};
use portcullis_server_core::limits::RELAY_KEYS_EACH;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::clock::now;
use crate::http::{Site, text};
use frames::{KeyBytes, Packets};
use limits::{QUEUE_BYTES, UNPROVEN};
use share::Shares;

/// The relay: registered keys, and who is connected by them.
pub struct Relay {
    state: Mutex<Relayed>,
    unproven: Arc<Semaphore>,
    carried: AtomicU64,
}

#[derive(Default)]
struct Relayed {
    keys: HashMap<KeyBytes, RelayKey>,
    /// The keys of each account, the oldest first.
    of: HashMap<AccountId, VecDeque<KeyBytes>>,
    connected: HashMap<KeyBytes, Arc<Connected>>,
    shares: Shares,
}

/// One connection that has proven its key.
struct Connected {
    may: MayRelay,
    frames: UnboundedSender<Bytes>,
    /// Bytes of those that wait.
    waiting: AtomicUsize,
    over: Notify,
}

impl Connected {
    /// Has a frame written, unless too much waits already.
    fn push(&self, frame: Bytes) {
        let length = frame.len();
        if self.waiting.fetch_add(length, Ordering::Relaxed) + length > QUEUE_BYTES
            || self.frames.send(frame).is_err()
        {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
        }
    }

    fn written(&self, bytes: usize) {
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Relay {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            unproven: Arc::new(Semaphore::new(UNPROVEN)),
            carried: AtomicU64::new(0),
        })
    }

    /// A device has registered a key. One that another account has registered stays that account's.
    pub(crate) fn register(&self, key: KeyBytes, registered: RelayKey) {
        let mut state = self.lock();
        let now = now();
        let held = state.keys.get(&key).filter(|held| now < held.expires_at);
        if held.is_some_and(|held| held.account != registered.account) {
            return;
        }
        state.forget(&key);
        state.keys.insert(key, registered);
        let own = state.of.entry(registered.account).or_default();
        own.push_back(key);
        let oldest = (own.len() > RELAY_KEYS_EACH).then(|| own.front().copied()).flatten();
        if let Some(oldest) = oldest {
            state.forget(&oldest);
        }
    }

    /// The sessions of a device or an account end: what they had registered does too.
    pub(crate) fn end(&self, whose: Whose) {
        let is_theirs = |account: AccountId, device: DeviceId| match whose {
            Whose::Account(ended) => account == ended,
            Whose::Device(ended) => device == ended,
        };
        let mut state = self.lock();
        let held = state.keys.iter();
        let theirs: Vec<KeyBytes> = held
            .filter(|(_, key)| is_theirs(key.account, key.device))
            .map(|(key, _)| *key)
            .collect();
        theirs.iter().for_each(|key| state.forget(key));
        for connected in state.connected.values() {
            if is_theirs(connected.may.account(), connected.may.device()) {
                connected.over.notify_one();
            }
        }
    }

    /// Adds what is counted to a text exposition.
    pub(crate) fn render(&self, text: &mut String) {
        use std::fmt::Write as _;
        let (connected, carried) =
            (self.lock().connected.len(), self.carried.load(Ordering::Relaxed));
        // Writing to a String can't fail.
        let _ = write!(
            text,
            "# HELP portcullis_relay_connections endpoints connected to the relay\n\
             # TYPE portcullis_relay_connections gauge\nportcullis_relay_connections {connected}\n\
             # HELP portcullis_relay_bytes_total bytes of packets that were carried\n\
             # TYPE portcullis_relay_bytes_total counter\nportcullis_relay_bytes_total {carried}\n"
        );
    }

    /// Lets somebody in who has proven to hold a key, in the place of who was there by it before.
    fn admit(&self, key: KeyBytes) -> Result<(Arc<Connected>, UnboundedReceiver<Bytes>), Refusal> {
        let mut state = self.lock();
        let registered = state.keys.get(&key).copied();
        let others = state.connected.iter().filter(|(other, _)| **other != key);
        let account = registered.map(|key| key.account);
        let of_account = |one: &Connected| Some(one.may.account()) == account;
        let asked = RelayAsked {
            registered,
            now: now(),
            connected: others.clone().filter(|(_, one)| of_account(one)).count(),
            connected_in_all: others.count(),
            left: account.map_or(0, |account| state.shares.left(account, Instant::now())),
        };
        let may = (SOUND.may_relay)(&asked)?;
        let (frames, waiting) = unbounded_channel();
        let over = Notify::new();
        let connected = Arc::new(Connected { may, frames, waiting: AtomicUsize::new(0), over });
        if let Some(older) = state.connected.insert(key, Arc::clone(&connected)) {
            older.over.notify_one();
        }
        Ok((connected, waiting))
    }

    /// A connection is over.
    fn leave(&self, key: &KeyBytes, left: &Arc<Connected>) {
        let mut state = self.lock();
        if state.connected.get(key).is_some_and(|there| Arc::ptr_eq(there, left)) {
            state.connected.remove(key);
        }
    }

    /// Carries packets, if their destination is there. Says how long their sender is to wait before it sends more;
    /// none if its account has had its share.
    fn carry(&self, sender: (&KeyBytes, MayRelay), packets: &Packets) -> Option<Duration> {
        let frame = packets.from(sender.0);
        let bytes = frame.len() as u64;
        let mut state = self.lock();
        let wait = state.shares.take(sender.1.account(), bytes, Instant::now())?;
        let to = state.connected.get(&packets.to).map(Arc::clone);
        drop(state);
        if let Some(to) = to {
            self.carried.fetch_add(bytes, Ordering::Relaxed);
            to.push(frame);
        }
        Some(wait)
    }

    fn lock(&self) -> MutexGuard<'_, Relayed> {
        // Each change is whole by itself; one that was cut short leaves at most a key too many.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Relayed {
    fn forget(&mut self, key: &KeyBytes) {
        let Some(held) = self.keys.remove(key) else { return };
        if let Some(own) = self.of.get_mut(&held.account) {
            own.retain(|other| other != key);
            if own.is_empty() {
                self.of.remove(&held.account);
            }
        }
    }
}

/// The routes. They are to stand behind the check of `Origin` and `Host`.
pub(crate) fn routes() -> Router<Site> {
    // By the second, iroh's clients see that the first is there.
    Router::new().route("/relay", any(relay)).route("/ping", get(|| async { "" }))
}

async fn relay(State(site): State<Site>, request: Request<Body>) -> Response<Body> {
    let Some(relay) = site.relay else {
        return text(StatusCode::NOT_FOUND, "Nothing is carried here.\n");
    };
    let Ok(permit) = Arc::clone(&relay.unproven).try_acquire_owned() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "Too many come at once; try again later.\n");
    };
    connection::upgrade(relay, request, permit)
}
