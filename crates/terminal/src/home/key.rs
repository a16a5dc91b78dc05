//! The key of a row: a byte for its kind, the ids, and the sequence number with its highest byte first,
//! so that a conversation's messages stand in order.

use portcullis_client_core::{Key, RecordKey};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Reference, TransferId};

const ACCOUNT: u8 = 1;
const PERSON: u8 = 2;
const CONVERSATION: u8 = 3;
const NUMBER: u8 = 4;
const OUTBOX: u8 = 5;
/// Messages, and with them what is not the state of a client, lie from here …
pub(super) const MESSAGE: u8 = 6;
/// What the shell remembers: without an id which conversation was open, with one what `tail` has printed.
const SHELL: u8 = 7;
/// … to here. A kind keeps its number, so that a home of an earlier version opens.
pub(super) const INBOX: u8 = 8;
const MLS: u8 = 9;
const CLASSIC: u8 = 10;
const GUEST: u8 = 11;
const GUEST_SEEN: u8 = 12;
const TRANSFER: u8 = 13;

/// What a row is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    /// A record of the core.
    Core(Key),
    /// Up to where `tail` has printed.
    Tailed(ConversationId),
    /// Which conversation was open last.
    Opened,
}

impl Row {
    pub(super) fn encode(&self) -> Vec<u8> {
        let with = |kind: u8, parts: &[&[u8]]| [&[kind], parts.concat().as_slice()].concat();
        match self {
            Self::Core(Key::Account) => with(ACCOUNT, &[]),
            Self::Core(Key::Person(id)) => with(PERSON, &[id.as_bytes()]),
            Self::Core(Key::Conversation(id)) => with(CONVERSATION, &[id.as_bytes()]),
            Self::Core(Key::Number(id, device)) => {
                with(NUMBER, &[id.as_bytes(), device.as_bytes()])
            }
            Self::Core(Key::Inbox) => with(INBOX, &[]),
            Self::Core(Key::Mls(RecordKey(key))) => with(MLS, &[key]),
            Self::Core(Key::Classic) => with(CLASSIC, &[]),
            Self::Core(Key::Guest(id)) => with(GUEST, &[id.as_bytes()]),
            Self::Core(Key::GuestSeen(id)) => with(GUEST_SEEN, &[id.as_bytes()]),
            Self::Core(Key::Transfer(id)) => with(TRANSFER, &[id.as_bytes()]),
            Self::Core(Key::Outbox(id)) => with(OUTBOX, &[id.as_bytes()]),
            Self::Core(Key::Message(id, seq)) => {
                with(MESSAGE, &[id.as_bytes(), &seq.to_be_bytes()])
            }
            Self::Tailed(id) => with(SHELL, &[id.as_bytes()]),
            Self::Opened => with(SHELL, &[]),
        }
    }

    /// The core's key, if the bytes are one.
    pub(super) fn decode(bytes: &[u8]) -> Option<Key> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            ACCOUNT => rest.is_empty().then_some(Key::Account),
            PERSON => Some(Key::Person(AccountId::from_bytes(rest.try_into().ok()?))),
            CONVERSATION => Some(Key::Conversation(conversation(rest)?)),
            NUMBER => {
                let (id, device) = rest.split_at_checked(16)?;
                let device = DeviceId::from_bytes(device.try_into().ok()?);
                Some(Key::Number(conversation(id)?, device))
            }
            INBOX => rest.is_empty().then_some(Key::Inbox),
            MLS => Some(Key::Mls(RecordKey(rest.try_into().ok()?))),
            CLASSIC => rest.is_empty().then_some(Key::Classic),
            GUEST => Some(Key::Guest(AccountId::from_bytes(rest.try_into().ok()?))),
            GUEST_SEEN => Some(Key::GuestSeen(Reference::from_bytes(rest.try_into().ok()?))),
            TRANSFER => Some(Key::Transfer(TransferId::from_bytes(rest.try_into().ok()?))),
            OUTBOX => Some(Key::Outbox(conversation(rest)?)),
            MESSAGE => {
                let (id, seq) = rest.split_at_checked(16)?;
                let seq = u64::from_be_bytes(seq.try_into().ok()?);
                Some(Key::Message(conversation(id)?, seq))
            }
            _ => None,
        }
    }
}

fn conversation(bytes: &[u8]) -> Option<ConversationId> {
    Some(ConversationId::from_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ConversationId = ConversationId::from_bytes([7; 16]);

    fn check(key: Key, length: usize) {
        let bytes = Row::Core(key).encode();
        assert_eq!(bytes.len(), length, "{key:?}");
        assert_eq!(Row::decode(&bytes), Some(key));
        assert_eq!(Row::decode(&[bytes, vec![0]].concat()), None, "{key:?}");
    }

    #[test]
    fn keys_read_back() {
        check(Key::Account, 1);
        check(Key::Person(AccountId::from_bytes([1; 16])), 17);
        check(Key::Conversation(ID), 17);
        check(Key::Number(ID, DeviceId::from_bytes([2; 16])), 33);
        check(Key::Outbox(ID), 17);
        check(Key::Inbox, 1);
        check(Key::Mls(RecordKey([3; 32])), 33);
        check(Key::Classic, 1);
        check(Key::Guest(AccountId::from_bytes([1; 16])), 17);
        check(Key::GuestSeen(Reference::from_bytes([4; 16])), 17);
        check(Key::Transfer(TransferId::from_bytes([5; 16])), 17);
        check(Key::Message(ID, 1 << 40), 25);
        assert_eq!(Row::decode(&[]), None);
        assert_eq!(Row::decode(&Row::Tailed(ID).encode()), None);
        assert_eq!(Row::decode(&Row::Opened.encode()), None);
    }

    #[test]
    fn messages_stand_in_order() {
        let keys = [1, 255, 256, u64::MAX].map(|seq| Row::Core(Key::Message(ID, seq)).encode());
        assert!(keys.is_sorted());
    }
}
