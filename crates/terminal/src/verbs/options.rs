//! What all verbs are told: which server, who, with which password, and where the home is.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use portcullis_crypto::Password;
use portcullis_proto::UserName;
use zeroize::Zeroizing;

use super::{Exit, Failure, output};
use crate::device::FileOptions;
use crate::net::{Address, TlsRoots};

/// Bytes of a password file that are read: a longer password is none.
const PASSWORD_BYTES: u64 = 64 * 1024;

/// Options that all verbs share.
#[derive(Debug, Clone)]
pub struct Common {
    /// The server.
    pub server: Address,
    /// The account's name.
    pub user: UserName,
    /// A file whose first line is the password.
    pub password_file: PathBuf,
    /// The home; by default the user's own, below [`homes_at`].
    pub home: Option<PathBuf>,
    /// Whom a `wss://` server is vouched for by.
    pub tls_roots: TlsRoots,
    /// How long all of it may take; the verb's own default if there is none.
    pub timeout: Option<Duration>,
    /// What is wanted of files, by the verbs that move some.
    pub files: FileOptions,
}

impl Common {
    /// The home's folder.
    pub(super) fn home(&self) -> Result<PathBuf, Failure> {
        let default = || Some(homes_at(&self.server)?.join(self.user.as_str()));
        let message = "there is no home directory to keep a home in; name one with --home";
        self.home.clone().or_else(default).ok_or_else(|| Failure::new(Exit::Usage, message))
    }

    /// Reads the password.
    pub(super) fn password(&self) -> Result<Password, Failure> {
        let path = &self.password_file;
        let text = read(path)
            .map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", path.display())))?;
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let first = first.strip_suffix(b"\r").unwrap_or(first);
        let password = std::str::from_utf8(first).ok().filter(|line| !line.is_empty());
        password.map(|line| Password::new(line.to_owned())).ok_or_else(|| {
            let why = "its first line is no password: it is empty, or not UTF-8";
            Failure::new(Exit::Usage, format!("{}: {why}", path.display()))
        })
    }
}

/// `portcullis/HOST_PORT` in the [`data_folder`]: the folder of the homes of accounts at a server, each
/// under its name. An account of the same name at another server is another account.
#[must_use]
pub fn homes_at(server: &Address) -> Option<PathBuf> {
    // Without characters that file systems take amiss.
    let server = format!("{}_{}", server.host().replace(':', "-"), server.port());
    Some(data_folder()?.join("portcullis").join(server))
}

/// `$XDG_DATA_HOME`, or `~/.local/share`; none without a home directory.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    set("XDG_DATA_HOME").or_else(|| Some(set("HOME")?.join(".local/share")))
}

fn read(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let file = File::open(path)?;
    warn_if_shared(path, &file)?;
    // Room for all of it at once, so that no copy is left behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(PASSWORD_BYTES as usize));
    file.take(PASSWORD_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn warn_if_shared(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        let advice = "others may read this password file; `chmod 600` it";
        output::note(&format!("{}: {advice}", path.display()));
    }
    Ok(())
}

/// Elsewhere permissions are not bits.
#[cfg(not(unix))]
fn warn_if_shared(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}
