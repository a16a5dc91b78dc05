//! The tree of hashes over a file's sealed chunks.
//!
//! BLAKE3 is a tree of 1,024-byte leaves; the 256 leaves of a whole sealed chunk are one of its subtrees.
//! Leaves out proofs of single chunks: the hashes of all chunks are a ten-thousandth of the file, so they
//! are handed over first, and checked against the root at once.

use blake3::Hasher;
use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::{Hash, SEALED_CHUNK, Shape};

/// The hash of one sealed chunk, as a part of its file's tree: 32 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHash([u8; 32]);

impl ChunkHash {
    /// Bytes of one.
    pub const BYTES: usize = 32;

    /// The hash of a sealed chunk at its place in a file. It counts nowhere else.
    ///
    /// # Panics
    /// May panic if the chunk has another length than [`Shape::sealed_len`].
    #[must_use]
    pub fn of(shape: Shape, index: u64, sealed: &[u8]) -> Self {
        if shape.chunks() == 1 {
            return Self(blake3::hash(sealed).into());
        }
        let mut hasher = Hasher::new();
        hasher.set_input_offset(index.saturating_mul(SEALED_CHUNK as u64));
        hasher.update(sealed);
        Self(hasher.finalize_non_root())
    }

    /// Takes a hash that was stored, or told; any 32 bytes are one.
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

/// Computes a file's root from the hashes of its chunks, in order, in memory that doesn't grow with the file.
#[derive(Clone, Debug, Default)]
pub struct FileRoot {
    /// Of the whole subtrees so far, the largest first: one for each bit of `count`.
    subtrees: Vec<[u8; 32]>,
    count: u64,
}

impl FileRoot {
    /// Adds the next chunk's hash.
    pub fn push(&mut self, chunk: ChunkHash) {
        // Two subtrees of one size are merged once it is certain that the root is not between them.
        let whole = self.count.count_ones() as usize;
        while self.subtrees.len() > whole {
            self.merge();
        }
        self.subtrees.push(chunk.0);
        self.count += 1;
    }

    /// The root; none before there was any chunk.
    #[must_use]
    pub fn finish(mut self) -> Option<Hash> {
        while self.subtrees.len() > 2 {
            self.merge();
        }
        let root = match self.subtrees.as_slice() {
            [] => return None,
            // Of the only chunk; of several there is never one alone.
            [root] => *root,
            [left, right, ..] => merge_subtrees_root(left, right, Mode::Hash).into(),
        };
        Some(Hash::from_bytes(root))
    }

    fn merge(&mut self) {
        if let (Some(right), Some(left)) = (self.subtrees.pop(), self.subtrees.pop()) {
            self.subtrees.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }
}
