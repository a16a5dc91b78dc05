//! How many learners fit on a laptop: memory for each world, the time to begin one, and requests from many at
//! once. Each world is staged like a learner's own. `cargo xtask bench range` prints the table.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

mod class;

use class::Outcome;
use portcullis_range::flaws::{ALL, Flaw};
use portcullis_range::plane::{FlagRoot, Whose, stage};
use portcullis_range::twins::Twins;
use portcullis_range::world::{BEGINNING, Line, World, WorldError};
use serde_json::json;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const WORLDS: usize = 1_000;
const LEARNERS: usize = 200;
const REQUESTS: usize = 50;

fn main() -> Outcome<()> {
    let root = FlagRoot::from_bytes([7; 32]);
    let (worlds, kib, started) = many(&root).map_err(|error| format!("a world: {error}"))?;
    println!("| what | figure | aim |\n|---|---|---|");
    println!("| memory for each of {WORLDS} worlds | {kib:.0} KiB | 256 KiB |");
    let (median, slowest) = spread(started);
    println!(
        "| a world begun, or begun anew | {} median, {} p99 | 5 ms |",
        ms(median),
        ms(slowest)
    );
    let (rate, times) = active(worlds);
    let (median, slowest) = spread(times);
    println!("| {LEARNERS} learners at once, no sockets between | {rate:.0} requests/s | |");
    println!("| an answer | {} median, {} p99 | |", ms(median), ms(slowest));
    at_sockets()
}

/// The same number of learners at a range that runs, over HTTP and WebSockets.
fn at_sockets() -> Outcome<()> {
    let folder =
        std::env::temp_dir().join(format!("portcullis-bench-range-{}", std::process::id()));
    let measured = class::measure(&folder, LEARNERS);
    std::fs::remove_dir_all(&folder)?;
    let class::Figures { came, at_once: (times, lasted), paced } = measured?;
    let (median, slowest) = spread(came);
    println!(
        "| {LEARNERS} come in one moment: from a name to a world | {} median, {} p99 | |",
        ms(median),
        ms(slowest)
    );
    println!(
        "| {LEARNERS} ask at once, over sockets | {:.0} requests/s | |",
        rate(times.len(), lasted)
    );
    let (median, slowest) = spread(times);
    println!("| an answer | {} median, {} p99 | |", ms(median), ms(slowest));
    let (median, slowest) = spread(paced);
    println!(
        "| {LEARNERS} ask once a second each: an answer | {} median, {} p99 | |",
        ms(median),
        ms(slowest)
    );
    Ok(())
}

fn rate(count: usize, lasted: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / lasted.as_secs_f64()
}

/// Many worlds of all flaws in turn: what each takes of memory, and how long each took to begin.
fn many(root: &FlagRoot) -> Result<(Vec<World>, f64, Vec<Duration>), WorldError> {
    // The first of each kind pays for what all of them share.
    for flaw in ALL {
        begin(root, flaw, usize::MAX)?;
    }
    let before = resident_kib();
    let (mut worlds, mut times) = (Vec::with_capacity(WORLDS), Vec::with_capacity(WORLDS));
    for (number, flaw) in ALL.iter().cycle().take(WORLDS).enumerate() {
        let start = Instant::now();
        worlds.push(begin(root, flaw, number)?);
        times.push(start.elapsed());
    }
    let kib = (resident_kib() - before) / f64::from(u32::try_from(WORLDS).unwrap_or(u32::MAX));
    Ok((worlds, kib, times))
}

fn begin(root: &FlagRoot, flaw: &Flaw, number: usize) -> Result<World, WorldError> {
    let learner = format!("learner-{number}");
    let whose =
        Whose { class: "bench", learner: &learner, slug: flaw.slug, salt: None, variant: 0 };
    stage(flaw, Twins::with(flaw.put), &root.secrets(whose), BEGINNING)
}

/// Learners on as many threads as the machine has processors, each asking in a world of their own, by a session that
/// they have already. No socket lies between.
fn active(worlds: Vec<World>) -> (f64, Vec<Duration>) {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut shares: Vec<Vec<(World, Line)>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, mut world) in worlds.into_iter().take(LEARNERS).enumerate() {
        if let (Some(share), Ok(line)) = (shares.get_mut(number % threads), world.session()) {
            share.push((world, line));
        }
    }
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    thread::scope(|scope| {
        for share in shares {
            let sender = sender.clone();
            scope.spawn(move || sender.send(ask(share)));
        }
    });
    drop(sender);
    let times: Vec<Duration> = receiver.iter().flatten().collect();
    (rate(times.len(), start.elapsed()), times)
}

fn ask(mut sessions: Vec<(World, Line)>) -> Vec<Duration> {
    let mut times = Vec::new();
    for number in 0..REQUESTS {
        for (world, line) in &mut sessions {
            let frame = fetch(number);
            let start = Instant::now();
            if world.send(*line, &frame).is_ok() && !world.receive(*line).is_empty() {
                times.push(start.elapsed());
            }
        }
    }
    times
}

/// A request for a page of the lobby.
fn fetch(id: usize) -> String {
    let data = json!({"conversation": "236c6f62627900000000000000000000", "after": 0, "limit": 64});
    json!({"id": id, "request": "fetch", "data": data}).to_string()
}

/// The median, and what all but one in a hundred stay under.
fn spread(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |part: usize| times.get(times.len() * part / 100).copied().unwrap_or_default();
    (at(50), at(99))
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1_000.0)
}

/// `VmRSS` of this process (proc(5)).
fn resident_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
