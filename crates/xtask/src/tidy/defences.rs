//! Every defence says what it stops, by which name the field knows it, and where it has happened.
//!
//! Leaves out whether its tests are good ones: the range's proofs show that.

use super::Finding;
use super::tree::{File, Tree};

/// Folders with one file a defence; their `mod.rs` only lists them.
const FOLDERS: &[&str] = &["crates/server-core/src/defences/", "crates/client-core/src/defences/"];

/// What the `//!` head of a defence contains.
const HEAD: &[&str] = &["Attack:", "CWE-", "Precedent:"];

pub(super) fn unexplained(tree: &Tree) -> Vec<Finding> {
    tree.rust().filter(|file| is_defence(&file.path)).flat_map(missing).collect()
}

fn is_defence(path: &str) -> bool {
    FOLDERS.iter().any(|folder| path.starts_with(folder)) && !path.ends_with("/mod.rs")
}

fn missing(file: &File) -> Vec<Finding> {
    let head: Vec<&str> = file.text.lines().take_while(|line| line.starts_with("//!")).collect();
    let mut findings: Vec<Finding> = HEAD
        .iter()
        .filter(|wanted| !head.iter().any(|line| line.contains(**wanted)))
        .map(|wanted| Finding::new(&file.path, 1, format!("its head has no `{wanted}`")))
        .collect();
    if !file.code.contains("#[test]") && !file.code.contains("#[cfg(test)]") {
        findings.push(Finding::new(&file.path, 1, "has no tests"));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn defences_without_a_reason_or_a_test_are_found() {
        let good = "//! A.\n//! Attack: a lie.\n//! CWE-290.\n//! Precedent: often.\n#[test]\n";
        let bad = "//! A.\n//! Attack: a lie.\nfn a() {} // CWE-290 #[test]\n";
        let files = [
            ("crates/client-core/src/defences/bad.rs", bad),
            ("crates/client-core/src/defences/good.rs", good),
            ("crates/client-core/src/defences/mod.rs", "//! The list.\n"),
            ("crates/server-core/src/other.rs", "//! Something else.\n"),
        ];
        let expected = [
            "crates/client-core/src/defences/bad.rs:1: has no tests",
            "crates/client-core/src/defences/bad.rs:1: its head has no `CWE-`",
            "crates/client-core/src/defences/bad.rs:1: its head has no `Precedent:`",
        ];
        check(unexplained, &files, &expected);
    }
}
