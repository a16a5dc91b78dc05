//! The sound plane: secrets, flags and verdicts. Worlds are given what is theirs, and never more.

mod flag;
mod trial;

pub use flag::{Flag, FlagRoot, Secrets, Whose};
pub use trial::{Trial, judge, stage};
