//! The client: its state, and the one way in.

use crate::classic::{Classic, Talk};
use crate::conversation::Conversation;
use crate::defences::Defences;
use crate::effect::{Effects, Gathered, Key, Write};
use crate::encrypted::{Errand, Inbox};
use crate::event::{Event, JobId};
use crate::login::{Attempt, Link};
use crate::people::Person;
use crate::records::{self, BadRecord, Own, OwnDevice};
use crate::show::{Need, Show, Warning};
use crate::transfers::Transfer;
use portcullis_crypto::{
    IdentityKey, Job, LeafKey, Outcome, Password, Randomness, Secret, Stretch,
};
use portcullis_mls::{GroupView, Mls, RecordKey};
use portcullis_proto::{
    AccountId, ClientFrame, ConversationId, ConversationName, DeviceId, DeviceName,
    Event as ServerEvent, Reference, Refusal, Reply, Request, Seen, ServerFrame, Timestamp,
    TransferId, UserName,
};
use std::collections::{BTreeMap, BTreeSet};
use zeroize::Zeroizing;

/// What makes this client this one.
#[derive(Debug, Clone)]
pub struct Config {
    /// What a new device is called.
    pub device_name: DeviceName,
    /// The weakest stretching of a password that is accepted from a server.
    pub stretch_floor: Stretch,
    /// What is fetched of what was said before; an encrypted conversation is always read to its end.
    pub history: History,
    /// Whether others are told how far the person has looked.
    pub read_marks: bool,
    /// Whether files always go through the server, which shows nobody else this device's address.
    pub always_relay: bool,
    /// Whether the server is on this machine, so that others' devices may be there as well.
    pub loopback: bool,
    /// Single-use key packages that the server is to have for this device, at most [`limits::KEY_PACKAGES`]: as many
    /// add it while it is away before two are added with the same key.
    pub stock: usize,
}

/// How much of a conversation is fetched that this device has seen nothing of yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Nothing is fetched at all: for a program that only sends.
    None,
    /// The last so many messages.
    Last(u64),
    /// Everything that the account may read.
    All,
}

/// A client. Everything in it is either volatile or can be restored from what it had persisted.
pub struct Client {
    pub(crate) config: Config,
    pub(crate) defences: Defences,
    pub(crate) link: Link,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) password: Option<Password>,
    /// The identity key, between the confirmation of a password and its change.
    pub(crate) confirmed: Option<IdentityKey>,
    pub(crate) own: Option<Own>,
    pub(crate) people: BTreeMap<AccountId, Person>,
    pub(crate) conversations: BTreeMap<ConversationId, Conversation>,
    /// Classroom guests.
    pub(crate) classic: Classic,
    /// Transfers of files.
    pub(crate) transfers: BTreeMap<TransferId, Transfer>,
    /// How many offers of whom were declined in this session without asking anybody.
    pub(crate) declined_unasked: BTreeMap<AccountId, usize>,
    /// Those of which that is still to be said.
    pub(crate) declines: Vec<(ConversationId, Reference)>,
    /// The keys of encrypted conversations.
    pub(crate) mls: Mls,
    /// The device whose keys they are.
    keys_of: Option<DeviceId>,
    pub(crate) inbox: Inbox,
    /// What this session was warned of in the inbox last.
    pub(crate) inbox_warned: Option<Warning>,
    /// Accounts whose lists are known to be the newest, in this session.
    pub(crate) checked: BTreeSet<AccountId>,
    /// Accounts whose versions were asked for.
    pub(crate) checking: BTreeSet<AccountId>,
    /// Conversations that can be joined once these accounts are known.
    pub(crate) joins_waiting: BTreeMap<ConversationId, BTreeSet<AccountId>>,
    /// What waits for names to be looked up.
    pub(crate) errands: Vec<Errand>,
    pub(crate) pending: BTreeMap<u64, Pending>,
    /// The conversations in the pages of a list that came so far.
    pub(crate) listed: BTreeSet<ConversationId>,
    /// This session has listed all of them.
    pub(crate) all_listed: bool,
    /// How many envelopes the server has of this device, while it is more than the device knows of and
    /// the log has to tell whether they are its own.
    pub(crate) unsettled: Option<u64>,
    /// Records of keys that this home gives up.
    removed_keys: Vec<RecordKey>,
    next_request: u64,
    next_job: u64,
    pub(crate) dirty: BTreeSet<Key>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.own.as_ref().map(|own| &own.name);
        // What waits, without what it says.
        let waits = self.conversations.values().filter(|c| c.has_unsent());
        let waits: Vec<String> = waits.map(Conversation::waiting).collect();
        f.debug_struct("Client")
            .field("name", &name)
            .field("link", &self.link)
            .field("waits", &waits)
            .finish()
    }
}

/// What an event may use and adds to: the time, randomness, and the effects so far.
pub(crate) struct Step<'a> {
    pub(crate) now: Timestamp,
    pub(crate) rng: &'a mut dyn Randomness,
    pub(crate) out: Gathered,
}

/// What a request was made for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pending {
    /// A step of a login or registration, or of a confirmation.
    Login,
    /// The list of conversations.
    Conversations,
    /// A page of a conversation.
    Fetch(ConversationId),
    /// A page of the inbox.
    Inbox,
    /// Own messages.
    Submit(ConversationId, Vec<Reference>),
    /// An own commit.
    Commit(ConversationId, Reference),
    /// Key packages of an account, for a conversation.
    Claim(ConversationId, AccountId),
    /// Own key packages.
    Upload,
    /// The public state of a conversation, to join it.
    GroupInfo(ConversationId),
    /// The versions of these accounts' lists.
    Versions(Vec<AccountId>),
    /// An account by its name, for an errand.
    Errand(UserName),
    /// An account's lists, after this version.
    Account(AccountId, u64),
    /// The same by name, for the safety number.
    SafetyNumber(UserName, u64),
    /// A page of users.
    Users(u32),
    /// A page of guests.
    Guests,
    /// This device's key for guests.
    PublishKey,
    /// Whether guests may write to this account.
    AllowGuests(bool),
    /// A message for a guest.
    Told(AccountId, Reference),
    /// A page of channels.
    Channels,
    /// Room for a transfer's bytes.
    ReserveBlob(TransferId),
    /// A token to fetch a transfer's bytes with.
    FetchBlob(TransferId),
    /// The server needs not keep a transfer's bytes for this account.
    ReleaseBlob(TransferId),
    /// Whether the relay carries packets for a transfer.
    RelayKey(TransferId),
    /// Something whose result is one conversation.
    Enter(&'static str),
    /// Something whose result is nothing but that it was done.
    Simple(&'static str, String),
}

impl Client {
    /// A client whose home is empty.
    #[must_use]
    pub fn new(config: Config, defences: Defences) -> Self {
        Self {
            config,
            defences,
            link: Link::Offline,
            attempt: None,
            password: None,
            confirmed: None,
            own: None,
            people: BTreeMap::new(),
            conversations: BTreeMap::new(),
            classic: Classic::default(),
            transfers: BTreeMap::new(),
            declined_unasked: BTreeMap::new(),
            declines: Vec::new(),
            mls: no_keys(),
            keys_of: None,
            inbox: Inbox::default(),
            inbox_warned: None,
            checked: BTreeSet::new(),
            checking: BTreeSet::new(),
            joins_waiting: BTreeMap::new(),
            errands: Vec::new(),
            pending: BTreeMap::new(),
            listed: BTreeSet::new(),
            all_listed: false,
            unsettled: None,
            removed_keys: Vec::new(),
            next_request: 1,
            next_job: 1,
            dirty: BTreeSet::new(),
        }
    }

    /// A client from the records that an earlier one had persisted. Of messages the last
    /// [`crate::limits::CHANGEABLE`] of each conversation are of use: what speaks of them is checked
    /// against them.
    ///
    /// # Errors
    /// [`BadRecord`], with its key, for what no client wrote.
    pub fn restore<'a>(
        config: Config,
        defences: Defences,
        written: impl IntoIterator<Item = (Key, &'a [u8])>,
    ) -> Result<Self, BadRecord> {
        let mut client = Self::new(config, defences);
        let written: BTreeMap<Key, &[u8]> = written.into_iter().collect();
        for (key, value) in written {
            records::read(&mut client, key, value)?;
        }
        Ok(client)
    }

    /// The account's name, once this home has one.
    #[must_use]
    pub fn name(&self) -> Option<&UserName> {
        self.own.as_ref().map(|own| &own.name)
    }

    /// The conversation of this name, if the account is in it.
    #[must_use]
    pub fn find(&self, name: &ConversationName) -> Option<ConversationId> {
        let mut shown = self.conversations.values().filter(|c| c.is_shown());
        let mut talks = self.classic.talks.values();
        shown
            .find(|c| self.title(c) == *name)
            .map(Conversation::id)
            .or_else(|| talks.find(|talk| talk.name() == *name).map(|talk| talk.conversation))
    }

    /// What is known of the conversations, for a first screen.
    pub fn conversations(&self) -> impl Iterator<Item = crate::ConversationView> + '_ {
        let shown = self.conversations.values().filter(|c| c.is_shown()).map(|c| self.view(c));
        shown.chain(self.classic.talks.values().map(Talk::view))
    }

    /// Up to where this device has read a conversation, and the hash chain there.
    #[must_use]
    pub fn seen(&self, conversation: ConversationId) -> Option<Seen> {
        self.conversations.get(&conversation)?.read
    }

    /// The members, devices and epoch of an encrypted conversation, as this device's keys have it.
    #[must_use]
    pub fn group(&self, conversation: ConversationId) -> Option<GroupView> {
        self.mls.view(conversation)
    }

    /// Whether anything waits to be acknowledged.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.conversations.values().any(|c| c.is_member() && c.has_unsent())
            || !self.errands.is_empty()
            || self.classic.has_unsent()
    }

    /// Takes what happened in, and says what to do.
    pub fn handle(&mut self, event: Event, now: Timestamp, rng: &mut dyn Randomness) -> Effects {
        let mut step = Step { now, rng, out: Gathered::default() };
        match event {
            Event::Connected => self.link = Link::Connected,
            Event::Disconnected => self.disconnected(&mut step),
            Event::Frame(text) => {
                self.frame(&mut step, &text);
                self.settle(&mut step);
                self.settle_guests(&mut step);
            }
            Event::Worked(id, Outcome::MakeClassicKey(made)) => {
                self.classic_key_made(&mut step, id, made);
            }
            Event::Worked(id, outcome) => self.worked(&mut step, id, outcome),
            Event::Command(command) => self.command(&mut step, command),
            Event::Moved(id, moved) => self.moved(&mut step, id, moved),
            Event::Tick => {
                self.resume_inbox_later(&mut step);
                self.flush_all(&mut step);
                self.settle_guests(&mut step);
            }
        }
        self.go_on_with_transfers(&mut step);
        let writes = self.take_writes();
        step.out.into_effects(writes)
    }

    fn frame(&mut self, step: &mut Step<'_>, text: &str) {
        match ServerFrame::decode(text) {
            Ok(ServerFrame::Reply(id, reply)) => {
                if let Some(pending) = self.pending.remove(&id) {
                    self.replied(step, pending, reply);
                }
            }
            Ok(ServerFrame::Refusal(id, refusal)) => {
                if let Some(pending) = self.pending.remove(&id) {
                    self.refused(step, pending, refusal);
                }
            }
            Ok(ServerFrame::Event(event)) => self.told(step, event),
            Err(_) => {
                step.warn(None, Warning::Nonsense);
                step.out.disconnect = true;
            }
        }
    }

    fn told(&mut self, step: &mut Step<'_>, event: ServerEvent) {
        match event {
            ServerEvent::Hello { nonce, .. } => self.greeted(step, nonce),
            ServerEvent::Envelope(envelope) if self.is_inbox(envelope.conversation) => {
                self.inbox_heard(step, &envelope);
            }
            ServerEvent::Envelope(envelope) => self.heard(step, envelope),
            ServerEvent::KeyPackages(stock) => self.fill_stock(step, stock),
            ServerEvent::Conversation(summary) => self.learn_conversation(step, summary),
            ServerEvent::Left { conversation } => self.left(step, conversation),
            ServerEvent::Presence { online, offline, more } => {
                if more {
                    self.ask(step, Request::Users { after: None }, Pending::Users(0));
                }
                step.show(Show::Presence { online, offline });
            }
            ServerEvent::DeviceList { account, version } => {
                self.list_announced(step, account, version);
            }
            ServerEvent::Lagging => {
                self.checked.clear();
                self.fetch_inbox(step);
                self.list_conversations(step);
            }
            ServerEvent::Stopping => step.show(Show::Progress("the server is stopping")),
            ServerEvent::Closed { reason } => step.show(Show::Ended(reason)),
            ServerEvent::Guests { came, went, more } => {
                self.guests_moved(step, came, &went, more);
            }
            ServerEvent::Unknown => {}
        }
    }

    fn replied(&mut self, step: &mut Step<'_>, pending: Pending, reply: Reply) {
        match (pending, reply) {
            (Pending::Login, reply) => self.login_replied(step, reply),
            (Pending::Conversations, Reply::Conversations { conversations, more }) => {
                self.conversations_listed(step, conversations, more);
            }
            (Pending::Fetch(id), Reply::Fetched(page)) => self.fetched(step, id, page),
            (Pending::Submit(id, sent), Reply::Submitted { first, .. }) => {
                self.submitted(step, id, first, &sent);
            }
            (Pending::Inbox, Reply::Fetched(page)) => self.inbox_fetched(step, page),
            (Pending::Commit(id, reference), Reply::Submitted { first, .. }) => {
                self.committed(step, id, reference, first);
            }
            (Pending::Claim(id, account), Reply::KeyPackages { packages }) => {
                self.packages_claimed(step, id, account, packages);
            }
            (Pending::Upload, Reply::Done) => {}
            (Pending::GroupInfo(id), Reply::GroupInfo { epoch, group_info }) => {
                self.group_info_came(step, id, epoch, group_info.as_slice());
            }
            (Pending::Versions(accounts), Reply::ListVersions { versions }) => {
                self.versions_learned(step, &accounts, &versions);
            }
            (Pending::Errand(_), Reply::Account(card)) => {
                self.account_learned(step, None, 0, &card);
                self.errand_goes_on(step);
            }
            (Pending::Account(id, after), Reply::Account(card)) => {
                self.account_learned(step, Some(id), after, &card);
            }
            (Pending::SafetyNumber(name, after), Reply::Account(card)) => {
                self.account_learned(step, None, after, &card);
                self.show_safety_number(step, &name);
            }
            (Pending::Users(page), Reply::Users { users, more }) => {
                self.users_listed(step, page, users, more);
            }
            (Pending::Guests, Reply::Guests { guests, more }) => {
                self.guests_listed(step, &guests, more);
            }
            (Pending::PublishKey, Reply::Done) => self.key_published(),
            (Pending::AllowGuests(allow), Reply::Done) => self.guests_allowed(step, allow),
            (Pending::Told(guest, id), Reply::Done) => self.told_taken(step, guest, id),
            (Pending::ReserveBlob(id), Reply::Blob { token, .. }) => {
                self.blob_reserved(step, id, &token);
            }
            (Pending::FetchBlob(id), Reply::Blob { token, .. }) => self.blob_found(id, &token),
            (Pending::ReleaseBlob(id), Reply::Done) => self.blob_released(id),
            (Pending::RelayKey(id), Reply::RelayKey { .. }) => self.relay_decided(id, true),
            (Pending::Channels, Reply::Channels { channels, .. }) => {
                self.channels_listed(step, &channels);
            }
            (Pending::Enter(_), Reply::Conversation(summary)) => {
                let name = summary.name.as_ref().map(ToString::to_string).unwrap_or_default();
                self.learn_conversation(step, summary);
                step.show(Show::Done(format!("You are in {name}.")));
            }
            (Pending::Simple(_, done), Reply::Done) => step.show(Show::Done(done)),
            // A reply of another kind than its request has: nothing is done with it.
            _ => step.warn(None, Warning::Nonsense),
        }
    }

    fn refused(&mut self, step: &mut Step<'_>, pending: Pending, refusal: Refusal) {
        let what = match pending {
            Pending::Login => return self.login_refused(step, refusal),
            Pending::Submit(id, _) => return self.submit_refused(step, id, &refusal),
            Pending::Fetch(id) => return self.fetch_refused(step, id, refusal),
            Pending::Account(id, _) => return self.account_refused(step, id, &refusal),
            Pending::Inbox => return self.inbox_refused(step, &refusal),
            Pending::Commit(id, _) => return self.commit_refused(step, id, refusal),
            Pending::Claim(id, account) => return self.claim_refused(step, id, account, refusal),
            Pending::GroupInfo(id) => return self.group_info_refused(step, id, refusal),
            Pending::Errand(name) => return self.errand_refused(step, &name, refusal),
            Pending::Versions(accounts) => {
                self.checking.retain(|account| !accounts.contains(account));
                return;
            }
            Pending::Guests => return self.guests_refused(step, refusal),
            Pending::PublishKey => return self.key_refused(step, refusal),
            Pending::Told(guest, id) => return self.told_refused(step, guest, id, &refusal),
            Pending::ReserveBlob(id) => return self.reserve_refused(step, id, refusal),
            Pending::FetchBlob(id) => return self.fetch_blob_refused(step, id, &refusal),
            Pending::ReleaseBlob(id) => return self.release_refused(step, id, &refusal),
            // Then it goes without.
            Pending::RelayKey(id) => return self.relay_decided(id, false),
            Pending::AllowGuests(_) => "allow guests",
            Pending::Upload => "leave key packages",
            Pending::Conversations => "list conversations",
            Pending::SafetyNumber(..) => "look up this account",
            Pending::Users(_) => "list users",
            Pending::Channels => "list channels",
            Pending::Enter(what) | Pending::Simple(what, _) => what,
        };
        step.show(Show::Refused { what, refusal });
    }

    fn disconnected(&mut self, step: &mut Step<'_>) {
        self.link = Link::Offline;
        for pending in std::mem::take(&mut self.pending).into_values() {
            if let Pending::Simple(what, _) | Pending::Enter(what) = pending {
                let lost = "the connection was lost before the answer came";
                let refusal = Refusal::new(portcullis_proto::Code::Unavailable, lost);
                step.show(Show::Refused { what, refusal });
            }
        }
        for conversation in self.conversations.values_mut() {
            conversation.connection_lost();
        }
        for person in self.people.values_mut() {
            person.asked = false;
        }
        self.classic.connection_lost();
        self.transfers_disconnected();
        self.session_ended();
        self.attempt_interrupted(step);
        step.show(Show::Offline);
    }

    /// Sends a request, and remembers what it was made for.
    pub(crate) fn ask(&mut self, step: &mut Step<'_>, request: Request, pending: Pending) {
        let id = self.next_request;
        self.next_request += 1;
        self.pending.insert(id, pending);
        step.out.sends.push(ClientFrame { id, request }.encode());
    }

    /// Hands out slow work.
    pub(crate) fn work(&mut self, step: &mut Step<'_>, job: Job) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        step.out.works.push((id, Box::new(job)));
        id
    }

    /// Whether the session is open.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.link, Link::Open)
    }

    /// Says that a record has changed; it is written with the event's one `Persist`.
    pub(crate) fn touch(&mut self, key: Key) {
        self.dirty.insert(key);
    }

    /// What was known of the session is known no longer.
    fn session_ended(&mut self) {
        self.inbox = Inbox { read: self.inbox.read, ..Inbox::default() };
        self.inbox_warned = None;
        self.checked.clear();
        self.checking.clear();
        self.joins_waiting.clear();
    }

    fn is_inbox(&self, id: ConversationId) -> bool {
        self.own_device().is_some_and(|device| ConversationId::inbox(device) == id)
    }

    /// This account.
    pub(crate) fn own_account(&self) -> Option<AccountId> {
        self.own.as_ref().map(|own| own.account)
    }

    /// This device.
    pub(crate) fn own_device(&self) -> Option<DeviceId> {
        self.own.as_ref().and_then(|own| own.device.as_ref()).map(|device| device.id)
    }

    /// The keys of encrypted conversations are this device's, from the beginning.
    pub(crate) fn begin_keys(&mut self, account: AccountId, device: &OwnDevice) {
        if self.keys_of != Some(device.id) {
            self.mls.clear();
            let writes = self.mls.take_writes();
            self.removed_keys.extend(writes.into_iter().map(|(key, _)| key));
            self.mls = Mls::new(account, device.id, device.leaf.clone());
            self.keys_of = Some(device.id);
        }
    }

    pub(crate) fn need(&self) -> Need {
        if self.own.is_some() { Need::Password } else { Need::Account }
    }

    fn take_writes(&mut self) -> Vec<Write> {
        let dirty = std::mem::take(&mut self.dirty);
        let write = |key| Write { key, value: records::write(self, key).map(Zeroizing::new) };
        let mut writes: Vec<Write> = dirty.into_iter().map(write).collect();
        let removed = std::mem::take(&mut self.removed_keys).into_iter().map(|key| (key, None));
        let keys = removed.chain(self.mls.take_writes());
        writes.extend(keys.map(|(key, value)| Write { key: Key::Mls(key), value }));
        writes
    }
}

/// Before there is a device there are no conversations either, and nothing is done with these.
fn no_keys() -> Mls {
    let (account, device) = (AccountId::from_bytes([0; 16]), DeviceId::from_bytes([0; 16]));
    Mls::new(account, device, LeafKey::from_secret(&Secret::from_bytes([0; 32])))
}

impl Step<'_> {
    pub(crate) fn show(&mut self, show: Show) {
        self.out.shows.push(show);
    }

    pub(crate) fn warn(
        &mut self,
        conversation: Option<ConversationId>,
        warning: impl Into<Warning>,
    ) {
        // The log that is not shown has no place for warnings either.
        let conversation = conversation.filter(|id| *id != ConversationId::CLASSROOM);
        self.show(Show::Warning { conversation, warning: warning.into() });
    }
}

#[cfg(test)]
pub(crate) mod tests {
    /// A small seeded source of randomness for tests in this crate.
    pub(crate) fn rng(seed: u64) -> impl portcullis_crypto::Randomness {
        use rand_core::SeedableRng as _;
        rand_chacha::ChaCha8Rng::seed_from_u64(seed)
    }
}
