//! What a person offers: paths become a manifest, and the manifest's bytes can be read.
//!
//! A path that was named may be a link; inside folders links are left out, and told. What is neither file nor
//! folder is refused. What is arriving itself, and would be refused by its name, is left out too. A name that can't travel gets the closest that can, and that is told too.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use portcullis_client_core::defences::is_part_name;
use portcullis_proto::{BadManifest, Entry, EntryKind, FileName, FilePath, Manifest, limits};

use super::disk;
use super::layout::{Home, Layout};

/// Something about an offer that the person should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// This file's or folder's name can't travel; it goes by another.
    Renamed(PathBuf, FileName),
    /// This link is left out.
    Link(PathBuf),
    /// This is arriving itself, and left out.
    Part(PathBuf),
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Renamed(path, name) => write!(f, "{} goes as {name}", path.display()),
            Self::Link(path) => write!(f, "{} is a link, and left out", path.display()),
            Self::Part(path) => write!(f, "{} is arriving itself, and left out", path.display()),
        }
    }
}

/// Why something can't be offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadSource {
    /// It is not there.
    NotFound(PathBuf),
    /// It may not be read.
    Forbidden(PathBuf),
    /// A path that is no text.
    Name,
    /// Neither a file nor a folder: a pipe, a socket, a device.
    Special(PathBuf),
    /// It is arriving itself, or called as if it were.
    Part(PathBuf),
    /// The folder that it is in lies too deep.
    Deep(PathBuf),
    /// It changed while it was read.
    Changed(PathBuf),
    /// The system gives an error.
    Io(PathBuf, io::ErrorKind),
    /// There is no room for the hashes, or they can't be kept.
    Home(io::ErrorKind),
    /// Together they can't be offered.
    Manifest(BadManifest),
    /// Of several that were named each has something.
    Several(Vec<BadSource>),
    /// The person did not want to wait.
    Stopped,
}

impl fmt::Display for BadSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(path) if is_pattern(path) => {
                write!(f, "{}: it is not there, and patterns are not expanded", path.display())
            }
            Self::NotFound(path) => write!(f, "{}: it is not there", path.display()),
            Self::Forbidden(path) => write!(f, "{}: it may not be read", path.display()),
            Self::Name => f.write_str("a path is no text, and can't be kept"),
            Self::Special(path) => write!(f, "{}: neither a file nor a folder", path.display()),
            Self::Part(path) => write!(f, "{}: it is arriving itself", path.display()),
            Self::Deep(path) => write!(f, "{}: folders lie too deep in each other", path.display()),
            Self::Changed(path) => write!(f, "{}: it changed while it was read", path.display()),
            Self::Io(path, kind) => write!(f, "{}: {kind}", path.display()),
            Self::Home(kind) => write!(f, "what belongs to the offer can't be kept: {kind}"),
            Self::Manifest(error) => error.fmt(f),
            Self::Several(all) => {
                let all: Vec<String> = all.iter().map(ToString::to_string).collect();
                f.write_str(&all.join("; "))
            }
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for BadSource {}

impl BadSource {
    /// Whether this device is at fault, and not what was to be offered.
    pub(crate) const fn is_here(&self) -> bool {
        matches!(self, Self::Home(_))
    }

    fn io(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound(path),
            io::ErrorKind::PermissionDenied => Self::Forbidden(path),
            io::ErrorKind::UnexpectedEof => Self::Changed(path),
            kind => Self::Io(path, kind),
        }
    }
}

/// What is offered, and where its bytes are.
#[derive(Debug)]
pub(super) struct Source {
    manifest: Manifest,
    encoded: Vec<u8>,
    layout: Layout,
    /// Of each entry.
    paths: Vec<PathBuf>,
    /// When each entry was last written to, as far as the system knows.
    written: Vec<Option<SystemTime>>,
}

impl Source {
    /// Looks at what lies under these paths. Reads no file.
    ///
    /// # Errors
    /// [`BadSource`], which names the file; of the paths it tells all that can't be offered.
    pub(super) fn gather(paths: &[PathBuf]) -> Result<(Self, Vec<Told>), BadSource> {
        let (mut walk, mut bad) = (Walk::default(), Vec::new());
        for path in paths {
            match walk.named(path) {
                // All of them together are too much, however many more there are.
                Err(error @ BadSource::Manifest(_)) => return Err(error),
                named => bad.extend(named.err()),
            }
        }
        match bad.pop() {
            Some(last) if bad.is_empty() => return Err(last),
            Some(last) => {
                bad.push(last);
                return Err(BadSource::Several(bad));
            }
            None => {}
        }
        let Walk { entries, paths, written, told, .. } = walk;
        let manifest = Manifest::new(entries).map_err(BadSource::Manifest)?;
        let encoded = manifest.encode().map_err(BadSource::Manifest)?;
        let layout = Layout::new(&manifest, encoded.len() as u64);
        Ok((Self { manifest, encoded, layout, paths, written }, told))
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Bytes of the manifest as it travels.
    pub(super) const fn manifest_bytes(&self) -> usize {
        self.encoded.len()
    }

    /// Bytes of the stream, without the zeros at its end.
    pub(super) fn bytes(&self) -> u64 {
        self.manifest.bytes() + self.encoded.len() as u64
    }

    /// Looks whether every file is still as it was when the source was gathered.
    ///
    /// # Errors
    /// [`BadSource::Changed`], or why it can't be seen.
    pub(super) fn is_unchanged(&self) -> Result<(), BadSource> {
        for ((path, entry), written) in
            self.paths.iter().zip(self.manifest.entries()).zip(&self.written)
        {
            let now = fs::symlink_metadata(path).map_err(|error| BadSource::io(path, &error))?;
            let same = kind_of(&now) == Some(entry.kind) && now.modified().ok() == *written;
            if !same && entry.kind != EntryKind::Folder {
                return Err(BadSource::Changed(path.clone()));
            }
        }
        Ok(())
    }
}

/// Reads a source; one file of it is open at a time.
pub(super) struct SourceReader<'a> {
    source: &'a Source,
    open: Option<(usize, File)>,
}

impl<'a> SourceReader<'a> {
    pub(super) const fn new(source: &'a Source) -> Self {
        Self { source, open: None }
    }

    /// Puts a range of the stream into a buffer, which then has its length.
    ///
    /// # Errors
    /// [`BadSource::Changed`] where a file has another length than it had, or why it can't be read.
    pub(super) fn fill(
        &mut self,
        range: Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<(), BadSource> {
        let source = self.source;
        buffer.resize(usize::try_from(range.end - range.start).unwrap_or(0), 0);
        let mut rest = buffer.as_mut_slice();
        for span in source.layout.spans(range) {
            let (bytes, after) = rest.split_at_mut(span.len.min(rest.len()));
            rest = after;
            match span.home {
                Home::Padding => bytes.fill(0),
                Home::Manifest => {
                    let at = usize::try_from(span.at).unwrap_or(usize::MAX);
                    let manifest =
                        source.encoded.get(at..).and_then(|from| from.get(..bytes.len()));
                    bytes.copy_from_slice(manifest.unwrap_or_default());
                }
                Home::Entry(entry) => {
                    let (path, file) = self.file(entry)?;
                    disk::read_at(file, bytes, span.at)
                        .map_err(|error| BadSource::io(path, &error))?;
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, entry: usize) -> Result<(&'a Path, &File), BadSource> {
        let path = self.source.paths.get(entry).map(PathBuf::as_path).unwrap_or(Path::new(""));
        if self.open.as_ref().is_none_or(|(open, _)| *open != entry) {
            let file = disk::open(path).map_err(|error| BadSource::io(path, &error))?;
            let now = file.metadata().map_err(|error| BadSource::io(path, &error))?;
            let was = self.source.manifest.entries().get(entry).map(|entry| entry.kind.bytes());
            if !now.is_file() || Some(now.len()) != was {
                return Err(BadSource::Changed(path.to_owned()));
            }
            self.open = Some((entry, file));
        }
        match &self.open {
            Some((_, file)) => Ok((path, file)),
            None => Err(BadSource::NotFound(path.to_owned())),
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Walk {
    entries: Vec<Entry>,
    paths: Vec<PathBuf>,
    written: Vec<Option<SystemTime>>,
    told: Vec<Told>,
    /// The names of the folders that lead to where it is.
    names: Vec<FileName>,
}

impl Walk {
    /// A path that a person named. It may be a link, and then goes by the link's name.
    fn named(&mut self, path: &Path) -> Result<(), BadSource> {
        let real = fs::canonicalize(path).map_err(|error| BadSource::io(path, &error))?;
        // `..`, `.` and the like have the name of what they stand for.
        let name = path.file_name().or(real.file_name()).unwrap_or_default().to_owned();
        let seen = fs::metadata(&real).map_err(|error| BadSource::io(path, &error))?;
        if is_part(&name) {
            return Err(BadSource::Part(path.to_owned()));
        }
        self.visit(&real, &name, &seen)
    }

    fn visit(&mut self, path: &Path, name: &OsStr, seen: &Metadata) -> Result<(), BadSource> {
        if self.entries.len() > limits::FILE_ENTRIES {
            return Err(BadSource::Manifest(BadManifest::TooMany));
        }
        if self.names.len() >= limits::FILE_DEPTH {
            return Err(BadSource::Deep(path.to_owned()));
        }
        let local = name.to_string_lossy();
        let travelling = FileName::closest(&local);
        if travelling.as_str() != name {
            self.told.push(Told::Renamed(path.to_owned(), travelling.clone()));
        }
        self.names.push(travelling);
        let visited = if seen.is_dir() { self.folder(path) } else { self.file(path, seen) };
        self.names.pop();
        visited
    }

    fn file(&mut self, path: &Path, seen: &Metadata) -> Result<(), BadSource> {
        let kind = kind_of(seen).ok_or_else(|| BadSource::Special(path.to_owned()))?;
        self.push(path, kind, seen.modified().ok())
    }

    fn folder(&mut self, folder: &Path) -> Result<(), BadSource> {
        let before = self.entries.len();
        for name in sorted(folder)? {
            let path = folder.join(&name);
            let seen = fs::symlink_metadata(&path).map_err(|error| BadSource::io(&path, &error))?;
            if seen.is_symlink() {
                self.told.push(Told::Link(path));
            } else if is_part(&name) {
                self.told.push(Told::Part(path));
            } else {
                self.visit(&path, &name, &seen)?;
            }
        }
        // One that holds something needs no entry of its own.
        if self.entries.len() == before {
            self.push(folder, EntryKind::Folder, None)
        } else {
            Ok(())
        }
    }

    fn push(
        &mut self,
        path: &Path,
        kind: EntryKind,
        written: Option<SystemTime>,
    ) -> Result<(), BadSource> {
        let names = FilePath::new(self.names.clone());
        let names = names.map_err(|_| BadSource::Deep(path.to_owned()))?;
        self.entries.push(Entry { path: names, kind });
        self.paths.push(path.to_owned());
        self.written.push(written);
        Ok(())
    }
}

/// Whether a shell would put other names in the place of this one.
fn is_pattern(path: &Path) -> bool {
    path.to_string_lossy().contains(['*', '?'])
}

/// Whether this program calls what is arriving so.
fn is_part(name: &OsStr) -> bool {
    is_part_name(&FileName::closest(&name.to_string_lossy()))
}

/// The names in a folder, in order.
fn sorted(folder: &Path) -> Result<Vec<std::ffi::OsString>, BadSource> {
    let mut names = Vec::new();
    for found in fs::read_dir(folder).map_err(|error| BadSource::io(folder, &error))? {
        if names.len() > limits::FILE_ENTRIES {
            return Err(BadSource::Manifest(BadManifest::TooMany));
        }
        names.push(found.map_err(|error| BadSource::io(folder, &error))?.file_name());
    }
    names.sort_unstable();
    Ok(names)
}

/// None for what is neither file nor folder.
fn kind_of(seen: &Metadata) -> Option<EntryKind> {
    if seen.is_dir() {
        return Some(EntryKind::Folder);
    }
    #[cfg(unix)]
    let program = std::os::unix::fs::MetadataExt::mode(seen) & 0o111 != 0;
    #[cfg(not(unix))]
    let program = false;
    let bytes = seen.len();
    let kind = if program { EntryKind::Program(bytes) } else { EntryKind::File(bytes) };
    seen.is_file().then_some(kind)
}
