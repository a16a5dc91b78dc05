//! That the pages in `range/pages/` say what the flaws' files say, and that there are no others.
#![allow(clippy::unwrap_used, reason = "tests")]

use portcullis_range::flaws::ALL;
use portcullis_range::pages;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("pages")
}

#[test]
fn every_flaw_has_its_page_and_nothing_else_has_one() {
    let check = |name: &str, expected: &str| {
        let kept = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(kept == expected, "{name} is old: run `cargo run --example pages`");
        assert!(!expected.contains(" is missing\n"), "{name} lacks a function");
    };
    check("README.md", &pages::index());
    let mut names = BTreeSet::from(["README.md".to_owned()]);
    for flaw in ALL {
        let name = format!("{}.md", flaw.slug);
        check(&name, &pages::page(flaw));
        names.insert(name);
    }
    let kept = std::fs::read_dir(folder()).unwrap().map(|found| found.unwrap().file_name());
    let kept: BTreeSet<String> = kept.map(|name| name.into_string().unwrap()).collect();
    assert_eq!(kept, names);
}
