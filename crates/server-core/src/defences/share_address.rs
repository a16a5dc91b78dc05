//! Guests at one address share its rate, and none of them can use up what another needs.
//!
//! Attack: keys cost nothing, so somebody makes thirty, floods with all of them, and what a neighbour behind the same
//! address says is dropped. On this machine everybody is such a neighbour.
//! CWE-770, allocation of resources without limits or throttling; CWE-400.
//! Precedent: RFC 8290 (FQ-CoDel: a queue for each flow, so that a heavy one delays itself alone); RFC 6585 section 4
//! leaves to the server whom it counts.

use crate::{Context, Peer, Rate, RateKey};
use portcullis_proto::{AccountId, Refusal};

/// What a guest wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Make itself known.
    Hello,
    /// Say something.
    Say,
    /// Ask who is here.
    List,
}

/// Proof that it was counted, and is within the guest's own rate and what its address has left for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressShared(());

impl AddressShared {
    /// For the range's unsound twins: without counting.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Takes tokens of the guest's own; and beyond what people do, of those that its address has for all. So nobody who keeps
/// to an ordinary pace is refused because of others. New keys bring a pace of their own, and are bounded by a
/// rate themselves: what many keys get at one address is at most what so many people would.
///
/// # Errors
/// [`portcullis_proto::Code::RateLimited`], with the time to wait.
pub fn share_address(
    context: &mut Context<'_>,
    sharing: Sharing,
    (guest, from): (AccountId, Peer),
    cost: u32,
) -> Result<AddressShared, Refusal> {
    let (own, common) = match sharing {
        Sharing::Hello => (Rate::GuestHello, Rate::NewGuestAtAddress),
        Sharing::Say => (Rate::GuestSay, Rate::GuestSayAtAddress),
        Sharing::List => (Rate::GuestList, Rate::GuestListAtAddress),
    };
    // One's own first: what that one refuses must cost others nothing.
    (context.defences.admit_rate)(context, (own, RateKey::Account(guest)), cost)?;
    if !is_ordinary(context, sharing, guest, cost) {
        let common = (common, RateKey::Address(from.address()));
        (context.defences.admit_rate)(context, common, cost)?;
    }
    Ok(AddressShared(()))
}

/// Whether others need not be asked.
fn is_ordinary(context: &mut Context<'_>, sharing: Sharing, guest: AccountId, cost: u32) -> bool {
    let reserve = match sharing {
        Sharing::Hello => return context.guests.knows(guest),
        Sharing::Say => Rate::GuestSayReserve,
        Sharing::List => Rate::GuestListReserve,
    };
    (context.defences.admit_rate)(context, (reserve, RateKey::Account(guest)), cost).is_ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Guest, Setting, USUAL, World};

    const FLOODERS: u8 = 40;

    fn world(defences: Defences) -> World {
        World::build(Setting { defences, guests: true, rate_factor: 1, ..USUAL })
    }

    fn flooder(number: u8) -> AccountId {
        AccountId::from_bytes([number; 16])
    }

    /// What was done before there were reserves.
    fn by_address_alone(
        context: &mut Context<'_>,
        sharing: Sharing,
        (_, from): (AccountId, Peer),
        cost: u32,
    ) -> Result<AddressShared, Refusal> {
        let common = match sharing {
            Sharing::Hello => Rate::NewGuestAtAddress,
            Sharing::Say => Rate::GuestSayAtAddress,
            Sharing::List => Rate::GuestListAtAddress,
        };
        (context.defences.admit_rate)(context, (common, RateKey::Address(from.address())), cost)?;
        Ok(AddressShared::unproven())
    }

    /// All flooders do this as often as they may: how often that is.
    fn flood(world: &mut World, sharing: Sharing) -> usize {
        let mut context = world.server.context(&world.store, world.now);
        let share = context.defences.share_address;
        let tries = (0..FLOODERS).flat_map(|number| [flooder(number); 200]);
        tries
            .filter(|who| share(&mut context, sharing, (*who, Peer::loopback()), 1).is_ok())
            .count()
    }

    /// A minute in which a bystander does this every three seconds, and forty keys at its address whatever they can: how
    /// often it is refused.
    fn disturbed(defences: Defences, sharing: Sharing) -> usize {
        let mut world = world(defences);
        let bystander = world.guest(1);
        let step = |_: &usize| {
            flood(&mut world, sharing);
            world.wait(if sharing == Sharing::List { 6_000 } else { 3_000 });
            flood(&mut world, sharing);
            let mut context = world.server.context(&world.store, world.now);
            let asks = (bystander.id(), Peer::loopback());
            (defences.share_address)(&mut context, sharing, asks, 1).is_err()
        };
        (0..20).filter(step).count()
    }

    #[test]
    fn a_neighbour_s_flood_is_no_bystander_s() {
        let unsound = Defences { share_address: by_address_alone, ..SOUND };
        for sharing in [Sharing::Hello, Sharing::Say, Sharing::List] {
            assert_eq!(disturbed(SOUND, sharing), 0, "{sharing:?}");
            assert_eq!(disturbed(unsound, sharing), 20, "{sharing:?}");
        }
    }

    /// What a flood gets: the reserve of each key and what the address has for all.
    #[test]
    fn many_keys_get_no_more_than_many_people() {
        let check = |sharing, at_once: usize, in_a_minute: usize| {
            let mut world = world(SOUND);
            assert_eq!(flood(&mut world, sharing), at_once, "{sharing:?}");
            world.wait(60_000);
            assert_eq!(flood(&mut world, sharing), in_a_minute, "{sharing:?}");
        };
        let keys = usize::from(FLOODERS);
        check(Sharing::Hello, 1_000, 300);
        check(Sharing::Say, 20 * keys + 2_000, 20 * keys + 2_000);
        check(Sharing::List, 20 * keys + 1_000, 12 * keys + 1_000);
    }

    /// A key that comes back is no new one; one that was never here may have to wait, and one that went long ago.
    #[test]
    fn new_keys_alone_wait_for_each_other() {
        let mut world = world(SOUND);
        let mut bystander = world.guest(1);
        let gone = world.guest(2);
        world.server.guest_gone(gone.connection);
        flood(&mut world, Sharing::Hello);
        let come = |world: &mut World, guest: &mut Guest| {
            let come = world.come(guest, Peer::loopback());
            world.server.guest_gone(guest.connection);
            come
        };
        assert_eq!(come(&mut world, &mut bystander), Ok(()));
        assert_eq!(come(&mut world, &mut Guest::new(2)), Ok(()));
        let new = Err(crate::GuestRefused::TooOften);
        assert_eq!(come(&mut world, &mut Guest::new(3)), new);
        world.wait(200);
        assert_eq!(come(&mut world, &mut Guest::new(3)), Ok(()));
    }

    #[test]
    fn one_s_own_rate_comes_first() {
        let mut world = world(SOUND);
        let mut context = world.server.context(&world.store, world.now);
        let mut check = |sharing, expected: usize| {
            let asks = (flooder(1), Peer::loopback());
            let done = (0..200).filter(|_| share_address(&mut context, sharing, asks, 1).is_ok());
            assert_eq!(done.count(), expected, "{sharing:?}");
        };
        check(Sharing::Hello, 30);
        check(Sharing::Say, 120);
        check(Sharing::List, 60);
    }
}
