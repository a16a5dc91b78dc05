//! What happened in a world, as the plane judges it: an append-only log. It says who really did what, which
//! the world's own server may not know.

use crate::lesson::Record;
use portcullis_client_core::Show;
use portcullis_proto::{AccountId, ChannelName, Code, DeviceId, Envelope, RequestKind, UserName};
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
    /// Somebody of a lesson sealed something.
    Said {
        /// Who.
        by: UserName,
        /// Where.
        place: ChannelName,
        /// What.
        text: String,
    },
    /// Somebody of a lesson opened something and believed it.
    Read {
        /// Who.
        by: UserName,
        /// Who they think has said it.
        sender: UserName,
        /// Where they think it was said.
        place: ChannelName,
        /// What.
        text: String,
    },
    /// The desk's books say something new.
    Recorded {
        /// Because of whom.
        by: Doer,
        /// What.
        record: Record,
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

impl Happened {
    /// Bytes that it takes. What somebody was shown is not among them: it comes in a frame, which is counted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let held = match self {
            Self::Asked { .. } | Self::Opened { .. } => 0,
            Self::Stored { envelope, .. } => size_of::<Envelope>() + envelope.body.as_slice().len(),
            Self::Shown { .. } => size_of::<Show>(),
            Self::Said { text, .. } | Self::Read { text, .. } => text.len(),
            Self::Recorded { record, .. } => record.row.len() + record.value.len(),
            Self::Wrote { content, .. } => content.len(),
        };
        size_of::<Self>() + held
    }
}

impl Doer {
    /// Whether this is the learner, by whatever means.
    #[must_use]
    pub const fn is_learner(&self) -> bool {
        matches!(self, Self::Own | Self::Learner(_))
    }
}

/// Whether somebody of a lesson believes something, with this word in it, that its sender has not said there.
#[must_use]
pub fn is_forged(happened: &[Happened], word: &str) -> bool {
    let is_said = |from: &UserName, at: &ChannelName, what: &str| {
        happened.iter().any(|happened| match happened {
            Happened::Said { by, place, text } => by == from && place == at && text == what,
            _ => false,
        })
    };
    happened.iter().any(|happened| match happened {
        Happened::Read { sender, place, text, .. } => {
            text.contains(word) && !is_said(sender, place, text)
        }
        _ => false,
    })
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
