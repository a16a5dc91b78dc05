//! A device list is stored only if its account's identity key signed it and it follows the one before.
//!
//! Attack: somebody with a session, or a confused client, overwrites the list: a stranger's device is
//! added, a revoked one comes back, two devices publish at once and one of them vanishes.
//! CWE-345, insufficient verification of data authenticity.
//! Precedent: CVE-2022-39250 (Matrix SDKs: keys accepted without the chain of signatures).

use crate::Context;
use crate::store::Account;
use portcullis_proto::{BadList, Code, DeviceList, ListRecord, Refusal, SignedList, Successor};

/// Proof that a list may be stored as the account's newest.
#[derive(Debug, Clone)]
pub struct ListAccepted {
    list: ListRecord,
    before: Option<DeviceList>,
}

impl ListAccepted {
    /// The list.
    #[must_use]
    pub const fn list(&self) -> &DeviceList {
        self.list.list()
    }

    /// The list that it follows.
    #[must_use]
    pub const fn before(&self) -> Option<&DeviceList> {
        self.before.as_ref()
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(list: ListRecord, before: Option<DeviceList>) -> Self {
        Self { list, before }
    }
}

/// Verifies the list against the account's identity key and its newest stored list. The server checks
/// this for its own order; the clients check it again for themselves.
///
/// # Errors
/// [`Code::ListRefused`], with the reason.
pub fn accept_list(
    context: &Context<'_>,
    account: &Account,
    signed: &SignedList,
) -> Result<ListAccepted, Refusal> {
    let list = signed
        .open(account.id, &account.identity)
        .map_err(refused)?;
    let Some(newest) = context.tx.newest_list(account.id)? else {
        let first = list.list().version == 1;
        return first
            .then_some(ListAccepted { list, before: None })
            .ok_or_else(|| refused(BadList::Skips));
    };
    let newest = newest
        .signed
        .open(account.id, &account.identity)
        .map_err(refused)?;
    match newest.followed_by(&list).map_err(refused)? {
        Successor::Next => Ok(ListAccepted {
            list,
            before: Some(newest.list().clone()),
        }),
        Successor::Same => Err(refused(BadList::Older)),
    }
}

fn refused(reason: BadList) -> Refusal {
    Refusal::new(Code::ListRefused, reason.to_string())
}
