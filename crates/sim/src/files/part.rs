//! What a recipient's shell has of a file so far: nothing in it counts that was not verified.

use super::source::MANIFEST;
use portcullis_client_core::Fault;
use portcullis_crypto::{ChunkHash, FileCipher, FileRoot};
use portcullis_proto::FileOffer;

/// A file that is coming.
#[derive(Debug, Default)]
pub struct Part {
    hashes: Vec<ChunkHash>,
    /// Of the stream, opened.
    chunks: Vec<Vec<u8>>,
    /// All of it was here, and lies in its place: said again until the core says to forget it.
    pub(super) finished: bool,
}

impl Part {
    /// Which piece is missing, counted from 0.
    #[must_use]
    pub fn next_piece(&self) -> usize {
        match self.hashes.is_empty() {
            true => 0,
            false => 1 + self.chunks.len(),
        }
    }

    /// Takes the next piece; true if it was the last.
    ///
    /// # Errors
    /// [`Fault::Damaged`] for what was not offered.
    pub fn take(&mut self, offer: &FileOffer, mut piece: Vec<u8>) -> Result<bool, Fault> {
        let shape = offer.shape().ok_or(Fault::Corrupt)?;
        let Some(chunk) = self.next_piece().checked_sub(1) else {
            self.hashes = hashes(offer, &piece).ok_or(Fault::Damaged)?;
            return Ok(false);
        };
        let index = chunk as u64;
        if self.hashes.get(chunk) != Some(&ChunkHash::of(shape, index, &piece)) {
            return Err(Fault::Damaged);
        }
        let cipher = FileCipher::new(offer.transfer.as_bytes(), &offer.key, shape);
        let opened = cipher.open(index, &mut piece).map_err(|_| Fault::Damaged)?;
        self.chunks.push(opened.to_vec());
        Ok(index + 1 == shape.chunks())
    }

    /// The file itself; none as long as it is not whole.
    #[must_use]
    pub fn content(&self, offer: &FileOffer) -> Option<Vec<u8>> {
        let end = usize::try_from(offer.bytes).ok()?;
        self.chunks.concat().get(MANIFEST..end).map(<[u8]>::to_vec)
    }

    /// The process died while this was written: what is left of the last chunk is of no use.
    pub(super) fn tear(&mut self) {
        if !self.finished {
            self.chunks.pop();
        }
    }
}

/// The hashes of all chunks, if they are those of the offer.
fn hashes(offer: &FileOffer, bytes: &[u8]) -> Option<Vec<ChunkHash>> {
    let (hashes, rest) = bytes.as_chunks::<{ ChunkHash::BYTES }>();
    let hashes: Vec<ChunkHash> = hashes.iter().map(|hash| ChunkHash::from_bytes(*hash)).collect();
    let mut root = FileRoot::default();
    hashes.iter().for_each(|hash| root.push(*hash));
    let fits = rest.is_empty()
        && Some(hashes.len() as u64) == offer.shape().map(|shape| shape.chunks())
        && root.finish() == Some(offer.root);
    fits.then_some(hashes)
}
