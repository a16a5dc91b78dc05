//! How fast the store takes submits and gives pages, for the bench binary. One thread, real files.

use std::path::Path;
use std::time::Instant;

use portcullis_crypto::{AuthKey, Hash, IdentityKey, Secret, Stretch};
use portcullis_proto::{
    Access, AccountId, Bytes, ChannelName, ConversationId, DeviceId, Envelope, Reference, Role,
    Timestamp, UserName,
};
use portcullis_server_core::store::{
    Account, AppendError, Conversation, Device, InsertError, Login, Membership, Span, Store,
    StoreError, StoredEnvelope,
};

use super::{OpenError, SqliteStore};

/// Devices that submit, one to an account.
const DEVICES: u8 = 64;

/// Conversations that they submit to, two devices in each.
const CONVERSATIONS: u8 = 32;

/// Submits whose references begin alike.
const SUBMITS_PER_MILLISECOND: u64 = 25;

/// Bytes of a body.
const BODY_BYTES: usize = 512;

/// Appends `rows` envelopes to a new data folder, as the core does: `batch` submits of one envelope
/// in a transaction, each in a savepoint after a look at the membership and the conversation's end.
/// Gives the store, and rows a second.
///
/// # Errors
/// [`OpenError`].
pub fn submits(folder: &Path, batch: u64, rows: u64) -> Result<(SqliteStore, f64), OpenError> {
    let store = SqliteStore::open(folder)?;
    populate(&store)?;
    let begun = Instant::now();
    let mut done = 0;
    while done < rows {
        store.begin()?;
        for number in done..rows.min(done + batch) {
            submit(&store, number)?;
        }
        store.commit()?;
        done += batch;
    }
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    Ok((store, rate))
}

/// Fetches the last `rows` envelopes of every conversation in turn, `times` times: rows a second.
///
/// # Errors
/// [`StoreError`].
pub fn fetches(store: &SqliteStore, rows: u64, times: u64) -> Result<f64, StoreError> {
    let begun = Instant::now();
    let mut fetched = 0;
    for number in 0..times {
        let id = conversation_id(number);
        let end = store.conversation(id)?.ok_or(StoreError::Corrupt)?.end.seq;
        let after = end.saturating_sub(rows);
        let page = store.fetch(id, after, end, u32::MAX, usize::MAX)?;
        fetched += page.envelopes.len();
    }
    Ok(fetched as f64 / begun.elapsed().as_secs_f64())
}

pub(super) fn submit(store: &SqliteStore, number: u64) -> Result<(), StoreError> {
    let (account, device) = (account_id(number), device_id(number));
    let id = conversation_id(number);
    store.savepoint()?;
    store.membership(account, id)?.ok_or(StoreError::Corrupt)?;
    let conversation = store.conversation(id)?.ok_or(StoreError::Corrupt)?;
    let mut reference = [0; 16];
    // As clients make them: six bytes of the time in milliseconds, and random ones.
    let scattered = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    reference[..8].copy_from_slice(&((number / SUBMITS_PER_MILLISECOND) << 16).to_be_bytes());
    reference[8..].copy_from_slice(&scattered.to_le_bytes());
    let envelope = Envelope {
        conversation: id,
        seq: conversation.end.seq + 1,
        account,
        device,
        epoch: 0,
        reference: Reference::from_bytes(reference),
        accepted_at: Timestamp(number),
        body: Bytes(vec![number as u8; BODY_BYTES]),
    };
    let chain = Hash::from_bytes([number as u8; 32]);
    let stored = StoredEnvelope { envelope, chain };
    match store.append(id, &[stored]) {
        Ok(()) => store.release(),
        Err(AppendError::Store(error)) => Err(error),
        Err(AppendError::ReferenceUsed) => Err(StoreError::Corrupt),
    }
}

fn populate(store: &SqliteStore) -> Result<(), StoreError> {
    store.begin()?;
    for number in 0..CONVERSATIONS {
        inserted(store.insert_conversation(&conversation(number)))?;
    }
    for number in 0..DEVICES {
        inserted(store.insert_account(&account(number)))?;
        store.put_device(&Device {
            id: device_id(number.into()),
            account: account_id(number.into()),
            auth: AuthKey::from_secret(&Secret::from_bytes([number; 32])).public(),
            revoked: false,
            submitted: 0,
        })?;
        let membership = Membership { role: Role::Member, spans: vec![Span { from: 1, to: None }] };
        let (account, conversation) = (account_id(number.into()), conversation_id(number.into()));
        store.put_membership(account, conversation, &membership)?;
    }
    store.commit()
}

fn inserted(result: Result<(), InsertError>) -> Result<(), StoreError> {
    result.map_err(|error| match error {
        InsertError::Taken => StoreError::Corrupt,
        InsertError::Store(error) => error,
    })
}

fn account(number: u8) -> Account {
    let name = UserName::parse(&format!("bench{number}"));
    Account {
        id: account_id(number.into()),
        name: name.unwrap_or_else(|_| unreachable!("letters and digits")),
        identity: IdentityKey::from_secret(&Secret::from_bytes([number; 32])).public(),
        login: Login {
            record: vec![0; 192],
            stretch: Stretch::LIGHT,
            wrapped_identity: vec![0; 80],
        },
        disabled: false,
        created_at: Timestamp(0),
    }
}

fn conversation(number: u8) -> Conversation {
    let id = conversation_id(number.into());
    let name = ChannelName::parse(&format!("#bench{number}"));
    let name = name.unwrap_or_else(|_| unreachable!("letters and digits"));
    Conversation::channel(id, name, Access::Open)
}

pub(super) fn account_id(number: u64) -> AccountId {
    AccountId::from_bytes([(number % u64::from(DEVICES)) as u8; 16])
}

pub(super) fn device_id(number: u64) -> DeviceId {
    DeviceId::from_bytes([(number % u64::from(DEVICES)) as u8; 16])
}

pub(super) fn conversation_id(number: u64) -> ConversationId {
    ConversationId::from_bytes([(number % u64::from(CONVERSATIONS)) as u8; 16])
}
