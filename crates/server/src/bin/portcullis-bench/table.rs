//! Rows and columns, for people.

/// The head, and rows of cells.
pub(crate) struct Table {
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<String>>,
}

/// Prints a table as Markdown.
pub(crate) fn print(table: &Table) -> anyhow::Result<()> {
    let head = table
        .head
        .iter()
        .map(|cell| (*cell).to_owned())
        .collect::<Vec<_>>();
    let rule = head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>();
    for row in [&head, &rule].into_iter().chain(&table.rows) {
        println!("| {} |", row.join(" | "));
    }
    println!();
    Ok(())
}
