//! A login with an unknown name looks like any other: the same path, the same sizes, the same costs.
//!
//! Attack: names are tried one by one, and an early or different answer tells which of them exist.
//! CWE-204, observable response discrepancy; CWE-208, observable timing discrepancy.
//! Precedent: CVE-2018-15473 (OpenSSH).

use crate::Context;
use crate::store::Account;
use portcullis_crypto::{PasswordRecord, Stretch};
use portcullis_proto::{AccountId, Code, Refusal, UserName};

/// What a login runs against.
#[derive(Debug)]
pub struct LoginTarget {
    account: Option<Account>,
    record: Option<PasswordRecord>,
    stretch: Stretch,
}

impl LoginTarget {
    /// The account, where there is one.
    #[must_use]
    pub const fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    /// Its record; OPAQUE makes a fake one where there is none (RFC 9807 section 10.9).
    #[must_use]
    pub const fn record(&self) -> Option<&PasswordRecord> {
        self.record.as_ref()
    }

    /// How the password is stretched.
    #[must_use]
    pub const fn stretch(&self) -> Stretch {
        self.stretch
    }
}

/// Looks the account up; an unknown name goes on with what a new account would have.
///
/// # Errors
/// [`Code::Unavailable`] where the store fails or the record is damaged.
pub fn find_login(context: &Context<'_>, name: &UserName) -> Result<LoginTarget, Refusal> {
    // Nobody logs in as what stands for classroom guests: to whoever tries, the name is unknown.
    let account = context.tx.account_by_name(name)?.filter(|a| a.id != AccountId::GATEWAY);
    let stretch = account.as_ref().map_or(context.instance.stretch, |a| a.login.stretch);
    let record = account.as_ref().map(|account| PasswordRecord::parse(&account.login.record));
    let record = record
        .transpose()
        .map_err(|_| Refusal::new(Code::Unavailable, "this account's login record is damaged"))?;
    Ok(LoginTarget { account, record, stretch })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{World, user};
    use portcullis_crypto::{ClientLogin, Password};
    use portcullis_proto::{Bytes, Reply, Request};

    /// All that somebody sees who tries a name with a wrong password; of random bytes their number.
    fn seen(world: &mut World, name: &str) -> Vec<String> {
        let (connection, before) = (world.connect(), world.trace());
        let password = Password::new("guess".into());
        let (_, request) = ClientLogin::start(&password, &mut world.rng).unwrap();
        let start = Request::LoginStart { name: user(name), request: Bytes(request) };
        let finish = Request::LoginFinish { finalization: Bytes(vec![7; 64]) };
        let mut seen = Vec::new();
        for request in [start, finish.clone(), finish] {
            seen.push(match world.ask(connection, request) {
                Ok(Reply::LoginChallenge { response, stretching }) => {
                    format!("{} {stretching:?}", response.as_slice().len())
                }
                other => format!("{other:?}"),
            });
        }
        assert!(world.trace() == before, "a failed login left a trace");
        seen
    }

    /// Whether the answers tell a name that exists from one that does not.
    fn tells(defences: Defences) -> bool {
        let mut world = World::with(defences);
        world.person("mira");
        seen(&mut world, "mira") != seen(&mut world, "oleg")
    }

    fn hasty(context: &Context<'_>, name: &UserName) -> Result<LoginTarget, Refusal> {
        let unknown = || Refusal::new(Code::LoginFailed, "there is no such user");
        context.tx.account_by_name(name)?.ok_or_else(unknown)?;
        find_login(context, name)
    }

    #[test]
    fn an_unknown_name_looks_like_a_wrong_password() {
        assert!(!tells(SOUND));
        assert!(tells(Defences { find_login: hasty, ..SOUND }));
    }

    #[test]
    fn what_is_seen_is_one_challenge_and_one_refusal() {
        let mut world = World::new();
        let seen = seen(&mut world, "oleg");
        assert_eq!(seen[0], "320 Stretching { memory_kib: 8, passes: 1, lanes: 1 }");
        assert!(seen[1].contains("LoginFailed"), "{}", seen[1]);
        assert!(seen[2].contains("NotNow"), "{}", seen[2]);
    }

    #[test]
    fn a_disabled_account_is_named_only_to_who_has_its_password() {
        let mut world = World::new();
        let mira = world.person("mira");
        world.operate(|store| {
            use crate::store::Store as _;
            store.set_disabled(mira.account, true)
        });
        let mut check = |password: &str, expected: Code| {
            let connection = world.connect();
            let tried = world.log_in(connection, "mira", password);
            assert_eq!(tried.unwrap_err().code, expected);
        };
        check("guess", Code::LoginFailed);
        check(&mira.password, Code::Forbidden);
    }
}
