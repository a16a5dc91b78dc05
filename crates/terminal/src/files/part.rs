//! What has arrived of a transfer: a folder of its own in the folder that it goes to,
//! `.portcullis-<transfer>-<device>.part`, until all of it is there and has been verified.
//!
//! In it lie the hashes, the manifest, and the files under their names. After a break what lies there is sealed
//! once more and compared with the hashes: nothing is written down about how far it came that could be wrong. How
//! it gets its place in the end is in `part/place.rs`.

mod files;
mod flush;
mod judge;
mod lock;
mod place;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{ChunkAccepted, Defences, ManifestAccepted, part_name};
use portcullis_crypto::file::CHUNK;
use portcullis_proto::{DeviceId, FileOffer, Manifest, TransferId};

use files::Files;
pub(super) use judge::Judge;
use lock::Lock;

use super::blob::{Blob, What};
use super::disk;
use super::halt::Halt;
use super::meter::Meter;
use super::stop::Stop;

const LOCK: &str = "lock";
const HASHES: &str = "hashes";
const MANIFEST: &str = "manifest";
const FILES: &str = "files";

/// What has arrived of a transfer.
#[derive(Debug)]
pub(super) struct Part {
    judge: Judge,
    kept: Kept,
}

/// What is kept of it.
#[derive(Debug)]
pub(super) struct Kept {
    offer: FileOffer,
    /// Where the files go in the end.
    into: PathBuf,
    folder: PathBuf,
    lock: Lock,
    defences: Defences,
    blob: Blob,
    /// Bytes of the blob that are there and hold.
    offset: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing but hashes, and then the first chunks, which have the manifest.
    Manifest(Vec<u8>),
    /// Files arrive.
    Files(Box<Files>),
    /// All was there, and verified, and files have begun to get their places.
    Placing(Manifest),
}

impl Part {
    /// The part that a device has of a transfer which goes into this folder.
    pub(super) fn path(into: &Path, transfer: TransferId, device: DeviceId) -> PathBuf {
        into.join(part_name(transfer, device))
    }

    /// Removes a part, unless somebody writes it.
    pub(super) fn remove(folder: &Path) -> io::Result<()> {
        if Lock::is_held(&folder.join(LOCK)) {
            return Ok(());
        }
        disk::remove_folder(folder)
    }

    /// Opens what there is of a transfer, or begins; verifies what is there, and counts that.
    ///
    /// # Errors
    /// [`Halt::Fault`], also where another program is receiving it there.
    pub(super) fn open(
        offer: FileOffer,
        folder: PathBuf,
        defences: Defences,
        stop: &Stop,
        checked: &Meter,
    ) -> Result<Self, Halt> {
        let blob = Blob::of(&offer).ok_or(Halt::Fault(Fault::Manifest))?;
        let into = folder.parent().ok_or(Halt::Fault(Fault::NotFound))?.to_owned();
        disk::private_folder(&folder).map_err(|error| Halt::disk(&error))?;
        let lock = Lock::take(folder.join(LOCK), stop)?;
        let judge = Judge::open(&offer, folder.join(HASHES), defences, blob)?;
        let state = State::Manifest(Vec::new());
        let kept = Kept { offer, into, folder, lock, defences, blob, offset: 0, state };
        let mut part = Self { judge, kept };
        part.go_on(stop, checked)?;
        Ok(part)
    }

    /// From which byte of the blob on it wants it.
    pub(super) const fn offset(&self) -> u64 {
        self.kept.offset
    }

    pub(super) const fn blob(&self) -> Blob {
        self.kept.blob
    }

    /// Whether all is there.
    pub(super) const fn is_whole(&self) -> bool {
        self.kept.offset >= self.kept.blob.bytes()
    }

    /// Whether hashes are what comes next.
    pub(super) const fn wants_hashes(&self) -> bool {
        self.kept.offset < self.kept.blob.hashes()
    }

    /// Takes the next piece, which has hashes.
    ///
    /// # Errors
    /// [`Halt::Fault`]: they are not what was offered, or can't be kept.
    pub(super) fn take_hashes(&mut self, bytes: &[u8]) -> Result<(), Halt> {
        let damaged = Halt::Fault(Fault::Damaged);
        let piece = self.kept.blob.piece_at(self.kept.offset).ok_or(damaged)?;
        if piece.len != bytes.len() || !matches!(piece.what, What::Hashes(_)) {
            return Err(damaged);
        }
        let taken = self.judge.take_hashes(piece, bytes);
        // Of hashes that are not all the offer's, none can be told to be.
        self.kept.offset = if taken.is_ok() { piece.end() } else { 0 };
        taken
    }

    /// Who says what the chunks are worth, and who keeps them, for two threads.
    pub(super) const fn halves(&mut self) -> (&Judge, &mut Kept) {
        (&self.judge, &mut self.kept)
    }

    /// Finds out how much of what lies there holds.
    fn go_on(&mut self, stop: &Stop, checked: &Meter) -> Result<(), Halt> {
        let Self { judge, kept } = self;
        let encoded = fs::read(kept.folder.join(MANIFEST)).ok();
        let accept = |bytes: &Vec<u8>| (kept.defences.accept_manifest)(&kept.offer, bytes).ok();
        let manifest = encoded.as_ref().and_then(accept);
        if place::has_begun(&kept.folder) {
            if let (Some(manifest), Some(encoded)) = (&manifest, &encoded)
                && let Some(state) = kept.placing(judge, manifest, encoded, (stop, checked))?
            {
                kept.offset = kept.blob.bytes();
                kept.state = state;
                return Ok(());
            }
            // What has its place keeps it; all of it is received once more.
            place::begin_anew(&kept.folder).map_err(|error| Halt::disk(&error))?;
        }
        if !judge.has_hashes() {
            return Ok(());
        }
        kept.offset = kept.blob.hashes();
        if let (Some(manifest), Some(encoded)) = (manifest, encoded) {
            let mut files = kept.files(manifest, encoded)?;
            let whole = judge.whole_chunks(&mut files, stop, checked)?;
            // Otherwise not even the manifest holds.
            if whole >= u64::from(kept.offer.manifest).div_ceil(CHUNK as u64) {
                kept.offset = kept.blob.chunk_start(whole).min(kept.blob.bytes());
                kept.state = State::Files(Box::new(files));
            }
        }
        Ok(())
    }
}

impl Kept {
    /// Bytes of the blob that are there and hold.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The chunk that comes next; none after the last.
    pub(super) fn next_chunk(&self) -> Option<u64> {
        match self.blob.piece_at(self.offset)?.what {
            What::Chunk(index) => Some(index),
            What::Hashes(_) => None,
        }
    }

    /// Writes the next chunk.
    ///
    /// # Errors
    /// [`Halt::Fault`]: it can't be written, or has a manifest that no sound sender makes.
    pub(super) fn write(&mut self, chunk: &ChunkAccepted) -> Result<(), Halt> {
        if self.next_chunk() != Some(chunk.index()) {
            return Err(Halt::Fault(Fault::Corrupt));
        }
        match &mut self.state {
            State::Files(files) => files.write(chunk)?,
            State::Manifest(head) => {
                head.extend_from_slice(chunk.bytes());
                if head.len() >= self.offer.manifest as usize {
                    self.begin_files()?;
                }
            }
            State::Placing(_) => return Err(Halt::Fault(Fault::Corrupt)),
        }
        self.offset = self.blob.chunk_start(chunk.index() + 1).min(self.blob.bytes());
        Ok(())
    }

    /// The manifest is there, and perhaps the beginning of the files.
    fn begin_files(&mut self) -> Result<(), Halt> {
        let State::Manifest(head) = &mut self.state else { return Ok(()) };
        let head = std::mem::take(head);
        let encoded = head.get(..self.offer.manifest as usize).unwrap_or_default().to_vec();
        let manifest = (self.defences.accept_manifest)(&self.offer, &encoded)
            .map_err(|_| Halt::Fault(Fault::Manifest))?;
        let path = self.folder.join(MANIFEST);
        disk::write_private(&path, &encoded).map_err(|error| Halt::disk(&error))?;
        let mut files = self.files(manifest, encoded)?;
        files.write_at(0, &head)?;
        self.state = State::Files(Box::new(files));
        Ok(())
    }

    fn files(&self, manifest: ManifestAccepted, encoded: Vec<u8>) -> Result<Files, Halt> {
        Files::new(self.folder.join(FILES), manifest, encoded, &self.defences)
    }

    /// Goes on with giving files their places, if what has its place and what has none yet are together what was
    /// offered; none where they are not.
    fn placing(
        &self,
        judge: &Judge,
        manifest: &ManifestAccepted,
        encoded: &[u8],
        (stop, checked): (&Stop, &Meter),
    ) -> Result<Option<State>, Halt> {
        let placed = self.placed(manifest.manifest()).map_err(|error| Halt::disk(&error))?;
        if placed.len() == manifest.manifest().tops().len() {
            return Ok(Some(State::Placing(manifest.manifest().clone())));
        }
        let mut files = self.files(manifest.clone(), encoded.to_vec())?;
        files.look_for(placed);
        let whole = match judge.whole_chunks(&mut files, stop, checked) {
            // Somebody has taken away what had its place: that can't be compared.
            Err(Halt::Fault(_)) => return Ok(None),
            judged => judged?,
        };
        Ok((whole == self.blob.shape().chunks()).then_some(State::Files(Box::new(files))))
    }
}
