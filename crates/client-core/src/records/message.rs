//! The record of an entry of a conversation.

use super::{from_bytes, to_bytes};
use crate::message::{Body, Message, Notice};
use crate::show::IdentityState;
use portcullis_proto::{
    AccountId, ConversationId, DeviceId, GroupName, PersonName, Reference, Timestamp, UserName,
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

/// Makes the stored twin of an enum, and the ways there and back, so that none of the three can miss
/// a variant.
macro_rules! twin {
    ($record:ident, $of:ident { $( $variant:ident $( { $($field:ident: $type:ty),* } )? $( ( $inner:ident: $inner_type:ty ) )? ),* $(,)? }) => {
        #[derive(Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum $record {
            $( $variant $( { $($field: $type),* } )? $( ( $inner_type ) )? ),*
        }

        impl From<$of> for $record {
            fn from(value: $of) -> Self {
                match value {
                    $( $of::$variant $( { $($field),* } )? $( ($inner) )? => Self::$variant $( { $($field),* } )? $( (convert($inner)) )? ),*
                }
            }
        }

        impl From<$record> for $of {
            fn from(value: $record) -> Self {
                match value {
                    $( $record::$variant $( { $($field),* } )? $( ($inner) )? => Self::$variant $( { $($field),* } )? $( (convert($inner)) )? ),*
                }
            }
        }
    };
}

twin!(BodyRecord, Body {
    Text { text: String, reply_to: Option<Reference> },
    Edit { target: Reference, text: String },
    Delete { target: Reference },
    Reaction { target: Reference, emoji: String },
    Notices(notices: Vec<NoticeRecord>),
    Unknown(name: String),
});

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

/// A field's own conversion; a list's is that of each element.
trait Convert<T> {
    fn convert(self) -> T;
}

impl<T> Convert<T> for T {
    fn convert(self) -> T {
        self
    }
}

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

fn convert<T, U>(value: T) -> U
where
    T: Convert<U>,
{
    value.convert()
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
