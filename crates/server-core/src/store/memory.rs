//! Under construction.

/// Under construction.
#[derive(Debug, Default)]
pub struct MemoryStore;
