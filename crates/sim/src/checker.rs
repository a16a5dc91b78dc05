//! What must be true after every run.

mod encrypted;
mod files;

use crate::{Device, World};
use portcullis_client_core::{GroupWarning, Message, Show, Warning};
use portcullis_proto::{ConversationId, Envelope, Reference, Seen};
use portcullis_server_core::store::{Store, StoreError};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

impl From<StoreError> for Violation {
    fn from(error: StoreError) -> Self {
        Self(error.to_string())
    }
}

/// Checks a world that has come to rest; gives the number of envelopes.
pub(crate) fn check(world: &World) -> Result<usize, Violation> {
    if world.traces > 0 {
        return Err(Violation(format!("{} refusals left a trace in the store", world.traces)));
    }
    let channels = world.log().open_channels(None, 100)?;
    let mut envelopes = 0;
    for channel in channels {
        let log = read_log(world.log(), channel.id)?;
        check_log(&log)?;
        envelopes += log.len();
        for (number, device) in world.devices.iter().enumerate() {
            let who = format!("device {number} ({device:?}) in {:?}", channel.name);
            check_device(&who, device, channel.id, &log)?;
        }
    }
    files::check(world)?;
    Ok(envelopes + encrypted::check(world)?)
}

fn check_device(
    who: &str,
    device: &Device,
    id: ConversationId,
    log: &[(Envelope, Seen)],
) -> Result<(), Violation> {
    if let Some(warning) = device.warnings().find(|warning| !is_honest(warning)) {
        return Err(Violation(format!("{who} was warned without cause: {warning}")));
    }
    check_acknowledged(who, id, &device.acknowledged, log)?;
    check_shown(who, &device.shows)?;
    let client = device.client();
    let present = client.is_some_and(|c| c.conversations().any(|c| c.id == id));
    let end = log.last().map(|(_, seen)| *seen);
    let read = client.and_then(|client| client.seen(id));
    if present && end.is_some() && read != end {
        return Err(Violation(format!("{who} has read up to {read:?}, the log ends at {end:?}")));
    }
    let read = read.map_or(0, |read| read.seq);
    let (read, _) = log.split_at(log.len().min(usize::try_from(read).unwrap_or(usize::MAX)));
    let stored = device.messages();
    check_stored(who, stored.iter().filter(|message| message.conversation == id), read)
}

/// What an honest server and honest people may lead to.
fn is_honest(warning: &Warning) -> bool {
    matches!(
        warning,
        Warning::DeviceAdded { .. }
            | Warning::DeviceRevoked { .. }
            | Warning::OwnDeviceAdded { .. }
            | Warning::OwnDeviceRevoked
            // Whoever was taken out and is back is told who came and went.
            | Warning::Group(GroupWarning::MembersChanged { .. } | GroupWarning::OwnerChanged { .. })
    )
}

/// A conversation's whole log, with the chain after each envelope.
fn read_log(store: &dyn Store, id: ConversationId) -> Result<Vec<(Envelope, Seen)>, Violation> {
    let mut log = Vec::new();
    let mut at = Seen { seq: 0, chain: Envelope::chain_start(id) };
    loop {
        let page = store.fetch(id, at.seq, u64::MAX, 256, usize::MAX)?;
        if page.base != at {
            return Err(Violation(format!("the stored chain breaks at {}", at.seq)));
        }
        if page.envelopes.is_empty() {
            return Ok(log);
        }
        for envelope in page.envelopes {
            at = Seen { seq: envelope.seq, chain: envelope.chain_after(at.chain) };
            log.push((envelope, at));
        }
    }
}

/// Numbers without gaps, and no reference twice.
fn check_log(log: &[(Envelope, Seen)]) -> Result<(), Violation> {
    let mut references = BTreeSet::new();
    for (expected, (envelope, _)) in (1..).zip(log) {
        if envelope.seq != expected {
            return Err(Violation(format!("number {} stands at {expected}", envelope.seq)));
        }
        if !references.insert((envelope.device, envelope.reference)) {
            return Err(Violation(format!("{} was stored twice", envelope.reference)));
        }
    }
    Ok(())
}

/// What was acknowledged stands where it was acknowledged.
fn check_acknowledged(
    who: &str,
    id: ConversationId,
    acknowledged: &[(ConversationId, Reference, u64)],
    log: &[(Envelope, Seen)],
) -> Result<(), Violation> {
    let places: BTreeMap<Reference, u64> = log.iter().map(|(e, _)| (e.reference, e.seq)).collect();
    for (_, reference, seq) in acknowledged.iter().filter(|(here, ..)| *here == id) {
        if places.get(reference) != Some(seq) {
            let found = places.get(reference);
            let what =
                format!("{who}: {reference} was acknowledged at {seq}, and stands at {found:?}");
            return Err(Violation(what));
        }
    }
    Ok(())
}

/// Nothing is shown twice, and all in the order of its numbers.
fn check_shown(who: &str, shows: &[Show]) -> Result<(), Violation> {
    let mut last: BTreeMap<ConversationId, u64> = BTreeMap::new();
    for show in shows {
        let Show::Message(message) = show else {
            continue;
        };
        let before = last.insert(message.conversation, message.seq);
        if before.is_some_and(|before| before >= message.seq) {
            let what = format!("{who} was shown number {} after {before:?}", message.seq);
            return Err(Violation(what));
        }
    }
    Ok(())
}

/// What a device has stored is the log, all of it, word for word.
fn check_stored<'a>(
    who: &str,
    stored: impl Iterator<Item = &'a Message>,
    log: &[(Envelope, Seen)],
) -> Result<(), Violation> {
    let stored: BTreeMap<u64, &Message> = stored.map(|m| (m.seq, m)).collect();
    for (envelope, _) in log {
        let fits = stored.get(&envelope.seq).is_some_and(|message| {
            message.id == envelope.reference && message.account == envelope.account
        });
        if !fits {
            return Err(Violation(format!("{who} lacks number {}", envelope.seq)));
        }
    }
    Ok(())
}
