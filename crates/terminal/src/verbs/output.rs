//! What verbs print: JSON lines on standard output for programs, sentences on standard error for people.

use std::io::{self, ErrorKind, Write as _};

use portcullis_client_core::IdentityState;
use serde::Serialize;

use super::{Exit, Failure};
use crate::ui::safe_text::SafeLine;

/// Prints a line, and has it on its way when this returns.
pub(super) fn line(value: &impl Serialize) -> Result<(), Failure> {
    let mut bytes = serde_json::to_vec(value)
        .map_err(|_| Failure::new(Exit::Failed, "a line can't be written as JSON"))?;
    bytes.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::pipe_closed(),
        kind => Failure::new(Exit::Failed, format!("standard output: {kind}")),
    })
}

/// What is known of an identity, for programs.
pub(super) const fn identity(state: IdentityState) -> &'static str {
    match state {
        IdentityState::NotVerified => "not_verified",
        IdentityState::Verified => "verified",
        IdentityState::Changed => "changed",
        IdentityState::Own => "own",
        IdentityState::Guest => "guest",
    }
}

/// Tells a person something. What others wrote into it is shown, never obeyed.
pub fn note(text: &str) {
    // Where nobody can be told, nobody is.
    let _ = writeln!(io::stderr().lock(), "portcullis: {}", SafeLine::name(text).as_str());
}
