//! Blobs: room for a transfer's sealed bytes, tokens to store and fetch them with, and their end. Leaves
//! out the bytes, which go over HTTP.

use crate::defences::{BlobAsked, BlobUse, Capability};
use crate::session::Session;
use crate::store::{Blob, StoreError};
use crate::{Context, Effect, Effects};
use portcullis_proto::{AccountId, ConversationId, Refusal, Reply, TransferId};

/// Reserves room for a blob, or finds what was reserved before, and gives a token to store it with.
pub(crate) fn reserve(
    context: &mut Context<'_>,
    session: &Session,
    blob: TransferId,
    conversation: ConversationId,
    bytes: u64,
) -> Result<Effects, Refusal> {
    let asked = BlobAsked { blob, conversation, bytes };
    let may_store = (context.defences.may_store_blob)(context, session, asked)?;
    let blob = may_store.blob();
    let reply = token(context, blob, blob.account, BlobUse::Store);
    if !may_store.is_new() {
        return Ok(Effects::reply(reply));
    }
    context.tx.insert_blob(blob)?;
    Ok(Effects::reply(reply).and(Effect::KeepBlob(*blob)))
}

/// Gives a token to fetch a blob with.
pub(crate) fn fetch(
    context: &Context<'_>,
    session: &Session,
    blob: TransferId,
) -> Result<Effects, Refusal> {
    let may_fetch = (context.defences.may_fetch_blob)(context, session, blob)?;
    let reply = token(context, may_fetch.blob(), may_fetch.account(), BlobUse::Fetch);
    Ok(Effects::reply(reply))
}

/// Drops an own blob; of another's, notes that this account has it. What is not there, or is not the
/// account's to see, is answered like what was just dropped.
pub(crate) fn release(
    context: &Context<'_>,
    session: &Session,
    id: TransferId,
) -> Result<Effects, Refusal> {
    let account = session.open()?.account;
    let done = Effects::reply(Reply::Done);
    let Some(blob) = context.tx.blob(id)? else {
        return Ok(done);
    };
    if blob.account != account {
        let Ok(may_fetch) = (context.defences.may_fetch_blob)(context, session, id) else {
            return Ok(done);
        };
        context.tx.collect_blob(id, may_fetch.account())?;
        if !is_collected(context, may_fetch.blob())? {
            return Ok(done);
        }
    }
    context.tx.drop_blob(id)?;
    Ok(done.and(Effect::DropBlob(id)))
}

/// Whether every present member but its owner has collected a blob.
fn is_collected(context: &Context<'_>, blob: &Blob) -> Result<bool, StoreError> {
    let is_present = |account: AccountId| {
        let membership = context.tx.membership(account, blob.conversation)?;
        Ok::<_, StoreError>(membership.is_some_and(|membership| membership.role.is_present()))
    };
    let mut have_it = u64::from(is_present(blob.account)?);
    for account in context.tx.collectors(blob.id)? {
        have_it += u64::from(is_present(account)?);
    }
    Ok(have_it >= context.tx.member_count(blob.conversation)?)
}

fn token(context: &Context<'_>, blob: &Blob, account: AccountId, usage: BlobUse) -> Reply {
    let capability = Capability::new(blob, account, usage, context.now);
    let expires_at = capability.expires_at();
    Reply::Blob { token: context.capabilities.issue(&capability), expires_at }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::store::Store as _;
    use crate::testing::{Person, World, adding, removing};
    use crate::{Output, limits};
    use portcullis_proto::{Code, Request, Timestamp};

    const GROUP: ConversationId = ConversationId::from_bytes([7; 16]);
    const BLOB: TransferId = TransferId::from_bytes([3; 16]);

    struct Room {
        world: World,
        mira: Person,
        oleg: Person,
        nina: Person,
    }

    /// A group of three, in which mira has reserved a blob.
    fn room() -> Room {
        let mut world = World::new();
        let [mira, oleg, nina] = ["mira", "oleg", "nina"].map(|name| world.person(name));
        world.ask(mira.connection, mira.make_group(GROUP, 1, &[&oleg, &nina])).unwrap();
        let mut room = Room { world, mira, oleg, nina };
        assert!(room.reserve(100).is_ok());
        room
    }

    impl Room {
        fn reserve(&mut self, bytes: u64) -> Result<Reply, Code> {
            let request = Request::ReserveBlob { blob: BLOB, conversation: GROUP, bytes };
            self.world.attempt(self.mira.connection, request)
        }

        fn fetch(&mut self) -> Result<Timestamp, Code> {
            let request = Request::FetchBlob { blob: BLOB };
            match self.world.attempt(self.oleg.connection, request)? {
                Reply::Blob { expires_at, .. } => Ok(expires_at),
                other => panic!("{other:?}"),
            }
        }

        /// Somebody releases the blob: whether it is gone then, and its bytes are to go.
        fn release(&mut self, who: fn(&Self) -> &Person) -> bool {
            let connection = who(self).connection;
            let done = self.world.ask(connection, Request::ReleaseBlob { blob: BLOB });
            assert_eq!(done, Ok(Reply::Done));
            let dropped = Output::Effect(Effect::DropBlob(BLOB));
            let told = self.world.effects().contains(&dropped);
            let there = self.world.store.inner.blob(BLOB).unwrap().is_some();
            assert!(!(told && there), "its bytes go, and it stays");
            !there
        }
    }

    const MIRA: fn(&Room) -> &Person = |room| &room.mira;
    const OLEG: fn(&Room) -> &Person = |room| &room.oleg;
    const NINA: fn(&Room) -> &Person = |room| &room.nina;

    #[test]
    fn a_blob_is_dropped_by_its_owner_or_when_all_others_have_it() {
        let check = |who: &[fn(&Room) -> &Person], expected: &[bool]| {
            let mut room = room();
            let dropped: Vec<bool> = who.iter().map(|who| room.release(*who)).collect();
            assert_eq!(dropped, expected);
        };
        check(&[MIRA, MIRA], &[true, true]);
        check(&[OLEG, OLEG, NINA, NINA], &[false, false, true, true]);
        check(&[NINA, MIRA, OLEG], &[false, true, true]);
    }

    #[test]
    fn whoever_is_gone_is_not_waited_for_nor_counted() {
        let mut room = room();
        assert!(!room.release(OLEG));
        let out = room.mira.commit(GROUP, 1, 2, removing(&[&room.oleg]));
        room.world.ask(room.mira.connection, out).unwrap();
        let rita = room.world.person("rita");
        let in_ = room.mira.commit(GROUP, 2, 3, adding(&[&rita]));
        room.world.ask(room.mira.connection, in_).unwrap();
        assert!(!room.release(NINA), "rita has not got it");
        assert!(!room.release(OLEG), "nor is oleg heard");
        room.nina = rita;
        assert!(room.release(NINA));
    }

    #[test]
    fn a_blob_is_kept_once_and_a_token_serves_an_hour_at_most() {
        let mut room = room();
        let kept = |room: &Room| {
            room.world.effects().iter().any(|o| matches!(o, Output::Effect(Effect::KeepBlob(_))))
        };
        assert!(kept(&room));
        let first = room.reserve(100);
        assert!(!kept(&room), "it was kept before");
        assert_eq!(first, room.reserve(100));
        let now = room.world.now;
        assert_eq!(room.fetch(), Ok(now.plus_millis(limits::CAPABILITY_MILLIS)));
        let end = now.plus_millis(limits::BLOB_MILLIS);
        room.world.wait(limits::BLOB_MILLIS - 5);
        assert_eq!(room.fetch(), Ok(end));
        room.world.wait(5);
        assert_eq!(room.fetch(), Err(Code::NotFound));
        assert_eq!(room.reserve(100), Err(Code::ReferenceReused));
    }

    /// Room that nobody uses is not kept: a few accounts could have all of it.
    #[test]
    fn of_what_no_byte_has_come_the_room_is_kept_for_an_hour() {
        let mut room = room();
        let mut sweep = |millis: u64, empty: &[TransferId], expected: &[Output]| {
            room.world.wait(millis);
            let world = &mut room.world;
            let swept = world.server.sweep_blobs(&world.store, world.now, empty);
            assert_eq!(swept.unwrap(), expected);
        };
        let other = TransferId::from_bytes([4; 16]);
        sweep(limits::BLOB_EMPTY_MILLIS - 1, &[BLOB, other], &[]);
        // A byte has come.
        sweep(1, &[other], &[]);
        sweep(0, &[BLOB, other, BLOB], &[Output::Effect(Effect::DropBlob(BLOB))]);
        sweep(0, &[BLOB], &[]);
        // It is reserved again when it is needed, for as long.
        assert!(room.reserve(100).is_ok());
        let world = &mut room.world;
        let swept = world.server.sweep_blobs(&world.store, world.now, &[BLOB]);
        assert_eq!(swept.unwrap(), []);
    }

    #[test]
    fn what_has_expired_is_swept() {
        let mut room = room();
        let mut sweep = |millis: u64, expected: &[Output]| {
            room.world.wait(millis);
            let swept = room.world.server.sweep_blobs(&room.world.store, room.world.now, &[]);
            assert_eq!(swept.unwrap(), expected);
        };
        sweep(limits::BLOB_MILLIS - 1, &[]);
        room.world.store.fail("commit", StoreError::Full);
        room.world.wait(1);
        let failed = room.world.server.sweep_blobs(&room.world.store, room.world.now, &[]);
        assert_eq!(failed, Err(StoreError::Full));
        assert!(room.world.store.inner.blob(BLOB).unwrap().is_some());
        let mut sweep = |expected: &[Output]| {
            let swept = room.world.server.sweep_blobs(&room.world.store, room.world.now, &[]);
            assert_eq!(swept.unwrap(), expected);
        };
        sweep(&[Output::Effect(Effect::DropBlob(BLOB))]);
        sweep(&[]);
        assert!(room.reserve(100).is_ok());
    }
}
