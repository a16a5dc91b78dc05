//! The limits of moving files, each with its unit and its reason.

use std::time::Duration;

use portcullis_crypto::file::SEALED_CHUNK;

/// Bytes that move at once, between two threads and over any path: a sealed chunk.
pub const PIECE: usize = SEALED_CHUNK;

/// Pieces that wait between the two ends of one path: enough that neither waits for the other's every move, and
/// a megabyte.
pub const PIECES_WAITING: usize = 4;

/// Bytes that a recipient writes before they are made durable, while more arrives: a tenth of a second's worth.
pub const FLUSH: u64 = 64 * 1024 * 1024;

/// Files that are made durable one by one; with more of them, everything on their disk is.
pub const FLUSHED_SINGLY: usize = 64;

/// Threads that read and seal at once when files are offered: more than the processors of most machines help
/// little, for the disk is one.
pub const PREPARING_THREADS: usize = 4;

/// Chunks that such a thread takes at a time: 4 MiB, so that the disk reads in order.
pub const PREPARING_CHUNKS: u64 = 16;

/// Connections that may be about to prove that they are who is waited for; for one more, the oldest is closed.
pub const UNPROVEN: usize = 32;

/// Those of them from one address: a recipient calls all addresses of a sender at once, and a family has one.
pub const UNPROVEN_EACH: usize = 8;

/// How long each of them may take for it.
pub const PROOF: Duration = Duration::from_secs(5);

/// Recipients that are served directly at once, each with a few megabytes; others take the way by the server.
pub const SERVED_AT_ONCE: usize = 8;

/// How long a recipient that was told where to come may stay away. Before it comes, it verifies what it has.
pub const UNREACHED: Duration = Duration::from_secs(30);

/// How long a connection to a sender may take to come about.
pub const DIAL: Duration = Duration::from_secs(4);

/// How long one of QUIC may take, which may have to be arranged by way of the server first.
pub const DIAL_QUIC: Duration = Duration::from_secs(10);

/// Times that a sender is called, from all its addresses, with nothing gained, before it counts as unreachable; not
/// for longer than [`STALLED`].
pub const DIAL_ROUNDS: u32 = 3;

/// How long is waited before it is called again, for each time that nothing was gained.
pub const DIAL_PAUSE: Duration = Duration::from_millis(500);

/// How long is waited for the server's relay before somebody is told that one can be reached through it.
pub const ONLINE: Duration = Duration::from_secs(3);

/// How much earlier TCP is tried than QUIC: where both work, TCP is faster.
pub const HEAD_START: Duration = Duration::from_millis(300);

/// Bytes that are under way over QUIC at most: 80 MB/s at 100 ms, and a tenth of the memory that a party may take.
pub const QUIC_WINDOW: u32 = 8 * 1024 * 1024;

/// How long those may take to arrive, and be taken, when all was sent: over the slowest way that is of use.
pub const QUIC_LAST: Duration = Duration::from_secs(120);

/// Silence after which a path is broken, and another is taken.
pub const STALLED: Duration = Duration::from_secs(15);

/// Bytes that have to move over a direct path in a [`SLOWEST_WINDOW`]: 17 kB/s. Who is slower loses nothing by way of
/// the server.
pub const SLOWEST: u64 = 1024 * 1024;

/// How long is looked before a path counts as too slow: a disk may have to wake up meanwhile.
pub const SLOWEST_WINDOW: Duration = Duration::from_secs(60);

/// Silence after which a fetch from the server is begun anew: the server itself waits for 30 seconds for a sender.
pub const STALLED_RELAY: Duration = Duration::from_secs(45);

/// How long is waited before the server is asked again after a broken connection, doubled each time …
pub const RELAY_PAUSE: Duration = Duration::from_secs(1);

/// … so many times.
pub const RELAY_DOUBLINGS: u32 = 5;

/// Times that nothing more is fetched before its sender is told what is lacking: the server may have lost it.
pub const RELAY_VAIN: u32 = 2;

/// How long the server may take for an answer.
pub const ANSWER: Duration = Duration::from_secs(60);

/// Names that are tried for what would overwrite something: `report (2).pdf` and on.
pub const NAMES_TRIED: u32 = 10_000;

/// Age of a part that nobody has gone on with, after which it is removed.
pub const PART_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Age of kept hashes of an own offer that nobody has asked for, after which they are removed: some weeks longer
/// than a server keeps what is on it.
pub const HASHES_AGE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How long a part's writer is waited for that may be about to end: stopped, it ends within moments.
pub(super) const WRITER_ENDS: Duration = Duration::from_secs(3);
/// Between two looks whether it has ended.
pub(super) const WRITER_PAUSE: Duration = Duration::from_millis(20);
