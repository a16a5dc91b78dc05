//! Published test vectors, run through the provider of MLS.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod vectors;
