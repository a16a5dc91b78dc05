//! One learner's world, and who is connected to it. Whatever goes wrong in it ends it alone.

use super::line::{Doors, Inbox, Outbox, Place, Waiting};
use super::now;
use crate::flaws::{Flaw, Solve};
use crate::limits;
use crate::plane::{Secrets, judge, stage};
use crate::twins::Twins;
use crate::world::{Line, Visit, World, WorldError};
use portcullis_proto::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Why a world does not do what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SlotError {
    /// It panicked, and is gone.
    Broken,
    /// It keeps as much as it may; which flaw's it is.
    Full(&'static str),
    /// It says no.
    World(WorldError),
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken => f.write_str("this world has broken down and is gone; reset it"),
            Self::Full(slug) => {
                write!(f, "this world is full; `reset {slug}` begins it anew")
            }
            Self::World(error) => write!(f, "{error}"),
        }
    }
}

/// A world and its connections.
pub(super) struct Slot {
    pub(super) flaw: &'static Flaw,
    pub(super) secrets: Secrets,
    /// Which of the learner's worlds of this flaw it is, from 0 on.
    pub(super) variant: u32,
    /// When it was made.
    pub(super) made: Timestamp,
    /// When somebody was last connected to it, or asked for it.
    pub(super) touched: Timestamp,
    /// Grows with every repair, and with its end, so that connections to an older world end.
    pub(super) generation: u64,
    world: Option<World>,
    lines: BTreeMap<Line, Outbox>,
    /// Bytes that wait for all of them.
    waiting: Waiting,
    operators: Vec<mpsc::Sender<()>>,
    doors: Doors,
    /// Doors whose holders have a hand on the wire.
    hands: usize,
    /// Pages that are up, and who waits for a visit.
    pages: Vec<(String, oneshot::Sender<Line>)>,
    /// Whether the learner has put a fix in: then nothing is solved in it.
    pub(super) repaired: Option<usize>,
}

impl Slot {
    /// A new world.
    ///
    /// # Errors
    /// [`SlotError`] where its scene can't be set.
    pub(super) fn new(
        flaw: &'static Flaw,
        secrets: Secrets,
        variant: u32,
        generation: u64,
        fix: Option<usize>,
    ) -> Result<Self, SlotError> {
        let twins = match fix.and_then(|number| flaw.fixes.get(number.checked_sub(1)?)) {
            Some(fix) => Twins::with(fix.put),
            None => Twins::with(flaw.put),
        };
        let staged = catch_unwind(AssertUnwindSafe(|| stage(flaw, twins, &secrets, now())));
        let world = staged.map_err(|_| SlotError::Broken)?.map_err(SlotError::World)?;
        Ok(Self {
            flaw,
            secrets,
            variant,
            made: now(),
            touched: now(),
            generation,
            world: Some(world),
            lines: BTreeMap::new(),
            waiting: Waiting::default(),
            operators: Vec::new(),
            doors: Doors::default(),
            hands: 0,
            pages: Vec::new(),
            repaired: fix,
        })
    }

    /// Does something in the world, and brings everyone what came of it. A panic ends the world.
    ///
    /// # Errors
    /// [`SlotError`].
    pub(super) fn with<T>(
        &mut self,
        act: impl FnOnce(&mut World) -> Result<T, WorldError>,
    ) -> Result<T, SlotError> {
        let world = self.world.as_mut().ok_or(SlotError::Broken)?;
        let Ok(done) = catch_unwind(AssertUnwindSafe(|| {
            // Worlds that people are in keep their time, or their clients' clocks would not fit.
            world.catch_up(now());
            act(world)
        })) else {
            self.close();
            return Err(SlotError::Broken);
        };
        self.bring();
        done.map_err(|error| match error {
            WorldError::Full => SlotError::Full(self.flaw.slug),
            error => SlotError::World(error),
        })
    }

    /// A place for one more door that is open, whatever it leads to.
    ///
    /// # Errors
    /// [`WorldError::TooManyLines`].
    pub(super) fn room(&self) -> Result<Place, SlotError> {
        self.doors.enter(limits::LINES).ok_or(SlotError::World(WorldError::TooManyLines))
    }

    /// The world that follows it. Doors that are still open count on.
    pub(super) fn give_way(&mut self, next: Self) {
        let doors = std::mem::take(&mut self.doors);
        *self = Self { doors, ..next };
    }

    /// Whoever is connected is sent away, and nobody comes back.
    pub(super) fn end(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        self.close();
    }

    fn close(&mut self) {
        self.world = None;
        self.lines.clear();
        self.operators.clear();
        self.pages.clear();
    }

    /// The world as it is, if it is.
    pub(super) const fn world(&self) -> Option<&World> {
        self.world.as_ref()
    }

    /// What comes on a line from now on.
    pub(super) fn attach(&mut self, line: Line) -> Inbox {
        let (outbox, inbox) = self.waiting.line();
        self.lines.insert(line, outbox);
        self.bring();
        inbox
    }

    /// A learner's connection has gone.
    pub(super) fn detach(&mut self, line: Line) {
        self.lines.remove(&line);
        if let Some(world) = &mut self.world {
            world.close(line);
        }
    }

    /// Puts up a page; the first who comes to it is whom its holder gets.
    ///
    /// # Errors
    /// [`SlotError`] where it can't be had there.
    pub(super) fn put_up_page(&mut self, at: &str) -> Result<oneshot::Receiver<Line>, SlotError> {
        let (left, stay) = std::mem::take(&mut self.pages)
            .into_iter()
            .partition(|(_, holder): &(_, oneshot::Sender<_>)| holder.is_closed());
        self.pages = stay;
        let left: Vec<(String, _)> = left;
        self.with(|world| {
            left.iter().for_each(|(at, _)| world.take_down_page(at));
            world.put_up_page(at)
        })?;
        let (holder, come) = oneshot::channel();
        self.pages.push((at.to_owned(), holder));
        Ok(come)
    }

    /// An operator hears whenever something may be held.
    pub(super) fn watch(&mut self) -> mpsc::Receiver<()> {
        let (sender, receiver) = mpsc::channel(1);
        self.operators.push(sender);
        receiver
    }

    /// One more has a hand on the wire.
    pub(super) const fn lay_hand(&mut self) {
        self.hands += 1;
    }

    /// One takes it away. What was held goes on once nobody is there to decide.
    ///
    /// # Errors
    /// [`SlotError`] for what follows.
    pub(super) fn lift_hand(&mut self) -> Result<(), SlotError> {
        self.hands = self.hands.saturating_sub(1);
        if self.hands > 0 {
            return Ok(());
        }
        self.with(|world| world.hold(false))
    }

    /// Whether anybody is connected.
    pub(super) fn is_used(&self) -> bool {
        let is_watched = self.operators.iter().any(|operator| !operator.is_closed());
        let has_pages = self.pages.iter().any(|(_, holder)| !holder.is_closed());
        !self.lines.is_empty() || is_watched || has_pages || self.doors.count() > 0
    }

    /// Whether what was submitted, or what has happened, solves it.
    pub(super) fn solves(&self, submitted: Option<&str>) -> bool {
        let asked = submitted.is_some() || matches!(self.flaw.solve, Solve::State(_));
        let world = self.world.as_ref().filter(|_| asked && self.repaired.is_none());
        world.is_some_and(|world| judge(self.flaw, &self.secrets, world, submitted))
    }

    fn bring(&mut self) {
        let Some(world) = &mut self.world else { return };
        for Visit { origin, line } in world.visits() {
            let place = self.pages.iter().position(|(at, _)| *at == origin);
            let holder = place.map(|place| self.pages.remove(place).1);
            world.take_down_page(&origin);
            if holder.is_none_or(|holder| holder.send(line).is_err()) {
                world.close(line);
            }
        }
        self.lines.retain(|line, outbox| {
            let brought = world.receive(*line).into_iter().all(|text| outbox.put(text));
            brought && world.is_open(*line)
        });
        // Whoever has not come round to looking since the last time is told already.
        self.operators
            .retain(|operator| !matches!(operator.try_send(()), Err(TrySendError::Closed(()))));
    }
}
