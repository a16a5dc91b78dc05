//! Every limit of the protocol, with its unit and its reason. Limits that concern one side alone
//! stand in that side's own `limits.rs`.

/// Bytes of one WebSocket message from a client. A commit with its welcomes for 256 devices takes
/// about 160 kB in base64-free form; a frame holds it with room for a larger suite.
pub const CLIENT_FRAME_BYTES: usize = 1024 * 1024;

/// Bytes of one WebSocket message from the server: a fetched page and its base64.
pub const SERVER_FRAME_BYTES: usize = 4 * 1024 * 1024;

/// Envelopes in one submit, so that one client cannot fill a batch alone.
pub const SUBMIT_ENVELOPES: usize = 64;

/// Bytes of one envelope's body: the largest padded text and room for a large commit.
pub const ENVELOPE_BYTES: usize = 512 * 1024;

/// Bytes of a text as people type it. More belongs into a file.
pub const TEXT_BYTES: usize = 16 * 1024;

/// Bytes of an encoded content before padding: the text, escaped by JSON at its worst (a control
/// character takes six bytes), and its metadata.
pub const CONTENT_BYTES: usize = 6 * TEXT_BYTES + 4096;

/// Bytes of a reaction: the longest emoji that Unicode recommends, a kiss of two skin tones, takes 35.
pub const REACTION_BYTES: usize = 40;

/// Messages that one message may refer to.
pub const CONTENT_REFERENCES: usize = 16;

/// Envelopes that one fetch returns at most.
pub const FETCH_ENVELOPES: u32 = 256;

/// Bytes of bodies that one fetch returns at most, so that a page fits a frame; one envelope always does.
pub const FETCH_BYTES: usize = 1024 * 1024;

/// Devices in one encrypted conversation, so that a commit and its welcome fit a frame.
pub const GROUP_DEVICES: usize = 256;

/// Devices that one commit may add: each gets a copy of the welcome in its inbox.
pub const COMMIT_DEVICES: usize = 64;

/// Bytes of a group's public state, for devices that join by themselves: the tree of
/// [`GROUP_DEVICES`] leaves and room for a larger suite.
pub const GROUP_INFO_BYTES: usize = 256 * 1024;

/// Bytes of a welcome: the group's public state, and 150 bytes for each device that is added.
pub const WELCOME_BYTES: usize = 256 * 1024;

/// Key packages in one upload, and single-use ones that the server keeps for a device: enough for a
/// month without a connection.
pub const KEY_PACKAGES: usize = 64;

/// Bytes of a key package: 270 with the first suite, 2,640 with a post-quantum one.
pub const KEY_PACKAGE_BYTES: usize = 4096;

/// Accounts whose list versions are asked for at once.
pub const LIST_VERSIONS: usize = 256;

/// Rows of one page of users, channels or conversations.
pub const PAGE_ROWS: u32 = 256;

/// Devices in one account's list: as many as people own, and a bound for every group's size.
pub const DEVICES: usize = 16;

/// Revoked devices that a list still names: history stays verifiable for them.
pub const REVOKED_DEVICES: usize = 256;

/// Bytes of one signed device list: its devices and revoked devices at their most.
pub const DEVICE_LIST_BYTES: usize = 64 * 1024;

/// Versions of a device list in one answer.
pub const DEVICE_LIST_VERSIONS: usize = 64;

/// Changes in one presence event; past it the event says `more`, and a client lists anew.
pub const PRESENCE_CHANGES: usize = 128;

/// Bytes of an invitation code: 128 random bits in base64 have 24; room for future forms.
pub const INVITE_BYTES: usize = 64;

/// Bytes of a device's key for the classroom: RSA-2048 takes 294.
pub const CLASSIC_KEY_BYTES: usize = 1024;

/// Bytes of one frame of the classroom's protocol: a text of [`TEXT_BYTES`] that JSON escapes and base64
/// lengthens, and the keys of some twenty recipients.
pub const GUEST_FRAME_BYTES: usize = 64 * 1024;

// Files between people.

/// Bytes of a file's name: what common file systems allow.
pub const FILE_NAME_BYTES: usize = 255;

/// Folders in each other, the file's own name included: what fits a path of 4,096 bytes with short names.
pub const FILE_DEPTH: usize = 32;

/// Files and empty folders of one transfer: each is made and renamed on its own, and shown to nobody by name.
pub const FILE_ENTRIES: usize = 10_000;

/// Bytes of the list of files: [`FILE_ENTRIES`] with paths of 400 bytes.
pub const MANIFEST_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of all files of one transfer: 1 TiB, whose hashes take 128 MiB.
pub const TRANSFER_BYTES: u64 = 1 << 40;

/// Addresses at which somebody says to be reachable: of each interface, both families.
pub const FILE_ADDRESSES: usize = 16;

// The classroom's protocol.

/// Bytes of a frame that lists clients: [`GUEST_CLIENTS`] PEMs of RSA-2048, about 460 bytes each.
pub const GUEST_LIST_BYTES: usize = 1024 * 1024;

/// Clients that one server lists.
pub const GUEST_CLIENTS: usize = 2048;

/// Servers of one neighbourhood.
pub const GUEST_SERVERS: usize = 64;

/// Recipients of one `chat`: each takes 344 bytes of the frame, and a millisecond of every client that
/// looks whether it is one of them.
pub const GUEST_RECIPIENTS: usize = 128;

/// Levels of JSON in one frame. A list of servers has four; each costs one pass over what it holds.
pub const GUEST_NESTING: usize = 8;

/// Keys of one JSON object. The richest frame has six; clients may add their own.
pub const GUEST_FIELDS: usize = 64;

/// Bytes of a PEM: RSA-4096 on 64-column lines takes 800, and clients may lay it out otherwise.
pub const GUEST_PEM_BYTES: usize = 2048;

/// The largest counter: where a client that counts with floating-point numbers stops to count.
pub const GUEST_COUNTER: u64 = 1 << 53;
