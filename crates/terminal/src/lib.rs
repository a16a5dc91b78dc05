//! The terminal client: its screen, and the shell that connects it to the client core.

pub mod chat;
pub mod device;
pub mod files;
pub mod home;
pub mod net;
pub mod ui;
pub mod verbs;
