//! The terminal client's screen.

pub mod safe_text;
mod wrap;
