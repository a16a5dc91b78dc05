//! Running the program: a server, people with homes, and processes whose lines are waited for. Every
//! wait has a deadline, and nothing waits for time alone.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long anything may take on a machine with much else to do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(240);

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// A folder for a server and for people, and the address of the server.
pub(crate) struct World {
    folder: TempDir,
    address: Option<String>,
    options: Vec<String>,
}

impl World {
    pub(crate) fn new(options: &[&str]) -> Self {
        let options = options.iter().map(ToString::to_string).collect();
        Self { folder: TempDir::new().unwrap(), address: None, options }
    }

    /// Somebody else's server.
    pub(crate) fn at(address: impl ToString) -> Self {
        Self { address: Some(address.to_string()), ..Self::new(&[]) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Starts the server with these too, from the next time on.
    pub(crate) fn add_options(&mut self, options: &[&str]) {
        self.options.extend(options.iter().map(ToString::to_string));
    }

    /// Starts the server; again on the same port.
    pub(crate) fn serve(&mut self) -> Process {
        self.serve_by(|command| std::mem::replace(command, program()))
    }

    /// The same, by another command that does it.
    pub(crate) fn serve_by(&mut self, by: impl FnOnce(&mut Command) -> Command) -> Process {
        let listen = self.address.clone().unwrap_or_else(|| "127.0.0.1:0".to_owned());
        let mut command = program();
        command.args(["serve", "--listen", &listen, "--data"]).arg(self.path("data"));
        command.args(&self.options);
        let server = Process::start(by(&mut command));
        let line = server.line();
        let address = line.strip_prefix("listening on ").unwrap();
        self.address = Some(address.to_owned());
        server
    }

    /// The server's URL.
    pub(crate) fn server(&self) -> String {
        let tls = self.options.iter().any(|option| option == "--tls-cert");
        let scheme = if tls { "wss" } else { "ws" };
        format!("{scheme}://{}", self.address.as_deref().unwrap_or("127.0.0.1:1"))
    }

    /// `portcullis admin …` on this server's data.
    pub(crate) fn admin(&self, words: &[&str]) -> Output {
        program().arg("admin").args(words).arg("--data").arg(self.path("data")).output().unwrap()
    }

    /// A command line for somebody, by the home of this name.
    pub(crate) fn command(&self, user: &str, home: &str, words: &[&str]) -> Command {
        let password = self.path("password");
        if !password.exists() {
            write_private(&password, "correct horse\n");
        }
        let server = self.server();
        let (verb, rest) = words.split_at(if words[0] == "group" { 2 } else { 1 });
        let mut command = program();
        command.args(verb).args(["--server", &server, "--user", user, "--password-file"]);
        command.arg(password).arg("--home").arg(self.path(home)).args(rest);
        command
    }

    /// Runs a verb to its end.
    pub(crate) fn run(&self, user: &str, home: &str, words: &[&str]) -> Output {
        let mut command = self.command(user, home, words);
        if !words.contains(&"--timeout") {
            command.args(["--timeout", &DEADLINE.as_secs().to_string()]);
        }
        command.output().unwrap()
    }

    /// Runs a verb that has to succeed; its lines.
    pub(crate) fn lines(&self, user: &str, home: &str, words: &[&str]) -> Vec<Value> {
        let output = self.run(user, home, words);
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        text(&output.stdout).lines().map(json).collect()
    }

    /// Starts a verb, to watch it.
    pub(crate) fn start(&self, user: &str, home: &str, words: &[&str]) -> Process {
        Process::start(self.command(user, home, words))
    }

    /// Registers people, each by a home of their name.
    pub(crate) fn register(&self, users: &[&str]) {
        let begun: Vec<_> =
            users.iter().map(|user| self.start(user, user, &["register"])).collect();
        for process in begun {
            assert_eq!(process.end(), Some(0));
        }
    }
}

/// A process whose lines are read as they come.
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stderr.read_to_end(&mut bytes);
            text(&bytes)
        });
        Self { child, stdin, lines, errors: Some(errors) }
    }

    /// The next line.
    pub(crate) fn line(&self) -> String {
        self.line_within(DEADLINE).expect("a line in time")
    }

    /// The next line, as JSON.
    pub(crate) fn json(&self) -> Value {
        json(&self.line())
    }

    /// The next line, if one comes within this time.
    pub(crate) fn line_within(&self, time: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(time)
    }

    /// Writes a line to its standard input.
    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Ends its standard input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) fn terminate(self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.end()
    }

    /// Kills it as nothing can be caught.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end; its exit code.
    pub(crate) fn end(self) -> Option<i32> {
        self.ending().0
    }

    /// Waits for its end; its exit code, and what it has written to standard error.
    pub(crate) fn ending(mut self) -> (Option<i32>, String) {
        self.stdin = None;
        let status = self.wait();
        (status.code(), self.errors.take().unwrap().join().unwrap())
    }

    fn wait(&mut self) -> ExitStatus {
        // Its output ends when it does.
        let until = Instant::now() + DEADLINE;
        while let Ok(_) | Err(RecvTimeoutError::Timeout) = self.line_within(DEADLINE) {
            assert!(Instant::now() < until, "it ends in time");
        }
        self.child.wait().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a file that its owner alone may read.
pub(crate) fn write_private(path: &Path, content: &str) {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(path);
    file.unwrap().write_all(content.as_bytes()).unwrap();
}

pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
