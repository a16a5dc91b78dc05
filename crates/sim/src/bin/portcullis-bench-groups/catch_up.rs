//! A client that was away reads what was said meanwhile, by pages; beside it its keys alone.

use crate::clients::{MAKER, NAME, READER, create, people};
use crate::stage::{Home, Stage};
use crate::table::{Table, times};
use anyhow::{Context as _, Result, ensure};
use portcullis_client_core::Key;
use portcullis_crypto::{LeafKey, Secret};
use portcullis_mls::{Mls, Processed};
use portcullis_proto::{
    AccountId, Bytes, Content, ConversationId, DeviceId, Envelope, Kind, Reference, Seen, Timestamp,
};
use portcullis_server_core::store::{AppendError, Store as _, StoredEnvelope};
use serde_json::{Value, from_slice, from_value};
use std::time::{Duration, Instant};

/// Messages that one page has.
const PAGE: usize = 256;

/// For each number of members: a client that was away for so many messages of the same member.
pub(crate) fn rows(sizes: &[usize], messages: usize) -> Result<Table> {
    let rows = sizes.iter().map(|members| row(*members, messages)).collect::<Result<_>>()?;
    Ok(Table {
        head: vec![
            "catch-up",
            "seconds",
            "messages/s",
            "keys alone: messages/s",
            "times the floor",
            "KB kept a page",
            "B of a ciphertext",
        ],
        rows,
    })
}

fn row(members: usize, messages: usize) -> Result<Vec<String>> {
    let mut stage = people(members)?;
    let talk = create(&mut stage, NAME, members)?;
    let home = stage.home(READER);
    stage.world.crash_device(READER);
    let said = say(&mut stage, talk, messages)?;
    let floor = by_keys_alone(&home, talk, &said)?;
    stage.counts_records = true;
    stage.comes_back(READER, home)?;
    let spent = stage.spent(READER);
    let read = stage.client(READER)?.seen(talk).map_or(0, |seen| seen.seq);
    let last = said.last().map_or(0, |envelope| envelope.seq);
    ensure!(read >= last, "read up to {read} of {last}");
    let kept = spent.kept / messages.div_ceil(PAGE);
    let rate = |time: Duration| format!("{:.0}", messages as f64 / time.as_secs_f64());
    let ciphertext = said.first().map_or(0, |envelope| envelope.body.as_slice().len());
    Ok(vec![
        format!("{messages} messages, {members} members"),
        format!("{:.2}", spent.time.as_secs_f64()),
        rate(spent.time),
        rate(floor),
        times(spent.time, floor),
        (kept / 1000).to_string(),
        ciphertext.to_string(),
    ])
}

/// The maker says so many short texts: with the keys of its home, past its client, which would take
/// much longer, and past the server's checks.
fn say(stage: &mut Stage, talk: ConversationId, messages: usize) -> Result<Vec<Envelope>> {
    let home = stage.home(MAKER);
    stage.world.crash_device(MAKER);
    let (account, device, mut mls) = keys(&home)?;
    let store = &stage.world.store;
    let conversation = store.conversation(talk)?.context("the conversation")?;
    let mut end = conversation.end;
    let mut said = Vec::new();
    store.begin()?;
    for number in 0..messages {
        let reference = Reference::from_bytes((number as u128 + 1).to_be_bytes());
        let content = Content {
            id: reference,
            kind: Kind::Text(format!("this is text number {number}")),
            refs: Vec::new(),
            sent_at: Timestamp(number as u64),
            after: end,
            place: None,
        };
        let envelope = Envelope {
            conversation: talk,
            seq: end.seq + 1,
            account,
            device,
            epoch: conversation.epoch,
            reference,
            accepted_at: stage.world.now,
            body: Bytes(mls.encrypt(talk, &content.encode())?),
        };
        end = Seen { seq: envelope.seq, chain: envelope.chain_after(end.chain) };
        let stored = StoredEnvelope { envelope: envelope.clone(), chain: end.chain };
        store.append(talk, &[stored]).map_err(|error| match error {
            AppendError::Store(error) => anyhow::Error::from(error),
            AppendError::ReferenceUsed => anyhow::Error::msg("a reference was used twice"),
        })?;
        said.push(envelope);
    }
    store.commit()?;
    Ok(said)
}

/// How long the keys of a home take to open the same messages, and to hand over what has to be kept
/// after each page.
fn by_keys_alone(home: &Home, talk: ConversationId, said: &[Envelope]) -> Result<Duration> {
    let (.., mut mls) = keys(home)?;
    let begun = Instant::now();
    for page in said.chunks(PAGE) {
        for envelope in page {
            let opened = mls.process(talk, envelope.body.as_slice())?;
            ensure!(matches!(opened, Processed::Message { .. }), "{opened:?}");
        }
        drop(mls.take_writes());
    }
    Ok(begun.elapsed())
}

/// Whose home it is, and its keys.
fn keys(home: &Home) -> Result<(AccountId, DeviceId, Mls)> {
    let record = home.get(&Key::Account).context("a home without an account")?;
    let record: Value = from_slice(record)?;
    let record = record.get("r").context("a record of another version")?;
    let account: AccountId = from_value(record["account"].clone())?;
    let (device, _, leaf): (DeviceId, Bytes, Bytes) = from_value(record["device"].clone())?;
    let key = Secret::from_slice(leaf.as_slice()).context("a leaf key")?;
    let mut mls = Mls::new(account, device, LeafKey::from_secret(&key));
    for (key, value) in home {
        if let Key::Mls(key) = key {
            mls.restore_record(*key, value.clone());
        }
    }
    Ok((account, device, mls))
}
