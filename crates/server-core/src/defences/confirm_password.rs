//! A password is changed only by someone who has just proven the old one.
//!
//! Attack: whoever finds an unlocked screen, or steals a session token, takes the account over for good.
//! CWE-620, unverified password change.
//! Precedent: OWASP ASVS 4.0 requirement 2.1.6, which asks for the present password.

use crate::{Context, Session, limits};
use portcullis_proto::{AccountId, Code, Refusal};

/// Proof that the session's password was confirmed a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordConfirmed {
    account: AccountId,
}

impl PasswordConfirmed {
    /// Whose password.
    #[must_use]
    pub const fn account(self) -> AccountId {
        self.account
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(account: AccountId) -> Self {
        Self { account }
    }
}

/// Looks when the password was last proven in this very session.
///
/// # Errors
/// [`Code::Forbidden`] where that was never, or too long ago.
pub fn confirm_password(
    context: &Context<'_>,
    session: &Session,
) -> Result<PasswordConfirmed, Refusal> {
    let open = session.open()?;
    let fresh = |at| context.now.since(at) <= limits::CONFIRMED_MILLIS;
    if open.confirmed_at.is_some_and(fresh) {
        return Ok(PasswordConfirmed {
            account: open.account,
        });
    }
    Err(Refusal::new(
        Code::Forbidden,
        "confirm the present password first",
    ))
}
