//! Files between people: the bytes. What is offered, to whom, and which way it takes is the core's decision;
//! here it is read, sealed, hashed, sent, received, verified and written.
//!
//! Everything goes as a *blob*, the same on every path: the hashes of all chunks, then the sealed chunks. Whoever
//! goes on after a break says from which byte of it. Memory doesn't grow with the files.

mod blob;
mod direct;
mod disk;
mod engine;
mod halt;
mod hashes;
mod layout;
pub mod limits;
mod meter;
mod part;
mod pieces;
mod prepare;
mod records;
mod relay;
mod sealed;
mod source;
mod stop;
#[cfg(test)]
mod tests;

pub(crate) use disk::check_folder;
pub use engine::{Engine, Prepared, Setup};
pub use meter::{Progress, Way};
pub use prepare::Preparing;
pub use source::{BadSource, Told};
