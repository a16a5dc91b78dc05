//! Decoders of what travels: whatever is accepted reads back as itself.

use super::input::Input;
use portcullis_crypto::{AuthKey, IdentityKey, LeafKey, Purpose, Secret};
use portcullis_proto::{
    AccountId, Bytes, ChannelName, ClientFrame, Content, ConversationId, DeviceEntry, DeviceId,
    DeviceList, DeviceName, Reference, RevokedEntry, ServerFrame, SignedContent, SignedList,
    Timestamp, UserName, decode_request, encode_event, encode_refusal, encode_reply, limits,
};
use portcullis_server_core::{decode, rule};

/// A request frame.
pub(super) fn client_frame(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    match decode(text) {
        Ok((id, request)) => {
            assert!(text.len() <= rule(request.kind()).bytes, "larger than its rule");
            let _ = format!("{request:?}");
            let again = decode_request(&ClientFrame { id, request: request.clone() }.encode());
            assert_eq!(again, Ok((id, request)));
        }
        Err((id, refusal)) => {
            assert!(refusal.message.len() < 300, "a long refusal");
            let _ = encode_refusal(id, &refusal);
        }
    }
}

/// A server's frame.
pub(super) fn server_frame(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    let Ok(frame) = ServerFrame::decode(text) else {
        return;
    };
    let again = match &frame {
        ServerFrame::Reply(id, reply) => encode_reply(*id, reply),
        ServerFrame::Refusal(id, refusal) => encode_refusal(*id, refusal),
        ServerFrame::Event(event) => encode_event(event),
    };
    assert_eq!(ServerFrame::decode(&again), Ok(frame));
}

/// A message's content, and a channel's body around it.
pub(super) fn content(bytes: &[u8]) {
    let key = AuthKey::from_secret(&Secret::from_bytes([7; 32]));
    let body = Bytes(bytes.to_vec());
    if let Ok(signed) = SignedContent::from_body(&body) {
        assert_eq!(signed.to_body(), body);
        assert!(signed.open(&key.public()).is_err(), "a signature out of nowhere");
    }
    // A person writes a text of any length: the fuzzer's bytes are padded as a client pads them.
    let mut padded = bytes.to_vec();
    padded.resize(bytes.len().next_power_of_two().max(256), b' ');
    for bytes in [bytes, &padded] {
        let Ok(content) = Content::decode(bytes) else {
            continue;
        };
        let encoded = content.encode();
        assert!(encoded.len().is_power_of_two());
        assert_eq!(Content::decode(&encoded), Ok(content.clone()));
        let signed = SignedContent::sign(&content, &key);
        let travelled = SignedContent::from_body(&signed.to_body());
        assert_eq!(travelled.and_then(|signed| signed.open(&key.public())), Ok(content));
    }
}

/// A device list: as it travels, and as the owner of an account may sign anything.
pub(super) fn device_list(bytes: &[u8]) {
    let identity = IdentityKey::from_secret(&Secret::from_bytes([8; 32]));
    let account = AccountId::from_bytes([1; 16]);
    if let Ok(travelled) = serde_json::from_slice::<SignedList>(bytes) {
        let _ = travelled.open(account, &identity.public());
    }
    let signature = identity.sign(Purpose::DeviceList, bytes);
    let signed = SignedList { list: Bytes(bytes.to_vec()), signature };
    let Ok(record) = signed.open(account, &identity.public()) else {
        return;
    };
    let list = record.list();
    assert_eq!(list.account, account);
    assert!((1..=limits::DEVICES).contains(&list.devices.len()));
    assert!(list.revoked.len() <= limits::REVOKED_DEVICES && list.version >= 1);
    assert!(record.followed_by(&record).is_ok(), "a list is its own equal");
    let mut next = list.clone();
    if next.version < u64::MAX {
        next.version += 1;
        next.previous = record.hash();
        let next = next.sign(&identity).open(account, &identity.public());
        assert!(next.is_ok_and(|next| {
            record.followed_by(&next).is_ok() && next.followed_by(&record).is_err()
        }));
    }
    let other = IdentityKey::from_secret(&Secret::from_bytes([9; 32]));
    assert!(signed.open(account, &other.public()).is_err());
    assert!(signed.open(AccountId::from_bytes([2; 16]), &identity.public()).is_err());
}

/// Lists of that account: one device, and one device with another revoked.
pub(super) fn sample_lists() -> Vec<Vec<u8>> {
    let account = AccountId::from_bytes([1; 16]);
    let auth = |byte| AuthKey::from_secret(&Secret::from_bytes([byte; 32])).public();
    let device = |byte| DeviceId::from_bytes([byte; 16]);
    let Ok(name) = DeviceName::parse("laptop") else {
        return Vec::new();
    };
    let leaf = |byte| LeafKey::from_secret(&Secret::from_bytes([byte; 32])).public();
    let entry = DeviceEntry {
        device: device(3),
        name,
        auth: auth(3),
        leaf: leaf(5),
        added_at: Timestamp(5),
    };
    let revoked =
        RevokedEntry { device: device(4), auth: auth(4), leaf: leaf(6), revoked_at: Timestamp(6) };
    let previous = DeviceList::origin(account);
    let first =
        DeviceList { account, version: 1, previous, devices: vec![entry], revoked: Vec::new() };
    let mut later = first.clone();
    later.version = 7;
    later.revoked.push(revoked);
    [first, later].iter().filter_map(|list| serde_json::to_vec(list).ok()).collect()
}

/// Names and ids as a person may type them.
pub(super) fn names_and_ids(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let Some(kind) = input.byte() else { return };
    let Ok(text) = core::str::from_utf8(input.rest()) else {
        return;
    };
    match kind % 4 {
        0 => {
            if let Ok(name) = UserName::parse(text) {
                assert!((2..=32).contains(&name.as_str().len()) && name.as_str().is_ascii());
                assert_eq!(UserName::parse(name.as_str()), Ok(name));
            }
        }
        1 => {
            if let Ok(name) = ChannelName::parse(text) {
                assert!(name.as_str().starts_with('#') && name.as_str().len() <= 33);
                assert_eq!(ChannelName::parse(name.as_str()), Ok(name));
            }
        }
        2 => {
            if let Ok(name) = DeviceName::parse(text) {
                assert!(!name.as_str().chars().any(char::is_control));
                assert_eq!(DeviceName::parse(name.as_str()), Ok(name));
            }
        }
        _ => ids(text),
    }
}

fn ids(text: &str) {
    let account = text.parse::<AccountId>();
    assert!(account.is_err() || account.map(|id| id.to_string()).as_deref() == Ok(text));
    assert_eq!(text.parse::<DeviceId>().is_ok(), account.is_ok());
    assert_eq!(text.parse::<ConversationId>().is_ok(), account.is_ok());
    assert_eq!(text.parse::<Reference>().is_ok(), account.is_ok());
}
