//! Reading conversations: catching up by pages, going on by events, and verifying each envelope before
//! it is shown.
//!
//! One rule keeps the order: an envelope is taken only if it is the next after what was read. What came
//! before is ignored, and what comes later makes the client fetch from where it stands.

use crate::client::{Client, History, Pending, Step};
use crate::conversation::Conversation;
use crate::defences::{ContentOpened, Kept, Numbered, OpenError};
use crate::effect::Key;
use crate::encrypted::{Entry, Gone};
use crate::limits;
use crate::show::{Show, Warning};
use portcullis_proto::{
    AccountId, Code, ConversationId, ConversationSummary, Envelope, Fetched, Refusal, Request,
    Role, Seen, UserName,
};

use std::collections::BTreeSet;

/// What became of an envelope.
pub(crate) enum Taken {
    /// It was read, or refused for good: the next one follows.
    Read,
    /// Its author has to be looked up first.
    Waits,
}

impl Client {
    /// Asks for the account's conversations, from the first page.
    pub(crate) fn list_conversations(&mut self, step: &mut Step<'_>) {
        self.listed.clear();
        self.ask(step, Request::Conversations { after: None }, Pending::Conversations);
    }

    pub(crate) fn conversations_listed(
        &mut self,
        step: &mut Step<'_>,
        conversations: Vec<ConversationSummary>,
        more: bool,
    ) {
        let last = conversations.last().map(|summary| summary.conversation);
        for summary in conversations {
            self.learn_conversation(step, summary);
        }
        if let Some(last) = last.filter(|_| more) {
            let request = Request::Conversations { after: Some(last) };
            return self.ask(step, request, Pending::Conversations);
        }
        // What was left meanwhile, by another device, is no longer listed.
        let listed = std::mem::take(&mut self.listed);
        let known: Vec<_> = self.conversations.keys().copied().collect();
        for id in known {
            if !listed.contains(&id) && !self.is_being_made(id) {
                self.left(step, id);
            }
        }
        self.all_listed = true;
        self.show_talks(step);
        step.show(Show::Listed);
    }

    /// A conversation is there, or has changed.
    pub(crate) fn learn_conversation(&mut self, step: &mut Step<'_>, summary: ConversationSummary) {
        let id = summary.conversation;
        let head = summary.head;
        let own = self.own.as_ref().map(|own| own.account);
        let mut known = self.conversations.get(&id).map(|conversation| conversation.summary.kind);
        if known.is_some_and(|kind| kind != summary.kind) && self.forget_hearsay(id) {
            known = None;
        }
        match (self.defences.keep_kind)(own, known, &summary) {
            Ok(Kept::Kind) => {}
            Ok(Kept::Ignored) => return,
            Err(warning) => return step.warn(None, warning),
        }
        self.listed.insert(id);
        let conversation =
            self.conversations.entry(id).or_insert_with(|| Conversation::new(summary.clone()));
        let seen = conversation.seen().seq;
        conversation.summary = summary;
        self.make_way(id);
        self.touch(Key::Conversation(id));
        self.show_conversation(step, id);
        self.show_marks(step, id);
        if head < seen {
            return self.warn_once(step, id, Warning::Rewound { seen, head });
        }
        self.catch_up(step, id, head);
        self.flush(step, id);
    }

    /// The account is no longer in a conversation. What was read and numbered there is kept, and what
    /// waits to be sent: whoever comes back goes on from it, and a server that only says so can't make
    /// anyone forget.
    pub(crate) fn left(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        if id == ConversationId::LOBBY {
            return step.warn(None, Warning::Nonsense);
        }
        if conversation.is_classroom() {
            // The account is in it or not as it allows guests, and comes back to another part of it.
            self.conversations.remove(&id);
            return self.touch(Key::Conversation(id));
        }
        if conversation.summary.role == Role::Outside {
            return;
        }
        conversation.summary.role = Role::Outside;
        let fetching = conversation.fetching;
        conversation.connection_lost();
        conversation.fetching = fetching;
        for outgoing in &conversation.outbox {
            let reason = "you are no longer in this conversation; it is sent if you come back";
            step.show(Show::Failed {
                conversation: id,
                id: outgoing.content.id,
                reason: reason.to_owned(),
            });
        }
        let next = conversation.seen().seq.saturating_add(1);
        self.touch(Key::Conversation(id));
        self.give_offers_up(id);
        step.show(Show::Left(id));
        self.catch_up(step, id, next);
    }

    /// Fetches what follows what was read, if something does.
    pub(crate) fn catch_up(&mut self, step: &mut Step<'_>, id: ConversationId, head: u64) {
        let history = self.config.history;
        let settling = self.unsettled.is_some();
        let can_read = self.can_read(id);
        let keyed_from = self.classic.own.as_ref().map(|own| own.start);
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        // What is encrypted can't be read later: its keys have to keep step.
        let readable = conversation.is_sealed();
        let wanted =
            readable || history != History::None || (settling && !conversation.outbox.is_empty());
        // Whoever was taken out reads up to there, to learn by whom.
        let keyed = readable && can_read;
        let may = if readable { keyed } else { conversation.is_member() };
        if !may || conversation.fetching || !wanted {
            return;
        }
        if conversation.read.is_some() && conversation.seen().seq >= head {
            return show_caught_up(step, id, head);
        }
        let start = match &conversation.encrypted {
            Some(encrypted) => Some(encrypted.start),
            None => keyed_from.filter(|_| conversation.is_classroom()),
        };
        let first = match (conversation.read, history) {
            (None, _) if start.is_some() => start.unwrap_or_default(),
            (None, History::Last(count)) => head.saturating_sub(count),
            (None, History::None) => conversation.acknowledged_at,
            _ => 0,
        };
        let after = conversation.seen().seq.max(first);
        conversation.fetching = true;
        let limit = match conversation.is_classroom() {
            true => limits::FETCH_GUESTS,
            false => limits::FETCH_ENVELOPES,
        };
        self.ask(step, Request::Fetch { conversation: id, after, limit }, Pending::Fetch(id));
    }

    /// A page came.
    pub(crate) fn fetched(&mut self, step: &mut Step<'_>, id: ConversationId, page: Fetched) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        conversation.fetching = false;
        conversation.summary.head = conversation.summary.head.max(page.head);
        let checked = (self.defences.accept_page)(id, conversation.read, &page);
        match checked {
            Ok(accepted) => self.begin_page(step, id, accepted.base()),
            Err(warning) => return self.warn_once(step, id, warning),
        }
        self.touch(Key::Conversation(id));
        for envelope in page.envelopes {
            match self.take(step, &envelope) {
                Taken::Read => {}
                Taken::Waits => return,
            }
        }
        let ends = |c: &Conversation| c.is_seeking() && c.seen().seq >= page.head;
        if self.conversations.get(&id).is_some_and(ends) {
            return self.lost_place(step, id);
        }
        self.catch_up(step, id, page.head);
    }

    /// Goes to the place where a page begins: further than what was read only where the server says
    /// that the account was not a member in between.
    fn begin_page(&mut self, step: &mut Step<'_>, id: ConversationId, base: Seen) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        match conversation.read {
            Some(read) if read == base => return,
            None => conversation.base = base.seq,
            Some(read) => {
                // What each device said in between is missing once, and that was said already.
                conversation.base = base.seq;
                conversation.excused = conversation.numbers.keys().copied().collect();
                conversation.move_to(base);
                let warning = Warning::Skipped { from: read.seq + 1, to: base.seq };
                return step.warn(Some(id), warning);
            }
        }
        conversation.move_to(base);
    }

    /// Fetches again what was put off.
    pub(crate) fn catch_up_if_behind(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let Some(conversation) = self.conversations.get(&id) else {
            return;
        };
        let behind = conversation.summary.head > conversation.seen().seq;
        let early = conversation.retry_at.is_some_and(|at| at > step.now);
        if self.is_open() && behind && !early && conversation.waits_for.is_empty() {
            self.catch_up(step, id, conversation.summary.head);
        }
    }

    /// Warns of the same thing once in a connection.
    pub(crate) fn warn_once(&mut self, step: &mut Step<'_>, id: ConversationId, warning: Warning) {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        if conversation.warned.as_ref() != Some(&warning) {
            conversation.warned = Some(warning.clone());
            step.warn(Some(id), warning);
        }
    }

    pub(crate) fn fetch_refused(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        refusal: Refusal,
    ) {
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.fetching = false;
            if refusal.code.passes() {
                let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
                conversation.retry_at = Some(step.now.plus_millis(wait));
                return;
            }
        }
        let gone = self.conversations.get(&id).is_some_and(|c| !c.is_member());
        if refusal.code == Code::NotFound && gone {
            // There is nothing more to read here, so its keys are of no use; by the server's word alone.
            self.forget_keys(id, Gone::Lost);
            if let Some(encrypted) = self.encrypted_mut(id) {
                encrypted.entry = Some(Entry::Lost);
            }
            return;
        }
        if self.conversations.get(&id).is_some_and(Conversation::is_seeking) {
            return self.lost_place(step, id);
        }
        if refusal.code != Code::NotFound {
            step.show(Show::Refused { what: "read this conversation", refusal });
        }
    }

    /// An envelope came by itself.
    pub(crate) fn heard(&mut self, step: &mut Step<'_>, envelope: Envelope) {
        let id = envelope.conversation;
        let can_read = self.can_read(id);
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        conversation.summary.head = conversation.summary.head.max(envelope.seq);
        let busy = conversation.fetching || !conversation.waits_for.is_empty();
        let encrypted = conversation.is_sealed();
        if encrypted && !can_read {
            return self.flush(step, id);
        }
        if busy || (self.config.history == History::None && !encrypted) {
            return;
        }
        let seen = conversation.seen().seq;
        if Some(envelope.seq) == seen.checked_add(1) {
            self.touch(Key::Conversation(id));
            if matches!(self.take(step, &envelope), Taken::Read) {
                show_caught_up(step, id, envelope.seq);
                if encrypted {
                    self.flush(step, id);
                }
            }
        } else if envelope.seq > seen {
            self.catch_up(step, id, envelope.seq);
        } else {
            self.check_repeated(step, &envelope);
        }
    }

    /// An envelope that was read before may only be the very same again.
    fn check_repeated(&self, step: &mut Step<'_>, envelope: &Envelope) {
        let Some(conversation) = self.conversations.get(&envelope.conversation) else {
            return;
        };
        let before = envelope.seq.checked_sub(1).and_then(|seq| conversation.chain_at(seq));
        let (Some(before), Some(after)) = (before, conversation.chain_at(envelope.seq)) else {
            return;
        };
        if envelope.chain_after(before) != after {
            let warning = Warning::BrokenChain { at: envelope.seq };
            step.warn(Some(envelope.conversation), warning);
        }
    }

    /// What is known of an account has grown: conversations that waited for it go on.
    pub(crate) fn resume_conversations(&mut self, step: &mut Step<'_>, account: AccountId) {
        let mut ready = Vec::new();
        for conversation in self.conversations.values_mut() {
            if conversation.waits_for.remove(&account) {
                conversation.looked_up.insert(account);
                if conversation.waits_for.is_empty() {
                    ready.push((conversation.id(), conversation.summary.head));
                }
            }
        }
        for (id, head) in ready {
            self.catch_up(step, id, head.max(1));
        }
    }

    /// What is known of an account could not be asked for now: conversations that wait for it ask again.
    pub(crate) fn put_off_conversations(
        &mut self,
        step: &Step<'_>,
        account: AccountId,
        refusal: &Refusal,
    ) {
        let at = step.now.plus_millis(refusal.retry_after.unwrap_or(limits::RETRY_MILLIS));
        for conversation in self.conversations.values_mut() {
            if conversation.waits_for.contains(&account) {
                conversation.waits_for.clear();
                conversation.retry_at = Some(at);
            }
        }
    }

    /// Takes the next envelope: verified it is shown, otherwise a warning stands in its place.
    fn take(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Taken {
        let id = envelope.conversation;
        let broken = self.broken_promise(envelope);
        let Some(conversation) = self.conversations.get(&id) else {
            return Taken::Read;
        };
        let chain = envelope.chain_after(conversation.seen().chain);
        let taken = match &conversation.encrypted {
            Some(_) => self.take_encrypted(step, envelope),
            None if conversation.is_classroom() || envelope.account == AccountId::GATEWAY => {
                self.take_guest(step, envelope);
                Taken::Read
            }
            None => self.take_signed(step, envelope),
        };
        if matches!(taken, Taken::Waits) {
            return taken;
        }
        if let Some(promise) = broken {
            self.tell_broken(step, envelope, promise);
        }
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.move_to(Seen { seq: envelope.seq, chain });
        }
        Taken::Read
    }

    /// Makes a conversation's reading wait until some accounts were looked up. False if all of them were,
    /// for this very envelope.
    pub(crate) fn wait_for(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        accounts: &BTreeSet<AccountId>,
    ) -> bool {
        let Some(conversation) = self.conversations.get(&id) else {
            return false;
        };
        let unasked: BTreeSet<AccountId> =
            accounts.difference(&conversation.looked_up).copied().collect();
        let waits = self.ask_accounts(step, &unasked);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.waits_for = unasked;
        }
        waits
    }

    /// An envelope of a channel.
    fn take_signed(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Taken {
        let id = envelope.conversation;
        let keys = self.keys_of(envelope.account, envelope.device);
        if keys.is_none() && self.wait_for(step, id, &BTreeSet::from([envelope.account])) {
            return Taken::Waits;
        }
        let key = keys.map(|keys| keys.auth);
        let opened = (self.defences.open_channel)(envelope, key.as_ref());
        self.acknowledge_seen(step, envelope);
        match opened {
            Ok(received) => self.check_number(step, envelope, &received),
            Err(error) => {
                let author = self.author(envelope);
                let seq = envelope.seq;
                let warning = match error {
                    OpenError::Unlisted => Warning::UnlistedDevice { author, seq },
                    OpenError::NotAuthentic => Warning::NotAuthentic { author, seq },
                };
                step.warn(Some(id), warning);
            }
        }
        Taken::Read
    }

    /// A content whose signature and place hold: its number is checked, then it is shown.
    fn check_number(&mut self, step: &mut Step<'_>, envelope: &Envelope, received: &ContentOpened) {
        let id = envelope.conversation;
        let author = self.author(envelope);
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let last = conversation.last_number(envelope.device);
        match (self.defences.accept_number)(last, received.place().n) {
            Numbered::Next => {}
            Numbered::Gap(_) if conversation.excused.contains(&envelope.device) => {}
            Numbered::Gap(count) => {
                step.warn(Some(id), Warning::Missing { author, count });
            }
            Numbered::Replay => return step.warn(Some(id), Warning::Replayed { author }),
        }
        conversation.excused.remove(&envelope.device);
        conversation.numbers.insert(envelope.device, received.place().n);
        self.touch(Key::Number(id, envelope.device));
        self.take_content(step, envelope, received.content());
    }

    pub(crate) fn author(&self, envelope: &Envelope) -> UserName {
        self.name_of(envelope.account).unwrap_or_else(crate::people::nobody)
    }
}

fn show_caught_up(step: &mut Step<'_>, id: ConversationId, head: u64) {
    if id != ConversationId::CLASSROOM {
        step.show(Show::CaughtUp(id, head));
    }
}
