//! The range as a program: real processes, real sockets, a real folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod bounds;
mod class;
mod doors;
mod exploits;
mod learner;
mod safety;
mod told;

use serde_json::Value;
use std::borrow::BorrowMut;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

const PROGRAM: &str = env!("CARGO_BIN_EXE_portcullis-range");

/// A range that runs, in a folder of its own; it ends with this.
struct Range {
    process: Child,
    folder: tempfile::TempDir,
    address: String,
}

impl Range {
    fn start(options: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), options)
    }

    fn start_in(folder: tempfile::TempDir, options: &[&str]) -> Self {
        Self::run(folder, Command::new(PROGRAM), options)
    }

    /// By way of another program, which is given the range's as its arguments.
    fn start_by(by: &mut Command) -> Self {
        by.arg(PROGRAM);
        Self::run(tempfile::tempdir().unwrap(), by, &[])
    }

    fn run(
        folder: tempfile::TempDir,
        mut program: impl BorrowMut<Command>,
        options: &[&str],
    ) -> Self {
        let mut process = program
            .borrow_mut()
            .args(["start", "--listen", "127.0.0.1:0", "--folder"])
            .arg(folder.path().join("range"))
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("the range is at http://")?.1.to_owned()))
            .expect("the range says where it is");
        Self { process, folder, address }
    }

    /// Kills it, and starts it again on what it had written.
    fn restart(mut self, options: &[&str]) -> Self {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        let empty = tempfile::tempdir().unwrap();
        let folder = std::mem::replace(&mut self.folder, empty);
        Self::start_in(folder, options)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a learner's verb.
    fn learner(&self, name: &str, arguments: &[&str]) -> Output {
        let home = self.path(&format!("learner-{name}"));
        let (words, at) = (arguments, ["--range", &self.address, "--learner"]);
        Command::new(PROGRAM).args(words).args(at).arg(home).output().unwrap()
    }

    /// The same, which must succeed; what it printed.
    fn says(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.learner(name, arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{arguments:?}: {out}{err}");
        out
    }

    /// The same, which must fail; what it printed on standard error.
    fn refuses(&self, name: &str, arguments: &[&str]) -> String {
        let output = self.learner(name, arguments);
        assert!(!output.status.success(), "{arguments:?}: {}", text(&output.stdout));
        text(&output.stderr)
    }

    /// A learner's `wire` of `sender-spoof` that follows.
    fn follows(&self, name: &str) -> Child {
        let mut verb = Command::new(PROGRAM);
        verb.args(["wire", "sender-spoof", "--follow", "--json", "--range", &self.address]);
        verb.arg("--learner").arg(self.path(&format!("learner-{name}")));
        verb.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs a teacher's verb.
    fn teacher(&self, arguments: &[&str]) -> Output {
        let (words, folder) = (["class"].iter().chain(arguments), self.path("range"));
        Command::new(PROGRAM).args(words).arg("--folder").arg(folder).output().unwrap()
    }

    fn teaches(&self, arguments: &[&str]) -> String {
        let output = self.teacher(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// The address of a door of a learner's world.
    fn door(&self, name: &str, slug: &str, door: &str) -> String {
        let printed = self.says(name, &["connect", slug]);
        let words = printed.split_whitespace();
        let mut urls = words.filter(|word| word.starts_with("ws://"));
        urls.find(|url| url.ends_with(door)).expect("the door's address").to_owned()
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A learner's script: a WebSocket to a door.
struct Script(WebSocket<TcpStream>);

impl Script {
    fn open(url: &str) -> Self {
        Self::try_open(url, &[("Sec-WebSocket-Protocol", "portcullis-range.v1")]).unwrap()
    }

    fn try_open(url: &str, headers: &[(&'static str, &str)]) -> Result<Self, String> {
        let mut request = url.into_client_request().unwrap();
        let address = request.uri().authority().unwrap().to_string();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let opened = tungstenite::client(request, stream);
        opened.map(|(socket, _)| Self(socket)).map_err(|error| error.to_string())
    }

    fn send(&mut self, frame: &Value) {
        self.0.send(Message::text(frame.to_string())).unwrap();
    }

    /// The next frame; the reason where the connection is closed.
    fn hear(&mut self) -> Result<Value, String> {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => return Ok(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(close)) => {
                    return Err(close.map(|close| close.reason.to_string()).unwrap_or_default());
                }
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    /// All that came because of what was sent before: a ping is answered after it.
    fn settled(&mut self) -> Vec<Value> {
        let mut heard = Vec::new();
        self.0.send(Message::Ping("settled".into())).unwrap();
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => heard.push(serde_json::from_str(&text).unwrap()),
                Ok(Message::Pong(_)) | Err(_) => return heard,
                Ok(_) => {}
            }
        }
    }

    /// Hangs up; the connection ends after what its end led to.
    fn close(mut self) {
        self.0.close(None).unwrap();
        while self.0.read().is_ok() {}
    }

    /// The answer to a request.
    fn ask(&mut self, request: &str, data: &Value) -> Value {
        self.send(&serde_json::json!({"id": 7, "request": request, "data": data}));
        loop {
            let frame = self.hear().unwrap();
            if frame["id"] == 7 {
                return frame;
            }
        }
    }
}

/// What a bare HTTP/1.1 request is answered with.
fn http(address: &str, request: &str) -> String {
    use std::io::Write as _;
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
