//! The server's shell: sockets, HTTP, TLS, and the thread that runs the server core.

pub mod domain;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod socket;
