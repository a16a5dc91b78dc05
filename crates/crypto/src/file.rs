//! Files: chunks that are sealed one by one, and the tree of hashes that vouches for each of them.
//!
//! The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its
//! Nonce-Reuse Misuse-Resistance", 2015, section 7) over AES-256-GCM, under a key that seals one file alone:
//! the nonce is the chunk's index and whether it is the last. A sealed chunk is one subtree of BLAKE3's own
//! tree (the paper's section 2.1, by the library's `hazmat`), so whoever has the subtrees' hashes can check
//! any chunk by itself, and the root is the plain BLAKE3 hash of all sealed chunks.
//!
//! Leaves out where bytes come from and go to, and who may have the key.

#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
#[path = "file/browser.rs"]
mod backend;
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[path = "file/native.rs"]
mod backend;
#[cfg(all(test, not(all(target_arch = "wasm32", target_os = "unknown"))))]
#[path = "file/browser.rs"]
mod browser;
#[cfg(test)]
mod tests;
mod tree;

use std::fmt;
use std::ops::Range;

pub use tree::{ChunkHash, FileRoot};

use crate::{Hash, Randomness, Secret};

/// Bytes of an authentication tag.
pub const TAG: usize = 16;

/// Bytes of every sealed chunk but the last: a power of two, as a subtree of BLAKE3 has to be. Each costs its
/// recipient a hash of 32 bytes beforehand.
pub const SEALED_CHUNK: usize = 256 * 1024;

/// Bytes that a chunk holds.
pub const CHUNK: usize = SEALED_CHUNK - TAG;

/// Bytes of the largest file: as many chunks as the nonce can count.
pub const LARGEST_FILE: u64 = CHUNK as u64 * (u32::MAX as u64);

const PATH_SECRET: &str = "portcullis 2026 direct path secret v1";

/// The key of one file, which seals nothing else. Redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct FileKey(Secret<32>);

impl FileKey {
    /// Draws a new key.
    #[must_use]
    pub fn generate(rng: &mut dyn Randomness) -> Self {
        Self(Secret::random(rng))
    }

    /// A key that was stored, or told.
    #[must_use]
    pub fn from_secret(secret: Secret<32>) -> Self {
        Self(secret)
    }

    /// The key's bytes, to be stored sealed, or told inside a conversation.
    #[must_use]
    pub fn secret(&self) -> &Secret<32> {
        &self.0
    }

    /// What both sides of a direct connection prove to each other, without showing the key.
    #[must_use]
    pub fn path_secret(&self) -> Secret<32> {
        Secret::from_bytes(blake3::derive_key(PATH_SECRET, self.0.expose()))
    }

    /// What only a holder of the key can say beside these bytes: BLAKE3 keyed with
    /// [`path_secret`](Self::path_secret).
    #[must_use]
    pub fn path_proof(&self, said: &[u8]) -> Secret<32> {
        Secret::from_bytes(blake3::keyed_hash(self.path_secret().expose(), said).into())
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FileKey(..)")
    }
}

/// How a file is cut into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    bytes: u64,
}

impl Shape {
    /// The shape of a file with so many bytes; none beyond [`LARGEST_FILE`].
    #[must_use]
    pub const fn of(bytes: u64) -> Option<Self> {
        if bytes <= LARGEST_FILE { Some(Self { bytes }) } else { None }
    }

    /// Bytes of the file.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes
    }

    /// How many chunks it has: at least one, which may be empty.
    #[must_use]
    pub const fn chunks(self) -> u64 {
        let chunks = self.bytes.div_ceil(CHUNK as u64);
        if chunks == 0 { 1 } else { chunks }
    }

    /// Which of the file's bytes a chunk holds; empty beyond the last.
    #[must_use]
    pub fn range(self, index: u64) -> Range<u64> {
        let start = index.saturating_mul(CHUNK as u64).min(self.bytes);
        start..start.saturating_add(CHUNK as u64).min(self.bytes)
    }

    /// Bytes of a sealed chunk.
    #[must_use]
    pub fn sealed_len(self, index: u64) -> usize {
        let range = self.range(index);
        // At most `CHUNK`, which fits.
        usize::try_from(range.end - range.start).unwrap_or(CHUNK) + TAG
    }

    /// Bytes of all sealed chunks.
    #[must_use]
    pub const fn sealed_bytes(self) -> u64 {
        self.bytes + self.chunks() * TAG as u64
    }

    fn is_last(self, index: u64) -> bool {
        index + 1 == self.chunks()
    }
}

/// Seals and opens the chunks of one file.
pub struct FileCipher {
    cipher: backend::Cipher,
    shape: Shape,
    associated: [u8; 28],
}

impl FileCipher {
    /// For the file with this id, key and shape.
    #[must_use]
    pub fn new(file: &[u8; 16], key: &FileKey, shape: Shape) -> Self {
        let cipher = backend::Cipher::new(key.0.expose());
        Self { cipher, shape, associated: associated(file, shape) }
    }

    /// The file's shape.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Seals a chunk where it stands: `chunk` holds its bytes, and then its ciphertext and tag.
    ///
    /// The same index must never be sealed with other bytes: see [`FileRoot`] for how that is found out
    /// before anything leaves.
    ///
    /// # Errors
    /// [`BadChunk`] if the file has no such chunk, or it has another length.
    pub fn seal(&self, index: u64, chunk: &mut Vec<u8>) -> Result<(), BadChunk> {
        let nonce = self.nonce(index, chunk.len().saturating_add(TAG))?;
        let tag = self.cipher.seal(&nonce, &self.associated, chunk)?;
        chunk.extend_from_slice(&tag);
        Ok(())
    }

    /// Opens a sealed chunk where it stands, and gives its bytes.
    ///
    /// # Errors
    /// [`BadChunk`] for anything but what [`seal`](Self::seal) gave at this index of this file.
    pub fn open<'a>(&self, index: u64, sealed: &'a mut [u8]) -> Result<&'a mut [u8], BadChunk> {
        let nonce = self.nonce(index, sealed.len())?;
        self.cipher.open(&nonce, &self.associated, sealed)
    }

    fn nonce(&self, index: u64, sealed_len: usize) -> Result<[u8; 12], BadChunk> {
        if index >= self.shape.chunks() || sealed_len != self.shape.sealed_len(index) {
            return Err(BadChunk);
        }
        let counter = u32::try_from(index).map_err(|_| BadChunk)?;
        Ok(nonce(counter, self.shape.is_last(index)))
    }
}

impl fmt::Debug for FileCipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "FileCipher({:?})", self.shape)
    }
}

/// STREAM's nonce: a prefix, which is zero since the key is the file's own, the index, and the mark of the last.
fn nonce(index: u32, last: bool) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[7..11].copy_from_slice(&index.to_be_bytes());
    nonce[11] = u8::from(last);
    nonce
}

/// What every chunk is bound to: the file's id, the size of chunks, the size of the file.
fn associated(file: &[u8; 16], shape: Shape) -> [u8; 28] {
    let mut associated = [0; 28];
    associated[..16].copy_from_slice(file);
    associated[16..20].copy_from_slice(&(CHUNK as u32).to_be_bytes());
    associated[20..].copy_from_slice(&shape.bytes.to_be_bytes());
    associated
}

/// A chunk doesn't fit its file, or doesn't open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChunk;

impl fmt::Display for BadChunk {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a chunk of the file does not open")
    }
}

impl std::error::Error for BadChunk {}
