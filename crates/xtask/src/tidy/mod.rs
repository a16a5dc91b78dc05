//! `cargo xtask tidy`: the rules about the source that no compiler checks.
//!
//! A rule is a function from the [`Tree`] to what it found; [`RULES`] lists them all. Each has a
//! test that shows it finds a violation. Leaves out what clippy and rustc can already deny.

mod apart;
mod banned;
mod defences;
mod depends;
mod examples;
mod headers;
mod lints;
mod locks;
mod scan;
mod size;
mod testing;
mod tokens;
mod tree;

use std::fmt;

use crate::run::root;
use tree::Tree;

/// One violation of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    path: String,
    /// Counted from 1.
    line: usize,
    what: String,
}

impl Finding {
    fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// A rule: what holds if it finds nothing, and the function that looks.
type Rule = (&'static str, fn(&Tree) -> Vec<Finding>);

const RULES: &[Rule] = &[
    ("every source file says what it is", headers::missing),
    ("files and functions are short", size::too_long),
    ("crates depend on whom they may", depends::forbidden),
    ("nothing that ships names the range", apart::names_range),
    ("the range is built of the versions that ship", locks::apart),
    ("proof tokens are minted where they are listed", tokens::minted_elsewhere),
    ("nothing that ships names the keys that everybody knows", testing::shipped),
    ("every crate takes the workspace's lints", lints::not_taken),
    ("cores are handed the time and randomness", lints::impure_core),
    ("nothing is ignored, postponed or left behind", banned::used),
    ("every defence names its attack and has tests", defences::unexplained),
];

/// `cargo xtask tidy`: checks every rule, prints all findings, and fails if there is one.
pub(crate) fn tidy(arguments: &[String]) -> Result<(), String> {
    if let Some(stranger) = arguments.first() {
        return Err(format!(
            "`tidy` checks everything and takes no argument, such as `{stranger}`"
        ));
    }
    let tree = read()?;
    let mut count = 0;
    for (promise, rule) in RULES {
        let mut findings = rule(&tree);
        findings.sort();
        println!("{} {promise}", if findings.is_empty() { "ok  " } else { "FAIL" });
        for finding in &findings {
            println!("       {finding}");
        }
        count += findings.len();
    }
    if count == 0 { Ok(()) } else { Err(format!("tidy found {count} violations")) }
}

/// Whether there is anything for doc tests to run.
pub(crate) fn has_examples() -> Result<bool, String> {
    Ok(examples::are_there(&read()?))
}

fn read() -> Result<Tree, String> {
    Tree::read(&root()?).map_err(|error| format!("the source can't be read: {error}"))
}

/// Runs a rule on a made-up tree and compares what it found, written as `path:line: what`.
#[cfg(test)]
fn check(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], expected: &[&str]) {
    let mut findings = rule(&Tree::made_up(files));
    findings.sort();
    let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
    assert_eq!(found, expected, "in {files:?}");
}
