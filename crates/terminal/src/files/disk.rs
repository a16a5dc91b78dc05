//! What is asked of the disk: private folders and files, bytes at a place, and renames that never overwrite.
//!
//! Leaves out what lies there. Nothing here follows a symbolic link at the end of a path.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::Path;

use portcullis_client_core::Fault;
use portcullis_client_core::defences::part_name;
use portcullis_proto::{DeviceId, TransferId};
use rand_core::OsRng;

/// What an error of the system means for a transfer.
pub(super) fn fault(error: &io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Fault::NoSpace
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::Forbidden,
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Fault::NotFound,
        _ => Fault::Disk,
    }
}

/// Opens a file to read it. What is no file opens too, and does not block; whoever asks looks.
pub(super) fn open(path: &Path) -> io::Result<File> {
    options().read(true).open(path)
}

/// Opens a file that this user alone may read, to write and read it; makes it if there is none.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    with_mode(0o600).read(true).write(true).create(true).truncate(false).open(path)
}

/// Makes a file that this user alone may read.
///
/// # Errors
/// Also where there is one.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    with_mode(0o600).read(true).write(true).create_new(true).open(path)
}

/// Opens a file that is to end up in somebody's folder, as any new file there: whom it is open to is up to the
/// system's mask. Makes it if there is none and `make` says so.
pub(super) fn open_part(path: &Path, program: bool, make: bool) -> io::Result<File> {
    let mode = if program { 0o777 } else { 0o666 };
    let file = with_mode(mode).read(true).write(true).create(make).truncate(false).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::IsADirectory.into()) }
}

/// Which file an open one is, whatever its name is by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    #[cfg(unix)]
    device_and_number: (u64, u64),
    /// The nearest that there is.
    #[cfg(not(unix))]
    created: std::time::SystemTime,
}

impl Identity {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        #[cfg(unix)]
        let device_and_number = {
            use std::os::unix::fs::MetadataExt as _;
            (found.dev(), found.ino())
        };
        Ok(Self {
            #[cfg(unix)]
            device_and_number,
            #[cfg(not(unix))]
            created: found.created()?,
        })
    }
}

/// Makes a folder that this user alone may enter, unless it is there.
///
/// # Errors
/// Also where something else has its name.
pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let is_folder = fs::symlink_metadata(path)?.is_dir();
            if is_folder { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
        }
        made => made,
    }
}

/// Sees whether something can be put into a folder, by putting an empty folder there for a moment.
///
/// # Errors
/// In words, why nothing can.
pub(crate) fn check_folder(path: &Path) -> Result<(), String> {
    let tried = path.join(part_name(TransferId::random(&mut OsRng), DeviceId::random(&mut OsRng)));
    private_folder(&tried).and_then(|()| fs::remove_dir(&tried)).map_err(|error| {
        let why = match fault(&error) {
            Fault::NotFound => "there is no such folder".to_owned(),
            Fault::Forbidden => "nothing may be put into this folder".to_owned(),
            fault => fault.to_string(),
        };
        format!("{}: {why}", path.display())
    })
}

/// Replaces a file's contents; they are whole or not there.
pub(super) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let file = open_private(&draft)?;
    file.set_len(0)?;
    write_at(&file, bytes, 0)?;
    file.sync_data()?;
    fs::rename(&draft, path)
}

/// Fills a buffer with what lies at this place of a file.
///
/// # Errors
/// `UnexpectedEof` where the file ends before.
pub(super) fn read_at(file: &File, buffer: &mut [u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, buffer, at);
    #[cfg(not(unix))]
    return windows::read_at(file, buffer, at);
}

/// Writes bytes at this place of a file.
pub(super) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::write_all_at(file, bytes, at);
    #[cfg(not(unix))]
    return windows::write_at(file, bytes, at);
}

/// The same where one call may move less than was asked for.
#[cfg(not(unix))]
mod windows {
    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt as _;

    pub(super) fn read_at(file: &File, mut buffer: &mut [u8], mut at: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let read = file.seek_read(buffer, at)?;
            buffer = buffer.get_mut(read..).unwrap_or_default();
            at += read as u64;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    pub(super) fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = file.seek_write(bytes, at)?;
            bytes = bytes.get(written..).unwrap_or_default();
            at += written as u64;
        }
        Ok(())
    }
}

/// Gives a file or a folder another name.
///
/// # Errors
/// `AlreadyExists` where something has that name: nothing is ever overwritten.
pub(super) fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            // The file system there has no such way.
            Err(
                rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP,
            ) => {}
            done => return Ok(done?),
        }
    }
    rename_by_halves(from, to)
}

/// A rename that doesn't overwrite, where the system has none: the name is taken first.
fn rename_by_halves(from: &Path, to: &Path) -> io::Result<()> {
    if fs::symlink_metadata(from)?.is_dir() {
        // A folder replaces an empty one alone.
        fs::create_dir(to)?;
        return fs::rename(from, to);
    }
    match fs::hard_link(from, to) {
        Ok(()) => fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        // No second names either; this one was made just now, so it is nobody else's.
        Err(_) => create_private(to).and_then(|_| fs::rename(from, to)),
    }
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Whether the system can make everything on one disk durable.
pub(super) const fn can_sync_all() -> bool {
    cfg!(any(target_os = "linux", target_os = "android"))
}

/// Makes everything durable that is on the same disk as a folder.
pub(super) fn sync_all(folder: &Path) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::fs::syncfs(File::open(folder)?)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = folder;
    Ok(())
}

/// Removes a file; there may be none.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a folder and what is in it; there may be none. A link is removed, and not what it leads to.
pub(super) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        // Waiting for the other end of a pipe would be for ever.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let flags = i32::try_from(flags.bits()).unwrap_or(0);
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    options
}

fn with_mode(mode: u32) -> OpenOptions {
    let mut options = options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    options
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    type Rename = fn(&Path, &Path) -> io::Result<()>;

    /// Renames `from` to `to` in a folder that has a file, a full folder and an empty one.
    fn check(rename: Rename, from: &str, to: &str, expected: Result<(), io::ErrorKind>) {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for (name, text) in [("one", "1"), ("two", "2")] {
            fs::write(path(name), text).unwrap();
            fs::create_dir(path(&format!("{name}s"))).unwrap();
            fs::write(path(&format!("{name}s/in")), text).unwrap();
        }
        fs::create_dir(path("empty")).unwrap();
        let renamed = rename(&path(from), &path(to)).map_err(|error| error.kind());
        assert_eq!(renamed, expected, "{from} {to}");
        assert_eq!(path(from).exists(), expected == Err(io::ErrorKind::AlreadyExists));
        assert_eq!(fs::read(path("two")).unwrap(), b"2");
        assert_eq!(fs::read(path("twos/in")).unwrap(), b"2");
    }

    #[test]
    fn renames_overwrite_nothing() {
        let taken = Err(io::ErrorKind::AlreadyExists);
        for rename in [rename_new, rename_by_halves as Rename] {
            check(rename, "one", "three", Ok(()));
            check(rename, "ones", "threes", Ok(()));
            check(rename, "one", "two", taken);
            check(rename, "one", "twos", taken);
            check(rename, "ones", "two", taken);
            check(rename, "ones", "twos", taken);
            check(rename, "ones", "empty", taken);
            check(rename, "nothing", "three", Err(io::ErrorKind::NotFound));
        }
    }

    #[test]
    fn a_folder_is_tried_and_nothing_is_left_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "text").unwrap();
        let check = |name: &str, expected: Option<&str>| {
            let path = folder.path().join(name);
            let words = expected.map(|why| format!("{}: {why}", path.display()));
            assert_eq!(check_folder(&path).err(), words);
        };
        check("", None);
        check("file", Some("there is no such folder"));
        check("nothing", Some("there is no such folder"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // This is nobody's to write to, whoever runs it.
        #[cfg(target_os = "linux")]
        assert!(check_folder(Path::new("/proc")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "text").unwrap();
        fs::create_dir(path("folder")).unwrap();
        std::os::unix::fs::symlink(path("file"), path("to-file")).unwrap();
        std::os::unix::fs::symlink(path("folder"), path("to-folder")).unwrap();
        assert!(open(&path("to-file")).is_err());
        assert!(open_part(&path("to-file"), false, true).is_err());
        assert!(create_private(&path("to-nothing")).is_ok());
        assert!(private_folder(&path("to-folder")).is_err());
        assert!(private_folder(&path("folder")).is_ok());
        assert!(private_folder(&path("file")).is_err());
        assert_eq!(fs::read(path("file")).unwrap(), b"text");
    }
}
