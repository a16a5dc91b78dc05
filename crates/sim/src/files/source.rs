//! What a sender's shell does: a file as a stream, sealed in chunks, each compared before it leaves.

use portcullis_crypto::{ChunkHash, FileCipher, FileKey, FileRoot, Hash, Randomness};
use portcullis_proto::{FileName, FileOffer, Holds, TransferId};

/// Bytes of the manifest, which nobody reads here.
pub(super) const MANIFEST: usize = 64;

/// Seals a file of this name once, to learn its hashes; none if it is too long to be offered.
pub fn prepare(
    rng: &mut dyn Randomness,
    title: FileName,
    content: &[u8],
) -> Option<(FileOffer, Vec<ChunkHash>)> {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let mut offer = FileOffer {
        transfer: TransferId::from_bytes(id),
        key: FileKey::generate(rng),
        root: Hash::from_bytes([0; 32]),
        bytes: (MANIFEST + content.len()) as u64,
        manifest: u32::try_from(MANIFEST).ok()?,
        title,
        files: 1,
        holds: Holds::FILE,
    };
    let shape = offer.shape()?;
    let mut root = FileRoot::default();
    let mut hashes = Vec::new();
    for index in 0..shape.chunks() {
        let hash = ChunkHash::of(shape, index, &sealed(&offer, content, index)?);
        root.push(hash);
        hashes.push(hash);
    }
    offer.root = root.finish()?;
    Some((offer, hashes))
}

/// A piece of the blob: first all hashes, then one sealed chunk after the other. None if the file has changed, or
/// ends before.
pub fn piece(
    offer: &FileOffer,
    hashes: &[ChunkHash],
    content: &[u8],
    at: usize,
) -> Option<Vec<u8>> {
    let Some(chunk) = at.checked_sub(1) else {
        return Some(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect());
    };
    let sealed = sealed(offer, content, chunk as u64)?;
    let hash = ChunkHash::of(offer.shape()?, chunk as u64, &sealed);
    (hashes.get(chunk) == Some(&hash)).then_some(sealed)
}

/// Where a piece ends in the blob.
pub(super) fn piece_end(offer: &FileOffer, at: usize) -> Option<usize> {
    let shape = offer.shape()?;
    let hashes = usize::try_from(shape.chunks()).ok()? * ChunkHash::BYTES;
    Some(hashes + (0..at as u64).map(|chunk| shape.sealed_len(chunk)).sum::<usize>())
}

/// Where it begins there.
pub(super) fn piece_start(offer: &FileOffer, at: usize) -> Option<usize> {
    at.checked_sub(1).map_or(Some(0), |before| piece_end(offer, before))
}

/// Which piece has the byte at this place of the blob.
pub(super) fn piece_at(offer: &FileOffer, byte: usize) -> Option<usize> {
    let pieces = usize::try_from(offer.shape()?.chunks()).ok()? + 1;
    (0..pieces).find(|at| piece_end(offer, *at).is_some_and(|end| byte < end))
}

/// Seals a chunk of the stream.
pub(super) fn sealed(offer: &FileOffer, content: &[u8], index: u64) -> Option<Vec<u8>> {
    let shape = offer.shape()?;
    let range = shape.range(index);
    let mut stream = vec![0; MANIFEST];
    stream.extend_from_slice(content);
    stream.resize(usize::try_from(shape.bytes()).ok()?.max(stream.len()), 0);
    let (start, end) = (usize::try_from(range.start).ok()?, usize::try_from(range.end).ok()?);
    let mut chunk = stream.get(start..end)?.to_vec();
    FileCipher::new(offer.transfer.as_bytes(), &offer.key, shape).seal(index, &mut chunk).ok()?;
    Some(chunk)
}
