//! The key packages of one device, in order of arrival.

use portcullis_proto::{Stock, Timestamp};

use crate::store::{KeyPackage, TakenPackage};

/// What a device has left.
#[derive(Debug, Clone, Default)]
pub(super) struct Packages(Vec<Held>);

#[derive(Debug, Clone)]
struct Held {
    package: KeyPackage,
    /// It is of last resort and was handed out before.
    used: bool,
}

impl Packages {
    pub(super) fn put(&mut self, packages: &[KeyPackage]) {
        for package in packages {
            if package.last_resort {
                self.0.retain(|held| !held.package.last_resort);
            }
            self.0.push(Held { package: package.clone(), used: false });
        }
    }

    pub(super) fn take(&mut self, now: Timestamp) -> Option<TakenPackage> {
        let good = |held: &Held, last_resort| {
            held.package.last_resort == last_resort && now < held.package.expires_at
        };
        if let Some(at) = self.0.iter().position(|held| good(held, false)) {
            let body = self.0.remove(at).package.body;
            return Some(TakenPackage { body, single_use: true, last_resort_first: false });
        }
        let last = self.0.iter_mut().find(|held| good(held, true))?;
        let first = !std::mem::replace(&mut last.used, true);
        let body = last.package.body.clone();
        Some(TakenPackage { body, single_use: false, last_resort_first: first })
    }

    pub(super) fn stock(&self, now: Timestamp) -> Stock {
        let mut stock = Stock::default();
        for held in self.0.iter().filter(|held| now < held.package.expires_at) {
            match held.package.last_resort {
                true => stock.last_resort = !held.used,
                false => stock.left += 1,
            }
        }
        stock
    }

    pub(super) fn drop_until(&mut self, until: Timestamp) {
        self.0.retain(|held| until < held.package.expires_at);
    }
}
