//! Rows and columns, for people: of each thing that was measured several times, the median.

use std::collections::BTreeMap;
use std::time::Duration;

use super::rate;

/// One measurement.
pub(crate) struct Row {
    name: &'static str,
    time: Duration,
    /// KiB that the sender and the recipient have had at most.
    memory: Option<(u64, u64)>,
}

impl Row {
    pub(crate) const fn new(name: &'static str, time: Duration) -> Self {
        Self { name, time, memory: None }
    }

    pub(crate) const fn with_memory(mut self, sender: u64, recipient: u64) -> Self {
        self.memory = Some((sender, recipient));
        self
    }
}

/// Prints the table as Markdown, in the order in which things were measured first.
pub(crate) fn print(mebibytes: u64, rows: &[Row]) {
    let mut order = Vec::new();
    let mut all: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if !all.contains_key(row.name) {
            order.push(row.name);
        }
        all.entry(row.name).or_default().push(row);
    }
    println!(
        "| a file of {mebibytes} MiB | s | MB/s | shortest, s | longest, s | MiB at most: sender | recipient |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for name in order {
        let mut rows = all.remove(name).unwrap_or_default();
        rows.sort_by_key(|row| row.time);
        if let (Some(first), Some(last), Some(row)) =
            (rows.first(), rows.last(), rows.get(rows.len() / 2))
        {
            let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
            let mebibytes_of = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
            let memory =
                row.memory.map_or((String::new(), String::new()), |(sender, recipient)| {
                    (mebibytes_of(sender), mebibytes_of(recipient))
                });
            println!(
                "| {name} | {} | {:.0} | {} | {} | {} | {} |",
                seconds(row.time),
                rate(mebibytes, row.time),
                seconds(first.time),
                seconds(last.time),
                memory.0,
                memory.1,
            );
        }
    }
    println!();
}
