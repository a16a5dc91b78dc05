//! A conversation as this device knows it.

use crate::encrypted::{Encrypted, Plan};
use crate::limits;
use crate::message::FilesTold;
use crate::promised::Promise;
use crate::show::Warning;
use portcullis_crypto::Hash;
use portcullis_proto::{
    AccountId, Content, ConversationId, ConversationSummary, DeviceId, Envelope, Kind, Reference,
    Seen, Timestamp,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// State of a conversation.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    pub(crate) summary: ConversationSummary,
    /// The place after which this device has read everything; 0 from the beginning.
    pub(crate) base: u64,
    /// Up to where this device has read; none before the first page.
    pub(crate) read: Option<Seen>,
    /// The chain at the last places up to there.
    pub(crate) chains: VecDeque<Seen>,
    /// The last number of each device here.
    pub(crate) numbers: BTreeMap<DeviceId, u64>,
    /// The last number of this device that was acknowledged here.
    pub(crate) own_number: u64,
    /// The last place at which an own message was acknowledged.
    pub(crate) acknowledged_at: u64,
    /// Own entries that the server says it has stored, by their places, until those are read.
    pub(crate) promised: BTreeMap<u64, Promise>,
    /// Devices whose next number may leave a gap, since it was said that something was skipped.
    pub(crate) excused: BTreeSet<DeviceId>,
    /// What an encrypted conversation needs besides; none in a channel.
    pub(crate) encrypted: Option<Encrypted>,
    /// The last messages, for those that speak of them.
    pub(crate) recent: VecDeque<Known>,
    /// Of an encrypted conversation: this device has seen it being made.
    pub(crate) saw_it_made: bool,
    /// Messages that were not looked at.
    pub(crate) unread: u64,
    /// Own messages that are not acknowledged.
    pub(crate) outbox: VecDeque<Outgoing>,
    /// A submit was not answered yet.
    pub(crate) in_flight: bool,
    /// So many at the front may have been submitted over an earlier connection, in batches that nobody
    /// remembers. They are submitted one by one, since a batch is known again only as the same batch.
    pub(crate) careful: usize,
    /// Not before this time is a refused submit made again.
    pub(crate) retry_at: Option<Timestamp>,
    /// A fetch was not answered yet.
    pub(crate) fetching: bool,
    /// Reading waits for what is known of these accounts.
    pub(crate) waits_for: BTreeSet<AccountId>,
    /// What this connection was warned of here, so that nobody is warned of it again and again.
    pub(crate) warned: Option<Warning>,
    /// Accounts that were looked up for the message after `read`, so their lists are as they are.
    pub(crate) looked_up: BTreeSet<AccountId>,
}

/// What is remembered of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    pub(crate) id: Reference,
    pub(crate) account: AccountId,
    pub(crate) deleted: bool,
    /// It offers files.
    pub(crate) offer: bool,
}

/// An own message that is not acknowledged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    /// What is said. In an encrypted conversation, where it was said from is filled in when it is
    /// encrypted.
    pub(crate) content: Content,
    /// The envelope's body, for this epoch of the conversation. In a channel it is made at once; in an
    /// encrypted conversation when it is sent, and again where the epoch has changed meanwhile.
    pub(crate) body: Option<(u64, Vec<u8>)>,
}

impl Outgoing {
    /// Whether the person sees that it waits.
    pub(crate) fn is_visible(&self) -> bool {
        match &self.content.kind {
            Kind::Mark { .. } => false,
            Kind::Step(step) => FilesTold::of(step).is_some(),
            _ => true,
        }
    }

    /// Whether something waits for it to be sent.
    fn is_owed(&self) -> bool {
        !matches!(self.content.kind, Kind::Mark { .. })
    }
}

impl std::fmt::Debug for Outgoing {
    /// Leaves out what is said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({})", self.content.id)
    }
}

impl Conversation {
    pub(crate) fn new(summary: ConversationSummary) -> Self {
        let encrypted = Encrypted::of(&summary);
        Self {
            summary,
            encrypted,
            recent: VecDeque::new(),
            saw_it_made: false,
            base: 0,
            read: None,
            chains: VecDeque::new(),
            numbers: BTreeMap::new(),
            own_number: 0,
            acknowledged_at: 0,
            promised: BTreeMap::new(),
            excused: BTreeSet::new(),
            unread: 0,
            outbox: VecDeque::new(),
            in_flight: false,
            careful: 0,
            retry_at: None,
            fetching: false,
            waits_for: BTreeSet::new(),
            warned: None,
            looked_up: BTreeSet::new(),
        }
    }

    pub(crate) const fn id(&self) -> ConversationId {
        self.summary.conversation
    }

    /// A member, or invited to be one.
    pub(crate) fn is_present(&self) -> bool {
        self.summary.role != portcullis_proto::Role::Outside
    }

    /// Present, and not the log that is read and never shown.
    pub(crate) fn is_shown(&self) -> bool {
        self.is_present() && !self.is_classroom()
    }

    /// Whether what is said can be read by keys alone, so that no part of it is left out.
    pub(crate) fn is_sealed(&self) -> bool {
        self.encrypted.is_some() || self.is_classroom()
    }

    /// Whether something is there that was not read.
    pub(crate) fn is_behind(&self) -> bool {
        self.summary.head > self.read.map_or(self.acknowledged_at, |read| read.seq)
    }

    pub(crate) const fn is_member(&self) -> bool {
        self.summary.role.is_present()
    }

    /// Entries that the server may have of this device without it knowing so.
    pub(crate) fn unacknowledged(&self) -> u64 {
        let commit = self.encrypted.as_ref().and_then(|encrypted| encrypted.commit.as_ref());
        let commits = u64::from(commit.is_some_and(|commit| !commit.acknowledged));
        self.outbox.len() as u64 + commits
    }

    /// Whether the commit of a welcome is looked for in the log.
    pub(crate) fn is_seeking(&self) -> bool {
        self.encrypted.as_ref().is_some_and(|e| e.is_hearsay() && e.seeking)
    }

    /// Whether anything that the person wanted waits to be done.
    pub(crate) fn has_unsent(&self) -> bool {
        let encrypted = self.encrypted.as_ref();
        let planned = encrypted.is_some_and(|e| e.plan != Plan::default() || e.commit.is_some());
        planned || self.outbox.iter().any(Outgoing::is_owed)
    }

    /// What keeps the conversation from rest, for `Debug`: ids, numbers and plans, nothing that was said.
    pub(crate) fn waiting(&self) -> String {
        let encrypted = self.encrypted.as_ref().map(|e| {
            let commit = e.commit.as_ref().map(|commit| (commit.epoch, commit.acknowledged));
            let claims = e.claims.len();
            format!(
                "epoch {}, {:?}, {:?}, commit {commit:?}, {claims} claims, {} tries, joining {}",
                e.epoch, e.entry, e.plan, e.tries, e.joining
            )
        });
        format!(
            "{}: {:?}, {} unsent, read {} of {}, in flight {}, fetching {}, waits for {:?}, not before {:?}; {encrypted:?}",
            self.id(),
            self.summary.role,
            self.outbox.len(),
            self.seen().seq,
            self.summary.head,
            self.in_flight,
            self.fetching,
            self.waits_for,
            self.retry_at,
        )
    }

    /// The last place that was read, or the conversation's beginning.
    pub(crate) fn seen(&self) -> Seen {
        self.read.unwrap_or_else(|| Seen { seq: 0, chain: Envelope::chain_start(self.id()) })
    }

    /// Goes on to a place.
    pub(crate) fn move_to(&mut self, place: Seen) {
        self.read = Some(place);
        self.looked_up.clear();
        self.promised.retain(|seq, _| *seq > place.seq);
        self.chains.push_back(place);
        if self.chains.len() > limits::CHAIN_MEMORY {
            self.chains.pop_front();
        }
    }

    /// The chain at a place, if it is remembered.
    pub(crate) fn chain_at(&self, seq: u64) -> Option<Hash> {
        if seq == 0 {
            return Some(Envelope::chain_start(self.id()));
        }
        let first = self.chains.front()?.seq;
        let at = usize::try_from(seq.checked_sub(first)?).ok()?;
        // Places are contiguous but where the account was not a member.
        let direct = self.chains.get(at).filter(|place| place.seq == seq);
        direct.or_else(|| self.chains.iter().find(|place| place.seq == seq)).map(|p| p.chain)
    }

    /// The last number of a device that is known here. From the beginning on none is 0; later the
    /// first one that comes is taken as it is.
    pub(crate) fn last_number(&self, device: DeviceId) -> Option<u64> {
        let known = self.numbers.get(&device).copied();
        known.or_else(|| (self.base == 0).then_some(0))
    }

    pub(crate) fn connection_lost(&mut self) {
        self.in_flight = false;
        self.careful = self.outbox.len();
        self.retry_at = None;
        self.fetching = false;
        self.waits_for.clear();
        self.warned = None;
        if let Some(encrypted) = &mut self.encrypted {
            encrypted.connection_lost();
        }
    }
}
