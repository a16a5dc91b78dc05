//! The server through real sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod blobs;
mod core;
mod echo;
mod http;
mod order;
mod people;
mod relay;
mod repeat;
mod rfc6455;
mod running;
mod slow;
mod tls;
mod uploads;
mod wire;
