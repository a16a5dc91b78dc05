//! Room for a blob is given to members of the conversation that it is for, and only as much as there is.
//!
//! Attack: an account fills the disk, so that nobody's messages can be stored any more, or uses the server
//! as a store for strangers; or takes an id that another's transfer has.
//! CWE-770, allocation of resources without limits; CWE-862, missing authorization.
//! Precedent: CVE-2024-37302 (Synapse before 1.106: anybody could have it fetch and keep media until its disk was full).

use crate::defences::may_read::not_found;
use crate::store::{Blob, BlobFile};
use crate::{Context, Session};
use portcullis_proto::{AccountId, Code, ConversationId, ConversationKind, Refusal, TransferId};

/// What somebody wants to store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobAsked {
    /// The transfer.
    pub blob: TransferId,
    /// Whose members it is for.
    pub conversation: ConversationId,
    /// How many bytes it will have.
    pub bytes: u64,
}

/// Proof that an account may store a blob, for which there is room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayStoreBlob {
    blob: Blob,
    is_new: bool,
}

impl MayStoreBlob {
    /// The blob.
    #[must_use]
    pub const fn blob(&self) -> &Blob {
        &self.blob
    }

    /// Whether it has to be reserved; otherwise it was before.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(blob: Blob, is_new: bool) -> Self {
        Self { blob, is_new }
    }
}

/// Looks up whether the session's account is a member of an encrypted conversation, and whether there is
/// room. The same blob that was reserved before takes none.
///
/// # Errors
/// [`Code::NotFound`] for what is not the account's conversation, [`Code::Forbidden`] where nothing is
/// encrypted, [`Code::ReferenceReused`] where the id is taken, by whatever, [`Code::NoRoom`].
pub fn may_store_blob(
    context: &mut Context<'_>,
    session: &Session,
    asked: BlobAsked,
) -> Result<MayStoreBlob, Refusal> {
    let account = session.open()?.account;
    let membership = context.tx.membership(account, asked.conversation)?;
    membership.filter(|membership| membership.role.is_present()).ok_or_else(not_found)?;
    let conversation = context.tx.conversation(asked.conversation)?.ok_or_else(not_found)?;
    if !matches!(conversation.kind, ConversationKind::Direct | ConversationKind::Group) {
        return Err(Refusal::new(Code::Forbidden, "files are sent in directs and groups alone"));
    }
    let Some(before) = context.tx.blob(asked.blob)? else {
        find_room(context, account, asked.bytes)?;
        return Ok(MayStoreBlob { blob: new_blob(context, account, asked), is_new: true });
    };
    let same = BlobAsked { conversation: before.conversation, bytes: before.bytes, ..asked }
        == asked
        && before.account == account
        && context.now < before.expires_at;
    if !same {
        return Err(Refusal::new(Code::ReferenceReused, "this id was used for something else"));
    }
    Ok(MayStoreBlob { blob: before, is_new: false })
}

fn new_blob(context: &mut Context<'_>, account: AccountId, asked: BlobAsked) -> Blob {
    let mut file = [0; 16];
    context.rng.fill_bytes(&mut file);
    Blob {
        id: asked.blob,
        file: BlobFile(file),
        account,
        conversation: asked.conversation,
        bytes: asked.bytes,
        created_at: context.now,
        expires_at: context.now.plus_millis(context.instance.blobs.keep_millis),
    }
}

/// Whether so many bytes fit the account's share, the server's, and the disk.
fn find_room(context: &Context<'_>, account: AccountId, bytes: u64) -> Result<(), Refusal> {
    if bytes == 0 {
        return Err(Refusal::new(Code::Malformed, "a blob has at least one byte"));
    }
    let policy = &context.instance.blobs;
    let own = context.tx.blob_usage(Some(account))?;
    if own.blobs >= policy.blobs_each {
        let message = format!("{} of your transfers wait on this server already", own.blobs);
        return Err(Refusal::new(Code::NoRoom, message));
    }
    let room = policy.account_bytes.saturating_sub(own.bytes);
    if bytes > room {
        let (room, bytes) = (grouped(room), grouped(bytes));
        let message =
            format!("your files may take {room} bytes more on this server, and these take {bytes}");
        return Err(Refusal::new(Code::NoRoom, message));
    }
    let all = context.tx.blob_usage(None)?;
    let room = policy.all_bytes.saturating_sub(all.bytes).min(context.disk.room(all.bytes));
    let room = if all.blobs < policy.blobs { room } else { 0 };
    if bytes > room {
        let (room, bytes) = (grouped(room), grouped(bytes));
        let message =
            format!("this server has room for {room} bytes more, and these files take {bytes}");
        return Err(Refusal::new(Code::NoRoom, message));
    }
    Ok(())
}

/// A number with a comma after every three digits, counted from the end.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, Setting, USUAL, World, removing};
    use crate::{BlobPolicy, Disk, limits};
    use portcullis_proto::Request;

    const GROUP: ConversationId = ConversationId::from_bytes([7; 16]);

    const UNSOUND: Defences = Defences {
        may_store_blob: |context, session, asked| {
            let account = session.open()?.account;
            Ok(MayStoreBlob::unproven(new_blob(context, account, asked), true))
        },
        ..SOUND
    };

    fn id(number: u8) -> TransferId {
        TransferId::from_bytes([number; 16])
    }

    struct Room {
        world: World,
        mira: Person,
        oleg: Person,
    }

    /// A group of two.
    fn room(defences: Defences, blobs: BlobPolicy) -> Room {
        let mut world = World::build(Setting { defences, blobs, ..USUAL });
        let [mira, oleg] = ["mira", "oleg"].map(|name| world.person(name));
        world.ask(mira.connection, mira.make_group(GROUP, 1, &[&oleg])).unwrap();
        Room { world, mira, oleg }
    }

    impl Room {
        fn ask(
            &mut self,
            who: fn(&Self) -> &Person,
            blob: u8,
            conversation: ConversationId,
            bytes: u64,
        ) -> Result<(), Refusal> {
            let request = Request::ReserveBlob { blob: id(blob), conversation, bytes };
            let connection = who(self).connection;
            self.world.ask(connection, request).map(|_| ())
        }
    }

    /// One of the two.
    type Who = fn(&Room) -> &Person;

    const MIRA: Who = |room| &room.mira;
    const OLEG: Who = |room| &room.oleg;

    fn code(result: Result<(), Refusal>) -> Result<(), Code> {
        result.map_err(|refusal| refusal.code)
    }

    #[test]
    fn only_present_members_of_what_is_encrypted_store() {
        let check =
            |defences: Defences, gone: bool, place: fn(&Room) -> ConversationId, expected| {
                let mut room = room(defences, BlobPolicy::default());
                if gone {
                    let out = room.mira.commit(GROUP, 1, 2, removing(&[&room.oleg]));
                    room.world.ask(room.mira.connection, out).unwrap();
                }
                let place = place(&room);
                assert_eq!(code(room.ask(OLEG, 1, place, 9)), expected);
            };
        check(SOUND, false, |_| GROUP, Ok(()));
        check(SOUND, true, |_| GROUP, Err(Code::NotFound));
        check(SOUND, false, |_| ConversationId::LOBBY, Err(Code::Forbidden));
        let own_inbox = |room: &Room| ConversationId::inbox(room.oleg.device);
        check(SOUND, false, own_inbox, Err(Code::NotFound));
        check(SOUND, false, |_| ConversationId::from_bytes([9; 16]), Err(Code::NotFound));
        check(UNSOUND, true, |_| GROUP, Ok(()));
        check(UNSOUND, false, |_| ConversationId::LOBBY, Ok(()));
    }

    #[test]
    fn the_same_is_given_again_and_nothing_else_under_its_id() {
        let mut room = room(SOUND, BlobPolicy::default());
        let direct = ConversationId::direct(room.mira.account, room.oleg.account);
        let made = room.mira.make_direct(&room.oleg, 2);
        room.world.ask(room.mira.connection, made).unwrap();
        let mut check = |who, conversation, bytes, expected| {
            assert_eq!(code(room.ask(who, 1, conversation, bytes)), expected);
        };
        check(MIRA, GROUP, 9, Ok(()));
        check(MIRA, GROUP, 9, Ok(()));
        check(MIRA, GROUP, 8, Err(Code::ReferenceReused));
        check(MIRA, direct, 9, Err(Code::ReferenceReused));
        check(OLEG, GROUP, 9, Err(Code::ReferenceReused));
    }

    /// After these blobs one more of mira's: what is said.
    fn check_room(before: &[(Who, u64)], bytes: u64, expected: Result<(), &str>) {
        let policy = BlobPolicy {
            account_bytes: 10_000,
            all_bytes: 15_000,
            blobs_each: 3,
            blobs: 4,
            ..BlobPolicy::default()
        };
        let mut room = room(SOUND, policy);
        for (number, (who, bytes)) in (10..).zip(before) {
            room.ask(*who, number, GROUP, *bytes).unwrap();
        }
        let said = room.ask(MIRA, 1, GROUP, bytes);
        let said = said.map_err(|refusal| refusal.message);
        assert_eq!(said, expected.map_err(str::to_owned), "{bytes}");
    }

    #[test]
    fn nobody_stores_more_than_there_is_room_for() {
        let own = |room: &str, asked: &str| {
            format!("your files may take {room} bytes more on this server, and these take {asked}")
        };
        let all = |room: &str, asked: &str| {
            format!("this server has room for {room} bytes more, and these files take {asked}")
        };
        check_room(&[], 0, Err("a blob has at least one byte"));
        check_room(&[], 1, Ok(()));
        check_room(&[], 10_000, Ok(()));
        check_room(&[], 10_001, Err(&own("10,000", "10,001")));
        check_room(&[], u64::MAX, Err(&own("10,000", "18,446,744,073,709,551,615")));
        check_room(&[(MIRA, 9_001)], 1_000, Err(&own("999", "1,000")));
        check_room(&[(OLEG, 9_001)], 6_000, Err(&all("5,999", "6,000")));
        check_room(&[(OLEG, 9_001)], 5_999, Ok(()));
        let waiting = "3 of your transfers wait on this server already";
        check_room(&[(MIRA, 1), (MIRA, 1), (MIRA, 1)], 1, Err(waiting));
        check_room(&[(MIRA, 1), (OLEG, 1), (OLEG, 1), (OLEG, 1)], 1, Err(&all("0", "1")));
    }

    #[test]
    fn the_disk_is_never_filled() {
        let check = |defences, free, stored, bytes, expected| {
            let mut room = room(defences, BlobPolicy::default());
            room.ask(MIRA, 1, GROUP, 1_000).unwrap();
            room.world.server.note_disk(Disk { free: limits::BLOB_SPARE_BYTES + free, stored });
            assert_eq!(code(room.ask(OLEG, 2, GROUP, bytes)), expected, "{free} {stored}");
        };
        check(SOUND, 1_500, 0, 500, Ok(()));
        check(SOUND, 1_500, 0, 501, Err(Code::NoRoom));
        check(SOUND, 1_500, 1_000, 501, Ok(()));
        check(SOUND, 0, 1_000, 1, Err(Code::NoRoom));
        check(UNSOUND, 0, 1_000, u64::MAX >> 1, Ok(()));
    }
}
