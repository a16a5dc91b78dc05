//! The project's own tasks, reached as `cargo xtask VERB`.
//!
//! Only the standard library is used, so that this builds in seconds on a fresh machine. What the
//! verbs check lives in [`tidy`]; what they run lives in [`suite`] and [`tasks`]. Leaves out
//! anything that a person could not also type: every verb is a list of ordinary commands.
#![allow(clippy::print_stdout, reason = "a command line tool talks on standard output")]

mod flaws;
mod run;
mod suite;
mod tasks;
mod tidy;

use std::process::ExitCode;

/// A verb: its name, its arguments, what it does in a line, and the function that does it.
type Verb = (&'static str, &'static str, &'static str, fn(&[String]) -> Result<(), String>);

const VERBS: &[Verb] = &[
    ("test", "", "the whole test suite, with its own set-up", suite::test),
    ("ci", "", "`test`, without colours and incremental builds", suite::ci),
    ("tidy", "", "the rules about the source that no compiler checks", tidy::tidy),
    ("sim", "--seeds N [--from K]", "simulated runs of both cores", tasks::sim),
    ("bench", "[ARGS]", "the table of speeds, in release mode", tasks::bench),
    (
        "fuzz",
        "TARGET [SECONDS]",
        "one fuzz target, for a minute if not told otherwise",
        tasks::fuzz,
    ),
    ("help", "", "this list", help),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (name, rest) = match arguments.split_first() {
        Some((name, rest)) => (name.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let outcome = match VERBS.iter().find(|verb| verb.0 == name) {
        Some(verb) => verb.3(rest),
        None => Err(format!("`{name}` is not a task; `cargo xtask help` lists them")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn help(_arguments: &[String]) -> Result<(), String> {
    for (name, arguments, purpose, _) in VERBS {
        println!("cargo xtask {:<28} {purpose}", format!("{name} {arguments}"));
    }
    Ok(())
}
