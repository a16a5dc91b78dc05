//! The operator's hand on the wire: frames that wait until somebody decides what becomes of them.

use super::{Frame, World, WorldError};
use crate::limits;
use portcullis_server_core::ConnectionId;
use std::collections::BTreeMap;

/// The number of a frame that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeldId(pub u64);

/// A frame that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its number.
    pub id: HeldId,
    /// Whose connection it is on.
    pub whose: String,
    /// Whether it is on its way to the server.
    pub up: bool,
    /// The frame.
    pub text: String,
}

/// What becomes of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It goes on as it is.
    Pass,
    /// These go on in its place; none at all drops it.
    Replace(Vec<String>),
}

/// Whether frames are held, and those that are.
#[derive(Default)]
pub(super) struct Tap {
    on: bool,
    next: u64,
    frames: BTreeMap<HeldId, Frame>,
    bytes: usize,
}

impl Tap {
    /// Bytes of the frames that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether frames are to be held, and no more can be.
    pub(super) fn is_full(&self) -> bool {
        self.on && self.frames.len() >= limits::HELD
    }

    /// Gives the frame back if it may go on.
    pub(super) fn hold(&mut self, frame: Frame) -> Option<Frame> {
        if !self.on || self.is_full() {
            return Some(frame);
        }
        self.next += 1;
        self.bytes += taken(&frame);
        self.frames.insert(HeldId(self.next), frame);
        None
    }
}

/// What a frame takes while it waits.
fn taken(frame: &Frame) -> usize {
    frame.text.len() + 2 * size_of::<Frame>()
}

impl World {
    /// The operator lays a hand on the wire, or takes it away: then all that was held goes on.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn hold(&mut self, on: bool) -> Result<(), WorldError> {
        self.held.on = on;
        if !on {
            let frames = std::mem::take(&mut self.held.frames);
            self.held.bytes = 0;
            self.under_way.extend(frames.into_values());
        }
        self.settle()
    }

    /// The frames that wait, the oldest first.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let frames = self.held.frames.iter();
        frames
            .map(|(id, frame)| Held {
                id: *id,
                whose: self.party(frame.connection).to_string(),
                up: frame.up,
                text: frame.text.clone(),
            })
            .collect()
    }

    /// Decides what becomes of a frame that waits.
    ///
    /// # Errors
    /// [`WorldError::NotHeld`] where no such frame waits; [`WorldError`] for what follows.
    pub fn decide(&mut self, id: HeldId, decision: Decision) -> Result<(), WorldError> {
        let frame = self.held.frames.remove(&id).ok_or(WorldError::NotHeld)?;
        self.held.bytes -= taken(&frame);
        match decision {
            Decision::Pass => self.arrive(frame),
            Decision::Replace(texts) => {
                let Frame { connection, up, .. } = frame;
                for text in texts {
                    if self.under_way_bytes() > limits::MOVING_BYTES {
                        break;
                    }
                    self.arrive(Frame { connection, up, text });
                }
            }
        }
        self.settle()
    }

    /// Sends a frame that nobody made, down to somebody or up in their name.
    ///
    /// # Errors
    /// [`WorldError::Nobody`]; [`WorldError`] for what follows.
    pub fn inject(&mut self, whose: &str, up: bool, text: &str) -> Result<(), WorldError> {
        let connection = self.connection_of(whose).ok_or(WorldError::Nobody)?;
        self.arrive(Frame { connection, up, text: text.to_owned() });
        self.settle()
    }

    fn connection_of(&self, whose: &str) -> Option<ConnectionId> {
        let mut connections = self.links.keys();
        connections.find(|connection| self.party(**connection).to_string() == whose).copied()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::plane::{FlagRoot, Whose};
    use crate::twins::SOUND;
    use crate::world::Order;

    /// Who holds on to more than a world may do at once ends it with letting go, if nothing bounds it.
    #[test]
    fn letting_go_of_much_does_not_end_the_world() {
        let whose = Whose { class: "", learner: "mira", slug: "replay", salt: None, variant: 0 };
        let secrets = FlagRoot::from_bytes([7; 32]).secrets(whose);
        let mut world = World::new(secrets, SOUND, |_, _, _| Vec::new()).unwrap();
        let line = world.connect().unwrap();
        world.hold(true).unwrap();
        let frame = r#"{"id":1,"request":"channels","data":{"after":null}}"#;
        for _ in 0..=limits::STEPS {
            world.send(line, frame).unwrap();
        }
        assert_eq!(world.held().len(), limits::HELD);
        let say = || Order::Say { place: "#lobby".to_owned(), text: "hello".to_owned() };
        assert_eq!(world.obey(say()), Err(WorldError::HeldFull));
        assert_eq!(world.hold(false), Ok(()));
        assert_eq!(world.held(), []);
    }
}
