//! How fast the server is, beside its floor, on this machine, in this run.
//!
//! `portcullis-bench [all|fan-out|guests|submits|idle|storm|start|blobs] [--seconds N] [--receivers N] [--outstanding N]
//! [--body N] [--connections N] [--messages N] [--mebibytes N]`. Each row starts its server as a process of its own (this same
//! binary) and drives it from here, so that the server's processor time and memory can be read from
//! `/proc`.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

mod blobs;
mod broadcast;
mod connect;
mod fan_out;
mod floor;
mod frames;
mod guests;
mod idle;
mod load;
mod process;
mod start;
mod storm;
mod submits;
mod table;
mod whole;
mod world;

use anyhow::{Context as _, bail};

/// What can be set on the command line.
#[derive(Clone, Debug)]
struct Options {
    /// How long each row is measured, after a second of warming up.
    seconds: u64,
    /// Connections in the room.
    receivers: usize,
    /// Messages that the sender has under way.
    outstanding: usize,
    /// Bytes of an envelope's body. 175 make an event of about 512 bytes.
    body: usize,
    /// Bytes of a frame, for the floor.
    frame: usize,
    /// Idle connections, and those of a storm.
    connections: usize,
    /// Stored messages, for a start.
    messages: usize,
    /// MiB of a blob.
    mebibytes: u64,
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "all".to_owned());
    let options = options(arguments)?;
    portcullis_server::raise_file_limit();
    match what.as_str() {
        "serve-floor" => floor::serve(options.receivers, options.frame),
        "serve-broadcast" => broadcast::serve(),
        "serve-whole" => whole::serve(&process::Folder::given()?),
        "lend" => blobs::lend(),
        "fan-out" => table::print(&fan_out::rows(&options)?),
        "guests" => table::print(&guests::rows(&options)?),
        "submits" => table::print(&submits::rows(&options)?),
        "idle" => table::print(&idle::rows(&options)?),
        "storm" => table::print(&storm::rows(&options)?),
        "blobs" => table::print(&blobs::rows(&options)?),
        "start" => table::print(&start::rows(&options)?),
        "all" => {
            table::print(&fan_out::rows(&options)?)?;
            table::print(&guests::rows(&options)?)?;
            table::print(&submits::rows(&options)?)?;
            table::print(&idle::rows(&options)?)?;
            table::print(&storm::rows(&options)?)?;
            table::print(&blobs::rows(&options)?)?;
            table::print(&start::rows(&options)?)
        }
        other => bail!("there is no row named {other}"),
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Options> {
    let mut options = Options {
        seconds: 5,
        receivers: 500,
        outstanding: 32,
        body: 175,
        frame: 512,
        connections: 5_000,
        messages: 1_000_000,
        mebibytes: 1_024,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().with_context(|| format!("{name} wants a number"))?;
        let value: usize = value.parse().with_context(|| format!("{name} {value}"))?;
        match name.as_str() {
            "--seconds" => options.seconds = value as u64,
            "--receivers" => options.receivers = value,
            "--outstanding" => options.outstanding = value,
            "--body" => options.body = value,
            "--frame" => options.frame = value,
            "--connections" => options.connections = value,
            "--mebibytes" => options.mebibytes = value as u64,
            "--messages" => options.messages = value,
            other => bail!("there is no option named {other}"),
        }
    }
    Ok(options)
}
