//! What the defences of encrypted conversations look at, and what they answer: plain data, without the
//! library that it was read by.

use portcullis_mls::{CommitView, GroupView, KeyPackageView, Leaf, Roster};
use portcullis_proto::{AccountId, ConversationId, ConversationKind, DeviceId, DeviceList};
use std::fmt;

/// The signed device lists that are known.
pub trait Lists {
    /// An account's newest verified list, if it was looked up.
    fn list(&self, account: AccountId) -> Option<&DeviceList>;

    /// Whether an account's list names a leaf, in use or revoked: who reads a log later than others must
    /// come to the same answer.
    fn names(&self, leaf: &Leaf) -> bool {
        let keys = self.list(leaf.account).and_then(|list| list.keys_of(leaf.device));
        keys.is_some_and(|keys| keys.leaf == leaf.key)
    }

    /// Whether a leaf's device is in use.
    fn in_use(&self, leaf: &Leaf) -> bool {
        let entry = self.list(leaf.account).and_then(|list| list.in_use(leaf.device));
        entry.is_some_and(|entry| entry.leaf == leaf.key)
    }
}

/// A commit that somebody made, before it counts.
#[derive(Debug, Clone, Copy)]
pub struct Committed<'a> {
    /// The conversation as it is.
    pub before: &'a GroupView,
    /// What the commit does.
    pub commit: &'a CommitView,
    /// Whom the server names as its maker.
    pub envelope: (AccountId, DeviceId),
}

impl Committed<'_> {
    /// The leaves after it.
    #[must_use]
    pub fn leaves_after(&self) -> Vec<Leaf> {
        let removed = &self.commit.removed;
        let stays = |leaf: &&Leaf| removed.iter().all(|gone| gone.device != leaf.device);
        let mut leaves: Vec<Leaf> = self.before.leaves.iter().filter(stays).copied().collect();
        leaves.extend(self.commit.added.iter().copied());
        if self.commit.external {
            leaves.push(self.commit.committer);
        }
        leaves
    }
}

/// Why a commit does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitRefused {
    /// Its maker may not do what it does.
    Rights,
    /// It adds a device that its account's signed list does not name.
    UnlistedDevice,
    /// It gives somebody's leaf to another account, device or key.
    AccountChanged,
    /// It changes the suite, an extension, or what members agree on, in a way that nobody may.
    Context,
    /// A device joins by itself that is none of a member's.
    Outsider,
    /// It was made for an epoch that has passed.
    Old,
    /// Its signature, its keys or its form do not hold.
    Broken,
}

impl fmt::Display for CommitRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rights => "they may not do that",
            Self::UnlistedDevice => "it adds a device that its owner has not signed",
            Self::AccountChanged => "it gives one member's place to another",
            Self::Context => "it changes how the conversation is protected",
            Self::Outsider => "it brings in a device that is no member's",
            Self::Old => "it comes too late, or a second time",
            Self::Broken => "it does not fit the keys of this conversation",
        })
    }
}

/// A conversation that this device is about to enter, by a welcome or by itself.
#[derive(Debug, Clone, Copy)]
pub struct Joining<'a> {
    /// Which.
    pub conversation: ConversationId,
    /// What the server says that it is, if it has.
    pub kind: Option<ConversationKind>,
    /// This account.
    pub me: AccountId,
    /// What its members agree on.
    pub roster: &'a Roster,
    /// Its devices.
    pub leaves: &'a [Leaf],
    /// Its epoch.
    pub epoch: u64,
    /// The epoch that this device knows it to have come to.
    pub at_least: u64,
    /// Who vouches for it: has signed its public state, or has sent the welcome.
    pub by: &'a Leaf,
    /// The members when this device gave its keys up, where one of them has to vouch.
    pub vouchers: Option<&'a [AccountId]>,
}

/// Why a conversation is not entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryRefused {
    /// This account is no member of it, by what its members agreed.
    NotMember,
    /// It is another conversation, or of another kind, than it says.
    OtherConversation,
    /// It has a device that no signed list names.
    UnlistedDevice,
    /// It has a device of an account that is no member.
    Outsider,
    /// It is as it was before this device knew it last.
    Old,
    /// Nobody vouches for it whom this device has known there.
    Stranger,
}

impl fmt::Display for EntryRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMember => "its members have not made you one of them",
            Self::OtherConversation => "it is not the conversation that it claims to be",
            Self::UnlistedDevice => "a device listens there that its owner has not signed",
            Self::Outsider => "a device listens there that is no member's",
            Self::Old => "the server shows it as it was before",
            Self::Stranger => "nobody whom you knew there speaks for it",
        })
    }
}

/// A key package that the server hands out.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// Whose it is said to be.
    pub account: AccountId,
    /// Of which device.
    pub device: DeviceId,
    /// What it says itself; none if it can't be read or its signatures do not hold.
    pub package: Option<&'a KeyPackageView>,
    /// The account's signed device list.
    pub list: Option<&'a DeviceList>,
}

/// Why a key package is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PackageRefused {
    /// It can't be read, or its signatures do not hold.
    Broken,
    /// It is another account's or device's than the server says.
    NotTheirs,
    /// Its device is not in use, by the signed list, or has another key there.
    Unlisted,
    /// It has expired.
    Expired,
}

impl fmt::Display for PackageRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "it can't be read",
            Self::NotTheirs => "it is another device's",
            Self::Unlisted => "its device is not in the signed list",
            Self::Expired => "it has expired",
        })
    }
}
