//! Conversations and who is in them.

use portcullis_proto::{
    Access, AccountId, ChannelName, ConversationId, ConversationKind, Role, Seen,
};
use portcullis_server_core::store::{
    Conversation, GroupInfo, InsertError, Membership, Span, StoreError,
};
use rusqlite::{Row, params};

use super::SqliteStore;
use super::rows::{count, get, get_count, get_hash};

/// All columns of a conversation, in the order in which [`read_conversation`] reads them.
macro_rules! select_conversation {
    ($rest:literal) => {
        concat!(
            "SELECT id, kind, name, pair, access, epoch, end_seq, end_chain FROM conversations ",
            $rest
        )
    };
}

pub(super) fn insert(store: &SqliteStore, conversation: &Conversation) -> Result<(), InsertError> {
    let sql =
        "INSERT INTO conversations (id, kind, name, pair, access, epoch, members, end_seq, end_chain)
             VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?)";
    let pair = conversation.between.map(|pair| pair.map(|account| *account.as_bytes()));
    let row = params![
        conversation.id.as_bytes(),
        kind_code(conversation.kind),
        conversation.name.as_ref().map(ChannelName::as_str),
        pair.as_ref().map(|pair| pair.as_flattened()),
        access_code(conversation.access),
        count(conversation.epoch)?,
        count(conversation.end.seq)?,
        conversation.end.chain.as_bytes(),
    ];
    store.made_keys.set(true);
    store.insert(sql, row)
}

pub(super) fn by_id(
    store: &SqliteStore,
    id: ConversationId,
) -> Result<Option<Conversation>, StoreError> {
    if let Some(conversation) = store.recent.borrow().conversation(id) {
        return Ok(Some(conversation.clone()));
    }
    let Some(key) = store.conversation_key(id)? else {
        return Ok(None);
    };
    store.settle()?;
    let sql = select_conversation!("WHERE key = ?");
    let found = store.one(sql, [key], read_conversation)?;
    if let Some(conversation) = &found {
        store.recent.borrow_mut().keep_conversation(conversation.clone());
    }
    Ok(found)
}

pub(super) fn by_name(
    store: &SqliteStore,
    name: &ChannelName,
) -> Result<Option<Conversation>, StoreError> {
    store.settle()?;
    let sql = select_conversation!("WHERE name = ?");
    store.one(sql, [name.as_str()], read_conversation)
}

pub(super) fn open_channels(
    store: &SqliteStore,
    after: Option<&ChannelName>,
    limit: u32,
) -> Result<Vec<Conversation>, StoreError> {
    store.settle()?;
    // The same numbers as in the index, in figures, so that it is used.
    let sql =
        select_conversation!("WHERE kind = 1 AND access = 1 AND name > ? ORDER BY name LIMIT ?");
    let after = after.map_or("", ChannelName::as_str);
    store.many(sql, params![after, limit], read_conversation)
}

pub(super) fn membership(
    store: &SqliteStore,
    account: AccountId,
    conversation: ConversationId,
) -> Result<Option<Membership>, StoreError> {
    let who = (account, conversation);
    if let Some(membership) = store.recent.borrow().membership(who) {
        return Ok(Some(membership.clone()));
    }
    let keys = (store.account_key(account)?, store.conversation_key(conversation)?);
    let (Some(account), Some(conversation)) = keys else {
        return Ok(None);
    };
    let sql = "SELECT role, spans FROM memberships WHERE account = ? AND conversation = ?";
    let found = store.one(sql, [account, conversation], |row| read_membership(row, 0))?;
    if let Some(membership) = &found {
        store.recent.borrow_mut().keep_membership(who, membership.clone());
    }
    Ok(found)
}

/// Writes the membership, and keeps the conversation's count in step with it.
pub(super) fn put_membership(
    store: &SqliteStore,
    account: AccountId,
    conversation: ConversationId,
    membership: &Membership,
) -> Result<(), StoreError> {
    let keys = [store.known_account(account)?, store.known_conversation(conversation)?];
    let sql = "SELECT role FROM memberships WHERE account = ? AND conversation = ?";
    let before = store.one(sql, keys, |row| get(row, 0).and_then(role))?;
    let change = counted(membership.role) - before.map_or(0, counted);
    store.recent.borrow_mut().forget_membership((account, conversation));
    let [account, conversation] = keys;
    if !membership.is_none() {
        let sql = "INSERT INTO memberships (account, conversation, role, spans) VALUES (?, ?, ?, ?)
             ON CONFLICT DO UPDATE SET role = excluded.role, spans = excluded.spans";
        let spans = write_spans(&membership.spans)?;
        let row = params![account, conversation, role_code(membership.role), spans];
        store.change_one(sql, row)?;
    } else if before.is_some() {
        let sql = "DELETE FROM memberships WHERE account = ? AND conversation = ?";
        store.change_one(sql, keys)?;
    }
    if change != 0 {
        let sql = "UPDATE conversations SET members = members + ? WHERE key = ?";
        store.change_one(sql, [change, conversation])?;
    }
    Ok(())
}

pub(super) fn memberships(
    store: &SqliteStore,
    account: AccountId,
    after: Option<ConversationId>,
    limit: u32,
) -> Result<Vec<(Conversation, Membership)>, StoreError> {
    let Some(account) = store.account_key(account)? else {
        return Ok(Vec::new());
    };
    store.settle()?;
    let sql =
        "SELECT c.id, c.kind, c.name, c.pair, c.access, c.epoch, c.end_seq, c.end_chain, m.role,
             m.spans FROM memberships m JOIN conversations c ON c.key = m.conversation
             WHERE m.account = ? AND c.id > ? ORDER BY c.id LIMIT ?";
    // An empty blob comes before every id.
    let after = after.as_ref().map_or(&[][..], |after| after.as_bytes());
    store.many(sql, params![account, after, limit], |row| {
        Ok((read_conversation(row)?, read_membership(row, 8)?))
    })
}

pub(super) fn member_count(
    store: &SqliteStore,
    conversation: ConversationId,
) -> Result<u64, StoreError> {
    let Some(key) = store.conversation_key(conversation)? else {
        return Ok(0);
    };
    let sql = "SELECT members FROM conversations WHERE key = ?";
    let members = store.one(sql, [key], |row| get_count(row, 0))?;
    members.ok_or(StoreError::Corrupt)
}

/// Moves a conversation to an epoch. The row is read anew after it.
pub(super) fn begin_epoch(
    store: &SqliteStore,
    conversation: ConversationId,
    group_info: &GroupInfo,
) -> Result<(), StoreError> {
    let key = store.known_conversation(conversation)?;
    let epoch = count(group_info.epoch)?;
    let sql = "UPDATE conversations SET epoch = ? WHERE key = ?";
    store.change_one(sql, [epoch, key])?;
    store.recent.borrow_mut().forget_conversation(conversation);
    let sql = "INSERT INTO group_infos (conversation, epoch, body) VALUES (?, ?, ?)
             ON CONFLICT DO UPDATE SET epoch = excluded.epoch, body = excluded.body";
    store.change_one(sql, params![key, epoch, group_info.body.as_slice()])
}

pub(super) fn group_info(
    store: &SqliteStore,
    conversation: ConversationId,
) -> Result<Option<GroupInfo>, StoreError> {
    let Some(key) = store.conversation_key(conversation)? else {
        return Ok(None);
    };
    let sql = "SELECT epoch, body FROM group_infos WHERE conversation = ?";
    store.one(sql, [key], |row| {
        Ok(GroupInfo { epoch: get_count(row, 0)?, body: get::<Vec<u8>>(row, 1)?.into() })
    })
}

fn read_conversation(row: &Row<'_>) -> Result<Conversation, StoreError> {
    let name: Option<String> = get(row, 2)?;
    let name = name.map(|name| ChannelName::parse(&name)).transpose();
    let pair: Option<Vec<u8>> = get(row, 3)?;
    Ok(Conversation {
        id: ConversationId::from_bytes(get(row, 0)?),
        kind: kind(get(row, 1)?)?,
        name: name.map_err(|_| StoreError::Corrupt)?,
        between: pair.as_deref().map(read_pair).transpose()?,
        access: access(get(row, 4)?)?,
        epoch: get_count(row, 5)?,
        end: Seen { seq: get_count(row, 6)?, chain: get_hash(row, 7)? },
    })
}

fn read_pair(bytes: &[u8]) -> Result<[AccountId; 2], StoreError> {
    match bytes.as_chunks::<16>() {
        ([one, other], []) => Ok([*one, *other].map(AccountId::from_bytes)),
        _ => Err(StoreError::Corrupt),
    }
}

fn read_membership(row: &Row<'_>, first: usize) -> Result<Membership, StoreError> {
    let spans = row.get_ref(first + 1).map_err(super::error::blame)?;
    Ok(Membership {
        role: role(get(row, first)?)?,
        spans: read_spans(spans.as_blob().map_err(|_| StoreError::Corrupt)?)?,
    })
}

/// Sixteen bytes a span: the first sequence number, and one more than the last or 0 for none yet.
fn write_spans(spans: &[Span]) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(16 * spans.len());
    for span in spans {
        let end = match span.to {
            Some(to) => to.checked_add(1).ok_or(super::error::MISUSE)?,
            None => 0,
        };
        bytes.extend(span.from.to_le_bytes());
        bytes.extend(end.to_le_bytes());
    }
    Ok(bytes)
}

fn read_spans(bytes: &[u8]) -> Result<Vec<Span>, StoreError> {
    let (pairs, []) = bytes.as_chunks::<16>() else {
        return Err(StoreError::Corrupt);
    };
    let spans = pairs.iter().map(|pair| {
        let pair = u128::from_le_bytes(*pair);
        Span { from: pair as u64, to: ((pair >> 64) as u64).checked_sub(1) }
    });
    Ok(spans.collect())
}

pub(super) fn kind_code(kind: ConversationKind) -> i64 {
    match kind {
        ConversationKind::Unknown => 0,
        ConversationKind::Channel => 1,
        ConversationKind::Direct => 2,
        ConversationKind::Group => 3,
        ConversationKind::Inbox => 4,
        ConversationKind::Classic => 5,
    }
}

fn kind(code: i64) -> Result<ConversationKind, StoreError> {
    match code {
        0 => Ok(ConversationKind::Unknown),
        1 => Ok(ConversationKind::Channel),
        2 => Ok(ConversationKind::Direct),
        3 => Ok(ConversationKind::Group),
        4 => Ok(ConversationKind::Inbox),
        5 => Ok(ConversationKind::Classic),
        _ => Err(StoreError::Corrupt),
    }
}

fn access_code(access: Access) -> i64 {
    match access {
        Access::Open => 1,
        Access::Invitation => 2,
    }
}

fn access(code: i64) -> Result<Access, StoreError> {
    match code {
        1 => Ok(Access::Open),
        2 => Ok(Access::Invitation),
        _ => Err(StoreError::Corrupt),
    }
}

fn role_code(role: Role) -> i64 {
    match role {
        Role::Outside => 0,
        Role::Owner => 1,
        Role::Member => 2,
        Role::Invited => 3,
    }
}

fn role(code: i64) -> Result<Role, StoreError> {
    match code {
        0 => Ok(Role::Outside),
        1 => Ok(Role::Owner),
        2 => Ok(Role::Member),
        3 => Ok(Role::Invited),
        _ => Err(StoreError::Corrupt),
    }
}

/// What a role counts among the members.
fn counted(role: Role) -> i64 {
    i64::from(role.is_present())
}
