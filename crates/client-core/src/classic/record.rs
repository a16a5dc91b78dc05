//! What is persisted of guests: this device's key with its counters, and each conversation with what waits in
//! it, in one record each, since they change together.

use super::Classic;
use super::key::OwnKey;
use super::talk::{Talk, Told};
use portcullis_crypto::{ClassicKey, Salt};
use portcullis_proto::classroom::{
    Dialect, DialectId, Fingerprint, GuestKey, Inner, PemLayout, RECIPES, Signing,
};
use portcullis_proto::{AccountId, Bytes, ConversationId, DeviceId, Reference, Timestamp};
use serde::{Deserialize, Serialize};

/// Of [`Classic`].
#[derive(Serialize, Deserialize)]
pub(crate) struct ClassicRecord {
    own: Option<KeyRecord>,
    place: u64,
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    device: DeviceId,
    /// PKCS #8.
    key: Bytes,
    counter: u64,
    start: u64,
}

/// Of a [`Talk`].
#[derive(Serialize, Deserialize)]
pub(crate) struct TalkRecord {
    conversation: ConversationId,
    pem: String,
    dialect: DialectRecord,
    place: u64,
    unread: u64,
    answered: bool,
    outbox: Vec<ToldRecord>,
}

/// A row of the table of dialects, with what was seen instead of what stands there.
#[derive(Serialize, Deserialize)]
struct DialectRecord {
    name: String,
    /// The place in [`RECIPES`].
    recipe: usize,
    longest_salt: bool,
    /// The place in [`Fingerprint::all`].
    fingerprint: usize,
    nested: bool,
    iv_bytes: usize,
}

#[derive(Serialize, Deserialize)]
struct ToldRecord {
    id: Reference,
    text: String,
    at: Timestamp,
    frame: Option<String>,
}

/// The record of this device's key; none before there is one.
pub(crate) fn write_own(classic: &Classic) -> Option<ClassicRecord> {
    let key = |own: &OwnKey| KeyRecord {
        device: own.device,
        key: Bytes(own.key.to_pkcs8().to_vec()),
        counter: own.counter,
        start: own.start,
    };
    let begun = classic.own.is_some() || classic.place > 0;
    begun.then(|| ClassicRecord { own: classic.own.as_ref().map(key), place: classic.place })
}

/// Takes it in; none if it holds no key.
pub(crate) fn read_own(classic: &mut Classic, record: ClassicRecord) -> Option<()> {
    classic.place = record.place;
    classic.own = match record.own {
        None => None,
        Some(KeyRecord { device, key, counter, start }) => {
            let key = ClassicKey::from_pkcs8(key.as_slice()).ok()?;
            Some(OwnKey { counter, ..OwnKey::new(device, key, start)? })
        }
    };
    Some(())
}

/// The record of a conversation with a guest.
pub(crate) fn write_talk(talk: &Talk) -> TalkRecord {
    let told = |told: &Told| ToldRecord {
        id: told.id,
        text: told.text.clone(),
        at: told.at,
        frame: told.frame.clone(),
    };
    let Dialect { name, signing, fingerprint, inner, iv_bytes, .. } = talk.dialect;
    let recipe = RECIPES.iter().position(|recipe| *recipe == signing.recipe).unwrap_or_default();
    let longest_salt = signing.salt == Salt::Longest;
    let place = Fingerprint::all().position(|by| by == fingerprint).unwrap_or_default();
    let nested = inner == Inner::Nested;
    TalkRecord {
        conversation: talk.conversation,
        pem: talk.guest.pem().to_owned(),
        dialect: DialectRecord {
            name: name.to_owned(),
            recipe,
            longest_salt,
            fingerprint: place,
            nested,
            iv_bytes,
        },
        place: talk.place,
        unread: talk.unread,
        answered: talk.answered,
        outbox: talk.outbox.iter().map(told).collect(),
    }
}

/// The conversation of a record, if it is one with this guest.
pub(crate) fn read_talk(id: AccountId, record: TalkRecord) -> Option<Talk> {
    let guest = GuestKey::parse(&record.pem).ok().filter(|guest| guest.id() == id)?;
    let DialectRecord { name, recipe, longest_salt, fingerprint, nested, iv_bytes } =
        record.dialect;
    // A row that there was once may be gone.
    let row = DialectId::from_name(&name).unwrap_or(DialectId::BY_THE_TEXT).row();
    let signing = Signing {
        recipe: RECIPES.get(recipe).copied().unwrap_or(row.signing.recipe),
        salt: if longest_salt { Salt::Longest } else { Salt::Digest },
    };
    let dialect = Dialect {
        signing,
        pem: PemLayout::of(guest.pem()),
        fingerprint: Fingerprint::all().nth(fingerprint).unwrap_or(row.fingerprint),
        inner: if nested { Inner::Nested } else { Inner::Flat },
        iv_bytes,
        ..row
    };
    let told =
        |told: ToldRecord| Told { id: told.id, text: told.text, at: told.at, frame: told.frame };
    let talk = Talk::new(record.conversation, guest, dialect);
    let outbox = record.outbox.into_iter().map(told).collect();
    let TalkRecord { place, unread, answered, .. } = record;
    Some(Talk { place, unread, answered, outbox, ..talk })
}
