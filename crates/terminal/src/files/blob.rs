//! What goes over any path, at the same offsets: the hashes of all chunks, then the sealed chunks. It is handed
//! from thread to thread in pieces, which are cut the same way on both sides.

use portcullis_crypto::{ChunkHash, Shape};
use portcullis_proto::FileOffer;

use super::limits::PIECE;

/// The blob of a file with this shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blob {
    shape: Shape,
}

/// A piece of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) what: What,
    /// Where it begins in the blob.
    pub(super) start: u64,
    /// Its bytes, at most [`PIECE`].
    pub(super) len: usize,
}

/// What a piece is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// Hashes, of which the first belongs to this chunk.
    Hashes(u64),
    /// A sealed chunk.
    Chunk(u64),
}

impl Piece {
    /// Where the next one begins.
    pub(super) const fn end(self) -> u64 {
        self.start + self.len as u64
    }
}

impl Blob {
    /// None for an offer that no client can have made.
    pub(super) fn of(offer: &FileOffer) -> Option<Self> {
        offer.shape().map(|shape| Self { shape })
    }

    pub(super) const fn shape(self) -> Shape {
        self.shape
    }

    /// Bytes of the hashes.
    pub(super) const fn hashes(self) -> u64 {
        self.shape.chunks() * ChunkHash::BYTES as u64
    }

    /// Bytes of all.
    pub(super) const fn bytes(self) -> u64 {
        self.hashes() + self.shape.sealed_bytes()
    }

    /// Where a chunk begins.
    pub(super) const fn chunk_start(self, index: u64) -> u64 {
        self.hashes() + index * PIECE as u64
    }

    /// The piece that a byte lies in; none beyond the end.
    pub(super) fn piece_at(self, offset: u64) -> Option<Piece> {
        if offset >= self.bytes() {
            return None;
        }
        Some(match offset.checked_sub(self.hashes()) {
            None => {
                let start = offset - offset % PIECE as u64;
                let len = (self.hashes() - start).min(PIECE as u64);
                let first = start / ChunkHash::BYTES as u64;
                Piece { what: What::Hashes(first), start, len: len as usize }
            }
            Some(within) => {
                let index = within / PIECE as u64;
                let len = self.shape.sealed_len(index);
                Piece { what: What::Chunk(index), start: self.chunk_start(index), len }
            }
        })
    }

    /// All pieces from the one on that a byte lies in.
    pub(super) fn pieces_from(self, offset: u64) -> impl Iterator<Item = Piece> {
        std::iter::successors(self.piece_at(offset), move |piece| self.piece_at(piece.end()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_crypto::file::CHUNK;

    fn blob(bytes: u64) -> Blob {
        Blob { shape: Shape::of(bytes).unwrap() }
    }

    #[test]
    fn pieces_follow_each_other_without_gaps() {
        let check = |bytes: u64| {
            let blob = blob(bytes);
            let mut at = 0;
            for piece in blob.pieces_from(0) {
                assert_eq!(piece.start, at);
                assert!((1..=PIECE).contains(&piece.len));
                // Any byte of a piece leads to it.
                assert_eq!(blob.piece_at(at), Some(piece));
                assert_eq!(blob.piece_at(piece.end() - 1), Some(piece));
                at = piece.end();
            }
            assert_eq!(at, blob.bytes());
            assert_eq!(blob.piece_at(at), None);
        };
        check(0);
        check(1);
        check(CHUNK as u64);
        check(CHUNK as u64 + 1);
        check(5 << 30); // more than one piece of hashes
    }

    #[test]
    fn what_pieces_are() {
        let blob = blob(5 << 30);
        let check = |offset: u64, what: What| assert_eq!(blob.piece_at(offset).unwrap().what, what);
        check(0, What::Hashes(0));
        check(PIECE as u64, What::Hashes(8192));
        check(blob.hashes(), What::Chunk(0));
        check(blob.bytes() - 1, What::Chunk(blob.shape().chunks() - 1));
        assert_eq!(blob.chunk_start(1), blob.hashes() + PIECE as u64);
    }
}
