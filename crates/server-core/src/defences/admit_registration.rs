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
        (Registration::Invite, Some(code)) if code.len() <= limits::INVITE_BYTES => {
            context.tx.take_invite(token_hash(code.as_bytes()), context.now)?
        }
        _ => false,
    };
    admitted.then_some(RegistrationAdmitted(())).ok_or_else(closed)
}

pub(crate) fn closed() -> Refusal {
    let message = "this server takes no new accounts, or the invitation is not valid";
    Refusal::new(Code::RegistrationClosed, message)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::store::{Invite, Store as _};
    use crate::testing::{Setting, USUAL, World};

    const CODE: &str = "one two three";

    /// A server with one invitation, which serves for a second.
    fn world(registration: Registration, defences: Defences) -> World {
        let mut world = World::build(Setting { registration, defences, ..USUAL });
        let invite =
            Invite { hash: token_hash(CODE.as_bytes()), expires_at: world.now.plus_millis(1000) };
        world.operate(|store| store.put_invite(&invite));
        world
    }

    fn attack(
        registration: Registration,
        defences: Defences,
        code: Option<&str>,
        wait: u64,
    ) -> Result<(), Code> {
        let mut world = world(registration, defences);
        let before = world.trace();
        let newcomer = world.newcomer("mira", code);
        assert!(world.trace() == before, "a first step leaves no trace");
        let newcomer = newcomer.map_err(|refusal| refusal.code)?;
        world.wait(wait);
        let done = world.attempt(newcomer.person.connection, newcomer.finish);
        done.map(|_| ())
    }

    #[test]
    fn who_may_register() {
        use Registration::{Closed, Invite, Open};
        let unsound =
            Defences { admit_registration: |_, _| Ok(RegistrationAdmitted::unproven()), ..SOUND };
        let long = "x".repeat(limits::INVITE_BYTES + 1);
        let rows = [
            (Open, None, 0, true),
            (Open, Some("whatever"), 0, true),
            (Invite, Some(CODE), 999, true),
            (Invite, Some(CODE), 1000, false),
            (Invite, Some("one two four"), 0, false),
            (Invite, Some(long.as_str()), 0, false),
            (Invite, Some(""), 0, false),
            (Invite, None, 0, false),
            (Closed, None, 0, false),
            (Closed, Some(CODE), 0, false),
        ];
        for (registration, code, wait, admitted) in rows {
            let refused = Err(Code::RegistrationClosed);
            let expected = if admitted { Ok(()) } else { refused };
            let done = attack(registration, SOUND, code, wait);
            assert_eq!(done, expected, "{registration:?} {code:?}");
            if registration == Invite && code.is_some() {
                assert_eq!(attack(registration, unsound, code, wait), Ok(()));
            }
        }
    }

    /// How many of two who ask at once with one code get an account.
    fn race(defences: Defences) -> usize {
        let mut world = world(Registration::Invite, defences);
        let newcomers = ["mira", "oleg"].map(|name| world.newcomer(name, Some(CODE)).unwrap());
        let both = newcomers.map(|newcomer| (newcomer.person.connection, newcomer.finish));
        let results = world.batch(both.into());
        for refusal in results.iter().filter_map(|result| result.as_ref().err()) {
            assert_eq!(*refusal, closed());
        }
        let made = world.store.inner.accounts(None, 10).unwrap().len();
        assert_eq!(made, results.iter().filter(|result| result.is_ok()).count());
        made
    }

    #[test]
    fn one_code_makes_one_account() {
        let unsound =
            Defences { admit_registration: |_, _| Ok(RegistrationAdmitted::unproven()), ..SOUND };
        assert_eq!(race(SOUND), 1);
        assert_eq!(race(unsound), 2);
    }

    #[test]
    fn a_registration_that_fails_gives_the_code_back() {
        let mut world = world(Registration::Invite, SOUND);
        let mut newcomer = world.newcomer("mira", Some(CODE)).unwrap();
        if let portcullis_proto::Request::RegisterFinish { upload, .. } = &mut newcomer.finish {
            upload.0.pop();
        }
        let done = world.attempt(newcomer.person.connection, newcomer.finish);
        assert_eq!(done, Err(Code::Malformed));
        let newcomer = world.newcomer("oleg", Some(CODE)).unwrap();
        assert!(world.ask(newcomer.person.connection, newcomer.finish).is_ok());
    }
}
