//! How many uploads, or fetches, go on at once: of one account, and of all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portcullis_proto::AccountId;

/// Places for one kind of work.
pub(super) struct Places {
    all: usize,
    each: usize,
    held: Mutex<HashMap<AccountId, usize>>,
}

/// A place; given up when it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    account: AccountId,
}

impl Places {
    /// So many for all, and for each account.
    pub(super) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self { all, each, held: Mutex::default() })
    }

    /// A place for this account, if there is one.
    pub(super) fn take(self: &Arc<Self>, account: AccountId) -> Option<Place> {
        let mut held = self.lock();
        let all: usize = held.values().sum();
        let own = held.get(&account).copied().unwrap_or(0);
        if all >= self.all || own >= self.each {
            return None;
        }
        held.insert(account, own + 1);
        Some(Place { places: Arc::clone(self), account })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, usize>> {
        // A number is changed in one step.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut held = self.places.lock();
        match held.get_mut(&self.account) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(held.remove(&self.account)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_and_come_back() {
        let places = Places::new(3, 2);
        let mut held = Vec::new();
        let check = |account: u8, expected: bool, held: &mut Vec<Place>| {
            let place = places.take(AccountId::from_bytes([account; 16]));
            assert_eq!(place.is_some(), expected, "{account}");
            held.extend(place);
        };
        check(1, true, &mut held);
        check(1, true, &mut held);
        check(1, false, &mut held);
        check(2, true, &mut held);
        check(2, false, &mut held);
        check(3, false, &mut held);
        held.remove(0);
        check(3, true, &mut held);
        check(1, false, &mut held);
        held.clear();
        assert!(places.lock().is_empty());
    }
}
