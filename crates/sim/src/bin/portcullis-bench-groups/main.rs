//! What encrypted conversations cost a client, beside their floor, on this machine, in this run.
//!
//! `portcullis-bench-groups [all|operations|catch-up|memory] [--messages N] [--repeats N]`. The clients are
//! whole ones; the server is the core, in memory and in this process, and its time is not counted. The floor
//! is the same done by the keys alone (`portcullis-mls`): no client around them, no server, no disk.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

mod catch_up;
mod clients;
mod figure;
mod keys;
mod memory;
mod operations;
mod stage;
mod table;

use anyhow::{Context as _, Result, bail};

/// Numbers of members that are measured.
const SIZES: [usize; 3] = [2, 50, 256];

/// Those of them at which a client catches up.
const CATCH_UP: [usize; 2] = [2, 256];

/// Numbers of conversations, and of the members of each, of which a client at rest is measured.
const AT_REST: [(usize, usize); 2] = [(200, 2), (20, 50)];

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "all".to_owned());
    let (mut messages, mut repeats) = (10_000, 3);
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} wants a number"))?;
        let value: usize = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--messages" => messages = value,
            "--repeats" => repeats = value,
            other => bail!("there is no option named {other}"),
        }
    }
    let all = what == "all";
    if !all && !["operations", "catch-up", "memory"].contains(&what.as_str()) {
        bail!("there is no table named {what}");
    }
    // Memory first, as long as the process has not used much yet.
    if all || what == "memory" {
        table::print(&memory::rows(&AT_REST)?);
    }
    if all || what == "operations" {
        table::print(&operations::rows(&SIZES, repeats)?);
    }
    if all || what == "catch-up" {
        table::print(&catch_up::rows(&CATCH_UP, messages)?);
    }
    Ok(())
}
