//! What the relay carries for each account: so much at once, so much a second, and so much a day.

use std::collections::HashMap;
use std::time::Duration;

use portcullis_proto::AccountId;
use portcullis_server_core::limits::RELAY_ACCOUNT_BYTES;
use tokio::time::Instant;

use super::limits::{BURST, RATE, SHARE, SHARES};

/// The shares of all accounts.
#[derive(Default)]
pub(super) struct Shares(HashMap<AccountId, Share>);

/// One account's.
struct Share {
    began: Instant,
    spent: u64,
    /// When all that was carried would have been, at the rate.
    level: Instant,
}

impl Share {
    fn new(now: Instant) -> Self {
        Self { began: now, spent: 0, level: now }
    }

    fn is_whole(&self, now: Instant) -> bool {
        now >= self.began + SHARE && now >= self.level
    }
}

impl Shares {
    /// How many bytes are left for an account.
    pub(super) fn left(&self, account: AccountId, now: Instant) -> u64 {
        let share = self.0.get(&account).filter(|share| now < share.began + SHARE);
        RELAY_ACCOUNT_BYTES.saturating_sub(share.map_or(0, |share| share.spent))
    }

    /// Takes so many bytes of an account's share, and says how long to wait before more is taken; none if there
    /// were not so many left.
    pub(super) fn take(
        &mut self,
        account: AccountId,
        bytes: u64,
        now: Instant,
    ) -> Option<Duration> {
        if self.left(account, now) < bytes {
            return None;
        }
        if self.0.len() >= SHARES && !self.0.contains_key(&account) {
            self.0.retain(|_, share| !share.is_whole(now));
        }
        let share = self.0.entry(account).or_insert_with(|| Share::new(now));
        if now >= share.began + SHARE {
            (share.began, share.spent) = (now, 0);
        }
        share.spent += bytes;
        share.level = share.level.max(now) + Duration::from_nanos(bytes * 1_000_000_000 / RATE);
        let ahead = Duration::from_nanos(BURST * 1_000_000_000 / RATE);
        Some(share.level.saturating_duration_since(now).saturating_sub(ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIRA: AccountId = AccountId::from_bytes([1; 16]);
    const OLEG: AccountId = AccountId::from_bytes([2; 16]);

    #[test]
    fn a_burst_is_free_and_more_takes_its_time() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        let mut take = |account, bytes, after: u64| {
            let wait = shares.take(account, bytes, now + Duration::from_secs(after));
            wait.map(|wait| wait.as_millis())
        };
        assert_eq!(take(MIRA, BURST, 0), Some(0));
        assert_eq!(take(MIRA, RATE, 0), Some(1_000));
        assert_eq!(take(OLEG, BURST, 0), Some(0));
        assert_eq!(take(MIRA, RATE, 1), Some(1_000));
        assert_eq!(take(MIRA, BURST, 60), Some(0));
    }

    #[test]
    fn a_share_is_for_a_day() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        assert_eq!(shares.left(MIRA, now), RELAY_ACCOUNT_BYTES);
        assert!(shares.take(MIRA, RELAY_ACCOUNT_BYTES - 1, now).is_some());
        assert_eq!(shares.left(MIRA, now), 1);
        assert_eq!(shares.take(MIRA, 2, now), None);
        assert!(shares.take(MIRA, 1, now).is_some());
        let late = now + SHARE;
        assert_eq!(shares.left(MIRA, late - Duration::from_secs(1)), 0);
        assert_eq!(shares.left(MIRA, late), RELAY_ACCOUNT_BYTES);
        assert!(shares.take(MIRA, 2, late).is_some());
        assert_eq!(shares.left(MIRA, late), RELAY_ACCOUNT_BYTES - 2);
    }

    #[test]
    fn whole_shares_are_forgotten() {
        let (mut shares, now) = (Shares::default(), Instant::now());
        for number in 0..SHARES as u128 {
            shares.take(AccountId::from_bytes(number.to_be_bytes()), 1, now);
        }
        shares.take(MIRA, 1, now);
        assert_eq!(shares.0.len(), SHARES + 1);
        shares.take(OLEG, 1, now + SHARE);
        assert_eq!(shares.0.len(), 1);
    }
}
