//! Transfers of files, as the core and its shell speak of them: what a shell is to do, what came of it, and
//! what is shown. Who offers what to whom, and which way it takes, is decided in `transfers/`.
//!
//! Leaves out the bytes themselves: reading, sealing, sending and writing them is the shell's part.

use portcullis_crypto::{AuthPublic, Secret, Signature};
use portcullis_proto::{
    ConversationId, DeviceId, EndReason, FileName, FileOffer, Holds, QuicWay, Reference, Timestamp,
    TransferId, UserName,
};
use std::fmt;
use std::net::SocketAddr;

/// What the shell is to do for a transfer, and all that it needs for it.
///
/// As long as a transfer is not over, its task is told anew after each login; a shell that is at it already
/// goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The transfer, its key and its hash.
    pub offer: FileOffer,
    /// Whether this device offers it; otherwise it receives.
    pub own: bool,
    /// Where the files are, or are to be put: the shell's own words from [`crate::Command::Offer`] or
    /// [`crate::Command::Answer`]. Empty for what was accepted without being asked.
    pub place: String,
    /// What to do.
    pub task: Task,
}

/// One thing to do for a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// Be there for direct connections of this device, besides whatever else is being done.
    Serve {
        /// The recipient's device.
        device: DeviceId,
        /// The key by which that device shows that it is the one.
        auth: AuthPublic,
        /// As whom it is there by QUIC; as anybody, if nothing is said.
        own: Option<QuicEnd>,
    },
    /// Put it on the server, besides whatever else is being done.
    Upload {
        /// The server's permission.
        token: String,
        /// The first byte of the blob that anybody lacks.
        begin: u64,
    },
    /// Stop putting it on the server; what is there may stay.
    StopUpload,
    /// Fetch it from the sender directly, instead of whatever is being done.
    Dial {
        /// Where the sender listens on TCP.
        tcp: Vec<SocketAddr>,
        /// Where it listens on QUIC.
        quic: Option<QuicWay>,
        /// As whom it is called by QUIC; as anybody, if nothing is said.
        own: Option<QuicEnd>,
        /// What shows the sender that this device is the one.
        pass: Signature,
    },
    /// Fetch it from the server, instead of whatever is being done.
    Fetch {
        /// The server's permission.
        token: String,
    },
    /// Stop, and keep what there is.
    Rest,
    /// Stop, and remove what is only of use while it goes on. What was received stays.
    Forget,
}

/// A device's own end of a path by QUIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuicEnd {
    /// The endpoint's Ed25519 key, made for this transfer.
    pub secret: Secret<32>,
    /// The server's relay carries packets for it.
    pub relayed: bool,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The shell listens for this device, at these addresses.
    Listening {
        /// The recipient's device.
        device: DeviceId,
        /// On TCP.
        tcp: Vec<SocketAddr>,
        /// On QUIC.
        quic: Option<QuicWay>,
    },
    /// This device, for which the shell listened, has not come, or not come back.
    Unreached(DeviceId),
    /// The path by which it was dialed or fetched did not come about, broke, or leads no further.
    Lacking {
        /// So many of the blob's first bytes are here.
        have: u64,
    },
    /// All of it is on the server that follows this byte of the blob.
    Uploaded {
        /// The first byte that is there.
        begin: u64,
    },
    /// The server asks for another token.
    TokenRefused,
    /// All of it was received, is what was offered, and lies where it should.
    Received {
        /// Under which paths, for the person.
        paths: Vec<String>,
    },
    /// The files are no longer what they were when they were offered; nothing of the change has left.
    Changed,
    /// It can't go on.
    Failed(Fault),
}

/// Why a transfer can't go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no room on the disk.
    NoSpace,
    /// The folder, or a file, may not be read or written.
    Forbidden,
    /// The folder, or a file, is not there.
    NotFound,
    /// Another program receives it into the same folder.
    Busy,
    /// Reading or writing failed otherwise.
    Disk,
    /// What came this time is not what was offered; another time it may be.
    Damaged,
    /// What came is not what was offered, however often it was fetched.
    Corrupt,
    /// The list of files in it has names or sizes that no sound client offers.
    Manifest,
    /// The server no longer has it.
    Expired,
    /// The server has no room for it.
    NoRoom,
}

impl Fault {
    /// Whether nothing can be done about it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Corrupt | Self::Manifest | Self::Expired)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSpace => "there is no room left on this disk",
            Self::Forbidden => "the folder or a file in it may not be opened",
            Self::NotFound => "the folder or a file in it is not there",
            Self::Busy => "another program is receiving it into this folder",
            Self::Disk => "the disk can't be read or written",
            Self::Damaged => "what the server gave is not what was offered",
            Self::Corrupt => "what came is not what was offered",
            Self::Manifest => "what was offered has names or sizes that can't be kept",
            Self::Expired => "the server no longer has it",
            Self::NoRoom => "the server has no room for it",
        })
    }
}

/// A transfer, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferView {
    /// Which.
    pub transfer: TransferId,
    /// Where it was offered.
    pub conversation: ConversationId,
    /// The message that offers it.
    pub message: Reference,
    /// Who offers it.
    pub sender: UserName,
    /// Whether this device offers it.
    pub own: bool,
    /// What it is called.
    pub title: FileName,
    /// How many files and empty folders it has.
    pub files: u32,
    /// Bytes of the files.
    pub bytes: u64,
    /// What is in it.
    pub holds: Holds,
    /// Where the files are, or are to be put.
    pub place: String,
    /// How far it has come here.
    pub state: TransferState,
    /// It is offered here, and the server has no room for it: it goes directly, or not at all.
    pub roomless: bool,
    /// Until when it waits for an answer, if it does.
    pub expires: Option<Timestamp>,
    /// How far it has come for each recipient, where this device offers it.
    pub recipients: Vec<(UserName, RecipientState)>,
}

/// How far a transfer has come on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TransferState {
    /// It is not answered yet.
    Offered,
    /// It is accepted, or offered here, and nothing moves yet.
    Waiting,
    /// It moves between the devices themselves.
    Direct,
    /// It moves through the server.
    Relayed,
    /// It is offered here, and lies on the server: nobody needs this device any more.
    Stored,
    /// The person has halted it.
    Paused,
    /// It is over, and was received under these paths; none where this device offered it.
    Done(Vec<String>),
    /// It was not wanted, or another device of this account has it.
    Declined,
    /// Somebody ended it.
    Ended(EndReason),
    /// It can't go on; unless that is final, resuming tries again.
    Failed(Fault),
}

impl TransferState {
    /// Whether nothing follows any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Done(_) | Self::Declined | Self::Ended(_) => true,
            Self::Failed(fault) => fault.is_final(),
            Self::Offered
            | Self::Waiting
            | Self::Direct
            | Self::Relayed
            | Self::Stored
            | Self::Paused => false,
        }
    }
}

/// How far a transfer has come for a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientState {
    /// No answer yet.
    Asked,
    /// Wants it.
    Accepted,
    /// Doesn't.
    Declined,
    /// Was not asked: too many of this account's offers wait there.
    Full,
    /// Has it.
    Received,
    /// Ended it.
    Ended(EndReason),
}
