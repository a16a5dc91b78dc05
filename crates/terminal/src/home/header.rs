//! `home.json`: how the password is stretched, and the store key wrapped under it.
//!
//! It is replaced whole, so that a change of the password leaves either the old one or the new one.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use portcullis_crypto::{
    Password, Randomness, SealKey, Stretch, stretch, unwrap_store_key, wrap_store_key,
};
use portcullis_proto::Bytes;
use serde::{Deserialize, Serialize};

use super::HomeError;
use super::lock::private_file;

/// The version of a home's format, of the header and the records' keys.
pub(super) const FORMAT: u32 = 1;

const FILE: &str = "home.json";
const DRAFT: &str = "home.json.new";

/// Bytes of a header at most; it has a few hundred.
const HEADER_BYTES: u64 = 16 * 1024;

#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    format: u32,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Bytes,
    store_key: Bytes,
}

/// What a header of any version says first.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

pub(super) fn exists(folder: &Path) -> Result<bool, HomeError> {
    let path = path(folder);
    path.try_exists().map_err(|error| HomeError::io(&path, &error))
}

pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join(FILE)
}

/// Makes a store key for a new home.
pub(super) fn create(
    folder: &Path,
    password: &Password,
    cost: Stretch,
    rng: &mut dyn Randomness,
) -> Result<SealKey, HomeError> {
    let key = SealKey::generate(rng);
    write(folder, &key, password, cost, rng)?;
    Ok(key)
}

/// Wraps a store key under a password.
pub(super) fn write(
    folder: &Path,
    key: &SealKey,
    password: &Password,
    cost: Stretch,
    rng: &mut dyn Randomness,
) -> Result<(), HomeError> {
    let mut salt = [0; 16];
    rng.fill_bytes(&mut salt);
    let stretched = stretch(password.expose().as_bytes(), &salt, cost);
    let stretched = stretched.map_err(|_| HomeError::OutOfMemory)?;
    let header = Header {
        format: FORMAT,
        memory_kib: cost.memory_kib(),
        passes: cost.passes(),
        lanes: cost.lanes(),
        salt: Bytes(salt.to_vec()),
        store_key: Bytes(wrap_store_key(rng, &stretched, key)),
    };
    header.replace(folder).map_err(|error| HomeError::io(&path(folder), &error))
}

impl Header {
    pub(super) fn read(folder: &Path) -> Result<Self, HomeError> {
        let path = path(folder);
        let text = read_text(&path).map_err(|error| HomeError::io(&path, &error))?;
        let format: Result<Format, _> = serde_json::from_str(&text);
        if format.is_ok_and(|format| format.format > FORMAT) {
            return Err(HomeError::Newer(path));
        }
        serde_json::from_str(&text).map_err(|_| HomeError::Damaged(path))
    }

    /// The store key.
    pub(super) fn unlock(&self, folder: &Path, password: &Password) -> Result<SealKey, HomeError> {
        let damaged = || HomeError::Damaged(path(folder));
        let cost = Stretch::parse(self.memory_kib, self.passes, self.lanes);
        let cost = cost.map_err(|_| damaged())?;
        let salt = self.salt.as_slice().try_into().map_err(|_| damaged())?;
        let stretched = stretch(password.expose().as_bytes(), salt, cost);
        let stretched = stretched.map_err(|_| HomeError::OutOfMemory)?;
        unwrap_store_key(&stretched, self.store_key.as_slice())
            .map_err(|_| HomeError::WrongPassword(folder.to_owned()))
    }

    fn replace(&self, folder: &Path) -> io::Result<()> {
        let draft = folder.join(DRAFT);
        let mut file = private_file().write(true).create(true).truncate(true).open(&draft)?;
        file.write_all(&serde_json::to_vec_pretty(self)?)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&draft, path(folder))?;
        sync_folder(folder)
    }
}

fn read_text(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    File::open(path)?.take(HEADER_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere a folder can't be opened as a file.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
