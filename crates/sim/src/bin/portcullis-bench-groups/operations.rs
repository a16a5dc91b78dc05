//! The table of operations: whole clients beside their keys alone.

use crate::figure::{Figure, Operation};
use crate::table::{Table, milliseconds, times};
use crate::{clients, keys};
use anyhow::Result;
use std::collections::BTreeMap;

/// All operations at each number of members, `repeats` times each.
pub(crate) fn rows(sizes: &[usize], repeats: usize) -> Result<Table> {
    let mut rows = Vec::new();
    for members in sizes {
        let floor = keys::run(u32::try_from(*members)?, repeats)?.medians();
        let whole = clients::run(*members, repeats)?.medians();
        rows.extend(
            whole.iter().map(|(operation, figure)| row(*members, *operation, *figure, &floor)),
        );
    }
    Ok(Table {
        head: vec![
            "operation",
            "members",
            "ms",
            "keys alone: ms",
            "times the floor",
            "B sent",
            "B kept",
            "keys alone: B kept",
        ],
        rows,
    })
}

fn row(
    members: usize,
    operation: Operation,
    whole: Figure,
    floor: &BTreeMap<Operation, Figure>,
) -> Vec<String> {
    let floor = floor.get(&operation);
    let cell = |of: &dyn Fn(&Figure) -> String| floor.map(of).unwrap_or_default();
    let sent = |floor: &Figure| if floor.sent > 0 { floor.sent.to_string() } else { String::new() };
    vec![
        operation.name().to_owned(),
        members.to_string(),
        milliseconds(whole.time),
        cell(&|floor| milliseconds(floor.time)),
        cell(&|floor| times(whole.time, floor.time)),
        cell(&sent),
        whole.kept.to_string(),
        cell(&|floor| floor.kept.to_string()),
    ]
}
