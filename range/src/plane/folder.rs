//! Where a range keeps what survives a restart: its root, its signing key, and what learners have done.
//!
//! ```text
//! range.json       what this folder is: the format's version and the class
//! secrets          64 bytes: the root of all flags, the key of receipts (0600)
//! progress.jsonl   one entry for each line; only ever appended to, but for `forget`
//! ```
//!
//! A folder that holds anything of the chat's is refused: neither product runs on the other's data.

use super::progress::{Progress, private};
use super::{Book, Entry, FlagRoot, Signer};
use portcullis_proto::UserName;
use rand_core::{OsRng, RngCore as _};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

const ABOUT: &str = "range.json";
const SECRETS: &str = "secrets";
const PROGRESS: &str = "progress.jsonl";

/// What the chat's data folders and homes are known by.
const OF_THE_CHAT: [&str; 6] =
    ["portcullis.db", "opaque-setup", "classroom-key", "home.db", "home.key", "home.json"];

/// Why a folder can't be used.
#[derive(Debug)]
pub enum FolderError {
    /// It belongs to the chat: this file is there.
    OfTheChat(PathBuf),
    /// It holds other things, and nothing of a range.
    NotEmpty(PathBuf),
    /// It is a range's own, or lies in one.
    OfARange(PathBuf),
    /// A file of it can't be read as what it should be.
    Damaged(PathBuf),
    /// Nor can this line of one, from 1 on.
    DamagedLine(PathBuf, usize),
    /// This line of it says what somebody did of whom no line says that they joined.
    NeverJoined(PathBuf, usize, UserName),
    /// Another range runs in it.
    InUse(PathBuf),
    /// The system says no.
    Io(PathBuf, io::Error),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfTheChat(path) => {
                write!(
                    f,
                    "{} belongs to the chat; the range needs a folder of its own",
                    path.display()
                )
            }
            Self::NotEmpty(path) => {
                write!(f, "{} holds other things; name an empty folder", path.display())
            }
            Self::OfARange(path) => {
                write!(f, "{} is a range's; a learner needs a folder elsewhere", path.display())
            }
            Self::Damaged(path) => write!(f, "{} can't be read; is it damaged?", path.display()),
            Self::DamagedLine(path, line) => write!(
                f,
                "{}, line {line}: this can't be read; is it damaged? Put back a copy of the file, or take this line \
                 out: what it says is lost then, and if it is how somebody joined, so is all that they did",
                path.display()
            ),
            Self::NeverJoined(path, line, name) => write!(
                f,
                "{}, line {line}: this is what {name} did, and no line before it says that they joined. Put back a copy \
                 of the file, or take all lines of {name} out: what they say is lost then",
                path.display()
            ),
            Self::InUse(path) => write!(f, "another range runs in {}", path.display()),
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for FolderError {}

/// What the folder says of itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    range: u32,
    class: String,
}

/// An open folder; nobody else has it open.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    class: String,
    progress: Progress,
    _lock: File,
}

/// All that a folder holds, read.
#[derive(Debug)]
pub struct Opened {
    /// The folder.
    pub folder: Folder,
    /// The root of all flags.
    pub root: FlagRoot,
    /// What makes receipts.
    pub signer: Signer,
    /// Who has come how far.
    pub book: Book,
}

/// Whether what a learner comes back with may lie in a folder: not in one of the chat's, nor in a range's own.
///
/// # Errors
/// [`FolderError`].
pub fn admit_learner(path: &Path) -> Result<(), FolderError> {
    refuse_the_chats(path)?;
    match around(path)?.find(|folder| folder.join(ABOUT).exists()) {
        Some(folder) => Err(FolderError::OfARange(folder)),
        None => Ok(()),
    }
}

/// Neither a folder of the chat's, nor one anywhere inside it.
fn refuse_the_chats(path: &Path) -> Result<(), FolderError> {
    let mut files = around(path)?.flat_map(|folder| OF_THE_CHAT.map(|name| folder.join(name)));
    files.find(|file| file.exists()).map_or(Ok(()), |file| Err(FolderError::OfTheChat(file)))
}

/// A folder, and all that it lies in, whatever links lead there: what is not there yet will be made behind them.
fn around(path: &Path) -> Result<impl Iterator<Item = PathBuf>, FolderError> {
    let io = |error| FolderError::Io(path.to_owned(), error);
    let whole = std::path::absolute(path).map_err(io)?;
    let there = whole.ancestors().find_map(|folder| {
        let left = whole.strip_prefix(folder).ok()?;
        Some((fs::canonicalize(folder).ok()?, left))
    });
    let (there, left) = there.unwrap_or_else(|| (PathBuf::new(), &whole));
    if left.components().any(|part| part == Component::ParentDir) {
        // Where it leads is not known before what it leads through is made.
        return Err(io(io::ErrorKind::NotFound.into()));
    }
    let whole = there.join(left);
    let folders: Vec<PathBuf> = whole.ancestors().map(Path::to_owned).collect();
    Ok(folders.into_iter())
}

impl Folder {
    /// Opens a range's folder, or makes one; `class` names a new one's class, and is empty at home.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(path: &Path, class: &str) -> Result<Opened, FolderError> {
        let io = |error| FolderError::Io(path.to_owned(), error);
        refuse_the_chats(path)?;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        let about = path.join(ABOUT);
        if !about.exists() {
            let mut entries = fs::read_dir(path).map_err(io)?;
            if entries.next().is_some() {
                return Err(FolderError::NotEmpty(path.to_owned()));
            }
            make(path, class)?;
        }
        let lock = File::open(&about).map_err(io)?;
        lock.try_lock().map_err(|_| FolderError::InUse(path.to_owned()))?;
        // It is ours: whoever made it may have let others in, and the teacher's door is in there.
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
        let damaged = |name: &str| FolderError::Damaged(path.join(name));
        let text = fs::read_to_string(&about).map_err(io)?;
        let read: About = serde_json::from_str(&text).map_err(|_| damaged(ABOUT))?;
        if read.range != 1 {
            return Err(damaged(ABOUT));
        }
        let secrets = fs::read(path.join(SECRETS)).map_err(io)?;
        let (root, key) = secrets.split_at_checked(32).ok_or_else(|| damaged(SECRETS))?;
        let root = root.try_into().map_err(|_| damaged(SECRETS))?;
        let key: &[u8; 32] = key.try_into().map_err(|_| damaged(SECRETS))?;
        let (progress, book) = Progress::open(&path.join(PROGRESS))?;
        let folder = Self { path: path.to_owned(), class: read.class, progress, _lock: lock };
        let (root, signer) = (FlagRoot::from_bytes(root), Signer::from_bytes(key));
        Ok(Opened { folder, root, signer, book })
    }

    /// The class; empty at home.
    #[must_use]
    pub fn class(&self) -> &str {
        &self.class
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Remembers what somebody did: it is durable once this returns, and where it fails nothing of it stays.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn append(&mut self, entry: &Entry) -> Result<(), FolderError> {
        self.progress.append(entry)
    }

    /// Removes all that is known of somebody.
    ///
    /// # Errors
    /// [`FolderError::Io`]; nothing was removed then.
    pub fn forget(&mut self, name: &UserName) -> Result<(), FolderError> {
        self.progress.forget(name)
    }
}

/// The description comes last: a folder without it was not finished.
fn make(path: &Path, class: &str) -> Result<(), FolderError> {
    let mut secrets = zeroize::Zeroizing::new([0; 64]);
    OsRng.fill_bytes(secrets.as_mut());
    let about = About { range: 1, class: class.to_owned() };
    let about = serde_json::to_string(&about).unwrap_or_default();
    let files: [(&str, &[u8]); 3] =
        [(SECRETS, secrets.as_ref()), (PROGRESS, b""), (ABOUT, about.as_bytes())];
    for (name, bytes) in files {
        let path = path.join(name);
        let io = |error| FolderError::Io(path.clone(), error);
        let mut file = private().create_new(true).open(&path).map_err(io)?;
        file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::plane::entry::testing::joined;

    #[test]
    fn what_was_done_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("range");
        let mut opened = Folder::open(&path, "7b").unwrap();
        opened.folder.append(&joined("mira")).unwrap();
        opened.folder.append(&joined("oleg")).unwrap();
        let key = opened.signer.key();
        assert!(matches!(Folder::open(&path, ""), Err(FolderError::InUse(_))));
        drop(opened);
        let mut opened = Folder::open(&path, "other").unwrap();
        assert_eq!((opened.folder.class(), opened.signer.key()), ("7b", key));
        assert_eq!(opened.book.learners().count(), 2);
        opened.folder.forget(&UserName::parse("mira").unwrap()).unwrap();
        opened.folder.append(&joined("anna")).unwrap();
        drop(opened);
        let book = Folder::open(&path, "").unwrap().book;
        let names: Vec<&str> = book.learners().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["anna", "oleg"]);
        assert!(!fs::read_to_string(path.join(PROGRESS)).unwrap().contains("mira"));
    }

    #[test]
    fn half_a_line_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("range");
        let mut opened = Folder::open(&path, "").unwrap();
        opened.folder.append(&joined("mira")).unwrap();
        drop(opened);
        let file = fs::OpenOptions::new().append(true).open(path.join(PROGRESS));
        file.unwrap().write_all(b"{\"what\":\"jo").unwrap();
        let mut opened = Folder::open(&path, "").unwrap();
        opened.folder.append(&joined("oleg")).unwrap();
        drop(opened);
        assert_eq!(Folder::open(&path, "").unwrap().book.learners().count(), 2);
    }

    #[test]
    fn a_folder_that_is_there_becomes_private() {
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        drop(Folder::open(folder.path(), "").unwrap());
        assert_eq!(mode(folder.path()), 0o700);
        // What is somebody else's stays as it is.
        let others = tempfile::tempdir().unwrap();
        fs::write(others.path().join("letter.txt"), b"dear").unwrap();
        fs::set_permissions(others.path(), Permissions::from_mode(0o755)).unwrap();
        Folder::open(others.path(), "").unwrap_err();
        assert_eq!(mode(others.path()), 0o755);
    }

    #[test]
    fn other_peoples_folders_are_refused() {
        for name in OF_THE_CHAT {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(name), b"").unwrap();
            for path in [folder.path().to_owned(), folder.path().join("a/range")] {
                let refused = Folder::open(&path, "");
                assert!(matches!(refused, Err(FolderError::OfTheChat(_))), "{name}");
                assert!(matches!(admit_learner(&path), Err(FolderError::OfTheChat(_))), "{name}");
                assert!(!folder.path().join("a").exists(), "nothing is made there");
            }
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), b"dear").unwrap();
        assert!(matches!(Folder::open(folder.path(), ""), Err(FolderError::NotEmpty(_))));
        let range = tempfile::tempdir().unwrap();
        admit_learner(range.path()).unwrap();
        Folder::open(range.path(), "").unwrap();
        for path in [range.path().to_owned(), range.path().join("mira"), range.path().join("a/b")] {
            assert!(matches!(admit_learner(&path), Err(FolderError::OfARange(_))), "{path:?}");
        }
    }

    /// What is not there yet lies where the links before it lead.
    #[test]
    fn links_lead_into_no_other_folder() {
        let (chat, range, links) = (
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
            tempfile::tempdir().unwrap(),
        );
        fs::write(chat.path().join(OF_THE_CHAT[0]), b"").unwrap();
        drop(Folder::open(range.path(), "").unwrap());
        for (name, leads) in [("chat", chat.path()), ("range", range.path())] {
            std::os::unix::fs::symlink(leads, links.path().join(name)).unwrap();
        }
        for below in ["chat/new", "chat/a/b", "chat", "new/../chat/a"] {
            let path = links.path().join(below);
            Folder::open(&path, "").unwrap_err();
            admit_learner(&path).unwrap_err();
        }
        for below in ["range/new", "range/a/b", "range"] {
            admit_learner(&links.path().join(below)).unwrap_err();
        }
        assert_eq!(fs::read_dir(chat.path()).unwrap().count(), 1, "nothing is made there");
        admit_learner(&links.path().join("new/mira")).unwrap();
    }
}
