//! Every security decision that the client makes: one file a defence, with the attack that it stops and
//! its test. The server is not trusted here; it may lie about everything.

mod accept_identity;
mod accept_list;
mod accept_number;
mod accept_page;
mod accept_stretching;
mod is_restored;
mod open_channel;
mod same_log;

pub use accept_identity::{Contact, Pinned, accept_identity};
pub use accept_list::{ListTaken, accept_list};
pub use accept_number::{Numbered, accept_number};
pub use accept_page::{PageAccepted, accept_page};
pub use accept_stretching::accept_stretching;
pub use is_restored::is_restored;
pub use open_channel::{OpenError, Received, open_channel};
pub use same_log::same_log;

use crate::Warning;
use portcullis_crypto::{AuthPublic, Hash, IdentityPublic, Stretch};
use portcullis_proto::{
    AccountCard, AccountId, BadList, ConversationId, Envelope, Fetched, ListRecord, Seen,
    SignedList, Stretching,
};

/// Every security decision the client makes, each replaceable, all sound in production.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field's function says what it decides")]
#[rustfmt::skip]
pub struct Defences {
    pub accept_identity: fn(&Pinned, &AccountCard) -> Contact,
    pub accept_list: fn(AccountId, &IdentityPublic, Option<&ListRecord>, &SignedList) -> Result<ListTaken, BadList>,
    pub accept_number: fn(Option<u64>, u64) -> Numbered,
    pub accept_page: fn(ConversationId, Option<Seen>, &Fetched) -> Result<PageAccepted, Warning>,
    pub accept_stretching: fn(Stretching, Stretch) -> Option<Stretch>,
    pub is_restored: fn(u64, u64, u64) -> bool,
    pub open_channel: fn(&Envelope, Option<&AuthPublic>) -> Result<Received, OpenError>,
    pub same_log: fn(Option<Hash>, Seen, u64) -> bool,
}

/// The sound ones: the only value that the shipped client is built from.
pub const SOUND: Defences = Defences {
    accept_identity,
    accept_list,
    accept_number,
    accept_page,
    accept_stretching,
    is_restored,
    open_channel,
    same_log,
};
