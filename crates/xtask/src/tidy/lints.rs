//! Lints that each crate has to take, and the clippy settings that keep the cores pure.
//!
//! Clippy reads the nearest `clippy.toml` and doesn't merge it with others, so each core has its
//! own. Leaves out whether clippy then finds anything: that is clippy's step.

use super::Finding;
use super::tree::Tree;

/// Crates that are handed the time and randomness, and never ask for them.
const CORES: &[&str] = &["crypto", "proto", "client-core", "server-core"];

/// What a core's `clippy.toml` names at least.
const DISALLOWED: &[&str] = &[
    "\"std::time::Instant::now\"",
    "\"std::time::SystemTime::now\"",
    "\"std::thread::sleep\"",
    "\"getrandom::getrandom\"",
    "\"rand_core::OsRng\"",
    "pass it in",
];

pub(super) fn not_taken(tree: &Tree) -> Vec<Finding> {
    let mut findings: Vec<Finding> = tree
        .manifests()
        .filter(|(_, file)| !takes_lints(&file.text))
        .map(|(_, file)| Finding::new(&file.path, 1, "lacks `[lints] workspace = true`"))
        .collect();
    if let Some(file) = tree.file("Cargo.toml")
        && !file.text.lines().any(|line| line.trim() == "unsafe_code = \"forbid\"")
    {
        findings.push(Finding::new(&file.path, 1, "does not forbid unsafe code"));
    }
    findings
}

pub(super) fn impure_core(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folder, _) in tree.manifests().filter(|(folder, _)| CORES.contains(folder)) {
        let path = format!("crates/{folder}/clippy.toml");
        match tree.file(&path) {
            None => findings.push(Finding::new(&path, 1, "is missing")),
            Some(file) => findings.extend(
                DISALLOWED
                    .iter()
                    .filter(|wanted| !file.text.contains(**wanted))
                    .map(|wanted| Finding::new(&path, 1, format!("does not say {wanted}"))),
            ),
        }
    }
    findings
}

/// True if the manifest says `workspace = true` first thing under `[lints]`, or in one line.
fn takes_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(|line| line.replace(' ', ""));
    while let Some(line) = lines.next() {
        if line == "lints.workspace=true" {
            return true;
        }
        if line == "[lints]" {
            return lines.next().as_deref() == Some("workspace=true");
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn crates_without_the_lints_are_found() {
        let files = [
            ("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"forbid\"\n"),
            ("crates/a/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("crates/b/Cargo.toml", "lints.workspace = true\n"),
            ("crates/c/Cargo.toml", "[lints]\nworkspace = false\n"),
            ("crates/d/Cargo.toml", "[package]\n"),
        ];
        let expected = [
            "crates/c/Cargo.toml:1: lacks `[lints] workspace = true`",
            "crates/d/Cargo.toml:1: lacks `[lints] workspace = true`",
        ];
        check(not_taken, &files, &expected);
    }

    #[test]
    fn a_workspace_that_allows_unsafe_code_is_found() {
        let files = [("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = \"warn\"\n")];
        check(not_taken, &files, &["Cargo.toml:1: does not forbid unsafe code"]);
    }

    #[test]
    fn cores_that_may_ask_the_clock_are_found() {
        let all = DISALLOWED.join("\n");
        let part = DISALLOWED[1..].join("\n");
        let files = [
            ("crates/crypto/Cargo.toml", ""),
            ("crates/crypto/clippy.toml", all.as_str()),
            ("crates/proto/Cargo.toml", ""),
            ("crates/server-core/Cargo.toml", ""),
            ("crates/server-core/clippy.toml", part.as_str()),
            ("crates/server/Cargo.toml", ""),
        ];
        let expected = [
            "crates/proto/clippy.toml:1: is missing",
            "crates/server-core/clippy.toml:1: does not say \"std::time::Instant::now\"",
        ];
        check(impure_core, &files, &expected);
    }
}
