//! The part of a world that lessons need and the chat has no counterpart of: a desk, and people who talk by it.

use super::budget::Unread;
use super::{Doer, End, Frame, Happened, Line, Stage, World, WorldError, channel, user};
use crate::hands::YOU;
use crate::lesson::{Act, Actor, Desk, Key, Out, Script, With};
use crate::limits;
use portcullis_proto::UserName;
use portcullis_server_core::ConnectionId;

impl World {
    /// A learner connects to the desk.
    ///
    /// # Errors
    /// [`WorldError::Nobody`] where this world has no desk; [`WorldError`].
    pub fn connect_desk(&mut self) -> Result<Line, WorldError> {
        self.room_for_a_line()?;
        let connection = self.next_link(End::Learner(Unread::default()));
        let desk = self.desk.as_mut().ok_or(WorldError::Nobody)?;
        desk.connect(connection, None);
        Ok(Line(connection))
    }

    /// Whether this world has a desk.
    #[must_use]
    pub const fn has_desk(&self) -> bool {
        self.desk.is_some()
    }

    /// Somebody on the network breaks the connection of one of the lesson's people, who make it again.
    ///
    /// # Errors
    /// [`WorldError::Nobody`] where there is none of this name; [`WorldError`].
    pub fn sever(&mut self, whose: &str) -> Result<(), WorldError> {
        let index = self.actor(whose)?;
        let ends = self.links.iter();
        let mut own = ends.filter(|(_, end)| matches!(end, End::Actor(other) if *other == index));
        let connection = own.next().map(|(connection, _)| *connection);
        self.cut(connection.ok_or(WorldError::Nobody)?);
        self.link_actor(index)?;
        self.let_act(index, Actor::back);
        self.settle()
    }

    /// The desk answers one frame.
    pub(super) fn attend(&mut self, connection: ConnectionId, text: &str) {
        let outs = self.desk.as_mut().map(|desk| desk.handle(connection, text));
        self.release_desk(outs.unwrap_or_default());
    }

    /// A frame comes to one of the lesson's people.
    pub(super) fn tell_actor(&mut self, index: usize, text: &str) {
        self.let_act(index, |actor, with| actor.hear(text, with));
    }

    /// A second passes.
    pub(super) fn tick_lesson(&mut self) {
        let outs = self.desk.as_mut().map(Desk::tick);
        self.release_desk(outs.unwrap_or_default());
        self.actors.iter_mut().for_each(Actor::tick);
    }

    fn release_desk(&mut self, outs: Vec<Out>) {
        for out in outs {
            match out {
                Out::Frame(connection, text) => {
                    self.under_way.push_back(Frame { connection, up: false, text });
                }
                Out::Record(connection, record) => {
                    let by = self.doer(connection);
                    self.note(Happened::Recorded { by, record });
                }
            }
        }
    }

    fn let_act(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut Actor, &mut With<'_>) -> crate::lesson::Did,
    ) {
        let connection = self.links.iter().find_map(|(connection, end)| {
            matches!(end, End::Actor(other) if *other == index).then_some(*connection)
        });
        let (Some(actor), Some(connection)) = (self.actors.get_mut(index), connection) else {
            return;
        };
        let mut with =
            With { defences: &self.twins.lesson, rng: self.chance.rng(), secrets: &self.secrets };
        let did = act(actor, &mut with);
        let frames = did.frames.into_iter();
        self.under_way.extend(frames.map(|text| Frame { connection, up: true, text }));
        did.happened.into_iter().for_each(|happened| self.note(happened));
    }

    fn desk(&mut self) -> &mut Desk {
        let (lesson, chance) = (self.twins.lesson, &mut self.chance);
        self.desk.get_or_insert_with(|| Desk::new(lesson, Key::random(chance.rng())))
    }

    fn link_actor(&mut self, index: usize) -> Result<(), WorldError> {
        let name = self.actors.get(index).ok_or(WorldError::Nobody)?.name().clone();
        let connection = self.next_link(End::Actor(index));
        self.desk().connect(connection, Some(name));
        Ok(())
    }

    fn actor(&self, name: &str) -> Result<usize, WorldError> {
        let mut actors = self.actors.iter();
        actors.position(|actor| actor.name().as_str() == name).ok_or(WorldError::Nobody)
    }

    pub(super) fn actor_doer(&self, index: usize) -> Option<Doer> {
        self.actors.get(index).map(|actor| Doer::Person(actor.name().clone()))
    }

    /// Whether a learner may have another connection, wherever it leads.
    pub(super) fn room_for_a_line(&self) -> Result<(), WorldError> {
        if self.budget.is_spent() {
            return Err(WorldError::Full);
        }
        let learners = self.links.values().filter(|end| matches!(end, End::Learner(_)));
        if learners.count() >= limits::LINES {
            return Err(WorldError::TooManyLines);
        }
        Ok(())
    }

    fn next_link(&mut self, end: End) -> ConnectionId {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        self.links.insert(connection, end);
        connection
    }
}

impl Stage<'_> {
    /// The desk, which is there from now on.
    pub fn desk(&mut self) -> &mut Desk {
        self.world.desk()
    }

    /// Somebody of the lesson comes to the desk.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn actor(&mut self, name: &str, script: Script) -> Result<(), WorldError> {
        let name = user(name)?;
        let actor = Actor::new(name, script, self.world.chance.rng());
        self.world.actors.push(actor);
        self.world.link_actor(self.world.actors.len() - 1)
    }

    /// People meet and agree on keys: one for these places, and one for each two of them. The learner may
    /// be one of them.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn share(&mut self, places: &[&str], among: &[&str]) -> Result<(), WorldError> {
        let key = Key::random(self.world.chance.rng());
        let members = among.iter().map(|name| user(name)).collect::<Result<Vec<_>, _>>()?;
        for place in places {
            let place = channel(place)?;
            for name in among {
                if *name == YOU {
                    self.desk().keep_own(place.clone(), key.clone());
                    continue;
                }
                let index = self.world.actor(name)?;
                let actor = self.world.actors.get_mut(index).ok_or(WorldError::Nobody)?;
                actor.enter(place.clone(), key.clone(), members.clone());
            }
        }
        self.pair(&members);
        Ok(())
    }

    fn pair(&mut self, members: &[UserName]) {
        for (place, one) in members.iter().enumerate() {
            for other in members.iter().skip(place + 1) {
                let key = Key::random(self.world.chance.rng());
                for (own, their) in [(one, other), (other, one)] {
                    let mut actors = self.world.actors.iter_mut();
                    if let Some(actor) = actors.find(|actor| actor.name() == own) {
                        actor.meet(their.clone(), key.clone());
                    }
                }
            }
        }
    }

    /// Somebody of the lesson does something.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn acts(&mut self, name: &str, act: Act) -> Result<(), WorldError> {
        let index = self.world.actor(name)?;
        self.world.let_act(index, |actor, with| actor.act(act, with));
        self.world.settle()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::lesson::Cue;
    use crate::plane::{FlagRoot, Secrets, Whose};
    use crate::twins::SOUND;
    use crate::world::Decision;
    use portcullis_proto::ChannelName;

    fn world() -> World {
        let whose = Whose { class: "", learner: "mira", slug: "a test", salt: None, variant: 0 };
        let secrets = FlagRoot::from_bytes([7; 32]).secrets(whose);
        World::new(secrets, SOUND, |_, _, _| Vec::new()).unwrap()
    }

    fn den() -> ChannelName {
        ChannelName::parse("#den").unwrap()
    }

    /// Says that they are back.
    fn script(actor: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
        match cue {
            Cue::Back(times) => vec![Act::Say(den(), format!("{actor:?} {times}"))],
            _ => Vec::new(),
        }
    }

    fn read(world: &World) -> Vec<String> {
        let texts = world.happened().iter().filter_map(|happened| match happened {
            Happened::Read { text, .. } => Some(text.clone()),
            _ => None,
        });
        texts.collect()
    }

    fn two(world: &mut World) {
        world.stage().actor("mira", script).unwrap();
        world.stage().actor("oleg", script).unwrap();
        world.stage().share(&["#den"], &["mira", "oleg"]).unwrap();
    }

    #[test]
    fn a_world_without_a_desk_has_no_connection_to_it() {
        assert_eq!(world().connect_desk(), Err(WorldError::Nobody));
    }

    #[test]
    fn what_people_say_at_the_desk_goes_over_the_wire() {
        let mut world = world();
        two(&mut world);
        world.stage().acts("mira", Act::Say(den(), "hello".to_owned())).unwrap();
        let ways =
            world.wire().passages().map(|passage| format!("{}>{}", passage.from, passage.to));
        assert_eq!(ways.collect::<Vec<_>>(), ["mira>server", "server>mira", "server>oleg"]);
        assert_eq!(read(&world), ["hello"]);
    }

    #[test]
    fn frames_at_the_desk_are_held_and_dropped_as_the_others_are() {
        let mut world = world();
        two(&mut world);
        world.hold(true).unwrap();
        world.stage().acts("mira", Act::Say(den(), "hello".to_owned())).unwrap();
        let held = world.held();
        assert_eq!(held.iter().map(|held| held.whose.as_str()).collect::<Vec<_>>(), ["mira"]);
        world.decide(held[0].id, Decision::Replace(Vec::new())).unwrap();
        world.hold(false).unwrap();
        assert_eq!(read(&world), Vec::<String>::new());
    }

    #[test]
    fn who_is_cut_off_comes_back() {
        let mut world = world();
        two(&mut world);
        world.sever("mira").unwrap();
        assert_eq!(read(&world), ["Actor(mira) 2"]);
        assert_eq!(world.sever("nobody"), Err(WorldError::Nobody));
    }

    #[test]
    fn connections_to_the_desk_count_as_the_others_do() {
        let mut world = world();
        two(&mut world);
        let first = world.connect_desk().unwrap();
        for _ in 1..limits::LINES {
            world.connect_desk().unwrap();
        }
        assert_eq!(world.connect_desk(), Err(WorldError::TooManyLines));
        assert_eq!(world.connect(), Err(WorldError::TooManyLines));
        world.close(first);
        assert!(!world.is_open(first));
        world.connect_desk().unwrap();
    }

    #[test]
    fn who_was_removed_is_given_no_new_key() {
        let mut world = world();
        two(&mut world);
        let oleg = UserName::parse("oleg").unwrap();
        world.stage().acts("mira", Act::Say(den(), "hello".to_owned())).unwrap();
        world.stage().acts("mira", Act::Remove(den(), oleg)).unwrap();
        world.stage().acts("mira", Act::Say(den(), "alone at last".to_owned())).unwrap();
        assert_eq!(read(&world), ["hello"]);
    }
}
