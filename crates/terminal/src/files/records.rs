//! What a home knows of the transfers that go on: where their parts are, and the hashes of its own offers. Both are
//! removed when a transfer is over, or old.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use portcullis_client_core::defences::is_part_name;
use portcullis_proto::{FileName, TransferId};

use super::disk;
use super::part::Part;
use super::prepare::hashes_path;

fn path(transfers: &Path, transfer: TransferId) -> PathBuf {
    transfers.join(format!("{transfer}.part"))
}

/// A transfer's part; none where it has none.
pub(super) fn part(transfers: &Path, transfer: TransferId) -> Option<PathBuf> {
    let part = read(&path(transfers, transfer)).ok()??;
    fs::symlink_metadata(&part).is_ok_and(|it| it.is_dir()).then_some(part)
}

/// What a record says; none where that is no part, but somebody's own folder.
fn read(record: &Path) -> io::Result<Option<PathBuf>> {
    let part = PathBuf::from(fs::read_to_string(record)?);
    let name = part.file_name().and_then(|name| FileName::parse(name.to_str()?).ok());
    Ok(name.is_some_and(|name| is_part_name(&name)).then_some(part))
}

/// Writes down where a transfer's part is, or will be.
pub(super) fn add(transfers: &Path, transfer: TransferId, part: &Path) -> io::Result<()> {
    let part = part.to_str().ok_or(io::ErrorKind::InvalidInput)?;
    disk::write_private(&path(transfers, transfer), part.as_bytes())
}

/// Removes a transfer's part, unless a program is writing it; then it is no longer this one's.
pub(super) fn remove(transfers: &Path, transfer: TransferId) -> io::Result<()> {
    let record = path(transfers, transfer);
    match read(&record) {
        Ok(part) => part.map_or(Ok(()), |part| Part::remove(&part))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    disk::remove(&record)
}

/// The transfers that a home has something of, other than these.
pub(super) fn strays(transfers: &Path, known: &BTreeSet<TransferId>) -> BTreeSet<TransferId> {
    let found = fs::read_dir(transfers).into_iter().flatten().flatten();
    let ids = found.filter_map(|entry| transfer_of(&entry.path()));
    ids.filter(|id| !known.contains(id)).collect()
}

/// Removes what a home has of a transfer. What can't be removed is removed when it is old.
pub(super) fn remove_all(transfers: &Path, transfer: TransferId) {
    let _ = remove(transfers, transfer);
    let _ = disk::remove(&hashes_path(transfers, transfer));
}

fn transfer_of(path: &Path) -> Option<TransferId> {
    path.file_stem()?.to_str()?.parse().ok()
}

/// Removes what is older than it may be. What can't be removed stays for the next time.
pub(super) fn sweep(transfers: &Path, now: SystemTime, parts: Duration, hashes: Duration) {
    let Ok(found) = fs::read_dir(transfers) else { return };
    for entry in found.flatten() {
        let path = entry.path();
        let kind = path.extension().and_then(|kind| kind.to_str());
        let (Some(transfer), Some(kind)) = (transfer_of(&path), kind) else { continue };
        let written = entry.metadata().and_then(|found| found.modified());
        let age = written.ok().and_then(|written| now.duration_since(written).ok());
        let Some(age) = age else { continue };
        // Going on with a part writes its record anew.
        let _ = match kind {
            "part" if age > parts => remove(transfers, transfer),
            "hashes" if age > hashes => disk::remove(&path),
            "new" if age > parts => disk::remove(&path),
            _ => Ok(()),
        };
    }
}
