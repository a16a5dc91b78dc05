//! Whether any documentation of what ships has an example that would be run: without one, looking for them takes as long
//! as compiling every crate once more.

use super::tree::{File, Tree};

const FENCE: &str = "```";

/// What a fence says whose lines are no example.
const TEXT: &str = "text";

pub(super) fn are_there(tree: &Tree) -> bool {
    tree.shipped_rust().any(has_one)
}

fn has_one(file: &File) -> bool {
    let documented = |line: &'_ str| -> Option<String> {
        let line = line.trim_start();
        let words = line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))?;
        words.trim().strip_prefix(FENCE).map(str::to_owned)
    };
    // Every second fence closes what the one before it has opened.
    let mut fences = file.text.lines().filter_map(documented).step_by(2);
    fences.any(|says| says != TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_found() {
        let check = |text: &str, expected: bool| {
            assert_eq!(
                are_there(&Tree::made_up(&[("crates/a/src/a.rs", text)])),
                expected,
                "{text}"
            );
        };
        check("", false);
        check("//! ```text\n//! a\n//! ```\n", false);
        check("//! ```\n//! assert!(true);\n//! ```\n", true);
        check("//! ```text\n//! a\n//! ```\n    /// ```rust\n    /// a();\n    /// ```\n", true);
        check("let a = \"```\";", false);
    }
}
