//! Only present members invite, and into channels alone: a group grows by commits.
//!
//! Attack: an outsider invites themselves, or a friend, into a channel by invitation.
//! CWE-863, incorrect authorization.
//! Precedent: OWASP API5:2023, broken function level authorization; CVE-2023-2515 (a member who makes
//! itself more than that).

use crate::Context;
use crate::defences::may_read::not_found;
use crate::store::Conversation;
use portcullis_proto::{AccountId, ConversationId, ConversationKind, Refusal};

/// Proof that an account may invite into a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayInvite {
    conversation: Conversation,
}

impl MayInvite {
    /// Into what.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(conversation: Conversation) -> Self {
        Self { conversation }
    }
}

/// Looks up whether the account is a member of this channel now.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`], alike for all reasons.
pub fn may_invite(
    context: &Context<'_>,
    account: AccountId,
    conversation: ConversationId,
) -> Result<MayInvite, Refusal> {
    let membership = context.tx.membership(account, conversation)?;
    membership.filter(|membership| membership.role.is_present()).ok_or_else(not_found)?;
    let found = context.tx.conversation(conversation)?;
    let channel = found.filter(|found| {
        // Everyone decides for oneself whether to hear what guests say privately.
        found.kind == ConversationKind::Channel && found.id != ConversationId::CLASSROOM
    });
    let conversation = channel.ok_or_else(not_found)?;
    Ok(MayInvite { conversation })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World, user};
    use portcullis_proto::{Access, Code, Request};

    /// What becomes of the guest before it invites somebody, or itself.
    type Before = fn(&mut World, &Person, &Person, ConversationId);

    const STRANGER: Before = |_, _, _, _| {};
    const INVITED: Before = |world, owner, guest, id| {
        world.invite(owner, id, guest).unwrap();
    };
    const MEMBER: Before = |world, owner, guest, id| {
        INVITED(world, owner, guest, id);
        world.join(guest, "#den").unwrap();
    };
    const GONE: Before = |world, owner, guest, id| {
        MEMBER(world, owner, guest, id);
        world.leave(guest, id).unwrap();
    };

    fn attack(defences: Defences, before: Before, whom: &str) -> Result<(), Code> {
        let mut world = World::with(defences);
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        world.person("nina");
        let id = world.create(&owner, "#den", Access::Invitation);
        before(&mut world, &owner, &guest, id);
        let request = Request::Invite { conversation: id, name: user(whom) };
        world.attempt(guest.connection, request).map(|_| ())
    }

    #[test]
    fn only_present_members_invite() {
        let unsound = Defences {
            may_invite: |context, _, conversation| {
                let conversation = context.tx.conversation(conversation)?;
                Ok(MayInvite::unproven(conversation.ok_or_else(not_found)?))
            },
            ..SOUND
        };
        assert_eq!(attack(SOUND, MEMBER, "nina"), Ok(()));
        assert_eq!(attack(SOUND, MEMBER, "mira"), Ok(())); // is in it already: nothing to do
        assert_eq!(attack(SOUND, MEMBER, "nobody"), Err(Code::NotFound));
        for before in [STRANGER, INVITED, GONE] {
            for whom in ["nina", "oleg"] {
                assert_eq!(attack(SOUND, before, whom), Err(Code::NotFound));
                assert_eq!(attack(unsound, before, whom), Ok(()));
            }
        }
    }

    #[test]
    fn a_closed_door_looks_like_a_wall() {
        let mut world = World::new();
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        let id = world.create(&owner, "#den", Access::Invitation);
        let closed = world.invite(&guest, id, &guest).unwrap_err();
        let unknown = ConversationId::from_bytes([9; 16]);
        assert_eq!(world.invite(&guest, unknown, &guest), Err(closed));
    }
}
