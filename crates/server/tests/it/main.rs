//! The server through real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod echo;
mod http;
mod rfc6455;
mod slow;
mod wire;
