//! What groups, commits, welcomes and the like say, as plain data for the caller to judge.

use crate::error::MlsError;
use crate::leaf::{self, Leaf};
use crate::limits;
use crate::roster::Roster;
use crate::suite;
use openmls::prelude::{GroupContext, GroupId, Member};
use portcullis_proto::{ConversationId, Timestamp};

/// A group as this device has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// How many commits were made.
    pub epoch: u64,
    /// What the members agree on.
    pub roster: Roster,
    /// The members' devices.
    pub leaves: Vec<Leaf>,
    /// 32 bytes that only members of this very epoch have, all of them the same: they differ where the
    /// server has led members apart (RFC 9420, section 8.7).
    pub authenticator: Vec<u8>,
}

/// A commit that was opened and checked by the rules of MLS, and does not count yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitView {
    /// The epoch that it was made for; the next one follows.
    pub epoch: u64,
    /// Who made it. In an external commit that is the leaf that joins.
    pub committer: Leaf,
    /// Whether a device joins by itself.
    pub external: bool,
    /// The leaf that takes the committer's place, where the commit has an update path.
    pub new_leaf: Option<Leaf>,
    /// Leaves that are added.
    pub added: Vec<Leaf>,
    /// Leaves that are taken out.
    pub removed: Vec<Leaf>,
    /// Proposals other than to add, to remove and to change the context, and other than the one by which
    /// an external commit joins.
    pub foreign_proposals: usize,
    /// The roster as it was.
    pub roster_before: Roster,
    /// The roster afterwards; none if it is missing or unreadable.
    pub roster_after: Option<Roster>,
    /// Whether the context has our suite, version and extensions afterwards, and no other.
    pub context_kept: bool,
    /// Whether this device is out afterwards.
    pub removes_self: bool,
}

/// A key package of a device: its signatures, suite and capabilities are in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPackageView {
    /// The leaf that it would add.
    pub leaf: Leaf,
    /// From when on it must not be used.
    pub expires_at: Timestamp,
    /// Whether it may be used more than once.
    pub last_resort: bool,
}

/// A welcome that was opened with a key package of this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WelcomeView {
    /// The conversation that it invites to.
    pub conversation: ConversationId,
    /// Who made it.
    pub sender: Leaf,
    /// The leaf that this device would have.
    pub own: Leaf,
    /// The epoch that this device would begin with.
    pub epoch: u64,
    /// What the members agree on.
    pub roster: Roster,
    /// The members' devices, this one included.
    pub leaves: Vec<Leaf>,
}

/// What is public of a group, signed by a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInfoView {
    /// The conversation.
    pub conversation: ConversationId,
    /// The member who signed it.
    pub signer: Leaf,
    /// The group's epoch.
    pub epoch: u64,
    /// What the members agree on.
    pub roster: Roster,
    /// The members' devices.
    pub leaves: Vec<Leaf>,
}

/// What every view of a group has.
pub(crate) struct Public {
    pub(crate) conversation: ConversationId,
    pub(crate) epoch: u64,
    pub(crate) roster: Roster,
    pub(crate) leaves: Vec<Leaf>,
}

impl Public {
    /// # Errors
    /// [`MlsError::UnsupportedSuite`] or [`MlsError::Malformed`] where the group is not one of ours.
    pub(crate) fn of(
        context: &GroupContext,
        members: impl Iterator<Item = Member>,
    ) -> Result<Self, MlsError> {
        if context.ciphersuite() != suite::SUITE {
            return Err(MlsError::UnsupportedSuite);
        }
        let epoch = context.epoch().as_u64();
        if !suite::is_ours(context) || epoch > limits::EPOCHS {
            return Err(MlsError::Malformed);
        }
        Ok(Self {
            conversation: conversation(context.group_id())?,
            epoch,
            roster: suite::roster(context).ok_or(MlsError::Malformed)?,
            leaves: leaf::all(members)?,
        })
    }
}

/// A group's id is its conversation's: 16 bytes.
pub(crate) fn group_id(conversation: ConversationId) -> GroupId {
    GroupId::from_slice(conversation.as_bytes())
}

/// # Errors
/// [`MlsError::Malformed`] if it is no id of ours.
pub(crate) fn conversation(group: &GroupId) -> Result<ConversationId, MlsError> {
    let bytes = group.as_slice().try_into().map_err(|_| MlsError::Malformed)?;
    Ok(ConversationId::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::testing::{TALK, pair};
    use openmls::prelude::tls_codec::{DeserializeBytes, Serialize};

    #[test]
    fn a_group_of_an_absurd_epoch_is_none_of_ours() {
        let (alice, _) = pair();
        let context = |group: &openmls::prelude::MlsGroup| {
            Ok(group.public_group().group_context().tls_serialize_detached().unwrap())
        };
        let context = alice.read(TALK, context).unwrap();
        let check = |epoch: u64, expected: Option<MlsError>| {
            // After the version, the suite, and the group's id with its length.
            let mut context = context.clone();
            context[21..29].copy_from_slice(&epoch.to_be_bytes());
            let context = GroupContext::tls_deserialize_exact_bytes(&context).unwrap();
            assert_eq!(Public::of(&context, std::iter::empty()).err(), expected, "{epoch}");
        };
        check(0, None);
        check(limits::EPOCHS, None);
        check(limits::EPOCHS + 1, Some(MlsError::Malformed));
        check(u64::MAX, Some(MlsError::Malformed));
    }
}
