//! What a world keeps, in bytes: a learner may send for as long as they like, and the range has to outlive it.
//!
//! Counted on the safe side, and not measured: what the server's store and the log have been given is never
//! given back, since both only grow; what people's clients keep, the wire's record and what waits is counted
//! as it is.

use super::{Person, World, WorldError};
use crate::limits;
use portcullis_proto::RequestKind;
use portcullis_server_core::{Rate, rule};

/// What the store, the log and the offered files have taken.
#[derive(Debug, Default)]
pub(super) struct Budget {
    given: usize,
    spent: bool,
}

impl Budget {
    /// Something is kept from now on.
    pub(super) const fn spend(&mut self, bytes: usize) {
        self.given = self.given.saturating_add(bytes);
    }

    /// Whether there was something that it had no room for.
    pub(super) const fn is_spent(&self) -> bool {
        self.spent
    }
}

/// Bytes that the server's store takes for a request of this kind in a frame of so many bytes: rows, their
/// indexes, and what it decodes.
pub(super) const fn stored(kind: RequestKind, frame: usize) -> usize {
    match rule(kind).rate {
        Rate::Read => 0,
        _ => frame.saturating_mul(2).saturating_add(limits::ROW_BYTES),
    }
}

impl World {
    /// Bytes of all that it keeps.
    #[must_use]
    pub fn kept(&self) -> usize {
        let people: usize = self.people.iter().map(Person::kept).sum();
        self.budget.given + people + self.wire.bytes() + self.held.bytes()
    }

    /// Whether a frame, or a file, of so many bytes may come in; if not, nothing does any more.
    pub(super) fn has_room(&mut self, bytes: usize) -> bool {
        let needed = bytes.saturating_mul(limits::KEPT_TIMES).saturating_add(limits::KEPT_BESIDE);
        let has_room = self.kept().saturating_add(needed) <= limits::WORLD_BYTES;
        self.budget.spent |= !has_room;
        has_room && !self.budget.spent
    }

    /// The same, for what is no frame.
    ///
    /// # Errors
    /// [`WorldError::Full`].
    pub(super) fn take(&mut self, bytes: usize) -> Result<(), WorldError> {
        if !self.has_room(bytes) {
            return Err(WorldError::Full);
        }
        self.budget.spend(bytes);
        Ok(())
    }

    /// Bytes of the frames that are on their way.
    pub(super) fn under_way_bytes(&self) -> usize {
        self.under_way.iter().map(|frame| frame.text.len()).sum()
    }
}

/// Frames that have come for a learner who has not read them yet.
#[derive(Debug, Default)]
pub(super) struct Unread {
    frames: Vec<String>,
    bytes: usize,
}

impl Unread {
    /// Whether there is room for one more.
    pub(super) fn put(&mut self, text: String) -> bool {
        self.bytes += text.len();
        self.frames.push(text);
        self.frames.len() <= limits::UNREAD && self.bytes <= limits::MOVING_BYTES
    }

    /// All of them, which are read now.
    pub(super) fn take(&mut self) -> Vec<String> {
        self.bytes = 0;
        std::mem::take(&mut self.frames)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::flaws::find;
    use crate::plane::{FlagRoot, Whose, stage};
    use crate::twins::Twins;
    use crate::world::{BEGINNING, Decision, Line, Order};
    use serde_json::json;

    fn world(slug: &str) -> World {
        let flaw = find(slug).unwrap();
        let whose = Whose { class: "", learner: "mira", slug, salt: None, variant: 0 };
        let secrets = FlagRoot::from_bytes([7; 32]).secrets(whose);
        stage(flaw, Twins::with(flaw.put), &secrets, BEGINNING).unwrap()
    }

    /// Sends what `frame` makes until the world takes no more.
    fn flood(world: &mut World, frame: impl Fn(u64) -> String) -> WorldError {
        let line = world.session().unwrap();
        let mut frames = (1..1_000_000).map(frame);
        frames.find_map(|frame| said(world, line, &frame).err()).unwrap()
    }

    fn said(world: &mut World, line: Line, frame: &str) -> Result<(), WorldError> {
        world.send(line, frame)?;
        world.receive(line);
        Ok(())
    }

    const LOBBY: &str = "236c6f62627900000000000000000000";

    fn submit(world: &mut World, bytes: usize, each: usize) -> WorldError {
        let line = world.session().unwrap();
        let page = json!({"conversation": LOBBY, "after": 0, "limit": 64});
        world.send(line, &json!({"id": 1, "request": "fetch", "data": page}).to_string()).unwrap();
        let page = world.receive(line).into_iter().find(|frame| frame.contains("envelopes"));
        let page: serde_json::Value = serde_json::from_str(&page.unwrap()).unwrap();
        let device = page["data"]["envelopes"][0]["device"].clone();
        let body = "A".repeat(bytes);
        flood(world, |id| {
            let envelopes: Vec<_> = (0..each)
                .map(|place| json!({"reference": format!("{id:024x}{place:08x}"), "body": body}))
                .collect();
            let data = json!({
                "conversation": LOBBY, "epoch": 0, "device": device, "envelopes": envelopes
            });
            json!({"id": id, "request": "submit", "data": data}).to_string()
        })
    }

    #[test]
    fn no_world_keeps_more_than_its_share() {
        let check = |bytes: usize, each: usize| {
            let mut world = world("sender-spoof");
            assert!(world.kept() < limits::WORLD_BYTES / 8, "{}", world.kept());
            assert_eq!(submit(&mut world, bytes, each), WorldError::Full, "{bytes} {each}");
            assert!(world.kept() <= limits::WORLD_BYTES, "{}", world.kept());
            assert!(world.kept() > limits::WORLD_BYTES / 2, "{}", world.kept());
            assert_eq!(world.session(), Err(WorldError::Full), "it stays full");
        };
        check(64 * 1024, 1);
        check(4 * 1024, 8);
        check(8, 64);
    }

    #[test]
    fn what_only_reads_takes_nothing() {
        let mut world = world("sender-spoof");
        let line = world.session().unwrap();
        let data = json!({"conversation": LOBBY, "after": 0, "limit": 64});
        let fetch = json!({"id": 1, "request": "fetch", "data": data}).to_string();
        let ask = |world: &mut World| (0..2_000).for_each(|_| said(world, line, &fetch).unwrap());
        ask(&mut world);
        let before = world.kept() - world.wire.bytes();
        ask(&mut world);
        let after = world.kept() - world.wire.bytes();
        assert!(after - before < 2_000 * 300, "{before} {after}");
    }

    #[test]
    fn keys_that_are_made_in_somebodys_name_count() {
        let mut world = world("ghost-member");
        let account = portcullis_proto::AccountId::from_bytes([7; 16]);
        world.obey(Order::Double { account }).unwrap();
        let orders = (0..1_000_000).map(|_| Order::Package { double: 1 });
        let refused = orders.into_iter().find_map(|order| world.obey(order).err());
        assert_eq!(refused, Some(WorldError::Full));
        assert!(world.kept() <= limits::WORLD_BYTES, "{}", world.kept());
        assert_eq!(world.obey(Order::Double { account }), Err(WorldError::Full));
    }

    #[test]
    fn frames_that_are_held_count_while_they_are() {
        let mut world = world("no-tag");
        world.hold(true).unwrap();
        let line = world.connect_desk().unwrap();
        let before = world.kept();
        let frame = "x".repeat(limits::DESK_FRAME_BYTES);
        (0..100).for_each(|_| world.send(line, &frame).unwrap());
        assert!(world.kept() - before >= 100 * frame.len(), "{before} {}", world.kept());
        let held = world.held()[0].id;
        world.decide(held, Decision::Replace(Vec::new())).unwrap();
        world.hold(false).unwrap();
        assert_eq!(world.held.bytes(), 0);
    }
}
