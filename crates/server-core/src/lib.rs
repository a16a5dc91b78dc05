//! The Portcullis server as a function: requests in, replies and effects out, no IO.

pub mod store;
