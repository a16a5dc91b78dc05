//! Nothing under `crates/` names the range, so that no flaw can reach the binary that ships.
//!
//! Comments and strings may speak of it; paths, identifiers, manifests and included files may not.

use super::tree::{File, Tree};
use super::{Finding, scan};

/// Words that start a line which brings in another file.
const INCLUDES: &[&str] = &["include!", "include_str!", "include_bytes!", "#[path"];

pub(super) fn names_range(tree: &Tree) -> Vec<Finding> {
    let sources =
        tree.shipped_rust().flat_map(|file| in_code(file).into_iter().chain(in_includes(file)));
    let manifests = tree.manifests().flat_map(|(_, file)| in_manifest(file));
    let workspace = tree.file("Cargo.toml").into_iter().flat_map(in_dependencies);
    sources.chain(manifests).chain(workspace).collect()
}

/// Finds `portcullis_range`, and `range` as the first part of a path or of a `use`.
fn in_code(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (offset, word) in scan::words(&file.code) {
        let before = file.code[..offset].trim_end();
        let starts_path =
            file.code[offset + word.len()..].starts_with("::") && !before.ends_with("::");
        let imported = ["use", "crate"].contains(&last_word(before));
        if word.starts_with("portcullis_range") || word == "range" && (starts_path || imported) {
            findings.push(Finding::new(
                &file.path,
                file.line_of(offset),
                "names the range's crate",
            ));
        }
    }
    findings
}

fn in_includes(file: &File) -> Vec<Finding> {
    file.lines()
        .zip(file.code.lines())
        .filter(|(_, code)| INCLUDES.iter().any(|include| code.contains(include)))
        .filter(|((_, text), _)| text.contains("../range/"))
        .map(|((number, _), _)| Finding::new(&file.path, number, "includes a file of the range"))
        .collect()
}

fn in_manifest(file: &File) -> Vec<Finding> {
    lines_naming(file).map(|number| Finding::new(&file.path, number, "names the range")).collect()
}

/// The workspace's manifest may exclude the range, but not offer it as a dependency.
fn in_dependencies(file: &File) -> Vec<Finding> {
    let start = file.text.find("[workspace.dependencies]").unwrap_or(file.text.len());
    let first = file.line_of(start);
    lines_naming(file)
        .filter(|&number| number > first)
        .map(|number| Finding::new(&file.path, number, "offers the range as a dependency"))
        .collect()
}

fn lines_naming(file: &File) -> impl Iterator<Item = usize> {
    file.lines().filter_map(|(number, line)| {
        let line = line.split('#').next().unwrap_or_default();
        let key = line.split(['=', '.']).next().unwrap_or_default().trim();
        let names = line.contains("portcullis-range")
            || line.contains("../range")
            || line.contains("\"range");
        (names || key == "range" || line.contains(".range]")).then_some(number)
    })
}

fn last_word(code: &str) -> &str {
    code.rsplit(char::is_whitespace).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        check(names_range, &[(path, text)], expected);
    }

    #[test]
    fn paths_into_the_range_are_found() {
        let expected = ["crates/a/src/a.rs:1: names the range's crate"];
        check_text("crates/a/src/a.rs", "use portcullis_range::World;", &expected);
        check_text("crates/a/src/a.rs", "let a = range::world();", &expected);
        check_text("crates/a/src/a.rs", "extern crate range as r;", &expected);
        check_text("crates/a/src/a.rs", "use range;", &expected);
    }

    #[test]
    fn ordinary_ranges_are_not() {
        check_text(
            "crates/a/src/a.rs",
            "//! The range.\nuse std::range::Step; // portcullis_range",
            &[],
        );
        check_text("crates/a/src/a.rs", "for range in ranges { map.range(range); }", &[]);
        check_text("range/src/a.rs", "use portcullis_range::World;", &[]);
    }

    #[test]
    fn included_files_are_found() {
        let expected = ["crates/a/src/a.rs:1: includes a file of the range"];
        check_text("crates/a/src/a.rs", "include!(\"../../../range/a.rs\");", &expected);
        check_text("crates/a/src/a.rs", "#[path = \"../../../range/a.rs\"] mod a;", &expected);
    }

    #[test]
    fn manifests_are_searched() {
        let expected = ["crates/a/Cargo.toml:2: names the range"];
        let rows = [
            "portcullis-range = { path = \"../../range\" }",
            "flaws = { path = \"../../range\" }",
            "range = \"1\"",
            "range.workspace = true",
            "[dev-dependencies.range]",
        ];
        for row in rows {
            check_text("crates/a/Cargo.toml", &format!("[dev-dependencies]\n{row}\n"), &expected);
        }
        check_text("crates/a/Cargo.toml", "arrange = \"1\" # unlike the range", &[]);
        check_text("Cargo.toml", "exclude = [\"range\"]\n[workspace.dependencies]\n", &[]);
        let offer = "[workspace.dependencies]\nportcullis-range = { path = \"range\" }";
        check_text("Cargo.toml", offer, &["Cargo.toml:2: offers the range as a dependency"]);
    }
}
