//! NO SECURITY. `portcullis-range`: the range's server, and the learner's and the teacher's command line.

#![forbid(unsafe_code)]

use portcullis_range::cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
