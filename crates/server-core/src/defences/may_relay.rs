//! The relay carries packets for a key only while a logged-in device has it registered, and only within the share
//! of that device's account.
//!
//! Attack: strangers have the server carry their packets, to hide behind its address or because it costs them
//! nothing; or one account takes the whole line, so that nobody else's messages come through.
//! CWE-441, unintended proxy or intermediary; CWE-770, allocation of resources without limits.
//! Precedent: Slack's TURN servers, 2020 (HackerOne 333419), which carried packets into the internal network for
//! whoever had an account. Here they go to registered endpoints only, never to an address.

use crate::limits;
use portcullis_proto::{AccountId, Code, DeviceId, Refusal, Timestamp};

/// For whom a key is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayKey {
    /// The account.
    pub account: AccountId,
    /// Its device.
    pub device: DeviceId,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Somebody who has proven to hold a key wants packets carried for it.
#[derive(Debug, Clone, Copy)]
pub struct RelayAsked {
    /// For whom it is registered, if it is.
    pub registered: Option<RelayKey>,
    /// When.
    pub now: Timestamp,
    /// Connections of the account's other keys.
    pub connected: usize,
    /// Connections of all keys.
    pub connected_in_all: usize,
    /// Bytes that are left of the account's share.
    pub left: u64,
}

/// Proof that packets may be carried for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayRelay {
    account: AccountId,
    device: DeviceId,
}

impl MayRelay {
    /// Whose share they count against.
    #[must_use]
    pub const fn account(self) -> AccountId {
        self.account
    }

    /// Whose device it is.
    #[must_use]
    pub const fn device(self) -> DeviceId {
        self.device
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(account: AccountId, device: DeviceId) -> Self {
        Self { account, device }
    }
}

/// Decides whether packets may be carried.
///
/// # Errors
/// [`Code::Forbidden`] for a key that is not registered; [`Code::RateLimited`] past the account's share, and where
/// too many are connected.
pub fn may_relay(asked: &RelayAsked) -> Result<MayRelay, Refusal> {
    let registered = asked.registered.filter(|key| asked.now < key.expires_at);
    let key = registered
        .ok_or_else(|| Refusal::new(Code::Forbidden, "no device has registered this key"))?;
    if asked.left == 0 {
        return Err(Refusal::new(Code::RateLimited, "this account has had its share for today"));
    }
    if asked.connected >= limits::RELAY_CONNECTIONS_EACH
        || asked.connected_in_all >= limits::RELAY_CONNECTIONS
    {
        return Err(Refusal::new(Code::RateLimited, "too many are connected; try again later"));
    }
    Ok(MayRelay { account: key.account, device: key.device })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    const KEY: RelayKey = RelayKey {
        account: AccountId::from_bytes([1; 16]),
        device: DeviceId::from_bytes([2; 16]),
        expires_at: Timestamp(1_000),
    };
    const ASKED: RelayAsked = RelayAsked {
        registered: Some(KEY),
        now: Timestamp(999),
        connected: limits::RELAY_CONNECTIONS_EACH - 1,
        connected_in_all: limits::RELAY_CONNECTIONS - 1,
        left: 1,
    };

    fn check(asked: &RelayAsked, expected: Result<(), Code>) {
        let decided = may_relay(asked);
        assert_eq!(decided.clone().map(|_| ()).map_err(|refusal| refusal.code), expected);
        if let Ok(may) = decided {
            assert_eq!((may.account(), may.device()), (KEY.account, KEY.device));
        }
    }

    #[test]
    fn only_registered_keys_within_their_accounts_share() {
        check(&ASKED, Ok(()));
        check(&RelayAsked { registered: None, ..ASKED }, Err(Code::Forbidden));
        check(&RelayAsked { now: KEY.expires_at, ..ASKED }, Err(Code::Forbidden));
        check(&RelayAsked { left: 0, ..ASKED }, Err(Code::RateLimited));
        let connected = limits::RELAY_CONNECTIONS_EACH;
        check(&RelayAsked { connected, ..ASKED }, Err(Code::RateLimited));
        let connected_in_all = limits::RELAY_CONNECTIONS;
        check(&RelayAsked { connected_in_all, ..ASKED }, Err(Code::RateLimited));
    }

    #[test]
    fn without_it_strangers_packets_are_carried() {
        let twin = Defences {
            may_relay: |asked| {
                let somebody = (AccountId::from_bytes([0; 16]), DeviceId::from_bytes([0; 16]));
                let key = asked.registered.map(|key| (key.account, key.device));
                let (account, device) = key.unwrap_or(somebody);
                Ok(MayRelay::unproven(account, device))
            },
            ..SOUND
        };
        let stranger = RelayAsked { registered: None, ..ASKED };
        assert!((twin.may_relay)(&stranger).is_ok());
        assert!((SOUND.may_relay)(&stranger).is_err());
    }
}
