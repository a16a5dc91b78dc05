//! What a visitor persists: its key with the counter and what waits to be said in one record, each conversation with a guest, and what was
//! shown. The messages are written where they are taken in.

use super::say::Waiting;
use super::{Own, Visit};
use crate::classic::{read_talk, write_talk};
use crate::effect::Key;
use crate::records::{BadRecord, from_bytes, to_bytes};
use portcullis_crypto::ClassicKey;
use portcullis_proto::classroom::Dialect;
use portcullis_proto::{AccountId, Bytes, ConversationId, Reference, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct VisitRecord {
    /// PKCS #8, and the counter of the last frame that was signed by it.
    key: Option<(Bytes, u64)>,
    place: u64,
    unread: u64,
    /// What is to be said; homes that were written before it was kept have none.
    #[serde(default)]
    waiting: Vec<WaitingRecord>,
}

#[derive(Serialize, Deserialize)]
struct WaitingRecord {
    conversation: ConversationId,
    guest: Option<AccountId>,
    id: Reference,
    text: String,
    at: Timestamp,
}

impl Visit {
    /// The record of this key as it is now; none if there is nothing to keep.
    pub(super) fn write_record(&self, key: Key) -> Option<Vec<u8>> {
        match key {
            Key::Classic => {
                let key = |own: &Own| (Bytes(own.key.to_pkcs8().to_vec()), own.counter);
                let key = self.own.as_ref().map(key);
                let waiting = self.waiting.iter().map(write_waiting).collect();
                let Self { place, unread, .. } = *self;
                Some(to_bytes(VisitRecord { key, place, unread, waiting }))
            }
            Key::Guest(id) => self.talks.get(&id).map(|talk| to_bytes(write_talk(talk))),
            Key::GuestSeen(id) => self.seen.numbers().get(&id).map(to_bytes),
            _ => None,
        }
    }

    /// Takes a record in.
    pub(super) fn read_record(&mut self, key: Key, value: &[u8]) -> Result<(), BadRecord> {
        let bad = || BadRecord(key);
        match key {
            Key::Classic => {
                let record: VisitRecord = from_bytes(value).ok_or_else(bad)?;
                (self.place, self.unread) = (record.place, record.unread);
                self.waiting = record.waiting.into_iter().map(read_waiting).collect();
                if let Some((key, counter)) = record.key {
                    let key = ClassicKey::from_pkcs8(key.as_slice()).map_err(|_| bad())?;
                    self.own = Some(Own::new(key, self.dialect, counter).ok_or_else(bad)?);
                }
            }
            Key::Guest(id) => {
                let talk = from_bytes(value).and_then(|record| read_talk(id, record));
                let mut talk = talk.ok_or_else(bad)?;
                talk.dialect = seen_in(&talk.dialect, self.dialect);
                self.talks.insert(id, talk);
            }
            Key::GuestSeen(id) => self.seen.restore(id, from_bytes(value).ok_or_else(bad)?),
            // Messages are the shell's to show; nothing else is a visitor's.
            Key::Message(..) => {}
            _ => return Err(bad()),
        }
        Ok(())
    }
}

fn write_waiting(waiting: &Waiting) -> WaitingRecord {
    let Waiting { conversation, guest, id, text, at } = waiting;
    let (conversation, guest, id, at) = (*conversation, *guest, *id, *at);
    WaitingRecord { conversation, guest, id, text: text.clone(), at }
}

fn read_waiting(record: WaitingRecord) -> Waiting {
    let WaitingRecord { conversation, guest, id, text, at } = record;
    Waiting { conversation, guest, id, text, at }
}

/// Our dialect, but for the habits in which a guest is to be answered.
pub(super) fn seen_in(guests: &Dialect, ours: Dialect) -> Dialect {
    let Dialect { inner, iv_bytes, fingerprint, .. } = *guests;
    Dialect { inner, iv_bytes, fingerprint, ..ours }
}
