//! The files of a transfer that arrives: bytes of its stream go where the manifest says, one file open at a time.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portcullis_client_core::Fault;
use portcullis_client_core::defences::{ChunkAccepted, Defences, EntryPlaced, ManifestAccepted};
use portcullis_crypto::file::CHUNK;
use portcullis_proto::{EntryKind, FileName, Manifest};

use super::super::disk::{self, Identity};
use super::super::halt::Halt;
use super::super::layout::{Home, Layout};
use super::super::limits::FLUSHED_SINGLY;
use super::flush::Flusher;

/// The files of a transfer that arrives.
#[derive(Debug)]
pub(super) struct Files {
    folder: PathBuf,
    manifest: Manifest,
    encoded: Vec<u8>,
    layout: Arc<Layout>,
    placed: Vec<EntryPlaced>,
    /// Where those of the outermost are that are here no more.
    moved: BTreeMap<FileName, PathBuf>,
    /// Which file each entry had when it was first opened.
    seen: Vec<Option<Identity>>,
    /// Which entry has each of these files.
    taken: BTreeMap<Identity, usize>,
    open: Option<(usize, Arc<File>)>,
    flusher: Flusher,
}

impl Files {
    pub(super) fn new(
        folder: PathBuf,
        accepted: ManifestAccepted,
        encoded: Vec<u8>,
        defences: &Defences,
    ) -> Result<Self, Halt> {
        let manifest = accepted.manifest().clone();
        let placed = manifest.entries().iter().map(|entry| (defences.place_entry)(&entry.path));
        let placed: Result<Vec<_>, _> = placed.collect();
        let placed = placed.map_err(|_| Halt::Fault(Fault::Manifest))?;
        let layout = Arc::new(Layout::new(&manifest, encoded.len() as u64));
        disk::private_folder(&folder).map_err(|error| Halt::disk(&error))?;
        Ok(Self {
            folder,
            manifest,
            encoded,
            layout,
            seen: vec![None; placed.len()],
            placed,
            moved: BTreeMap::new(),
            taken: BTreeMap::new(),
            open: None,
            flusher: Flusher::default(),
        })
    }

    /// These have their places already, and are only read.
    pub(super) fn look_for(&mut self, moved: BTreeMap<FileName, PathBuf>) {
        self.moved = moved;
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Writes what a chunk holds.
    pub(super) fn write(&mut self, chunk: &ChunkAccepted) -> Result<(), Halt> {
        self.write_at(chunk.index() * CHUNK as u64, chunk.bytes())
    }

    /// Writes verified bytes of the stream, after those that are there.
    pub(super) fn write_at(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt> {
        let layout = Arc::clone(&self.layout);
        let mut rest = bytes;
        for span in layout.spans(at..at + bytes.len() as u64) {
            let (now, after) = rest.split_at(span.len.min(rest.len()));
            rest = after;
            if let Home::Entry(entry) = span.home {
                let file = Arc::clone(self.file(entry)?);
                // Cut short behind our back, it would get zeros where bytes were.
                if length(&file)? < span.at {
                    return Err(Halt::Fault(Fault::Disk));
                }
                disk::write_at(&file, now, span.at).map_err(|error| Halt::disk(&error))?;
                self.flusher.wrote(&file, now.len() as u64);
            }
        }
        Ok(())
    }

    /// Puts a range of the stream into a buffer, as far as it is there; false if some of it is not.
    pub(super) fn read(&mut self, range: Range<u64>, buffer: &mut Vec<u8>) -> Result<bool, Halt> {
        buffer.clear();
        let layout = Arc::clone(&self.layout);
        for span in layout.spans(range) {
            let start = buffer.len();
            buffer.resize(start + span.len, 0);
            let bytes = buffer.get_mut(start..).unwrap_or_default();
            match span.home {
                Home::Padding => {}
                Home::Manifest => {
                    let at = usize::try_from(span.at).unwrap_or(usize::MAX);
                    let from = self.encoded.get(at..).and_then(|from| from.get(..span.len));
                    bytes.copy_from_slice(from.unwrap_or_default());
                }
                Home::Entry(entry) => {
                    if disk::read_at(self.file(entry)?, bytes, span.at).is_err() {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    /// Makes what has no bytes, and all of it durable.
    ///
    /// # Errors
    /// [`Halt::Fault`], also where a file is no longer there, or not as long as it was written; trying again judges
    /// what is left.
    pub(super) fn complete(&mut self) -> Result<(), Halt> {
        self.open = None;
        self.flusher.end().map_err(|error| Halt::disk(&error))?;
        // One by one each waits for the disk; beyond some, all that waits for this disk is quicker.
        let one_by_one = self.placed.len() <= FLUSHED_SINGLY || !disk::can_sync_all();
        for entry in 0..self.placed.len() {
            if self.moved_to(entry).is_some() {
                continue;
            }
            let kind = self.manifest.entries().get(entry).map(|entry| entry.kind);
            let is_file = kind != Some(EntryKind::Folder);
            let file = self.file(entry)?;
            if is_file && Some(length(file)?) != kind.map(EntryKind::bytes) {
                return Err(Halt::Fault(Fault::Disk));
            }
            if one_by_one {
                file.sync_data().map_err(|error| Halt::disk(&error))?;
            }
        }
        self.open = None;
        if !one_by_one {
            disk::sync_all(&self.folder).map_err(|error| Halt::disk(&error))?;
        }
        Ok(())
    }

    fn file(&mut self, entry: usize) -> Result<&Arc<File>, Halt> {
        if self.open.as_ref().is_none_or(|(open, _)| *open != entry) {
            let opened = self.same(entry)?;
            self.open = Some((entry, Arc::new(opened)));
        }
        match &self.open {
            Some((_, file)) => Ok(file),
            None => Err(Halt::Fault(Fault::Disk)),
        }
    }

    /// Opens an entry's file, or folder. What was opened before has to be the same as then: bytes were written there
    /// or judged, and a new one would lack them. No two are one file: some systems don't tell names apart that differ
    /// for others, such as é written as one letter or as two.
    fn same(&mut self, entry: usize) -> Result<File, Halt> {
        let disk = |error: io::Error| Halt::disk(&error);
        let before = self.seen.get(entry).copied().flatten();
        let file = self.open_or_make(entry, before.is_none()).map_err(disk)?;
        let now = Identity::of(&file).map_err(disk)?;
        if before.is_some_and(|before| before != now) {
            return Err(Halt::Fault(Fault::NotFound));
        }
        // Where creation is all that is known of a file, two made at once are not one.
        let first = *self.taken.entry(now).or_insert(entry);
        if cfg!(unix) && first != entry {
            let there = self.open_or_make(first, false).and_then(|file| Identity::of(&file));
            // Of one that was removed, this may be another by the same number.
            let both = there.is_ok_and(|there| there == now);
            return Err(Halt::Fault(if both { Fault::Manifest } else { Fault::NotFound }));
        }
        if let Some(seen) = self.seen.get_mut(entry) {
            *seen = Some(now);
        }
        Ok(file)
    }

    /// Where an entry's file, or folder, is that has its place already.
    fn moved_to(&self, entry: usize) -> Option<PathBuf> {
        let path = &self.manifest.entries().get(entry)?.path;
        let top = self.moved.get(path.top()?)?;
        let inner = path.names().iter().skip(1).map(FileName::as_str);
        Some(std::iter::once(top.as_path()).chain(inner.map(Path::new)).collect())
    }

    /// Opens an entry's file, or folder; makes it, and the folders that it is in, if it is new.
    fn open_or_make(&self, entry: usize, new: bool) -> io::Result<File> {
        let missing = io::ErrorKind::NotFound;
        let (Some(placed), Some(kind)) =
            (self.placed.get(entry), self.manifest.entries().get(entry).map(|entry| entry.kind))
        else {
            return Err(missing.into());
        };
        if let Some(moved) = self.moved_to(entry) {
            return disk::open(&moved);
        }
        let path = self.folder.join(placed.path());
        if kind == EntryKind::Folder {
            if new {
                fs::create_dir_all(&path)?;
            }
            return File::open(&path);
        }
        if new {
            fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        }
        let file = disk::open_part(&path, matches!(kind, EntryKind::Program(_)), new)?;
        // Nobody writes here but this program; if it is longer all the same, the rest is nobody's.
        if file.metadata()?.len() > kind.bytes() {
            file.set_len(kind.bytes())?;
        }
        Ok(file)
    }
}

fn length(file: &File) -> Result<u64, Halt> {
    file.metadata().map(|found| found.len()).map_err(|error| Halt::disk(&error))
}
