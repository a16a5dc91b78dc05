//! Classroom guests: clients of another protocol that come in through the server's gateway. What they say to
//! everybody stands in `#lobby`; privately each of them talks to one device, in the suite `classic`.
//!
//! A guest is its key, and what its protocol can't give, nothing here adds: no forward secrecy, no message
//! that names its conversation. A private conversation is known to this device alone. What guests write
//! comes in by the log of [`ConversationId::CLASSROOM`], which is read like any other and never shown;
//! what is written to them goes out through the gateway, and no log has it.
//!
//! In a browser there are no private classroom keys, so there guests can't be written to and what they
//! write privately is not read; what they say to everybody is verified all the same.

mod cards;
mod key;
mod read;
mod record;
mod send;
mod talk;

pub(crate) use self::key::OwnKey;
pub(crate) use self::read::said;
pub(crate) use self::record::{read_own, read_talk, write_own, write_talk};
pub(crate) use self::send::may_say;
pub(crate) use self::talk::Talk;

use self::cards::{Card, Listing};
use self::key::Published;
use crate::event::JobId;
use portcullis_proto::{AccountId, GuestName, Reference};
use std::collections::{BTreeMap, BTreeSet};

/// How the suite is called beside a conversation's name.
const SUITE: &str = "classic";

/// What is known of guests, and of this device's key for them.
#[derive(Default)]
pub(crate) struct Classic {
    /// This device's key, once it is made.
    pub(crate) own: Option<OwnKey>,
    /// The last place that was given to an entry of a conversation with a guest: one count for all, so
    /// that none is given twice, whatever conversation was closed meanwhile.
    pub(crate) place: u64,
    /// The conversations, by the guest.
    pub(crate) talks: BTreeMap<AccountId, Talk>,
    /// What was shown of guests, by the hash of what was signed and its signature. Their counters begin
    /// anew with every connection, and whoever wrote the log may write it anew: nothing but the whole of
    /// it tells a replay. It takes less than the messages that are kept for it anyway.
    pub(crate) seen: BTreeSet<Reference>,
    /// The key is being made.
    making: Option<JobId>,
    /// There are no such keys here.
    unavailable: bool,
    /// Whether guests can know the key, in this session.
    published: Published,
    /// The guests that are here, as far as this session has looked.
    cards: BTreeMap<AccountId, Card>,
    /// A look that is under way.
    listing: Option<Listing>,
    /// A person has looked for guests in this session, and so wants to hear who comes and goes.
    looked: bool,
    /// What is to be said to guests that are looked up first.
    wanted: Vec<(GuestName, String)>,
}

impl Classic {
    /// Whether anything waits to be said.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.wanted.is_empty() || self.talks.values().any(|talk| !talk.outbox.is_empty())
    }

    /// What was under way over a connection is so no longer.
    pub(crate) fn connection_lost(&mut self) {
        self.published = Published::No;
        self.cards.clear();
        self.looked = false;
        self.listing = None;
        for talk in self.talks.values_mut() {
            talk.in_flight = false;
            talk.retry_at = None;
        }
    }
}
