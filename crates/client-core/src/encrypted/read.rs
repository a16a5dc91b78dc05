//! Reading an encrypted conversation: messages are opened, commits checked before they count, and a
//! device that has lost its place says so and finds it again.

use super::notices::notices;
use super::{Entry, Gone};
use crate::client::{Client, Step};
use crate::defences::{
    AccountKept, CommitRefused, Committed, ContextKept, LeavesAccepted, Lists as _, MayCommit,
};
use crate::effect::Key;
use crate::limits;
use crate::log::Taken;
use crate::message::{Body, Notice};
use crate::show::{GroupWarning, Warning};
use portcullis_mls::{CommitView, GroupView, Leaf, MlsError, Processed};
use portcullis_proto::{AccountId, Content, ConversationId, DeviceId, Envelope, Reference};
use std::collections::BTreeSet;

impl Client {
    /// The next envelope of an encrypted conversation.
    pub(crate) fn take_encrypted(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Taken {
        let id = envelope.conversation;
        let Some(encrypted) = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref()) else {
            return Taken::Read;
        };
        if !self.can_read(id) {
            return Taken::Waits;
        }
        let own = self.own_device() == Some(envelope.device);
        let own_commit = encrypted.commit.as_ref().filter(|c| c.reference == envelope.reference);
        if own && own_commit.is_some() {
            return self.take_own_commit(step, envelope);
        }
        match encrypted.entry {
            // Before the commit by which this device came, there is nothing that it could open.
            Some(Entry::External { .. }) => return self.pass_over(step, envelope),
            Some(Entry::Welcome { reference, by }) => {
                return self.take_before(step, envelope, reference, by);
            }
            _ => {}
        }
        if own {
            self.acknowledge_seen(step, envelope);
        }
        match self.mls.process(id, envelope.body.as_slice()) {
            Ok(Processed::Own) => {
                self.count_epoch(envelope, false);
                Taken::Read
            }
            Ok(Processed::Message { sender, plaintext }) => {
                self.take_opened(step, envelope, &sender, &plaintext);
                Taken::Read
            }
            Ok(Processed::Commit(view)) => self.take_commit(step, envelope, &view),
            Err(MlsError::Epoch { message, group }) => {
                self.take_elsewhere(step, envelope, message, group)
            }
            Err(MlsError::Replayed) => {
                self.take_old(step, envelope);
                Taken::Read
            }
            Err(_) => {
                self.take_unreadable(step, envelope, false);
                Taken::Read
            }
        }
    }

    /// Whether this device has keys that fit the log. Those of a conversation that it is about to make
    /// do not, until the server has taken its first commit: it may be that somebody else was faster.
    pub(crate) fn can_read(&self, id: ConversationId) -> bool {
        if id == ConversationId::CLASSROOM {
            return self.classic.own.is_some();
        }
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        let made = encrypted.is_some_and(|encrypted| {
            let taken = encrypted.commit.as_ref().is_some_and(|commit| commit.acknowledged);
            !encrypted.plan.create || taken
        });
        made && self.mls.is_member(id)
    }

    /// An own commit stands in the log: it counts from here on.
    fn take_own_commit(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Taken {
        let id = envelope.conversation;
        self.acknowledge_commit(id, envelope.reference);
        if !self.is_as_made(envelope) {
            return self.refuse_own_commit(step, envelope);
        }
        let before = self.mls.view(id);
        let Some(encrypted) = self.encrypted_mut(id) else {
            return Taken::Read;
        };
        encrypted.commit = None;
        let external = matches!(encrypted.entry, Some(Entry::External { .. }));
        let entry = encrypted.entry.take_if(|_| external);
        if !external && self.mls.merge_pending(id).is_err() {
            self.lost_place(step, id);
            return Taken::Read;
        }
        self.count_epoch(envelope, true);
        let (Some(after), Some(me)) = (self.mls.view(id), self.own_account()) else {
            return Taken::Read;
        };
        self.settle_plan(id, &after, me);
        self.members_of_transfers(id, &after.roster.members);
        if let Some(encrypted) = self.encrypted_mut(id) {
            if external {
                encrypted.entry = Some(Entry::Arrived);
            }
            encrypted.only_listening(&after);
        }
        if let Some(Entry::External { again, .. }) = entry {
            self.tell_entry(step, envelope, again);
            self.tell_difference(step, id);
        } else if let Some(before) = before {
            self.tell_changes(step, envelope, me, &before, &after, false);
        }
        self.show_conversation(step, id);
        if after.roster.leaving.contains(&me) {
            self.forget_keys(id, Gone::Out);
        }
        Taken::Read
    }

    /// Says that this device has joined, and what it can't show.
    fn tell_entry(&mut self, step: &mut Step<'_>, envelope: &Envelope, again: bool) {
        let id = envelope.conversation;
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return;
        };
        let since = conversation.summary.since.max(1);
        let first = conversation.base.saturating_add(1).max(since);
        let Some(encrypted) = &mut conversation.encrypted else {
            return;
        };
        let unread = std::mem::take(&mut encrypted.before);
        if again {
            return step.warn(Some(id), GroupWarning::FoundAgain { count: unread });
        }
        let skipped = first.saturating_sub(since).saturating_add(unread);
        let mut told = vec![Notice::DeviceJoined];
        if skipped > 0 {
            told.insert(0, Notice::Before(skipped));
        }
        let message = self.message(envelope, envelope.accepted_at, Body::Notices(told));
        self.take_message(step, message);
    }

    /// What stands before the commit that a welcome came with, or is that commit. Where the welcome came
    /// with another one, or with none, it is of no use.
    fn take_before(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        welcome: Reference,
        by: AccountId,
    ) -> Taken {
        let id = envelope.conversation;
        let its_own = |device| Reference::of_welcome(envelope.reference, device) == welcome;
        let found = self.own_device().is_some_and(its_own)
            && envelope.account == by
            && portcullis_mls::is_commit(envelope.body.as_slice());
        match (found, self.mls.process(id, envelope.body.as_slice())) {
            (true, Err(MlsError::Epoch { message, group }))
                if message.checked_add(1) == Some(group) =>
            {
                self.count_epoch(envelope, true);
                self.tell_welcome(step, envelope);
                Taken::Read
            }
            (false, Err(MlsError::Epoch { message, group })) if message < group => {
                self.pass_over(step, envelope)
            }
            (false, Err(MlsError::Malformed | MlsError::OtherGroup)) => {
                self.pass_over(step, envelope)
            }
            _ => {
                self.mls.drop_staged();
                self.pass_over(step, envelope);
                self.lost_place(step, id);
                Taken::Read
            }
        }
    }

    /// An entry from before this device came.
    fn pass_over(&mut self, step: &mut Step<'_>, envelope: &Envelope) -> Taken {
        if self.own_device() == Some(envelope.device) {
            self.acknowledge_seen(step, envelope);
        }
        if let Some(encrypted) = self.encrypted_mut(envelope.conversation) {
            encrypted.before = encrypted.before.saturating_add(1);
            encrypted.epoch = envelope.epoch;
        }
        Taken::Read
    }

    /// A message was opened: the keys say who said it, whatever the server says.
    fn take_opened(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        sender: &Leaf,
        plaintext: &[u8],
    ) {
        let id = envelope.conversation;
        self.count_epoch(envelope, false);
        let named = sender.account == envelope.account && sender.device == envelope.device;
        let content = Content::decode(plaintext).ok();
        let content = content.filter(|content| content.id == envelope.reference && named);
        let Some(content) = content else {
            let (author, seq) = (self.author(envelope), envelope.seq);
            return step.warn(Some(id), Warning::NotAuthentic { author, seq });
        };
        let epoch = self.mls.view(id).map(|view| view.epoch);
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.tries = 0;
            encrypted.understood();
            encrypted.renewals = 0;
            // Whoever is understood has not strayed, and is here.
            encrypted.strayed.remove(&envelope.device);
            encrypted.floor = epoch.filter(|_| !encrypted.strayed.is_empty());
        }
        self.take_content(step, envelope, &content);
    }

    /// Somebody's commit: looked at before it counts.
    fn take_commit(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        view: &CommitView,
    ) -> Taken {
        let id = envelope.conversation;
        let Some(before) = self.mls.view(id) else {
            return Taken::Read;
        };
        let unknown = self.unknown_among(&accounts_of(view), view);
        if self.wait_for(step, id, &unknown) {
            self.mls.drop_staged();
            return Taken::Waits;
        }
        let committed = Committed {
            before: &before,
            commit: view,
            envelope: (envelope.account, envelope.device),
        };
        let merged = self.judge(&committed).and_then(|judged| self.merge(id, judged));
        if let Err(reason) = merged {
            self.mls.drop_staged();
            self.refuse_commit(step, envelope, reason);
            return Taken::Read;
        }
        self.commit_taken(step, envelope, view, &before);
        Taken::Read
    }

    /// Lets a commit count, once all have looked at it.
    fn merge(&mut self, id: ConversationId, _: Judged) -> Result<(), CommitRefused> {
        self.mls.merge_staged(id).map_err(|_| CommitRefused::Broken)
    }

    /// A commit does not count. Whoever made it goes on by itself; the others renew their keys, so that
    /// the public state that the server hands out is theirs again.
    fn refuse_commit(&mut self, step: &mut Step<'_>, envelope: &Envelope, reason: CommitRefused) {
        let id = envelope.conversation;
        self.count_epoch(envelope, false);
        self.strays(id, envelope.device);
        if let Some(encrypted) = self.encrypted_mut(id) {
            // Two sides that refuse each other would go on for ever.
            encrypted.plan.renew |= encrypted.renewals < limits::RENEWALS;
            encrypted.renewals = encrypted.renewals.saturating_add(1);
        }
        let (author, seq) = (self.author(envelope), envelope.seq);
        step.warn(Some(id), GroupWarning::RefusedCommit { author, seq, reason });
        if self.is_alone(id) {
            return self.lost_place(step, id);
        }
        self.put_off(step, id, 0);
    }

    /// A device goes on by itself, as far as these keys can tell.
    fn strays(&mut self, id: ConversationId, device: DeviceId) {
        let epoch = self.mls.view(id).map(|view| view.epoch);
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.floor = encrypted.floor.or(epoch);
            encrypted.strayed.insert(device);
        }
        self.touch(Key::Conversation(id));
    }

    /// Whether all others have strayed, and they are several: then it is this device that has.
    fn is_alone(&self, id: ConversationId) -> bool {
        let (Some(view), Some(me)) = (self.mls.view(id), self.own_account()) else {
            return false;
        };
        let encrypted = self.conversations.get(&id).and_then(|c| c.encrypted.as_ref());
        let strayed = |leaf: &Leaf| encrypted.is_some_and(|e| e.strayed.contains(&leaf.device));
        let others: BTreeSet<AccountId> =
            view.leaves.iter().map(|leaf| leaf.account).filter(|account| *account != me).collect();
        let gone: BTreeSet<AccountId> =
            view.leaves.iter().filter(|leaf| strayed(leaf)).map(|leaf| leaf.account).collect();
        others.len() > 1 && others.is_subset(&gone)
    }

    /// A commit counts now.
    fn commit_taken(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        view: &CommitView,
        before: &GroupView,
    ) {
        let id = envelope.conversation;
        self.count_epoch(envelope, true);
        // An own commit for the epoch that has passed is lost; what it was for is planned still.
        let lost = self.encrypted_mut(id).and_then(|encrypted| encrypted.commit.take());
        if lost.is_some_and(|commit| commit.acknowledged) {
            step.warn(Some(id), Warning::Nonsense);
        }
        self.mls.discard_pending(id);
        let committer = view.committer.account;
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.strayed.clear();
            encrypted.floor = None;
            encrypted.understood();
        }
        if view.removes_self {
            self.mls.forget(id);
            self.give_transfers_up(Some(id));
            if let Some(encrypted) = self.encrypted_mut(id) {
                encrypted.remember(before, Gone::Out);
            }
            let own = self.own_account().and_then(|own| self.name_of(own));
            let gone = vec![Notice::Removed(own.into_iter().collect())];
            let message = self.message(envelope, envelope.accepted_at, Body::Notices(gone));
            return self.take_message(step, message);
        }
        let (Some(after), Some(me)) = (self.mls.view(id), self.own_account()) else {
            return;
        };
        self.settle_plan(id, &after, me);
        self.members_of_transfers(id, &after.roster.members);
        self.tell_changes(step, envelope, committer, before, &after, view.external);
        self.show_conversation(step, id);
        if after.roster.leaving.contains(&me) {
            // Another device of this account has left, for all of them.
            self.forget_keys(id, Gone::Out);
        }
    }

    /// Says what a commit has changed.
    fn tell_changes(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        committer: AccountId,
        before: &GroupView,
        after: &GroupView,
        external: bool,
    ) {
        let name = |account| self.name_of(account).unwrap_or_else(crate::people::nobody);
        let first = envelope.seq == 1;
        let told = notices(committer, (before, after), (external, first), name);
        if !told.is_empty() {
            let message = self.message(envelope, envelope.accepted_at, Body::Notices(told));
            self.take_message(step, message);
        }
    }

    /// The keys are at another epoch than an envelope.
    fn take_elsewhere(
        &mut self,
        step: &mut Step<'_>,
        envelope: &Envelope,
        message: u64,
        group: u64,
    ) -> Taken {
        let id = envelope.conversation;
        let Some(encrypted) = self.encrypted_mut(id) else {
            return Taken::Read;
        };
        let doubtful = !encrypted.strayed.is_empty();
        if message < group {
            // What is old costs nobody their keys, whoever brings it up again.
            self.take_old(step, envelope);
            return Taken::Read;
        }
        if !doubtful {
            self.take_unreadable(step, envelope, true);
            return Taken::Read;
        }
        self.count_epoch(envelope, false);
        self.strays(id, envelope.device);
        let (author, seq) = (self.author(envelope), envelope.seq);
        step.warn(Some(id), GroupWarning::Strayed { author, seq });
        if self.is_alone(id) {
            self.lost_place(step, id);
        }
        Taken::Read
    }

    /// Something from an epoch that has passed.
    fn take_old(&mut self, step: &mut Step<'_>, envelope: &Envelope) {
        if portcullis_mls::is_commit(envelope.body.as_slice()) {
            return self.refuse_commit(step, envelope, CommitRefused::Old);
        }
        self.count_epoch(envelope, false);
        let author = self.author(envelope);
        step.warn(Some(envelope.conversation), Warning::Replayed { author });
    }

    /// The commit by which somebody else brought this device in.
    fn tell_welcome(&mut self, step: &mut Step<'_>, envelope: &Envelope) {
        let id = envelope.conversation;
        let (Some(view), Some(me)) = (self.mls.view(id), self.own_account()) else {
            return;
        };
        self.tell_difference(step, id);
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        encrypted.understood();
        encrypted.floor = None;
        let before = std::mem::take(&mut encrypted.before);
        let mine = envelope.account == me;
        let others: Vec<AccountId> =
            view.roster.members.iter().copied().filter(|a| *a != envelope.account).collect();
        let name = |account| self.name_of(account).unwrap_or_else(crate::people::nobody);
        let mut told = Vec::new();
        if before > 0 {
            told.push(Notice::Before(before));
        }
        if envelope.seq == 1 {
            told.push(Notice::Created(others.into_iter().map(name).collect()));
        } else if mine {
            told.push(Notice::DeviceJoined);
        } else {
            told.push(Notice::Added(vec![name(me)]));
        }
        let message = self.message(envelope, envelope.accepted_at, Body::Notices(told));
        self.take_message(step, message);
        self.show_conversation(step, id);
    }

    /// An envelope that can't be opened, in the epoch of the keys or one that they have not come to:
    /// changed on its way, or these keys are not what the others have.
    fn take_unreadable(&mut self, step: &mut Step<'_>, envelope: &Envelope, ahead: bool) {
        let id = envelope.conversation;
        self.count_epoch(envelope, false);
        let (author, seq) = (self.author(envelope), envelope.seq);
        let accounts = self.mls.view(id).map_or(0, |view| view.roster.members.len());
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        let commit = portcullis_mls::is_commit(envelope.body.as_slice());
        if encrypted.strayed.contains(&envelope.device) && !commit {
            return step.warn(Some(id), GroupWarning::Strayed { author, seq });
        }
        if ahead || !commit {
            encrypted.unreadable.insert(envelope.account);
        }
        // One member may send what nobody can open; where two do, it is these keys that don't fit.
        let lost = encrypted.unreadable.len() > 1 || accounts <= 2;
        if commit && !(ahead && lost) {
            return self.refuse_commit(step, envelope, CommitRefused::Broken);
        }
        step.warn(Some(id), GroupWarning::Unreadable { author, seq });
        if lost {
            self.lost_place(step, id);
        }
    }

    /// This device's keys are not what the others have. It gives them up, says so, and joins again; if
    /// that was of no use several times, it stays as it is.
    pub(crate) fn lost_place(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        if encrypted.tries >= limits::JOIN_TRIES {
            return step.warn(Some(id), GroupWarning::Lost);
        }
        self.put_off(step, id, 0);
        self.forget_keys(id, Gone::Lost);
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.commit = None;
            encrypted.entry = Some(Entry::Lost);
            encrypted.strayed.clear();
            encrypted.unreadable.clear();
        }
        self.touch(Key::Conversation(id));
        step.warn(Some(id), GroupWarning::LostPlace);
        self.show_conversation(step, id);
    }

    /// Follows the server's count of commits. An envelope that is a commit without being counted, or
    /// counted without being one, is the sender's own affair.
    pub(crate) fn count_epoch(&mut self, envelope: &Envelope, accepted: bool) {
        let id = envelope.conversation;
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        encrypted.epoch = envelope.epoch;
        if accepted {
            encrypted.unreadable.clear();
            encrypted.plan.renew = false;
            encrypted.tries = 0;
        }
        self.touch(Key::Conversation(id));
    }

    fn settle_plan(&mut self, id: ConversationId, view: &GroupView, me: AccountId) {
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.plan.create = false;
            encrypted.plan.settle(&view.roster, me);
            encrypted.name.clone_from(&view.roster.name);
            encrypted.tries = 0;
        }
        self.touch(Key::Conversation(id));
    }

    /// The accounts whose lists have to be looked up before a commit can be judged: those that are not
    /// known, and those whose known list speaks against the commit.
    fn unknown_among(&self, accounts: &[AccountId], view: &CommitView) -> BTreeSet<AccountId> {
        let unknown = accounts.iter().filter(|account| self.list_of(**account).is_none()).copied();
        let added = view.added.iter().chain(view.new_leaf.as_ref());
        let unlisted = added.filter(|leaf| !self.names(leaf));
        let members = view.roster_after.as_ref().map(|roster| &roster.members);
        let stays = |leaf: &Leaf| members.is_some_and(|members| members.contains(&leaf.account));
        let kept = view.removed.iter().filter(|leaf| {
            stays(leaf) && leaf.account != view.committer.account && self.in_use(leaf)
        });
        unknown.chain(unlisted.chain(kept).map(|leaf| leaf.account)).collect()
    }

    /// All the checks of a commit, before it counts.
    fn judge(&self, committed: &Committed<'_>) -> Result<Judged, CommitRefused> {
        let context = (self.defences.keep_context)(committed)?;
        let account = (self.defences.keep_account)(committed)?;
        let leaves = (self.defences.accept_leaves)(committed, self)?;
        let rights = (self.defences.may_commit)(committed, self)?;
        Ok(Judged { _proofs: (context, account, leaves, rights) })
    }
}

/// The proofs that a commit may count.
struct Judged {
    _proofs: (ContextKept, AccountKept, LeavesAccepted, MayCommit),
}

/// All accounts that a commit speaks of.
fn accounts_of(view: &CommitView) -> Vec<AccountId> {
    let roster = view.roster_after.iter().flat_map(|roster| &roster.members).copied();
    let leaves = view.added.iter().chain(&view.removed).map(|leaf| leaf.account);
    std::iter::once(view.committer.account).chain(leaves).chain(roster).collect()
}
