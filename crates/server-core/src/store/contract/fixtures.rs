//! Rows for the contract, each different from the next in every field.

use portcullis_crypto::{AuthKey, Hash, IdentityKey, Secret, Signature, Stretch};
use portcullis_proto::{
    Access, AccountId, ChannelName, ConversationId, DeviceId, Envelope, Reference, Role,
    SignedList, Timestamp, UserName,
};

use crate::store::{
    Account, Conversation, Device, Invite, Login, Membership, Span, Store, StoredEnvelope,
    StoredList, Token, TokenHash,
};

/// Runs `change` in a transaction of its own and keeps it.
pub(super) fn committed<S: Store, T>(store: &S, change: impl FnOnce(&S) -> T) -> T {
    store.begin().unwrap();
    let result = change(store);
    store.commit().unwrap();
    result
}

/// A store with the accounts and devices 1 and 2 (each account has the device of its number), and the
/// channels 1 and 2.
pub(super) fn populate<S: Store>(store: &S) {
    committed(store, |store| {
        for number in [1, 2] {
            store.insert_account(&account(number)).unwrap();
            store.put_device(&device(number, number)).unwrap();
            store.insert_conversation(&channel(number)).unwrap();
        }
    });
}

pub(super) fn account_id(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

pub(super) fn device_id(number: u8) -> DeviceId {
    DeviceId::from_bytes([number | 0x80; 16])
}

pub(super) fn conversation_id(number: u8) -> ConversationId {
    ConversationId::from_bytes([number | 0x40; 16])
}

pub(super) fn reference(number: u16) -> Reference {
    let mut bytes = [0xee; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    Reference::from_bytes(bytes)
}

pub(super) fn token_hash(number: u8) -> TokenHash {
    TokenHash(Hash::from_bytes([number; 32]))
}

pub(super) fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

pub(super) fn channel_name(name: &str) -> ChannelName {
    ChannelName::parse(name).unwrap()
}

pub(super) fn login(number: u8) -> Login {
    Login {
        record: vec![number; 192],
        stretch: Stretch::parse(64 + u32::from(number), 2, 1).unwrap(),
        wrapped_identity: vec![number; 73],
    }
}

pub(super) fn account(number: u8) -> Account {
    Account {
        id: account_id(number),
        name: user(&format!("user{number}")),
        identity: IdentityKey::from_secret(&Secret::from_bytes([number; 32])).public(),
        login: login(number),
        disabled: false,
        created_at: Timestamp(1_000 + u64::from(number)),
    }
}

pub(super) fn list(version: u64) -> StoredList {
    StoredList {
        version,
        signed: SignedList {
            list: format!("list {version}").into_bytes().into(),
            signature: Signature::from_bytes([version as u8; 64]),
        },
    }
}

pub(super) fn device(number: u8, of: u8) -> Device {
    Device {
        id: device_id(number),
        account: account_id(of),
        auth: AuthKey::from_secret(&Secret::from_bytes([number; 32])).public(),
        revoked: false,
        submitted: 0,
    }
}

pub(super) fn token(number: u8, device: u8) -> Token {
    Token {
        hash: token_hash(number),
        device: device_id(device),
        expires_at: Timestamp(9_000 + u64::from(number)),
    }
}

pub(super) fn invite(number: u8, expires_at: u64) -> Invite {
    Invite { hash: token_hash(number), expires_at: Timestamp(expires_at) }
}

/// An empty open channel.
pub(super) fn channel(number: u8) -> Conversation {
    let id = conversation_id(number);
    let name = channel_name(&format!("#channel{number}"));
    Conversation { epoch: u64::from(number), ..Conversation::channel(id, name, Access::Open) }
}

pub(super) fn membership(role: Role, spans: &[(u64, Option<u64>)]) -> Membership {
    Membership { role, spans: spans.iter().map(|&(from, to)| Span { from, to }).collect() }
}

/// The envelope at `seq` of channel `conversation`, by device (and account) `of`, with `seq` as its
/// reference.
pub(super) fn envelope(conversation: u8, of: u8, seq: u64, body: &[u8]) -> StoredEnvelope {
    let mut chain = [seq as u8; 32];
    chain[0] = conversation;
    StoredEnvelope {
        envelope: Envelope {
            conversation: conversation_id(conversation),
            seq,
            account: account_id(of),
            device: device_id(of),
            epoch: 3 * seq,
            reference: reference(u16::from(conversation) * 1_000 + seq as u16),
            accepted_at: Timestamp(5_000 + seq),
            body: body.into(),
        },
        chain: Hash::from_bytes(chain),
    }
}

/// Envelopes `from..=to` of channel 1 by device 1, each with a body of ten bytes.
pub(super) fn envelopes(from: u64, to: u64) -> Vec<StoredEnvelope> {
    (from..=to).map(|seq| envelope(1, 1, seq, &[seq as u8; 10])).collect()
}
