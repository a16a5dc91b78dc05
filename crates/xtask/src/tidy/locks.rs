//! The range is built of the versions that the chat is built of: what is learnt there is about what ships, and what
//! both use is built once. Leaves out their features, which manifests say.

use super::Finding;
use super::tree::{File, Tree};
use std::collections::BTreeSet;

const CHAT: &str = "Cargo.lock";
const RANGE: &str = "range/Cargo.lock";

/// A package in a lock: its line, name and version.
type Locked<'l> = (usize, &'l str, &'l str);

pub(super) fn apart(tree: &Tree) -> Vec<Finding> {
    let (Some(chat), Some(range)) = (tree.file(CHAT), tree.file(RANGE)) else { return Vec::new() };
    let chat: BTreeSet<(&str, &str)> =
        locked(chat).map(|(_, name, version)| (name, version)).collect();
    let known = |name: &str| chat.iter().any(|(other, _)| *other == name);
    let strange = locked(range)
        .filter(|(_, name, version)| known(name) && !chat.contains(&(*name, *version)));
    strange
        .map(|(line, name, version)| {
            Finding::new(RANGE, line, format!("{name} {version} is not the chat's version"))
        })
        .collect()
}

/// A version stands in the line behind its package's name.
fn locked(lock: &File) -> impl Iterator<Item = Locked<'_>> {
    lock.lines().zip(lock.text.lines().skip(1)).filter_map(|((number, line), next)| {
        Some((number, value(line, "name")?, value(next, "version")?))
    })
}

fn value<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn other_versions_are_found() {
        let lock = |packages: &[(&str, &str)]| -> String {
            let packages = packages.iter().map(|(name, version)| {
                format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n")
            });
            packages.collect()
        };
        let chat = lock(&[("a", "1.0.0"), ("b", "1.0.0"), ("b", "2.0.0")]);
        let check_range = |packages: &[(&str, &str)], expected: &[&str]| {
            check(apart, &[(CHAT, &chat), (RANGE, &lock(packages))], expected);
        };
        check_range(&[("a", "1.0.0"), ("b", "2.0.0"), ("c", "3.0.0")], &[]);
        let expected = ["range/Cargo.lock:5: b 2.0.1 is not the chat's version"];
        check_range(&[("a", "1.0.0"), ("b", "2.0.1")], &expected);
        check(apart, &[(CHAT, &chat)], &[]);
    }
}
