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
        // A range that ended while it forgot somebody may have left it.
        match fs::remove_file(path.with_extension("new")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
            _ => {}
        }
        let file = OpenOptions::new().append(true).open(path).map_err(io)?;
        let mut progress = Self { path: path.to_owned(), file, length };
        progress.cut().and_then(|()| progress.end_line(path)).map_err(io)?;
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

    /// An editor may have left out the end of the last line, which whoever appends relies on.
    fn end_line(&mut self, path: &Path) -> io::Result<()> {
        if fs::read(path)?.last().is_none_or(|last| *last == b'\n') {
            return Ok(());
        }
        self.file.write_all(b"\n").and_then(|()| self.file.sync_data())?;
        self.length += 1;
        Ok(())
    }

    /// Removes all that is known of somebody.
    ///
    /// # Errors
    /// [`FolderError::Io`]; nothing was removed then.
    pub(super) fn forget(&mut self, name: &UserName) -> Result<(), FolderError> {
        let io = |error| FolderError::Io(self.path.clone(), error);
        self.cut().map_err(io)?;
        let text = fs::read_to_string(&self.path).map_err(io)?;
        let kept: String = text.lines().filter_map(|line| without(line, name)).collect();
        let fresh = self.path.with_extension("new");
        let written = rewrite(&fresh, &kept)
            .and_then(|file| fs::rename(&fresh, &self.path).map(|()| file))
            .inspect_err(|_| {
                // It holds what others did; where it can't be removed, the next start does.
                let _ = fs::remove_file(&fresh);
            });
        let file = written.map_err(io)?;
        self.file = file;
        self.length = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// What stays of a line, with its end, where somebody is forgotten: nothing of theirs, and of others' not their name.
fn without(line: &str, name: &UserName) -> Option<String> {
    let mut entry: Entry = serde_json::from_str(line).ok()?;
    if let Entry::Missed { of: Some(owner), .. } = &mut entry {
        owner.forget(name);
    }
    let kept = (entry.learner() != name).then_some(entry)?;
    Some(serde_json::to_string(&kept).ok()? + "\n")
}

/// A new file of these lines, open for more; durable.
fn rewrite(path: &Path, text: &str) -> io::Result<File> {
    let mut file = private().append(true).create(true).open(path)?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(file)
}

/// For files that only their owner reads.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

/// What the file adds up to, and how many bytes of it are lines. A last one without an end, and that can't be read, was
/// not finished when the power went, and is as good as none.
fn read_book(path: &Path) -> Result<(Book, u64), FolderError> {
    let bytes = fs::read(path).map_err(|error| FolderError::Io(path.to_owned(), error))?;
    let mut book = Book::default();
    let mut length = 0;
    for (line, number) in bytes.split_inclusive(|byte| *byte == b'\n').zip(1..) {
        let entry: Entry = match serde_json::from_slice(line) {
            Ok(entry) => entry,
            Err(_) if !line.ends_with(b"\n") => break,
            Err(_) => return Err(FolderError::DamagedLine(path.to_owned(), number)),
        };
        let (name, is_first) = (entry.learner(), matches!(entry, Entry::Joined { .. }));
        // Whoever takes this name next would get what somebody else did.
        if !is_first && book.learner(name).is_none() {
            return Err(FolderError::NeverJoined(path.to_owned(), number, name.clone()));
        }
        book.add(&entry);
        length += line.len();
    }
    Ok((book, u64::try_from(length).unwrap_or(u64::MAX)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::plane::entry::testing::joined;
    use portcullis_proto::Timestamp;

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

    /// What stands in a last line counts, with its end or without; half of one does not.
    #[test]
    fn a_last_line_needs_no_end() {
        let line = serde_json::to_string(&joined("mira")).unwrap();
        let check = |text: &str, expected: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            let path = empty(&folder);
            fs::write(&path, text).unwrap();
            let (mut progress, _) = Progress::open(&path).unwrap();
            progress.append(&joined("oleg")).unwrap();
            let (_, book) = Progress::open(&path).unwrap();
            let names: Vec<&str> = book.learners().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, expected, "{text:?}");
        };
        check("", &["oleg"]);
        check(&line, &["mira", "oleg"]);
        check(&format!("{line}\n"), &["mira", "oleg"]);
        check(&format!("{line}\n{{\"what\":\"jo"), &["mira", "oleg"]);
        check(line.strip_suffix('}').unwrap(), &["oleg"]);
    }

    /// Where the line is gone that says who joined, nobody else gets what they did.
    #[test]
    fn who_never_joined_has_done_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = empty(&folder);
        let (learner, slug) = (UserName::parse("mira").unwrap(), "replay".to_owned());
        let hint = Entry::Hint { learner, slug, at: Timestamp(2) };
        let lines = [joined("oleg"), hint].map(|entry| serde_json::to_string(&entry).unwrap());
        fs::write(&path, lines.join("\n")).unwrap();
        let refused = Progress::open(&path).unwrap_err();
        assert!(matches!(refused, FolderError::NeverJoined(..)));
        let told = refused.to_string();
        assert!(told.contains("line 2: ") && told.contains("mira"), "{told}");
    }
}
