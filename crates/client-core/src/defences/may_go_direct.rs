//! Files go directly between two devices only where everybody who would learn an address may know it: the identity is
//! verified, or the person has allowed it for this one; never where it has changed, and never against the setting
//! that everything goes through the server. In a group all members learn where a sender is, not only who has accepted.
//!
//! Attack: somebody offers a file, or accepts one, to learn from which address a person is connected, and so where
//! they are; or the server puts itself in a contact's place to the same end.
//! CWE-359, exposure of private personal information to an unauthorized actor; CWE-200.
//! Precedent: Skype's resolvers (Le Blond and others, "I Know Where You are and What You are Sharing", 2011);
//! CVE-2018-17780 (Telegram's calls, peer-to-peer with everybody by default).

use crate::show::IdentityState;

/// Somebody who would learn this device's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectAsked {
    /// What is known of their identity.
    pub identity: IdentityState,
    /// The person has allowed it for them.
    pub allowed: bool,
    /// Everything goes through the server.
    pub always_relay: bool,
}

/// Proof that all who would learn this device's address may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayGoDirect {
    _private: (),
}

impl MayGoDirect {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self { _private: () }
    }
}

/// Decides whether a direct connection may be made, of which these would learn; never where nobody would.
#[must_use]
pub fn may_go_direct(asked: &[DirectAsked]) -> Option<MayGoDirect> {
    let may_know = |asked: &DirectAsked| {
        let trusted = match asked.identity {
            IdentityState::Verified => true,
            IdentityState::NotVerified => asked.allowed,
            IdentityState::Changed | IdentityState::Guest | IdentityState::Own => false,
        };
        trusted && !asked.always_relay
    };
    let all = !asked.is_empty() && asked.iter().all(may_know);
    all.then_some(MayGoDirect { _private: () })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};

    fn check(identity: IdentityState, allowed: bool, expected: bool) {
        let asked = DirectAsked { identity, allowed, always_relay: false };
        assert_eq!(may_go_direct(&[asked]).is_some(), expected, "{asked:?}");
        let always_relay = DirectAsked { always_relay: true, ..asked };
        assert_eq!(may_go_direct(&[always_relay]), None);
    }

    #[test]
    fn only_whom_one_knows_learns_one_s_address() {
        use IdentityState::{Changed, Guest, NotVerified, Own, Verified};
        check(Verified, false, true);
        check(Verified, true, true);
        check(NotVerified, false, false);
        check(NotVerified, true, true);
        for identity in [Changed, Guest, Own] {
            check(identity, false, false);
            check(identity, true, false);
        }
    }

    /// One stranger among those who would learn it is enough.
    #[test]
    fn everybody_who_learns_it_has_to_be_known() {
        let of = |identity| DirectAsked { identity, allowed: false, always_relay: false };
        let (friend, stranger) = (of(IdentityState::Verified), of(IdentityState::NotVerified));
        assert!(may_go_direct(&[friend, friend]).is_some());
        assert!(may_go_direct(&[friend, stranger]).is_none());
        assert!(may_go_direct(&[stranger, friend]).is_none());
        assert!(may_go_direct(&[]).is_none());
    }

    #[test]
    fn without_it_a_stranger_learns_it() {
        let twin = Defences { may_go_direct: |_| Some(MayGoDirect::unproven()), ..SOUND };
        let identity = IdentityState::NotVerified;
        let asked = DirectAsked { identity, allowed: false, always_relay: false };
        assert!((twin.may_go_direct)(&[asked]).is_some());
        assert!((SOUND.may_go_direct)(&[asked]).is_none());
    }
}
