//! The server's shell: sockets, HTTP, TLS, and the thread that runs the server core.

pub mod http;
pub mod metrics;
pub mod socket;
