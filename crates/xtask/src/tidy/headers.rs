//! Every Rust file opens with `//!`: what it is, what it leaves out, where it comes from.

use super::{Finding, tree::Tree};

pub(super) fn missing(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| !file.text.starts_with("//!"))
        .map(|file| Finding::new(&file.path, 1, "does not open with `//!`"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;

    #[test]
    fn files_without_a_head_are_found() {
        let files = [
            ("crates/a/src/good.rs", "//! Good.\n"),
            ("crates/a/src/late.rs", "use a;\n//! Late.\n"),
            ("fuzz/fuzz_targets/empty.rs", ""),
            ("range/src/item.rs", "/// An item's.\n"),
        ];
        let expected = [
            "crates/a/src/late.rs:1: does not open with `//!`",
            "fuzz/fuzz_targets/empty.rs:1: does not open with `//!`",
            "range/src/item.rs:1: does not open with `//!`",
        ];
        check(missing, &files, &expected);
    }
}
