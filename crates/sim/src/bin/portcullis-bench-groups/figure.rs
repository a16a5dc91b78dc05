//! What one operation costs: time, bytes for the server, bytes for the disk.

use std::collections::BTreeMap;
use std::time::Duration;

/// What is measured, in the order of the table. "Reads" is another member's part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Create,
    Add,
    ReadAdd,
    Remove,
    ReadRemove,
    Join,
    JoinStrangers,
    JoinByItself,
    ReadJoin,
    Update,
    ReadUpdate,
    Say,
    Hear,
}

impl Operation {
    /// As the table says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Create => "create, with all members",
            Self::Add => "add a member",
            Self::ReadAdd => "… another member reads it",
            Self::Remove => "remove a member",
            Self::ReadRemove => "… another member reads it",
            Self::Join => "join, by a welcome",
            Self::JoinStrangers => "… knowing nobody there",
            Self::JoinByItself => "join, by an external commit",
            Self::ReadJoin => "… another member reads it",
            Self::Update => "update own keys",
            Self::ReadUpdate => "… another member reads it",
            Self::Say => "send a message",
            Self::Hear => "read a message",
        }
    }
}

/// One sample of an operation, or the middle of many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Figure {
    /// Processor and clock: one thread, nobody waits.
    pub(crate) time: Duration,
    /// Bytes that go to the server.
    pub(crate) sent: usize,
    /// Bytes of the records that have changed.
    pub(crate) kept: usize,
}

/// All samples of a run.
#[derive(Debug, Default)]
pub(crate) struct Samples(BTreeMap<Operation, Vec<Figure>>);

impl Samples {
    pub(crate) fn add(&mut self, operation: Operation, figure: Figure) {
        self.0.entry(operation).or_default().push(figure);
    }

    /// The operations that were measured, each with the median of every figure.
    pub(crate) fn medians(&self) -> BTreeMap<Operation, Figure> {
        let middle = |figures: &Vec<Figure>| Figure {
            time: median(figures.iter().map(|figure| figure.time)),
            sent: median(figures.iter().map(|figure| figure.sent)),
            kept: median(figures.iter().map(|figure| figure.kept)),
        };
        self.0.iter().map(|(operation, figures)| (*operation, middle(figures))).collect()
    }
}

/// The middle one; of none, nothing.
pub(crate) fn median<T: Ord + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
