//! Who may join a channel: everyone an open one, the invited one by invitation.
//!
//! Attack: somebody guesses the name of a channel by invitation and walks in.
//! CWE-862, missing authorization.
//! Precedent: OWASP API5:2023, broken function level authorization; invitation links that are guessed.

use crate::Context;
use crate::defences::may_read::not_found;
use crate::store::{Conversation, Membership};
use portcullis_proto::{Access, AccountId, ChannelName, Refusal, Role};

/// Proof that an account may join a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayJoin {
    conversation: Conversation,
    before: Option<Membership>,
}

impl MayJoin {
    /// The channel.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// What the account was in it before.
    #[must_use]
    pub const fn before(&self) -> Option<&Membership> {
        self.before.as_ref()
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(conversation: Conversation, before: Option<Membership>) -> Self {
        Self { conversation, before }
    }
}

/// Looks the channel up, and whether it admits the account.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`] alike for a channel that does not exist and a closed door.
pub fn may_join(
    context: &Context<'_>,
    account: AccountId,
    name: &ChannelName,
) -> Result<MayJoin, Refusal> {
    let conversation = context.tx.conversation_by_name(name)?.ok_or_else(not_found)?;
    let before = context.tx.membership(account, conversation.id)?;
    let role = before.as_ref().map_or(Role::Outside, |membership| membership.role);
    if conversation.access == Access::Invitation && role == Role::Outside {
        return Err(not_found());
    }
    Ok(MayJoin { conversation, before })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World, channel};
    use portcullis_proto::{Code, ConversationId, Reply, Request};

    /// What becomes of the guest before it joins.
    type Before = fn(&mut World, &Person, &Person, ConversationId);

    const STRANGER: Before = |_, _, _, _| {};
    const INVITED: Before = |world, owner, guest, id| {
        world.invite(owner, id, guest).unwrap();
    };
    const MEMBER: Before = |world, owner, guest, id| {
        world.invite(owner, id, guest).unwrap();
        world.join(guest, "#den").unwrap();
    };
    const GONE: Before = |world, owner, guest, id| {
        MEMBER(world, owner, guest, id);
        world.leave(guest, id).unwrap();
    };
    const DECLINED: Before = |world, owner, guest, id| {
        world.invite(owner, id, guest).unwrap();
        world.leave(guest, id).unwrap();
    };

    fn attack(defences: Defences, access: Access, before: Before) -> Result<Role, Code> {
        let mut world = World::with(defences);
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        let id = world.create(&owner, "#den", access);
        before(&mut world, &owner, &guest, id);
        let name = channel("#den");
        match world.attempt(guest.connection, Request::Join { name })? {
            Reply::Conversation(summary) => Ok(summary.role),
            _ => Err(Code::Unknown),
        }
    }

    #[test]
    fn a_channel_by_invitation_admits_the_invited() {
        let unsound = Defences {
            may_join: |context, account, name| {
                let conversation = context.tx.conversation_by_name(name)?;
                let conversation = conversation.ok_or_else(not_found)?;
                let before = context.tx.membership(account, conversation.id)?;
                Ok(MayJoin::unproven(conversation, before))
            },
            ..SOUND
        };
        let (open, closed) = (Access::Open, Access::Invitation);
        for before in [STRANGER, INVITED, MEMBER, GONE, DECLINED] {
            assert_eq!(attack(SOUND, open, before), Ok(Role::Member));
        }
        for before in [INVITED, MEMBER] {
            assert_eq!(attack(SOUND, closed, before), Ok(Role::Member));
        }
        for before in [STRANGER, GONE, DECLINED] {
            assert_eq!(attack(SOUND, closed, before), Err(Code::NotFound));
            assert_eq!(attack(unsound, closed, before), Ok(Role::Member));
        }
    }

    #[test]
    fn a_closed_door_looks_like_a_wall() {
        let mut world = World::new();
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        world.create(&owner, "#den", Access::Invitation);
        let closed = world.join(&guest, "#den").unwrap_err();
        assert_eq!(world.join(&guest, "#nowhere").unwrap_err(), closed);
    }
}
