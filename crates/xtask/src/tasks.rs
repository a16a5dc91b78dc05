//! Verbs that hand over to a program of another crate: the simulator, the benchmark, the fuzzer.
//!
//! Leaves out what those programs do with their arguments; they are passed on as they came.

use std::path::Path;

use crate::flaws;
use crate::run::{ask, root, run, run_with};

/// Seconds that a fuzz target runs if nothing else is asked for.
const FUZZ_SECONDS: &str = "60";

/// `cargo xtask sim --seeds N [--from K]`: simulated runs, in release mode.
pub(crate) fn sim(arguments: &[String]) -> Result<(), String> {
    let program = ["run", "--release", "-p", "portcullis-sim", "--bin", "portcullis-sim", "--"];
    hand_over(&program, arguments)
}

/// `cargo xtask bench [ARGS]`: the server, then the clients in encrypted conversations, then files; `bench groups`
/// measures the clients alone, `bench files` files, `bench range` the training range, and any other table of the server's that is named, that alone.
pub(crate) fn bench(arguments: &[String]) -> Result<(), String> {
    match arguments.split_first() {
        Some((name, rest)) if name == "groups" => bench_groups(rest),
        Some((name, rest)) if name == "files" => bench_files(rest),
        Some((name, rest)) if name == "range" => bench_worlds(rest),
        Some((name, _)) if name != "all" => bench_server(arguments),
        _ => {
            bench_server(arguments)?;
            bench_groups(&[])?;
            bench_files(&[])?;
            bench_worlds(&[])
        }
    }
}

/// Builds the binary that is measured, then measures it.
fn bench_server(arguments: &[String]) -> Result<(), String> {
    run("cargo", &["build", "--release", "-p", "portcullis"])?;
    let program =
        ["run", "--release", "-p", "portcullis-server", "--bin", "portcullis-bench", "--"];
    hand_over(&program, arguments)
}

fn bench_groups(arguments: &[String]) -> Result<(), String> {
    let program =
        ["run", "--release", "-p", "portcullis-sim", "--bin", "portcullis-bench-groups", "--"];
    hand_over(&program, arguments)
}

fn bench_worlds(arguments: &[String]) -> Result<(), String> {
    let manifest = ["--manifest-path", flaws::MANIFEST];
    let program =
        [&["run", "--release"][..], &manifest, &["--bin", "portcullis-bench-range", "--"]];
    hand_over(&program.concat(), arguments)
}

fn bench_files(arguments: &[String]) -> Result<(), String> {
    // The server that transfers are relayed by.
    run("cargo", &["build", "--release", "-p", "portcullis-server", "--bin", "portcullis-bench"])?;
    let program =
        ["run", "--release", "-p", "portcullis-terminal", "--bin", "portcullis-bench-files", "--"];
    hand_over(&program, arguments)
}

/// What libFuzzer steers by: counters at every branch, and what is compared there. The compiler in use knows how to add
/// them; everything here is safe Rust, so a sanitizer would only cost time.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";

/// `cargo xtask fuzz TARGET [SECONDS]`: one target of the `fuzz/` workspace.
pub(crate) fn fuzz(arguments: &[String]) -> Result<(), String> {
    let (target, seconds) = fuzz_arguments(arguments, &fuzz_targets(&root()?))?;
    let compiler = ask("rustc", &["-vV"]).ok_or("`rustc -vV` failed")?;
    let host = compiler.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("`rustc -vV` names no host")?;
    let limit = format!("-max_total_time={seconds}");
    // What is found goes into a folder of its own; the corpus in the repository is a chosen selection.
    let (found, corpus) = (format!("fuzz/found/{target}"), format!("fuzz/corpus/{target}"));
    let failed = format!("-artifact_prefix=fuzz/artifacts/{target}/");
    for folder in [&found, &format!("fuzz/artifacts/{target}")] {
        let made = std::fs::create_dir_all(root()?.join(folder));
        made.map_err(|error| format!("{folder}: {error}"))?;
    }
    // With the host named, what runs while building has no counters.
    let program = ["run", "--release", "--manifest-path", "fuzz/Cargo.toml", "--target", host];
    let rest = ["--bin", target, "--", &found, &corpus, &limit, &failed];
    run_with("cargo", &[&program[..], &rest].concat(), &[("RUSTFLAGS", COVERAGE)])
}

fn hand_over(program: &[&str], arguments: &[String]) -> Result<(), String> {
    let line: Vec<&str> =
        program.iter().copied().chain(arguments.iter().map(String::as_str)).collect();
    run("cargo", &line)
}

fn fuzz_arguments<'a>(
    arguments: &'a [String],
    targets: &[String],
) -> Result<(&'a str, &'a str), String> {
    let (target, seconds) = match arguments {
        [target] => (target, FUZZ_SECONDS),
        [target, seconds] => (target, seconds.as_str()),
        _ => {
            return Err(format!("`fuzz TARGET [SECONDS]`; targets: {}", list(targets)));
        }
    };
    if !targets.contains(target) {
        return Err(format!("`{target}` is not a fuzz target; targets: {}", list(targets)));
    }
    if seconds.parse::<u32>().is_err() {
        return Err(format!("`{seconds}` is not a number of seconds"));
    }
    Ok((target, seconds))
}

fn list(targets: &[String]) -> String {
    if targets.is_empty() { "none yet".to_owned() } else { targets.join(", ") }
}

/// The names of the fuzz targets: one file each.
fn fuzz_targets(root: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(root.join("fuzz/fuzz_targets")) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().to_str()?.strip_suffix(".rs").map(str::to_owned)
        })
        .collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: Result<(&str, &str), &str>) {
        let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
        let targets = ["frame".to_owned(), "requests".to_owned()];
        let found = fuzz_arguments(&arguments, &targets);
        assert_eq!(found, expected.map_err(str::to_owned), "{arguments:?}");
    }

    #[test]
    fn fuzz_takes_a_known_target_and_seconds() {
        check(&["frame"], Ok(("frame", "60")));
        check(&["requests", "5"], Ok(("requests", "5")));
        check(&[], Err("`fuzz TARGET [SECONDS]`; targets: frame, requests"));
        check(&["frames"], Err("`frames` is not a fuzz target; targets: frame, requests"));
        check(&["frame", "-5"], Err("`-5` is not a number of seconds"));
    }

    #[test]
    fn a_tree_without_targets_has_none() {
        assert_eq!(fuzz_targets(Path::new("/nowhere")), Vec::<String>::new());
        assert_eq!(list(&[]), "none yet");
    }
}
