//! That no flaw ships: every flaw's marker is found in the training binary, and none in the one that people
//! install, which is built of no file of theirs and does not notice when they are moved away.
//!
//! Leaves out the source, which `tidy` looks at, and what the flaws do, which their own tests prove.

use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use crate::run::{ask, root};

/// The manifest of the flaws' own workspace.
pub(crate) const MANIFEST: &str = "range/Cargo.toml";

/// Where its flaws lie, one file each.
const FLAWS: &str = "range/src/flaws";

/// What a flaw's file declares.
const FLAW: &str = "static FLAW: Flaw";

/// What the marker of a flaw begins with.
const MARKER: &str = "portcullis-range/v1/";

/// What `cargo build` says of each crate that it does not have yet.
const BUILDS: &str = "Compiling";

/// Both binaries of the dev profile have been built.
pub(crate) fn stay_away() -> Result<(), String> {
    let root = root()?;
    let shipped = read(&root.join("target/debug/portcullis"))?;
    let training = read(&root.join("target/debug/portcullis-range"))?;
    let markers = markers(&root.join(FLAWS))?;
    if holds(&shipped, MARKER) {
        return Err("the binary that ships holds the marker of a flaw".to_owned());
    }
    if let Some(absent) = markers.iter().find(|marker| !holds(&training, marker)) {
        return Err(format!("the training binary lacks {absent}, so the search proves nothing"));
    }
    println!("{} markers: all in the training binary, none in the one that ships", markers.len());
    let tree = ask("cargo", &["tree", "--package", "portcullis", "--edges", "all"]);
    let tree = tree.ok_or("`cargo tree` failed")?;
    if tree.contains("portcullis-range") || tree.contains("/range") {
        return Err("the binary that ships depends on the training range".to_owned());
    }
    without(&root.join("range"), builds_nothing)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The markers that the flaws in a folder should have.
fn markers(folder: &Path) -> Result<Vec<String>, String> {
    let unreadable = |error: io::Error| format!("{}: {error}", folder.display());
    let mut markers = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let text = fs::read_to_string(&path).map_err(unreadable)?;
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        // Some files hold what several flaws share.
        if let Some(stem) = stem.filter(|_| text.contains(FLAW)) {
            markers.push(format!("{MARKER}{}", stem.replace('_', "-")));
        }
    }
    if markers.is_empty() { Err("there are no flaws".to_owned()) } else { Ok(markers) }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Does something while a folder is somewhere else, and brings it back in any case.
fn without(folder: &Path, act: fn() -> Result<(), String>) -> Result<(), String> {
    let away = folder.with_extension("moved-away");
    let moved = |error: io::Error| format!("{}: {error}", folder.display());
    fs::rename(folder, &away).map_err(moved)?;
    let done = act();
    fs::rename(&away, folder).map_err(moved)?;
    done
}

/// Building all tests again builds nothing.
fn builds_nothing() -> Result<(), String> {
    let arguments = ["test", "--workspace", "--lib", "--bins", "--tests", "--no-run"];
    let output = Command::new("cargo")
        .args(arguments)
        .current_dir(root()?)
        .stdout(Stdio::null())
        .output()
        .map_err(|error| format!("`cargo` could not be started: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains(BUILDS) {
        return Err(format!("without the training range something is built anew:\n{said}"));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_wherever_it_is() {
        let marker = "portcullis-range/v1/replay";
        let check = |bytes: &[u8], expected: bool| assert_eq!(holds(bytes, marker), expected);
        check(b"\0\0portcullis-range/v1/replay", true);
        check(b"portcullis-range/v1/repla", false);
        check(b"", false);
    }

    #[test]
    fn every_flaws_file_has_a_marker() {
        let found = markers(&root().unwrap().join(FLAWS)).unwrap();
        assert!(found.contains(&"portcullis-range/v1/history-idor".to_owned()), "{found:?}");
        // The table of flaws has a row for each.
        let table = fs::read_to_string(root().unwrap().join(FLAWS).join("mod.rs")).unwrap();
        assert_eq!(found.len(), table.matches("::FLAW,").count(), "{found:?}");
    }
}
