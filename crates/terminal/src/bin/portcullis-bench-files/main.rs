//! What moving a file from one person to another costs, beside its floors, on this machine, in this run.
//!
//! `portcullis-bench-files [--mebibytes N] [--repeats N] [--folder DIR]`. Sender and recipient are processes of their
//! own, with the engine of the client; what they would say to each other in a conversation goes through this one.
//! Measured is the whole way: reading, sealing and hashing for the offer, then reading, sealing and comparing once
//! more, the loopback, verifying, opening, writing, and making it durable.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

mod floor;
mod party;
mod process;
mod table;
mod words;

use std::error::Error;
use std::path::{Path, PathBuf};

use party::Party;
use table::{Cost, Row};

/// What may go wrong: this program only reports it.
type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((who, rest)) if who == "sender" || who == "recipient" => party::run(rest),
        _ => measure(&arguments),
    }
}

fn measure(arguments: &[String]) -> Result<()> {
    let (mut mebibytes, mut repeats, mut folder) = (1024, 3, std::env::temp_dir());
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--mebibytes" => mebibytes = value.parse()?,
            [name, value] if name == "--repeats" => repeats = value.parse()?,
            [name, value] if name == "--folder" => folder = PathBuf::from(value),
            other => return Err(format!("there is no option {other:?}").into()),
        }
    }
    let folder = floor::Folder::make(&folder)?;
    let source = folder.path().join("source");
    floor::write_random(&source, mebibytes << 20)?;
    let mut rows = Vec::new();
    for _ in 0..repeats {
        rows.push(Row::new("floor: AES-256-GCM alone, one thread", floor::cipher(mebibytes)?));
        rows.push(Row::new("floor: the hash alone, one thread", floor::hash(mebibytes)?));
        rows.push(Row::new("floor: cp", floor::copy(&source, folder.path(), false)?));
        rows.push(Row::new("floor: cp, made durable", floor::copy(&source, folder.path(), true)?));
        rows.extend(direct("tcp", &source, folder.path())?);
        rows.extend(direct("quic", &source, folder.path())?);
    }
    table::print(mebibytes, &rows);
    Ok(())
}

/// From a sender to a recipient directly, by TCP or by QUIC.
fn direct(by: &str, source: &Path, folder: &Path) -> Result<Vec<Row>> {
    let (from, into) = (folder.join("sender"), folder.join("recipient"));
    let mut sender = Party::start("sender", &[&from, source])?;
    let mut recipient = Party::start("recipient", &[&into])?;
    let (offer, prepared) = sender.ask("prepare")?;
    // The two know each other's device, as in a conversation.
    let (ways, _) = sender.ask("serve")?;
    let before = sender.processor_time()?;
    let (received, mut moved) = recipient.ask(&format!("dial {offer} {by} {ways}"))?;
    moved.processor += sender.processor_time()?.saturating_sub(before);
    let (sender, recipient) = (sender.end()?, recipient.end()?);
    floor::is_same(source, Path::new(&received))?;
    std::fs::remove_dir_all(from)?;
    std::fs::remove_dir_all(into)?;
    let (time, processor) = (prepared.time + moved.time, prepared.processor + moved.processor);
    let cost = Cost { time, processor };
    Ok(if by == "quic" {
        let whole = Row::new("QUIC: the whole way", cost);
        vec![Row::new("QUIC: moving", moved), whole.with_memory(sender, recipient)]
    } else {
        let whole = Row::new("direct: the whole way", cost);
        vec![
            Row::new("direct: preparing the offer", prepared),
            Row::new("direct: moving", moved),
            whole.with_memory(sender, recipient),
        ]
    })
}
