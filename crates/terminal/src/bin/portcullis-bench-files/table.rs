//! Rows and columns, for people: of each thing that was measured several times, the median.

use std::collections::BTreeMap;
use std::time::Duration;

/// What something has cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// By the clock.
    pub(crate) time: Duration,
    /// Of all processors, in all processes that took part.
    pub(crate) processor: Duration,
}

/// One measurement.
pub(crate) struct Row {
    name: &'static str,
    cost: Cost,
    /// KiB that the sender, the recipient and the server have had at most, as far as there are these.
    memory: [Option<u64>; 3],
}

impl Row {
    pub(crate) const fn new(name: &'static str, cost: Cost) -> Self {
        Self { name, cost, memory: [None; 3] }
    }

    pub(crate) const fn with_memory(mut self, parties: [u64; 2], server: Option<u64>) -> Self {
        self.memory = [Some(parties[0]), Some(parties[1]), server];
        self
    }

    fn cells(&self, mebibytes: u64) -> [String; 6] {
        let seconds = |time: Duration| format!("{:.2}", time.as_secs_f64());
        let rate = (mebibytes << 20) as f64 / self.cost.time.as_secs_f64() / 1e6;
        let memory = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
        let [sender, recipient, server] =
            self.memory.map(|kib| kib.map(memory).unwrap_or_default());
        let Cost { time, processor } = self.cost;
        [seconds(time), format!("{rate:.0}"), seconds(processor), sender, recipient, server]
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
        "| a file of {mebibytes} MiB | s | MB/s | s CPU | MiB at most: sender | recipient | server |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for name in order {
        let mut rows = all.remove(name).unwrap_or_default();
        rows.sort_by_key(|row| row.cost.time);
        if let Some(row) = rows.get(rows.len() / 2) {
            println!("| {name} | {} |", row.cells(mebibytes).join(" | "));
        }
    }
    println!();
}
