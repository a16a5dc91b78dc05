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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, roster};

    #[test]
    fn a_roster_comes_back_as_it_was() {
        fn check(roster: &Roster) {
            assert_eq!(Roster::decode(&roster.encode()).as_ref(), Some(roster));
        }
        let named = GroupName::parse("+friends").ok();
        check(&roster(&[1, 2, 3]));
        check(&Roster { name: named, leaving: vec![account(2)], ..roster(&[1, 2]) });
        check(&Roster { kind: RosterKind::Direct, owner: None, ..roster(&[1, 2]) });
        check(&roster(&[]));
        let all: Vec<AccountId> = (0..wire::GROUP_DEVICES)
            .map(|number| AccountId::from_bytes((number as u128).to_be_bytes()))
            .collect();
        let name = GroupName::parse(&format!("+{}", "a".repeat(32))).ok();
        check(&Roster { name, members: all.clone(), leaving: all, ..roster(&[1]) });
    }

    #[test]
    fn the_encoding_does_not_drift() {
        let text = "{\"kind\":\"direct\",\"name\":null,\"owner\":null,\"members\":\
            [\"01010101010101010101010101010101\"],\"leaving\":[]}";
        let direct = Roster { kind: RosterKind::Direct, owner: None, ..roster(&[1]) };
        assert_eq!(String::from_utf8(direct.encode()).as_deref(), Ok(text));
    }

    #[test]
    fn what_no_client_of_ours_writes_is_unreadable() {
        fn check(members: &str, leaving: &str, more: &str, readable: bool) {
            let text = format!(
                "{{\"kind\":\"group\",\"name\":null,\"owner\":null,\"members\":[{members}],\
                 \"leaving\":[{leaving}]{more}}}"
            );
            assert_eq!(Roster::decode(text.as_bytes()).is_some(), readable, "{text}");
        }
        let (one, two) = (format!("\"{}\"", account(1)), format!("\"{}\"", account(2)));
        let both = format!("{one},{two}");
        check(&both, &one, "", true);
        check(&both, &one, ",\"kind\":\"group\"", false);
        check(&both, &one, ",\"admin\":null", false);
        check(&both, &one, "}", false);
        check(&format!("{one},{one}"), "", "", false);
        check(&both, &format!("{one},{one}"), "", false);
        check(&one, &two, "", false);
        check("1", "", "", false);
        let many = |count: usize| -> String {
            let ids = (0..count).map(|number| format!("\"{number:032x}\""));
            ids.collect::<Vec<_>>().join(",")
        };
        check(&many(wire::GROUP_DEVICES), "", "", true);
        check(&many(wire::GROUP_DEVICES + 1), "", "", false);
        assert_eq!(Roster::decode(&vec![b' '; limits::ROSTER_BYTES + 1]), None);
        assert_eq!(Roster::decode(b""), None);
    }
}
