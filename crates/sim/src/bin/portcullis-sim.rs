//! Plays seeds: `portcullis-sim --seeds N [--from K]`. A failing seed is printed, and replays alone by
//! `--from SEED --seeds 1`.
#![allow(clippy::print_stdout, reason = "a program that reports")]

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str, default: u64| {
        let at = arguments.iter().position(|argument| argument == name);
        at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(default)
    };
    let (count, from) = (value("--seeds", 300), value("--from", 0));
    let (mut envelopes, mut faults, mut received) = (0, 0, 0);
    for seed in from..from + count {
        match portcullis_sim::run(seed) {
            Ok(report) => {
                envelopes += report.envelopes;
                faults += report.faults;
                received += report.received;
            }
            Err(violation) => {
                println!("seed {seed}: {violation}");
                println!("again: cargo xtask sim --seeds 1 --from {seed}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!(
        "{count} seeds from {from}: {envelopes} messages, {received} files, {faults} faults, no promise broken"
    );
    ExitCode::SUCCESS
}
