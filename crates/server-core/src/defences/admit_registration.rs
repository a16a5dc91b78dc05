//! Who may make an account: everyone, whoever holds an unused invitation, or nobody.
//!
//! Attack: a stranger registers on a team's server, or one invitation code makes many accounts.
//! CWE-284, improper access control; CWE-367 where a code is checked first and marked later.
//! Precedent: CVE-2022-24751 (Zulip) and CVE-2024-1949 (Mattermost), both races of check and mark.

use crate::defences::token_hash;
use crate::{Context, Registration};
use portcullis_proto::{Code, Refusal, limits};

/// Proof that an account may be made, and that the invitation, if one was needed, is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegistrationAdmitted(());

impl RegistrationAdmitted {
    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven() -> Self {
        Self(())
    }
}

/// Takes the invitation out of the store, in the transaction that makes the account: so a code makes
/// one account, however many ask at once.
///
/// # Errors
/// [`Code::RegistrationClosed`], alike for all reasons.
pub fn admit_registration(
    context: &Context<'_>,
    invite: Option<&str>,
) -> Result<RegistrationAdmitted, Refusal> {
    let admitted = match (context.instance.registration, invite) {
        (Registration::Open, _) => true,
        (Registration::Invite, Some(code)) if code.len() <= limits::INVITE_BYTES => context
            .tx
            .take_invite(token_hash(code.as_bytes()), context.now)?,
        _ => false,
    };
    admitted
        .then_some(RegistrationAdmitted(()))
        .ok_or_else(closed)
}

pub(crate) fn closed() -> Refusal {
    let message = "this server takes no new accounts, or the invitation is not valid";
    Refusal::new(Code::RegistrationClosed, message)
}
