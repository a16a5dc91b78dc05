//! The simulator's tests: many seeds, and a server that lies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod accounts;
mod corpus;
mod groups;
mod lies;
mod secrets;
mod seeds;
mod stored;
