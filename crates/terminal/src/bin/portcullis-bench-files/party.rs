//! A sender or a recipient: this program once more, as a process of its own with an engine of its own. It is told
//! what to do in lines, and answers each with one.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use portcullis_client_core::defences::{SOUND, path_pass};
use portcullis_client_core::{Assignment, Moved, Task};
use portcullis_crypto::{AuthKey, Secret};
use portcullis_proto::{DeviceId, FileOffer, QuicWay};
use portcullis_terminal::files::{Engine, Preparing, Setup};
use portcullis_terminal::net::{Address, Connector, TlsRoots};

use super::process::{Killed, peak_memory, processor_time};
use super::{Cost, Result, words};

/// The recipient's device.
const DEVICE: DeviceId = DeviceId::from_bytes([7; 16]);

/// And its key.
fn auth() -> AuthKey {
    AuthKey::from_secret(&Secret::from_bytes([7; 32]))
}

/// A running process; killed when dropped.
pub(crate) struct Party {
    child: Killed,
    lines: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Party {
    /// This program once more, as somebody with that server.
    pub(crate) fn of_this(who: &str, server: &str, paths: &[&Path]) -> Result<Self> {
        Self::start(Command::new(std::env::current_exe()?).args([who, server]).args(paths))
    }

    pub(crate) fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Self { child: Killed(child), lines, answers })
    }

    /// Says a line, and waits for the answer; says what that has cost it.
    pub(crate) fn ask(&mut self, line: &str) -> Result<(String, Cost)> {
        let before = self.processor_time()?;
        let start = Instant::now();
        let answer = self.say(line)?;
        let time = start.elapsed();
        Ok((answer, Cost { time, processor: self.processor_time()?.saturating_sub(before) }))
    }

    /// What it has used so far.
    pub(crate) fn processor_time(&mut self) -> Result<Duration> {
        Ok(Duration::from_millis(self.say("used")?.parse()?))
    }

    fn say(&mut self, line: &str) -> Result<String> {
        writeln!(self.lines.as_mut().ok_or("no input")?, "{line}")?;
        self.hear()
    }

    /// Ends it; gives the KiB that it has had at most.
    pub(crate) fn end(mut self) -> Result<u64> {
        self.lines = None;
        let memory = self.hear()?.parse()?;
        // It may have something to clear up, too.
        self.child.0.wait()?;
        Ok(memory)
    }

    /// Its next line.
    pub(crate) fn hear(&mut self) -> Result<String> {
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }
}

/// What such a process does.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (server, paths) = arguments.split_first().ok_or("no server")?;
    let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
    let home = paths.first().ok_or("no folder")?;
    std::fs::create_dir(home)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(answer_all(server, home, paths.get(1..).unwrap_or_default()))?;
    println!("{}", peak_memory()?);
    Ok(())
}

async fn answer_all(server: &str, home: &Path, sources: &[PathBuf]) -> Result<()> {
    let server = Address::parse(&format!("ws://{server}"))?;
    let server = Connector::new(server, &TlsRoots::System)?;
    let (home, downloads) = (home.to_owned(), home.to_owned());
    let setup = Setup { home, downloads, server, device: DEVICE, listen: None, defences: SOUND };
    let mut engine = Engine::new(setup)?;
    let mut own = None;
    for line in std::io::stdin().lines() {
        let line = line?;
        let said: Vec<&str> = line.split(' ').collect();
        let answer = match said.as_slice() {
            ["used"] => processor_time()?.as_millis().to_string(),
            ["prepare"] => {
                let prepared = engine.prepare(sources.to_vec(), Preparing::default());
                let (offer, place, _) = prepared.await??;
                let word = words::of(&offer);
                own = Some((offer, place));
                word
            }
            ["serve"] => {
                let (offer, place) = own.clone().ok_or("nothing is prepared")?;
                let task = Task::Serve { device: DEVICE, auth: auth().public(), own: None };
                engine.assign(Assignment { offer, own: true, place, task });
                match engine.next().await {
                    Some((_, Moved::Listening { tcp, quic, .. })) => {
                        serde_json::to_string(&(tcp, quic))?
                    }
                    other => return Err(format!("{other:?}").into()),
                }
            }
            ["upload", token] => {
                let (offer, place) = own.clone().ok_or("nothing is prepared")?;
                let task = Task::Upload { token: (*token).to_owned(), begin: 0 };
                engine.assign(Assignment { offer, own: true, place, task });
                String::new()
            }
            ["fetch", offer, token] => {
                let task = Task::Fetch { token: (*token).to_owned() };
                receive(&mut engine, words::read(offer)?, task).await?
            }
            ["dial", offer, by, ways] => {
                let (tcp, quic): (Vec<SocketAddr>, Option<QuicWay>) = serde_json::from_str(ways)?;
                let (tcp, quic) = if *by == "quic" { (Vec::new(), quic) } else { (tcp, None) };
                let offer = words::read(offer)?;
                let pass = path_pass(&auth(), &offer.key, DEVICE);
                let task = Task::Dial { tcp, quic, own: None, pass };
                receive(&mut engine, offer, task).await?
            }
            other => return Err(format!("{other:?}").into()),
        };
        println!("{answer}");
    }
    Ok(())
}

async fn receive(engine: &mut Engine, offer: FileOffer, task: Task) -> Result<String> {
    engine.assign(Assignment { offer, own: false, place: String::new(), task });
    match engine.next().await {
        Some((_, Moved::Received { paths })) => Ok(paths.first().ok_or("no path")?.clone()),
        other => Err(format!("{other:?}").into()),
    }
}
