//! What a submit asks for again and again, kept in memory: conversations and memberships as they are
//! in this transaction; and what every submit moves, written once a batch: the ends of conversations
//! and how much devices have submitted.
//!
//! A row is remembered when it is read, and follows what this store writes. Other processes write
//! neither kind. Where a request or a batch that has written is undone, everything is forgotten.
//! Moves wait only for submits that do nothing else: before a savepoint, before anything reads or
//! writes the rows they belong to, and before the commit, they are [settled](SqliteStore::settle).

use std::collections::HashMap;

use portcullis_proto::{AccountId, ConversationId, Seen};
use portcullis_server_core::store::{Conversation, Membership, StoreError};
use rusqlite::params;

use super::SqliteStore;
use super::error::{MISUSE, blame};
use super::rows::count;

/// Rows remembered of each kind, some 200 bytes each. Past it all are forgotten and read again.
const REMEMBERED: usize = 50_000;

/// What was read, and what has still to be written.
#[derive(Debug, Default)]
pub(super) struct Recent {
    conversations: HashMap<ConversationId, Conversation>,
    memberships: HashMap<(AccountId, ConversationId), Membership>,
    /// By the conversation's key.
    ends: HashMap<i64, Moved>,
    /// By the device's key: how many envelopes more.
    submitted: HashMap<i64, i64>,
}

/// An end that has moved in memory.
#[derive(Debug, Clone, Copy)]
struct Moved {
    /// Where it stands in its row.
    from: u64,
    to: Seen,
}

impl Recent {
    pub(super) fn clear(&mut self) {
        self.conversations.clear();
        self.memberships.clear();
        self.ends.clear();
        self.submitted.clear();
    }

    pub(super) fn conversation(&self, id: ConversationId) -> Option<&Conversation> {
        self.conversations.get(&id)
    }

    pub(super) fn membership(&self, who: (AccountId, ConversationId)) -> Option<&Membership> {
        self.memberships.get(&who)
    }

    pub(super) fn keep_conversation(&mut self, conversation: Conversation) {
        if self.conversations.len() >= REMEMBERED {
            self.conversations.clear();
        }
        self.conversations.insert(conversation.id, conversation);
    }

    pub(super) fn keep_membership(
        &mut self,
        who: (AccountId, ConversationId),
        membership: Membership,
    ) {
        if self.memberships.len() >= REMEMBERED {
            self.memberships.clear();
        }
        self.memberships.insert(who, membership);
    }

    pub(super) fn forget_conversation(&mut self, id: ConversationId) {
        self.conversations.remove(&id);
    }

    pub(super) fn forget_membership(&mut self, who: (AccountId, ConversationId)) {
        self.memberships.remove(&who);
    }

    /// Moves an end in memory, if the conversation is remembered and ends just before `first`.
    pub(super) fn move_end(&mut self, id: ConversationId, key: i64, first: u64, to: Seen) -> bool {
        let Some(conversation) = self.conversations.get_mut(&id) else {
            return false;
        };
        let from = conversation.end.seq;
        if from.checked_add(1) != Some(first) {
            return false;
        }
        conversation.end = to;
        self.ends.entry(key).or_insert(Moved { from, to }).to = to;
        true
    }

    pub(super) fn add_submitted(&mut self, device: i64, more: i64) {
        *self.submitted.entry(device).or_insert(0) += more;
    }
}

impl SqliteStore {
    /// Writes the moves that wait. What fails can't be committed.
    pub(super) fn settle(&self) -> Result<(), StoreError> {
        let (ends, submitted) = {
            let mut recent = self.recent.borrow_mut();
            if recent.ends.is_empty() && recent.submitted.is_empty() {
                return Ok(());
            }
            (std::mem::take(&mut recent.ends), std::mem::take(&mut recent.submitted))
        };
        let settled = self.write_ends(ends).and_then(|()| self.write_submitted(submitted));
        if settled.is_err() {
            self.broken.set(true);
        }
        settled
    }

    fn write_ends(&self, ends: HashMap<i64, Moved>) -> Result<(), StoreError> {
        let sql =
            "UPDATE conversations SET end_seq = ?, end_chain = ? WHERE key = ? AND end_seq = ?";
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        for (key, Moved { from, to }) in ends {
            let row = params![count(to.seq)?, to.chain.as_bytes(), key, count(from)?];
            one_row(statement.execute(row))?;
        }
        Ok(())
    }

    fn write_submitted(&self, submitted: HashMap<i64, i64>) -> Result<(), StoreError> {
        let sql = "UPDATE devices SET submitted = submitted + ? WHERE key = ?";
        let mut statement = self.connection.prepare_cached(sql).map_err(blame)?;
        for (device, more) in submitted {
            one_row(statement.execute([more, device]))?;
        }
        Ok(())
    }
}

fn one_row(changed: rusqlite::Result<usize>) -> Result<(), StoreError> {
    match changed.map_err(blame)? {
        1 => Ok(()),
        _ => Err(MISUSE),
    }
}
