//! Before files are offered they are read once: sealed under a fresh key, and hashed. The hashes are kept, so that
//! when the files are read again, to be sent, every chunk can be compared before it leaves.
//!
//! Nothing sealed is kept, and nothing leaves. Several threads share the work, a few megabytes at a time.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use portcullis_crypto::{ChunkHash, FileCipher, FileKey, FileRoot, Hash, Randomness, Shape};
use portcullis_proto::{BadManifest, FileOffer, TransferId};

use super::disk;
use super::hashes::Reading;
use super::limits::{PIECE, PREPARING_CHUNKS, PREPARING_THREADS};
use super::meter::Meter;
use super::source::{BadSource, Source, SourceReader, Told};
use super::stop::Stop;

/// Files that are being prepared, for whoever waits for it.
#[derive(Debug, Clone, Default)]
pub struct Preparing {
    read: Arc<Meter>,
    of: Arc<AtomicU64>,
    pub(super) stop: Stop,
}

impl Preparing {
    /// Bytes that were read, and how many there are.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.read.get(), self.of.load(Ordering::Relaxed))
    }

    /// Stops it.
    pub fn stop(&self) {
        self.stop.stop();
    }
}

/// Where a home keeps the hashes of an own offer.
pub(super) fn hashes_path(transfers: &Path, transfer: TransferId) -> PathBuf {
    transfers.join(format!("{transfer}.hashes"))
}

/// Reads, seals and hashes what lies under these paths.
///
/// # Errors
/// [`BadSource`]; then nothing is kept.
pub(super) fn prepare(
    paths: &[PathBuf],
    transfers: &Path,
    rng: &mut dyn Randomness,
    preparing: &Preparing,
) -> Result<(FileOffer, Vec<Told>), BadSource> {
    let (source, told) = Source::gather(paths)?;
    preparing.of.store(source.bytes(), Ordering::Relaxed);
    let mut offer = draft(&source, rng)?;
    let path = hashes_path(transfers, offer.transfer);
    let prepared = hash_all(&source, &offer, &path, preparing);
    match prepared.and_then(|root| source.is_unchanged().map(|()| root)) {
        Ok(root) => {
            offer.root = root;
            Ok((offer, told))
        }
        Err(error) => {
            // What can't be removed is removed when it is old.
            let _ = disk::remove(&path);
            Err(error)
        }
    }
}

/// The offer, but for its root.
fn draft(source: &Source, rng: &mut dyn Randomness) -> Result<FileOffer, BadSource> {
    let manifest = source.manifest();
    let too_many = BadSource::Manifest(BadManifest::TooMany);
    let small = |number: usize| u32::try_from(number).map_err(|_| too_many.clone());
    Ok(FileOffer {
        transfer: TransferId::random(rng),
        key: FileKey::generate(rng),
        root: Hash::from_bytes([0; 32]),
        bytes: source.bytes(),
        manifest: small(source.manifest_bytes())?,
        title: manifest.tops().first().copied().ok_or_else(|| too_many.clone())?.clone(),
        files: small(manifest.entries().len())?,
        holds: manifest.holds(),
    })
}

/// Writes the hashes of all chunks to a new file, and gives their root.
fn hash_all(
    source: &Source,
    offer: &FileOffer,
    path: &Path,
    preparing: &Preparing,
) -> Result<Hash, BadSource> {
    let shape = offer.shape().ok_or(BadSource::Manifest(BadManifest::TooLarge))?;
    let kept = |error: io::Error| BadSource::Home(error.kind());
    let file = disk::create_private(path).map_err(kept)?;
    let work = Work {
        source,
        cipher: &FileCipher::new(offer.transfer.as_bytes(), &offer.key, shape),
        shape,
        hashes: &file,
        preparing,
        next: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        error: Mutex::new(None),
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads.min(PREPARING_THREADS) {
            scope.spawn(|| work.share());
        }
    });
    if let Some(error) = work.error.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    file.sync_data().map_err(kept)?;
    root_of(file).map_err(kept)
}

fn root_of(mut file: File) -> io::Result<Hash> {
    file.rewind()?;
    let mut hashes = Reading::of(&file);
    let mut root = FileRoot::default();
    hashes.by_ref().for_each(|hash| root.push(hash));
    hashes.error.map_or(Ok(()), Err)?;
    root.finish().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// What the threads share.
struct Work<'a> {
    source: &'a Source,
    cipher: &'a FileCipher,
    shape: Shape,
    hashes: &'a File,
    preparing: &'a Preparing,
    /// The first chunk that nobody has taken.
    next: AtomicU64,
    failed: AtomicBool,
    /// The first one.
    error: Mutex<Option<BadSource>>,
}

impl Work<'_> {
    /// Takes chunks, some at a time, until there are none.
    fn share(&self) {
        let mut reader = SourceReader::new(self.source);
        let mut buffer = Vec::with_capacity(PIECE);
        while !self.failed.load(Ordering::Relaxed) {
            let first = self.next.fetch_add(PREPARING_CHUNKS, Ordering::Relaxed);
            if first >= self.shape.chunks() {
                return;
            }
            if let Err(error) = self.some(first, &mut reader, &mut buffer) {
                self.failed.store(true, Ordering::Relaxed);
                self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }

    fn some(
        &self,
        first: u64,
        reader: &mut SourceReader<'_>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BadSource> {
        let end = (first + PREPARING_CHUNKS).min(self.shape.chunks());
        let mut hashes = Vec::with_capacity(PREPARING_CHUNKS as usize * ChunkHash::BYTES);
        for index in first..end {
            self.preparing.stop.check().map_err(|_| BadSource::Stopped)?;
            let range = self.shape.range(index);
            let read = range.end - range.start;
            reader.fill(range, buffer)?;
            // Only a chunk that the file doesn't have would not be sealed.
            self.cipher.seal(index, buffer).map_err(|_| BadSource::Stopped)?;
            hashes.extend_from_slice(ChunkHash::of(self.shape, index, buffer).as_bytes());
            self.preparing.read.add(read);
        }
        let at = first * ChunkHash::BYTES as u64;
        disk::write_at(self.hashes, &hashes, at).map_err(|error| BadSource::Home(error.kind()))
    }
}
