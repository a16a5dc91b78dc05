//! The bounds of storing and fetching blobs, with unit and reason, and what an operator or a test may
//! change. How much may be stored, and for how long, is the core's: `BlobPolicy`.

use std::path::PathBuf;
use std::time::Duration;

/// What is told once, when the server starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the bytes. It is made where there is none, and holds nothing else.
    pub folder: PathBuf,
    /// Uploads at once: each costs an open file and two pieces of [`PIECE_BYTES`].
    pub uploads: usize,
    /// Those of one account.
    pub uploads_each: usize,
    /// Fetches at once: each costs an open file and two pieces.
    pub fetches: usize,
    /// Those of one account, all its devices together.
    pub fetches_each: usize,
    /// How long a peer may be silent in the middle of a blob, and how long whoever fetches waits for bytes
    /// that are still to come.
    pub stall: Duration,
    /// Bytes that move at least within such a time, for an upload and for a fetch: a few kilobytes a second. Who is
    /// slower lets go of its place.
    pub pace: (Duration, u64),
    /// How long bytes are gathered before they are written, and handed on, though they are few.
    pub gather: Duration,
    /// How often what has expired is looked for.
    pub sweep_every: Duration,
}

impl Settings {
    /// The usual bounds.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            uploads: 128,
            uploads_each: 4,
            fetches: 256,
            fetches_each: 8,
            stall: Duration::from_secs(30),
            pace: (Duration::from_secs(60), 60 * 4 * 1024),
            gather: Duration::from_secs(1),
            sweep_every: Duration::from_secs(60),
        }
    }
}

/// Bytes that are written or read in one go: enough that the way to the thread that does it, about 20 µs,
/// is a small part.
pub(super) const PIECE_BYTES: usize = 256 * 1024;

/// Packets that are written in one go, should they be small.
pub(super) const PIECE_PACKETS: usize = 256;

/// Pieces that are read ahead of whoever fetches them.
pub(super) const PIECES_AHEAD: usize = 1;

/// How often the disk is looked at.
pub(super) const DISK_EVERY: Duration = Duration::from_secs(1);

/// Milliseconds after which whoever has too many uploads or fetches may try again.
pub(super) const BUSY_MILLIS: u64 = 2_000;

#[cfg(test)]
mod tests {
    use super::*;
    use portcullis_server_core::BlobPolicy;

    #[test]
    fn the_document_shows_them() {
        const TEXT: &str = include_str!("../../../../docs/protocol.md");
        let (settings, policy) = (Settings::new(PathBuf::new()), BlobPolicy::default());
        assert_eq!(policy.account_bytes, 4_294_967_296);
        let check = |row: String| assert!(TEXT.contains(&row), "{row}");
        let bytes = "bytes of an account's blobs, unless the operator says otherwise";
        check(format!("| {bytes} | 4,294,967,296 |"));
        check(format!("| blobs of an account | {} |", policy.blobs_each));
        let at_once = |what: &str, each: usize, all: usize| {
            check(format!("| {what} of an account at once | {each}; {all} of all |"));
        };
        at_once("uploads", settings.uploads_each, settings.uploads);
        at_once("fetches", settings.fetches_each, settings.fetches);
        check(format!("none came for {} seconds", settings.stall.as_secs()));
        let (each, least) = settings.pace;
        check(format!("{} KiB within {} seconds", least / 1024, each.as_secs()));
        check(format!("nothing came for {} seconds", settings.stall.as_secs()));
    }
}
