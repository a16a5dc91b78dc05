//! Only present members get what lets a device into an encrypted conversation by itself.
//!
//! Attack: somebody who was removed, or never was a member, asks for the group's public state, learns who
//! is in it, and makes an external commit that lets a device of theirs in.
//! CWE-862, missing authorization.
//! Precedent: RFC 9420 section 12.4.3.2 (whoever has a GroupInfo can join by external commit); wire-server
//! and others hand it to members alone for that reason.

use crate::Context;
use crate::defences::may_read::not_found;
use portcullis_proto::{AccountId, ConversationId, Refusal};

/// Proof that an account may have a conversation's public state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MayRejoin {
    conversation: ConversationId,
}

impl MayRejoin {
    /// Of what.
    #[must_use]
    pub const fn conversation(self) -> ConversationId {
        self.conversation
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(conversation: ConversationId) -> Self {
        Self { conversation }
    }
}

/// Looks up whether the account is a member now; having been one is not enough.
///
/// # Errors
/// [`portcullis_proto::Code::NotFound`], alike for all reasons.
pub fn may_rejoin(
    context: &Context<'_>,
    account: AccountId,
    conversation: ConversationId,
) -> Result<MayRejoin, Refusal> {
    let membership = context.tx.membership(account, conversation)?;
    membership.filter(|membership| membership.role.is_present()).ok_or_else(not_found)?;
    Ok(MayRejoin { conversation })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World, adding, group_info, removing};
    use portcullis_proto::{Code, Reply, Request};

    const GROUP: ConversationId = ConversationId::from_bytes([7; 16]);

    /// What becomes of the guest before it asks; the commits of mira's group have numbers from 1 on.
    type Before = fn(&mut World, &Person, &Person);

    const STRANGER: Before = |_, _, _| {};
    const MEMBER: Before = |world, owner, guest| {
        world.ask(owner.connection, owner.commit(GROUP, 1, 2, adding(&[guest]))).unwrap();
    };
    const GONE: Before = |world, owner, guest| {
        MEMBER(world, owner, guest);
        world.ask(owner.connection, owner.commit(GROUP, 2, 3, removing(&[guest]))).unwrap();
    };

    /// The epoch of the public state that the guest gets.
    fn attack(defences: Defences, before: Before) -> Result<u64, Code> {
        let mut world = World::with(defences);
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        world.ask(owner.connection, owner.make_group(GROUP, 1, &[])).unwrap();
        before(&mut world, &owner, &guest);
        let request = Request::GroupInfo { conversation: GROUP };
        match world.attempt(guest.connection, request)? {
            Reply::GroupInfo { epoch, group_info: found } => {
                assert_eq!(found, group_info(epoch as u8), "not that of its epoch");
                Ok(epoch)
            }
            _ => Err(Code::Unknown),
        }
    }

    #[test]
    fn only_present_members_can_let_a_device_in() {
        let unsound = Defences {
            may_rejoin: |_, _, conversation| Ok(MayRejoin::unproven(conversation)),
            ..SOUND
        };
        assert_eq!(attack(SOUND, MEMBER), Ok(2));
        for (before, epoch) in [(STRANGER, 1), (GONE, 3)] {
            assert_eq!(attack(SOUND, before), Err(Code::NotFound));
            assert_eq!(attack(unsound, before), Ok(epoch));
        }
    }

    #[test]
    fn what_has_no_public_state_is_not_found() {
        let mut world = World::new();
        let mira = world.person("mira");
        let places = [
            ConversationId::LOBBY,
            ConversationId::inbox(mira.device),
            ConversationId::from_bytes([9; 16]),
        ];
        for conversation in places {
            let request = Request::GroupInfo { conversation };
            assert_eq!(world.attempt(mira.connection, request), Err(Code::NotFound));
        }
    }
}
