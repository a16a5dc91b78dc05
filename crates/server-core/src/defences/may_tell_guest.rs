//! A guest is written to only by who can be answered: by a device whose own key it finds in the list, of an account
//! that allows guests, and not too often.
//!
//! Attack: a device has something sent to a guest that another has signed, or floods one guest, which has no way
//! to refuse; or somebody writes who has shut guests out, and answers go nowhere.
//! CWE-290, authentication bypass by spoofing; CWE-862; CWE-770.
//! Precedent: CVE-2017-5589 (XMPP message carbons: words in another's name).

use crate::defences::Sender;
use crate::store::StoreError;
use crate::{ConnectionId, Context, Rate, RateKey};
use portcullis_crypto::ClassicPublic;
use portcullis_proto::{AccountId, Code, ConversationId, Refusal};

/// Proof that a device may say something to a guest, where that guest is, and by which key the guest knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayTellGuest {
    connections: Vec<ConnectionId>,
    key: ClassicPublic,
}

impl MayTellGuest {
    /// Where the guest is, and the key by which what it is told has to be signed.
    #[must_use]
    pub fn into_parts(self) -> (Vec<ConnectionId>, ClassicPublic) {
        (self.connections, self.key)
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(connections: Vec<ConnectionId>, key: ClassicPublic) -> Self {
        Self { connections, key }
    }
}

/// Looks up whether the account allows guests, the device's key, and where the guest is.
///
/// # Errors
/// [`Code::Forbidden`] for an account that allows no guests, and for a device without a key;
/// [`Code::NotFound`] where the guest has left; [`Code::RateLimited`].
pub fn may_tell_guest(
    context: &mut Context<'_>,
    sender: Sender,
    guest: AccountId,
) -> Result<MayTellGuest, Refusal> {
    let rate = (Rate::Tell, RateKey::Between(sender.account(), guest));
    (context.defences.admit_rate)(context, rate, 1)?;
    let membership = context.tx.membership(sender.account(), ConversationId::CLASSROOM)?;
    if !membership.is_some_and(|membership| membership.role.is_present()) {
        let message = "this account allows no guests, who so couldn't answer";
        return Err(Refusal::new(Code::Forbidden, message));
    }
    let no_key = || Refusal::new(Code::Forbidden, "this device has published no key for guests");
    let key = context.tx.classic_key(sender.device())?.ok_or_else(no_key)?;
    let key = ClassicPublic::from_spki(&key).map_err(|_| StoreError::Corrupt)?;
    let left = || Refusal::new(Code::NotFound, "this guest has left");
    let connections = context.guests.reach(guest).ok_or_else(left)?;
    Ok(MayTellGuest { connections, key })
}
