//! Hashes of public data, each under a context, and the hash chain of a conversation.
//!
//! BLAKE3 in its key-derivation mode, so that a hash made in one context can't pass in another. Leaves
//! out passwords (see [`stretch`](mod@crate::stretch)). Source: the BLAKE3 paper, section 2.3.

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::to_hex;

    const CONTEXT: &str = "portcullis 2026 test v1";

    // The expected values of this module were computed with the BLAKE3 team's own library from Python.

    #[test]
    fn hashes_agree_with_the_reference_library() {
        fn check(parts: &[&[u8]], expected: &str) {
            assert_eq!(to_hex(hash(CONTEXT, parts).as_bytes()), expected);
        }
        check(&[], "af9e395f4b96f8c8685047d5472f70ad2671164136beb6db29b7d54aa0b3a2c6");
        check(&[b"abc"], "8be9474da4bd46193546f43af5cbe44d13329eff8dc65d0122c1fee2b149e465");
        check(&[b"ab", b"c"], "d65deeede9eaba06cab1df43e61218015a322ae189fd8a101cb25e4f167dbca5");
    }

    #[test]
    fn the_chain_agrees_with_the_reference_library() {
        let conversation: [u8; 16] = std::array::from_fn(|place| place as u8);
        let start = chain_start(&conversation);
        assert_eq!(
            to_hex(start.as_bytes()),
            "0eee1ee29960935ef2152ee9c7960dd0146661a328ae5026ab15734bdbfc36d0"
        );
        assert_eq!(
            to_hex(chain_next(start, &[b"one", b"two"]).as_bytes()),
            "6f2356ef4f5d4d2f6d186c86b81544a64bfa6dc7cf4b2d05ff0112f6da46b4d5"
        );
    }

    #[test]
    fn the_chain_shows_any_other_history() {
        let one = |parts: &[&[u8]]| {
            parts.iter().fold(chain_start(&[1; 16]), |chain, part| chain_next(chain, &[part]))
        };
        let told = one(&[b"a", b"b"]);
        for other in [one(&[b"b", b"a"]), one(&[b"a"]), one(&[b"ab"]), one(&[b"a", b"b", b""])] {
            assert_ne!(told, other);
        }
        assert_ne!(chain_start(&[1; 16]), chain_start(&[2; 16]));
    }

    #[test]
    fn context_and_borders_of_parts_count() {
        assert_ne!(hash(CONTEXT, &[b"abc"]), hash("portcullis 2026 test v2", &[b"abc"]));
        assert_ne!(hash(CONTEXT, &[b"a", b"bc"]), hash(CONTEXT, &[b"ab", b"c"]));
        assert_ne!(hash(CONTEXT, &[b"abc"]), hash(CONTEXT, &[b"abc", b""]));
    }

    #[test]
    fn debug_is_short() {
        assert_eq!(format!("{:?}", Hash::from_bytes([0xab; 32])), "Hash(abababab…)");
    }
}
