//! All tables in memory, and what concerns several of them: transactions, and appending to a log.

use portcullis_proto::{
    AccountId, ChannelName, ConversationId, ConversationKind, DeviceId, Envelope, Reference, Seen,
    TransferId, UserName,
};

use super::MISUSE;
use super::packages::Packages;
use super::table::{Journaled, Table};
use crate::store::{
    Account, AppendError, Blob, Conversation, Device, GroupInfo, Invite, Membership, Place,
    StoreError, StoredEnvelope, StoredList, Token, TokenHash,
};

/// How many tables there are, for what is kept about each.
const TABLES: usize = 17;

#[derive(Debug, Clone, Default)]
pub(super) struct State {
    pub(super) in_transaction: bool,
    /// While a request runs: how much each table had journaled before it.
    pub(super) request: Option<[usize; TABLES]>,
    pub(super) accounts: Table<AccountId, Account>,
    pub(super) names: Table<UserName, AccountId>,
    pub(super) lists: Table<(AccountId, u64), StoredList>,
    pub(super) devices: Table<DeviceId, Device>,
    pub(super) tokens: Table<TokenHash, Token>,
    pub(super) packages: Table<DeviceId, Packages>,
    /// Each with its place in the order of arrival.
    pub(super) classic_keys: Table<DeviceId, (u64, Vec<u8>)>,
    pub(super) invites: Table<TokenHash, Invite>,
    pub(super) conversations: Table<ConversationId, Conversation>,
    pub(super) channels: Table<ChannelName, ConversationId>,
    pub(super) memberships: Table<(AccountId, ConversationId), Membership>,
    pub(super) counts: Table<ConversationId, u64>,
    pub(super) group_infos: Table<ConversationId, GroupInfo>,
    pub(super) log: Table<(ConversationId, u64), StoredEnvelope>,
    pub(super) places: Table<(DeviceId, Reference), Place>,
    pub(super) blobs: Table<TransferId, Blob>,
    pub(super) collected: Table<(TransferId, AccountId), ()>,
}

impl State {
    pub(super) fn tables(&mut self) -> [&mut dyn Journaled; TABLES] {
        [
            &mut self.accounts,
            &mut self.names,
            &mut self.lists,
            &mut self.devices,
            &mut self.tokens,
            &mut self.packages,
            &mut self.classic_keys,
            &mut self.invites,
            &mut self.conversations,
            &mut self.channels,
            &mut self.memberships,
            &mut self.counts,
            &mut self.group_infos,
            &mut self.log,
            &mut self.places,
            &mut self.blobs,
            &mut self.collected,
        ]
    }

    pub(super) fn marks(&mut self) -> [usize; TABLES] {
        self.tables().map(|table| table.mark())
    }

    pub(super) fn undo_to(&mut self, marks: [usize; TABLES]) {
        for (table, mark) in self.tables().into_iter().zip(marks) {
            table.undo_to(mark);
        }
    }

    pub(super) fn rollback(&mut self) {
        self.undo_to([0; TABLES]);
        self.end();
    }

    pub(super) fn end(&mut self) {
        self.in_transaction = false;
        self.request = None;
    }

    pub(super) fn append(
        &mut self,
        to: ConversationId,
        stored: &StoredEnvelope,
    ) -> Result<(), AppendError> {
        let envelope = &stored.envelope;
        let conversation = self.conversations.get(&to).ok_or(MISUSE)?;
        let device = self.devices.get(&envelope.device).ok_or(MISUSE)?;
        let place = (envelope.conversation, envelope.seq);
        if place != (to, conversation.end.seq + 1) || envelope.account != device.account {
            return Err(MISUSE.into());
        }
        let used = (envelope.device, envelope.reference);
        if self.places.has(&used) {
            return Err(AppendError::ReferenceUsed);
        }
        let counts = conversation.kind != ConversationKind::Inbox;
        let end = Seen { seq: envelope.seq, chain: stored.chain };
        let place = Place {
            conversation: envelope.conversation,
            seq: envelope.seq,
            accepted_at: envelope.accepted_at,
            reference: envelope.reference,
        };
        self.conversations.change(&envelope.conversation, |row| row.end = end)?;
        if counts {
            self.devices.change(&envelope.device, |row| row.submitted += 1)?;
        }
        self.places.put(used, place);
        self.log.put((envelope.conversation, envelope.seq), stored.clone());
        Ok(())
    }

    /// The place of this sequence number, or the end if it lies beyond.
    pub(super) fn base(&self, conversation: ConversationId, seq: u64) -> Result<Seen, StoreError> {
        let end = self.conversations.get(&conversation).ok_or(MISUSE)?.end;
        if seq >= end.seq {
            return Ok(end);
        }
        let chain = match self.log.get(&(conversation, seq)) {
            Some(stored) => stored.chain,
            None if seq == 0 => Envelope::chain_start(conversation),
            None => return Err(StoreError::Corrupt),
        };
        Ok(Seen { seq, chain })
    }
}
