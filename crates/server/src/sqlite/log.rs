//! Envelopes: appended in order of arrival, found by place and by reference.

use portcullis_proto::{ConversationId, ConversationKind, DeviceId, Envelope, Reference, Seen};
use portcullis_server_core::store::{AppendError, Page, Place, StoreError, StoredEnvelope};
use rusqlite::{Row, params};

use super::error::{MISUSE, blame, is_taken};
use super::rows::{bound, count, get, get_count, get_hash, get_time, time};
use super::transaction::Appended;
use super::{SqliteStore, conversations};

/// Appends all envelopes or, whatever is refused, none: not even until the request is rolled back.
pub(super) fn append(
    store: &SqliteStore,
    conversation: ConversationId,
    envelopes: &[StoredEnvelope],
) -> Result<(), AppendError> {
    let (Some(first), Some(last)) = (envelopes.first(), envelopes.last()) else {
        return Ok(());
    };
    let key = store.known_conversation(conversation)?;
    let appended =
        Appended { conversation, first: first.envelope.seq, count: envelopes.len() as u64 };
    store.appending(appended, || {
        insert_all(store, key, appended, envelopes)?;
        let end = Seen { seq: last.envelope.seq, chain: last.chain };
        let alone = store.appends_alone();
        let later =
            alone && store.recent.borrow_mut().move_end(conversation, key, appended.first, end);
        if !later && !move_end(store, conversation, key, appended.first, end)? {
            remove(store, key, appended.first, appended.count)?;
            return Err(MISUSE.into());
        }
        if !counts(store, conversation)? {
            return Ok(());
        }
        for run in envelopes.chunk_by(|one, next| one.envelope.device == next.envelope.device) {
            let Some(one) = run.first() else { continue };
            let device = store.known_device(one.envelope.device)?.key;
            if alone {
                store.recent.borrow_mut().add_submitted(device, run.len() as i64);
            } else {
                add_submitted(store, device, run.len() as i64)?;
            }
        }
        Ok(())
    })
}

/// Undoes an append that succeeded, and was the last.
pub(super) fn take_back(store: &SqliteStore, appended: Appended) -> Result<(), StoreError> {
    let Appended { conversation, first, count: rows } = appended;
    store.settle()?;
    let key = store.known_conversation(conversation)?;
    let sql = "SELECT device, count(*) FROM envelopes WHERE conversation = ?1 AND seq >= ?2
             AND (SELECT kind FROM conversations WHERE key = ?1) <> ?3 GROUP BY device";
    let read = |row: &Row<'_>| Ok((get(row, 0)?, get::<i64>(row, 1)?));
    let uncounted = conversations::kind_code(ConversationKind::Inbox);
    for (device, submitted) in store.many(sql, [key, count(first)?, uncounted], read)? {
        add_submitted(store, device, -submitted)?;
    }
    remove(store, key, first, rows)?;
    let before = base(store, key, conversation, first - 1)?;
    let sql = "UPDATE conversations SET end_seq = ?, end_chain = ? WHERE key = ?";
    let row = params![count(before.seq)?, before.chain.as_bytes(), key];
    store.change_one(sql, row)
}

pub(super) fn place_of(
    store: &SqliteStore,
    device: DeviceId,
    reference: Reference,
) -> Result<Option<Place>, StoreError> {
    let Some(device) = store.device_key(device)? else {
        return Ok(None);
    };
    let sql = "SELECT c.id, e.seq, e.accepted_at FROM envelopes e
             LEFT JOIN conversations c ON c.key = e.conversation
             WHERE e.device = ? AND e.reference = ?";
    store.one(sql, params![device.key, reference.as_bytes()], |row| {
        Ok(Place {
            conversation: ConversationId::from_bytes(get(row, 0)?),
            seq: get_count(row, 1)?,
            accepted_at: get_time(row, 2)?,
            reference,
        })
    })
}

pub(super) fn fetch(
    store: &SqliteStore,
    conversation: ConversationId,
    after: u64,
    upto: u64,
    limit: u32,
    bytes: usize,
) -> Result<Page, StoreError> {
    let key = store.known_conversation(conversation)?;
    let base = base(store, key, conversation, after)?;
    let sql = "SELECT seq, device, epoch, reference, accepted_at, body FROM envelopes
             WHERE conversation = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?";
    let mut statement = store.connection.prepare_cached(sql).map_err(blame)?;
    let bounds = params![key, bound(base.seq), bound(upto), limit];
    let mut rows = statement.query(bounds).map_err(blame)?;
    let mut envelopes = Vec::new();
    let mut room = bytes;
    let mut next = base.seq + 1;
    while let Some(row) = rows.next().map_err(blame)? {
        let body = row.get_ref(5).map_err(blame)?;
        let body = body.as_blob().map_err(|_| StoreError::Corrupt)?;
        if body.len() > room && !envelopes.is_empty() {
            return Ok(Page { base, envelopes });
        }
        room = room.saturating_sub(body.len());
        let envelope = read_envelope(store, conversation, row, body)?;
        if envelope.seq != next {
            return Err(StoreError::Corrupt);
        }
        next += 1;
        envelopes.push(envelope);
    }
    // Fewer than asked for: the log ends here, or rows are missing.
    if next <= upto && envelopes.len() < limit as usize && next <= end(store, key)?.seq {
        return Err(StoreError::Corrupt);
    }
    Ok(Page { base, envelopes })
}

fn insert_all(
    store: &SqliteStore,
    key: i64,
    appended: Appended,
    envelopes: &[StoredEnvelope],
) -> Result<(), AppendError> {
    for (done, stored) in (0..).zip(envelopes) {
        let seq = appended.first + done;
        let result = insert(store, key, appended.conversation, seq, stored);
        if result.is_err() && done > 0 {
            remove(store, key, appended.first, done)?;
        }
        result?;
    }
    Ok(())
}

/// Moves a conversation's end from just before `first`; false if it wasn't there.
fn move_end(
    store: &SqliteStore,
    conversation: ConversationId,
    key: i64,
    first: u64,
    end: Seen,
) -> Result<bool, StoreError> {
    store.settle()?;
    store.recent.borrow_mut().forget_conversation(conversation);
    let sql = "UPDATE conversations SET end_seq = ?, end_chain = ? WHERE key = ? AND end_seq = ?";
    let seq = count(end.seq)?;
    let row = params![seq, end.chain.as_bytes(), key, count(first)? - 1];
    Ok(store.change(sql, row)? == 1)
}

/// Whether what is appended counts for its device: what a commit leaves in an inbox does not.
fn counts(store: &SqliteStore, conversation: ConversationId) -> Result<bool, StoreError> {
    if let Some(recent) = store.recent.borrow().conversation(conversation) {
        return Ok(recent.kind != ConversationKind::Inbox);
    }
    let found = conversations::by_id(store, conversation)?.ok_or(MISUSE)?;
    Ok(found.kind != ConversationKind::Inbox)
}

fn add_submitted(store: &SqliteStore, device: i64, more: i64) -> Result<(), StoreError> {
    let sql = "UPDATE devices SET submitted = submitted + ? WHERE key = ?";
    store.change_one(sql, [more, device])
}

fn insert(
    store: &SqliteStore,
    key: i64,
    conversation: ConversationId,
    seq: u64,
    stored: &StoredEnvelope,
) -> Result<(), AppendError> {
    let envelope = &stored.envelope;
    let device = store.known_device(envelope.device)?;
    if envelope.conversation != conversation
        || envelope.seq != seq
        || envelope.account != device.account
    {
        return Err(MISUSE.into());
    }
    let sql =
        "INSERT INTO envelopes (conversation, seq, device, epoch, reference, accepted_at, chain,
             body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let row = params![
        key,
        count(seq)?,
        device.key,
        count(envelope.epoch)?,
        envelope.reference.as_bytes(),
        time(envelope.accepted_at),
        stored.chain.as_bytes(),
        envelope.body.as_slice(),
    ];
    match store.try_change(sql, row)? {
        Ok(_) => Ok(()),
        Err(error) if is_taken(&error) => Err(taken(store, envelope)?),
        Err(error) => Err(blame(error).into()),
    }
}

/// Which of the two indexes has it: the one of references, or that of places, where it can't be.
fn taken(store: &SqliteStore, envelope: &Envelope) -> Result<AppendError, StoreError> {
    let place = place_of(store, envelope.device, envelope.reference)?;
    Ok(match place {
        Some(_) => AppendError::ReferenceUsed,
        None => MISUSE.into(),
    })
}

/// Takes out rows that were just appended.
fn remove(store: &SqliteStore, key: i64, first: u64, rows: u64) -> Result<(), StoreError> {
    let sql = "DELETE FROM envelopes WHERE conversation = ? AND seq >= ? AND seq < ?";
    let first = count(first)?;
    store.change(sql, [key, first, first + count(rows)?]).map(|_| ())
}

/// The place of this sequence number, or the end if it lies beyond.
fn base(
    store: &SqliteStore,
    key: i64,
    conversation: ConversationId,
    seq: u64,
) -> Result<Seen, StoreError> {
    if seq == 0 {
        let chain = Envelope::chain_start(conversation);
        return Ok(Seen { seq, chain });
    }
    let sql = "SELECT chain FROM envelopes WHERE conversation = ? AND seq = ?";
    if let Some(chain) = store.one(sql, [key, bound(seq)], |row| get_hash(row, 0))? {
        return Ok(Seen { seq, chain });
    }
    let end = end(store, key)?;
    if seq <= end.seq {
        return Err(StoreError::Corrupt);
    }
    Ok(end)
}

fn end(store: &SqliteStore, key: i64) -> Result<Seen, StoreError> {
    store.settle()?;
    let sql = "SELECT end_seq, end_chain FROM conversations WHERE key = ?";
    let end = store
        .one(sql, [key], |row| Ok(Seen { seq: get_count(row, 0)?, chain: get_hash(row, 1)? }))?;
    end.ok_or(StoreError::Corrupt)
}

fn read_envelope(
    store: &SqliteStore,
    conversation: ConversationId,
    row: &Row<'_>,
    body: &[u8],
) -> Result<Envelope, StoreError> {
    let device = store.device_of(get(row, 1)?)?;
    Ok(Envelope {
        conversation,
        seq: get_count(row, 0)?,
        account: device.account,
        device: device.id,
        epoch: get_count(row, 2)?,
        reference: Reference::from_bytes(get(row, 3)?),
        accepted_at: get_time(row, 4)?,
        body: body.into(),
    })
}
