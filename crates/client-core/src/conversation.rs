//! A conversation as this device knows it.

use crate::limits;
use crate::show::{ConversationView, Warning};
use portcullis_crypto::Hash;
use portcullis_proto::{
    AccountId, ConversationId, ConversationSummary, DeviceId, Envelope, Reference, Role, Seen,
    Timestamp,
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
    /// Devices whose next number may leave a gap, since it was said that something was skipped.
    pub(crate) excused: BTreeSet<DeviceId>,
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
    /// Reading waits for what is known of this account.
    pub(crate) waits_for: Option<AccountId>,
    /// What this connection was warned of here, so that nobody is warned of it again and again.
    pub(crate) warned: Option<Warning>,
    /// The account was looked up for the message after `read`, so its lists are as they are.
    pub(crate) looked_up: bool,
}

/// An own message that is not acknowledged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Outgoing {
    pub(crate) id: Reference,
    pub(crate) text: String,
    pub(crate) at: Timestamp,
    pub(crate) body: Vec<u8>,
}

impl std::fmt::Debug for Outgoing {
    /// Leaves out what is said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({}, {} bytes)", self.id, self.text.len())
    }
}

impl Conversation {
    pub(crate) fn new(summary: ConversationSummary) -> Self {
        Self {
            summary,
            base: 0,
            read: None,
            chains: VecDeque::new(),
            numbers: BTreeMap::new(),
            own_number: 0,
            acknowledged_at: 0,
            excused: BTreeSet::new(),
            unread: 0,
            outbox: VecDeque::new(),
            in_flight: false,
            careful: 0,
            retry_at: None,
            fetching: false,
            waits_for: None,
            warned: None,
            looked_up: false,
        }
    }

    pub(crate) const fn id(&self) -> ConversationId {
        self.summary.conversation
    }

    /// A member, or invited to be one.
    pub(crate) fn is_present(&self) -> bool {
        self.summary.role != Role::Outside
    }

    /// Whether something is there that was not read.
    pub(crate) fn is_behind(&self) -> bool {
        self.summary.head > self.read.map_or(self.acknowledged_at, |read| read.seq)
    }

    pub(crate) fn view(&self) -> ConversationView {
        ConversationView::of(&self.summary, self.unread)
    }

    pub(crate) const fn is_member(&self) -> bool {
        matches!(self.summary.role, Role::Owner | Role::Member)
    }

    /// The last place that was read, or the conversation's beginning.
    pub(crate) fn seen(&self) -> Seen {
        self.read.unwrap_or_else(|| Seen { seq: 0, chain: Envelope::chain_start(self.id()) })
    }

    /// Goes on to a place.
    pub(crate) fn move_to(&mut self, place: Seen) {
        self.read = Some(place);
        self.looked_up = false;
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
        self.waits_for = None;
        self.warned = None;
    }
}
