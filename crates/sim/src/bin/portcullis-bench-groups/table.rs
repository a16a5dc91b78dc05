//! Rows and columns, for people.

use std::time::Duration;

/// The head, and rows of cells.
pub(crate) struct Table {
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Prints a table as Markdown.
pub(crate) fn print(table: &Table) {
    let head = table.head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    let rule = head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>();
    for row in [&head, &rule].into_iter().chain(&table.rows) {
        println!("| {} |", row.join(" | "));
    }
    println!();
}

/// A time, in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// How many times the floor a time is.
pub(crate) fn times(time: Duration, floor: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() / floor.as_secs_f64())
}
