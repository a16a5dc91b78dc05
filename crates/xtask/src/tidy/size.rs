//! Files and functions stay short enough to be read in one sitting.

use super::tree::{File, Tree};
use super::{Finding, scan};

/// Lines in a file, tests and comments included.
const FILE_LINES: usize = 600;

/// Lines in a function, from `fn` to its closing brace.
const FUNCTION_LINES: usize = 70;

pub(super) fn too_long(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(|file| long_file(file).into_iter().chain(long_functions(file))).collect()
}

fn long_file(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    let what = format!("the file has {lines} lines, more than {FILE_LINES}");
    (lines > FILE_LINES).then(|| Finding::new(&file.path, 1, what))
}

fn long_functions(file: &File) -> Vec<Finding> {
    let mut findings = Vec::new();
    for range in scan::functions(&file.code) {
        let function = &file.code[range.clone()];
        let lines = function.lines().count();
        if lines > FUNCTION_LINES {
            let name = scan::words(function).nth(1).map_or("?", |(_, name)| name);
            let what = format!("function `{name}` has {lines} lines, more than {FUNCTION_LINES}");
            findings.push(Finding::new(&file.path, file.line_of(range.start), what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn long_files_are_found() {
        let (full, over) = ("\n".repeat(600), "\n".repeat(601));
        check(too_long, &[("crates/a/src/a.rs", &full)], &[]);
        let expected = ["fuzz/a.rs:1: the file has 601 lines, more than 600"];
        check(too_long, &[("fuzz/a.rs", &over)], &expected);
    }

    #[test]
    fn long_functions_are_found() {
        let function =
            |lines: usize| format!("//! A.\n\nfn long() {{\n{}}}\n", "// }\n".repeat(lines - 2));
        check(too_long, &[("crates/a/src/a.rs", &function(70))], &[]);
        let expected = ["crates/a/src/a.rs:3: function `long` has 71 lines, more than 70"];
        check(too_long, &[("crates/a/src/a.rs", &function(71))], &expected);
    }
}
