//! How far transfers have come, for the screen: counters that the threads turn, and whoever asks reads.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portcullis_proto::{DeviceId, TransferId};

/// Bytes that have gone over a path, of so many.
#[derive(Debug, Default)]
pub(super) struct Meter {
    done: AtomicU64,
}

impl Meter {
    /// So many are there.
    pub(super) fn set(&self, bytes: u64) {
        self.done.store(bytes, Ordering::Relaxed);
    }

    /// So many more are there.
    pub(super) fn add(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }

    /// How many are there.
    pub(super) fn get(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }
}

/// The way that bytes take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// To this device of a recipient.
    To(DeviceId),
    /// To the server.
    Upload,
    /// From the sender.
    Dial,
    /// From the server.
    Fetch,
}

/// How far a transfer has come on one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which transfer.
    pub transfer: TransferId,
    /// Which way.
    pub way: Way,
    /// Bytes of it that are there.
    pub bytes: u64,
    /// Bytes that it has in all; a little more than its files.
    pub of: u64,
    /// Bytes a second, of late; none before there were any.
    pub rate: u64,
}

impl Progress {
    /// How long the rest will take at this rate; none where nothing moves.
    #[must_use]
    pub fn left(&self) -> Option<Duration> {
        let seconds = self.of.saturating_sub(self.bytes).checked_div(self.rate)?;
        Some(Duration::from_secs(seconds))
    }
}

/// All meters that are read at present.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauges(Arc<Mutex<BTreeMap<(TransferId, Way), Gauge>>>);

impl Gauges {
    /// Begins to read a new meter, for as long as what is returned lives.
    pub(super) fn open(&self, transfer: TransferId, way: Way, of: u64) -> Metered {
        let meter = Arc::new(Meter::default());
        self.locked().insert((transfer, way), Gauge::new(Arc::clone(&meter), of));
        Metered { meter, key: (transfer, way), gauges: self.clone() }
    }

    /// Reads all of them.
    pub(super) fn read(&self, now: Instant) -> Vec<Progress> {
        let read = |((transfer, way), gauge): (&(TransferId, Way), &mut Gauge)| {
            gauge.read(*transfer, *way, now)
        };
        self.locked().iter_mut().map(read).collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<(TransferId, Way), Gauge>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A meter that is read by others.
#[derive(Debug)]
pub(super) struct Metered {
    meter: Arc<Meter>,
    key: (TransferId, Way),
    gauges: Gauges,
}

impl Metered {
    pub(super) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }
}

impl Drop for Metered {
    fn drop(&mut self) {
        let mut gauges = self.gauges.locked();
        // Another may have taken its place.
        if gauges.get(&self.key).is_some_and(|gauge| Arc::ptr_eq(&gauge.meter, &self.meter)) {
            gauges.remove(&self.key);
        }
    }
}

/// A meter that is read now and then, and the rate between two readings.
#[derive(Debug)]
struct Gauge {
    meter: Arc<Meter>,
    of: u64,
    read: Option<(Instant, u64)>,
    rate: u64,
}

impl Gauge {
    const fn new(meter: Arc<Meter>, of: u64) -> Self {
        Self { meter, of, read: None, rate: 0 }
    }

    /// Reads it. The rate is smoothed over a few readings.
    fn read(&mut self, transfer: TransferId, way: Way, now: Instant) -> Progress {
        let bytes = self.meter.get();
        match self.read {
            Some((then, before)) if now > then => {
                self.rate = smoothed(self.rate, bytes.saturating_sub(before), now - then);
                self.read = Some((now, bytes));
            }
            Some(_) => {}
            None => self.read = Some((now, bytes)),
        }
        Progress { transfer, way, bytes, of: self.of, rate: self.rate }
    }
}

fn smoothed(rate: u64, bytes: u64, time: Duration) -> u64 {
    let nanos = time.as_nanos().max(1);
    let latest = u128::from(bytes) * 1_000_000_000 / nanos;
    let latest = u64::try_from(latest).unwrap_or(u64::MAX);
    if rate == 0 { latest } else { rate / 4 * 3 + latest / 4 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_off() {
        let transfer = TransferId::from_bytes([1; 16]);
        let gauges = Gauges::default();
        let metered = gauges.open(transfer, Way::Upload, 10_000);
        let start = Instant::now();
        let read = |bytes: u64, millis: u64| {
            metered.meter().set(bytes);
            let all = gauges.read(start + Duration::from_millis(millis));
            all.first().map(|read| (read.rate, read.left().map(|left| left.as_secs())))
        };
        // What was there before is nobody's rate.
        assert_eq!(read(4_000, 0), Some((0, None)));
        assert_eq!(read(5_000, 1_000), Some((1_000, Some(5))));
        assert_eq!(read(5_000, 1_000), Some((1_000, Some(5))));
        assert_eq!(read(5_000, 2_000), Some((750, Some(6))));
        assert_eq!(read(10_000, 2_500), Some((3_061, Some(0))));
        drop(metered);
        assert_eq!(gauges.read(start), []);
    }
}
