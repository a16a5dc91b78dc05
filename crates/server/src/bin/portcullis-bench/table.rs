//! Rows and columns, for people.

use std::time::Duration;

/// The head, and rows of cells.
pub(crate) struct Table {
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Prints a table as Markdown.
pub(crate) fn print(table: &Table) -> anyhow::Result<()> {
    let head = table.head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let rule = head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>();
    for row in [&head, &rule].into_iter().chain(&table.rows) {
        println!("| {} |", row.join(" | "));
    }
    println!();
    Ok(())
}

/// The latency that so many hundredths stay below, in milliseconds. They must be sorted.
pub(crate) fn percentile(latencies: &[Duration], hundredths: usize) -> String {
    let latency = latencies.get(latencies.len() * hundredths / 100).copied();
    latency.map_or_else(String::new, milliseconds)
}

/// A time, in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1e3)
}
