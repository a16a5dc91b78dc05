//! A chunk counts only if its hash is the one that the offer vouches for at its place, and it opens.
//!
//! Attack: another member of the group, who has the key too, and who sits on the path, gives chunks of its own
//! making; or whoever carries them damages them, swaps them, or cuts the file short.
//! CWE-354, improper validation of an integrity check value; CWE-345.
//! Precedent: CVE-2017-17688 (Efail: mail clients showed plaintext that nothing had authenticated).

use portcullis_crypto::file::TAG;
use portcullis_crypto::{ChunkHash, FileCipher};
use std::fmt;

/// Proof that these bytes are a file's at this chunk. It owns the buffer.
#[derive(PartialEq, Eq)]
pub struct ChunkAccepted {
    index: u64,
    /// The chunk, opened where it stood; its tag is still behind it.
    opened: Vec<u8>,
}

impl ChunkAccepted {
    /// Which chunk.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What it holds.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.opened.get(..self.opened.len().saturating_sub(TAG)).unwrap_or_default()
    }

    /// The buffer, for another chunk.
    #[must_use]
    pub fn into_buffer(self) -> Vec<u8> {
        self.opened
    }

    /// For the range's unsound twins: without any check. The tag is still behind the opened bytes.
    #[must_use]
    pub const fn unproven(index: u64, opened: Vec<u8>) -> Self {
        Self { index, opened }
    }
}

impl fmt::Debug for ChunkAccepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChunkAccepted({}, {} bytes)", self.index, self.bytes().len())
    }
}

/// It is not what was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkRefused;

/// Hashes a sealed chunk, compares, and only then opens it where it stands. `hash` comes from a list that
/// [`accept_hashes`](super::accept_hashes()) has accepted.
///
/// # Errors
/// [`ChunkRefused`].
pub fn accept_chunk(
    cipher: &FileCipher,
    index: u64,
    hash: ChunkHash,
    mut sealed: Vec<u8>,
) -> Result<ChunkAccepted, ChunkRefused> {
    let shape = cipher.shape();
    // Only what has a chunk's length can be hashed as one.
    if sealed.len() != shape.sealed_len(index) || ChunkHash::of(shape, index, &sealed) != hash {
        return Err(ChunkRefused);
    }
    cipher.open(index, &mut sealed).map_err(|_| ChunkRefused)?;
    Ok(ChunkAccepted { index, opened: sealed })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::accept_hashes::tests::offered;
    use super::*;
    use portcullis_crypto::file::CHUNK;

    type Decision = fn(&FileCipher, u64, ChunkHash, Vec<u8>) -> Result<ChunkAccepted, ChunkRefused>;

    /// Hands in sealed bytes as this chunk.
    fn check(decision: Decision, index: u64, sealed: &[u8], good: bool) {
        let file = offered(7);
        let (hash, _) = file.chunks[usize::try_from(index).unwrap()];
        let decided = decision(&file.cipher, index, hash, sealed.to_vec());
        assert_eq!(decided.is_ok(), good, "{index}");
    }

    #[test]
    fn only_what_was_offered_at_this_place_is_accepted() {
        let chunks = offered(7).chunks;
        let sealed = |index: usize| chunks[index].1.as_slice();
        let last = chunks.len() - 1;
        check(accept_chunk, 0, sealed(0), true);
        check(accept_chunk, last as u64, sealed(last), true);
        check(accept_chunk, 0, sealed(1), false);
        check(accept_chunk, last as u64, sealed(0), false);
        check(accept_chunk, 0, &[], false);
        check(accept_chunk, 0, &sealed(0)[1..], false);
        let mut damaged = sealed(0).to_vec();
        damaged[70_000] ^= 1;
        check(accept_chunk, 0, &damaged, false);
        let longer = [sealed(0), &[0]].concat();
        check(accept_chunk, 0, &longer, false);
        check(accept_chunk, 1, &[sealed(1), &[0]].concat(), false);
        // It opens: another holder of the key has sealed it.
        check(accept_chunk, 0, &offered(8).chunks[0].1, false);
    }

    #[test]
    fn an_accepted_chunk_holds_its_bytes() {
        let file = offered(7);
        let (hash, sealed) = &file.chunks[1];
        let accepted = accept_chunk(&file.cipher, 1, *hash, sealed.clone()).unwrap();
        assert_eq!((accepted.index(), accepted.bytes()), (1, &[7; CHUNK][..]));
        assert_eq!(accepted.into_buffer().len(), sealed.len());
    }

    #[test]
    fn a_twin_that_only_opens_takes_another_members_chunk() {
        let twin: Decision = |cipher, index, _, mut sealed| {
            cipher.open(index, &mut sealed).map_err(|_| ChunkRefused)?;
            Ok(ChunkAccepted::unproven(index, sealed))
        };
        check(twin, 0, &offered(8).chunks[0].1, true);
    }
}
