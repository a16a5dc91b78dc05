//! The Portcullis client as a state machine: what happened goes in, what to do comes out. No IO, no
//! clock, no randomness of its own, so the same client runs in a terminal, in a browser, in the
//! simulator and as a scripted person in the range.
//!
//! Start with [`Client::handle`].

mod classic;
mod client;
mod commands;
mod conversation;
pub mod defences;
mod devices;
mod drive;
mod effect;
mod encrypted;
mod entries;
mod event;
pub mod limits;
mod log;
mod login;
mod message;
mod outbox;
mod people;
mod promised;
mod records;
mod show;
mod transfer;
mod transfers;
mod views;
mod visit;
mod warning;

pub use client::{Client, Config, History};
pub use drive::drive;
pub use effect::{Effect, Effects, Key, Write};
pub use event::{Command, Event, JobId, Saying};
pub use message::{
    Body, FilesOffered, FilesStep, FilesTold, Message, Notice, kind_of, quoted, size, titled,
};
pub use portcullis_mls::{GroupView, RecordKey};
pub use records::{BadRecord, read_message};
pub use show::{
    ConversationView, DeviceView, FileWarning, GroupWarning, GuestView, GuestWarning,
    IdentityState, MemberView, Need, PersonView, Show, Warning,
};
pub use transfer::{
    Assignment, Fault, Moved, QuicEnd, RecipientState, Task, TransferState, TransferView,
};
pub use visit::Visit;
