//! The files that the rules look at, held in memory.
//!
//! Read from the working folder rather than from git, so that a new file counts before it is
//! added. Leaves out build results, fuzzing corpora and everything that is neither Rust nor TOML nor a lock.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::scan;

/// Files that are read by themselves; missing ones are passed over.
const FILES: &[&str] = &["Cargo.toml", "Cargo.lock", "range/Cargo.lock"];

/// The folders that are walked; missing ones are passed over.
const FOLDERS: &[&str] = &["crates", "range", "fuzz"];

/// Folders that hold no source, wherever they lie.
const SKIPPED: &[&str] = &["target", "corpus", "artifacts", "node_modules"];

/// One file.
pub(super) struct File {
    /// From the root of the repository, with forward slashes.
    pub(super) path: String,
    /// As it was written.
    pub(super) text: String,
    /// The same length and lines; for Rust, with comments, strings and characters blanked out.
    pub(super) code: String,
}

impl File {
    /// Every line of the text with its number, counted from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(index, line)| (index + 1, line))
    }

    /// The line, counted from 1, that a byte offset lies in.
    pub(super) fn line_of(&self, offset: usize) -> usize {
        scan::line_of(&self.code, offset)
    }
}

/// All files, in order of their paths.
pub(super) struct Tree(BTreeMap<String, File>);

impl Tree {
    /// Reads the repository whose root is given.
    pub(super) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self(BTreeMap::new());
        for path in FILES {
            if let Ok(text) = std::fs::read_to_string(root.join(path)) {
                tree.add((*path).to_owned(), text);
            }
        }
        for folder in FOLDERS {
            if root.join(folder).is_dir() {
                tree.walk(root, folder)?;
            }
        }
        Ok(tree)
    }

    /// A tree for tests, from paths and texts.
    #[cfg(test)]
    pub(super) fn made_up(files: &[(&str, &str)]) -> Self {
        let mut tree = Self(BTreeMap::new());
        for (path, text) in files {
            tree.add((*path).to_owned(), (*text).to_owned());
        }
        tree
    }

    /// The file of exactly this path.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.0.get(path)
    }

    /// Every Rust file.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.0.values().filter(|file| file.path.ends_with(".rs"))
    }

    /// Every Rust file of the crates that ship, and of those that test and build them.
    pub(super) fn shipped_rust(&self) -> impl Iterator<Item = &File> {
        self.rust().filter(|file| file.path.starts_with("crates/"))
    }

    /// The manifest of every crate under `crates/`, with the name of its folder.
    pub(super) fn manifests(&self) -> impl Iterator<Item = (&str, &File)> {
        self.0.values().filter_map(|file| {
            let folder = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!folder.contains('/')).then_some((folder, file))
        })
    }

    fn add(&mut self, path: String, text: String) {
        let code = if path.ends_with(".rs") { scan::code_only(&text) } else { text.clone() };
        self.0.insert(path.clone(), File { path, text, code });
    }

    fn walk(&mut self, root: &Path, folder: &str) -> io::Result<()> {
        for entry in std::fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{folder}/{name}");
            let kind = entry.file_type()?;
            if kind.is_dir() && !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                self.walk(root, &path)?;
            } else if kind.is_file() && (name.ends_with(".rs") || name.ends_with(".toml")) {
                let text = String::from_utf8_lossy(&std::fs::read(entry.path())?).into_owned();
                self.add(path, text);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_working_folder_is_read() {
        let tree = Tree::read(&crate::run::root().unwrap()).unwrap();
        assert!(FILES.iter().all(|path| tree.file(path).is_some()));
        assert!(tree.file("crates/xtask/src/tidy/tree.rs").is_some());
        assert!(tree.manifests().any(|(folder, _)| folder == "xtask"));
        assert!(tree.rust().all(|file| !file.path.contains("/target/")));
    }
}
