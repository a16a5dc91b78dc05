//! The bounds of taking files and handing them on, with unit and reason, and what an operator may change.
//! How many and how large files may be is the defence's: `UploadPolicy`.

use std::path::PathBuf;
use std::time::Duration;

use portcullis_server_core::defences::UploadPolicy;

use crate::gateway::PublicUrl;

/// What the uploads are told once, when they start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the files. It is made where there is none, and holds nothing else.
    pub folder: PathBuf,
    /// What every file's address begins with.
    pub base: PublicUrl,
    /// Who may send how much.
    pub policy: UploadPolicy,
    /// How long a file is kept.
    pub keep: Duration,
    /// How long a sender may be silent in the middle of a file.
    pub stall: Duration,
    /// How long a whole file may take to come.
    pub whole: Duration,
    /// Files that may be on their way to somebody at once: each costs an open file and a few buffers.
    pub fetches_at_once: usize,
    /// How long whoever fetches a file may take for a piece of it.
    pub fetch_stall: Duration,
}

impl Settings {
    /// The usual bounds, for a server that admits guests.
    #[must_use]
    pub fn new(folder: PathBuf, base: PublicUrl) -> Self {
        Self {
            folder,
            base,
            policy: UploadPolicy { guests: true, ..UploadPolicy::default() },
            keep: Duration::from_secs(24 * 3600),
            stall: Duration::from_secs(20),
            whole: Duration::from_secs(300),
            fetches_at_once: 256,
            fetch_stall: Duration::from_secs(30),
        }
    }
}

/// How often expired files are looked for. They aren't handed on in between either.
pub(super) const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Bytes of a form around its file: boundaries, headers, and what other fields a client adds.
pub(super) const FORM_BYTES: u64 = 64 * 1024;

/// Bytes read from the disk in one go.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// Pieces that are read ahead of whoever fetches them.
pub(super) const PIECES_AHEAD: usize = 2;
