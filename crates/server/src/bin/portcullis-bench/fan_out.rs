//! One sender, many receivers, in one room: what a delivery costs the server.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::connect;
use crate::load::{Counted, Done, Latency, Load, Plan};
use crate::process::{Folder, Server};
use crate::table::{Table, percentile};
use crate::world::Speech;
use crate::{Options, world};

/// The floor, the transport, and the whole server, with frames of the same size.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let mut rows = Vec::new();
    for (what, body) in [("frames of 512 bytes", options.body), ("texts of 512 bytes", TEXT_BODY)] {
        let whole = whole(options, body)?;
        // The floor copies frames of the size that the whole server makes of the same body.
        let frame = whole.frame();
        let floor = floor(options, frame)?;
        rows.push(floor.row(&format!("{what}: floor"), &floor));
        if body == options.body {
            rows.push(
                transport(options, frame)?.row(&format!("{what}: transport, no store"), &floor),
            );
        }
        rows.push(whole.row(&format!("{what}: the server"), &floor));
    }
    Ok(Table {
        head: vec![
            "fan-out",
            "µs CPU/delivery",
            "deliveries/s",
            "MB/s",
            "p50 ms",
            "p99 ms",
            "B/frame",
            "times the floor",
        ],
        rows,
    })
}

/// Bytes of the envelope's body that a text of 512 bytes in a channel becomes: its content, padded to
/// 1,024, after the 64 of the signature.
const TEXT_BODY: usize = 1_024 + 64;

pub(crate) struct Measured {
    pub(crate) counted: Counted,
    pub(crate) elapsed: Duration,
    processor: Duration,
    pub(crate) latencies: Vec<Duration>,
}

impl Measured {
    pub(crate) fn cost(&self) -> f64 {
        self.processor.as_secs_f64() * 1e6 / self.counted.events as f64
    }

    pub(crate) fn frame(&self) -> usize {
        (self.counted.bytes / self.counted.events.max(1)) as usize
    }

    fn row(&self, name: &str, floor: &Measured) -> Vec<String> {
        let seconds = self.elapsed.as_secs_f64();
        vec![
            name.to_owned(),
            format!("{:.3}", self.cost()),
            format!("{:.0}", self.counted.events as f64 / seconds),
            format!("{:.0}", self.counted.bytes as f64 / seconds / 1e6),
            percentile(&self.latencies, 50),
            percentile(&self.latencies, 99),
            self.frame().to_string(),
            format!("{:.2}", self.cost() / floor.cost()),
        ]
    }
}

fn floor(options: &Options, frame: usize) -> anyhow::Result<Measured> {
    let (receivers, size) = (options.receivers.to_string(), frame.to_string());
    let server =
        Server::start(&["serve-floor", "--receivers", &receivers, "--frame", &size], None)?;
    let message = vec![b'x'; frame];
    let plan = plan(options, Done::Heard, Box::new(move |_, _| message.clone()));
    let streams = (0..options.receivers)
        .map(|_| Ok(std::net::TcpStream::connect(server.address)?))
        .collect::<anyhow::Result<Vec<_>>>()?;
    measure(options, &server, Load::new(plan, streams, Some(frame))?)
}

fn transport(options: &Options, frame: usize) -> anyhow::Result<Measured> {
    let server = Server::start(&["serve-broadcast"], None)?;
    ensure!((130..65_540).contains(&frame), "frames of 130 to 65,539 bytes, not {frame}");
    let message = connect::frame(&vec![b'x'; frame - 4]);
    let plan = plan(options, Done::Heard, Box::new(move |_, _| message.clone()));
    let streams = (0..options.receivers)
        .map(|_| connect::open(server.address))
        .collect::<anyhow::Result<Vec<_>>>()?;
    measure(options, &server, Load::new(plan, streams, None)?)
}

pub(crate) fn whole(options: &Options, body: usize) -> anyhow::Result<Measured> {
    let folder = Folder::make()?;
    let people = u32::try_from(options.receivers).context("too many receivers")?;
    world::populate(folder.path(), people, 1)?;
    let server = Server::start(&["serve-whole"], Some(folder.path()))?;
    let mut speech = Speech::new(1, body);
    let compose = move |number, count| connect::frame(speech.submit(number, count).as_bytes());
    let plan = plan(options, Done::Replied, Box::new(compose));
    let streams = (0..people)
        .map(|number| connect::resume(server.address, number))
        .collect::<anyhow::Result<Vec<_>>>()?;
    measure(options, &server, Load::new(plan, streams, None)?)
}

fn plan(options: &Options, done: Done, compose: crate::load::Compose) -> Plan {
    Plan {
        senders: 1,
        outstanding: options.outstanding as u64,
        done,
        audience: options.receivers as u64,
        latency: Latency::LastReceiver,
        compose,
    }
}

pub(crate) fn measure(
    options: &Options,
    server: &Server,
    mut load: Load,
) -> anyhow::Result<Measured> {
    load.run(Duration::from_secs(1))?;
    load.latencies.clear();
    let (before, processor, started) = (load.counted(), server.processor_time()?, Instant::now());
    load.run(Duration::from_secs(options.seconds))?;
    let elapsed = started.elapsed();
    let processor = server.processor_time()? - processor;
    let after = load.counted();
    load.finish()?;
    load.latencies.sort();
    let counted = Counted {
        events: after.events - before.events,
        replies: after.replies - before.replies,
        bytes: after.bytes - before.bytes,
    };
    Ok(Measured { counted, elapsed, processor, latencies: load.latencies })
}
