//! Who changes an encrypted conversation: its present members, each within its role.
//!
//! Attack: somebody outside, or who was removed, appends a commit, and the conversation stands in an epoch
//! that none of its members can reach; a member removes the owner, takes its place, or welcomes the
//! devices of people whom it concerns nothing, until their inboxes are full.
//! CWE-863, incorrect authorization.
//! Precedent: mdk#44 (Least Authority's audit, critical: commits were merged without asking whether the
//! committer may do what they do); Rösler, Mainka and Schwenk, "More is Less" (2018), section 4.

use crate::Context;
use crate::defences::Sender;
use crate::defences::may_read::not_found;
use crate::store::{Conversation, Membership, Store, StoreError};
use portcullis_proto::{
    AccountId, Code, ConversationId, ConversationKind, Creates, DeviceId, Members, Refusal, Role,
    limits,
};

/// What a commit asks for.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    /// Where.
    pub conversation: ConversationId,
    /// What the conversation is, where the commit makes it.
    pub creates: Option<Creates>,
    /// What it changes in the list of members.
    pub members: &'a Members,
    /// The devices that it welcomes.
    pub welcomed: &'a [DeviceId],
}

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

/// A device in use, whose account is a member after the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Welcomed {
    /// Which.
    pub id: DeviceId,
    /// Whose.
    pub account: AccountId,
}

/// Proof that a sender may commit, and what the commit changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayCommit {
    sender: Sender,
    conversation: Conversation,
    is_new: bool,
    changes: Vec<Change>,
    welcomed: Vec<Welcomed>,
}

impl MayCommit {
    /// Who commits.
    #[must_use]
    pub const fn sender(&self) -> Sender {
        self.sender
    }

    /// Where, as it is before the commit.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// Whether the commit makes the conversation.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whose places change, each account once.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The accounts that become members.
    pub fn entering(&self) -> impl Iterator<Item = AccountId> {
        let entering = |c: &&Change| !c.was_present() && c.role.is_present();
        self.changes.iter().filter(entering).map(|change| change.account)
    }

    /// The devices that are welcomed.
    #[must_use]
    pub fn welcomed(&self) -> &[Welcomed] {
        &self.welcomed
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(
        sender: Sender,
        conversation: Conversation,
        is_new: bool,
        changes: Vec<Change>,
        welcomed: Vec<Welcomed>,
    ) -> Self {
        Self { sender, conversation, is_new, changes, welcomed }
    }
}

/// Looks up what the sender is in the conversation, and whether that suffices for all that the commit
/// does: any member adds; only the owner removes others or names another owner; everyone may leave; a
/// direct is its two accounts' for ever.
///
/// # Errors
/// [`Code::NotFound`] alike for a conversation that does not exist and for one that is not the account's;
/// [`Code::Forbidden`] for what it may not do there; [`Code::EpochChanged`] and [`Code::NameTaken`] for a
/// direct and a group that exist already; [`Code::TooLarge`] past a limit.
pub fn may_commit(
    context: &Context<'_>,
    sender: Sender,
    proposed: &Proposed<'_>,
) -> Result<MayCommit, Refusal> {
    check_form(proposed)?;
    let own = sender.account();
    let (conversation, first) = match proposed.creates {
        Some(creates) => made(context, own, proposed.conversation, creates)?,
        None => (known(context, own, proposed.conversation)?, Vec::new()),
    };
    let (id, kind) = (conversation.id, conversation.kind);
    let mut roster = Roster { tx: context.tx, id, kind, changes: Vec::new() };
    for (account, role) in first {
        roster.set(account, role)?;
    }
    roster.apply(own, proposed.members)?;
    roster.check_size()?;
    let mut welcomed = Vec::with_capacity(proposed.welcomed.len());
    for device in proposed.welcomed {
        welcomed.push(roster.welcome(*device)?);
    }
    let changes = roster.changes;
    let is_new = proposed.creates.is_some();
    Ok(MayCommit { sender, conversation, is_new, changes, welcomed })
}

/// No name stands twice, and none is both added and removed.
fn check_form(proposed: &Proposed<'_>) -> Result<(), Refusal> {
    let Members { added, removed, .. } = proposed.members;
    let mut accounts: Vec<_> = added.iter().chain(removed).collect();
    let mut devices = proposed.welcomed.to_vec();
    let all = (accounts.len(), devices.len());
    if all.0 > 2 * limits::GROUP_DEVICES || all.1 > limits::COMMIT_DEVICES {
        return Err(Refusal::new(Code::TooLarge, "one commit can't add as many"));
    }
    accounts.sort_unstable();
    accounts.dedup();
    devices.sort_unstable();
    devices.dedup();
    let message = "an account or a device is named twice";
    let once = (accounts.len(), devices.len()) == all;
    once.then_some(()).ok_or_else(|| Refusal::new(Code::Malformed, message))
}

/// An encrypted conversation that the account is in.
fn known(
    context: &Context<'_>,
    own: AccountId,
    id: ConversationId,
) -> Result<Conversation, Refusal> {
    let membership = context.tx.membership(own, id)?;
    if !role_in(membership.as_ref()).is_present() {
        return Err(not_found());
    }
    let conversation = context.tx.conversation(id)?.ok_or_else(not_found)?;
    match conversation.kind {
        ConversationKind::Direct | ConversationKind::Group => Ok(conversation),
        _ => Err(forbidden("only directs and groups are changed by commits")),
    }
}

/// A conversation that does not exist yet, and who is in it from the beginning.
fn made(
    context: &Context<'_>,
    own: AccountId,
    id: ConversationId,
    creates: Creates,
) -> Result<(Conversation, Vec<(AccountId, Role)>), Refusal> {
    let exists = context.tx.conversation(id)?.is_some();
    match creates {
        Creates::Direct { with } => {
            if with == own || id != ConversationId::direct(own, with) {
                return Err(forbidden("this is not the id of a direct with this account"));
            }
            context.tx.account(with)?.ok_or_else(no_account)?;
            if exists {
                let message = "this direct exists already; catch up and make it again";
                return Err(Refusal::new(Code::EpochChanged, message));
            }
            let both = vec![(own, Role::Member), (with, Role::Member)];
            Ok((Conversation::direct(own, with), both))
        }
        // Otherwise a group could stand in the place of somebody's inbox or direct.
        Creates::Group {} if id.is_computed() => {
            Err(forbidden("an id of this form belongs to a direct or an inbox"))
        }
        Creates::Group {} if exists => {
            Err(Refusal::new(Code::NameTaken, "there is a conversation of this id"))
        }
        Creates::Group {} => Ok((Conversation::group(id), vec![(own, Role::Owner)])),
    }
}

/// The members as the commit leaves them: the store's rows, and what changes.
struct Roster<'a> {
    tx: &'a dyn Store,
    id: ConversationId,
    kind: ConversationKind,
    changes: Vec<Change>,
}

impl Roster<'_> {
    fn role(&self, account: AccountId) -> Result<Role, StoreError> {
        match self.changes.iter().find(|change| change.account == account) {
            Some(change) => Ok(change.role),
            None => Ok(role_in(self.before(account)?.as_ref())),
        }
    }

    fn before(&self, account: AccountId) -> Result<Option<Membership>, StoreError> {
        self.tx.membership(account, self.id)
    }

    fn set(&mut self, account: AccountId, role: Role) -> Result<(), StoreError> {
        match self.changes.iter_mut().find(|change| change.account == account) {
            Some(change) => change.role = role,
            None => {
                let before = self.before(account)?;
                self.changes.push(Change { account, before, role });
            }
        }
        Ok(())
    }

    fn apply(&mut self, own: AccountId, members: &Members) -> Result<(), Refusal> {
        let is_direct = self.kind == ConversationKind::Direct;
        let is_owner = self.role(own)? == Role::Owner;
        for account in &members.added {
            if self.role(*account)?.is_present() {
                continue;
            }
            if is_direct {
                return Err(forbidden("a direct is its two accounts' for ever"));
            }
            self.tx.account(*account)?.ok_or_else(no_account)?;
            self.set(*account, Role::Member)?;
        }
        for account in &members.removed {
            if !self.role(*account)?.is_present() {
                continue;
            }
            if is_direct || !(is_owner || *account == own) {
                return Err(forbidden("only the owner of a group removes others"));
            }
            self.set(*account, Role::Outside)?;
        }
        match members.owner {
            Some(_) if !is_owner => Err(forbidden("only the owner of a group names another")),
            Some(next) => self.name_owner(own, next),
            None if is_owner && self.role(own)? == Role::Outside && self.count()? > 0 => {
                Err(forbidden("name another owner before you leave"))
            }
            None => Ok(()),
        }
    }

    fn name_owner(&mut self, own: AccountId, next: AccountId) -> Result<(), Refusal> {
        if !self.role(next)?.is_present() {
            return Err(forbidden("the owner of a group is one of its members"));
        }
        if self.role(own)?.is_present() {
            self.set(own, Role::Member)?;
        }
        Ok(self.set(next, Role::Owner)?)
    }

    /// How many accounts are members after the commit.
    fn count(&self) -> Result<u64, StoreError> {
        let present = |is: bool| u64::from(is);
        let before = self.tx.member_count(self.id)?;
        let entered: u64 = self.changes.iter().map(|c| present(c.role.is_present())).sum();
        let had: u64 = self.changes.iter().map(|c| present(c.was_present())).sum();
        Ok((before + entered).saturating_sub(had))
    }

    fn check_size(&self) -> Result<(), Refusal> {
        let fits = self.count()? <= limits::GROUP_DEVICES as u64;
        fits.then_some(())
            .ok_or_else(|| Refusal::new(Code::TooLarge, "a group can't have as many members"))
    }

    fn welcome(&self, id: DeviceId) -> Result<Welcomed, Refusal> {
        let device = self.tx.device(id)?.filter(|device| !device.revoked);
        if let Some(device) = device
            && self.role(device.account)?.is_present()
        {
            return Ok(Welcomed { id, account: device.account });
        }
        Err(forbidden("only devices of members are welcomed"))
    }
}

fn role_in(membership: Option<&Membership>) -> Role {
    membership.map_or(Role::Outside, |membership| membership.role)
}

fn forbidden(message: &'static str) -> Refusal {
    Refusal::new(Code::Forbidden, message)
}

fn no_account() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such account")
}
