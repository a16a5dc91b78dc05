//! Only present members write, and only into the epoch that they know. What classroom guests say privately only
//! guests write.
//!
//! Attack: somebody who was never a member, or no longer is, puts messages into a conversation.
//! CWE-862, missing authorization.
//! Precedent: OWASP API1:2023, broken object level authorization: the first of its ten.

use crate::Context;
use crate::defences::Sender;
use crate::defences::may_read::not_found;
use crate::store::Conversation;
use portcullis_proto::{ConversationId, Refusal};

/// Proof that a sender may write into a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayWrite {
    sender: Sender,
    conversation: Conversation,
}

impl MayWrite {
    /// Who writes.
    #[must_use]
    pub const fn sender(&self) -> Sender {
        self.sender
    }

    /// Where, as it is in this transaction.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(sender: Sender, conversation: Conversation) -> Self {
        Self { sender, conversation }
    }
}

/// Looks up whether the sender's account is a member now.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`], alike for all reasons.
pub fn may_write(
    context: &Context<'_>,
    sender: Sender,
    conversation: ConversationId,
) -> Result<MayWrite, Refusal> {
    let membership = context.tx.membership(sender.account(), conversation)?;
    membership.filter(|membership| membership.role.is_present()).ok_or_else(not_found)?;
    if conversation == ConversationId::CLASSROOM {
        return Err(not_found());
    }
    let conversation = context.tx.conversation(conversation)?.ok_or_else(not_found)?;
    Ok(MayWrite { sender, conversation })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World};
    use portcullis_proto::{Access, Code};

    /// What becomes of the guest before it writes.
    type Before = fn(&mut World, &Person, &Person, ConversationId);

    const MEMBER: Before = |world, owner, guest, id| {
        INVITED(world, owner, guest, id);
        world.join(guest, "#den").unwrap();
    };
    const STRANGER: Before = |_, _, _, _| {};
    const INVITED: Before = |world, owner, guest, id| {
        world.invite(owner, id, guest).unwrap();
    };
    const GONE: Before = |world, owner, guest, id| {
        MEMBER(world, owner, guest, id);
        world.leave(guest, id).unwrap();
    };

    fn attack(defences: Defences, access: Access, before: Before) -> Result<(), Code> {
        let mut world = World::with(defences);
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        let id = world.create(&owner, "#den", access);
        before(&mut world, &owner, &guest, id);
        let written = world.attempt(guest.connection, guest.submit(id, &[1]));
        written.map(|_| ())
    }

    #[test]
    fn only_present_members_write() {
        let unsound = Defences {
            may_write: |context, sender, conversation| {
                let conversation = context.tx.conversation(conversation)?;
                let conversation = conversation.ok_or_else(not_found)?;
                Ok(MayWrite::unproven(sender, conversation))
            },
            ..SOUND
        };
        for access in [Access::Open, Access::Invitation] {
            assert_eq!(attack(SOUND, access, MEMBER), Ok(()));
            for before in [STRANGER, INVITED, GONE] {
                assert_eq!(attack(SOUND, access, before), Err(Code::NotFound));
                assert_eq!(attack(unsound, access, before), Ok(()));
            }
        }
    }

    #[test]
    fn a_closed_door_looks_like_a_wall() {
        let mut world = World::new();
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        let id = world.create(&owner, "#den", Access::Invitation);
        let closed = world.say(&guest, id, &[1]).unwrap_err();
        let unknown = ConversationId::from_bytes([9; 16]);
        assert_eq!(world.say(&guest, unknown, &[1]).unwrap_err(), closed);
    }
}
