//! Who may depend on whom: the map in `ARCHITECTURE.md`, as a table.
//!
//! Reads the manifests themselves. Test-only dependencies may go further, for tests may look from
//! outside. Leaves out dependencies of other people's making, except for the tasks, which have none.

use super::Finding;
use super::tree::{File, Tree};

/// A crate's folder, and the folders of those it may depend on.
const MAY_DEPEND_ON: &[(&str, &[&str])] = &[
    ("crypto", &[]),
    ("proto", &["crypto"]),
    ("mls", &["crypto", "proto"]),
    ("client-core", &["mls", "crypto", "proto"]),
    ("server-core", &["crypto", "proto"]),
    ("sim", &["client-core", "server-core", "mls", "crypto", "proto"]),
    ("server", &["server-core", "crypto", "proto"]),
    ("terminal", &["client-core", "crypto", "proto"]),
    ("web", &["client-core", "crypto", "proto"]),
    ("portcullis", &["server", "terminal", "server-core", "crypto", "proto"]),
    ("xtask", &[]),
];

/// Crates that use nothing but the standard library, in their tests too.
const STD_ONLY: &[&str] = &["xtask"];

pub(super) fn forbidden(tree: &Tree) -> Vec<Finding> {
    let crates = tree.manifests().flat_map(|(folder, file)| in_crate(folder, file));
    crates.chain(tree.file("Cargo.toml").into_iter().flat_map(renamed)).collect()
}

fn in_crate(folder: &str, file: &File) -> Vec<Finding> {
    let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(name, _)| *name == folder) else {
        return vec![Finding::new(
            &file.path,
            1,
            "is missing in the table of who may depend on whom",
        )];
    };
    let std_only = STD_ONLY.contains(&folder);
    let mut findings = renamed(file);
    for dependency in dependencies(file) {
        let what = match ours(dependency.name) {
            _ if std_only => format!("uses the standard library only, not `{}`", dependency.name),
            Some(other) if !dependency.for_tests && !allowed.contains(&other) => {
                format!("`{folder}` may not depend on `{other}`")
            }
            _ => continue,
        };
        findings.push(Finding::new(&file.path, dependency.line, what));
    }
    findings
}

/// A dependency of ours under another name would hide from the table.
fn renamed(file: &File) -> Vec<Finding> {
    file.lines()
        .filter(|(_, line)| line.replace(' ', "").contains("package=\"portcullis"))
        .map(|(number, _)| Finding::new(&file.path, number, "renames a crate of ours"))
        .collect()
}

/// The folder of a package of ours; none for everybody else's.
fn ours(package: &str) -> Option<&str> {
    match package {
        "portcullis" => Some(package),
        _ => package.strip_prefix("portcullis-"),
    }
}

/// One line of a manifest that names a dependency.
struct Dependency<'a> {
    name: &'a str,
    line: usize,
    for_tests: bool,
}

fn dependencies(file: &File) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut section = "";
    for (line, text) in file.lines() {
        let text = text.trim();
        if text.starts_with('[') {
            section = text.trim_matches(['[', ']']);
            if let Some((above, name)) = section.rsplit_once('.')
                && is_dependencies(above)
            {
                found.push(Dependency { name: unquote(name), line, for_tests: for_tests(above) });
            }
        } else if is_dependencies(section)
            && !text.starts_with('#')
            && let Some((key, _)) = text.split_once(['=', '.'])
        {
            found.push(Dependency { name: unquote(key), line, for_tests: for_tests(section) });
        }
    }
    found
}

/// True for `dependencies`, `dev-dependencies`, `target.'cfg(unix)'.build-dependencies` and so on.
fn is_dependencies(section: &str) -> bool {
    let last = section.rsplit('.').next().unwrap_or_default();
    ["dependencies", "dev-dependencies", "build-dependencies"].contains(&last)
}

fn for_tests(section: &str) -> bool {
    section.ends_with("dev-dependencies")
}

fn unquote(key: &str) -> &str {
    key.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        check(forbidden, &[(path, text)], expected);
    }

    #[test]
    fn what_the_map_allows_passes() {
        let text = "[dependencies]\nportcullis-crypto = { workspace = true }\nserde = \"1\"\n";
        check_text("crates/proto/Cargo.toml", text, &[]);
        let text = "[dev-dependencies]\nportcullis-sim = { workspace = true }\n";
        check_text("crates/client-core/Cargo.toml", text, &[]);
        let text = "[package]\nname = \"portcullis-server\"\n# portcullis-sim = \"1\"\n";
        check_text("crates/server/Cargo.toml", text, &[]);
    }

    #[test]
    fn every_way_to_depend_is_seen() {
        let expected = ["crates/crypto/Cargo.toml:2: `crypto` may not depend on `proto`"];
        let rows = [
            "[dependencies]\nportcullis-proto = { workspace = true }",
            "[dependencies]\nportcullis-proto.workspace = true",
            "[dependencies]\n\"portcullis-proto\" = \"0.1\"",
            "\n[dependencies.portcullis-proto]\nworkspace = true",
            "[build-dependencies]\nportcullis-proto = \"0.1\"",
            "[target.'cfg(unix)'.dependencies]\nportcullis-proto = \"0.1\"",
            "\n[target.'cfg(unix)'.dependencies.portcullis-proto]",
        ];
        for row in rows {
            check_text("crates/crypto/Cargo.toml", row, &expected);
        }
    }

    #[test]
    fn shells_and_cores_stay_apart() {
        let text = "[dependencies]\nportcullis-terminal = { workspace = true }\n";
        let expected = ["crates/server/Cargo.toml:2: `server` may not depend on `terminal`"];
        check_text("crates/server/Cargo.toml", text, &expected);
    }

    #[test]
    fn tasks_use_the_standard_library_only() {
        let text = "[dev-dependencies]\nserde = \"1\"\n";
        let expected = ["crates/xtask/Cargo.toml:2: uses the standard library only, not `serde`"];
        check_text("crates/xtask/Cargo.toml", text, &expected);
    }

    #[test]
    fn strangers_and_other_names_are_found() {
        let expected =
            ["crates/new/Cargo.toml:1: is missing in the table of who may depend on whom"];
        check_text("crates/new/Cargo.toml", "", &expected);
        let text = "[dependencies]\np = { package = \"portcullis-proto\", version = \"0.1\" }";
        let expected = ["crates/crypto/Cargo.toml:2: renames a crate of ours"];
        check_text("crates/crypto/Cargo.toml", text, &expected);
    }
}
