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
        return Ok(PasswordConfirmed { account: open.account });
    }
    Err(Refusal::new(Code::Forbidden, "confirm the present password first"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::limits::CONFIRMED_MILLIS;
    use crate::testing::{Person, World};

    /// What happens before somebody at mira's unlocked screen asks for a new password.
    type Before = fn(&mut World, &mut Person);

    const CONFIRMED: Before = |world, mira| {
        world.confirm(mira).unwrap();
    };
    const CONFIRMED_JUST_NOW: Before = |world, mira| {
        world.confirm(mira).unwrap();
        world.wait(CONFIRMED_MILLIS);
    };
    const TOO_LONG_AGO: Before = |world, mira| {
        world.confirm(mira).unwrap();
        world.wait(CONFIRMED_MILLIS + 1);
    };
    const WRONGLY: Before = |world, mira| {
        let tried = world.log_in(mira.connection, "mira", "guess");
        assert_eq!(tried.unwrap_err().code, Code::LoginFailed);
    };
    const BEFORE_A_RESUME: Before = |world, mira| {
        world.confirm(mira).unwrap();
        world.come_back(mira).unwrap();
    };
    const ON_ANOTHER_DEVICE: Before = |world, mira| {
        let second = world.enrol(mira);
        world.confirm(&second).unwrap();
    };
    const USED_UP: Before = |world, mira| {
        world.confirm(mira).unwrap();
        world.change_password(mira, "first").unwrap();
    };

    fn attack(defences: Defences, before: Before) -> Result<(), Code> {
        let mut world = World::with(defences);
        let mut mira = world.person("mira");
        before(&mut world, &mut mira);
        let trace = world.trace();
        let changed = world.change_password(&mut mira, "taken over");
        let connection = world.connect();
        let now_good = world.log_in(connection, "mira", "taken over").is_ok();
        assert_eq!(changed.is_ok(), now_good);
        assert_eq!(changed.is_err(), world.trace() == trace);
        changed.map_err(|refusal| refusal.code)
    }

    #[test]
    fn only_a_password_just_confirmed_is_changed() {
        assert_eq!(attack(SOUND, CONFIRMED), Ok(()));
        assert_eq!(attack(SOUND, CONFIRMED_JUST_NOW), Ok(()));
        let never: Before = |_, _| {};
        let unsound = Defences {
            confirm_password: |_, session| {
                session.open().map(|open| PasswordConfirmed::unproven(open.account))
            },
            ..SOUND
        };
        for before in [never, TOO_LONG_AGO, WRONGLY, BEFORE_A_RESUME, ON_ANOTHER_DEVICE, USED_UP] {
            assert_eq!(attack(SOUND, before), Err(Code::Forbidden));
            assert_eq!(attack(unsound, before), Ok(()));
        }
    }

    #[test]
    fn nobody_confirms_with_another_accounts_password() {
        let mut world = World::new();
        let (mira, oleg) = (world.person("mira"), world.person("oleg"));
        let tried = world.log_in(mira.connection, "oleg", &oleg.password);
        assert_eq!(tried.unwrap_err().code, Code::Forbidden);
    }
}
