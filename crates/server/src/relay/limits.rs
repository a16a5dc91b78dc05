//! The bounds of the relay's connections, each with its unit and its reason. Those of accounts are in
//! `portcullis_server_core::limits`.

use std::time::Duration;

/// How long somebody may take to prove that they hold their key.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(5);

/// Connections that may be about to prove it; more are turned away.
pub(super) const UNPROVEN: usize = 64;

/// Silence after which a connection is dead: its client pings every 15 seconds.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Endpoints that are told at once under which address they are seen.
pub(super) const SEEN_AT_ONCE: usize = 1024;

/// Bytes of a frame: a batch of packets of 64 KiB, and the keys in front.
pub(super) const FRAME_BYTES: usize = 64 * 1024 + 64;

/// Bytes that wait for one connection; what comes then is lost, which is how QUIC learns to slow down.
pub(super) const QUEUE_BYTES: usize = 512 * 1024;

/// Bytes a second that are carried for one account …
pub(super) const RATE: u64 = 8 * 1024 * 1024;

/// … and so many at once before it is slowed down.
pub(super) const BURST: u64 = 4 * 1024 * 1024;

/// How long a share lasts, until it is whole again.
pub(super) const SHARE: Duration = Duration::from_secs(24 * 3600);

/// Accounts whose shares are remembered; past it those that are whole again are forgotten.
pub(super) const SHARES: usize = 16_384;
