//! The terminal client: its screen, and the shell that connects it to the client core.

pub mod ui;
