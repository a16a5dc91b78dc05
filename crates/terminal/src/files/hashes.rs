//! The hashes of a transfer's chunks, in a file: 32 bytes each, in order. A sender keeps them from the offer on,
//! a recipient gets them first.

use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::path::Path;

use portcullis_client_core::defences::{Defences, HashesAccepted};
use portcullis_crypto::ChunkHash;
use portcullis_proto::FileOffer;

use super::disk;
use super::halt::Halt;

/// Hashes that are the offer's.
#[derive(Debug)]
pub(super) struct Hashes {
    file: File,
    accepted: HashesAccepted,
}

impl Hashes {
    /// Opens a file of hashes; none if it has others than the offer's, or not all.
    ///
    /// # Errors
    /// [`Halt::Fault`] where it can't be read.
    pub(super) fn open(
        path: &Path,
        offer: &FileOffer,
        defences: &Defences,
    ) -> Result<Option<Self>, Halt> {
        let file = disk::open(path).map_err(|error| Halt::disk(&error))?;
        let mut hashes = Reading::of(&file);
        let accepted = (defences.accept_hashes)(offer, &mut hashes);
        match hashes.error {
            Some(error) => Err(Halt::disk(&error)),
            None => Ok(accepted.ok().map(|accepted| Self { file, accepted })),
        }
    }

    /// The hash of a chunk.
    ///
    /// # Errors
    /// [`Halt::Fault`] where it can't be read.
    pub(super) fn get(&self, index: u64) -> Result<ChunkHash, Halt> {
        let mut bytes = [0; ChunkHash::BYTES];
        self.read(index, &mut bytes)?;
        Ok(ChunkHash::from_bytes(bytes))
    }

    /// The hashes from a chunk's on, as many as fit.
    ///
    /// # Errors
    /// [`Halt::Fault`] where they can't be read.
    pub(super) fn read(&self, index: u64, buffer: &mut [u8]) -> Result<(), Halt> {
        let at = index.saturating_mul(ChunkHash::BYTES as u64);
        disk::read_at(&self.file, buffer, at).map_err(|error| Halt::disk(&error))
    }

    pub(super) const fn accepted(&self) -> HashesAccepted {
        self.accepted
    }
}

/// The hashes of a file, one after the other.
pub(super) struct Reading<'a> {
    file: BufReader<&'a File>,
    pub(super) error: Option<io::Error>,
}

impl<'a> Reading<'a> {
    /// From where the file stands.
    pub(super) fn of(file: &'a File) -> Self {
        Self { file: BufReader::with_capacity(64 * 1024, file), error: None }
    }
}

impl Iterator for Reading<'_> {
    type Item = ChunkHash;

    fn next(&mut self) -> Option<ChunkHash> {
        let mut bytes = [0; ChunkHash::BYTES];
        match self.file.read_exact(&mut bytes) {
            Ok(()) => Some(ChunkHash::from_bytes(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => {
                self.error = Some(error);
                None
            }
        }
    }
}
