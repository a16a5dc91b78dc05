//! From the sender to a recipient without a server in between: a connection on which the recipient proves in 72
//! bytes that it has the transfer's key, and says from which byte of the blob on it wants it; then the blob comes,
//! sealed as on any path. Nothing else is said: what has arrived is told in the conversation.

mod addresses;
mod dial;
mod listen;
mod pace;
mod quic;
mod relay;
mod tcp;
mod unproven;
mod wire;

pub(super) use dial::{Dialling, dial};
pub(super) use listen::{Listening, listen};
