//! The record of an entry of a conversation.

use super::twin::{Convert, convert, twin};
use super::{from_bytes, to_bytes};
use crate::message::{Body, FilesOffered, FilesStep, FilesTold, Message, Notice};
use crate::show::IdentityState;
use portcullis_proto::{
    AccountId, ConversationId, DeviceId, EndReason, FileName, GroupName, Holds, PersonName,
    Reference, Timestamp, TransferId, UserName,
};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct MessageRecord {
    conversation: ConversationId,
    seq: u64,
    id: Reference,
    account: AccountId,
    sender: PersonName,
    device: DeviceId,
    sent_at: Timestamp,
    body: BodyRecord,
    identity: IdentityRecord,
    own: bool,
}

twin!(BodyRecord, Body {
    Text { text: String, reply_to: Option<Reference> },
    Edit { target: Reference, text: String },
    Delete { target: Reference },
    Reaction { target: Reference, emoji: String },
    Notices(notices: Vec<NoticeRecord>),
    Offer(offered: OfferedRecord),
    Step(step: StepRecord),
    Unknown(name: String),
});

twin!(ToldRecord, FilesTold { Accepted, Declined, Full, Received, Ended(reason: EndReason) });

/// Without the key: who looks at old messages can do without it.
#[derive(Serialize, Deserialize)]
struct OfferedRecord {
    transfer: TransferId,
    title: FileName,
    files: u32,
    bytes: u64,
    #[serde(default, skip_serializing_if = "Holds::is_file")]
    holds: Holds,
}

#[derive(Serialize, Deserialize)]
struct StepRecord {
    offer: Reference,
    title: FileName,
    told: ToldRecord,
}

impl Convert<OfferedRecord> for FilesOffered {
    fn convert(self) -> OfferedRecord {
        let Self { transfer, title, files, bytes, holds } = self;
        OfferedRecord { transfer, title, files, bytes, holds }
    }
}

impl Convert<FilesOffered> for OfferedRecord {
    fn convert(self) -> FilesOffered {
        let Self { transfer, title, files, bytes, holds } = self;
        FilesOffered { transfer, title, files, bytes, holds }
    }
}

impl Convert<StepRecord> for FilesStep {
    fn convert(self) -> StepRecord {
        StepRecord { offer: self.offer, title: self.title, told: self.told.into() }
    }
}

impl Convert<FilesStep> for StepRecord {
    fn convert(self) -> FilesStep {
        FilesStep { offer: self.offer, title: self.title, told: self.told.into() }
    }
}

twin!(NoticeRecord, Notice {
    Created(names: Vec<UserName>),
    Added(names: Vec<UserName>),
    Removed(names: Vec<UserName>),
    Left,
    Renamed(name: GroupName),
    Owner(name: UserName),
    DeviceJoined,
    DevicesAdded(names: Vec<UserName>),
    DevicesRemoved(names: Vec<UserName>),
    Before(count: u64),
});

twin!(IdentityRecord, IdentityState { NotVerified, Verified, Changed, Own, Guest });

impl Convert<Vec<NoticeRecord>> for Vec<Notice> {
    fn convert(self) -> Vec<NoticeRecord> {
        self.into_iter().map(Into::into).collect()
    }
}

impl Convert<Vec<Notice>> for Vec<NoticeRecord> {
    fn convert(self) -> Vec<Notice> {
        self.into_iter().map(Into::into).collect()
    }
}

/// The bytes of a message's record.
pub(crate) fn write_message(message: &Message) -> Vec<u8> {
    to_bytes(MessageRecord {
        conversation: message.conversation,
        seq: message.seq,
        id: message.id,
        account: message.account,
        sender: message.sender.clone(),
        device: message.device,
        sent_at: message.sent_at,
        body: message.body.clone().into(),
        identity: message.identity.into(),
        own: message.own,
    })
}

/// Reads a message's record back, for a shell that shows what was said before.
#[must_use]
pub fn read_message(bytes: &[u8]) -> Option<Message> {
    let record: MessageRecord = from_bytes(bytes)?;
    Some(Message {
        conversation: record.conversation,
        seq: record.seq,
        id: record.id,
        account: record.account,
        sender: record.sender,
        device: record.device,
        sent_at: record.sent_at,
        body: record.body.into(),
        identity: record.identity.into(),
        own: record.own,
    })
}
