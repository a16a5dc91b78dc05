//! Every security decision that the client makes: one file a defence, with the attack that it stops and
//! its test. The server is not trusted here; it may lie about everything.

mod accept_change;
mod accept_chunk;
mod accept_entry;
mod accept_guest;
mod accept_hashes;
mod accept_identity;
mod accept_key_package;
mod accept_leaves;
mod accept_list;
mod accept_manifest;
mod accept_number;
mod accept_offer;
mod accept_page;
mod accept_step;
mod accept_stretching;
mod auto_accept;
mod is_restored;
mod keep_account;
mod keep_context;
mod keep_kind;
mod may_commit;
mod may_dial;
mod may_go_direct;
mod open_channel;
mod open_guest_chat;
mod place_entry;
mod prove_path;
mod release_chunk;
mod same_log;
mod unhide_name;

pub use accept_change::{ChangeAccepted, ChangeRefused, Target, accept_change};
pub use accept_chunk::{ChunkAccepted, ChunkRefused, accept_chunk};
pub use accept_entry::{EntryAccepted, accept_entry};
pub use accept_guest::{GuestAccepted, GuestRefused, Heard, accept_guest, accept_visited};
pub use accept_hashes::{HashesAccepted, HashesRefused, accept_hashes};
pub use accept_identity::{Contact, Pinned, accept_identity};
pub use accept_key_package::{PackageAccepted, accept_key_package};
pub use accept_leaves::{LeavesAccepted, accept_leaves};
pub use accept_list::{ListTaken, accept_list};
pub use accept_manifest::{ManifestAccepted, ManifestRefused, accept_manifest};
pub use accept_number::{Numbered, accept_number};
pub use accept_offer::{OfferAccepted, OfferMade, OfferRefused, accept_offer};
pub use accept_page::{PageAccepted, accept_page};
pub use accept_step::{StepAccepted, StepRefused, accept_step};
pub use accept_stretching::accept_stretching;
pub use auto_accept::{AutoAccepted, AutoOffer, auto_accept};
pub use is_restored::is_restored;
pub use keep_account::{AccountKept, keep_account};
pub use keep_context::{ContextKept, keep_context};
pub use keep_kind::{Kept, keep_kind};
pub use may_commit::{MayCommit, may_commit};
pub use may_dial::{MayDial, may_dial};
pub use may_go_direct::{DirectAsked, MayGoDirect, may_go_direct};
pub use open_channel::{ContentOpened, OpenError, open_channel};
pub use open_guest_chat::{ChatOpened, ChatRefused, open_guest_chat};
pub use place_entry::{EntryPlaced, PlaceRefused, is_part_name, part_name, place_entry};
pub use prove_path::{
    HELLO, PathProven, PathRefused, path_hello, path_name, path_pass, prove_path,
};
pub use release_chunk::{ChunkReleased, FileChanged, release_chunk};
pub use same_log::same_log;
pub use unhide_name::{NameShown, unhide_name};

pub use crate::encrypted::{
    CommitRefused, Committed, EntryRefused, Joining, Lists, Offered, PackageRefused,
};
pub use crate::transfers::{Course, Recipient};

use crate::Warning;
use portcullis_crypto::{
    AuthPublic, ChunkHash, ClassicKey, FileCipher, FileKey, Hash, IdentityPublic, Shape, Stretch,
};
use portcullis_proto::classroom::{GuestKey, SignedFrame};
use portcullis_proto::{
    AccountCard, AccountId, BadList, ConversationId, ConversationKind, ConversationSummary,
    DeviceId, Envelope, Fetched, FileName, FileOffer, FilePath, FileStep, Kind, ListRecord,
    QuicWay, Seen, SignedList, Stretching, Timestamp,
};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Every security decision the client makes, each replaceable, all sound in production.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field's function says what it decides")]
#[expect(clippy::type_complexity, reason = "each row is one plain function type")]
#[rustfmt::skip]
pub struct Defences {
    pub accept_change: fn(Option<Target>, AccountId, &Kind) -> Result<ChangeAccepted<'_>, ChangeRefused>,
    pub accept_chunk: fn(&FileCipher, u64, ChunkHash, Vec<u8>) -> Result<ChunkAccepted, ChunkRefused>,
    pub accept_entry: fn(&Joining<'_>, &dyn Lists) -> Result<EntryAccepted, EntryRefused>,
    pub accept_guest: fn(&Envelope, bool) -> Result<GuestAccepted, GuestRefused>,
    pub accept_hashes: fn(&FileOffer, &mut dyn Iterator<Item = ChunkHash>) -> Result<HashesAccepted, HashesRefused>,
    pub accept_identity: fn(&Pinned, &AccountCard) -> Contact,
    pub accept_key_package: fn(&Offered<'_>, Timestamp) -> Result<PackageAccepted, PackageRefused>,
    pub accept_leaves: fn(&Committed<'_>, &dyn Lists) -> Result<LeavesAccepted, CommitRefused>,
    pub accept_list: fn(AccountId, &IdentityPublic, Option<&ListRecord>, &SignedList) -> Result<ListTaken, BadList>,
    pub accept_manifest: fn(&FileOffer, &[u8]) -> Result<ManifestAccepted, ManifestRefused>,
    pub accept_number: fn(Option<u64>, u64) -> Numbered,
    pub accept_offer: for<'a> fn(&OfferMade<'a>) -> Result<OfferAccepted<'a>, OfferRefused>,
    pub accept_page: fn(ConversationId, Option<Seen>, &Fetched) -> Result<PageAccepted, Warning>,
    pub accept_step: for<'a> fn(Option<&Course>, (AccountId, DeviceId), &'a FileStep) -> Result<StepAccepted<'a>, StepRefused>,
    pub accept_stretching: fn(Stretching, Stretch) -> Option<Stretch>,
    pub accept_visited: fn(&Heard<'_>, SignedFrame) -> Result<GuestAccepted, GuestRefused>,
    pub auto_accept: fn(&AutoOffer) -> Option<AutoAccepted>,
    pub is_restored: fn(u64, u64, u64) -> bool,
    pub keep_account: fn(&Committed<'_>) -> Result<AccountKept, CommitRefused>,
    pub keep_context: fn(&Committed<'_>) -> Result<ContextKept, CommitRefused>,
    pub keep_kind: fn(Option<AccountId>, Option<ConversationKind>, &ConversationSummary) -> Result<Kept, Warning>,
    pub may_commit: fn(&Committed<'_>, &dyn Lists) -> Result<MayCommit, CommitRefused>,
    pub may_dial: fn(MayGoDirect, &[SocketAddr], Option<&QuicWay>, bool) -> Option<MayDial>,
    pub may_go_direct: fn(&[DirectAsked]) -> Option<MayGoDirect>,
    pub open_channel: fn(&Envelope, Option<&AuthPublic>) -> Result<ContentOpened, OpenError>,
    pub open_guest_chat: fn(&GuestAccepted, &ClassicKey, &GuestKey) -> Result<ChatOpened, ChatRefused>,
    pub place_entry: fn(&FilePath) -> Result<EntryPlaced, PlaceRefused>,
    pub prove_path: fn(&FileKey, &BTreeMap<DeviceId, AuthPublic>, &[u8; HELLO]) -> Result<PathProven, PathRefused>,
    pub release_chunk: fn(Shape, u64, ChunkHash, Vec<u8>) -> Result<ChunkReleased, FileChanged>,
    pub same_log: fn(Option<Hash>, Seen, u64) -> bool,
    pub unhide_name: fn(&FileName) -> NameShown,
}

/// The sound ones: the only value that the shipped client is built from.
pub const SOUND: Defences = Defences {
    accept_change,
    accept_chunk,
    accept_entry,
    accept_guest,
    accept_hashes,
    accept_identity,
    accept_key_package,
    accept_leaves,
    accept_list,
    accept_manifest,
    accept_number,
    accept_offer,
    accept_page,
    accept_step,
    accept_stretching,
    accept_visited,
    auto_accept,
    is_restored,
    keep_account,
    keep_context,
    keep_kind,
    may_commit,
    may_dial,
    may_go_direct,
    open_channel,
    open_guest_chat,
    place_entry,
    prove_path,
    release_chunk,
    same_log,
    unhide_name,
};
