//! A connection from its first frame to its end: fresh, on its way through a login, or open as one
//! device.

use crate::rate::RateKey;
use crate::store::{Login, TokenHash};
use portcullis_crypto::{Hash, Randomness, ServerLogin};
use portcullis_proto::{AccountId, Code, DeviceId, Event, Refusal, Timestamp, UserName};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One connection's state.
#[derive(Debug)]
pub struct Session {
    pub(crate) peer: Peer,
    pub(crate) nonce: Hash,
    pub(crate) state: State,
}

/// Where a connection comes from: what counts as one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(IpAddr);

#[derive(Debug)]
pub(crate) enum State {
    /// Nothing was proven.
    Fresh,
    /// Between the two steps of a registration.
    Registering(Box<Registering>),
    /// Between the two steps of a login.
    LoggingIn(Box<LoggingIn>),
    /// The password was proven, the device not yet.
    LoggedIn(Box<LoggedIn>),
    /// A device's session.
    Open(Box<Open>),
}

pub(crate) struct Registering {
    pub(crate) account: AccountId,
    pub(crate) name: UserName,
    pub(crate) invite: Option<String>,
}

impl core::fmt::Debug for Registering {
    /// An invitation code is a secret until it is used.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Registering({}, ..)", self.name)
    }
}

#[derive(Debug)]
pub(crate) struct LoggingIn {
    pub(crate) name: UserName,
    /// The account, and the login record that this attempt runs against.
    pub(crate) account: Option<(AccountId, Login)>,
    pub(crate) login: ServerLogin,
}

#[derive(Debug)]
pub(crate) struct LoggedIn {
    pub(crate) account: AccountId,
    /// The record whose password was proven: once it is replaced, that proof is worth nothing.
    pub(crate) against: Login,
}

/// An open session.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) account: AccountId,
    pub(crate) name: UserName,
    pub(crate) device: DeviceId,
    pub(crate) token: TokenHash,
    /// A confirmation of the password in progress.
    pub(crate) confirming: Option<Box<LoggingIn>>,
    /// When the password was last confirmed in this session.
    pub(crate) confirmed_at: Option<Timestamp>,
}

impl Peer {
    /// The peer at this address. IPv6 subscribers have a /64 each, so that is what counts.
    #[must_use]
    pub fn new(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }

    /// A peer on this machine.
    #[must_use]
    pub const fn loopback() -> Self {
        Self(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    pub(crate) const fn address(self) -> IpAddr {
        self.0
    }
}

impl Session {
    /// A connection that has proven nothing, and what it is greeted with.
    pub fn new(peer: Peer, now: Timestamp, rng: &mut dyn Randomness) -> (Self, Event) {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let nonce = Hash::from_bytes(nonce);
        (Self { peer, nonce, state: State::Fresh }, Event::Hello { nonce, time: now })
    }

    /// The account and device of an open session.
    #[must_use]
    pub fn holder(&self) -> Option<(AccountId, DeviceId)> {
        match &self.state {
            State::Open(open) => Some((open.account, open.device)),
            _ => None,
        }
    }

    pub(crate) fn open(&self) -> Result<&Open, Refusal> {
        match &self.state {
            State::Open(open) => Ok(open),
            _ => Err(not_now()),
        }
    }

    pub(crate) fn open_mut(&mut self) -> Result<&mut Open, Refusal> {
        match &mut self.state {
            State::Open(open) => Ok(open),
            _ => Err(not_now()),
        }
    }

    /// Whose bucket a request of this session is taken from.
    pub(crate) fn rate_key(&self) -> RateKey {
        match &self.state {
            State::Open(open) => RateKey::Device(open.device),
            _ => RateKey::Address(self.peer.address()),
        }
    }
}

pub(crate) fn not_now() -> Refusal {
    Refusal::new(Code::NotNow, "this request has no place at this point of the session")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn check(address: &str, expected: &str) {
        assert_eq!(Peer::new(address.parse().unwrap()).address().to_string(), expected);
    }

    #[test]
    fn what_counts_as_one_peer() {
        check("192.0.2.7", "192.0.2.7");
        check("::ffff:192.0.2.7", "192.0.2.7");
        check("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::");
        check("::1", "::1");
    }

    #[test]
    fn debug_shows_no_invitation_code() {
        let registering = Registering {
            account: AccountId::from_bytes([1; 16]),
            name: UserName::parse("mira").unwrap(),
            invite: Some("hunter2".to_owned()),
        };
        let session = Session {
            peer: Peer::loopback(),
            nonce: Hash::from_bytes([1; 32]),
            state: State::Registering(Box::new(registering)),
        };
        let text = format!("{session:?}");
        assert!(text.contains("Registering(mira, ..)") && !text.contains("hunter2"), "{text}");
    }
}
