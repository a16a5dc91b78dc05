//! What a client wants done.

use crate::event::JobId;
use crate::show::Show;
use crate::transfer::Assignment;
use portcullis_crypto::Job;
use portcullis_mls::RecordKey;
use portcullis_proto::{AccountId, ConversationId, DeviceId, Reference, TransferId};
use std::fmt;
use zeroize::Zeroizing;

/// One thing to do. A shell does them in the order in which they come, and completes a `Persist`
/// before the next.
#[must_use]
pub enum Effect {
    /// Make these writes durable, all or none. At most one an event, and always the first effect.
    Persist(Vec<Write>),
    /// Send a text frame.
    Send(String),
    /// Move the bytes of files, and bring what came of it back as [`crate::Event::Moved`].
    Transfer(Box<Assignment>),
    /// Have slow work done, and bring the outcome back.
    Work(JobId, Box<Job>),
    /// Show something.
    Show(Show),
    /// Close the connection; come back if the person has not gone.
    Disconnect,
}

/// All that an event leads to, in order.
pub type Effects = Vec<Effect>;

impl fmt::Debug for Effect {
    /// Frames carry tokens and invitation codes, so only their length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Persist(writes) => f.debug_tuple("Persist").field(writes).finish(),
            Self::Send(frame) => write!(f, "Send({} bytes)", frame.len()),
            Self::Transfer(assignment) => f.debug_tuple("Transfer").field(assignment).finish(),
            Self::Work(id, job) => f.debug_tuple("Work").field(id).field(job).finish(),
            Self::Show(show) => f.debug_tuple("Show").field(show).finish(),
            Self::Disconnect => f.write_str("Disconnect"),
        }
    }
}

/// A change of the local store.
pub struct Write {
    /// Which record.
    pub key: Key,
    /// Its new value, to be sealed; none to remove it.
    pub value: Option<Zeroizing<Vec<u8>>>,
}

impl fmt::Debug for Write {
    /// A record may hold the device's key and its token, so only its length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "Write({:?}, {} bytes)", self.key, value.len()),
            None => write!(f, "Write({:?}, removed)", self.key),
        }
    }
}

/// Which record of the local store. A client is restored from them in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// The account and this device.
    Account,
    /// What is known of an account.
    Person(AccountId),
    /// A conversation's state.
    Conversation(ConversationId),
    /// The last number of a device in a conversation.
    Number(ConversationId, DeviceId),
    /// How far the inbox was read.
    Inbox,
    /// A record of the keys of encrypted conversations.
    Mls(RecordKey),
    /// What waits to be sent in a conversation.
    Outbox(ConversationId),
    /// This device's key for classroom guests.
    Classic,
    /// A conversation with a guest, and what waits in it.
    Guest(AccountId),
    /// Something of a guest was shown: a hash of what was signed and its signature.
    GuestSeen(Reference),
    /// A transfer of files.
    Transfer(TransferId),
    /// A message; written, never read back by the core.
    Message(ConversationId, u64),
}

/// What an event has led to so far.
#[derive(Default)]
pub(crate) struct Gathered {
    pub(crate) messages: Vec<Write>,
    pub(crate) sends: Vec<String>,
    pub(crate) transfers: Vec<Assignment>,
    pub(crate) works: Vec<(JobId, Box<Job>)>,
    pub(crate) shows: Vec<Show>,
    pub(crate) disconnect: bool,
}

impl Gathered {
    /// In the stated order.
    pub(crate) fn into_effects(self, mut writes: Vec<Write>) -> Effects {
        writes.extend(self.messages);
        let persist = (!writes.is_empty()).then_some(Effect::Persist(writes));
        let mut effects: Effects = persist.into_iter().collect();
        effects.extend(self.sends.into_iter().map(Effect::Send));
        effects.extend(self.transfers.into_iter().map(Box::new).map(Effect::Transfer));
        effects.extend(self.works.into_iter().map(|(id, job)| Effect::Work(id, job)));
        effects.extend(self.shows.into_iter().map(Effect::Show));
        effects.extend(self.disconnect.then_some(Effect::Disconnect));
        effects
    }
}
