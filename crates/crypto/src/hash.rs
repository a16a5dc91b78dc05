//! Hashes of public data, each under a context, and the hash chain of a conversation.
//!
//! BLAKE3 in its key-derivation mode, so that a hash made in one context can't pass in another. Leaves
//! out passwords (see [`stretch`](crate::stretch)). Source: the BLAKE3 paper, section 2.3.

use std::fmt;

const CHAIN_START: &str = "portcullis 2026 conversation chain start v1";
const CHAIN_LINK: &str = "portcullis 2026 conversation chain link v1";

/// A 32-byte BLAKE3 hash of public data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Takes a hash that was computed elsewhere; any 32 bytes are one.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Shows the first four bytes only: enough to tell two apart in a log.
impl fmt::Debug for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(formatter, "Hash({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

/// Hashes `parts` under `context`.
///
/// Each part goes in after its length (eight bytes, little-endian), so that moving bytes from one part
/// to its neighbour changes the hash. `context` is a constant of the program, unique to the use.
#[must_use]
pub fn hash(context: &'static str, parts: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(context);
    for part in parts {
        absorb(&mut hasher, part);
    }
    Hash(hasher.finalize().into())
}

/// The chain of a conversation (its 16-byte id) before its first envelope.
#[must_use]
pub fn chain_start(conversation: &[u8; 16]) -> Hash {
    hash(CHAIN_START, &[conversation])
}

/// The chain after one more envelope, whose fields are `link`.
///
/// Two histories with the same chain are the same, envelope for envelope.
#[must_use]
pub fn chain_next(previous: Hash, link: &[&[u8]]) -> Hash {
    let mut hasher = blake3::Hasher::new_derive_key(CHAIN_LINK);
    absorb(&mut hasher, previous.as_bytes());
    for part in link {
        absorb(&mut hasher, part);
    }
    Hash(hasher.finalize().into())
}

fn absorb(hasher: &mut blake3::Hasher, part: &[u8]) {
    hasher.update(&(part.len() as u64).to_le_bytes());
    hasher.update(part);
}
