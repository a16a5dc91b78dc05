//! What a client persists: JSON records with a version, apart from the types that the client works with.
//! The shell seals each of them; nothing here is ever written in the clear.

mod message;
pub(crate) mod twin;

pub use self::message::read_message;
pub(crate) use self::message::write_message;

use crate::classic;
use crate::client::Client;
use crate::conversation::{Conversation, Outgoing};
use crate::effect::Key;
use crate::encrypted::EncryptedRecord;
use crate::people::Person;
use crate::promised::Promise;
use crate::transfers::{TransferRecord, Unasked, read_transfer, transfer_record};
use portcullis_crypto::{AuthKey, IdentityPublic, LeafKey, Secret};
use portcullis_proto::{
    AccountId, Bytes, Content, ConversationSummary, DeviceId, ListRecord, Seen, SignedList,
    UserName,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of these records. A client refuses records of a later one.
const VERSION: u32 = 2;

/// A record that no client of this version wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRecord(pub Key);

impl fmt::Display for BadRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record of the local store is damaged, or of a newer version of the program")
    }
}

impl std::error::Error for BadRecord {}

/// This home's account and device.
#[derive(Clone)]
pub(crate) struct Own {
    pub(crate) account: AccountId,
    pub(crate) name: UserName,
    pub(crate) identity: IdentityPublic,
    pub(crate) device: Option<OwnDevice>,
    /// A device whose keys this home must not use again; it leaves the list with the next login.
    pub(crate) retired: Option<DeviceId>,
    /// The newest verified version of the own list, as it was signed and opened.
    pub(crate) list: Option<(SignedList, ListRecord)>,
    pub(crate) token: Option<Vec<u8>>,
    /// How many envelopes of this device were acknowledged.
    pub(crate) acknowledged: u64,
    /// A registration under way: whether the server has stored the account is not known yet.
    pub(crate) registering: Option<Registering>,
}

/// This device's keys.
#[derive(Debug, Clone)]
pub(crate) struct OwnDevice {
    pub(crate) id: DeviceId,
    pub(crate) auth: AuthKey,
    pub(crate) leaf: LeafKey,
}

impl OwnDevice {
    /// A new device with fresh keys.
    pub(crate) fn generate(rng: &mut dyn portcullis_crypto::Randomness) -> Self {
        let id = DeviceId::random(rng);
        Self { id, auth: AuthKey::generate(rng), leaf: LeafKey::generate(rng) }
    }
}

/// What it takes to register again.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Registering {
    pub(crate) invite: Option<String>,
}

impl fmt::Debug for Registering {
    /// An invitation code is a secret until it is used.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registering(..)")
    }
}

impl Own {
    /// Leaves this device behind.
    pub(crate) fn retire(&mut self) {
        self.retired = self.device.take().map(|device| device.id);
        self.token = None;
        self.acknowledged = 0;
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Own({}, ..)", self.name)
    }
}

#[derive(Serialize, Deserialize)]
struct OwnRecord {
    account: AccountId,
    name: UserName,
    identity: Bytes,
    device: Option<(DeviceId, Bytes, Bytes)>,
    retired: Option<DeviceId>,
    list: Option<SignedList>,
    token: Option<Bytes>,
    acknowledged: u64,
    registering: Option<Registering>,
}

#[derive(Serialize, Deserialize)]
struct PersonRecord {
    name: UserName,
    identity: Bytes,
    verified: bool,
    changed: Option<(AccountId, Bytes)>,
    list: Option<SignedList>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auto_accept: Option<u64>,
    #[serde(default, skip_serializing_if = "Unasked::is_empty")]
    unasked: Unasked,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    direct: bool,
}

#[derive(Serialize, Deserialize)]
struct ConversationRecord {
    summary: ConversationSummary,
    encrypted: Option<EncryptedRecord>,
    base: u64,
    read: Option<Seen>,
    chains: Vec<Seen>,
    own_number: u64,
    acknowledged_at: u64,
    #[serde(default)]
    promised: Vec<(u64, Promise)>,
    unread: u64,
}

#[derive(Serialize, Deserialize)]
struct OutgoingRecord {
    content: Bytes,
    body: Option<(u64, Bytes)>,
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    v: u32,
    r: T,
}

/// The record of this key as it is now; none if there is nothing to keep.
pub(crate) fn write(client: &Client, key: Key) -> Option<Vec<u8>> {
    match key {
        Key::Account => client.own.as_ref().map(|own| to_bytes(own_record(own))),
        Key::Person(id) => client.people.get(&id).map(|person| to_bytes(person_record(person))),
        Key::Conversation(id) => {
            client.conversations.get(&id).map(|c| to_bytes(conversation_record(c)))
        }
        Key::Number(id, device) => {
            let numbers = client.conversations.get(&id).map(|conversation| &conversation.numbers);
            numbers.and_then(|numbers| numbers.get(&device)).map(to_bytes)
        }
        Key::Outbox(id) => {
            let outbox = client.conversations.get(&id).map(|conversation| &conversation.outbox);
            let waiting = outbox.filter(|outbox| !outbox.is_empty());
            waiting.map(|outbox| to_bytes(outbox.iter().map(outgoing_record).collect::<Vec<_>>()))
        }
        Key::Inbox => client.inbox.read.map(to_bytes),
        Key::Classic => classic::write_own(&client.classic).map(to_bytes),
        Key::Guest(id) => {
            client.classic.talks.get(&id).map(|talk| to_bytes(classic::write_talk(talk)))
        }
        Key::GuestSeen(id) => client.classic.seen.contains(&id).then(|| to_bytes(())),
        Key::Transfer(id) => {
            client.transfers.get(&id).map(|transfer| to_bytes(transfer_record(transfer)))
        }
        // Keys are written by what keeps them, and messages where they are taken in.
        Key::Mls(_) | Key::Message(..) => None,
    }
}

/// Takes a record into a client that is being restored. Records come in the order of their keys, so a
/// conversation comes before what belongs to it.
pub(crate) fn read(client: &mut Client, key: Key, value: &[u8]) -> Result<(), BadRecord> {
    let bad = || BadRecord(key);
    match key {
        Key::Account => {
            let own = own(from_bytes(value).ok_or_else(bad)?).ok_or_else(bad)?;
            if let Some(device) = own.device.clone() {
                client.begin_keys(own.account, &device);
            }
            client.own = Some(own);
        }
        Key::Person(id) => {
            let person = person(id, from_bytes(value).ok_or_else(bad)?).ok_or_else(bad)?;
            client.people.insert(id, person);
        }
        Key::Conversation(id) => {
            let record: ConversationRecord = from_bytes(value).ok_or_else(bad)?;
            let conversation =
                client.conversations.entry(id).or_insert_with(|| Conversation::new(record.summary));
            conversation.encrypted = record.encrypted.map(Into::into);
            conversation.base = record.base;
            conversation.read = record.read;
            conversation.chains = record.chains.into();
            conversation.own_number = record.own_number;
            conversation.acknowledged_at = record.acknowledged_at;
            conversation.promised = record.promised.into_iter().collect();
            conversation.unread = record.unread;
        }
        Key::Number(id, device) => {
            let number: u64 = from_bytes(value).ok_or_else(bad)?;
            let conversation = client.conversations.get_mut(&id).ok_or_else(bad)?;
            conversation.numbers.insert(device, number);
        }
        Key::Outbox(id) => {
            let records: Vec<OutgoingRecord> = from_bytes(value).ok_or_else(bad)?;
            let conversation = client.conversations.get_mut(&id).ok_or_else(bad)?;
            let outbox: Option<_> = records.into_iter().map(outgoing).collect();
            conversation.outbox = outbox.ok_or_else(bad)?;
            conversation.careful = conversation.outbox.len();
        }
        Key::Inbox => client.inbox.read = Some(from_bytes(value).ok_or_else(bad)?),
        Key::Classic => {
            let record = from_bytes(value).ok_or_else(bad)?;
            classic::read_own(&mut client.classic, record).ok_or_else(bad)?;
        }
        Key::Guest(id) => {
            let talk =
                classic::read_talk(id, from_bytes(value).ok_or_else(bad)?).ok_or_else(bad)?;
            client.classic.talks.insert(id, talk);
        }
        Key::GuestSeen(id) => {
            from_bytes::<()>(value).ok_or_else(bad)?;
            client.classic.seen.insert(id);
        }
        Key::Transfer(id) => {
            let record: TransferRecord = from_bytes(value).ok_or_else(bad)?;
            client.transfers.insert(id, read_transfer(id, record).ok_or_else(bad)?);
        }
        Key::Mls(key) => client.mls.restore_record(key, value.to_vec()),
        Key::Message(id, _) => {
            let message = read_message(value).ok_or_else(bad)?;
            if let Some(conversation) = client.conversations.get_mut(&id) {
                conversation.remember(&message);
            }
        }
    }
    Ok(())
}

fn own_record(own: &Own) -> OwnRecord {
    let device = own.device.as_ref();
    OwnRecord {
        account: own.account,
        name: own.name.clone(),
        identity: Bytes(own.identity.as_bytes().to_vec()),
        device: device.map(|device| {
            let auth = Bytes(device.auth.secret().expose().to_vec());
            (device.id, auth, Bytes(device.leaf.secret().expose().to_vec()))
        }),
        retired: own.retired,
        list: own.list.as_ref().map(|(signed, _)| signed.clone()),
        token: own.token.clone().map(Bytes),
        acknowledged: own.acknowledged,
        registering: own.registering.clone(),
    }
}

fn own(record: OwnRecord) -> Option<Own> {
    let device = match record.device {
        None => None,
        Some((id, auth, leaf)) => {
            let auth = AuthKey::from_secret(&Secret::from_slice(auth.as_slice())?);
            let leaf = LeafKey::from_secret(&Secret::from_slice(leaf.as_slice())?);
            Some(OwnDevice { id, auth, leaf })
        }
    };
    let identity = identity(&record.identity)?;
    let list = match record.list {
        None => None,
        Some(list) => {
            let opened = list.open(record.account, &identity).ok()?;
            Some((list, opened))
        }
    };
    Some(Own {
        account: record.account,
        name: record.name,
        identity,
        device,
        retired: record.retired,
        list,
        token: record.token.map(|token| token.0),
        acknowledged: record.acknowledged,
        registering: record.registering,
    })
}

fn person_record(person: &Person) -> PersonRecord {
    let bytes = |key: &IdentityPublic| Bytes(key.as_bytes().to_vec());
    PersonRecord {
        name: person.name.clone(),
        identity: bytes(&person.identity),
        verified: person.verified,
        changed: person.changed.as_ref().map(|(id, key)| (*id, bytes(key))),
        list: person.list.clone(),
        auto_accept: person.auto_accept,
        unasked: person.unasked.clone(),
        direct: person.direct,
    }
}

fn person(id: AccountId, record: PersonRecord) -> Option<Person> {
    let key = identity(&record.identity)?;
    let changed = match record.changed {
        None => None,
        Some((account, key)) => Some((account, identity(&key)?)),
    };
    let devices = match &record.list {
        None => None,
        Some(list) => Some(list.open(id, &key).ok()?),
    };
    Some(Person {
        name: record.name,
        identity: key,
        verified: record.verified,
        changed,
        list: record.list,
        devices,
        asked: false,
        auto_accept: record.auto_accept,
        unasked: record.unasked,
        direct: record.direct,
    })
}

fn conversation_record(conversation: &Conversation) -> ConversationRecord {
    let skip = conversation.chains.len().saturating_sub(crate::limits::CHAIN_RECORD);
    ConversationRecord {
        summary: conversation.summary.clone(),
        encrypted: conversation.encrypted.as_ref().map(EncryptedRecord::from),
        base: conversation.base,
        read: conversation.read,
        chains: conversation.chains.iter().skip(skip).copied().collect(),
        own_number: conversation.own_number,
        acknowledged_at: conversation.acknowledged_at,
        promised: conversation.promised.iter().map(|(seq, promise)| (*seq, *promise)).collect(),
        unread: conversation.unread,
    }
}

fn outgoing_record(outgoing: &Outgoing) -> OutgoingRecord {
    let body = outgoing.body.as_ref().map(|(epoch, body)| (*epoch, Bytes(body.clone())));
    OutgoingRecord { content: Bytes(outgoing.content.encode()), body }
}

fn outgoing(record: OutgoingRecord) -> Option<Outgoing> {
    let content = Content::decode(record.content.as_slice()).ok()?;
    Some(Outgoing { content, body: record.body.map(|(epoch, body)| (epoch, body.0)) })
}

fn identity(bytes: &Bytes) -> Option<IdentityPublic> {
    let bytes: [u8; 32] = bytes.as_slice().try_into().ok()?;
    IdentityPublic::from_bytes(bytes).ok()
}

/// Writing these types to memory can't fail: no map keys, no IO.
pub(crate) fn to_bytes(record: impl Serialize) -> Vec<u8> {
    serde_json::to_vec(&Versioned { v: VERSION, r: record }).unwrap_or_default()
}

pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let record: Versioned<T> = serde_json::from_slice(bytes).ok()?;
    (record.v == VERSION).then_some(record.r)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::login::Goal;
    use portcullis_crypto::{IdentityKey, Password};
    use portcullis_proto::{Kind, Reference, Timestamp};

    fn check(value: &dyn fmt::Debug, expected: &str) {
        assert_eq!(format!("{value:?}"), expected);
    }

    #[test]
    fn debug_shows_no_secret() {
        let code = || Some("hunter2".to_owned());
        let password = || Password::new("hunter2".to_owned());
        let name = UserName::parse("mira").unwrap();
        let registering = Registering { invite: code() };
        check(&registering, "Registering(..)");
        let identity = IdentityKey::from_secret(&Secret::from_bytes([8; 32])).public();
        let device = DeviceId::from_bytes([1; 16]);
        let own = Own {
            account: AccountId::from_bytes([1; 16]),
            name: name.clone(),
            identity,
            device: Some(OwnDevice {
                id: device,
                auth: AuthKey::from_secret(&Secret::from_bytes([7; 32])),
                leaf: LeafKey::from_secret(&Secret::from_bytes([6; 32])),
            }),
            retired: None,
            list: None,
            token: Some(vec![7; 32]),
            acknowledged: 0,
            registering: Some(registering),
        };
        check(&own, "Own(mira, ..)");
        check(&Goal::Register { name, password: password(), invite: code() }, "Register(..)");
        check(&Goal::Revoke { device, password: password() }, "Revoke(..)");
        check(&Goal::Change { old: password(), new: password() }, "Change(..)");
        let id = Reference::from_bytes([2; 16]);
        let content = Content {
            id,
            kind: Kind::Text("hunter2".to_owned()),
            refs: Vec::new(),
            sent_at: Timestamp(1),
            after: Seen { seq: 0, chain: portcullis_crypto::Hash::from_bytes([0; 32]) },
            place: None,
        };
        let outgoing = Outgoing { content, body: Some((0, b"hunter2".to_vec())) };
        check(&outgoing, "Outgoing(02020202020202020202020202020202)");
    }
}
