//! A home without a password: its store key lies beside it in `home.key`, which its owner alone may read. It is
//! for what no password could protect much better: a visitor's key, which stands for no account.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use portcullis_crypto::{SealKey, Secret};
use rand_core::OsRng;
use zeroize::Zeroizing;

use super::header::{self, sync_folder};
use super::lock::{Lock, private_file};
use super::{Home, HomeError, Store};

const FILE: &str = "home.key";
const DRAFT: &str = "home.key.new";

/// Bytes of a store key.
const KEY_BYTES: u64 = 32;

impl Home {
    /// Opens a home that has no password, or makes an empty one. Where another process holds it, waits for
    /// [`WAIT`](super::WAIT).
    ///
    /// # Errors
    /// [`HomeError`], whose text names the file or the folder; [`HomeError::HasPassword`] for a home of an
    /// account.
    pub async fn open_bare(folder: &Path) -> Result<Self, HomeError> {
        let lock = Lock::take(folder).await?;
        if header::exists(folder)? {
            return Err(HomeError::HasPassword(folder.to_owned()));
        }
        let key = match read(folder)? {
            Some(key) => key,
            None => {
                Store::refuse_without(folder, &folder.join(FILE))?;
                create(folder).map_err(|error| HomeError::io(&folder.join(FILE), &error))?
            }
        };
        let store = Store::open(folder, key)?;
        Ok(Self { folder: folder.to_owned(), store, _lock: lock })
    }
}

fn read(folder: &Path) -> Result<Option<SealKey>, HomeError> {
    let path = folder.join(FILE);
    let file = match File::open(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(|error| HomeError::io(&path, &error))?,
    };
    // Room for all of it at once, so that no copy is left behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(KEY_BYTES as usize + 1));
    let read = file.take(KEY_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| HomeError::io(&path, &error))?;
    let key = Secret::from_slice(&bytes).map(SealKey::from_secret);
    key.map(Some).ok_or(HomeError::Damaged(path))
}

fn create(folder: &Path) -> io::Result<SealKey> {
    let key = SealKey::generate(&mut OsRng);
    let draft = folder.join(DRAFT);
    let mut file = private_file().write(true).create(true).truncate(true).open(&draft)?;
    file.write_all(key.secret().expose())?;
    file.sync_all()?;
    std::fs::rename(&draft, folder.join(FILE))?;
    sync_folder(folder)?;
    Ok(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use portcullis_client_core::{Key, Write};
    use portcullis_crypto::{Password, Stretch};
    use tempfile::TempDir;

    /// A home in which one record was written.
    async fn written() -> TempDir {
        let folder = TempDir::new().unwrap();
        let mut home = Home::open_bare(folder.path()).await.unwrap();
        let value = Some(Zeroizing::new(b"kept".to_vec()));
        home.persist(&[Write { key: Key::Classic, value }]).unwrap();
        folder
    }

    #[tokio::test]
    async fn what_is_written_is_sealed_and_read_back() {
        let folder = written().await;
        let home = Home::open_bare(folder.path()).await.unwrap();
        let state = home.load_state().unwrap();
        assert_eq!(state, [(Key::Classic, Zeroizing::new(b"kept".to_vec()))]);
        let contains = |file: &str| {
            let bytes = std::fs::read(folder.path().join(file)).unwrap();
            bytes.windows(4).any(|four| four == b"kept")
        };
        assert!(!contains("home.db") && !contains("home.db-wal"));
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_key_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = written().await;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for file in [FILE, "home.db"] {
            assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
        }
    }

    #[tokio::test]
    async fn what_is_no_such_home_is_left_alone() {
        let check = |folder: TempDir, expected: fn(&Path) -> HomeError| async move {
            let opened = Home::open_bare(folder.path()).await;
            assert_eq!(opened.err(), Some(expected(folder.path())));
        };
        let folder = written().await;
        std::fs::remove_file(folder.path().join(FILE)).unwrap();
        check(folder, |folder| HomeError::Missing(folder.join(FILE))).await;
        for damaged in [&[1; 31][..], &[1; 33]] {
            let folder = written().await;
            std::fs::write(folder.path().join(FILE), damaged).unwrap();
            check(folder, |folder| HomeError::Damaged(folder.join(FILE))).await;
        }
        let folder = TempDir::new().unwrap();
        let password = Password::new("correct horse".to_owned());
        drop(Home::open(folder.path(), &password, Stretch::LIGHT).await.unwrap());
        check(folder, |folder| HomeError::HasPassword(folder.to_owned())).await;
    }
}
