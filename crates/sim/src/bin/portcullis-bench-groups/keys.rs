//! The floor: what the keys of a conversation cost alone, without client, server or disk.

use crate::figure::{Figure, Operation, Samples};
use anyhow::{Context as _, Result};
use portcullis_crypto::{LeafKey, Secret};
use portcullis_mls::{Changes, Made, Mls, Roster, RosterKind};
use portcullis_proto::{AccountId, ConversationId, DeviceId, Timestamp, limits as wire};
use std::time::Instant;

const TALK: ConversationId = ConversationId::from_bytes([7; 16]);
const LATER: Timestamp = Timestamp(u64::MAX / 2);

/// Bytes of a short text's content after padding.
const PLAINTEXT_BYTES: usize = 256;

/// A conversation in which one device makes the changes and another reads them. Nobody else has ever
/// committed, so its tree is as expensive as it can be.
struct Talk {
    maker: Mls,
    /// None while nobody else is there.
    reader: Option<Mls>,
    samples: Samples,
}

/// Measures every operation, `times` times. The number of members is the larger one, before or after.
pub(crate) fn run(members: u32, times: usize) -> Result<Samples> {
    let mut talk = Talk { maker: device(0), reader: None, samples: Samples::default() };
    talk.create(members)?;
    for _ in 0..times {
        talk.commit(Operation::Update, Operation::ReadUpdate, &Changes::default())?;
        for _ in 0..times {
            talk.message()?;
        }
    }
    let last = members - 1;
    let remove = Changes { remove: vec![device_id(last)], ..Changes::default() };
    for _ in 0..times {
        talk.commit(Operation::Remove, Operation::ReadRemove, &remove)?;
        talk.reader = talk.reader.take().filter(|reader| reader.is_member(TALK));
        let mut joins = device(last);
        let add = Changes { add: vec![joins.key_package(LATER, false)?], ..Changes::default() };
        writes(&mut joins);
        let made = talk.commit(Operation::Add, Operation::ReadAdd, &add)?;
        let welcome = made.welcome.context("a welcome")?;
        let figure = measure(&mut joins, |mls| Ok((mls.join_welcome(&welcome)?, 0)))?.1;
        talk.samples.add(Operation::Join, figure);
    }
    for _ in 0..times {
        let before = talk.commit(Operation::Remove, Operation::ReadRemove, &remove)?;
        talk.join_by_itself(device(last), &before.group_info)?;
    }
    Ok(talk.samples)
}

impl Talk {
    fn create(&mut self, members: u32) -> Result<()> {
        let mut others: Vec<Mls> = (1..members).map(device).collect();
        let packages = others.iter_mut().map(|other| other.key_package(LATER, false));
        let packages: Vec<Vec<u8>> = packages.collect::<Result<_, _>>()?;
        let (made, figure) = measure(&mut self.maker, |maker| {
            maker.create(TALK, &roster(members))?;
            let mut all = Vec::new();
            for some in packages.chunks(wire::COMMIT_DEVICES) {
                let add = Changes { add: some.to_vec(), ..Changes::default() };
                all.push(maker.commit(TALK, &add)?);
                maker.merge_pending(TALK)?;
            }
            let sent = all.iter().map(size).sum();
            Ok((all, sent))
        })?;
        self.samples.add(Operation::Create, figure);
        let welcome = made.last().and_then(|made| made.welcome.as_ref()).context("a welcome")?;
        // The last one comes and goes, so the reader is the one before, where there is one.
        let mut reader = others.swap_remove(others.len().saturating_sub(2));
        reader.join_welcome(welcome)?;
        writes(&mut reader);
        self.reader = Some(reader);
        Ok(())
    }

    fn commit(&mut self, make: Operation, read: Operation, changes: &Changes) -> Result<Made> {
        let (made, figure) = measure(&mut self.maker, |maker| {
            let made = maker.commit(TALK, changes)?;
            maker.merge_pending(TALK)?;
            let sent = size(&made);
            Ok((made, sent))
        })?;
        self.samples.add(make, figure);
        if let Some(reader) = &mut self.reader {
            self.samples.add(read, follow(reader, &made.commit)?);
        }
        Ok(made)
    }

    fn join_by_itself(&mut self, mut joins: Mls, group_info: &[u8]) -> Result<()> {
        let (made, figure) = measure(&mut joins, |mls| {
            let made = mls.join_external(group_info)?;
            let sent = size(&made);
            Ok((made, sent))
        })?;
        self.samples.add(Operation::JoinByItself, figure);
        self.samples.add(Operation::ReadJoin, follow(&mut self.maker, &made.commit)?);
        self.reader.iter_mut().try_for_each(|reader| follow(reader, &made.commit).map(drop))
    }

    fn message(&mut self) -> Result<()> {
        let (message, figure) = measure(&mut self.maker, |maker| {
            let message = maker.encrypt(TALK, &[0; PLAINTEXT_BYTES])?;
            let sent = message.len();
            Ok((message, sent))
        })?;
        self.samples.add(Operation::Say, figure);
        if let Some(reader) = &mut self.reader {
            let figure = measure(reader, |mls| Ok((mls.process(TALK, &message)?, 0)))?.1;
            self.samples.add(Operation::Hear, figure);
        }
        Ok(())
    }
}

/// Reads somebody's commit and takes it.
fn follow(mls: &mut Mls, commit: &[u8]) -> Result<Figure> {
    let (_, figure) = measure(mls, |mls| {
        mls.process(TALK, commit)?;
        Ok((mls.merge_staged(TALK)?, 0))
    })?;
    Ok(figure)
}

/// Does something, which also says how many bytes it sends, up to where its writes are handed over.
fn measure<T>(
    mls: &mut Mls,
    step: impl FnOnce(&mut Mls) -> Result<(T, usize)>,
) -> Result<(T, Figure)> {
    let begun = Instant::now();
    let (made, sent) = step(mls)?;
    let kept = writes(mls);
    Ok((made, Figure { time: begun.elapsed(), sent, kept }))
}

/// Bytes of the records that have changed.
fn writes(mls: &mut Mls) -> usize {
    let writes = mls.take_writes();
    writes.iter().filter_map(|(_, value)| value.as_ref()).map(|value| value.len()).sum()
}

fn size(made: &Made) -> usize {
    let welcome = made.welcome.as_ref().map_or(0, Vec::len);
    made.commit.len() + welcome + made.group_info.len()
}

fn account_id(number: u32) -> AccountId {
    AccountId::from_bytes(u128::from(number).to_be_bytes())
}

fn device_id(number: u32) -> DeviceId {
    DeviceId::from_bytes((1 << 64 | u128::from(number)).to_be_bytes())
}

fn device(number: u32) -> Mls {
    let mut seed = [1; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    // NO SECURITY: a key that everyone can make.
    let key = LeafKey::from_secret(&Secret::from_bytes(seed));
    Mls::new(account_id(number), device_id(number), key)
}

fn roster(members: u32) -> Roster {
    Roster {
        kind: RosterKind::Group,
        name: None,
        owner: Some(account_id(0)),
        members: (0..members).map(account_id).collect(),
        leaving: Vec::new(),
    }
}
