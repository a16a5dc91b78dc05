//! A device list counts only if the account's pinned identity key signed it and it follows the version
//! that this client has seen.
//!
//! Attack: the server invents a device for a contact, brings a revoked one back, or serves an older list
//! so that a revocation goes unnoticed.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: CVE-2022-39250 (Matrix SDKs: devices accepted that the identity never signed).

use portcullis_crypto::IdentityPublic;
use portcullis_proto::{AccountId, BadList, ListRecord, SignedList};

/// Proof that a list was verified against the identity and the version before.
#[derive(Debug, Clone)]
pub struct ListTaken {
    list: ListRecord,
}

impl ListTaken {
    /// The list.
    #[must_use]
    pub const fn list(&self) -> &ListRecord {
        &self.list
    }

    /// The list, to keep.
    #[must_use]
    pub fn into_list(self) -> ListRecord {
        self.list
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(list: ListRecord) -> Self {
        Self { list }
    }
}

/// Verifies a list; the first one that is seen has to be version 1.
///
/// # Errors
/// [`BadList`], with the reason.
pub fn accept_list(
    account: AccountId,
    identity: &IdentityPublic,
    known: Option<&ListRecord>,
    signed: &SignedList,
) -> Result<ListTaken, BadList> {
    let list = signed.open(account, identity)?;
    match known {
        None if list.list().version != 1 => return Err(BadList::Skips),
        None => {}
        Some(known) => drop(known.followed_by(&list)?),
    }
    Ok(ListTaken { list })
}
