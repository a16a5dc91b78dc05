//! Everybody comes back at once: how long until all have what they missed, and what those who are
//! talking notice of it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use socket2::{Domain, Socket, Type};

use crate::connect::{self, Opening};
use crate::process::{Folder, Server};
use crate::table::{Table, milliseconds, percentile};
use crate::world::Speech;
use crate::{Options, world};

/// Conversations of those who come back; each has missed what was said in one of them.
const MISSED_IN: u32 = 50;

/// Messages that each has missed.
const MISSED: u64 = 200;

/// Connections that go on talking meanwhile, each in a thread and in a conversation of its own.
const TALKERS: u32 = 4;

/// Person n is in conversation n modulo so many.
const CONVERSATIONS: u32 = MISSED_IN + TALKERS;

/// Threads that bring the others back: each opens all of its connections before it reads any.
const DRIVERS: u32 = 4;

/// How long a talker waits after a reply.
const PAUSE: Duration = Duration::from_millis(2);

/// The whole server; and one thread that writes the same bytes to as many connections.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let people = u32::try_from(options.connections)?;
    let whole = whole(people, options.body)?;
    let floor = floor(people, whole.bytes)?;
    let megabytes = whole.bytes as f64 * f64::from(people) / 1e6;
    let row = |name: &str, storm: &Storm| {
        vec![
            format!("{name}: {people} clients, {MISSED} messages each"),
            format!("{:.2}", storm.elapsed.as_secs_f64()),
            format!("{megabytes:.0}"),
            storm.processor.map_or_else(String::new, |time| format!("{:.2}", time.as_secs_f64())),
            storm.latencies.last().map_or_else(String::new, |_| milliseconds(storm.calm)),
            percentile(&storm.latencies, 50),
            percentile(&storm.latencies, 99),
            storm.latencies.last().copied().map_or_else(String::new, milliseconds),
        ]
    };
    Ok(Table {
        head: vec![
            "reconnect storm",
            "seconds until all are caught up",
            "MB",
            "s CPU",
            "longest stall before, ms",
            "p50 ms of talkers in it",
            "p99 ms",
            "longest stall, ms",
        ],
        rows: vec![row("the server", &whole), row("floor", &floor)],
    })
}

struct Storm {
    elapsed: Duration,
    /// Bytes that each is sent to catch up.
    bytes: usize,
    processor: Option<Duration>,
    /// The longest stall before the storm.
    calm: Duration,
    /// What the talkers waited for their replies in it, sorted.
    latencies: Vec<Duration>,
}

fn whole(people: u32, body: usize) -> anyhow::Result<Storm> {
    let folder = Folder::make()?;
    populate(folder.path(), people, body)?;
    let server = Server::start(&["serve-whole"], Some(folder.path()))?;
    let calm = talk_while(server.address, body, || {
        std::thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    let (processor, mut bytes, begun) = (server.processor_time()?, 0, Instant::now());
    let mut elapsed = Duration::ZERO;
    let latencies = talk_while(server.address, body, || {
        bytes = come_back(server.address, people)?;
        elapsed = begun.elapsed();
        Ok(())
    })?;
    let processor = Some(server.processor_time()? - processor);
    let calm = calm.last().copied().unwrap_or_default();
    Ok(Storm { elapsed, bytes, processor, calm, latencies })
}

/// The people, and what was said.
fn populate(folder: &Path, people: u32, body: usize) -> anyhow::Result<()> {
    world::populate(folder, person(people), CONVERSATIONS)?;
    let server = Server::start(&["serve-whole"], Some(folder))?;
    let mut speech = Speech::new(CONVERSATIONS, body);
    for number in 0..MISSED_IN {
        let mut stream = connect::resume(server.address, number)?;
        let mut frames = Vec::new();
        (0..MISSED).for_each(|count| {
            frames.extend(connect::frame(speech.submit(number, count).as_bytes()));
        });
        stream.write_all(&frames)?;
        let last = format!(r#"{{"id":{},"reply":"submitted""#, MISSED + 1);
        while !connect::text(&mut stream)?.starts_with(&last) {}
    }
    Ok(())
}

/// Runs `storm` while the talkers talk. Gives what they waited for their replies, sorted.
fn talk_while(
    address: SocketAddr,
    body: usize,
    storm: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Duration>> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let talkers = (0..TALKERS)
            .map(|talker| {
                let number = MISSED_IN + talker;
                let stream = connect::resume(address, number)?;
                let over = &over;
                Ok(scope.spawn(move || talk(stream, number, body, over)))
            })
            .collect::<anyhow::Result<Vec<_>>>()?;
        let stormed = storm();
        over.store(true, Ordering::Relaxed);
        let mut latencies = Vec::new();
        for talker in talkers {
            latencies.extend(talker.join().map_err(|_| anyhow!("a talker's thread failed"))??);
        }
        stormed?;
        latencies.sort();
        Ok(latencies)
    })
}

fn talk(
    mut stream: TcpStream,
    number: u32,
    body: usize,
    over: &AtomicBool,
) -> anyhow::Result<Vec<Duration>> {
    let mut speech = Speech::alone(number, CONVERSATIONS, body);
    let mut latencies = Vec::new();
    for count in 0.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let begun = Instant::now();
        stream.write_all(&connect::frame(speech.submit(number, count).as_bytes()))?;
        while !connect::text(&mut stream)?.starts_with(r#"{"id""#) {}
        latencies.push(begun.elapsed());
        std::thread::sleep(PAUSE);
    }
    Ok(latencies)
}

/// Brings everybody back. Gives the bytes of the page that each has got.
fn come_back(address: SocketAddr, people: u32) -> anyhow::Result<usize> {
    in_threads(people, |numbers| {
        let opening = numbers
            .map(person)
            .map(|number| Ok((number, Opening::begin(address)?)))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut asked = Vec::new();
        for (number, opening) in opening {
            let ask = world::fetch(number, CONVERSATIONS);
            asked.push(opening.resume_and_ask(number, &ask)?);
        }
        let mut bytes = 0;
        for stream in &mut asked {
            let opened = connect::text(stream)?;
            ensure!(opened.starts_with(r#"{"id":1,"reply":"opened""#), "not resumed: {opened}");
            let page = connect::text(stream)?;
            let missed = page.matches(r#""seq":"#).count() as u64;
            ensure!(missed > MISSED, "a page and its base, not {missed} places");
            bytes = page.len();
        }
        Ok(bytes)
    })
}

/// The number of the n-th of those who come back.
fn person(index: u32) -> u32 {
    index / MISSED_IN * CONVERSATIONS + index % MISSED_IN
}

/// The same bytes from one thread that does nothing else, to the same drivers.
fn floor(people: u32, bytes: usize) -> anyhow::Result<Storm> {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    // As long a queue as the server's; a shorter one makes clients wait a second.
    listener.listen(1_024)?;
    let listener = TcpListener::from(listener);
    let address = listener.local_addr()?;
    let page = vec![b'x'; bytes];
    let writer = std::thread::spawn(move || -> std::io::Result<()> {
        let mut streams = Vec::new();
        for _ in 0..people {
            streams.push(listener.accept()?.0);
        }
        for stream in &mut streams {
            stream.write_all(&page)?;
        }
        Ok(())
    });
    let begun = Instant::now();
    in_threads(people, |numbers| {
        let mut page = vec![0; bytes];
        let streams = numbers
            .map(|_| Ok(TcpStream::connect(address)?))
            .collect::<anyhow::Result<Vec<_>>>()?;
        for mut stream in streams {
            stream.read_exact(&mut page)?;
        }
        Ok(bytes)
    })?;
    let elapsed = begun.elapsed();
    writer.join().map_err(|_| anyhow!("the floor's thread failed"))??;
    let (processor, calm) = (None, Duration::ZERO);
    Ok(Storm { elapsed, bytes, processor, calm, latencies: Vec::new() })
}

/// Parts 0 to `people` among the drivers, and gives what the last of them says.
fn in_threads(
    people: u32,
    drive: impl Fn(std::iter::StepBy<std::ops::Range<u32>>) -> anyhow::Result<usize> + Sync,
) -> anyhow::Result<usize> {
    std::thread::scope(|scope| {
        let drivers: Vec<_> = (0..DRIVERS)
            .map(|driver| {
                let numbers = (driver..people).step_by(DRIVERS as usize);
                let drive = &drive;
                scope.spawn(move || drive(numbers))
            })
            .collect();
        let mut said = None;
        for driver in drivers {
            said = Some(driver.join().map_err(|_| anyhow!("a driver's thread failed"))??);
        }
        said.context("no drivers")
    })
}
