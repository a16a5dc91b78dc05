//! A server as a process of its own, and what the system says it has used. Source: proc(5).

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// Clock ticks a second in `/proc/PID/stat`: the same on every Linux that Rust runs on.
const TICKS: u64 = 100;

impl Server {
    /// Starts this binary once more. Its first line of output is its address.
    pub(crate) fn start(arguments: &[&str], folder: Option<&Path>) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("this program's own path")?;
        let mut command = Command::new(own);
        command.args(arguments).stdout(Stdio::piped());
        if let Some(folder) = folder {
            command.env(FOLDER, folder);
        }
        let mut child = command.spawn()?;
        let output = child.stdout.take().context("the server's output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("an address: {line:?}"))?;
        Ok(Server { child, address })
    }

    /// Processor time used so far, in user and kernel mode, by all threads.
    pub(crate) fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field is the name in parentheses, which may hold anything.
        let after_name = stat.rsplit_once(") ").context("stat without a name")?.1;
        let field = |index| -> anyhow::Result<u64> {
            let field = after_name.split(' ').nth(index).context("a short stat")?;
            Ok(field.parse()?)
        };
        // utime and stime are fields 14 and 15, counted from 1; here the third is 0.
        let ticks = field(11)? + field(12)?;
        Ok(Duration::from_millis(ticks * 1_000 / TICKS))
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident(&self) -> anyhow::Result<u64> {
        self.memory("VmRSS:")
    }

    /// One of the system's figures of its memory, in KiB.
    pub(crate) fn memory(&self, name: &'static str) -> anyhow::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context(name)?.parse()?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A new data folder; removed when dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn make() -> anyhow::Result<Self> {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("portcullis-bench-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Folder(path))
    }

    /// The folder that the process which started this one has made.
    pub(crate) fn given() -> anyhow::Result<PathBuf> {
        Ok(std::env::var_os(FOLDER).context(FOLDER)?.into())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What can't be removed stays in the system's folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The environment variable by which a server is told its data folder.
const FOLDER: &str = "PORTCULLIS_BENCH_FOLDER";
