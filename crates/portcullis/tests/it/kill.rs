//! The server is killed under load, again and again, and nothing that it acknowledged may be lost: what
//! `send` has printed stands in the log at the number that was printed, once, and everybody sees the
//! same log in the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{DEADLINE, Process, World, json};

const ROUNDS: u32 = 25;
const SEED: u64 = 0x5eed_0001;
/// Lines that each speaker has been given and has not printed.
const AHEAD: usize = 150;
/// A round's kill comes after at most so many acknowledgements.
const MOST_ACKNOWLEDGED: u64 = 120;

/// A speaker, the lines that it was given, and those that it has printed.
struct Speaker {
    name: &'static str,
    process: Process,
    given: usize,
    printed: Vec<(u64, String)>,
}

impl Speaker {
    fn feed(&mut self) {
        while self.given < self.printed.len() + AHEAD {
            let line = text(self.name, self.given);
            self.process.say(&line);
            self.given += 1;
        }
    }

    /// Takes in a line, if one comes within this time.
    fn hear(&mut self, time: Duration) -> bool {
        let Ok(line) = self.process.line_within(time) else { return false };
        let line = json(&line);
        self.printed.push((number(&line), id(&line)));
        true
    }
}

fn text(name: &str, number: usize) -> String {
    format!("{name} says line {number}")
}

fn number(line: &Value) -> u64 {
    line["seq"].as_u64().unwrap()
}

fn id(line: &Value) -> String {
    line["id"].as_str().unwrap().to_owned()
}

#[test]
fn nothing_acknowledged_is_lost() {
    let mut world = World::new(&["--rate-factor", "10000"]);
    let mut server = world.serve();
    let names = ["mira", "noor", "otto"];
    world.register(&names);
    let tails = ["mira", "noor"].map(|user| {
        let home = format!("{user}.tail");
        world.start(user, &home, &["tail", "--in", "#lobby"])
    });
    let mut speakers = names.map(|name| {
        let process = world.start(name, name, &["send", "--to", "#lobby", "-"]);
        Speaker { name, process, given: 0, printed: Vec::new() }
    });

    let mut random = Random(SEED);
    for round in 0..ROUNDS {
        hear_until(&mut speakers, 1 + random.below(MOST_ACKNOWLEDGED), round);
        // A moment that no acknowledgement marks.
        speakers[0].hear(Duration::from_micros(random.below(20_000)));
        server.kill();
        server = world.serve();
    }

    for speaker in &mut speakers {
        speaker.process.end_input();
    }
    for speaker in &mut speakers {
        while speaker.printed.len() < speaker.given {
            assert!(speaker.hear(DEADLINE), "{} prints what is left", speaker.name);
        }
    }
    let total = speakers.iter().map(|speaker| speaker.given).sum();
    let logs = tails.map(|tail| (0..total).map(|_| tail.json()).collect::<Vec<_>>());
    let count = total.to_string();
    let late = world.lines("otto", "otto.tail", &["tail", "--from", "1", "--count", &count]);
    check(&speakers, &logs, &late);
    for speaker in speakers {
        assert_eq!(speaker.process.end(), Some(0));
    }
    assert_eq!(server.terminate(), Some(0));
}

/// Feeds the speakers until they have printed so many lines together, each of them taking its turn.
fn hear_until(speakers: &mut [Speaker], lines: u64, round: u32) {
    let until = Instant::now() + DEADLINE;
    let mut heard = 0;
    while heard < lines {
        for speaker in &mut *speakers {
            speaker.feed();
            while speaker.hear(Duration::ZERO) {
                heard += 1;
            }
        }
        heard +=
            u64::from(speakers[heard as usize % speakers.len()].hear(Duration::from_millis(2)));
        assert!(Instant::now() < until, "round {round}, seed {SEED:#x}: {heard} of {lines}");
    }
}

fn check(speakers: &[Speaker], logs: &[Vec<Value>], late: &[Value]) {
    let numbers: Vec<u64> = late.iter().map(number).collect();
    let contiguous: Vec<u64> = (1..=late.len() as u64).collect();
    assert_eq!(numbers, contiguous, "no gaps, nothing twice");
    let ids: BTreeSet<String> = late.iter().map(id).collect();
    assert_eq!(ids.len(), late.len(), "no id stands twice");
    // Who reads and how they know the author differs; what was said does not.
    let same =
        |line: &Value| (number(line), id(line), line["text"].clone(), line["device"].clone());
    let order: Vec<_> = late.iter().map(same).collect();
    for log in logs {
        assert!(log.iter().map(same).eq(order.iter().cloned()), "one order for all");
        assert!(log.iter().all(|line| line["verified"] == true));
    }
    let texts: BTreeMap<(u64, String), &str> = late
        .iter()
        .map(|line| ((number(line), id(line)), line["text"].as_str().unwrap()))
        .collect();
    for speaker in speakers {
        assert_eq!(speaker.printed.len(), speaker.given);
        assert!(speaker.printed.is_sorted(), "{} has its lines in order", speaker.name);
        for (at, printed) in speaker.printed.iter().enumerate() {
            let expected = text(speaker.name, at);
            assert_eq!(texts.get(printed), Some(&expected.as_str()), "{printed:?}");
        }
    }
}

/// SplitMix64 (Steele et al. 2014): small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (value ^ (value >> 31)) % bound
    }
}
