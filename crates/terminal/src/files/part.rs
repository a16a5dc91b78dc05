//! What has arrived of a transfer: a folder of its own in the folder that it goes to, `.portcullis-<id>.part`,
//! until all of it is there and has been verified.
//!
//! In it lie the hashes, the manifest, and the files under their names. After a break what lies there is sealed
//! once more and compared with the hashes: nothing is written down about how far it came that could be wrong. How
//! it gets its place in the end is in `part/place.rs`.

mod files;
mod place;

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{ChunkAccepted, Defences, part_name};
use portcullis_crypto::file::CHUNK;
use portcullis_crypto::{ChunkHash, FileCipher};
use portcullis_proto::{FileOffer, Manifest};

use files::Files;

use super::blob::{Blob, Piece, What};
use super::disk;
use super::halt::Halt;
use super::hashes::Hashes;
use super::stop::Stop;

const HASHES: &str = "hashes";
const MANIFEST: &str = "manifest";
const FILES: &str = "files";

/// What has arrived of a transfer.
#[derive(Debug)]
pub(super) struct Part {
    offer: FileOffer,
    /// Where the files go in the end.
    into: PathBuf,
    folder: PathBuf,
    defences: Defences,
    cipher: FileCipher,
    blob: Blob,
    /// Bytes of the blob that are there and hold.
    offset: u64,
    /// Once all of them are there.
    hashes: Option<Hashes>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Hashes arrive.
    Hashes(fs::File),
    /// The first chunks arrive, which have the manifest.
    Manifest(Vec<u8>),
    /// Files arrive.
    Files(Files),
    /// All was there, and verified, and files have begun to get their places.
    Placing(Manifest),
}

impl Part {
    /// Opens what there is of a transfer in a folder, or begins; verifies what is there.
    pub(super) fn open(
        offer: FileOffer,
        into: &Path,
        defences: Defences,
        stop: &Stop,
    ) -> Result<Self, Halt> {
        let blob = Blob::of(&offer).ok_or(Halt::Fault(Fault::Manifest))?;
        let folder = into.join(part_name(offer.transfer));
        disk::private_folder(&folder).map_err(|error| Halt::disk(&error))?;
        let cipher = FileCipher::new(offer.transfer.as_bytes(), &offer.key, blob.shape());
        let hashes =
            disk::open_private(&folder.join(HASHES)).map_err(|error| Halt::disk(&error))?;
        let state = State::Hashes(hashes);
        let into = into.to_owned();
        let mut part =
            Self { offer, into, folder, defences, cipher, blob, offset: 0, hashes: None, state };
        part.go_on(stop)?;
        Ok(part)
    }

    /// From which byte of the blob on it wants it.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) const fn blob(&self) -> Blob {
        self.blob
    }

    /// Whether all is there.
    pub(super) const fn is_whole(&self) -> bool {
        self.offset >= self.blob.bytes()
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Halt::Fault`]: what came is not what was offered, or it can't be kept.
    pub(super) fn take(&mut self, bytes: &mut [u8]) -> Result<(), Halt> {
        let piece = self.blob.piece_at(self.offset).ok_or(Halt::Fault(Fault::Corrupt))?;
        if piece.len != bytes.len() {
            return Err(Halt::Fault(Fault::Corrupt));
        }
        match piece.what {
            What::Hashes(_) => self.take_hashes(piece, bytes)?,
            What::Chunk(index) => self.take_chunk(index, bytes)?,
        }
        self.offset = piece.end();
        Ok(())
    }

    fn take_hashes(&mut self, piece: Piece, bytes: &[u8]) -> Result<(), Halt> {
        let State::Hashes(file) = &self.state else { return Err(Halt::Fault(Fault::Corrupt)) };
        disk::write_at(file, bytes, piece.start).map_err(|error| Halt::disk(&error))?;
        if piece.end() == self.blob.hashes() {
            self.hashes = Some(self.open_hashes()?.ok_or(Halt::Fault(Fault::Corrupt))?);
            self.state = State::Manifest(Vec::new());
        }
        Ok(())
    }

    fn take_chunk(&mut self, index: u64, sealed: &mut [u8]) -> Result<(), Halt> {
        let corrupt = Halt::Fault(Fault::Corrupt);
        let hash = self.hashes.as_ref().ok_or(corrupt)?.get(index)?;
        let accepted = (self.defences.accept_chunk)(&self.cipher, index, hash, sealed);
        let chunk = accepted.map_err(|_| corrupt)?;
        match &mut self.state {
            State::Files(files) => files.write(&chunk),
            State::Manifest(head) => {
                head.extend_from_slice(chunk.bytes());
                if head.len() >= self.offer.manifest as usize { self.begin_files() } else { Ok(()) }
            }
            State::Hashes(_) | State::Placing(_) => Err(corrupt),
        }
    }

    /// The manifest is there, and perhaps the beginning of the files.
    fn begin_files(&mut self) -> Result<(), Halt> {
        let State::Manifest(head) = &mut self.state else { return Ok(()) };
        let head = std::mem::take(head);
        let encoded = head.get(..self.offer.manifest as usize).unwrap_or_default().to_vec();
        let manifest = read_manifest(&encoded, &self.offer)?;
        let path = self.folder.join(MANIFEST);
        disk::write_private(&path, &encoded).map_err(|error| Halt::disk(&error))?;
        let mut files = self.files(manifest, encoded)?;
        files.write_at(0, &head)?;
        self.state = State::Files(files);
        Ok(())
    }

    fn files(&self, manifest: Manifest, encoded: Vec<u8>) -> Result<Files, Halt> {
        Files::new(self.folder.join(FILES), manifest, encoded, &self.defences)
    }

    fn open_hashes(&self) -> Result<Option<Hashes>, Halt> {
        Hashes::open(&self.folder.join(HASHES), &self.offer, &self.defences)
    }

    /// Finds out how much of what lies there holds.
    fn go_on(&mut self, stop: &Stop) -> Result<(), Halt> {
        let kept = fs::read(self.folder.join(MANIFEST)).ok();
        let manifest = kept.as_ref().and_then(|kept| read_manifest(kept, &self.offer).ok());
        if place::has_begun(&self.folder)
            && let Some(manifest) = &manifest
        {
            self.offset = self.blob.bytes();
            self.state = State::Placing(manifest.clone());
            return Ok(());
        }
        let Some(hashes) = self.open_hashes()? else { return Ok(()) };
        self.offset = self.blob.hashes();
        self.state = State::Manifest(Vec::new());
        if let (Some(manifest), Some(kept)) = (manifest, kept) {
            let mut files = self.files(manifest, kept)?;
            let whole = self.whole_chunks(&hashes, &mut files, stop)?;
            // Otherwise not even the manifest holds.
            if whole >= u64::from(self.offer.manifest).div_ceil(CHUNK as u64) {
                let all = whole == self.blob.shape().chunks();
                self.offset = if all { self.blob.bytes() } else { self.blob.chunk_start(whole) };
                self.state = State::Files(files);
            }
        }
        self.hashes = Some(hashes);
        Ok(())
    }

    /// How many chunks from the first on lie there as they were offered.
    fn whole_chunks(&self, hashes: &Hashes, files: &mut Files, stop: &Stop) -> Result<u64, Halt> {
        let shape = self.blob.shape();
        let mut buffer = Vec::new();
        for index in 0..shape.chunks() {
            stop.check()?;
            let there = files.read(shape.range(index), &mut buffer)?;
            if !there
                || self.cipher.seal(index, &mut buffer).is_err()
                || ChunkHash::of(shape, index, &buffer) != hashes.get(index)?
            {
                return Ok(index);
            }
        }
        Ok(shape.chunks())
    }
}

/// The manifest, if it is what an offer says of it.
fn read_manifest(encoded: &[u8], offer: &FileOffer) -> Result<Manifest, Halt> {
    let bad = Halt::Fault(Fault::Manifest);
    let manifest = Manifest::decode(encoded).map_err(|_| bad)?;
    let fits = encoded.len() == offer.manifest as usize
        && manifest.entries().len() == offer.files as usize
        && manifest.bytes() == offer.content_bytes()
        && manifest.tops().first().is_some_and(|top| **top == offer.title);
    if fits { Ok(manifest) } else { Err(bad) }
}

fn accepted_at(chunk: &ChunkAccepted<'_>) -> u64 {
    chunk.index() * CHUNK as u64
}
