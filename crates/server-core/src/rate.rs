//! How often who may ask: token buckets in memory.

use crate::limits::RATE_BUCKETS;
use portcullis_proto::{AccountId, DeviceId, Timestamp, UserName};
use std::collections::HashMap;
use std::net::IpAddr;

/// What kind of work a request is, for its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rate {
    /// Trying a password: by address.
    LoginByAddress,
    /// Trying a password for one name: by name and address, so that nobody locks another out.
    LoginByName,
    /// Making an account.
    Register,
    /// Opening a session by token.
    Resume,
    /// Reading.
    Read,
    /// Saying something; each envelope counts.
    Write,
    /// Changing an encrypted conversation; the devices that it welcomes count too.
    Commit,
    /// Taking one account's key packages: by who does.
    Claim,
    /// Adding one account to groups: by who does.
    Add,
    /// Leaving welcomes in one device's inbox: by who does.
    Welcome,
    /// Changing a channel, a device list, a password.
    Change,
    /// Saying something to one classroom guest: by who does.
    Tell,
    /// A classroom guest's making itself known.
    GuestHello,
    /// Guests that were not here lately making themselves known, at one address.
    NewGuestAtAddress,
    /// What one guest says at most.
    GuestSay,
    /// What one guest says as people do: for this it needs nobody's leave, see
    /// [`share_address`](crate::defences::share_address).
    GuestSayReserve,
    /// What guests at one address say beyond that, all together.
    GuestSayAtAddress,
    /// One guest's asking who is here, at most.
    GuestList,
    /// One guest's asking who is here as clients do, for which it needs nobody's leave.
    GuestListReserve,
    /// What guests at one address ask beyond that, all together, and who has not said who it is.
    GuestListAtAddress,
    /// What guests at one address send as files, by 64 KiB.
    Upload,
}

impl Rate {
    /// How many tokens a bucket holds, and how many milliseconds one takes to come back.
    const fn bucket(self) -> (u32, u32) {
        match self {
            Self::LoginByAddress => (30, 1_000),
            Self::LoginByName => (8, 10_000),
            Self::Register => (20, 20_000),
            Self::Resume => (10_000, 1),
            Self::Read => (2_000, 2),
            Self::Write => (2_000, 5),
            Self::Commit => (120, 1_000),
            Self::Claim | Self::Add | Self::Welcome => (20, 60_000),
            Self::Change => (60, 1_000),
            Self::Tell => (60, 500),
            Self::GuestHello => (30, 1_000),
            // A class comes at once; afterwards each new key brings a reserve of its own.
            Self::NewGuestAtAddress => (1_000, 200),
            Self::GuestSay => (120, 200),
            Self::GuestSayReserve => (20, 2_000),
            Self::GuestSayAtAddress => (2_000, 10),
            Self::GuestList => (60, 500),
            Self::GuestListReserve => (20, 5_000),
            Self::GuestListAtAddress => (1_000, 20),
            Self::Upload => (4_096, 879), // an hour
        }
    }
}

/// Whose bucket it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RateKey {
    /// An address, or the network that one subscriber has.
    Address(IpAddr),
    /// A name as tried from an address.
    NameAt(UserName, IpAddr),
    /// A device.
    Device(DeviceId),
    /// An account.
    Account(AccountId),
    /// What one account does to another.
    Between(AccountId, AccountId),
    /// What an account does to a device.
    Toward(AccountId, DeviceId),
}

/// All buckets that are not full.
#[derive(Debug, Default)]
pub struct RateLimits {
    buckets: HashMap<(Rate, RateKey), Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    /// In milliseconds' worth of tokens, so that no fraction is lost.
    credit: u64,
    at: Timestamp,
}

impl RateLimits {
    /// Takes `cost` tokens, or says in how many milliseconds they will be there. `factor` multiplies
    /// the size and the speed of the bucket.
    ///
    /// # Errors
    /// Milliseconds to wait; nothing was taken.
    pub fn take(
        &mut self,
        (rate, key): (Rate, RateKey),
        cost: u32,
        factor: u32,
        now: Timestamp,
    ) -> Result<(), u64> {
        self.make_room(now, factor);
        let (size, each) = rate.bucket();
        let full = u64::from(size) * u64::from(each) * u64::from(factor);
        let bucket = self.buckets.entry((rate, key)).or_insert(Bucket { credit: full, at: now });
        bucket.refill(full, factor, now);
        let price = (u64::from(cost) * u64::from(each)).min(full);
        if bucket.credit < price {
            return Err((price - bucket.credit).div_ceil(u64::from(factor)));
        }
        bucket.credit -= price;
        Ok(())
    }

    /// Gives tokens back that turned out not to be owed.
    pub fn give_back(&mut self, (rate, key): (Rate, RateKey), cost: u32) {
        if let Some(bucket) = self.buckets.get_mut(&(rate, key)) {
            bucket.credit += u64::from(cost) * u64::from(rate.bucket().1);
        }
    }

    fn make_room(&mut self, now: Timestamp, factor: u32) {
        if self.buckets.len() < RATE_BUCKETS {
            return;
        }
        self.buckets.retain(|(rate, _), bucket| {
            let (size, each) = rate.bucket();
            let full = u64::from(size) * u64::from(each) * u64::from(factor);
            bucket.refill(full, factor, now);
            bucket.credit < full
        });
        if self.buckets.len() >= RATE_BUCKETS {
            // A hundred thousand addresses at once: their counts are worth less than the memory.
            self.buckets.clear();
        }
    }
}

impl Bucket {
    fn refill(&mut self, full: u64, factor: u32, now: Timestamp) {
        let gained = now.since(self.at).saturating_mul(u64::from(factor));
        self.credit = self.credit.saturating_add(gained).min(full);
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(last: u8) -> (Rate, RateKey) {
        (Rate::LoginByName, RateKey::Device(DeviceId::from_bytes([last; 16])))
    }

    fn check(takes: &[(u64, u32)], expected: Result<(), u64>) {
        let mut limits = RateLimits::default();
        let mut last = Ok(());
        for (at, cost) in takes {
            last = limits.take(key(1), *cost, 1, Timestamp(*at));
        }
        assert_eq!(last, expected, "{takes:?}");
    }

    #[test]
    fn tokens_run_out_and_come_back() {
        check(&[(0, 8)], Ok(()));
        check(&[(0, 8), (0, 1)], Err(10_000));
        check(&[(0, 8), (9_999, 1)], Err(1));
        check(&[(0, 8), (10_000, 1)], Ok(()));
        check(&[(0, 8), (1_000_000, 8), (1_000_000, 1)], Err(10_000));
        check(&[(0, 8), (10_000, 1), (5_000, 1)], Err(10_000)); // a clock that goes back gives nothing
        check(&[(0, 100)], Ok(())); // never more than a whole bucket, or it could never be paid
    }

    #[test]
    fn buckets_are_apart_and_a_token_can_come_back() {
        let mut limits = RateLimits::default();
        assert_eq!(limits.take(key(1), 8, 1, Timestamp(0)), Ok(()));
        assert_eq!(limits.take(key(2), 1, 1, Timestamp(0)), Ok(()));
        limits.give_back(key(1), 1);
        assert_eq!(limits.take(key(1), 1, 1, Timestamp(0)), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let mut limits = RateLimits::default();
        for number in 0..=RATE_BUCKETS {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&number.to_le_bytes());
            let key = (Rate::Read, RateKey::Device(DeviceId::from_bytes(id)));
            assert_eq!(limits.take(key, 1, 1, Timestamp(0)), Ok(()));
        }
        assert!(limits.buckets.len() <= RATE_BUCKETS);
    }
}
