//! Key packages are handed out sparingly: nobody empties another's stock.
//!
//! Attack: somebody takes the key packages of a device until only the last resort is left, which then
//! serves every conversation that the device is added to, and whose loss opens the welcomes of them all.
//! CWE-770, allocation of resources without limits or throttling.
//! Precedent: RFC 9750 section 5.1 and RFC 9420 section 16.8: exhaustion of key packages, and rates by
//! requester against it.

use crate::store::Account;
use crate::{Context, Rate, RateKey};
use portcullis_proto::{AccountId, Code, Refusal};

/// Proof that key packages of an account may be handed out now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayClaim {
    account: Account,
}

impl MayClaim {
    /// Whose.
    #[must_use]
    pub const fn account(&self) -> &Account {
        &self.account
    }

    /// For the range's unsound twins: without counting.
    #[must_use]
    pub const fn unproven(account: Account) -> Self {
        Self { account }
    }
}

/// Counts what one account takes of another.
///
/// # Errors
/// [`Code::RateLimited`], with the time to wait; [`Code::NotFound`] where there is no such account.
pub fn may_claim(
    context: &mut Context<'_>,
    claimer: AccountId,
    account: AccountId,
) -> Result<MayClaim, Refusal> {
    let rate = (Rate::Claim, RateKey::Between(claimer, account));
    (context.defences.admit_rate)(context, rate, 1)?;
    let account = context.tx.account(account)?;
    let account =
        account.ok_or_else(|| Refusal::new(Code::NotFound, "there is no such account"))?;
    Ok(MayClaim { account })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::store::Store as _;
    use crate::testing::{Person, Setting, USUAL, World};
    use portcullis_proto::{Reply, Request, limits};

    /// The world with mira, whose device has all the key packages that it may have, and others.
    fn world(defences: Defences) -> (World, Person, [Person; 2]) {
        let mut world = World::build(Setting { defences, rate_factor: 1, ..USUAL });
        let [mira, oleg, nina] = ["mira", "oleg", "nina"].map(|name| world.person(name));
        world.upload(&mira, limits::KEY_PACKAGES as u8 - 1, 100);
        world.upload_last_resort(&mira, 200, 100);
        (world, mira, [oleg, nina])
    }

    fn claim(world: &mut World, who: &Person, whom: &Person) -> Result<usize, Code> {
        let request = Request::ClaimKeyPackages { account: whom.account };
        match world.attempt(who.connection, request)? {
            Reply::KeyPackages { packages } => Ok(packages.len()),
            other => panic!("{other:?}"),
        }
    }

    /// Oleg takes what he can; what mira's device has left of it.
    fn attack(defences: Defences) -> u32 {
        let (mut world, mira, [oleg, _]) = world(defences);
        for _ in 0..100 {
            let _ = claim(&mut world, &oleg, &mira);
        }
        world.store.inner.stock(mira.device, world.now).unwrap().left
    }

    #[test]
    fn nobody_empties_anothers_stock() {
        let uncounted = Defences {
            may_claim: |context, _, account| {
                let account = context.tx.account(account)?;
                let none = || Refusal::new(Code::NotFound, "there is no such account");
                Ok(MayClaim::unproven(account.ok_or_else(none)?))
            },
            ..SOUND
        };
        assert_eq!(attack(SOUND), 43);
        assert_eq!(attack(uncounted), 0);
    }

    #[test]
    fn whoever_takes_too_many_stops_nobody_else() {
        let (mut world, mira, [oleg, nina]) = world(SOUND);
        for _ in 0..20 {
            assert_eq!(claim(&mut world, &oleg, &mira), Ok(1));
        }
        assert_eq!(claim(&mut world, &oleg, &mira), Err(Code::RateLimited));
        assert_eq!(claim(&mut world, &nina, &mira), Ok(1));
        assert_eq!(claim(&mut world, &oleg, &nina), Ok(1));
        world.wait(60_000);
        assert_eq!(claim(&mut world, &oleg, &mira), Ok(1));
        assert_eq!(claim(&mut world, &oleg, &mira), Err(Code::RateLimited));
    }
}
