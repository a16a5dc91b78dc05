//! The test suite: a list of steps, run in order until one fails.
//!
//! Each step does its own set-up, so that a fresh machine needs Rust and a C compiler and no more.
//! Helpful tools that are missing (cargo-nextest, cargo-deny) are replaced or skipped, and the
//! summary says so. Leaves out fuzzing: ordinary tests replay the corpora.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::run::{ask, run, run_with};
use crate::{flaws, tidy};

const WASM: &str = "wasm32-unknown-unknown";

/// How a step that did not fail ended.
enum Outcome {
    Passed,
    /// Not run, with the reason.
    Skipped(&'static str),
}

/// A step: its name, and what it does.
type Step = (&'static str, fn() -> Result<Outcome, String>);

const STEPS: &[Step] = &[
    ("format", || passed(run("cargo", &["fmt", "--all", "--check"]))),
    ("tidy", || passed(tidy::tidy(&[]))),
    ("clippy", clippy),
    ("tests", tests),
    ("range", training),
    ("apart", || passed(flaws::stay_away())),
    ("doc tests", examples),
    ("wasm", wasm),
    ("deny", deny),
];

/// `cargo xtask test`: all steps.
pub(crate) fn test(arguments: &[String]) -> Result<(), String> {
    if let Some(stranger) = arguments.first() {
        return Err(format!("`test` runs everything and takes no argument, such as `{stranger}`"));
    }
    run_all(STEPS)
}

/// `cargo xtask ci`: the same steps, with output for a log and nothing kept for a next build.
pub(crate) fn ci(arguments: &[String]) -> Result<(), String> {
    if let Some(stranger) = arguments.first() {
        return Err(format!("`ci` runs everything and takes no argument, such as `{stranger}`"));
    }
    let settings = [("CARGO_TERM_COLOR", "never"), ("CARGO_INCREMENTAL", "0")];
    run_with("cargo", &["xtask", "test"], &settings)
}

fn run_all(steps: &[Step]) -> Result<(), String> {
    let mut report = Vec::new();
    let mut count = 0;
    for (number, (name, step)) in steps.iter().enumerate() {
        println!("== step {} of {}: {name}", number + 1, steps.len());
        let start = Instant::now();
        let outcome = step();
        let seconds = spell(start.elapsed());
        match &outcome {
            Ok(Outcome::Passed) => {
                count += 1;
                report.push(format!("  {name:<10} {seconds:>8}  passed"));
            }
            Ok(Outcome::Skipped(why)) => {
                report.push(format!("  {name:<10} {seconds:>8}  skipped: {why}"))
            }
            Err(_) => report.push(format!("  {name:<10} {seconds:>8}  FAILED")),
        }
        if let Err(why) = outcome {
            println!("\nsteps:\n{}\n{count} passed, 1 failed", report.join("\n"));
            return Err(format!("step `{name}`: {why}"));
        }
    }
    println!("\nsteps:\n{}\n{count} passed, 0 failed", report.join("\n"));
    Ok(())
}

fn spell(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn passed(result: Result<(), String>) -> Result<Outcome, String> {
    result.map(|()| Outcome::Passed)
}

fn clippy() -> Result<Outcome, String> {
    passed(run(
        "cargo",
        &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"],
    ))
}

/// The tests of every crate, with cargo-nextest where it is installed. Many wait for sockets and processes more than
/// they compute: one for each processor left half of them idle for minutes, two leave none.
fn tests() -> Result<Outcome, String> {
    if ask("cargo", &["nextest", "--version"]).is_some() {
        let threads = 2 * thread::available_parallelism().map_or(1, usize::from);
        let threads = format!("--test-threads={threads}");
        return passed(run("cargo", &["nextest", "run", "--workspace", &threads]));
    }
    println!("cargo-nextest is not installed; cargo test does the same, more slowly");
    passed(run("cargo", &["test", "--workspace", "--lib", "--bins", "--tests"]))
}

/// The training range: a workspace of its own, with the same rules.
fn training() -> Result<Outcome, String> {
    let manifest = ["--manifest-path", flaws::MANIFEST];
    run("cargo", &[&["fmt"][..], &manifest, &["--check"]].concat())?;
    let clippy =
        [&["clippy", "--quiet", "--all-targets"][..], &manifest, &["--", "-D", "warnings"]];
    run("cargo", &clippy.concat())?;
    passed(run("cargo", &[&["test", "--quiet"][..], &manifest].concat()))
}

/// The examples in documentation, where there are any.
fn examples() -> Result<Outcome, String> {
    if !tidy::has_examples()? {
        return Ok(Outcome::Skipped("no documentation has an example"));
    }
    passed(run("cargo", &["test", "--quiet", "--doc", "--workspace"]))
}

/// The client's core compiles for the browser.
fn wasm() -> Result<Outcome, String> {
    if !has_target(WASM) {
        run("rustup", &["target", "add", WASM])?;
    }
    passed(run("cargo", &["check", "--quiet", "-p", "portcullis-client-core", "--target", WASM]))
}

/// True if the compiler in use has the standard library of a target; asks the compiler, not rustup,
/// because a distribution's Rust has no rustup.
fn has_target(target: &str) -> bool {
    ask("rustc", &["--print", "target-libdir", "--target", target])
        .is_some_and(|folder| Path::new(&folder).is_dir())
}

fn deny() -> Result<Outcome, String> {
    if ask("cargo", &["deny", "--version"]).is_none() {
        return Ok(Outcome::Skipped("cargo-deny is not installed"));
    }
    passed(run("cargo", &["deny", "check", "bans", "licenses", "sources"]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_ends_the_suite_and_is_named() {
        let steps: &[Step] = &[
            ("good", || Ok(Outcome::Passed)),
            ("absent", || Ok(Outcome::Skipped("no tool"))),
            ("bad", || Err("it broke".to_owned())),
            ("never", || Err("this must not run".to_owned())),
        ];
        assert_eq!(run_all(steps).unwrap_err(), "step `bad`: it broke");
        assert!(run_all(&steps[..2]).is_ok());
    }

    #[test]
    fn unknown_targets_are_not_installed() {
        assert!(!has_target("no-such-target"));
    }

    #[test]
    fn arguments_are_refused() {
        let arguments = ["--fast".to_owned()];
        assert!(test(&arguments).unwrap_err().contains("--fast"));
        assert!(ci(&arguments).unwrap_err().contains("--fast"));
    }
}
