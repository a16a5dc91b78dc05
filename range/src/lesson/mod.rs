//! What lessons need and the chat has no counterpart of: a small suite of symmetric encryption for a group,
//! never offered by the chat, and a desk with invitations, profiles, an operator's page and a log.
//!
//! As in the chat's cores, each decision is a field of a struct of plain functions; those here are sound,
//! and a flaw changes one. Leaves out who says what when: that is told by the flaws.

mod actor;
mod books;
mod desk;
mod frame;
mod note;
mod suite;

pub use actor::{Act, Actor, Cue, Script};
pub(crate) use actor::{Did, With};
pub use books::{
    Claim, Entry, Invites, NoSuchField, Page, Profile, Staff, Step, admit, claim, trace, update,
};
pub use desk::{Desk, Out, Record};
pub use frame::{Header, Kind, Request, Sealed};
pub use note::{Note, Opened, Receipt, authenticates, decrypt, open_note, seal_note};
pub use suite::{
    Key, Nonce, Numbers, Removal, bound, mac, next_key, open_word, order_tag, pad, same,
    take_number, turn, unpad,
};

use serde_json::{Map, Value};

/// Every decision of the suite and of the desk.
#[derive(Debug, Clone, Copy)]
pub struct Defences {
    /// Hides how long a text is.
    pub pad: fn(&[u8]) -> Vec<u8>,
    /// Binds a message to who says it and where.
    pub bound: fn(&Header) -> Vec<u8>,
    /// Gives each message a number of its own under one key.
    pub take_number: fn(&Numbers) -> u64,
    /// Shuts out whoever has left.
    pub next_key: fn(&Removal) -> Key,
    /// Proves that an order was not altered.
    pub order_tag: fn(&Key, &Header, &Nonce, &[u8]) -> Vec<u8>,
    /// Opens a note, and says of one that can't be opened no more than that.
    pub open_note: fn(&Key, &Note) -> Opened,
    /// Lets one person in by one invitation.
    pub claim: fn(&mut Invites, &Claim) -> Step,
    /// Changes of a profile what is its owner's to change.
    pub update: fn(&mut Profile, &Map<String, Value>) -> Result<(), NoSuchField>,
    /// Lets operators see their page.
    pub admit: fn(&Staff, &str, &str) -> Option<Page>,
    /// Names a line of the log without saying what was in it.
    pub trace: fn(&Entry<'_>) -> String,
}

/// The sound ones.
pub const SOUND: Defences = Defences {
    pad,
    bound,
    take_number,
    next_key,
    order_tag,
    open_note,
    claim,
    update,
    admit,
    trace,
};
