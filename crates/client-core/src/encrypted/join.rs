//! Joining by an external commit: a device that the account has added, or one that has lost its place.

use super::Entry;
use super::inbox::Offer;
use crate::client::{Client, Pending, Step};
use crate::defences::EntryAccepted;
use crate::effect::Key;
use crate::limits;
use crate::show::{GroupWarning, Show, Warning};
use portcullis_mls::{Made, MlsError};
use portcullis_proto::{Code, ConversationId, Refusal, Request};

impl Client {
    /// Asks for the public state of a conversation; a few at a time.
    pub(crate) fn ask_group_info(&mut self, step: &mut Step<'_>, id: ConversationId) {
        let encrypted = self.conversations.values().filter_map(|c| c.encrypted.as_ref());
        if encrypted.filter(|encrypted| encrypted.joining).count() >= limits::JOINS {
            return;
        }
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        encrypted.joining = true;
        self.ask(step, Request::GroupInfo { conversation: id }, Pending::GroupInfo(id));
    }

    /// The public state came: looked at as closely as a welcome, then joined.
    pub(crate) fn group_info_came(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        epoch: u64,
        group_info: &[u8],
    ) {
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.joining = false;
        }
        if self.mls.is_member(id) {
            return;
        }
        let view = self.mls.peek_group_info(group_info).ok();
        let Some(view) = view.filter(|view| view.conversation == id) else {
            step.warn(Some(id), Warning::Nonsense);
            return self.put_off(step, id, limits::RETRY_MILLIS);
        };
        let unknown = self.to_look_up(&view.roster, &view.leaves);
        if self.ask_accounts(step, &unknown) {
            // Once they are known, this is asked for again.
            self.joins_waiting.insert(id, unknown);
            return;
        }
        let accepted = match self.judge_entry(&Offer::of_group_info(&view)) {
            Ok(accepted) => accepted,
            Err(reason) => {
                step.warn(Some(id), GroupWarning::RefusedEntry { reason });
                return self.put_off(step, id, limits::RETRY_MILLIS);
            }
        };
        let Ok(made) = self.join_by_itself(group_info, accepted) else {
            step.warn(Some(id), Warning::Nonsense);
            return self.put_off(step, id, limits::RETRY_MILLIS);
        };
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.epoch = epoch;
        }
        self.keep_commit(step, id, made, |_| {});
        let Some(encrypted) = self.encrypted_mut(id) else {
            return;
        };
        let again = encrypted.entry == Some(Entry::Lost);
        encrypted.name.clone_from(&view.roster.name);
        if let Some(commit) = &encrypted.commit {
            encrypted.entry = Some(Entry::External { commit: commit.reference, again });
        }
        self.touch(Key::Conversation(id));
    }

    /// Takes keys by an external commit, once the conversation was looked at.
    fn join_by_itself(&mut self, group_info: &[u8], _: EntryAccepted) -> Result<Made, MlsError> {
        self.mls.join_external(group_info)
    }

    /// The public state was refused.
    pub(crate) fn group_info_refused(
        &mut self,
        step: &mut Step<'_>,
        id: ConversationId,
        refusal: Refusal,
    ) {
        if let Some(encrypted) = self.encrypted_mut(id) {
            encrypted.joining = false;
        }
        let wait = refusal.retry_after.unwrap_or(limits::RETRY_MILLIS);
        self.put_off(step, id, wait);
        if !refusal.code.passes() && refusal.code != Code::NotFound {
            step.show(Show::Refused { what: "join this conversation", refusal });
        }
    }

    /// An account can't be looked up now: what waits for it asks again, with what happens next.
    pub(crate) fn put_off_joins(&mut self, account: portcullis_proto::AccountId) {
        self.joins_waiting.retain(|_, waits_for| !waits_for.contains(&account));
        if self.inbox.waits_for.contains(&account) {
            self.inbox.waits_for.clear();
            self.inbox.put_off = true;
        }
    }

    /// Goes on with what waited for an account.
    pub(crate) fn resume_joins(
        &mut self,
        step: &mut Step<'_>,
        account: portcullis_proto::AccountId,
    ) {
        let mut ready = Vec::new();
        self.joins_waiting.retain(|id, waits_for| {
            let last = waits_for.remove(&account) && waits_for.is_empty();
            ready.extend(last.then_some(*id));
            !last
        });
        for id in ready {
            self.advance(step, id);
        }
    }
}
