//! The server's own limits, each with its unit and its reason. Those of the protocol are in
//! `portcullis_proto::limits`.

/// Requests in one batch: enough that the cost of making it durable is shared, few enough that a batch
/// of the slowest requests stays under a tenth of a second.
pub const BATCH_REQUESTS: usize = 1024;

/// Milliseconds for which a session token serves: a device that is not used for a month logs in anew.
pub const TOKEN_MILLIS: u64 = 30 * 24 * 3600 * 1000;

/// Milliseconds after which a confirmed password has to be confirmed again before it is changed.
pub const CONFIRMED_MILLIS: u64 = 5 * 60 * 1000;

/// Milliseconds for which an invitation to register serves.
pub const INVITE_MILLIS: u64 = 7 * 24 * 3600 * 1000;

/// Rate buckets kept in memory, about 64 bytes each. Past it the full ones are forgotten, since a full
/// bucket and none are the same.
pub const RATE_BUCKETS: usize = 100_000;

/// Channels that one account may be in and groups that it may own, so that its list stays a few pages.
/// What is other people's doing (invitations, directs, being added to groups) doesn't count.
pub const MEMBERSHIPS: u32 = 1024;

/// Invitations to conversations that wait for one account's answer: more than a person would read.
pub const INVITATIONS: u32 = 64;

/// Rows of an account's conversations that are read at once: most accounts' in one page.
pub const MEMBERSHIPS_READ: u32 = 1024;

/// Milliseconds ahead of which a key package expires at the latest: what a device signed long ago should
/// not add it to a conversation.
pub const KEY_PACKAGE_MILLIS: u64 = 120 * 24 * 3600 * 1000;

/// Single-use key packages below which a device is told to leave more: a day's worth for somebody who is
/// much sought.
pub const KEY_PACKAGES_LOW: u32 = 16;

/// Devices welcomed by a commit that cost as much as the commit: each gets a copy of the welcome.
pub const WELCOMES_PER_TOKEN: usize = 8;

/// Bytes of an OPAQUE message: the largest is 320, and a growing suite needs room.
pub const OPAQUE_BYTES: usize = 4096;

/// Bytes of a wrapped identity key: 32 of the key, 24 of the nonce, 16 of the tag, and room.
pub const WRAPPED_BYTES: usize = 256;

/// Connections of classroom guests at once. With [`GUEST_LIST_DEVICES`] and the gateway they make a list that
/// other servers take: `GUEST_CLIENTS` of the protocol's limits.
pub const GUESTS: usize = 1_500;

/// Connections of classroom guests from one address: large classes behind one, and room for others.
pub const GUESTS_AT_ADDRESS: usize = 750;

/// Guests that have gone and are still no new ones when they come back, and as many again of those before them: all
/// that one address may have, so that new keys alone don't make an address forget its guests at once.
pub const GUESTS_REMEMBERED: usize = 1_024;

/// Connections of one guest: a person's windows.
pub const GUEST_CONNECTIONS: usize = 8;

/// Devices' keys in a list for guests, those that were published last.
pub const GUEST_LIST_DEVICES: u32 = 512;

/// Destinations or keys of one guest's message that cost as much as a message: each guest tries each key.
pub const GUEST_DESTINATIONS_PER_TOKEN: usize = 16;

/// Bytes of one guest's message that cost as much as a message.
pub const GUEST_BYTES_PER_TOKEN: usize = 8 * 1024;

/// Bytes of a file that a classroom guest sends: a long document or a few photographs.
pub const UPLOAD_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of all guests' files together: more than a class sends in a day, and less than any disk has left.
pub const UPLOAD_QUOTA_BYTES: u64 = 1024 * 1024 * 1024;

/// Guests' files at one time, since a folder of small ones costs more than its bytes.
pub const UPLOAD_FILES: usize = 16_384;

/// Guests' files that may be coming at once: each costs a buffer and an open file.
pub const UPLOADS_AT_ONCE: usize = 64;

/// Those of one address, which a whole class may share.
pub const UPLOADS_AT_ONCE_EACH: usize = 32;

/// Bytes of a guest's file for each token of its address, of which there are 4,096 an hour.
pub const UPLOAD_TOKEN_BYTES: u64 = 64 * 1024;

/// Bytes of one account's blobs: a few films for people who are away, and no backup of a disk.
pub const BLOB_ACCOUNT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of all blobs together.
pub const BLOB_ALL_BYTES: u64 = 64 * 1024 * 1024 * 1024;

/// Bytes of the disk that blobs never take: messages have to be stored whatever files do.
pub const BLOB_SPARE_BYTES: u64 = 1024 * 1024 * 1024;

/// Milliseconds for which a blob is kept: whoever is away for longer is offered it again.
pub const BLOB_MILLIS: u64 = 7 * 24 * 3600 * 1000;

/// Milliseconds after which room is no longer kept for a blob of which no byte has come: its sender asks again when it
/// is needed.
pub const BLOB_EMPTY_MILLIS: u64 = 3600 * 1000;

/// Blobs of one account, since small ones cost a row and a file too.
pub const BLOBS_EACH: u64 = 256;

/// All blobs: as many rows as are added up in a millisecond.
pub const BLOBS: u64 = 16_384;

/// Expired blobs that are dropped in one transaction; the rest goes in the next.
pub const BLOBS_SWEPT: u32 = 1024;

/// Milliseconds for which a token for `/blobs` serves: a client asks for another in a moment, and somebody
/// who was taken out of a conversation should not fetch for long.
pub const CAPABILITY_MILLIS: u64 = 3600 * 1000;

/// Milliseconds for which a key is registered with the relay: a transfer that takes longer than a day is registered
/// anew at its device's next login.
pub const RELAY_KEY_MILLIS: u64 = 24 * 3600 * 1000;

/// Keys of one account that are registered at once; past it the oldest goes. One is for one transfer of a device.
pub const RELAY_KEYS_EACH: usize = 64;

/// Connections to the relay of one account.
pub const RELAY_CONNECTIONS_EACH: usize = 32;

/// All connections to the relay: each may have half a megabyte waiting.
pub const RELAY_CONNECTIONS: usize = 512;

/// Bytes that the relay carries for one account in a day: what can't go directly and is larger goes as a blob.
pub const RELAY_ACCOUNT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Bytes of the headers of a form's part: a long name in percent-encoding, and room.
pub const FORM_HEAD_BYTES: usize = 8 * 1024;

/// Bytes of a form's boundary (RFC 2046 section 5.1.1).
pub const FORM_BOUNDARY_BYTES: usize = 70;
