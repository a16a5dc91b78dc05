//! The hashes of a file's chunks count only if there is one for each chunk, and their root is the one that was
//! offered.
//!
//! Attack: whoever carries the bytes, or another member who has the key, gives other hashes, and with them other
//! contents than the sender has offered.
//! CWE-345, insufficient verification of data authenticity; CWE-494.
//! Precedent: CVE-2019-3462 (apt: who carried a package could also say which hashes to compare it with).

use portcullis_crypto::{ChunkHash, FileRoot, Shape};
use portcullis_proto::FileOffer;

/// Proof that a list of hashes is the offer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashesAccepted {
    shape: Shape,
}

impl HashesAccepted {
    /// How the file is cut into chunks.
    #[must_use]
    pub const fn shape(self) -> Shape {
        self.shape
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(shape: Shape) -> Self {
        Self { shape }
    }
}

/// The hashes are not those of the offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashesRefused;

/// Compares hashes, in order, with an offer. Takes no more of them than there are chunks.
///
/// # Errors
/// [`HashesRefused`].
pub fn accept_hashes(
    offer: &FileOffer,
    hashes: &mut dyn Iterator<Item = ChunkHash>,
) -> Result<HashesAccepted, HashesRefused> {
    let shape = offer.shape().ok_or(HashesRefused)?;
    let mut root = FileRoot::default();
    // Counted, since a shorter list of larger subtrees would have the same root.
    for _ in 0..shape.chunks() {
        root.push(hashes.next().ok_or(HashesRefused)?);
    }
    if root.finish() == Some(offer.root) {
        Ok(HashesAccepted { shape })
    } else {
        Err(HashesRefused)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(super) mod tests {
    use super::*;
    use crate::client::tests::rng;
    use portcullis_crypto::file::CHUNK;
    use portcullis_crypto::{FileCipher, FileKey, Hash};
    use portcullis_proto::{FileName, Holds, TransferId};

    /// An offer of a file of these bytes, its cipher, and its chunks, sealed, with their hashes.
    pub(in crate::defences) struct Offered {
        pub(in crate::defences) offer: FileOffer,
        pub(in crate::defences) cipher: FileCipher,
        pub(in crate::defences) chunks: Vec<(ChunkHash, Vec<u8>)>,
    }

    /// What a sender offers: four chunks of this byte.
    pub(in crate::defences) fn offered(byte: u8) -> Offered {
        let mut offer = FileOffer {
            transfer: TransferId::from_bytes([1; 16]),
            key: FileKey::generate(&mut rng(1)),
            root: Hash::from_bytes([0; 32]),
            bytes: 1 << 20,
            manifest: 40,
            title: FileName::parse("report.pdf").unwrap(),
            files: 1,
            holds: Holds::FILE,
        };
        let shape = offer.shape().unwrap();
        let cipher = FileCipher::new(offer.transfer.as_bytes(), &offer.key, shape);
        let seal = |index: u64| {
            let range = shape.range(index);
            let mut chunk = vec![byte; usize::try_from(range.end - range.start).unwrap()];
            cipher.seal(index, &mut chunk).unwrap();
            (ChunkHash::of(shape, index, &chunk), chunk)
        };
        let chunks: Vec<_> = (0..shape.chunks()).map(seal).collect();
        let mut root = FileRoot::default();
        chunks.iter().for_each(|(hash, _)| root.push(*hash));
        offer.root = root.finish().unwrap();
        assert!(chunks.len() > 4 && shape.bytes() > 4 * CHUNK as u64);
        Offered { offer, cipher, chunks }
    }

    type Decision = fn(
        &FileOffer,
        &mut dyn Iterator<Item = ChunkHash>,
    ) -> Result<HashesAccepted, HashesRefused>;

    fn check(decision: Decision, hashes: &[ChunkHash], good: bool) {
        let offer = offered(7).offer;
        let decided = decision(&offer, &mut hashes.iter().copied());
        assert_eq!(decided.is_ok(), good, "{} hashes", hashes.len());
    }

    #[test]
    fn only_the_offers_hashes_are_accepted() {
        let good: Vec<ChunkHash> = offered(7).chunks.iter().map(|(hash, _)| *hash).collect();
        check(accept_hashes, &good, true);
        let mut more = good.clone();
        more.push(ChunkHash::from_bytes([0; 32]));
        check(accept_hashes, &more, true); // what is behind the list is not of it
        check(accept_hashes, &good[1..], false);
        check(accept_hashes, &good[..good.len() - 1], false);
        check(accept_hashes, &[], false);
        let mut other = good.clone();
        other[2] = ChunkHash::from_bytes([0; 32]);
        check(accept_hashes, &other, false);
        let mut swapped = good;
        swapped.swap(0, 1);
        check(accept_hashes, &swapped, false);
        // Sealed with the same key by somebody else who has it.
        let others: Vec<ChunkHash> = offered(8).chunks.iter().map(|(hash, _)| *hash).collect();
        check(accept_hashes, &others, false);
    }

    #[test]
    fn a_twin_that_takes_any_list_lets_other_contents_in() {
        let twin: Decision = |offer, _| Ok(HashesAccepted::unproven(offer.shape().unwrap()));
        let others: Vec<ChunkHash> = offered(8).chunks.iter().map(|(hash, _)| *hash).collect();
        check(twin, &others, true);
    }
}
