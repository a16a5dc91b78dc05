//! Encrypted conversations: directs and groups, by MLS (RFC 9420). The keys are kept by `portcullis-mls`;
//! what may become of them is decided here and in `defences/`.
//!
//! Everything follows from one question, asked whenever something has happened: what does this
//! conversation lack? Keys (join), the latest of the log (catch up), members and devices as they ought
//! to be (commit), or nothing (send what waits). See [`Client::advance`](crate::client::Client).

mod advance;
mod commands;
mod commit;
mod forget;
mod inbox;
mod join;
mod judged;
mod marks;
mod notices;
mod packages;
mod plan;
mod read;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use self::commands::{Errand, Then};
pub(crate) use self::forget::Gone;
use self::forget::Known;
pub(crate) use self::inbox::Inbox;
pub use self::judged::{
    CommitRefused, Committed, EntryRefused, Joining, Lists, Offered, PackageRefused,
};
pub(crate) use self::marks::Mark;
pub(crate) use self::plan::{Plan, settle_owner};

use portcullis_proto::{
    AccountId, Bytes, ClaimedPackage, ConversationKind, ConversationSummary, DeviceId, GroupName,
    Reference, UserName,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The suite's name, as it is shown.
pub(crate) const SUITE: &str = "mls";

/// What this device knows of an encrypted conversation besides its log and its keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Encrypted {
    /// The conversation's epoch after what was read, by the server's count. It counts commits that were
    /// refused here as well, so it is not the keys' own.
    pub(crate) epoch: u64,
    /// Where reading begins for a device that has read nothing.
    pub(crate) start: u64,
    /// How this device came to its keys, until it has read that far.
    pub(crate) entry: Option<Entry>,
    /// Entries that this device could not read, and nobody was told of yet.
    pub(crate) before: u64,
    /// A group's name, as its members agreed.
    pub(crate) name: Option<GroupName>,
    /// What the person wants changed.
    pub(crate) plan: Plan,
    /// An own commit that was not seen in the log yet.
    pub(crate) commit: Option<OwnCommit>,
    /// A welcome that came while this device had keys already: for when it has lost them.
    pub(crate) welcome: Option<KeptWelcome>,
    /// The members, since this device gave its keys up and until it has understood somebody again.
    pub(crate) known: Option<Known>,
    /// Devices whose commit was refused since the last one that was accepted: they go on by themselves,
    /// and what they say there is no sign that something is wrong here.
    pub(crate) strayed: BTreeSet<DeviceId>,
    /// Accounts of which something could not be opened in this epoch.
    pub(crate) unreadable: BTreeSet<AccountId>,
    /// The last epoch in which the others are known to have been, where it may be another than that of
    /// the keys: nothing older is entered again. It does not go back while there are no keys.
    pub(crate) floor: Option<u64>,
    /// How far each account has come.
    pub(crate) marks: BTreeMap<AccountId, Mark>,
    /// The last message of somebody else, for marks.
    pub(crate) last_said: u64,
    /// Up to where the person has looked.
    pub(crate) looked_at: u64,
    /// Renewals of keys after refused commits, since anybody else was understood.
    pub(crate) renewals: u32,
    /// Attempts to join or to commit since the last that succeeded.
    pub(crate) tries: u32,
    /// Key packages that were handed out for this conversation, over this connection.
    pub(crate) claims: BTreeMap<AccountId, Claim>,
    /// The state of the group was asked for.
    pub(crate) joining: bool,
    /// The end of the log was asked for, to find the commit of a welcome there.
    pub(crate) seeking: bool,
}

/// How a device came to a conversation's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// By a welcome, whose commit was not found in the log yet.
    Welcome {
        /// That of the envelope in the inbox, which tells the commit.
        reference: Reference,
        /// Who made it.
        by: AccountId,
    },
    /// It had keys and lost its place: nothing can be read until it has joined again.
    Lost,
    /// By an external commit of its own.
    External {
        /// Which.
        commit: Reference,
        /// It had been there before, and had lost its place.
        again: bool,
    },
    /// By an external commit that stands in the log; nobody else was understood since.
    Arrived,
}

/// A welcome that is kept for later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptWelcome {
    /// That of the envelope in the inbox.
    pub(crate) reference: Reference,
    /// The welcome.
    pub(crate) body: Bytes,
}

/// Key packages of an account's devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Asked for.
    Asked,
    /// Handed out.
    Ready(Vec<ClaimedPackage>),
}

/// An own commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OwnCommit {
    /// Its reference.
    pub(crate) reference: Reference,
    /// The epoch for which it was made, by the server's count.
    pub(crate) epoch: u64,
    /// The request, as a frame, to be sent again as it is.
    pub(crate) frame: String,
    /// The server has acknowledged it.
    pub(crate) acknowledged: bool,
}

impl Encrypted {
    /// For a new conversation; none for a channel.
    pub(crate) fn of(summary: &ConversationSummary) -> Option<Self> {
        let start = summary.since.saturating_sub(1);
        match summary.kind {
            ConversationKind::Direct | ConversationKind::Group => {
                Some(Self { start, ..Self::default() })
            }
            ConversationKind::Channel
            | ConversationKind::Inbox
            | ConversationKind::Classic
            | ConversationKind::Unknown => None,
        }
    }

    pub(crate) fn connection_lost(&mut self) {
        self.claims.clear();
        self.joining = false;
        self.seeking = false;
    }

    /// Nobody but a welcome speaks of these keys yet.
    pub(crate) const fn is_hearsay(&self) -> bool {
        matches!(self.entry, Some(Entry::Welcome { .. }))
    }

    /// The device was given up: what was planned and kept for it is of no use to the next.
    pub(crate) fn forget_device(&mut self) {
        let Self { epoch, start, name, marks, last_said, looked_at, known, floor, .. } =
            std::mem::take(self);
        let kept = Self { epoch, start, name, marks, last_said, looked_at, ..Self::default() };
        *self = Self { known, floor, entry: Some(Entry::Lost), ..kept };
    }

    /// The name of somebody whose account was not looked up yet.
    pub(crate) fn placeholder() -> UserName {
        crate::people::nobody()
    }
}

/// What is persisted of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EncryptedRecord {
    epoch: u64,
    start: u64,
    entry: Option<Entry>,
    before: u64,
    name: Option<GroupName>,
    plan: Plan,
    commit: Option<OwnCommit>,
    welcome: Option<KeptWelcome>,
    known: Option<Known>,
    strayed: BTreeSet<DeviceId>,
    floor: Option<u64>,
    marks: Vec<(AccountId, Mark)>,
    last_said: u64,
    looked_at: u64,
}

impl From<&Encrypted> for EncryptedRecord {
    fn from(encrypted: &Encrypted) -> Self {
        let Encrypted { epoch, start, entry, before, name, plan, commit, .. } = encrypted.clone();
        Self {
            epoch,
            start,
            entry,
            before,
            name,
            plan,
            commit,
            welcome: encrypted.welcome.clone(),
            known: encrypted.known.clone(),
            strayed: encrypted.strayed.clone(),
            floor: encrypted.floor,
            marks: encrypted.marks.iter().map(|(account, mark)| (*account, *mark)).collect(),
            last_said: encrypted.last_said,
            looked_at: encrypted.looked_at,
        }
    }
}

impl From<EncryptedRecord> for Encrypted {
    fn from(record: EncryptedRecord) -> Self {
        Self {
            epoch: record.epoch,
            start: record.start,
            entry: record.entry,
            before: record.before,
            name: record.name,
            plan: record.plan,
            commit: record.commit,
            welcome: record.welcome,
            known: record.known,
            strayed: record.strayed,
            floor: record.floor,
            marks: record.marks.into_iter().collect(),
            last_said: record.last_said,
            looked_at: record.looked_at,
            ..Self::default()
        }
    }
}
