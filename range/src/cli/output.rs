//! What verbs print on standard output, for people and for programs.

use portcullis_terminal::ui::safe_text::SafeLine;
use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::os::fd::AsFd as _;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::unix::pipe;
use tokio::runtime::Builder;

/// Why a verb ends before its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// This is why.
    Told(String),
    /// Whoever read standard output has gone: nothing to complain of.
    PipeClosed,
}

impl From<String> for Failure {
    fn from(why: String) -> Self {
        Self::Told(why)
    }
}

impl From<&str> for Failure {
    fn from(why: &str) -> Self {
        Self::Told(why.to_owned())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Told(why) => f.write_str(why),
            Self::PipeClosed => f.write_str("nobody reads this any more"),
        }
    }
}

/// Prints a text for a person, and a line's end. What others wrote into it is shown, never obeyed.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let lines = SafeLine::body(text);
    let lines: Vec<&str> = lines.iter().map(SafeLine::as_str).collect();
    exactly(&lines.join("\n"))
}

/// Prints a text for a program as it is, and a line's end.
pub(super) fn exactly(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::PipeClosed,
        kind => Failure::Told(format!("standard output: {kind}")),
    })
}

/// Says something beside what is printed, which programs read. Nobody has to be there to hear it.
pub(super) fn mention(what: &str) {
    let _ = writeln!(io::stderr().lock(), "portcullis-range: {what}");
}

/// Waits for so long.
///
/// # Errors
/// [`Failure::PipeClosed`] as soon as nobody reads standard output any more.
pub(super) fn pause(time: Duration) -> Result<(), Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        // A file has no reader who goes, and can't be waited for.
        let out = io::stdout().as_fd().try_clone_to_owned();
        let Ok(out) = out.and_then(pipe::Sender::from_owned_fd_unchecked) else {
            tokio::time::sleep(time).await;
            return Ok(());
        };
        match tokio::time::timeout(time, out.ready(Interest::ERROR)).await {
            Ok(_) => Err(Failure::PipeClosed),
            Err(_) => Ok(()),
        }
    })
}

/// Prints what is formatted, for a person.
macro_rules! say {
    ($($what:tt)*) => { $crate::cli::output::text(&format!($($what)*))? };
}
pub(super) use say;
