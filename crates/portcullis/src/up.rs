//! `up`: the first command of a newcomer. It uses the server that runs on this machine, or starts
//! one in the background, and opens the client. `down` stops what `up` has started.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_terminal::net::{Address, TlsRoots};
use portcullis_terminal::verbs::{Exit, Failure, note};

use crate::{chat, cli};

/// How long a server may take from its start to its first answer: a cold disk, a slow machine.
const START: Duration = Duration::from_secs(20);

/// How long a server may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// How often it is looked at meanwhile.
const POLL: Duration = Duration::from_millis(50);

/// How long an answer of a server that listens may take.
const ANSWER: Duration = Duration::from_secs(2);

/// Bytes of an answer that are read.
const ANSWER_BYTES: u64 = 4096;

/// What a server answers at `/healthz`.
const HEALTHY: &str = "ok";

/// The server's log, in its data folder.
const LOG: &str = "server.log";

/// The server's lock, in its data folder, with its process id in it.
const LOCK: &str = "lock";

/// Who answers at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Nobody,
    Portcullis,
    Other,
}

/// Opens the client at the server of this machine, which is started if need be.
pub(crate) fn up(options: cli::Up) -> Result<(), Failure> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let server = Address::parse(&format!("ws://{address}"));
    let server = server.map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    match ask(address) {
        Answer::Portcullis => {}
        Answer::Nobody => start(address, &options.data)?,
        Answer::Other => return Err(port_taken(address)),
    }
    let ended = chat::run(server, TlsRoots::System, options.identity);
    if let Some(pid) = running(&options.data) {
        note(&format!("The server goes on in the background (process {pid}), for others to talk."));
        note("`portcullis down` stops it; `portcullis up` brings you back.");
    }
    ended
}

/// Stops the server of a data folder.
pub(crate) fn down(options: &cli::Down) -> Result<(), Failure> {
    let folder = &options.data;
    let Some(pid) = running(folder) else {
        let message = format!("no server runs on {}", folder.display());
        return Err(Failure::new(Exit::Failed, message));
    };
    terminate(pid).map_err(|error| failed(&folder.join(LOCK), &error))?;
    let until = Instant::now() + STOP;
    while running(folder).is_some() {
        if Instant::now() > until {
            let message = format!("the server (process {pid}) has not stopped; see its log");
            return Err(Failure::new(Exit::Failed, message));
        }
        std::thread::sleep(POLL);
    }
    note("The server has stopped.");
    Ok(())
}

/// Starts a server that outlives this process, and waits until it answers.
fn start(address: SocketAddr, folder: &Path) -> Result<(), Failure> {
    create_folder(folder).map_err(|error| failed(folder, &error))?;
    let log = folder.join(LOG);
    let mut child = spawn(address, folder, &log).map_err(|error| failed(&log, &error))?;
    note(&format!("Starting a server on {address}, with its data in {} …", folder.display()));
    let until = Instant::now() + START;
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            let said = last_lines(&log);
            let message = format!("the server did not start ({status}):\n{said}");
            return Err(Failure::new(Exit::Failed, message));
        }
        if ask(address) == Answer::Portcullis {
            return Ok(());
        }
        if Instant::now() > until {
            let message = format!("the server does not answer; see {}", log.display());
            return Err(Failure::new(Exit::Unreachable, message));
        }
        std::thread::sleep(POLL);
    }
}

fn spawn(address: SocketAddr, folder: &Path, log: &Path) -> io::Result<Child> {
    let log = private().append(true).create(true).open(log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("serve").arg("--listen").arg(address.to_string()).arg("--data").arg(folder);
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    detach(&mut command);
    command.spawn()
}

/// Keys and hang-ups of this terminal are not for the server.
#[cfg(unix)]
fn detach(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
}

#[cfg(not(unix))]
fn detach(_: &mut Command) {}

/// Asks whether a Portcullis server listens.
fn ask(address: SocketAddr) -> Answer {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, ANSWER) else {
        return Answer::Nobody;
    };
    let request = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let asked = stream
        .set_read_timeout(Some(ANSWER))
        .and_then(|()| stream.set_write_timeout(Some(ANSWER)))
        .and_then(|()| stream.write_all(request.as_bytes()));
    // What was read before an error is an answer as well.
    let _ = asked.and_then(|()| stream.take(ANSWER_BYTES).read_to_end(&mut answer));
    if is_health(&String::from_utf8_lossy(&answer)) { Answer::Portcullis } else { Answer::Other }
}

fn is_health(answer: &str) -> bool {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    head.starts_with("HTTP/1.1 200") && body.contains(HEALTHY)
}

/// The process of the server that runs on a data folder: it holds the lock, and has written its id
/// there. An id that was left behind by a server that runs no more is not taken for one.
fn running(folder: &Path) -> Option<u32> {
    let mut file = File::open(folder.join(LOCK)).ok()?;
    let is_held = matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok().filter(|_| is_held)
}

#[cfg(unix)]
fn terminate(pid: u32) -> io::Result<()> {
    use rustix::process::{Pid, Signal, kill_process};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidData)?;
    Ok(kill_process(pid, Signal::TERM)?)
}

#[cfg(not(unix))]
fn terminate(_: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(5)).copied().collect::<Vec<_>>().join("\n")
}

fn port_taken(address: SocketAddr) -> Failure {
    let message = format!(
        "something that is no Portcullis server listens on {address}; \
         stop it, or choose another port with --port"
    );
    Failure::new(Exit::Failed, message)
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Unusable, format!("{}: {error}", path.display()))
}
