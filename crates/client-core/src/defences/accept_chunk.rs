//! A chunk counts only if its hash is the one that the offer vouches for at its place, and it opens.
//!
//! Attack: another member of the group, who has the key too, and who sits on the path, gives chunks of its own
//! making; or whoever carries them damages them, swaps them, or cuts the file short.
//! CWE-354, improper validation of an integrity check value; CWE-345.
//! Precedent: CVE-2017-17688 (Efail: mail clients showed plaintext that nothing had authenticated).

use portcullis_crypto::{ChunkHash, FileCipher};

/// Proof that these bytes are a file's at this chunk.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkAccepted<'a> {
    index: u64,
    bytes: &'a [u8],
}

impl<'a> ChunkAccepted<'a> {
    /// Which chunk.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// What it holds.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(index: u64, bytes: &'a [u8]) -> Self {
        Self { index, bytes }
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
pub fn accept_chunk<'a>(
    cipher: &FileCipher,
    index: u64,
    hash: ChunkHash,
    sealed: &'a mut [u8],
) -> Result<ChunkAccepted<'a>, ChunkRefused> {
    let shape = cipher.shape();
    // Only what has a chunk's length can be hashed as one.
    if sealed.len() != shape.sealed_len(index) || ChunkHash::of(shape, index, sealed) != hash {
        return Err(ChunkRefused);
    }
    let bytes = cipher.open(index, sealed).map_err(|_| ChunkRefused)?;
    Ok(ChunkAccepted { index, bytes })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::super::accept_hashes::tests::offered;
    use super::*;

    type Decision = for<'a> fn(
        &FileCipher,
        u64,
        ChunkHash,
        &'a mut [u8],
    ) -> Result<ChunkAccepted<'a>, ChunkRefused>;

    /// Hands in what `sealed` makes of an honest chunk, as this one.
    fn check(decision: Decision, index: u64, sealed: &[u8], good: bool) {
        let file = offered(7);
        let (hash, _) = file.chunks[usize::try_from(index).unwrap()];
        let mut sealed = sealed.to_vec();
        let decided = decision(&file.cipher, index, hash, &mut sealed);
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
        let mut file = offered(7);
        let (hash, sealed) = &mut file.chunks[1];
        let accepted = accept_chunk(&file.cipher, 1, *hash, sealed).unwrap();
        assert_eq!(accepted.index(), 1);
        assert!(accepted.bytes().iter().all(|byte| *byte == 7));
    }

    #[test]
    fn a_twin_that_only_opens_takes_another_members_chunk() {
        let twin: Decision = |cipher, index, _, sealed| {
            let bytes = cipher.open(index, sealed).map_err(|_| ChunkRefused)?;
            Ok(ChunkAccepted::unproven(index, bytes))
        };
        check(twin, 0, &offered(8).chunks[0].1, true);
    }
}
