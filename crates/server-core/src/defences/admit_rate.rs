//! Nobody asks more often than people and well-behaved programs do.
//!
//! Attack: passwords are guessed by the thousand, or one client's flood starves all others.
//! CWE-307, improper restriction of excessive authentication attempts; CWE-770.
//! Precedent: OWASP API4:2023, unrestricted resource consumption; RFC 9807 section 10.8 leaves online
//! guessing to rate limits.

use crate::{Context, Rate, RateKey};
use portcullis_proto::Refusal;

/// Proof that the request was counted and is within its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateAdmitted(());

impl RateAdmitted {
    /// For the range's unsound twins: without counting.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Takes the request's tokens.
///
/// # Errors
/// [`portcullis_proto::Code::RateLimited`], with the time to wait.
pub fn admit_rate(
    context: &mut Context<'_>,
    key: (Rate, RateKey),
    cost: u32,
) -> Result<RateAdmitted, Refusal> {
    let (now, factor) = (context.now, context.instance.rate_factor);
    context
        .limits
        .take(key, cost, factor, now)
        .map_err(Refusal::rate_limited)?;
    Ok(RateAdmitted(()))
}
