//! What the range answers, and what it refuses.

use crate::flaws::{Fate, Lost};
use crate::limits;
use crate::plane::Receipt;

/// What came of a submission, or of a fix.
#[derive(Clone)]
pub enum Answer {
    /// It is right: the proof, and what scoreboards elsewhere take.
    Solved(Receipt, String),
    /// It is somebody else's flag.
    Foreign,
    /// It is not right.
    Wrong,
    /// A candidate fix was tried.
    Tried {
        /// What came of the exploit: a fix that holds stops it.
        exploit: Result<(), Lost>,
        /// What came of honest use: a fix that holds leaves it alone.
        honest: Result<(), Lost>,
        /// What the flaw's file says of it.
        why: Fate,
    },
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Solved(..) => "Solved",
            Self::Foreign => "Foreign",
            Self::Wrong => "Wrong",
            Self::Tried { .. } => "Tried",
        })
    }
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// No token, or one that nobody has.
    Stranger,
    /// The world that this address or time belongs to is not there any more.
    WorldGone,
    /// Somebody of this name is here already.
    Taken,
    /// Somebody of the class has come already.
    Come,
    /// Not on the class's list, or without the code that goes with the name.
    NotOnTheList,
    /// There are [`crate::limits::LEARNERS`] already, and nobody gives way.
    Full,
    /// So many have just given way that the next place is there in so many seconds.
    Crowded(u64),
    /// There is no such flaw.
    NoFlaw,
    /// There is no such candidate fix.
    NoFix,
    /// The world has no such door.
    NoDoor,
    /// Whoever the learner is in this world, this is not in their power.
    NotYourPlace,
    /// It is shown after a solve only.
    NotYet,
    /// Nothing is submitted for this flaw: what has to happen is seen when it does.
    SeenByItself,
    /// It was tried so often that the next time has to wait, so many seconds.
    TooOften(u64),
    /// The learner has [`crate::limits::OPEN`] doors and streams open already.
    TooManyOpen,
    /// The request can't be read.
    Malformed(String),
    /// The world says no.
    World(String),
    /// What has to survive can't be written.
    Folder(String),
}

impl Refused {
    /// The HTTP status, and a code for programs.
    #[must_use]
    pub const fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Stranger => (401, "stranger"),
            Self::WorldGone => (410, "world_gone"),
            Self::Taken => (409, "taken"),
            Self::Come => (409, "come"),
            Self::NotOnTheList => (403, "not_on_the_list"),
            Self::Full => (503, "full"),
            Self::NoFlaw => (404, "no_flaw"),
            Self::NoFix => (404, "no_fix"),
            Self::NoDoor => (404, "no_door"),
            Self::NotYourPlace => (403, "not_your_place"),
            Self::NotYet => (403, "not_yet"),
            Self::SeenByItself => (409, "seen_by_itself"),
            Self::TooOften(_) | Self::Crowded(_) => (429, "too_often"),
            Self::TooManyOpen => (429, "too_many_open"),
            Self::Malformed(_) => (400, "malformed"),
            Self::World(_) => (409, "world"),
            Self::Folder(_) => (500, "folder"),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stranger => f.write_str("join first: `portcullis-range join NAME`"),
            Self::WorldGone => f.write_str(
                "this world has gone: it, or the range, was begun anew, or a fix was put in; `connect` tells the way \
                 into the one that there is now",
            ),
            Self::Taken => f.write_str("somebody of this name is here already; take another"),
            Self::Come => f.write_str(
                "you have joined already, on another machine or in another folder; the teacher can let you \
                 in again: `class readmit NAME`",
            ),
            Self::NotOnTheList => f.write_str(
                "this name is not on the class's list, or the code is not the one that goes with it",
            ),
            Self::Full => write!(
                f,
                "this range has its {} learners, all of whom have solved something or were here within a day; on \
                 its machine `portcullis-range class progress` lists them, and `class forget NAME` makes room",
                limits::LEARNERS
            ),
            Self::Crowded(seconds) => {
                write!(f, "this range is full, and many have come just now; try again in {seconds} s")
            }
            Self::NoFlaw => f.write_str("there is no flaw of this name; `board` lists them"),
            Self::NoFix => f.write_str("there is no fix of this number; `show` lists them"),
            Self::NoDoor => f.write_str("a world has no such door; `connect` lists them"),
            Self::NotYourPlace => {
                f.write_str("whoever you are in this world, that is not in your power")
            }
            Self::NotYet => f.write_str("this is shown once you have solved it"),
            Self::SeenByItself => f.write_str(
                "nothing is submitted for this flaw: the range sees it as soon as it has happened, and it has \
                 not yet",
            ),
            Self::TooManyOpen => {
                write!(f, "you hold {} doors and streams of news open: close one", limits::OPEN)
            }
            Self::TooOften(seconds) => {
                write!(f, "you have tried this often for this flaw; the next try is in {seconds} s")
            }
            Self::Malformed(why) => write!(f, "the request can't be read: {why}"),
            Self::World(why) | Self::Folder(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for Refused {}
