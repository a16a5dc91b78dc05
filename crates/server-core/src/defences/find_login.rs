//! A login with an unknown name looks like any other: the same path, the same sizes, the same costs.
//!
//! Attack: names are tried one by one, and an early or different answer tells which of them exist.
//! CWE-204, observable response discrepancy; CWE-208, observable timing discrepancy.
//! Precedent: CVE-2018-15473 (OpenSSH).

use crate::Context;
use crate::store::Account;
use portcullis_crypto::{PasswordRecord, Stretch};
use portcullis_proto::{Code, Refusal, UserName};

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
    let account = context.tx.account_by_name(name)?;
    let stretch = account
        .as_ref()
        .map_or(context.instance.stretch, |a| a.login.stretch);
    let record = account
        .as_ref()
        .map(|account| PasswordRecord::parse(&account.login.record));
    let record = record
        .transpose()
        .map_err(|_| Refusal::new(Code::Unavailable, "this account's login record is damaged"))?;
    Ok(LoginTarget {
        account,
        record,
        stretch,
    })
}
