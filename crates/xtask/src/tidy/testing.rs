//! What ships never names `portcullis_crypto::testing`, whose keys everybody knows.
//!
//! Tests, the simulator, examples and the benchmarks may: what they make is thrown away. Leaves out aliases of the
//! module's name: an alias is not worth hiding behind.

use super::tree::{File, Tree};
use super::{Finding, scan};

/// The module itself, and what never ships.
const MAY: &[&str] = &[
    "crates/crypto/src/testing",
    "crates/sim/",
    "/tests/",
    "/examples/",
    "/src/bin/portcullis-bench/",
];

const TEST_ONLY: &str = "#[cfg(test)]";

pub(super) fn shipped(tree: &Tree) -> Vec<Finding> {
    let for_tests: Vec<String> = tree.shipped_rust().flat_map(test_modules).collect();
    let is_for_tests = |file: &File| {
        let place = file.path.trim_end_matches(".rs");
        for_tests.iter().any(|module| {
            place.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    tree.shipped_rust()
        .filter(|file| !MAY.iter().any(|may| file.path.contains(may)) && !is_for_tests(file))
        .flat_map(in_file)
        .collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let shipped = without_tests(&file.code);
    let own = if file.path.starts_with("crates/crypto/") { "crate" } else { "portcullis_crypto" };
    let names = scan::words(&shipped).filter(|(offset, word)| {
        // The module stands behind its crate, perhaps with others in braces.
        let before = &shipped[..*offset];
        let statement = before.rfind([';', '}']).map_or(before, |end| &before[end..]);
        *word == "testing" && scan::words(statement).any(|(_, word)| word == own)
    });
    let found = |(offset, _)| {
        Finding::new(&file.path, file.line_of(offset), "names `crypto::testing` in what ships")
    };
    names.map(found).collect()
}

/// The files and folders of modules that are only there for tests, without their endings.
fn test_modules(file: &File) -> Vec<String> {
    let place = file.path.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|root| place.strip_suffix(root));
    let items = test_items(&file.code).into_iter().map(|(start, end)| &file.code[start..end]);
    let named = |item: &str| {
        let words: Vec<&str> = scan::words(item).map(|(_, word)| word).collect();
        let at = words.iter().rposition(|word| *word == "mod").filter(|_| item.ends_with(';'))?;
        words.get(at + 1).map(|name| format!("{}/{name}", folder.unwrap_or(place)))
    };
    items.filter_map(named).collect()
}

/// The code with everything that is only there for tests blanked out.
fn without_tests(code: &str) -> String {
    let mut shipped = code.as_bytes().to_vec();
    for (start, end) in test_items(code) {
        shipped[start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8_lossy(&shipped).into_owned()
}

/// Where the items are that are only there for tests, each from its attribute to its end.
fn test_items(code: &str) -> Vec<(usize, usize)> {
    let mut items = Vec::new();
    let mut from = 0;
    while let Some(start) = code[from..].find(TEST_ONLY).map(|at| from + at) {
        let end = start + item_length(&code[start..]);
        items.push((start, end));
        from = end;
    }
    items
}

/// To the semicolon, or to the brace that closes the first one.
fn item_length(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b';' if depth == 0 => return at + 1,
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    item.len()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    const WHAT: &str = "names `crypto::testing` in what ships";

    fn check_text(path: &str, text: &str, lines: &[usize]) {
        let expected: Vec<String> =
            lines.iter().map(|line| format!("{path}:{line}: {WHAT}")).collect();
        let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        check(shipped, &[(path, text)], &expected);
    }

    #[test]
    fn every_way_to_name_it_is_found() {
        let path = "crates/server/src/a.rs";
        check_text(path, "use portcullis_crypto::testing::classic_key;", &[1]);
        check_text(path, "use portcullis_crypto::{ClassicKey,\n testing::{self}};", &[2]);
        check_text(path, "fn a() {\n portcullis_crypto::testing::classic_key(0) }", &[2]);
        check_text("crates/crypto/src/a.rs", "use crate::testing::classic_key;", &[1]);
        let behind =
            "#[cfg(test)]\nmod tests;\n#[cfg(test)]\nuse a::{b};\nuse portcullis_crypto::testing;";
        check_text(path, behind, &[5]);
        let inside = "#[cfg(test)]\nmod tests { fn a() { } }\nuse portcullis_crypto::testing;";
        check_text(path, inside, &[3]);
    }

    #[test]
    fn tests_and_what_is_thrown_away_may() {
        let text = "use portcullis_crypto::testing::classic_key;";
        for path in [
            "crates/sim/src/a.rs",
            "crates/server/tests/it/a.rs",
            "crates/server/examples/a.rs",
            "crates/server/src/bin/portcullis-bench/a.rs",
            "crates/crypto/src/testing.rs",
        ] {
            check_text(path, text, &[]);
        }
        let path = "crates/server/src/a.rs";
        check_text(path, &format!("#[cfg(test)]\n#[allow(a)]\nmod tests {{ {text} }}"), &[]);
        check_text(path, "use crate::testing; use portcullis_crypto::Secret;", &[]);
        check_text(path, "// portcullis_crypto::testing\nmod testing;", &[]);
    }

    /// A file is there for tests alone if the file above it says so.
    #[test]
    fn modules_of_tests_are_known_by_who_names_them() {
        let text = "use portcullis_crypto::testing::classic_key;";
        let files = [
            ("crates/a/src/lib.rs", "#[cfg(test)]\nmod world;\nmod work;"),
            ("crates/a/src/world.rs", text),
            ("crates/a/src/world/people.rs", text),
            ("crates/a/src/work.rs", "#[cfg(test)]\nmod desk;"),
            ("crates/a/src/work/desk.rs", text),
            ("crates/a/src/worldly.rs", text),
        ];
        check(shipped, &files, &[&format!("crates/a/src/worldly.rs:1: {WHAT}")]);
    }
}
