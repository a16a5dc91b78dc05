//! The program that people install: how long it takes to start, and how large it is.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use portcullis_server::sqlite::{SqliteStore, bench};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;

use crate::process::Folder;
use crate::table::{Table, milliseconds};
use crate::{Options, connect};

/// Starts of each kind; the table has the shortest and the longest.
const STARTS: u32 = 9;

/// Envelopes in a transaction while messages are generated.
const BATCH: u64 = 4_096;

/// An empty data folder, a full one, and the floor: the same program that only says its version.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let program = program()?;
    let size = std::fs::metadata(&program)?.len() as f64 / 1e6;
    let mut rows = Vec::new();
    let version = || {
        let begun = Instant::now();
        let status = Command::new(&program).arg("--version").stdout(Stdio::null()).status()?;
        ensure!(status.success(), "--version failed");
        Ok(begun.elapsed())
    };
    rows.push(row("floor: the program says its version", size, version)?);
    for messages in [0, options.messages as u64] {
        let folder = Folder::make()?;
        fill(folder.path(), messages)?;
        let name = format!("a server with {messages} messages accepts");
        rows.push(row(&name, size, || start(&program, folder.path()))?);
    }
    Ok(Table { head: vec!["cold start", "shortest, ms", "longest, ms", "MB of the program"], rows })
}

fn row(
    name: &str,
    size: f64,
    time: impl Fn() -> anyhow::Result<Duration>,
) -> anyhow::Result<Vec<String>> {
    let mut times = (0..STARTS).map(|_| time()).collect::<anyhow::Result<Vec<_>>>()?;
    times.sort();
    let ends = [times.first(), times.last()];
    let [shortest, longest] = ends.map(|time| milliseconds(time.copied().unwrap_or_default()));
    Ok(vec![name.to_owned(), shortest, longest, format!("{size:.1}")])
}

fn fill(folder: &Path, messages: u64) -> anyhow::Result<()> {
    // NO SECURITY: seeded, like everything in such a folder.
    let mut random = ChaCha20Rng::seed_from_u64(3);
    SqliteStore::open(folder)?.load_or_create_setup(&mut random)?;
    if messages > 0 {
        bench::submits(folder, BATCH, messages)?;
    }
    Ok(())
}

/// From the start of the process until a WebSocket connection is open.
fn start(program: &Path, folder: &Path) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let mut command = Command::new(program);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut child = Ended(child);
    let output = child.0.stdout.take().context("the server's output")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on ").context("where it listens")?;
    let stream = connect::handshake(address.parse()?)?;
    let elapsed = begun.elapsed();
    drop(stream);
    Ok(elapsed)
}

/// A process that is killed and waited for when dropped: the next one wants its folder.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `portcullis`, as it was built beside this program.
fn program() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path")?;
    let program = own.with_file_name("portcullis");
    ensure!(program.exists(), "build `portcullis` first, in the same profile");
    Ok(program)
}
