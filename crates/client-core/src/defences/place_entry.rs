//! What a sender calls a file becomes a path only here: below the folder of its transfer, and none that this
//! program keeps for itself.
//!
//! Attack: a sender names a file so that it is written elsewhere, or so that it passes for a part of another
//! transfer that this program would go on with, or remove.
//! CWE-22, path traversal; CWE-73, external control of a file's name or path.
//! Precedent: CVE-2019-6111 (scp wrote whatever files the server named); "Zip Slip" (Snyk 2018).

use portcullis_proto::{DeviceId, FileName, FilePath, TransferId};
use std::path::{Component, Path, PathBuf};

const BEFORE: &str = ".portcullis-";
const AFTER: &str = ".part";

/// The name of the folder in which what a device has of a transfer lies until it is whole. Two accounts may receive one
/// offer into one folder: what one has is not the other's to go on with, or to remove.
#[must_use]
pub fn part_name(transfer: TransferId, device: DeviceId) -> String {
    format!("{BEFORE}{transfer}-{device}{AFTER}")
}

/// Whether something is called like such a folder, on a system that doesn't tell case apart.
#[must_use]
pub fn is_part_name(name: &FileName) -> bool {
    let name = name.folded();
    name.starts_with(BEFORE) && name.ends_with(AFTER)
}

/// Proof that a path stays below the folder that it is joined to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPlaced {
    path: PathBuf,
}

impl EntryPlaced {
    /// The path, relative.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// For the range's unsound twins: without any check.
    #[must_use]
    pub const fn unproven(path: PathBuf) -> Self {
        Self { path }
    }
}

/// The name is this program's own, or no name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlaceRefused;

/// Gives an entry its path.
///
/// # Errors
/// [`PlaceRefused`].
pub fn place_entry(entry: &FilePath) -> Result<EntryPlaced, PlaceRefused> {
    let path: PathBuf = entry.names().iter().map(|name| name.as_str()).collect();
    // Names were parsed when they arrived; that this system reads them as they were meant is seen here.
    let parts = path.components().filter(|part| matches!(part, Component::Normal(_))).count();
    if parts != entry.names().len() || path.components().count() != parts {
        return Err(PlaceRefused);
    }
    if entry.top().is_some_and(is_part_name) {
        return Err(PlaceRefused);
    }
    Ok(EntryPlaced { path })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn own_name() -> String {
        part_name(TransferId::from_bytes([7; 16]), DeviceId::from_bytes([8; 16]))
    }

    fn entry(names: &[&str]) -> FilePath {
        let names = names.iter().map(|name| FileName::parse(name).unwrap()).collect();
        FilePath::new(names).unwrap()
    }

    type Decision = fn(&FilePath) -> Result<EntryPlaced, PlaceRefused>;

    fn check(decision: Decision, names: &[&str], expected: Option<&str>) {
        let placed = decision(&entry(names)).ok();
        assert_eq!(placed.as_ref().map(EntryPlaced::path), expected.map(Path::new), "{names:?}");
    }

    #[test]
    fn entries_and_their_paths() {
        check(place_entry, &["report.pdf"], Some("report.pdf"));
        check(place_entry, &["photos", "2026", "one.png"], Some("photos/2026/one.png"));
        check(place_entry, &[".bashrc"], Some(".bashrc"));
        check(place_entry, &[".portcullis-notes"], Some(".portcullis-notes"));
        check(place_entry, &["a.part"], Some("a.part"));
        let own = own_name();
        check(place_entry, &[&own], None);
        check(place_entry, &[&own.to_uppercase(), "files", "x"], None);
        check(place_entry, &["photos", &own], Some(&format!("photos/{own}")));
    }

    #[test]
    fn a_twin_that_places_anything_lets_a_sender_make_parts() {
        let twin: Decision = |entry| Ok(EntryPlaced::unproven(PathBuf::from(entry.to_string())));
        let own = own_name();
        check(twin, &[&own, "placed"], Some(&format!("{own}/placed")));
    }
}
