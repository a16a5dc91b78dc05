//! Files between people: what an offer says, what is in it, and what its recipients and its sender say of it
//! afterwards.
//!
//! A transfer is one stream of bytes: a [`Manifest`], then the files that it names, in its order, then zeros
//! up to a size that tells little. How the stream is sealed is [`portcullis_crypto::file`]'s matter. Leaves
//! out where the bytes are on anybody's disk, and who may offer what to whom.

mod holds;
mod manifest;
mod name;
mod offer;
mod step;

pub use holds::Holds;
pub use manifest::{BadManifest, Entry, EntryKind, Manifest};
pub use name::{BadFileName, FileName, FilePath};
pub use offer::FileOffer;
pub use step::{EndReason, FileStep, QuicWay};

pub(crate) use offer::OfferWire;

#[cfg(test)]
pub(crate) use offer::tests;
