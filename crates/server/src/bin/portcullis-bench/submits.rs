//! Many senders in many conversations: how many submits a second are durable and acknowledged.

use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use crate::connect;
use crate::load::{Done, Latency, Load, Plan};
use crate::process::{Folder, Server};
use crate::table::{Table, percentile};
use crate::world::Speech;
use crate::{Options, world};

/// People who send.
const SENDERS: u32 = 64;

/// Conversations in which they send: two people in each.
const CONVERSATIONS: u32 = 32;

/// One message under way for each sender, then sixteen; and what the disk does at the least.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for outstanding in [1, 16] {
        rows.push(whole(options, outstanding)?);
        rows.push(floor(options, u64::from(SENDERS) * outstanding)?);
    }
    Ok(Table {
        head: vec!["durable submits", "a second", "p50 ms", "p99 ms", "µs CPU each"], rows
    })
}

fn whole(options: &Options, outstanding: u64) -> anyhow::Result<Vec<String>> {
    let folder = Folder::make()?;
    world::populate(folder.path(), SENDERS, CONVERSATIONS)?;
    let server = Server::start(&["serve-whole"], Some(folder.path()))?;
    let mut speech = Speech::new(CONVERSATIONS, options.body);
    let compose = move |number, count| connect::frame(speech.submit(number, count).as_bytes());
    let plan = Plan {
        senders: SENDERS as usize,
        outstanding,
        done: Done::Replied,
        audience: u64::from(SENDERS / CONVERSATIONS),
        latency: Latency::Reply,
        compose: Box::new(compose),
    };
    let streams = (0..SENDERS)
        .map(|number| connect::resume(server.address, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let mut load = Load::new(plan, streams, None)?;
    load.run(Duration::from_secs(1))?;
    load.latencies.clear();
    let (before, processor, started) = (load.counted(), server.processor_time()?, Instant::now());
    load.run(Duration::from_secs(options.seconds))?;
    let seconds = started.elapsed().as_secs_f64();
    let replies = (load.counted().replies - before.replies) as f64;
    let processor = (server.processor_time()? - processor).as_secs_f64();
    load.finish()?;
    load.latencies.sort();
    Ok(vec![
        format!("{SENDERS} clients, {outstanding} outstanding each"),
        format!("{:.0}", replies / seconds),
        percentile(&load.latencies, 50),
        percentile(&load.latencies, 99),
        format!("{:.1}", processor * 1e6 / replies),
    ])
}

/// Appends as many bodies at a time as could be under way, and waits for the disk each time.
fn floor(options: &Options, batch: u64) -> anyhow::Result<Vec<String>> {
    let folder = Folder::make()?;
    let mut file = File::create(folder.path().join("floor"))?;
    let bytes = vec![b'x'; options.body * usize::try_from(batch)?];
    let (started, mut latencies) = (Instant::now(), Vec::new());
    while started.elapsed() < Duration::from_secs(options.seconds) {
        let begun = Instant::now();
        file.write_all(&bytes)?;
        file.sync_data()?;
        latencies.push(begun.elapsed());
    }
    let rate = latencies.len() as f64 * batch as f64 / started.elapsed().as_secs_f64();
    latencies.sort();
    Ok(vec![
        format!("floor: append and fdatasync by {batch}"),
        format!("{rate:.0}"),
        percentile(&latencies, 50),
        percentile(&latencies, 99),
        String::new(),
    ])
}
