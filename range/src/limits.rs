//! Every limit of the range, with its unit and its reason.

/// Frames that one input may lead to. A whole login and a commit of ten people lead to fewer than 400; a
/// script that answers itself for ever comes here within a second.
pub const STEPS: usize = 20_000;

/// Frames that a world's wire remembers. A long evening's exploit sends some hundreds.
pub const WIRE_FRAMES: usize = 4_000;

/// Bytes that a world's wire remembers: 512 worlds full of it are 1 GiB.
pub const WIRE_BYTES: usize = 2 * 1024 * 1024;

/// Things in a world's log of what happened.
pub const HAPPENED: usize = 20_000;

/// Connections that a learner may hold in one world: more than any lesson needs.
pub const LINES: usize = 32;

/// Frames that wait for a learner who does not read.
pub const UNREAD: usize = 4_000;

/// Bytes of one frame from a learner: what the chat's server takes as well.
pub const FRAME_BYTES: usize = portcullis_proto::limits::CLIENT_FRAME_BYTES;

/// Bytes of a file that people of a world send each other: more than any lesson needs.
pub const FILE_BYTES: usize = 64 * 1024;

/// Files that are ever offered in one world: with [`FILE_BYTES`] 2 MiB, twice where they are received.
pub const FILES: usize = 32;
