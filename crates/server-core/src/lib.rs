//! The Portcullis server as a function: requests in, replies and effects out. No IO, no clock, no
//! randomness of its own; sockets and SQLite are the shell's (`server`), and the simulator's and the
//! range's servers are this one.
//!
//! Start with [`handle`], which is one request; [`Server`] is a whole server of sessions and batches.

mod blobs;
mod context;
pub mod defences;
mod effects;
pub mod form;
mod guests;
mod handle;
pub mod limits;
mod presence;
mod rate;
mod requests;
mod roster;
mod server;
mod session;
pub mod store;
mod table;
#[cfg(test)]
mod testing;

pub use blobs::{BlobPolicy, Disk};
pub use context::{Context, Instance, Registration};
pub use defences::GuestState;
pub use effects::{Audience, Effect, Effects, Whose};
pub use guests::{GuestAsk, GuestList, GuestOutput, GuestPolicy, GuestRefused, Guests, Habits};
pub use handle::handle;
pub use presence::Presence;
pub use rate::{Rate, RateKey, RateLimits};
pub use roster::Change;
pub use server::{ConnectionId, Incoming, Output, Server};
pub use session::{Peer, Session};
pub use table::{Rule, Who, decode, rule};
