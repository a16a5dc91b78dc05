//! The classroom's protocol (OLAF/Neighbourhood 1.2), as a guest, the gateway and a client of Portcullis
//! read, verify and write it.
//!
//! Many independent clients speak it, each a little differently, so everything in which they differ is data:
//! what is signed is a row of [`RECIPES`], how a key is hashed a row of [`Fingerprint::all`], what belongs
//! together a row of [`DIALECTS`]. A frame keeps its text as received, because it is relayed byte for byte.
//!
//! Leaves out who may say what, counters and replays (`server-core`, `client-core`), and the cryptography
//! (`crypto`). Source: the protocol's text, and what its clients send.

mod body;
mod chat;
mod dialect;
mod fingerprint;
mod frame;
mod json;
mod key;
mod pem;
mod signing;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests;
mod write;

pub use body::GuestBody;
pub use chat::{Chat, Inner, NotOpened, Opened, Outgoing, Sealed, named_author, open_chat};
pub use dialect::{Accepts, DIALECTS, Dialect, DialectId, for_dialect};
pub use fingerprint::{Fingerprint, Hashed, Shown};
pub use frame::{BadFrame, Form, Incoming, MadeFor, Payload, ServerList, SignedFrame};
pub use key::GuestKey;
pub use pem::{PemLayout, Wrap, pem_of};
pub use signing::{Around, Letters, Order, RECIPES, Recipe, Signing, Spacing, Style};
pub use write::{
    write_chat, write_hello, write_list, write_list_request, write_public_chat, write_server_hello,
    write_update, write_update_request,
};
