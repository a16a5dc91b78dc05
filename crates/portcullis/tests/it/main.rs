//! The program that people install, run as they run it: real processes, real sockets, real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod chat;
mod classroom;
mod files;
mod groups;
mod kill;
mod newcomer;
mod operator;
mod private;
mod program;
mod pty;
mod restart;
mod team;
mod tls;
mod up;
mod verbs;
mod visit;
