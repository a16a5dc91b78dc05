//! Classroom guests in the public chat: what a delivery costs the server, with the signature of each message
//! checked, beside what it costs among accounts. NO SECURITY: some keys are known to everybody.

use anyhow::Context as _;
use portcullis_crypto::classic::ClassicKey;
use portcullis_crypto::testing;
use portcullis_proto::classroom::{self, DialectId};

use crate::connect;
use crate::fan_out::{Measured, measure, whole};
use crate::load::{Done, Latency, Load, Plan};
use crate::process::{Folder, Server};
use crate::table::{Table, percentile};
use crate::{Options, world};

/// Guests that share one key, as one person's windows do: keys take long to make.
const WINDOWS: usize = 8;

/// What is said: short, as people talk.
const TEXT: &str = "See you at eight, then.";

/// The native path with frames of the same size, and the guests' path.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let guests = guests(options)?;
    let native = native(options, guests.frame())?;
    let row = |name: &str, measured: &Measured| {
        let rate = measured.counted.events as f64 / measured.elapsed.as_secs_f64();
        vec![
            name.to_owned(),
            format!("{:.3}", measured.cost()),
            format!("{rate:.0}"),
            percentile(&measured.latencies, 50),
            percentile(&measured.latencies, 99),
            measured.frame().to_string(),
            format!("{:.2}", measured.cost() / native.cost()),
        ]
    };
    Ok(Table {
        head: vec![
            "public chat",
            "µs CPU/delivery",
            "deliveries/s",
            "p50 ms",
            "p99 ms",
            "B/frame",
            "times the native path",
        ],
        rows: vec![
            row(&format!("{} accounts in a channel", options.receivers), &native),
            row(&format!("{} guests, each message verified", options.receivers), &guests),
        ],
    })
}

/// Accounts in a channel, with events of about so many bytes.
fn native(options: &Options, frame: usize) -> anyhow::Result<Measured> {
    let probe = whole(&Options { seconds: 1, ..options.clone() }, options.body)?;
    // Three bytes of a body are four of base64 in the event.
    let more = frame.saturating_sub(probe.frame()) * 3 / 4;
    let less = probe.frame().saturating_sub(frame) * 3 / 4;
    whole(options, options.body + more - less.min(options.body))
}

fn guests(options: &Options) -> anyhow::Result<Measured> {
    let folder = Folder::make()?;
    world::populate(folder.path(), 1, 1)?;
    let server = Server::start(&["serve-whole"], Some(folder.path()))?;
    let keys = keys(options.receivers.div_ceil(WINDOWS))?;
    let mut streams = Vec::new();
    for number in 0..options.receivers {
        let key = keys.get(number / WINDOWS).context("a key")?;
        let hello = classroom::write_hello(DialectId::BY_THE_TEXT, key, 0)?;
        streams.push(connect::guest(server.address, &hello)?);
    }
    let mut frames = signed(keys.first().context("a key")?, options)?.into_iter();
    let speaker = keys.first().context("a key")?.clone();
    let compose = move |_, count| {
        let fresh = || said(&speaker, count + 1).unwrap_or_default();
        connect::frame(frames.next().unwrap_or_else(fresh).as_bytes())
    };
    let plan = Plan {
        senders: 1,
        outstanding: options.outstanding as u64,
        done: Done::HeardByOthers,
        audience: options.receivers as u64 - 1,
        latency: Latency::LastReceiver,
        compose: Box::new(compose),
    };
    measure(options, &server, Load::new(plan, streams, None)?)
}

/// What one guest says, signed beforehand: else the load would be slower than the server.
fn signed(key: &ClassicKey, options: &Options) -> anyhow::Result<Vec<String>> {
    let count = (options.seconds + 1) * SIGNED_PER_SECOND;
    (1..=count).map(|counter| said(key, counter)).collect()
}

/// More than a server has delivered to 500 guests.
const SIGNED_PER_SECOND: u64 = 5_000;

fn said(key: &ClassicKey, counter: u64) -> anyhow::Result<String> {
    Ok(classroom::write_public_chat(DialectId::BY_THE_TEXT, key, counter, TEXT)?)
}

/// Known keys, and fresh ones where those are too few.
fn keys(count: usize) -> anyhow::Result<Vec<ClassicKey>> {
    let known = testing::CLASSIC_KEYS;
    let make = |number| match number < known {
        true => testing::classic_key(number),
        false => ClassicKey::generate(),
    };
    (0..count).map(|number| make(number).context("a key")).collect()
}
