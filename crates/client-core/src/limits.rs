//! The client's own limits, each with its unit and its reason.

/// Chain values kept in memory for each conversation: how far behind an author may be and still be
/// compared with.
pub const CHAIN_MEMORY: usize = 1024;

/// Chain values of them that are persisted: enough for what is under way around a restart.
pub const CHAIN_RECORD: usize = 32;

/// Messages that may wait for a connection in one conversation.
pub const OUTBOX: usize = 1000;

/// Bytes of bodies in one submit, so that its frame stays below the server's limit in base64.
pub const SUBMIT_BYTES: usize = 512 * 1024;

/// Times that an enrolment is made again because another device was enrolled meanwhile.
pub const ENROL_TRIES: u32 = 3;

/// Milliseconds after which a refused submit is made again where the server did not say.
pub const RETRY_MILLIS: u64 = 1_000;

/// Envelopes asked for in one fetch of the inbox: a welcome takes up to 256 KiB.
pub const FETCH_INBOX: u32 = 64;

/// Times that a commit is made again because others were faster, before the person is told.
pub const COMMIT_TRIES: u32 = 12;

/// Times that the keys are renewed because of refused commits, before anybody else is understood again.
pub const RENEWALS: u32 = 3;

/// Times that a device joins again because it can't read what others say, before it says so and waits.
pub const JOIN_TRIES: u32 = 5;

/// Conversations that a new device joins at once: each takes a look at all their devices.
pub const JOINS: usize = 4;

/// Milliseconds of which a random part passes before something is tried again, doubled each time …
pub const JITTER_MILLIS: u64 = 250;

/// … so many times.
pub const JITTER_DOUBLINGS: u32 = 6;

/// Single-use key packages in a device's stock on the server: as many as it takes beside the one of last resort.
pub const KEY_PACKAGES: usize = portcullis_proto::limits::KEY_PACKAGES - 1;

/// The part of its stock below which a device fills it up: a quarter.
pub const KEY_PACKAGES_LOW: usize = 4;

/// Single-use key packages whose private parts are kept, the oldest being forgotten: four times the
/// stock, since the server may hand out, or lose, as many as it likes.
pub const KEY_PACKAGES_KEPT: usize = 4 * portcullis_proto::limits::KEY_PACKAGES;

/// Milliseconds for which a key package serves: a device that was away for longer joins by itself.
pub const KEY_PACKAGE_MILLIS: u64 = 90 * 24 * 3600 * 1000;

/// Members up to which a conversation has delivered and read marks: each message leads to one of each
/// member.
pub const MARKED_MEMBERS: usize = 16;

/// Last messages of a conversation that can be changed, answered or reacted to, since it is known whose
/// they are.
pub const CHANGEABLE: usize = 256;

/// Conversations with classroom guests: a new key costs them nothing, and each takes a row of the screen.
pub const GUEST_TALKS: usize = 256;

/// Messages that may wait to be sent to one guest, who may be gone by then.
pub const GUEST_OUTBOX: usize = 32;

/// Keys of a guest's message that are tried, each for 0.7 milliseconds: recipients beyond them can't read it.
pub const GUEST_KEYS: usize = 32;

/// Envelopes asked for in one fetch of what guests write privately: at [`GUEST_KEYS`] each, the screen stands
/// still for a third of a second at worst.
pub const FETCH_GUESTS: u32 = 16;

/// Guests of a foreign classroom server that are looked at: its list is read anew every [`VISIT_LIST_MILLIS`].
pub const VISIT_GUESTS: usize = 2048;

/// Milliseconds after which such a server is asked again who is there: none has to say it by itself.
pub const VISIT_LIST_MILLIS: u64 = 20_000;

/// Milliseconds after which it is asked already where somebody spoke who is not listed: not with every frame,
/// which anybody can send.
pub const VISIT_AGAIN_MILLIS: u64 = 1_000;

/// Milliseconds after which it is not expected to answer any more.
pub const VISIT_ANSWER_MILLIS: u64 = 10_000;

/// Frames of keys that are not listed yet, which wait for the next list: what may arrive in between.
pub const VISIT_HELD: usize = 64;

/// Hashes of what was shown there, 16 bytes each, by which replays are told: months of a lively classroom.
pub const VISIT_SEEN: usize = 16_384;

/// Transfers of files that are kept, each a record of about a kilobyte: what is over gives way.
pub const TRANSFERS: usize = 256;

/// Offers of one person that wait for an answer: more than anybody looks through.
pub const OFFERS_WAITING: usize = 32;

/// Bytes that each file or folder counts at least where it is taken without asking: a block of the disk, which an empty
/// one may take too.
pub const UNASKED_ENTRY_BYTES: u64 = 4096;

/// Milliseconds for which an offer waits for an answer, and an accepted one for its bytes: as long as a server keeps
/// those, unless its operator says otherwise.
pub const OFFER_MILLIS: u64 = 7 * 24 * 3600 * 1000;

/// How often, since it was started, a sender is there once more for recipients who could not reach it, where the server
/// has no room: each is a message in the conversation.
pub const SERVED_AGAIN: u32 = 16;

/// How often, since it was started, a recipient takes it that the server gave something else than was offered, and lets it
/// be tried again: a disk that has lost a chunk gives the same each time.
pub const DAMAGED_TRIES: u32 = 8;

/// Milliseconds for which a recipient waits for the sender's addresses before it turns to the server.
pub const REACH_MILLIS: u64 = 10_000;

/// Milliseconds after which files are put on the server for those who have not answered: they may be away, and
/// the sender may be gone when they come.
pub const ANSWER_MILLIS: u64 = 30_000;

/// Milliseconds after which the server is asked again for a transfer, doubled each time …
pub const TRANSFER_RETRY_MILLIS: u64 = 1_000;

/// … so many times: at last about once a minute, for as long as there is something to be had.
pub const TRANSFER_RETRY_DOUBLINGS: u32 = 6;

/// Envelopes asked for in one fetch.
pub const FETCH_ENVELOPES: u32 = 256;

/// Pages of users or conversations that one listing takes: 256 of each.
pub const PAGES: u32 = 64;
