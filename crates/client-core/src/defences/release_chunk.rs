//! A sealed chunk leaves only if it is the one that was offered: the same bytes as when the file was read first.
//!
//! Attack: a file changes between its offer and its sending, or between two recipients (a log that grows, a
//! document that is saved, somebody who waits for it). Two texts under one nonce give away both, and the key
//! that authenticates them.
//! CWE-323, reusing a nonce with the same key; CWE-367, time of check and time of use.
//! Precedent: Joux 2006, "Authentication Failures in NIST version of GCM"; Böck et al. 2016, "Nonce-Disrespecting
//! Adversaries" (TLS servers that used nonces twice).

use portcullis_crypto::{ChunkHash, Shape};
use std::fmt;

/// Proof that a sealed chunk may leave. It owns the buffer.
#[derive(PartialEq, Eq)]
pub struct ChunkReleased {
    sealed: Vec<u8>,
}

impl ChunkReleased {
    /// The sealed chunk.
    #[must_use]
    pub fn sealed(&self) -> &[u8] {
        &self.sealed
    }

    /// The buffer, for the next chunk.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.sealed
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(sealed: Vec<u8>) -> Self {
        Self { sealed }
    }
}

impl fmt::Debug for ChunkReleased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkReleased({} bytes)", self.sealed.len())
    }
}

/// The file is not what was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileChanged;

/// Compares a sealed chunk with the hash that was kept when it was offered. Refused, it is dropped.
///
/// # Errors
/// [`FileChanged`].
pub fn release_chunk(
    shape: Shape,
    index: u64,
    kept: ChunkHash,
    sealed: Vec<u8>,
) -> Result<ChunkReleased, FileChanged> {
    // Only what has a chunk's length can be hashed as one.
    if sealed.len() == shape.sealed_len(index) && ChunkHash::of(shape, index, &sealed) == kept {
        Ok(ChunkReleased { sealed })
    } else {
        Err(FileChanged)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::accept_hashes::tests::offered;
    use super::*;
    use portcullis_crypto::file::CHUNK;

    type Decision = fn(Shape, u64, ChunkHash, Vec<u8>) -> Result<ChunkReleased, FileChanged>;

    /// A file of sevens was offered; now its chunk has these bytes.
    fn send(decision: Decision, now: &[u8]) -> Option<Vec<u8>> {
        let file = offered(7);
        let mut chunk = now.to_vec();
        file.cipher.seal(0, &mut chunk).unwrap();
        let released = decision(file.cipher.shape(), 0, file.chunks[0].0, chunk);
        released.ok().map(ChunkReleased::into_buffer)
    }

    #[test]
    fn what_was_offered_leaves_and_nothing_else() {
        assert_eq!(send(release_chunk, &[7; CHUNK]), Some(offered(7).chunks[0].1.clone()));
        let mut changed = [7; CHUNK];
        changed[CHUNK - 1] = 8;
        assert_eq!(send(release_chunk, &changed), None);
        assert_eq!(send(release_chunk, &[8; CHUNK]), None);
        let file = offered(7);
        let (hash, sealed) = &file.chunks[1];
        for other in [Vec::new(), sealed[1..].to_vec(), [sealed, &[0][..]].concat()] {
            assert!(release_chunk(file.cipher.shape(), 1, *hash, other).is_err());
        }
    }

    #[test]
    fn a_twin_that_does_not_compare_gives_both_texts_away() {
        let twin: Decision = |_, _, _, sealed| Ok(ChunkReleased::unproven(sealed));
        let (before, after) = (send(twin, &[7; CHUNK]).unwrap(), send(twin, &[8; CHUNK]).unwrap());
        // Who knows one text reads the other, without any key.
        let read = before.iter().zip(&after).map(|(one, other)| one ^ other ^ 7).take(CHUNK);
        assert!(read.eq([8; CHUNK]));
    }
}
