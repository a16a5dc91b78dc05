//! Every security decision that the server makes: one file a defence, with the attack that it stops
//! and its test.
//!
//! A defence that succeeds returns a proof token, which only its own file can make and which the next
//! step demands: a forgotten check does not compile. All of them stand in one struct of plain function
//! pointers, so that a training range can put an unsound twin in the place of exactly one.

mod accept_capability;
mod accept_list;
mod accept_token;
mod admit_frame;
mod admit_hello;
mod admit_neighbour;
mod admit_origin;
mod admit_plain;
mod admit_rate;
pub(crate) mod admit_registration;
mod attach_upload;
mod confirm_password;
mod find_login;
mod give_way;
mod may_claim;
mod may_commit;
mod may_fetch_blob;
mod may_invite;
mod may_join;
mod may_listen;
pub(crate) mod may_read;
mod may_rejoin;
mod may_relay;
mod may_store_blob;
mod may_tell_guest;
mod may_upload;
mod may_write;
mod name_upload;
mod prove_classic_key;
mod prove_device;
mod share_address;
mod stamp_sender;
mod trace_peer;

pub use accept_capability::{
    BlobUse, Capability, CapabilityAccepted, CapabilityAsked, CapabilityKey, accept_capability,
};
pub use accept_list::{ListAccepted, accept_list};
pub use accept_token::{TokenAccepted, accept_token, token_hash};
pub use admit_frame::{FrameAdmitted, admit_frame};
pub use admit_hello::{GuestState, HelloAdmitted, admit_hello};
pub use admit_neighbour::{Arrived, NeighbourAdmitted, Pinned, admit_neighbour};
pub use admit_origin::{Host, OriginAdmitted, OriginPolicy, admit_origin};
pub use admit_plain::{PlainAdmitted, admit_plain};
pub use admit_rate::{RateAdmitted, admit_rate};
pub use admit_registration::{RegistrationAdmitted, admit_registration};
pub use attach_upload::{Attachment, attach_upload};
pub use confirm_password::{PasswordConfirmed, confirm_password};
pub use find_login::{LoginTarget, find_login};
pub use give_way::{Stranger, give_way};
pub use may_claim::{MayClaim, may_claim};
pub use may_commit::{MayCommit, Proposed, Welcomed, may_commit};
pub use may_fetch_blob::{MayFetchBlob, may_fetch_blob};
pub use may_invite::{MayInvite, may_invite};
pub use may_join::{MayJoin, may_join};
pub use may_listen::{MayListen, may_listen};
pub use may_read::{MayRead, may_read};
pub use may_rejoin::{MayRejoin, may_rejoin};
pub use may_relay::{MayRelay, RelayAsked, RelayKey, may_relay};
pub use may_store_blob::{BlobAsked, MayStoreBlob, may_store_blob};
pub use may_tell_guest::{MayTellGuest, may_tell_guest};
pub use may_upload::{MayUpload, UploadAsked, UploadPolicy, UploadUsage, may_upload, spare_upload};
pub use may_write::{MayWrite, may_write};
pub use name_upload::{UploadName, name_upload};
pub use prove_classic_key::{ClassicKeyProven, prove_classic_key};
pub use prove_device::{Claim, DeviceProven, prove_device};
pub use share_address::{AddressShared, Sharing, share_address};
pub use stamp_sender::{Claimed, Sender, stamp_sender};
pub use trace_peer::trace_peer;

use crate::store::Account;
use crate::{Context, GuestRefused, Peer, Rate, RateKey, RateLimits, Session};
use portcullis_crypto::Signature;
use portcullis_proto::classroom::SignedFrame;
use portcullis_proto::{
    AccountId, Bytes, ChannelName, ConversationId, Refusal, SignedList, TransferId, UserName,
};
use std::net::IpAddr;

/// Every security decision the server makes, each replaceable, all sound in production.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field's function says what it decides")]
#[expect(clippy::type_complexity, reason = "each row is one plain function type")]
#[rustfmt::skip]
pub struct Defences {
    pub accept_capability: fn(&CapabilityKey, &CapabilityAsked, &Bytes) -> Result<CapabilityAccepted, Refusal>,
    pub accept_list: fn(&Context<'_>, &Account, &SignedList) -> Result<ListAccepted, Refusal>,
    pub accept_token: fn(&Context<'_>, &Bytes) -> Result<TokenAccepted, Refusal>,
    pub admit_frame: fn(&mut GuestState, SignedFrame) -> Result<FrameAdmitted, GuestRefused>,
    pub admit_hello: fn(&SignedFrame) -> Result<HelloAdmitted, GuestRefused>,
    pub admit_neighbour: fn(&SignedFrame, &[Pinned], Arrived<'_>) -> Result<NeighbourAdmitted, GuestRefused>,
    pub admit_origin: fn(&OriginPolicy, Option<&str>, Host<'_>) -> Result<OriginAdmitted, Refusal>,
    pub admit_plain: fn(IpAddr) -> Result<PlainAdmitted, Refusal>,
    pub admit_rate: fn(&mut Context<'_>, (Rate, RateKey), u32) -> Result<RateAdmitted, Refusal>,
    pub admit_registration: fn(&Context<'_>, Option<&str>) -> Result<RegistrationAdmitted, Refusal>,
    pub attach_upload: fn(Option<&str>) -> Attachment,
    pub confirm_password: fn(&Context<'_>, &Session) -> Result<PasswordConfirmed, Refusal>,
    pub find_login: fn(&Context<'_>, &UserName) -> Result<LoginTarget, Refusal>,
    pub give_way: fn(&[Stranger]) -> Option<Stranger>,
    pub may_claim: fn(&mut Context<'_>, AccountId, AccountId) -> Result<MayClaim, Refusal>,
    pub may_commit: fn(&Context<'_>, Sender, &Proposed<'_>) -> Result<MayCommit, Refusal>,
    pub may_fetch_blob: fn(&Context<'_>, &Session, TransferId) -> Result<MayFetchBlob, Refusal>,
    pub may_invite: fn(&Context<'_>, AccountId, ConversationId) -> Result<MayInvite, Refusal>,
    pub may_join: fn(&Context<'_>, AccountId, &ChannelName) -> Result<MayJoin, Refusal>,
    pub may_listen: fn(IpAddr, bool, bool) -> Result<MayListen, Refusal>,
    pub may_read: fn(&Context<'_>, &Session, ConversationId) -> Result<MayRead, Refusal>,
    pub may_rejoin: fn(&Context<'_>, AccountId, ConversationId) -> Result<MayRejoin, Refusal>,
    pub may_relay: fn(&RelayAsked) -> Result<MayRelay, Refusal>,
    pub may_store_blob: fn(&mut Context<'_>, &Session, BlobAsked) -> Result<MayStoreBlob, Refusal>,
    pub may_upload: fn(&UploadPolicy, &UploadUsage, &mut RateLimits, &UploadAsked) -> Result<MayUpload, Refusal>,
    pub may_tell_guest: fn(&mut Context<'_>, Sender, AccountId) -> Result<MayTellGuest, Refusal>,
    pub may_write: fn(&Context<'_>, Sender, ConversationId) -> Result<MayWrite, Refusal>,
    pub name_upload: fn(&[u8; 32], Option<&str>) -> UploadName,
    pub prove_classic_key: fn(&Context<'_>, &Session, &Bytes, &Signature) -> Result<ClassicKeyProven, Refusal>,
    pub prove_device: fn(&Session, &Claim<'_>) -> Result<DeviceProven, Refusal>,
    pub share_address: fn(&mut Context<'_>, Sharing, (AccountId, Peer), u32) -> Result<AddressShared, Refusal>,
    pub stamp_sender: fn(&Context<'_>, &Session, Claimed) -> Result<Sender, Refusal>,
    pub trace_peer: fn(IpAddr, Option<IpAddr>, Option<&str>) -> Option<IpAddr>,
}

/// The sound ones: the only value that the shipped server is built from.
pub const SOUND: Defences = Defences {
    accept_capability,
    accept_list,
    accept_token,
    admit_frame,
    admit_hello,
    admit_neighbour,
    admit_origin,
    admit_plain,
    admit_rate,
    admit_registration,
    attach_upload,
    confirm_password,
    find_login,
    give_way,
    may_claim,
    may_commit,
    may_fetch_blob,
    may_invite,
    may_join,
    may_listen,
    may_read,
    may_rejoin,
    may_relay,
    may_store_blob,
    may_tell_guest,
    may_upload,
    may_write,
    name_upload,
    prove_classic_key,
    prove_device,
    share_address,
    stamp_sender,
    trace_peer,
};
