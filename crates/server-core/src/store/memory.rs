//! A store in memory, for the simulator, the range and tests. It keeps every promise of [`Store`] but
//! outliving the process; [`MemoryStore::crash`] stands in for that. Each table journals what a write
//! replaced, so that a transaction costs what it changes, not what is stored.

mod packages;
mod state;
mod table;

use core::cell::{Ref, RefCell};
use core::ops::Bound::{Excluded, Unbounded};

use portcullis_proto::{
    Access, AccountId, ChannelName, ConversationId, ConversationKind, DeviceId, Envelope,
    Reference, Role, Stock, Timestamp, TransferId, UserName,
};

use self::packages::Packages;
use self::state::State;
use self::table::Journaled;
use super::{
    Account, AppendError, Blob, BlobUsage, ClassicDevice, Conversation, Device, GroupInfo,
    InsertError, Invite, KeyPackage, Login, Membership, Page, Place, Store, StoreError,
    StoredEnvelope, StoredList, TakenPackage, Token, TokenHash,
};

/// What a caller gets that breaks the order of calls, or names what isn't there.
const MISUSE: StoreError = StoreError::Io;

/// A store in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    state: RefCell<State>,
}

impl MemoryStore {
    /// Forgets everything that was not committed, as a process does that is killed.
    pub fn crash(&self) {
        let mut state = self.state.borrow_mut();
        if state.in_transaction {
            state.rollback();
        }
    }

    fn read(&self) -> Ref<'_, State> {
        self.state.borrow()
    }

    fn write<T, E: From<StoreError>>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut state = self.state.borrow_mut();
        if !state.in_transaction {
            return Err(MISUSE.into());
        }
        change(&mut state)
    }

    fn change_packages<T>(
        &self,
        device: DeviceId,
        change: impl FnOnce(&mut Packages) -> T,
    ) -> Result<T, StoreError> {
        self.write(|state| {
            state.devices.get(&device).ok_or(MISUSE)?;
            let mut packages = state.packages.get(&device).cloned().unwrap_or_default();
            let result = change(&mut packages);
            state.packages.put(device, packages);
            Ok(result)
        })
    }
}

impl Store for MemoryStore {
    fn begin(&self) -> Result<(), StoreError> {
        let mut state = self.state.borrow_mut();
        if state.in_transaction {
            return Err(MISUSE);
        }
        state.in_transaction = true;
        Ok(())
    }

    fn commit(&self) -> Result<(), StoreError> {
        self.write(|state| {
            state.tables().into_iter().for_each(Journaled::keep);
            state.end();
            Ok(())
        })
    }

    fn rollback(&self) -> Result<(), StoreError> {
        self.write(|state| {
            state.rollback();
            Ok(())
        })
    }

    fn savepoint(&self) -> Result<(), StoreError> {
        self.write(|state| {
            if state.request.is_some() {
                return Err(MISUSE);
            }
            state.request = Some(state.marks());
            Ok(())
        })
    }

    fn release(&self) -> Result<(), StoreError> {
        self.write(|state| state.request.take().map(|_| ()).ok_or(MISUSE))
    }

    fn rollback_to_savepoint(&self) -> Result<(), StoreError> {
        self.write(|state| {
            let marks = state.request.take().ok_or(MISUSE)?;
            state.undo_to(marks);
            Ok(())
        })
    }

    fn insert_account(&self, account: &Account) -> Result<(), InsertError> {
        self.write(|state| {
            if state.accounts.has(&account.id) || state.names.has(&account.name) {
                return Err(InsertError::Taken);
            }
            state.names.put(account.name.clone(), account.id);
            state.accounts.put(account.id, account.clone());
            Ok(())
        })
    }

    fn account(&self, account: AccountId) -> Result<Option<Account>, StoreError> {
        Ok(self.read().accounts.get(&account).cloned())
    }

    fn account_by_name(&self, name: &UserName) -> Result<Option<Account>, StoreError> {
        let state = self.read();
        let id = state.names.get(name);
        Ok(id.and_then(|id| state.accounts.get(id)).cloned())
    }

    fn accounts(&self, after: Option<&UserName>, limit: u32) -> Result<Vec<Account>, StoreError> {
        let state = self.read();
        let ids = state.names.after(after).map(|(_, id)| id);
        let accounts = ids.filter_map(|id| state.accounts.get(id).cloned());
        Ok(accounts.take(limit as usize).collect())
    }

    fn set_login(&self, account: AccountId, login: &Login) -> Result<(), StoreError> {
        self.write(|state| state.accounts.change(&account, |row| row.login = login.clone()))
    }

    fn set_disabled(&self, account: AccountId, disabled: bool) -> Result<(), StoreError> {
        self.write(|state| state.accounts.change(&account, |row| row.disabled = disabled))
    }

    fn insert_list(&self, account: AccountId, list: &StoredList) -> Result<(), InsertError> {
        self.write(|state| {
            state.accounts.get(&account).ok_or(MISUSE)?;
            if state.lists.has(&(account, list.version)) {
                return Err(InsertError::Taken);
            }
            state.lists.put((account, list.version), list.clone());
            Ok(())
        })
    }

    fn newest_list(&self, account: AccountId) -> Result<Option<StoredList>, StoreError> {
        let state = self.read();
        let mut lists = state.lists.rows.range((account, 0)..=(account, u64::MAX));
        Ok(lists.next_back().map(|(_, list)| list.clone()))
    }

    fn lists(
        &self,
        account: AccountId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredList>, StoreError> {
        let state = self.read();
        let lists = state.lists.after(Some(&(account, after)));
        let own = lists.take_while(|((of, _), _)| *of == account).map(|(_, list)| list.clone());
        Ok(own.take(limit as usize).collect())
    }

    fn put_device(&self, device: &Device) -> Result<(), StoreError> {
        self.write(|state| {
            state.accounts.get(&device.account).ok_or(MISUSE)?;
            match state.devices.get(&device.id) {
                Some(before) if before.account != device.account => return Err(MISUSE),
                _ => state.devices.put(device.id, device.clone()),
            }
            Ok(())
        })
    }

    fn device(&self, device: DeviceId) -> Result<Option<Device>, StoreError> {
        Ok(self.read().devices.get(&device).cloned())
    }

    fn put_token(&self, token: &Token) -> Result<(), StoreError> {
        self.write(|state| {
            state.devices.get(&token.device).ok_or(MISUSE)?;
            state.tokens.put(token.hash, *token);
            Ok(())
        })
    }

    fn token(&self, hash: TokenHash) -> Result<Option<Token>, StoreError> {
        Ok(self.read().tokens.get(&hash).copied())
    }

    fn drop_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.write(|state| {
            state.tokens.remove(hash);
            Ok(())
        })
    }

    fn drop_tokens(&self, device: DeviceId) -> Result<(), StoreError> {
        self.write(|state| {
            let tokens = state.tokens.rows.values().filter(|token| token.device == device);
            let hashes: Vec<_> = tokens.map(|token| token.hash).collect();
            hashes.into_iter().for_each(|hash| state.tokens.remove(hash));
            Ok(())
        })
    }

    fn put_key_packages(
        &self,
        device: DeviceId,
        packages: &[KeyPackage],
    ) -> Result<(), StoreError> {
        self.change_packages(device, |held| held.put(packages))
    }

    fn take_key_package(
        &self,
        device: DeviceId,
        now: Timestamp,
    ) -> Result<Option<TakenPackage>, StoreError> {
        self.change_packages(device, |held| held.take(now))
    }

    fn stock(&self, device: DeviceId, now: Timestamp) -> Result<Stock, StoreError> {
        let state = self.read();
        Ok(state.packages.get(&device).map(|held| held.stock(now)).unwrap_or_default())
    }

    fn drop_key_packages(&self, device: DeviceId, until: Timestamp) -> Result<(), StoreError> {
        self.change_packages(device, |held| held.drop_until(until))
    }

    fn put_classic_key(&self, device: DeviceId, key: &[u8]) -> Result<(), StoreError> {
        self.write(|state| {
            state.devices.get(&device).ok_or(MISUSE)?;
            let last = state.classic_keys.rows.values().map(|(number, _)| *number).max();
            let number = last.map_or(0, |number| number + 1);
            state.classic_keys.put(device, (number, key.to_vec()));
            Ok(())
        })
    }

    fn classic_key(&self, device: DeviceId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read().classic_keys.get(&device).map(|(_, key)| key.clone()))
    }

    fn classic_keys(
        &self,
        members_of: ConversationId,
        limit: u32,
    ) -> Result<Vec<ClassicDevice>, StoreError> {
        let state = self.read();
        let mut rows: Vec<_> = state.classic_keys.rows.iter().collect();
        rows.sort_unstable_by_key(|(_, (number, _))| core::cmp::Reverse(*number));
        let listed = rows.into_iter().filter_map(|(id, (_, key))| {
            let device = state.devices.get(id).filter(|device| !device.revoked)?;
            let account = state.accounts.get(&device.account).filter(|row| !row.disabled)?;
            let membership = state.memberships.get(&(account.id, members_of))?;
            let listed = || ClassicDevice { device: *id, account: account.id, key: key.clone() };
            membership.role.is_present().then(listed)
        });
        Ok(listed.take(limit as usize).collect())
    }

    fn insert_blob(&self, blob: &Blob) -> Result<(), InsertError> {
        self.write(|state| {
            state.accounts.get(&blob.account).ok_or(MISUSE)?;
            state.conversations.get(&blob.conversation).ok_or(MISUSE)?;
            if state.blobs.has(&blob.id) {
                return Err(InsertError::Taken);
            }
            state.blobs.put(blob.id, *blob);
            Ok(())
        })
    }

    fn blob(&self, id: TransferId) -> Result<Option<Blob>, StoreError> {
        Ok(self.read().blobs.get(&id).copied())
    }

    fn blobs(&self, after: Option<TransferId>, limit: u32) -> Result<Vec<Blob>, StoreError> {
        let state = self.read();
        let blobs = state.blobs.after(after.as_ref()).map(|(_, blob)| *blob);
        Ok(blobs.take(limit as usize).collect())
    }

    fn expired_blobs(&self, until: Timestamp, limit: u32) -> Result<Vec<TransferId>, StoreError> {
        let state = self.read();
        let expired = state.blobs.rows.values().filter(|blob| blob.expires_at <= until);
        Ok(expired.map(|blob| blob.id).take(limit as usize).collect())
    }

    fn blob_usage(&self, account: Option<AccountId>) -> Result<BlobUsage, StoreError> {
        let state = self.read();
        let counted = |blob: &&Blob| account.is_none_or(|account| account == blob.account);
        let blobs = state.blobs.rows.values().filter(counted);
        Ok(blobs.fold(BlobUsage::default(), |usage, blob| BlobUsage {
            blobs: usage.blobs + 1,
            bytes: usage.bytes.saturating_add(blob.bytes),
        }))
    }

    fn collect_blob(&self, id: TransferId, account: AccountId) -> Result<(), StoreError> {
        self.write(|state| {
            state.blobs.get(&id).ok_or(MISUSE)?;
            state.accounts.get(&account).ok_or(MISUSE)?;
            state.collected.put((id, account), ());
            Ok(())
        })
    }

    fn collectors(&self, id: TransferId) -> Result<Vec<AccountId>, StoreError> {
        let state = self.read();
        let collected = state.collected.rows.keys().filter(|(of, _)| *of == id);
        Ok(collected.map(|(_, account)| *account).collect())
    }

    fn drop_blob(&self, id: TransferId) -> Result<(), StoreError> {
        let collectors = self.collectors(id)?;
        self.write(|state| {
            collectors.into_iter().for_each(|account| state.collected.remove((id, account)));
            state.blobs.remove(id);
            Ok(())
        })
    }

    fn put_invite(&self, invite: &Invite) -> Result<(), StoreError> {
        self.write(|state| {
            state.invites.put(invite.hash, *invite);
            Ok(())
        })
    }

    fn take_invite(&self, hash: TokenHash, now: Timestamp) -> Result<bool, StoreError> {
        self.write(|state| {
            let good = state.invites.get(&hash).is_some_and(|invite| now < invite.expires_at);
            if good {
                state.invites.remove(hash);
            }
            Ok(good)
        })
    }

    fn insert_conversation(&self, conversation: &Conversation) -> Result<(), InsertError> {
        self.write(|state| {
            let name = conversation.name.as_ref();
            let named = name.is_some_and(|name| state.channels.has(name));
            if named || state.conversations.has(&conversation.id) {
                return Err(InsertError::Taken);
            }
            if let Some(name) = name {
                state.channels.put(name.clone(), conversation.id);
            }
            state.conversations.put(conversation.id, conversation.clone());
            Ok(())
        })
    }

    fn conversation(&self, id: ConversationId) -> Result<Option<Conversation>, StoreError> {
        Ok(self.read().conversations.get(&id).cloned())
    }

    fn conversation_by_name(&self, name: &ChannelName) -> Result<Option<Conversation>, StoreError> {
        let state = self.read();
        let id = state.channels.get(name);
        Ok(id.and_then(|id| state.conversations.get(id)).cloned())
    }

    fn open_channels(
        &self,
        after: Option<&ChannelName>,
        limit: u32,
    ) -> Result<Vec<Conversation>, StoreError> {
        let state = self.read();
        let ids = state.channels.after(after).map(|(_, id)| id);
        let open = ids.filter_map(|id| state.conversations.get(id)).filter(|conversation| {
            conversation.kind == ConversationKind::Channel && conversation.access == Access::Open
        });
        Ok(open.take(limit as usize).cloned().collect())
    }

    fn membership(
        &self,
        account: AccountId,
        conversation: ConversationId,
    ) -> Result<Option<Membership>, StoreError> {
        Ok(self.read().memberships.get(&(account, conversation)).cloned())
    }

    fn put_membership(
        &self,
        account: AccountId,
        conversation: ConversationId,
        membership: &Membership,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            state.accounts.get(&account).ok_or(MISUSE)?;
            state.conversations.get(&conversation).ok_or(MISUSE)?;
            let key = (account, conversation);
            let before = state.memberships.get(&key).map_or(0, |row| counted(row.role));
            let count = state.counts.get(&conversation).copied().unwrap_or(0);
            let after = (count + counted(membership.role)).saturating_sub(before);
            state.counts.put(conversation, after);
            if membership.is_none() {
                state.memberships.remove(key);
            } else {
                state.memberships.put(key, membership.clone());
            }
            Ok(())
        })
    }

    fn memberships(
        &self,
        account: AccountId,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<(Conversation, Membership)>, StoreError> {
        let state = self.read();
        let lowest = (account, ConversationId::from_bytes([0; 16]));
        let own = match after {
            Some(after) => state.memberships.rows.range((Excluded((account, after)), Unbounded)),
            None => state.memberships.rows.range(lowest..),
        };
        let own = own.take_while(|((of, _), _)| *of == account);
        let pairs = own.filter_map(|((_, id), membership)| {
            Some((state.conversations.get(id)?.clone(), membership.clone()))
        });
        Ok(pairs.take(limit as usize).collect())
    }

    fn member_count(&self, conversation: ConversationId) -> Result<u64, StoreError> {
        Ok(self.read().counts.get(&conversation).copied().unwrap_or(0))
    }

    fn begin_epoch(
        &self,
        conversation: ConversationId,
        group_info: &GroupInfo,
    ) -> Result<(), StoreError> {
        self.write(|state| {
            state.conversations.change(&conversation, |row| row.epoch = group_info.epoch)?;
            state.group_infos.put(conversation, group_info.clone());
            Ok(())
        })
    }

    fn group_info(&self, conversation: ConversationId) -> Result<Option<GroupInfo>, StoreError> {
        Ok(self.read().group_infos.get(&conversation).cloned())
    }

    fn append(
        &self,
        conversation: ConversationId,
        envelopes: &[StoredEnvelope],
    ) -> Result<(), AppendError> {
        self.write(|state| {
            let marks = state.marks();
            let mut envelopes = envelopes.iter();
            let result = envelopes.try_for_each(|stored| state.append(conversation, stored));
            if result.is_err() {
                state.undo_to(marks);
            }
            result
        })
    }

    fn place_of(
        &self,
        device: DeviceId,
        reference: Reference,
    ) -> Result<Option<Place>, StoreError> {
        Ok(self.read().places.get(&(device, reference)).copied())
    }

    fn fetch(
        &self,
        conversation: ConversationId,
        after: u64,
        upto: u64,
        limit: u32,
        bytes: usize,
    ) -> Result<Page, StoreError> {
        let state = self.read();
        let base = state.base(conversation, after)?;
        let log = state.log.after(Some(&(conversation, base.seq)));
        let log = log.take_while(|((of, seq), _)| *of == conversation && *seq <= upto);
        let mut envelopes: Vec<Envelope> = Vec::new();
        let mut room = bytes;
        for (_, stored) in log.take(limit as usize) {
            let length = stored.envelope.body.as_slice().len();
            if length > room && !envelopes.is_empty() {
                break;
            }
            room = room.saturating_sub(length);
            envelopes.push(stored.envelope.clone());
        }
        Ok(Page { base, envelopes })
    }
}

/// What a role counts in [`Store::member_count`].
fn counted(role: Role) -> u64 {
    u64::from(role.is_present())
}

#[cfg(test)]
mod tests {
    use super::*;

    crate::store_contract! {
        make: || (MemoryStore::default(), ()),
        reopen: |store: MemoryStore, (): &()| {
            store.crash();
            store
        },
    }
}
