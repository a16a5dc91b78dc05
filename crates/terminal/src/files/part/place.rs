//! A whole transfer gets its place: what is outermost in it moves into the folder that was chosen, under its name,
//! unhidden, or one with a number, and never over anything.
//!
//! Before each move the name is written down, so that after a crash it is known which ones were moved, and under
//! which names. What was moved is no longer in the part; what still is there, was not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use portcullis_client_core::Fault;
use portcullis_proto::{FileName, Manifest};

use super::super::disk;
use super::super::halt::Halt;
use super::super::limits::NAMES_TRIED;
use super::{FILES, HASHES, Kept, Part, State};

const PLACED: &str = "placed";

/// Whether a part is whole, and its files have begun to get their places.
pub(super) fn has_begun(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(PLACED)).is_ok_and(|found| found.is_file())
}

/// Forgets that files have begun to get their places.
pub(super) fn begin_anew(folder: &Path) -> io::Result<()> {
    disk::remove(&folder.join(PLACED))
}

impl Part {
    /// Gives all files their places, and says where they are. What was said stays known until the part is removed.
    ///
    /// # Errors
    /// [`Halt::Fault`]; trying again goes on.
    pub(in super::super) fn finish(&mut self) -> Result<Vec<PathBuf>, Halt> {
        if !self.is_whole() {
            return Err(Halt::Fault(Fault::Corrupt));
        }
        self.kept.finish()
    }
}

impl Kept {
    fn finish(&mut self) -> Result<Vec<PathBuf>, Halt> {
        let disk = |error: io::Error| Halt::disk(&error);
        if let State::Files(files) = &mut self.state {
            files.complete()?;
            let manifest = files.manifest().clone();
            self.state = State::Placing(manifest);
        }
        self.lock.check()?;
        let State::Placing(manifest) = &self.state else {
            return Err(Halt::Fault(Fault::Corrupt));
        };
        let paths = self.place_all(manifest).map_err(disk)?;
        disk::sync_folder(&self.into).map_err(disk)?;
        disk::remove(&self.folder.join(HASHES)).map_err(disk)?;
        disk::remove_folder(&self.folder.join(FILES)).map_err(disk)?;
        Ok(paths)
    }

    /// What has its place already, and where that is.
    pub(super) fn placed(&self, manifest: &Manifest) -> io::Result<BTreeMap<FileName, PathBuf>> {
        let log = Log::open(&self.folder.join(PLACED))?;
        let mut placed = BTreeMap::new();
        for (number, top) in manifest.tops().into_iter().enumerate() {
            let from = self.folder.join(FILES).join(top.as_str());
            if let (Err(error), Some(name)) = (fs::symlink_metadata(from), log.names.get(&number))
                && error.kind() == io::ErrorKind::NotFound
            {
                placed.insert(top.clone(), self.into.join(name.as_str()));
            }
        }
        Ok(placed)
    }

    fn place_all(&self, manifest: &Manifest) -> io::Result<Vec<PathBuf>> {
        let mut log = Log::open(&self.folder.join(PLACED))?;
        let mut paths = Vec::new();
        for (number, top) in manifest.tops().into_iter().enumerate() {
            let from = self.folder.join(FILES).join(top.as_str());
            let name = match (fs::symlink_metadata(&from), log.names.get(&number)) {
                (Err(error), Some(name)) if error.kind() == io::ErrorKind::NotFound => name.clone(),
                _ => self.place(&from, top, number, &mut log)?,
            };
            paths.push(self.into.join(name.as_str()));
        }
        Ok(paths)
    }

    fn place(
        &self,
        from: &Path,
        top: &FileName,
        number: usize,
        log: &mut Log,
    ) -> io::Result<FileName> {
        let shown = (self.defences.unhide_name)(top);
        let top = shown.name();
        for tried in 1..=NAMES_TRIED {
            let name = if tried == 1 { top.clone() } else { top.numbered(tried) };
            let to = self.into.join(name.as_str());
            // Seen first, so that not every name that is taken is written down.
            if fs::symlink_metadata(&to).is_ok() {
                continue;
            }
            log.add(number, &name)?;
            match disk::rename_new(from, &to) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(()) => return Ok(name),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Which names were given, or were about to be.
struct Log {
    file: File,
    len: u64,
    names: BTreeMap<usize, FileName>,
}

impl Log {
    fn open(path: &Path) -> io::Result<Self> {
        let file = disk::open_private(path)?;
        let text = fs::read_to_string(path)?;
        // A last line that was cut off is written again.
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let lines = text.get(..whole).unwrap_or_default().lines();
        let names = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(Self { file, len: whole as u64, names })
    }

    fn add(&mut self, number: usize, name: &FileName) -> io::Result<()> {
        let mut line = serde_json::to_string(&(number, name))?;
        line.push('\n');
        disk::write_at(&self.file, line.as_bytes(), self.len)?;
        self.file.sync_data()?;
        self.len += line.len() as u64;
        self.names.insert(number, name.clone());
        Ok(())
    }
}
