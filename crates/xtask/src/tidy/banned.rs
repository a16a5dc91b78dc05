//! Words that have no place in the source: ignored tests, sleeping tests, leftovers.

use super::tree::{File, Tree};
use super::{Finding, scan};

/// Macros that postpone the work, or that were left behind after looking for a fault.
const MACROS: &[&str] = &["todo", "unimplemented", "dbg"];

pub(super) fn used(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(in_file).collect()
}

fn in_file(file: &File) -> Vec<Finding> {
    let tests_start = tests_start(file);
    let mut findings = Vec::new();
    for (offset, word) in scan::words(&file.code) {
        let after = &file.code[offset + word.len()..];
        let what = if MACROS.contains(&word) && after.starts_with('!') && !after.starts_with("!=") {
            format!("`{word}!` is used")
        } else if word == "ignore" && in_attribute(&file.code, offset) {
            "a test is ignored".to_owned()
        } else if word == "thread" && after.starts_with("::sleep") && offset >= tests_start {
            "a test sleeps".to_owned()
        } else {
            continue;
        };
        findings.push(Finding::new(&file.path, file.line_of(offset), what));
    }
    findings
}

/// The offset from which on a file is test code; its length if it has none.
fn tests_start(file: &File) -> usize {
    if file.path.contains("/tests/") || file.path.ends_with("/tests.rs") {
        return 0;
    }
    file.code.find("#[cfg(test)]").unwrap_or(file.code.len())
}

/// True if the line starts an attribute before the offset.
fn in_attribute(code: &str, offset: usize) -> bool {
    let start = code[..offset].rfind('\n').map_or(0, |end| end + 1);
    code[start..offset].trim_start().starts_with("#[")
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    fn check_text(path: &str, text: &str, expected: &[&str]) {
        check(used, &[(path, text)], expected);
    }

    #[test]
    fn leftovers_are_found() {
        let path = "crates/a/src/a.rs";
        check_text(path, "fn a() { todo!() }", &["crates/a/src/a.rs:1: `todo!` is used"]);
        check_text(path, "\nlet a = dbg!(b);", &["crates/a/src/a.rs:2: `dbg!` is used"]);
        check_text(path, "unimplemented!()", &["crates/a/src/a.rs:1: `unimplemented!` is used"]);
        check_text(path, "if todo != 1 { todo } // todo! \"dbg!\"", &[]);
        check_text(path, "if todo!=1 {}", &[]);
    }

    #[test]
    fn ignored_tests_are_found() {
        let expected = ["crates/a/src/a.rs:2: a test is ignored"];
        check_text("crates/a/src/a.rs", "#[test]\n#[ignore]\nfn a() {}", &expected);
        check_text("crates/a/src/a.rs", "\n  #[cfg_attr(unix, ignore = \"slow\")]", &expected);
        check_text("crates/a/src/a.rs", "let ignore = 1;", &[]);
    }

    #[test]
    fn sleeping_tests_are_found() {
        let sleep = "std::thread::sleep(a)";
        check_text("crates/a/src/a.rs", sleep, &[]);
        check_text("crates/a/tests/a.rs", sleep, &["crates/a/tests/a.rs:1: a test sleeps"]);
        let mixed = format!("{sleep}\n#[cfg(test)]\nmod tests {{ {sleep} }}");
        check_text("crates/a/src/a.rs", &mixed, &["crates/a/src/a.rs:3: a test sleeps"]);
    }
}
