//! The Portcullis client as a state machine: what happened goes in, what to do comes out. No IO, no
//! clock, no randomness of its own, so the same client runs in a terminal, in a browser, in the
//! simulator and as a scripted person in the range.
//!
//! Start with [`Client::handle`].

mod client;
mod commands;
mod conversation;
pub mod defences;
mod devices;
mod drive;
mod effect;
mod event;
pub mod limits;
mod log;
mod login;
mod outbox;
mod people;
mod records;
mod show;

pub use client::{Client, Config, History};
pub use drive::drive;
pub use effect::{Effect, Effects, Key, Write};
pub use event::{Command, Event, JobId};
pub use records::{BadRecord, read_message};
pub use show::{
    ConversationView, DeviceView, IdentityState, Message, Need, PersonView, Show, Warning,
};
