//! The file that remembers what learners did: an entry for each line, appended, and written anew where somebody is
//! forgotten.
//!
//! Leaves out what the entries add up to, which is the book's.

use super::{Book, Entry, FolderError};
use portcullis_proto::UserName;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The file, open.
#[derive(Debug)]
pub(super) struct Progress {
    path: PathBuf,
    file: File,
    /// Bytes of what was acknowledged. Whatever stands behind them was never said to be done.
    length: u64,
}

impl Progress {
    /// Opens it, and reads what it holds.
    ///
    /// # Errors
    /// [`FolderError`].
    pub(super) fn open(path: &Path) -> Result<(Self, Book), FolderError> {
        let (book, length) = read_book(path)?;
        let io = |error| FolderError::Io(path.to_owned(), error);
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        let progress = Self { path: path.to_owned(), file, length };
        progress.cut().map_err(io)?;
        Ok((progress, book))
    }

    /// Remembers what somebody did: it is durable once this returns, and where it fails nothing of it stays.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub(super) fn append(&mut self, entry: &Entry) -> Result<(), FolderError> {
        let mut line = serde_json::to_string(entry).unwrap_or_default();
        line.push('\n');
        // What is half written would take the next line with it.
        let written = self.cut().and_then(|()| self.file.write_all(line.as_bytes()));
        let written = written.and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Where this fails, too, nothing is appended until it works.
            let _ = self.cut();
            return Err(FolderError::Io(self.path.clone(), error));
        }
        self.length = self.length.saturating_add(u64::try_from(line.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Takes away what was not acknowledged.
    fn cut(&self) -> io::Result<()> {
        match self.file.metadata()?.len() > self.length {
            true => self.file.set_len(self.length),
            false => Ok(()),
        }
    }

    /// Removes all that is known of somebody.
    ///
    /// # Errors
    /// [`FolderError::Io`]; nothing was removed then.
    pub(super) fn forget(&mut self, name: &UserName) -> Result<(), FolderError> {
        let io = |error| FolderError::Io(self.path.clone(), error);
        self.cut().map_err(io)?;
        let text = fs::read_to_string(&self.path).map_err(io)?;
        let others = text.lines().filter(|line| {
            let entry: Result<Entry, _> = serde_json::from_str(line);
            entry.is_ok_and(|entry| entry.learner() != name)
        });
        let kept: String = others.flat_map(|line| [line, "\n"]).collect();
        let fresh = self.path.with_extension("new");
        let mut file = private().append(true).create(true).open(&fresh).map_err(io)?;
        let written = file.set_len(0).and_then(|()| file.write_all(kept.as_bytes()));
        written
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&fresh, &self.path))
            .map_err(io)?;
        self.file = file;
        self.length = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// For files that only their owner reads.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// What the file adds up to, and how many bytes of it are lines. A last line that was not finished when the power went
/// is as good as none.
fn read_book(path: &Path) -> Result<(Book, u64), FolderError> {
    let bytes = fs::read(path).map_err(|error| FolderError::Io(path.to_owned(), error))?;
    let mut book = Book::default();
    let is_end = |byte: &u8| *byte == b'\n';
    let kept = bytes.iter().rposition(is_end).map_or(0, |end| end + 1);
    let lines = bytes.split_inclusive(is_end).filter(|line| line.ends_with(b"\n"));
    for (line, number) in lines.zip(1..) {
        let entry = serde_json::from_slice(line);
        book.add(&entry.map_err(|_| FolderError::DamagedLine(path.to_owned(), number))?);
    }
    Ok((book, u64::try_from(kept).unwrap_or(u64::MAX)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_proto::Timestamp;

    fn joined(name: &str) -> Entry {
        let learner = UserName::parse(name).unwrap();
        Entry::Joined { learner, token: Some("aa".to_owned()), at: Timestamp(1) }
    }

    fn empty(folder: &tempfile::TempDir) -> PathBuf {
        let path = folder.path().join("progress.jsonl");
        fs::write(&path, b"").unwrap();
        path
    }

    /// Nothing is appended behind half a line, however long it takes until that can be cut off.
    #[test]
    fn half_a_line_is_cut_off_before_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let path = empty(&folder);
        let (mut progress, _) = Progress::open(&path).unwrap();
        progress.append(&joined("mira")).unwrap();
        let acknowledged = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{acknowledged}{{\"what\":\"jo")).unwrap();
        // What was opened for reading takes neither a line nor a cut.
        let writable = std::mem::replace(&mut progress.file, File::open(&path).unwrap());
        progress.append(&joined("oleg")).unwrap_err();
        progress.append(&joined("anna")).unwrap_err();
        progress.file = writable;
        progress.append(&joined("zoe")).unwrap();
        let (_, book) = Progress::open(&path).unwrap();
        let names: Vec<&str> = book.learners().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["mira", "zoe"]);
    }
}
