//! What went over a world's connections, so that it can be read afterwards.

use crate::limits;
use portcullis_proto::{Timestamp, UserName};
use std::collections::VecDeque;
use std::fmt;

/// Who is at an end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Party {
    /// The server.
    Server,
    /// A scripted person.
    Person(UserName),
    /// The learner's own client.
    Own,
    /// The learner, on the connection of this number.
    Learner(u64),
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server => f.write_str("server"),
            Self::Person(name) => write!(f, "{name}"),
            Self::Own => f.write_str("you"),
            Self::Learner(line) => write!(f, "you/{line}"),
        }
    }
}

impl Party {
    /// Whether this is the learner, by whatever means.
    #[must_use]
    pub const fn is_learner(&self) -> bool {
        matches!(self, Self::Own | Self::Learner(_))
    }
}

/// A frame that passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Its place on the wire, from 1 on.
    pub number: u64,
    /// When.
    pub at: Timestamp,
    /// From whom.
    pub from: Party,
    /// To whom.
    pub to: Party,
    /// What.
    pub text: String,
}

/// The newest frames.
#[derive(Debug, Default)]
pub struct Wire {
    passages: VecDeque<Passage>,
    bytes: usize,
    count: u64,
    began: Option<Timestamp>,
    scene: u64,
}

impl Wire {
    /// The frames that are remembered, the oldest first.
    pub fn passages(&self) -> impl DoubleEndedIterator<Item = &Passage> {
        self.passages.iter()
    }

    /// How many there have ever been.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Bytes that they take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.passages.len() * size_of::<Passage>()
    }

    /// The number of the last frame that passed before the learner came.
    #[must_use]
    pub const fn scene(&self) -> u64 {
        self.scene
    }

    /// All that has passed so far was the opening scene.
    pub(super) const fn end_scene(&mut self) {
        self.scene = self.count;
    }

    /// When the first of them passed, with which the world began.
    #[must_use]
    pub const fn began(&self) -> Option<Timestamp> {
        self.began
    }

    pub(super) fn note(&mut self, at: Timestamp, from: Party, to: Party, text: &str) {
        self.began.get_or_insert(at);
        self.count += 1;
        self.bytes += text.len();
        self.passages.push_back(Passage {
            number: self.count,
            at,
            from,
            to,
            text: text.to_owned(),
        });
        while self.passages.len() > limits::WIRE_FRAMES || self.bytes > limits::WIRE_BYTES {
            let Some(oldest) = self.passages.pop_front() else { return };
            self.bytes -= oldest.text.len();
        }
    }
}
