//! What travels between a Portcullis client and server, and between clients inside it.
//!
//! Everything that arrives from outside becomes one of these types before it is used, so a value of
//! such a type is well-formed. What a value *permits* is decided elsewhere (`server-core`,
//! `client-core`). `docs/protocol.md` shows an example of every frame.

mod bytes;
pub mod classroom;
mod content;
mod device_list;
mod envelope;
mod files;
mod frame;
mod ids;
pub mod limits;
mod names;
mod refusal;
mod reply;
mod request;
mod time;

pub use bytes::Bytes;
pub use content::{Content, Kind, Malformed, Place, Seen, SignedContent};
pub use device_list::{
    BadList, DeviceEntry, DeviceKeys, DeviceList, ListRecord, RevokedEntry, SignedList, Successor,
};
pub use envelope::{Draft, Envelope};
pub use files::{
    BadFileName, BadManifest, EndReason, Entry, EntryKind, FileName, FileOffer, FilePath, FileStep,
    Holds, Manifest, QuicWay,
};
pub use frame::{
    ClientFrame, ServerFrame, decode_request, encode_event, encode_refusal, encode_reply,
};
pub use ids::{AccountId, BadId, ConversationId, DeviceId, Reference, TransferId};
pub use names::{
    BadName, ChannelName, ConversationName, DeviceName, GroupName, GuestName, PersonName, UserName,
};
pub use refusal::{Code, Refusal};
pub use reply::{
    Access, AccountCard, AccountName, ClaimedPackage, ConversationKind, ConversationSummary, Event,
    Fetched, GuestCard, LoggedIn, Opened, Reply, Role, Stock, Stretching, UserCard,
};
pub use request::{
    Creates, KeyPackageUpload, Members, Request, RequestKind, Welcome, session_proof,
};
pub use time::Timestamp;

/// The WebSocket subprotocol of this version.
pub const SUBPROTOCOL: &str = "portcullis.v1";
