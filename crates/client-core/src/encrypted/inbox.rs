//! This device's inbox: welcomes, read in order and once.

use super::{Encrypted, Entry, KeptWelcome};
use crate::client::{Client, Pending, Step};
use crate::conversation::Conversation;
use crate::defences::{EntryAccepted, EntryRefused, Joining, Lists as _};
use crate::effect::Key;
use crate::limits;
use crate::show::{GroupWarning, Warning};
use portcullis_mls::{GroupInfoView, Leaf, MlsError, Roster, WelcomeView};
use portcullis_proto::{
    Access, AccountId, AccountName, Code, ConversationId, ConversationKind, ConversationSummary,
    Envelope, Fetched, Refusal, Request, Role, Seen,
};

use std::collections::BTreeSet;

/// How far this device has read its inbox.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    /// Up to where.
    pub(crate) read: Option<Seen>,
    /// All that was there when this session began was read.
    pub(crate) caught_up: bool,
    /// A page was asked for.
    pub(crate) fetching: bool,
    /// Reading waits for these accounts to be looked up.
    pub(crate) waits_for: BTreeSet<AccountId>,
    /// They could not be looked up; reading goes on with the next tick.
    pub(crate) put_off: bool,
    /// Accounts that were looked up for the envelope after `read`.
    pub(crate) looked_up: Vec<AccountId>,
}

/// A conversation that somebody offers to this device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    conversation: ConversationId,
    roster: &'a Roster,
    leaves: &'a [Leaf],
    epoch: u64,
    by: &'a Leaf,
    welcomed: bool,
}

impl<'a> Offer<'a> {
    fn of_welcome(view: &'a WelcomeView) -> Self {
        Self {
            conversation: view.conversation,
            roster: &view.roster,
            leaves: &view.leaves,
            epoch: view.epoch,
            by: &view.sender,
            welcomed: true,
        }
    }

    pub(crate) fn of_group_info(view: &'a GroupInfoView) -> Self {
        Self {
            conversation: view.conversation,
            roster: &view.roster,
            leaves: &view.leaves,
            epoch: view.epoch,
            by: &view.signer,
            welcomed: false,
        }
    }
}

/// What became of a welcome.
enum Read {
    /// Dealt with.
    Done,
    /// Somebody has to be looked up first.
    Waits,
}

impl Client {
    /// Asks for what follows in the inbox.
    pub(crate) fn fetch_inbox(&mut self, step: &mut Step<'_>) {
        let Some(device) = self.own_device() else {
            return;
        };
        if self.inbox.fetching || !self.inbox.waits_for.is_empty() || !self.is_open() {
            return;
        }
        self.inbox.fetching = true;
        let conversation = ConversationId::inbox(device);
        let after = self.inbox.read.map_or(0, |read| read.seq);
        let limit = limits::FETCH_INBOX;
        self.ask(step, Request::Fetch { conversation, after, limit }, Pending::Inbox);
    }

    /// A page of the inbox came.
    pub(crate) fn inbox_fetched(&mut self, step: &mut Step<'_>, page: Fetched) {
        self.inbox.fetching = false;
        let Some(device) = self.own_device() else {
            return;
        };
        let id = ConversationId::inbox(device);
        match (self.defences.accept_page)(id, self.inbox.read, &page) {
            Ok(accepted) => self.inbox.read = Some(accepted.base()),
            Err(warning) => return step.warn(None, warning),
        }
        self.touch(Key::Inbox);
        for envelope in &page.envelopes {
            if matches!(self.read_welcome(step, envelope), Read::Waits) {
                return;
            }
        }
        if self.inbox.read.is_some_and(|read| read.seq < page.head) {
            return self.fetch_inbox(step);
        }
        self.inbox_caught_up(step);
    }

    /// There is nothing in the inbox, or it can't be read now.
    pub(crate) fn inbox_refused(&mut self, step: &mut Step<'_>, refusal: &Refusal) {
        self.inbox.fetching = false;
        // Nobody has left anything yet.
        if refusal.code == Code::NotFound {
            self.inbox_caught_up(step);
        }
    }

    fn inbox_caught_up(&mut self, step: &mut Step<'_>) {
        self.inbox.caught_up = true;
        self.flush_all(step);
    }

    /// Something was left in the inbox.
    pub(crate) fn inbox_heard(&mut self, step: &mut Step<'_>, envelope: &Envelope) {
        let next = self.inbox.read.map_or(1, |read| read.seq.saturating_add(1));
        let idle = !self.inbox.fetching && self.inbox.waits_for.is_empty();
        if idle && self.inbox.caught_up && envelope.seq == next {
            let read = self.read_welcome(step, envelope);
            self.inbox.caught_up = matches!(read, Read::Done);
        } else if envelope.seq >= next {
            self.inbox.caught_up = false;
            self.fetch_inbox(step);
        }
    }

    /// Goes on with the inbox where that was put off.
    pub(crate) fn resume_inbox_later(&mut self, step: &mut Step<'_>) {
        if std::mem::take(&mut self.inbox.put_off) {
            self.fetch_inbox(step);
        }
    }

    /// Goes on with the inbox once an account was looked up.
    pub(crate) fn resume_inbox(&mut self, step: &mut Step<'_>, account: AccountId) {
        if self.inbox.waits_for.remove(&account) {
            self.inbox.looked_up.push(account);
            self.fetch_inbox(step);
        }
    }

    fn read_welcome(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Read {
        let before = self
            .inbox
            .read
            .unwrap_or(Seen { seq: 0, chain: Envelope::chain_start(envelope.conversation) });
        let chain = envelope.chain_after(before.chain);
        let read = self.open_welcome(step, envelope);
        if matches!(read, Read::Done) {
            self.inbox.read = Some(Seen { seq: envelope.seq, chain });
            self.inbox.looked_up.clear();
            self.touch(Key::Inbox);
        }
        read
    }

    fn open_welcome(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Read {
        let view = match self.mls.peek_welcome(envelope.body.as_slice()) {
            Ok(view) => view,
            Err(error) => {
                let warning = match error {
                    MlsError::NoKeyPackage => GroupWarning::WelcomeNotForUs.into(),
                    _ => Warning::Nonsense,
                };
                self.warn_of_inbox(step, warning);
                return Read::Done;
            }
        };
        let id = view.conversation;
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        // What was not found in the log yet may be somebody's snare, and is in nobody's way.
        let doubtful = encrypted.is_some_and(|e| e.plan.create || e.is_hearsay());
        if self.mls.is_member(id) && !doubtful {
            return self.keep_welcome(step, envelope, &view);
        }
        let unknown = self.to_look_up(&view.roster, &view.leaves);
        if self.ask_accounts(step, &unknown) {
            self.inbox.waits_for = unknown;
            return Read::Waits;
        }
        match self.judge_entry(&Offer::of_welcome(&view)) {
            Ok(accepted) => {
                let (reference, body) = (envelope.reference, envelope.body.clone());
                self.enter_by_welcome(step, &KeptWelcome { reference, body }, &view, accepted);
            }
            Err(reason) => {
                let name = self.name_of(view.sender.account).unwrap_or_else(crate::people::nobody);
                self.warn_of_inbox(step, GroupWarning::RefusedWelcome { name, reason });
            }
        }
        Read::Done
    }

    /// A welcome to where this device is already: an old one, or one for when it has read that it was
    /// taken out meanwhile.
    fn keep_welcome(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        view: &WelcomeView,
    ) -> Read {
        let id = view.conversation;
        let ours = self.mls.view(id).map_or(0, |view| view.epoch);
        if view.epoch <= ours {
            self.warn_of_inbox(step, GroupWarning::ReplayedWelcome);
        } else if let Some(encrypted) = self.encrypted_mut(id) {
            let (reference, body) = (envelope.reference, envelope.body.clone());
            encrypted.welcome = Some(KeptWelcome { reference, body });
            self.touch(Key::Conversation(id));
        }
        Read::Done
    }

    /// A welcome that was kept is of use now.
    pub(crate) fn use_kept_welcome(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let kept = self.encrypted_mut(id).and_then(|encrypted| encrypted.welcome.take());
        self.touch(Key::Conversation(id));
        let Some(kept) = kept else {
            return;
        };
        let view = self.mls.peek_welcome(kept.body.as_slice()).ok();
        let view = view.filter(|view| view.conversation == id);
        let accepted =
            view.as_ref().and_then(|view| self.judge_entry(&Offer::of_welcome(view)).ok());
        match view.zip(accepted) {
            Some((view, accepted)) => self.enter_by_welcome(step, &kept, &view, accepted),
            None => self.advance(step, id),
        }
    }

    /// Takes the keys of a welcome that was looked at.
    fn enter_by_welcome(
        &mut self,
        step: &mut Step<'_>,
        welcome: &KeptWelcome,
        view: &WelcomeView,
        _: EntryAccepted,
    ) {
        let id = view.conversation;
        self.mls.forget(id);
        if self.mls.join_welcome(welcome.body.as_slice()).is_err() {
            return self.warn_of_inbox(step, GroupWarning::WelcomeNotForUs);
        }
        let Some(me) = self.own_account() else {
            return;
        };
        if !self.conversations.contains_key(&id) {
            let summary = self.expected(id, view, me);
            self.conversations.insert(id, Conversation::new(summary));
        }
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.plan.create = false;
            encrypted.plan.settle(&view.roster, me);
            encrypted.commit = None;
            encrypted.welcome = None;
            encrypted.name.clone_from(&view.roster.name);
            let (reference, by) = (welcome.reference, view.sender.account);
            encrypted.entry = Some(Entry::Welcome { reference, by });
            encrypted.seeking = false;
            encrypted.tries = 0;
        }
        self.touch(Key::Conversation(id));
        self.show_conversation(step, id);
        self.advance(step, id);
    }

    /// What the server will say of a conversation that this device was brought into; until then it is
    /// only waited for.
    fn expected(
        &self,
        id: ConversationId,
        view: &WelcomeView,
        me: AccountId,
    ) -> ConversationSummary {
        let direct = view.roster.kind == portcullis_mls::RosterKind::Direct;
        let other = view.roster.members.iter().find(|account| **account != me && direct).copied();
        let with = other.map(|account| {
            let name = self.name_of(account).unwrap_or_else(Encrypted::placeholder);
            AccountName { account, name }
        });
        ConversationSummary {
            conversation: id,
            kind: if direct { ConversationKind::Direct } else { ConversationKind::Group },
            name: None,
            with,
            access: Access::Invitation,
            role: Role::Outside,
            epoch: 0,
            since: 0,
            head: 0,
            members: None,
        }
    }

    /// The accounts that have to be looked up before a conversation's members and leaves can be judged.
    pub(crate) fn to_look_up(&self, roster: &Roster, leaves: &[Leaf]) -> BTreeSet<AccountId> {
        let members = roster.members.iter().chain(leaves.iter().map(|leaf| &leaf.account));
        let unknown = members.filter(|account| self.list_of(**account).is_none()).copied();
        let unlisted = leaves.iter().filter(|leaf| !self.names(leaf)).map(|leaf| leaf.account);
        let again = |account: &AccountId| {
            self.inbox.looked_up.contains(account) || self.checked.contains(account)
        };
        unknown.chain(unlisted).filter(|account| !again(account)).collect()
    }

    /// Whether this device may enter a conversation with these members and devices.
    pub(crate) fn judge_entry(&self, offer: &Offer<'_>) -> Result<EntryAccepted, EntryRefused> {
        let Some(me) = self.own_account() else {
            return Err(EntryRefused::NotMember);
        };
        let Offer { conversation: id, roster, leaves, epoch, by, welcomed } = *offer;
        let conversation = self.conversations.get(&id);
        let kind = conversation.map(|conversation| conversation.summary.kind);
        let encrypted = conversation.and_then(|conversation| conversation.encrypted.as_ref());
        let at_least = encrypted.and_then(|encrypted| encrypted.floor).unwrap_or_default();
        let vouchers = encrypted.and_then(|encrypted| encrypted.vouchers(welcomed));
        let conversation = id;
        let joining =
            Joining { conversation, kind, me, roster, leaves, epoch, at_least, by, vouchers };
        (self.defences.accept_entry)(&joining, self)
    }

    /// Warns of the same thing in the inbox once in a session.
    pub(crate) fn warn_of_inbox(&mut self, step: &mut Step<'_>, warning: impl Into<Warning>) {
        let warning = warning.into();
        if self.inbox_warned.as_ref() != Some(&warning) {
            self.inbox_warned = Some(warning.clone());
            step.warn(None, warning);
        }
    }
}
