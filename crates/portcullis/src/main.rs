//! Portcullis: the program that people install. It reads the command line, runs the command, and ends
//! with an exit code that scripts can rely on (`docs/exit-codes.md`).

#![forbid(unsafe_code)]

mod admin;
mod chat;
mod cli;
mod commands;
mod serve;
mod up;

use std::process::ExitCode;

use portcullis_terminal::verbs::{Exit, note};

fn main() -> ExitCode {
    let Err(failure) = commands::run(cli::parse()) else {
        return ExitCode::from(Exit::Done.code());
    };
    if !failure.message.is_empty() {
        note(&failure.message);
    }
    ExitCode::from(failure.exit.code())
}
