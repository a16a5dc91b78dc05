//! What many conversations cost a client that does nothing: memory, home, and the ticks of its clock.

use crate::clients::{MAKER, READER, people};
use crate::figure::median;
use crate::stage::{Home, Stage, person_name};
use crate::table::{Table, milliseconds};
use anyhow::{Context as _, Result};
use portcullis_client_core::defences::SOUND;
use portcullis_client_core::{Client, Command, Config, Event, History};
use portcullis_crypto::Stretch;
use portcullis_proto::{ConversationId, DeviceName, GroupName};
use std::time::{Duration, Instant};

/// KiB by which this process grows, by copies of a client, before the counting starts: they fill what was
/// used and given back before.
const FIRST_KIB: u64 = 8 * 1024;

/// Copies that are counted.
const COPIES: usize = 12;

/// For each pair of a number of conversations and one of members: the client of a member.
pub(crate) fn rows(cases: &[(usize, usize)]) -> Result<Table> {
    let rows = cases.iter().map(|case| row(*case)).collect::<Result<_>>()?;
    Ok(Table {
        head: vec![
            "at rest",
            "KiB resident, restored",
            "with all keys in use",
            "KiB of the home",
            "ms to restore",
            "ms for a tick",
        ],
        rows,
    })
}

fn row((conversations, members): (usize, usize)) -> Result<Vec<String>> {
    let mut stage = people(members)?;
    for number in 0..conversations {
        asks(&mut stage, number, members)?;
    }
    stage.rest()?;
    let ids = (0..conversations).map(|number| stage.find(READER, &name(number)));
    let ids: Vec<ConversationId> = ids.collect::<Result<_>>()?;
    let home = stage.home(READER);
    let bytes: usize = home.values().map(Vec::len).sum();
    let tick = median((0..5).map(|_| tick(&mut stage)));
    drop(stage);
    let mut clients = Vec::new();
    let empty = resident()?;
    while resident()? < empty + FIRST_KIB {
        restore(&home, 1, &mut clients)?;
        in_use(clients.last(), &ids)?;
    }
    let begin = resident()?;
    let counted = clients.len();
    let taken = restore(&home, COPIES, &mut clients)?;
    let restored = resident()?;
    in_use(clients.get(counted..).unwrap_or_default(), &ids)?;
    let used = resident()?;
    let each = |after: u64| format!("{:.0}", after.saturating_sub(begin) as f64 / COPIES as f64);
    Ok(vec![
        format!("{conversations} conversations of {members}"),
        each(restored),
        each(used),
        (bytes / 1024).to_string(),
        milliseconds(median(taken.into_iter())),
        milliseconds(tick),
    ])
}

/// The maker wants a group of all people.
fn asks(stage: &mut Stage, number: usize, members: usize) -> Result<()> {
    let others = (1..members).map(person_name).collect::<Result<_>>()?;
    let command = Command::CreateGroup(GroupName::parse(&name(number))?, others);
    stage.happens(MAKER, Event::Command(command));
    Ok(())
}

fn name(number: usize) -> String {
    format!("+bench{number}")
}

/// How long a second that passes keeps the reader busy.
fn tick(stage: &mut Stage) -> Duration {
    let begun = Instant::now();
    stage.world.event(READER, Event::Tick, None);
    begun.elapsed()
}

/// Restores clients from a home; how long each took.
fn restore(home: &Home, copies: usize, clients: &mut Vec<Client>) -> Result<Vec<Duration>> {
    let config = Config {
        device_name: DeviceName::parse("bench")?,
        stretch_floor: Stretch::LIGHT,
        history: History::All,
        read_marks: true,
        always_relay: false,
        loopback: true,
        stock: portcullis_client_core::limits::KEY_PACKAGES,
    };
    let mut taken = Vec::new();
    for _ in 0..copies {
        let written = home.iter().map(|(key, value)| (*key, value.as_slice()));
        let begun = Instant::now();
        clients.push(Client::restore(config.clone(), SOUND, written)?);
        taken.push(begun.elapsed());
    }
    Ok(taken)
}

/// Looks at all conversations, which loads their keys.
fn in_use<'a>(clients: impl IntoIterator<Item = &'a Client>, ids: &[ConversationId]) -> Result<()> {
    for client in clients {
        for id in ids {
            client.group(*id).context("a member")?;
        }
    }
    Ok(())
}

/// Memory of this process, in KiB. Source: proc(5).
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("a status without VmRSS")?.parse()?)
}
