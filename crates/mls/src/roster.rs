//! What the members of a conversation agree on besides their keys. It stands in the group's context, so
//! all of them have the same, and changes by commits alone.

use crate::limits;
use portcullis_proto::{AccountId, GroupName, limits as wire};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Which kind of conversation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RosterKind {
    /// Two accounts, for ever.
    Direct,
    /// Any number of accounts.
    Group,
}

/// What the members of a conversation agree on besides their keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Which kind of conversation it is.
    pub kind: RosterKind,
    /// What a group is called; a direct has no name.
    pub name: Option<GroupName>,
    /// Who may take out members of a group and change its name; a direct has no owner.
    pub owner: Option<AccountId>,
    /// The accounts, in the order in which they joined.
    pub members: Vec<AccountId>,
    /// Members that have left, whose leaves the next commit takes out.
    pub leaving: Vec<AccountId>,
}

impl Roster {
    /// As JSON, for the group's context.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads what another device has encoded: known fields only, as many members as a group may have
    /// devices at most, nobody twice, and only members leave.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > limits::ROSTER_BYTES {
            return None;
        }
        let roster: Self = serde_json::from_slice(bytes).ok()?;
        let members: BTreeSet<_> = roster.members.iter().collect();
        let leaving: BTreeSet<_> = roster.leaving.iter().collect();
        let sound = roster.members.len() <= wire::GROUP_DEVICES
            && members.len() == roster.members.len()
            && leaving.len() == roster.leaving.len()
            && leaving.is_subset(&members);
        sound.then_some(roster)
    }
}
