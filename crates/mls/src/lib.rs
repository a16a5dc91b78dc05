//! The suite `mls`: how directs and groups encrypt (RFC 9420), by `openmls`.
//!
//! [`Mls`] is all the MLS state of one device. It keeps state and decides nothing: what a commit, a
//! welcome or a key package says comes out as plain data ([`CommitView`], [`WelcomeView`] …), the caller
//! judges it, and only then it counts. There is no IO: what has changed is handed over by
//! [`Mls::take_writes`], to be kept before anything that was made with it is sent.
//!
//! It leaves out who may do what, signed device lists, the time, and what messages contain. Unlike the
//! cores it draws its own randomness, since the library does.

#![forbid(unsafe_code)]

mod commit;
mod error;
mod group;
mod join;
mod leaf;
mod limits;
mod package;
mod process;
mod provider;
mod records;
mod roster;
mod suite;
#[cfg(test)]
mod testing;
mod view;

pub use commit::{Changes, Made};
pub use error::MlsError;
pub use group::Mls;
pub use leaf::Leaf;
pub use process::{Processed, is_commit};
pub use records::RecordKey;
pub use roster::{Roster, RosterKind};
pub use view::{CommitView, GroupInfoView, GroupView, KeyPackageView, WelcomeView};
