//! What moving a file from one person to another costs, beside its floors, on this machine, in this run.
//!
//! `portcullis-bench-files [--mebibytes N] [--repeats N] [--folder DIR] [--ways floor,tcp,quic,relay,sendme]`. Sender,
//! recipient and server are processes of their own, with the engine of the client and the whole of the server; what the
//! two would say to each other in a conversation goes through this one. Another program is measured beside ours if it
//! is installed.
//! Measured is the whole way: reading, sealing and hashing for the offer, then reading, sealing and comparing once
//! more, the loopback, verifying, opening, writing, and making it durable.
#![allow(clippy::print_stdout, reason = "the table is what this program is for")]

mod floor;
mod pair;
mod party;
mod process;
mod sendme;
mod table;
mod words;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use pair::Pair;
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

/// What can be set on the command line.
struct Options {
    mebibytes: u64,
    repeats: u32,
    folder: PathBuf,
    /// The ways to measure.
    ways: String,
}

/// The program that lends a server; it lies beside this one.
const SERVER: &str = "portcullis-bench";

/// Where no server is.
const NOWHERE: &str = "127.0.0.1:1";

fn measure(arguments: &[String]) -> Result<()> {
    let options = options(arguments)?;
    let folder = floor::Folder::make(&options.folder)?;
    let source = folder.path().join("source");
    floor::write_random(&source, options.mebibytes << 20)?;
    let mut rows = Vec::new();
    for _ in 0..options.repeats {
        rows.extend(round(&options, &source, folder.path())?);
    }
    table::print(options.mebibytes, &rows);
    Ok(())
}

fn options(arguments: &[String]) -> Result<Options> {
    let (folder, ways) = (std::env::temp_dir(), "floor,tcp,quic,relay,sendme".to_owned());
    let mut options = Options { mebibytes: 1024, repeats: 3, folder, ways };
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--mebibytes" => options.mebibytes = value.parse()?,
            [name, value] if name == "--repeats" => options.repeats = value.parse()?,
            [name, value] if name == "--folder" => options.folder = PathBuf::from(value),
            [name, value] if name == "--ways" => options.ways.clone_from(value),
            other => return Err(format!("there is no option {other:?}").into()),
        }
    }
    Ok(options)
}

/// Each of the ways once.
fn round(options: &Options, source: &Path, folder: &Path) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for way in options.ways.split(',') {
        match way {
            "floor" => rows.extend(floors(options.mebibytes, source, folder)?),
            "tcp" | "quic" => rows.extend(direct(way, source, folder)?),
            "relay" => rows.extend(relayed(source, folder)?),
            "sendme" => rows.extend(sendme::row(source, folder)?),
            other => return Err(format!("there is no way {other}").into()),
        }
    }
    Ok(rows)
}

/// A program beside this one, or, if there is none, as the system finds it.
fn program(name: &str) -> Option<PathBuf> {
    let own = std::env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = beside.into_iter().chain(std::env::split_paths(&paths));
    folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
}

fn floors(mebibytes: u64, source: &Path, folder: &Path) -> Result<Vec<Row>> {
    Ok(vec![
        Row::new("floor: AES-256-GCM alone, one thread", floor::cipher(mebibytes)?),
        Row::new("floor: the hash alone, one thread", floor::hash(mebibytes)?),
        Row::new("floor: cp", floor::copy(source, folder, false)?),
        Row::new("floor: cp, made durable", floor::copy(source, folder, true)?),
    ])
}

/// From a sender to a recipient directly, by TCP or by QUIC.
fn direct(by: &str, source: &Path, folder: &Path) -> Result<Vec<Row>> {
    let mut pair = Pair::start(folder, source, NOWHERE)?;
    let (offer, prepared) = pair.sender.ask("prepare")?;
    let (ways, _) = pair.sender.ask("serve")?;
    let (moving, whole) = match by {
        "quic" => ("QUIC: moving", "QUIC: the whole way"),
        _ => ("direct: moving", "direct: the whole way"),
    };
    let (moved, whole) =
        pair.transfer(&format!("dial {offer} {by} {ways}"), prepared, source, whole)?;
    Ok(vec![Row::new("preparing the offer", prepared), Row::new(moving, moved), whole])
}

/// By way of the server: fetched while it is still being put there.
fn relayed(source: &Path, folder: &Path) -> Result<Vec<Row>> {
    let Some(program) = program(SERVER) else { return Ok(Vec::new()) };
    let mut server = Party::start(Command::new(program).arg("lend"))?;
    let address = server.hear()?;
    let mut pair = Pair::start(folder, source, &address)?;
    let (offer, prepared) = pair.sender.ask("prepare")?;
    let blob = words::read(&offer)?;
    let bytes = blob.blob_bytes().ok_or("too large")?;
    let (tokens, _) = server.ask(&format!("{} {bytes}", blob.transfer))?;
    let (store, fetch) = tokens.split_once(' ').ok_or("no tokens")?;
    pair.server = Some(server);
    pair.sender.ask(&format!("upload {store}"))?;
    let (received, whole) = (format!("fetch {offer} {fetch}"), "relayed: the whole way");
    let (moved, whole) = pair.transfer(&received, prepared, source, whole)?;
    Ok(vec![Row::new("relayed: moving", moved), whole])
}
