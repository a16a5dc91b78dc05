//! The members of a conversation as a commit leaves them: the store's rows, and what changes. Leaves out who
//! may change what, which is [`may_commit`](crate::defences::may_commit)'s to say.

use crate::store::{Conversation, Membership, Store, StoreError};
use portcullis_proto::{AccountId, ConversationId, ConversationKind, Role};

/// An account whose place in the conversation the commit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Whose.
    pub account: AccountId,
    /// What it was, if anything.
    pub before: Option<Membership>,
    /// What it is from the commit on.
    pub role: Role,
}

impl Change {
    /// Whether the account was a member before.
    #[must_use]
    pub fn was_present(&self) -> bool {
        role_in(self.before.as_ref()).is_present()
    }
}

/// The rows, and the changes so far.
pub(crate) struct Roster<'a> {
    tx: &'a dyn Store,
    id: ConversationId,
    kind: ConversationKind,
    changes: Vec<Change>,
}

impl<'a> Roster<'a> {
    pub(crate) fn new(tx: &'a dyn Store, conversation: &Conversation) -> Self {
        Self { tx, id: conversation.id, kind: conversation.kind, changes: Vec::new() }
    }

    pub(crate) const fn kind(&self) -> ConversationKind {
        self.kind
    }

    /// What an account is after the changes so far.
    pub(crate) fn role(&self, account: AccountId) -> Result<Role, StoreError> {
        match self.changes.iter().find(|change| change.account == account) {
            Some(change) => Ok(change.role),
            None => Ok(role_in(self.before(account)?.as_ref())),
        }
    }

    pub(crate) fn set(&mut self, account: AccountId, role: Role) -> Result<(), StoreError> {
        match self.changes.iter_mut().find(|change| change.account == account) {
            Some(change) => change.role = role,
            None => {
                let before = self.before(account)?;
                self.changes.push(Change { account, before, role });
            }
        }
        Ok(())
    }

    pub(crate) fn has_account(&self, account: AccountId) -> Result<bool, StoreError> {
        Ok(self.tx.account(account)?.is_some())
    }

    /// How many accounts are members after the changes so far.
    pub(crate) fn count(&self) -> Result<u64, StoreError> {
        let before = self.tx.member_count(self.id)?;
        let entered = self.changes.iter().filter(|change| change.role.is_present()).count();
        let had = self.changes.iter().filter(|change| change.was_present()).count();
        Ok((before + entered as u64).saturating_sub(had as u64))
    }

    /// What has changed, each account once; what was set to what it was before has not.
    pub(crate) fn into_changes(mut self) -> Vec<Change> {
        self.changes.retain(|change| role_in(change.before.as_ref()) != change.role);
        self.changes
    }

    fn before(&self, account: AccountId) -> Result<Option<Membership>, StoreError> {
        self.tx.membership(account, self.id)
    }
}

/// What a membership makes of an account.
pub(crate) fn role_in(membership: Option<&Membership>) -> Role {
    membership.map_or(Role::Outside, |membership| membership.role)
}
