//! What is in a transfer: its files and folders, in the order in which their bytes follow.

use core::fmt;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{FileName, FilePath};
use crate::limits;

/// The files and empty folders of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    entries: Vec<Entry>,
}

/// A file, or a folder that would otherwise be left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Where it lies.
    pub path: FilePath,
    /// What it is.
    #[serde(flatten)]
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// A file with so many bytes.
    File(u64),
    /// The same, and it may be run.
    Program(u64),
    /// A folder. Those that hold something need no entry.
    Folder,
}

/// Why something is no manifest, or can't be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadManifest {
    /// Nothing is in it.
    Empty,
    /// More than [`limits::FILE_ENTRIES`], or longer than [`limits::MANIFEST_BYTES`].
    TooMany,
    /// The files have more bytes than a transfer may have.
    TooLarge,
    /// Two entries that some systems take for one, or a file where another entry has a folder.
    Twice(FilePath),
    /// Not the JSON of a manifest, or a name in it is none.
    Text,
}

impl fmt::Display for BadManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing is in it"),
            Self::TooMany => {
                write!(f, "more than {} files: an archive of them can go", limits::FILE_ENTRIES)
            }
            Self::TooLarge => f.write_str("larger than a transfer may be: 1 TiB"),
            Self::Twice(path) => {
                write!(f, "some systems can't tell {path} from another name in it")
            }
            Self::Text => {
                f.write_str("the list of files can't be read, or has a name that is none")
            }
        }
    }
}

impl core::error::Error for BadManifest {}

impl EntryKind {
    /// Bytes of the file; none of a folder.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::File(bytes) | Self::Program(bytes) => bytes,
            Self::Folder => 0,
        }
    }
}

impl Manifest {
    /// A manifest of these entries.
    ///
    /// # Errors
    /// [`BadManifest`]; paths are compared as systems do that don't tell case apart.
    pub fn new(entries: Vec<Entry>) -> Result<Self, BadManifest> {
        if entries.is_empty() {
            return Err(BadManifest::Empty);
        }
        if entries.len() > limits::FILE_ENTRIES {
            return Err(BadManifest::TooMany);
        }
        let bytes =
            entries.iter().try_fold(0_u64, |sum, entry| sum.checked_add(entry.kind.bytes()));
        if bytes.is_none_or(|bytes| bytes > limits::TRANSFER_BYTES) {
            return Err(BadManifest::TooLarge);
        }
        apart(&entries)?;
        Ok(Self { entries })
    }

    /// The entries, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Bytes of all files together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.kind.bytes()).sum()
    }

    /// The outermost files and folders, each once, in order.
    #[must_use]
    pub fn tops(&self) -> Vec<&FileName> {
        let mut tops: Vec<&FileName> = Vec::new();
        for top in self.entries.iter().filter_map(|entry| entry.path.top()) {
            if !tops.contains(&top) {
                tops.push(top);
            }
        }
        tops
    }

    /// As it travels.
    ///
    /// # Errors
    /// [`BadManifest::TooMany`] beyond [`limits::MANIFEST_BYTES`].
    pub fn encode(&self) -> Result<Vec<u8>, BadManifest> {
        // Writing these types to memory can't fail: no map keys, no IO.
        let bytes = serde_json::to_vec(&self.entries).unwrap_or_default();
        if bytes.len() > limits::MANIFEST_BYTES { Err(BadManifest::TooMany) } else { Ok(bytes) }
    }

    /// Reads what travelled.
    ///
    /// # Errors
    /// [`BadManifest`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BadManifest> {
        if bytes.len() > limits::MANIFEST_BYTES {
            return Err(BadManifest::TooMany);
        }
        serde_json::from_slice(bytes).map_err(|_| BadManifest::Text).and_then(Self::new)
    }
}

/// What a path is to other entries.
#[derive(PartialEq)]
enum Place<'a> {
    /// An entry of its own.
    Taken,
    /// A folder of other entries, written so.
    Around(&'a [FileName]),
}

/// No two entries stand in each other's way, on any system.
fn apart(entries: &[Entry]) -> Result<(), BadManifest> {
    let mut places: BTreeMap<Vec<String>, Place<'_>> = BTreeMap::new();
    for entry in entries {
        let twice = || BadManifest::Twice(entry.path.clone());
        let folded = entry.path.folded();
        for depth in 1..folded.len() {
            let (Some(names), Some(key)) = (entry.path.names().get(..depth), folded.get(..depth))
            else {
                continue;
            };
            let around = Place::Around(names);
            // Folders that differ by case alone would become one.
            if *places.entry(key.to_vec()).or_insert(Place::Around(names)) != around {
                return Err(twice());
            }
        }
        if places.insert(folded, Place::Taken).is_some() {
            return Err(twice());
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn entry(path: &str, kind: EntryKind) -> Entry {
        let names = path.split('/').map(|name| FileName::parse(name).unwrap()).collect();
        Entry { path: FilePath::new(names).unwrap(), kind }
    }

    fn manifest(paths: &[&str]) -> Result<Manifest, BadManifest> {
        Manifest::new(paths.iter().map(|path| entry(path, EntryKind::File(1))).collect())
    }

    #[test]
    fn a_manifest_travels() {
        let entries = vec![
            entry("photos/one.png", EntryKind::File(7)),
            entry("photos/empty", EntryKind::Folder),
            entry("run.sh", EntryKind::Program(0)),
        ];
        let manifest = Manifest::new(entries).unwrap();
        assert_eq!((manifest.bytes(), manifest.tops().len()), (7, 2));
        let bytes = manifest.encode().unwrap();
        assert_eq!(
            core::str::from_utf8(&bytes).unwrap(),
            r#"[{"path":["photos","one.png"],"file":7},{"path":["photos","empty"],"folder":null},{"path":["run.sh"],"program":0}]"#
        );
        assert_eq!(Manifest::decode(&bytes), Ok(manifest));
    }

    #[test]
    fn entries_that_stand_in_each_others_way() {
        let check = |paths: &[&str], second: Option<&str>| {
            let twice = second.map(|path| BadManifest::Twice(entry(path, EntryKind::Folder).path));
            assert_eq!(manifest(paths).err(), twice, "{paths:?}");
        };
        check(&["a", "b"], None);
        check(&["a/x", "a/y", "b/x"], None);
        check(&["a", "a"], Some("a"));
        check(&["a", "A"], Some("A"));
        check(&["Straße", "STRASSE"], None); // no system folds these together
        check(&["ä", "Ä"], Some("Ä"));
        check(&["a", "a/x"], Some("a/x"));
        check(&["a/x", "a"], Some("a"));
        check(&["a/x", "A/y"], Some("A/y"));
        check(&["a/x/1", "a/X/2"], Some("a/X/2"));
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let check = |text: &str, expected: BadManifest| {
            assert_eq!(Manifest::decode(text.as_bytes()), Err(expected), "{text}");
        };
        check("", BadManifest::Text);
        check("[]", BadManifest::Empty);
        check(r#"[{"path":["a"]}]"#, BadManifest::Text);
        check(r#"[{"path":["a"],"file":-1}]"#, BadManifest::Text);
        check(r#"[{"path":["a"],"link":"/etc/passwd"}]"#, BadManifest::Text);
        check(r#"[{"path":["a"],"file":1,"mode":511}]"#, BadManifest::Text);
        check(r#"[{"path":["..","a"],"file":1}]"#, BadManifest::Text);
        check(&"[".repeat(100_000), BadManifest::Text);
        check(
            r#"[{"path":["a"],"file":18446744073709551615},{"path":["b"],"file":1}]"#,
            BadManifest::TooLarge,
        );
        check(&" ".repeat(limits::MANIFEST_BYTES + 1), BadManifest::TooMany);
    }

    #[test]
    fn the_number_of_entries_has_a_bound() {
        let many = |count: usize| {
            let names = (0..count).map(|number| entry(&format!("f{number}"), EntryKind::File(0)));
            Manifest::new(names.collect()).map(|manifest| manifest.encode().is_ok())
        };
        assert_eq!(many(limits::FILE_ENTRIES), Ok(true));
        assert_eq!(many(limits::FILE_ENTRIES + 1), Err(BadManifest::TooMany));
    }
}
