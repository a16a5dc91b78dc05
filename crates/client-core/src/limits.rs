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

/// Envelopes asked for in one fetch.
pub const FETCH_ENVELOPES: u32 = 256;

/// Pages of users or conversations that one listing takes: 256 of each.
pub const PAGES: u32 = 64;
