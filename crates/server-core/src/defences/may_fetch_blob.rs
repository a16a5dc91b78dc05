//! Only present members of a blob's conversation fetch it.
//!
//! Attack: somebody who has heard of a transfer's id, or was taken out of its conversation, collects the
//! sealed bytes, to open them should a key ever leak, or says that they were collected, so that they go.
//! CWE-639, authorization bypass through a user-controlled key.
//! Precedent: Matrix until its version 1.11, of 2024 (MSC3916): media was handed to whoever had heard of its address,
//! with an account or without.
//!
//! When a member joined does not count: the server does not know which message offers the blob, and what
//! opens it stands in that message, which a later member can't read either.

use crate::store::Blob;
use crate::{Context, Session};
use portcullis_proto::{AccountId, Code, Refusal, TransferId};

/// Proof that an account may fetch a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayFetchBlob {
    account: AccountId,
    blob: Blob,
}

impl MayFetchBlob {
    /// Who.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What.
    #[must_use]
    pub const fn blob(&self) -> &Blob {
        &self.blob
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(account: AccountId, blob: Blob) -> Self {
        Self { account, blob }
    }
}

/// Looks up whether the session's account is a member of the blob's conversation now.
///
/// # Errors
/// [`Code::NotFound`] alike for a blob that does not exist, has expired, or is not the account's to fetch.
pub fn may_fetch_blob(
    context: &Context<'_>,
    session: &Session,
    blob: TransferId,
) -> Result<MayFetchBlob, Refusal> {
    let account = session.open()?.account;
    let blob = context.tx.blob(blob)?.filter(|blob| context.now < blob.expires_at);
    let blob = blob.ok_or_else(no_blob)?;
    let membership = context.tx.membership(account, blob.conversation)?;
    membership.filter(|membership| membership.role.is_present()).ok_or_else(no_blob)?;
    Ok(MayFetchBlob { account, blob })
}

fn no_blob() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such transfer here, or it is not for you")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World, adding, removing};
    use portcullis_proto::{ConversationId, Reply, Request};

    const GROUP: ConversationId = ConversationId::from_bytes([7; 16]);
    const BLOB: TransferId = TransferId::from_bytes([3; 16]);

    const UNSOUND: Defences = Defences {
        may_fetch_blob: |context, session, blob| {
            let blob = context.tx.blob(blob)?.ok_or_else(no_blob)?;
            Ok(MayFetchBlob::unproven(session.open()?.account, blob))
        },
        ..SOUND
    };

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

    fn ask(defences: Defences, before: Before, blob: TransferId) -> Result<Reply, Refusal> {
        let mut world = World::with(defences);
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        world.ask(owner.connection, owner.make_group(GROUP, 1, &[])).unwrap();
        let reserve = Request::ReserveBlob { blob: BLOB, conversation: GROUP, bytes: 9 };
        world.ask(owner.connection, reserve).unwrap();
        before(&mut world, &owner, &guest);
        world.ask(guest.connection, Request::FetchBlob { blob })
    }

    #[test]
    fn only_present_members_fetch() {
        let check = |defences, before, expected: Result<(), Code>| {
            let asked = ask(defences, before, BLOB);
            assert_eq!(asked.map(|_| ()).map_err(|refusal| refusal.code), expected);
        };
        check(SOUND, MEMBER, Ok(()));
        for before in [STRANGER, GONE] {
            check(SOUND, before, Err(Code::NotFound));
            check(UNSOUND, before, Ok(()));
        }
    }

    #[test]
    fn a_closed_door_looks_like_a_wall() {
        let unknown = TransferId::from_bytes([9; 16]);
        let wall = ask(SOUND, MEMBER, unknown).unwrap_err();
        assert_eq!(ask(SOUND, STRANGER, BLOB).unwrap_err(), wall);
        assert_eq!(ask(SOUND, GONE, BLOB).unwrap_err(), wall);
    }

    /// A blob is not dropped because somebody who may not have it says that they have it.
    #[test]
    fn strangers_collect_nothing() {
        let collected = |defences: Defences| {
            let mut world = World::with(defences);
            let [mira, oleg] = ["mira", "oleg"].map(|name| world.person(name));
            world.ask(mira.connection, mira.make_group(GROUP, 1, &[])).unwrap();
            let reserve = Request::ReserveBlob { blob: BLOB, conversation: GROUP, bytes: 9 };
            world.ask(mira.connection, reserve).unwrap();
            let done = world.ask(oleg.connection, Request::ReleaseBlob { blob: BLOB });
            assert_eq!(done, Ok(Reply::Done));
            crate::store::Store::blob(&world.store, BLOB).unwrap().is_none()
        };
        assert!(!collected(SOUND));
        assert!(collected(UNSOUND));
    }
}
