//! The simulator's tests: many seeds, and a server that lies.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod accounts;
mod corpus;
mod file_lies;
mod file_room;
mod files;
mod group_attacks;
mod group_continuity;
mod group_excess;
mod group_joins;
mod group_lies;
mod group_reentry;
mod group_snares;
mod groups;
mod guest_lies;
mod guests;
mod lies;
mod own_entries;
mod puppet;
mod secrets;
mod seeds;
mod stored;
