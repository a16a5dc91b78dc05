//! Only members read, and only what was said while they were members; an inbox, only its own device.
//!
//! Attack: someone with any login asks for a conversation by its id, or reads on after being removed.
//! CWE-639, authorization bypass through a user-controlled key.
//! Precedent: CVE-2023-2787 (Mattermost: history without a membership check).

use crate::store::{Conversation, Span};
use crate::{Context, Session};
use portcullis_proto::{AccountId, Code, ConversationId, DeviceId, Refusal, Role};

/// Proof that an account may read spans of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MayRead {
    account: AccountId,
    conversation: Conversation,
    spans: Vec<Span>,
}

impl MayRead {
    /// Who may read.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What.
    #[must_use]
    pub const fn conversation(&self) -> &Conversation {
        &self.conversation
    }

    /// The first readable stretch after a sequence number: what comes just before it, and its last.
    #[must_use]
    pub fn stretch_after(&self, after: u64) -> Option<(u64, u64)> {
        let end = self.conversation.end.seq;
        self.spans.iter().find_map(|span| {
            let last = span.to.unwrap_or(end).min(end);
            let before = after.max(span.from.saturating_sub(1));
            (before < last).then_some((before, last))
        })
    }

    /// The last sequence number that may be read; 0 where there is none.
    #[must_use]
    pub fn head(&self) -> u64 {
        let end = self.conversation.end.seq;
        self.spans.last().map_or(0, |span| span.to.unwrap_or(end).min(end))
    }

    /// For the range's unsound twins: everything, without any check.
    #[must_use]
    pub fn unproven(account: AccountId, conversation: Conversation) -> Self {
        Self { account, conversation, spans: vec![Span { from: 1, to: None }] }
    }
}

/// Looks up during which sequence numbers the session's account was a member; its device's own inbox is
/// its own from the beginning.
///
/// # Errors
/// [`Code::NotFound`] alike for a conversation that does not exist and for one that is not the account's.
pub fn may_read(
    context: &Context<'_>,
    session: &Session,
    conversation: ConversationId,
) -> Result<MayRead, Refusal> {
    let (account, device) = (session.open()?.account, session.open()?.device);
    if conversation == ConversationId::inbox(device) {
        return own_inbox(context, account, device);
    }
    let membership = context.tx.membership(account, conversation)?;
    let spans = membership.filter(|m| m.role != Role::Invited || !m.spans.is_empty());
    let spans = spans.map(|membership| membership.spans).unwrap_or_default();
    let found = context.tx.conversation(conversation)?.filter(|_| !spans.is_empty());
    let conversation = found.ok_or_else(not_found)?;
    Ok(MayRead { account, conversation, spans })
}

/// A device's inbox has no members: it is the device's by its id. One that nothing was left in yet is empty.
fn own_inbox(
    context: &Context<'_>,
    account: AccountId,
    device: DeviceId,
) -> Result<MayRead, Refusal> {
    let found = context.tx.conversation(ConversationId::inbox(device))?;
    let conversation = found.unwrap_or_else(|| Conversation::inbox(device));
    Ok(MayRead { account, conversation, spans: vec![Span { from: 1, to: None }] })
}

pub(crate) fn not_found() -> Refusal {
    Refusal::new(Code::NotFound, "there is no such conversation, or it is not yours")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::defences::{Defences, SOUND};
    use crate::testing::{Person, World, welcoming};
    use portcullis_proto::{Access, Reply};

    const UNSOUND: Defences = Defences {
        may_read: |context, session, conversation| {
            let conversation = context.tx.conversation(conversation)?;
            let conversation = conversation.ok_or_else(not_found)?;
            Ok(MayRead::unproven(session.open()?.account, conversation))
        },
        ..SOUND
    };

    struct Room {
        world: World,
        owner: Person,
        guest: Person,
        id: ConversationId,
    }

    /// A channel by invitation in which the owner has said 1, 2, 3.
    fn room(defences: Defences) -> Room {
        let mut world = World::with(defences);
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        let id = world.create(&owner, "#den", Access::Invitation);
        world.say(&owner, id, &[1, 2, 3]).unwrap();
        Room { world, owner, guest, id }
    }

    impl Room {
        fn invite(&mut self) {
            let invited = self.world.invite(&self.owner, self.id, &self.guest);
            assert_eq!(invited, Ok(Reply::Done));
        }

        fn join(&mut self) {
            self.world.join(&self.guest, "#den").unwrap();
        }

        fn leave(&mut self) {
            self.world.leave(&self.guest, self.id).unwrap();
        }

        fn say(&mut self, number: u8) {
            self.world.say(&self.owner, self.id, &[number]).unwrap();
        }

        fn check(&mut self, expected: Result<&[u64], Code>) {
            let before = self.world.trace();
            let seqs = self.world.readable(&self.guest, self.id);
            let expected = expected.map(<[u64]>::to_vec);
            assert_eq!(seqs.map_err(|refusal| refusal.code), expected);
            assert!(self.world.trace() == before, "reading left a trace");
        }
    }

    #[test]
    fn members_read_what_was_said_while_they_were_members() {
        let mut room = room(SOUND);
        room.check(Err(Code::NotFound));
        room.invite();
        room.check(Err(Code::NotFound));
        room.join();
        room.check(Ok(&[]));
        room.say(4);
        room.say(5);
        room.check(Ok(&[4, 5]));
        room.leave();
        room.say(6);
        room.check(Ok(&[4, 5]));
        room.invite();
        room.check(Ok(&[4, 5]));
        room.join();
        room.check(Ok(&[4, 5]));
        room.say(7);
        room.check(Ok(&[4, 5, 7]));
    }

    #[test]
    fn a_visit_in_which_nothing_was_said_shows_nothing() {
        let mut room = room(SOUND);
        room.invite();
        room.join();
        room.leave();
        room.say(4);
        room.check(Err(Code::NotFound));
    }

    /// A device reads its own inbox, and no other, not even one of the same account.
    #[test]
    fn an_inbox_is_its_devices_own() {
        let read = |defences: Defences, whose: &str| {
            let mut world = World::with(defences);
            let (mut mira, oleg) = (world.person("mira"), world.person("oleg"));
            let second = world.enrol(&mut mira);
            let made = oleg.make_direct(&mira, 1);
            let welcomed = welcoming(&[&mira, &second], made);
            world.ask(oleg.connection, welcomed).unwrap();
            let who = if whose == "another account's" { &oleg } else { &mira };
            let device = if whose == "its own" { mira.device } else { second.device };
            let inbox = ConversationId::inbox(device);
            world.readable(who, inbox).map_err(|refusal| refusal.code)
        };
        assert_eq!(read(SOUND, "its own"), Ok(vec![1]));
        for whose in ["another device's", "another account's"] {
            assert_eq!(read(SOUND, whose), Err(Code::NotFound), "{whose}");
            assert_eq!(read(UNSOUND, whose), Ok(vec![1]), "{whose}");
        }
    }

    #[test]
    fn an_open_channel_is_read_from_its_beginning() {
        let mut world = World::new();
        let (owner, guest) = (world.person("mira"), world.person("oleg"));
        let id = world.create(&owner, "#den", Access::Open);
        world.say(&owner, id, &[1, 2]).unwrap();
        let outside = world.readable(&guest, id);
        assert_eq!(outside.unwrap_err().code, Code::NotFound);
        world.join(&guest, "#den").unwrap();
        assert_eq!(world.readable(&guest, id), Ok(vec![1, 2]));
        world.leave(&guest, id).unwrap();
        world.say(&owner, id, &[3]).unwrap();
        assert_eq!(world.readable(&guest, id), Ok(vec![1, 2]));
    }

    #[test]
    fn a_closed_door_looks_like_a_wall() {
        let mut room = room(SOUND);
        let unknown = ConversationId::from_bytes([9; 16]);
        let closed = room.world.fetch(&room.guest, room.id, 0).unwrap_err();
        let wall = room.world.fetch(&room.guest, unknown, 0).unwrap_err();
        assert_eq!(closed, wall);
    }

    /// A page begins at a place with that place's own chain, even where nothing follows it.
    #[test]
    fn a_page_begins_where_reading_begins() {
        let mut room = room(SOUND);
        room.invite();
        room.join();
        let check = |room: &mut Room, after: u64, base: u64, head: u64| {
            let page = room.world.fetch(&room.guest, room.id, after).unwrap();
            assert_eq!((page.base.seq, page.head), (base, head), "after {after}");
            let same = room.world.fetch(&room.owner, room.id, base).unwrap().base;
            assert_eq!(page.base, same, "after {after}");
        };
        check(&mut room, 0, 3, 3);
        check(&mut room, 99, 3, 3);
        room.say(4);
        check(&mut room, 0, 3, 4);
        check(&mut room, 4, 4, 4);
        room.leave();
        room.say(5);
        check(&mut room, 0, 3, 4);
        check(&mut room, 4, 4, 4);
        check(&mut room, 99, 4, 4);
    }

    #[test]
    fn without_the_check_anyone_reads_everything() {
        let mut room = room(UNSOUND);
        room.check(Ok(&[1, 2, 3]));
        room.invite();
        room.join();
        room.leave();
        room.say(4);
        room.check(Ok(&[1, 2, 3, 4]));
    }
}
