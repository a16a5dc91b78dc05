//! What happened in a world, as the plane judges it: an append-only log. It says who really did what, which
//! the world's own server may not know.

use portcullis_client_core::Show;
use portcullis_proto::{AccountId, Code, DeviceId, Envelope, RequestKind, UserName};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Who was at the far end of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doer {
    /// A scripted person.
    Person(UserName),
    /// The learner's own client.
    Own,
    /// The learner, on the connection of this number.
    Learner(u64),
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Happened {
    /// Somebody asked the server for something.
    Asked {
        /// Who.
        by: Doer,
        /// What; none where the frame was not a request.
        asked: Option<RequestKind>,
        /// How it was refused, if it was.
        refused: Option<Code>,
    },
    /// A session was opened.
    Opened {
        /// By whom.
        by: Doer,
        /// As which account.
        account: AccountId,
        /// As which device.
        device: DeviceId,
    },
    /// The server took an envelope and told it to others.
    Stored {
        /// Who really submitted it.
        by: Doer,
        /// What the server says of it.
        envelope: Box<Envelope>,
    },
    /// A scripted person was shown something.
    Shown {
        /// Who.
        to: UserName,
        /// What.
        show: Box<Show>,
    },
    /// A file that was sent to somebody was written to their disk.
    Wrote {
        /// Whose.
        whose: UserName,
        /// Where it really lies.
        path: PathBuf,
        /// What it says.
        content: Vec<u8>,
    },
}

impl Doer {
    /// Whether this is the learner, by whatever means.
    #[must_use]
    pub const fn is_learner(&self) -> bool {
        matches!(self, Self::Own | Self::Learner(_))
    }
}

/// The accounts and devices that the learner really has.
#[must_use]
pub fn learners(happened: &[Happened]) -> BTreeSet<(AccountId, DeviceId)> {
    let opened = happened.iter().filter_map(|happened| match happened {
        Happened::Opened { by, account, device } if by.is_learner() => Some((*account, *device)),
        _ => None,
    });
    opened.collect()
}
