//! A file on its way to the disk: under a name that nobody asks for until it is whole, and gone if it
//! never is.

use std::path::PathBuf;
use std::time::SystemTime;

use portcullis_server_core::defences::{SOUND, UploadName};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use super::Place;
use super::folder::{COMING, expiry};
use super::ledger::Entry;
use super::refused::Refused;

/// A file that is coming.
pub(super) struct Draft {
    file: File,
    leftover: Leftover,
    name: UploadName,
    place: Place,
}

impl Draft {
    /// Begins a file in a place that was promised to it.
    pub(super) async fn begin(place: Place, called: Option<&str>) -> Result<Self, Refused> {
        let mut random = [0; 32];
        getrandom::getrandom(&mut random).map_err(|_| Refused::Failed)?;
        let name = (SOUND.name_upload)(&random, called);
        let path = place.uploads.settings.folder.join(format!("{}{COMING}", name.as_str()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        let file = options.open(&path).await?;
        Ok(Self { file, leftover: Leftover(path), name, place })
    }

    /// Adds bytes to it.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.place.take(bytes.len())?;
        Ok(self.file.write_all(bytes).await?)
    }

    /// Puts it under its own name: from now on it can be fetched.
    pub(super) async fn publish(mut self) -> Result<UploadName, Refused> {
        self.file.flush().await?;
        // A crash right after the answer must not leave an empty file under an address that was told.
        self.file.sync_all().await?;
        let uploads = &self.place.uploads;
        let path = uploads.settings.folder.join(self.name.as_str());
        tokio::fs::rename(&self.leftover.0, path).await?;
        let expires_at = expiry(SystemTime::now(), &uploads.settings);
        uploads.lock().add(&self.name, Entry { bytes: self.place.sent, expires_at });
        Ok(self.name)
    }
}

/// What is removed if it is still there in the end.
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        // A file that has come to its end isn't called so any more; the next start finds what else stays.
        let _ = std::fs::remove_file(&self.0);
    }
}
