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
