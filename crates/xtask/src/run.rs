//! Starting other programs from the root of the repository.
//!
//! Leaves out captured pipes and shells: a program inherits the screen, or is asked one question.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The root of the repository: the nearest folder above that holds `crates/xtask`.
///
/// It is looked up when the task runs, never when it is built, because several checkouts may share
/// a target folder.
pub(crate) fn root() -> Result<PathBuf, String> {
    let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?,
    };
    start
        .ancestors()
        .find(|folder| folder.join("crates/xtask/Cargo.toml").is_file())
        .map(Path::to_path_buf)
        .ok_or_else(|| format!("{} is not inside the repository", start.display()))
}

/// Runs a program in the root of the repository and waits for it; its output goes to the screen.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    run_with(program, arguments, &[])
}

/// The same, with some environment variables set.
pub(crate) fn run_with(
    program: &str,
    arguments: &[&str],
    variables: &[(&str, &str)],
) -> Result<(), String> {
    let line = format!("{program} {}", arguments.join(" "));
    let status = Command::new(program)
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(root()?)
        .status()
        .map_err(|error| format!("`{line}` could not be started: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}

/// What a program printed, trimmed, or nothing if it is missing or failed.
pub(crate) fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(root().ok()?)
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().unwrap().join("Cargo.toml").is_file());
    }

    #[test]
    fn programs_answer_or_say_why_not() {
        assert!(run("cargo", &["--version"]).is_ok());
        assert!(run("cargo", &["no-such-subcommand"]).unwrap_err().contains("no-such-subcommand"));
        assert!(run("no-such-program", &[]).unwrap_err().contains("could not be started"));
        assert!(ask("cargo", &["--version"]).unwrap().starts_with("cargo "));
        assert_eq!(ask("no-such-program", &[]), None);
    }
}
