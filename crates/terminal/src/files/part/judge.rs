//! What arrives is judged: hashes by the offer, chunks by the hashes. Knows nothing of files.

use std::path::PathBuf;

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{ChunkAccepted, Defences};
use portcullis_crypto::{ChunkHash, FileCipher};
use portcullis_proto::FileOffer;

use super::super::blob::{Blob, Piece};
use super::super::disk;
use super::super::halt::Halt;
use super::super::hashes::Hashes;
use super::super::meter::Meter;
use super::super::stop::Stop;
use super::files::Files;

/// Judges what arrives of one transfer.
#[derive(Debug)]
pub(in super::super) struct Judge {
    offer: FileOffer,
    path: PathBuf,
    defences: Defences,
    cipher: FileCipher,
    blob: Blob,
    /// Once all of them are there.
    hashes: Option<Hashes>,
}

impl Judge {
    /// `path` is where the hashes are kept, or will be.
    pub(super) fn open(
        offer: &FileOffer,
        path: PathBuf,
        defences: Defences,
        blob: Blob,
    ) -> Result<Self, Halt> {
        disk::open_private(&path).map_err(|error| Halt::disk(&error))?;
        let hashes = Hashes::open(&path, offer, &defences)?;
        let cipher = FileCipher::new(offer.transfer.as_bytes(), &offer.key, blob.shape());
        Ok(Self { offer: offer.clone(), path, defences, cipher, blob, hashes })
    }

    pub(super) const fn has_hashes(&self) -> bool {
        self.hashes.is_some()
    }

    /// Keeps hashes; with the last of them they are judged.
    pub(super) fn take_hashes(&mut self, piece: Piece, bytes: &[u8]) -> Result<(), Halt> {
        let file = disk::open_private(&self.path).map_err(|error| Halt::disk(&error))?;
        disk::write_at(&file, bytes, piece.start).map_err(|error| Halt::disk(&error))?;
        if piece.end() == self.blob.hashes() {
            let hashes = Hashes::open(&self.path, &self.offer, &self.defences)?;
            self.hashes = Some(hashes.ok_or(Halt::Fault(Fault::Damaged))?);
        }
        Ok(())
    }

    /// Verifies and opens a chunk.
    ///
    /// # Errors
    /// [`Halt::Fault`] for what was not offered.
    pub(in super::super) fn open_chunk(
        &self,
        index: u64,
        sealed: Vec<u8>,
    ) -> Result<ChunkAccepted, Halt> {
        let damaged = Halt::Fault(Fault::Damaged);
        let hash = self.hashes.as_ref().ok_or(damaged)?.get(index)?;
        (self.defences.accept_chunk)(&self.cipher, index, hash, sealed).map_err(|_| damaged)
    }

    /// How many chunks from the first on lie there as they were offered.
    pub(super) fn whole_chunks(
        &self,
        files: &mut Files,
        stop: &Stop,
        checked: &Meter,
    ) -> Result<u64, Halt> {
        let (shape, hashes) = (self.blob.shape(), self.hashes.as_ref());
        let mut buffer = Vec::new();
        for index in 0..shape.chunks() {
            stop.check()?;
            let there = files.read(shape.range(index), &mut buffer)?
                && self.cipher.seal(index, &mut buffer).is_ok();
            let hash = hashes.map(|hashes| hashes.get(index)).transpose()?;
            if !there || Some(ChunkHash::of(shape, index, &buffer)) != hash {
                return Ok(index);
            }
            checked.add(buffer.len() as u64);
        }
        Ok(shape.chunks())
    }
}
