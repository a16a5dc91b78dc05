//! A page for each flaw, in Markdown, made of what its file says: for teachers, and for whoever reviews the
//! curriculum. It tells the solution.
//!
//! Leaves out where the pages are kept: `cargo run --example pages` writes them, and a test compares.

use crate::flaws::{ALL, Fate, Fix, Flaw, Solve, Source};
use std::fmt::Write as _;

/// The list of all pages.
#[must_use]
pub fn index() -> String {
    let mut page = String::from(
        "# The flaws\n\n**NO SECURITY.** One page each, made from its file in `../src/flaws/` by `cargo run \
         --manifest-path range/Cargo.toml --example pages`.\nThe pages tell the solutions.\n\n\
         | flaw | title | difficulty | CWE | you are |\n| --- | --- | --- | --- | --- |\n",
    );
    for flaw in ALL {
        let Flaw { slug, title, difficulty, cwe, role, .. } = flaw;
        // Writing to a string can't fail.
        let _ =
            writeln!(page, "| [`{slug}`]({slug}.md) | {title} | {difficulty} | {cwe} | {role} |");
    }
    page
}

/// A flaw's page.
#[must_use]
pub fn page(flaw: &Flaw) -> String {
    let Flaw { slug, title, difficulty, cwe, role, precedent, story, aftermath, .. } = flaw;
    let solved = match flaw.solve {
        Solve::Flag => "a flag, which only the exploit reaches",
        Solve::State(_) => "what has happened in the world, with the learner's nonce in it",
        Solve::Answer(_) => "a value that the learner computes",
    };
    let hints: String =
        flaw.hints.iter().zip(1..).map(|(hint, at)| format!("{at}. {hint}\n")).collect();
    let fixes = flaw.fixes.iter().zip(1..);
    let fixes: String = fixes.map(|(candidate, number)| fix(flaw, candidate, number)).collect();
    format!(
        "# `{slug}`: {title}\n\n\
         **NO SECURITY.** This page tells the solution. The learner is {role}; difficulty {difficulty} of 6; \
         [CWE-{cwe}](https://cwe.mitre.org/data/definitions/{cwe}.html); solved by {solved}.\n\n\
         ## What the learner is told\n\n{story}\n\n\
         ## Where this has happened\n\n{precedent}.\n\n\
         ## Hints\n\n{hints}\n\
         ## The sound function\n\n{}\n\
         ## The flawed one\n\n{}\n\
         ## The exploit\n\nWhat it calls stands in [its file](../src/flaws/{}.rs).\n\n{}\n\
         ## Candidate fixes\n\n{fixes}\
         ## Who was harmed, and how it shows\n\n{aftermath}\n",
        code(flaw.sound),
        code(flaw.source(flaw.unsound)),
        slug.replace('-', "_"),
        code(flaw.source("exploit")),
    )
}

fn fix(flaw: &Flaw, fix: &Fix, number: i32) -> String {
    let fate = match fix.fate {
        Fate::Holds => return format!("{number}. **Holds**: {}.\n\n", fix.idea),
        Fate::Beaten(why, _) => format!("the exploit, or another form of it, still wins: {why}"),
        Fate::Breaks(why) => format!("honest use no longer works: {why}"),
    };
    format!("{number}. {}. **No**: {fate}.\n\n{}\n", fix.idea, code(flaw.source(fix.function)))
}

/// A function's text; what is missing shows, and fails the test.
fn code(source: Source) -> String {
    let text = source.text().unwrap_or_else(|| format!("{} is missing", source.function));
    format!("```rust\n{text}\n```\n")
}
