//! An own offer, to be sent: its blob from any byte on. Chunks are sealed anew each time, and leave only if they
//! are what was offered.

use std::path::{Path, PathBuf};

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{ChunkReleased, Defences};
use portcullis_crypto::FileCipher;
use portcullis_proto::FileOffer;

use super::blob::{Blob, Piece, What};
use super::halt::Halt;
use super::hashes::Hashes;
use super::prepare::hashes_path;
use super::source::{BadSource, Source, SourceReader};

/// An own offer that can be sent.
pub(super) struct Sealed {
    source: Source,
    hashes: Hashes,
    cipher: FileCipher,
    blob: Blob,
    defences: Defences,
}

/// The shell's own words for where the files of an offer are.
pub(super) fn place_of(paths: &[PathBuf]) -> Option<String> {
    let paths: Option<Vec<&str>> = paths.iter().map(|path| path.to_str()).collect();
    serde_json::to_string(&paths?).ok()
}

impl Sealed {
    /// Looks at the files again. They may be read only as they were when they were offered.
    pub(super) fn open(
        offer: &FileOffer,
        place: &str,
        transfers: &Path,
        defences: Defences,
    ) -> Result<Self, Halt> {
        let paths: Vec<PathBuf> =
            serde_json::from_str(place).map_err(|_| Halt::Fault(Fault::NotFound))?;
        let (source, _) = Source::gather(&paths).map_err(|error| halt(&error))?;
        let blob = Blob::of(offer).ok_or(Halt::Changed)?;
        if source.bytes() != offer.bytes || source.manifest_bytes() != offer.manifest as usize {
            return Err(Halt::Changed);
        }
        let path = hashes_path(transfers, offer.transfer);
        let hashes = Hashes::open(&path, offer, &defences)?.ok_or(Halt::Fault(Fault::Disk))?;
        let cipher =
            FileCipher::new(offer.transfer.as_bytes(), &offer.key, hashes.accepted().shape());
        Ok(Self { source, hashes, cipher, blob, defences })
    }

    pub(super) const fn blob(&self) -> Blob {
        self.blob
    }

    /// Its pieces, from the one on that a byte lies in.
    pub(super) fn pieces_from(&self, offset: u64) -> Pieces<'_> {
        Pieces {
            sealed: self,
            reader: SourceReader::new(&self.source),
            next: self.blob.piece_at(offset),
            offset,
        }
    }
}

/// Pieces of a blob that may leave, in order.
pub(super) struct Pieces<'a> {
    sealed: &'a Sealed,
    reader: SourceReader<'a>,
    next: Option<Piece>,
    /// Bytes of the blob before this one were sent.
    offset: u64,
}

/// Bytes that may leave.
#[derive(Debug)]
pub(super) struct Outgoing {
    bytes: Released,
    /// How many of them are there already.
    skip: usize,
}

#[derive(Debug)]
enum Released {
    Hashes(Vec<u8>),
    Chunk(ChunkReleased),
}

impl Outgoing {
    pub(super) fn bytes(&self) -> &[u8] {
        let bytes = match &self.bytes {
            Released::Hashes(hashes) => hashes,
            Released::Chunk(chunk) => chunk.sealed(),
        };
        bytes.get(self.skip..).unwrap_or_default()
    }

    /// The buffer, to be used again.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        match self.bytes {
            Released::Hashes(hashes) => hashes,
            Released::Chunk(chunk) => chunk.into_buffer(),
        }
    }
}

impl Pieces<'_> {
    /// The next piece, in this buffer; none after the last.
    pub(super) fn next(&mut self, buffer: Vec<u8>) -> Option<Result<Outgoing, Halt>> {
        let piece = self.next?;
        let skip = usize::try_from(self.offset.saturating_sub(piece.start)).unwrap_or(0);
        self.next = self.sealed.blob.piece_at(piece.end());
        let released = match piece.what {
            What::Hashes(first) => self.hashes(first, piece.len, buffer),
            What::Chunk(index) => self.chunk(index, buffer),
        };
        Some(released.map(|bytes| Outgoing { bytes, skip }))
    }

    fn hashes(&self, first: u64, len: usize, mut buffer: Vec<u8>) -> Result<Released, Halt> {
        buffer.resize(len, 0);
        self.sealed.hashes.read(first, &mut buffer)?;
        Ok(Released::Hashes(buffer))
    }

    fn chunk(&mut self, index: u64, mut buffer: Vec<u8>) -> Result<Released, Halt> {
        let Sealed { hashes, cipher, defences, .. } = self.sealed;
        let shape = cipher.shape();
        self.reader.fill(shape.range(index), &mut buffer).map_err(|error| halt(&error))?;
        cipher.seal(index, &mut buffer).map_err(|_| Halt::Changed)?;
        let released = (defences.release_chunk)(shape, index, hashes.get(index)?, buffer);
        released.map(Released::Chunk).map_err(|_| Halt::Changed)
    }
}

/// What it means for a transfer that a source can't be read any more.
fn halt(error: &BadSource) -> Halt {
    match error {
        BadSource::NotFound(_) | BadSource::Name => Halt::Fault(Fault::NotFound),
        BadSource::Forbidden(_) => Halt::Fault(Fault::Forbidden),
        BadSource::Io(..) | BadSource::Home(_) => Halt::Fault(Fault::Disk),
        BadSource::Stopped => Halt::Stopped,
        BadSource::Several(all) => all.first().map_or(Halt::Changed, halt),
        BadSource::Special(_)
        | BadSource::Deep(_)
        | BadSource::Part(_)
        | BadSource::Changed(_)
        | BadSource::Manifest(_) => Halt::Changed,
    }
}
