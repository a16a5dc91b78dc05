//! Directs and groups: everyone in them has the same keys and reads the same, and nobody else reads.

use super::{Violation, check_acknowledged, check_log, is_honest, read_log};
use crate::{Device, World};
use portcullis_client_core::{Body, Message, Show};
use portcullis_proto::{AccountId, ConversationId, ConversationKind, Envelope, Reference, Seen};
use portcullis_server_core::store::{Membership, Store as _};
use std::collections::{BTreeMap, BTreeSet};

/// Checks all encrypted conversations of a world that has come to rest; gives the number of envelopes.
pub(super) fn check(world: &World) -> Result<usize, Violation> {
    let said = all_said(world);
    let mut envelopes = 0;
    for id in conversations(world)? {
        let log = read_log(world.log(), id)?;
        check_log(&log)?;
        envelopes += log.len();
        check_one(world, id, &log, &said)?;
    }
    Ok(envelopes)
}

/// The directs and groups that anyone was ever in.
fn conversations(world: &World) -> Result<BTreeSet<ConversationId>, Violation> {
    let mut found = BTreeSet::new();
    for account in accounts(world)? {
        let rows = world.store.memberships(account, None, u32::MAX)?;
        let encrypted = |kind| matches!(kind, ConversationKind::Direct | ConversationKind::Group);
        found.extend(rows.into_iter().filter(|(c, _)| encrypted(c.kind)).map(|(c, _)| c.id));
    }
    Ok(found)
}

fn accounts(world: &World) -> Result<BTreeSet<AccountId>, Violation> {
    let mut found = BTreeSet::new();
    for device in &world.devices {
        found.extend(world.store.account_by_name(&device.name)?.map(|account| account.id));
    }
    Ok(found)
}

/// Every text that anyone meant to say, by its reference.
fn all_said(world: &World) -> BTreeMap<Reference, String> {
    let shows = world.devices.iter().flat_map(|device| &device.shows);
    let said = shows.filter_map(|show| match show {
        Show::Pending { id, body: Body::Text { text, .. }, .. } => Some((*id, text.clone())),
        _ => None,
    });
    said.collect()
}

fn check_one(
    world: &World,
    id: ConversationId,
    log: &[(Envelope, Seen)],
    said: &BTreeMap<Reference, String>,
) -> Result<(), Violation> {
    let mut agreed = None;
    for (number, device) in world.devices.iter().enumerate() {
        let who = format!("device {number} ({device:?}) in {id}");
        if let Some(warning) = device.warnings().find(|warning| !is_honest(warning)) {
            return Err(Violation(format!("{who} was warned without cause: {warning}")));
        }
        check_acknowledged(&who, id, &device.acknowledged, log)?;
        let account = world.store.account_by_name(&device.name)?;
        let membership = match account {
            Some(account) => world.store.membership(account.id, id)?,
            None => None,
        };
        let messages = device.messages();
        let stored: Vec<&Message> = messages.iter().filter(|m| m.conversation == id).collect();
        check_read(&who, &stored, membership.as_ref(), log, said)?;
        if membership.is_some_and(|membership| membership.role.is_present()) {
            check_agreed(&who, device, id, log, &mut agreed)?;
        }
    }
    Ok(())
}

/// What a device has of a conversation was said while its account was a member, is what was said, and
/// nothing is missing from where it came in.
fn check_read(
    who: &str,
    stored: &[&Message],
    membership: Option<&Membership>,
    log: &[(Envelope, Seen)],
    said: &BTreeMap<Reference, String>,
) -> Result<(), Violation> {
    let spans = membership.map(|membership| membership.spans.clone()).unwrap_or_default();
    let readable =
        |seq: u64| spans.iter().any(|s| s.from <= seq && s.to.is_none_or(|to| seq <= to));
    for message in stored {
        if !readable(message.seq) {
            return Err(Violation(format!("{who} has read number {} from outside", message.seq)));
        }
        // A process that died after it had kept its text has not shown it.
        let meant = said.get(&message.id).map(String::as_str);
        if message.text().is_some() && meant.is_some() && message.text() != meant {
            return Err(Violation(format!("{who} reads another number {}", message.seq)));
        }
    }
    let has: BTreeSet<u64> = stored.iter().map(|message| message.seq).collect();
    for span in &spans {
        let within = |seq: &u64| span.from <= *seq && span.to.is_none_or(|to| *seq <= to);
        let Some(first) = has.iter().copied().find(within) else {
            continue;
        };
        for (envelope, _) in log.iter().filter(|(e, _)| within(&e.seq) && e.seq >= first) {
            if said.contains_key(&envelope.reference) && !has.contains(&envelope.seq) {
                return Err(Violation(format!("{who} lacks number {}", envelope.seq)));
            }
        }
    }
    Ok(())
}

/// A member's device has read all, and has the same keys, members and devices as every other's.
fn check_agreed(
    who: &str,
    device: &Device,
    id: ConversationId,
    log: &[(Envelope, Seen)],
    agreed: &mut Option<portcullis_client_core::GroupView>,
) -> Result<(), Violation> {
    let Some(client) = device.client() else {
        return Ok(());
    };
    let Some(view) = client.group(id) else {
        return Err(Violation(format!("{who} has no keys")));
    };
    let (read, end) = (client.seen(id), log.last().map(|(_, seen)| *seen));
    if read != end {
        return Err(Violation(format!("{who} has read up to {read:?}, the log ends at {end:?}")));
    }
    let before = agreed.get_or_insert_with(|| view.clone());
    if *before != view {
        return Err(Violation(format!("{who} has other keys: {view:?} instead of {before:?}")));
    }
    Ok(())
}
