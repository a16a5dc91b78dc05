//! A run: people talk and send files while things break, then all comes to rest and is checked.

mod files;

use crate::{Chance, Device, DeviceIndex, Violation, World, checker};
use portcullis_client_core::{Client, Command, Event, Saying};
use portcullis_crypto::Stretch;
use portcullis_proto::{
    Access, ChannelName, ConversationId, ConversationKind, ConversationName, GroupName, UserName,
};

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Devices that took part.
    pub devices: usize,
    /// Envelopes in all logs.
    pub envelopes: usize,
    /// Server crashes, device crashes, and connections that broke.
    pub faults: usize,
    /// Refusals that were seen to leave no trace.
    pub refusals: usize,
    /// Files that were offered.
    pub offered: usize,
    /// Files that came, counted for each device.
    pub received: usize,
}

/// Plays a seed. Every tenth uses the real password stretching, every second watches each refusal, and in every
/// fourth people send each other files.
///
/// # Errors
/// The promise that was broken.
pub fn run(seed: u64) -> Result<Report, Violation> {
    let stretch = if seed % 10 == 7 { Stretch::STANDARD } else { Stretch::LIGHT };
    let mut world = World::new(seed, stretch)?;
    world.watches_refusals = seed % 2 == 1;
    let mut faults = 0;
    let people = 2 + world.chance.below(3);
    for person in 0..people {
        if let Ok(name) = UserName::parse(&format!("person{person}")) {
            world.add_device(&name);
        }
    }
    let steps = 200 + world.chance.below(400);
    for _ in 0..steps {
        faults += usize::from(one_step(&mut world)?);
        if seed % 4 == 2 {
            files::one_step(&mut world);
        }
    }
    files::go_on(&mut world).map_err(Violation)?;
    last_words(&mut world).map_err(Violation)?;
    let envelopes = checker::check(&world)?;
    Ok(Report {
        devices: world.devices.len(),
        envelopes,
        faults,
        refusals: world.refusals,
        offered: world.offers.len(),
        received: world.devices.iter().map(|device| device.disk.received.len()).sum(),
    })
}

/// One thing happens; true if it was a fault.
fn one_step(world: &mut World) -> Result<bool, Violation> {
    let index = DeviceIndex(world.chance.below(world.devices.len()));
    let connections = world.connections();
    let at = world.chance.below(connections.len());
    let link = connections.get(at).copied();
    let mut chance = world.chance.fork();
    match (chance.below(100), link) {
        (0..20, _) => world.connect(index),
        (20..55, Some(link)) => {
            let bytes = if chance.one_in(3) { chance.below(300) } else { usize::MAX };
            let dies = chance.one_in(60).then(|| chance.below(4));
            world.deliver(link, bytes, dies);
            return Ok(dies.is_some());
        }
        (55..75, _) => {
            let dies = chance.one_in(40);
            world.run_batch(1 + chance.below(8), dies);
            return Ok(dies);
        }
        (75..84, _) => say(world, index, &mut chance),
        (84..86, _) => come_and_go(world, index, &mut chance),
        (86..88, _) => regroup(world, index, &mut chance),
        (88..91, _) => world.tick(),
        (91, Some(link)) => return fault(|| world.cut(link)),
        (92, Some(link)) => return fault(|| world.half_open(link)),
        (93, Some(link)) => {
            let turns = u32::try_from(chance.below(20)).unwrap_or(0);
            return fault(|| world.stall(link, turns));
        }
        (94, _) if chance.one_in(3) => return fault(|| world.crash_device(index)),
        (95 | 96, _) => world.restart_device(index).map_err(Violation)?,
        (97, _) if chance.one_in(4) => return fault(|| world.crash_server()),
        (98, _) => world.start_server(),
        (99, _) if world.devices.len() < 7 && chance.one_in(3) => add_device(world, index),
        _ => {}
    }
    Ok(false)
}

fn fault(happens: impl FnOnce()) -> Result<bool, Violation> {
    happens();
    Ok(true)
}

fn say(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let text = format!("text {}", chance.below(1_000_000));
    let dies = chance.one_in(50).then(|| chance.below(3));
    let say = if chance.one_in(4) {
        let Some(whom) = somebody(world, chance) else { return };
        Command::Tell(whom.into(), text)
    } else {
        let client = world.devices.get(index.0).and_then(Device::client);
        let places: Vec<_> = client.iter().flat_map(|client| client.conversations()).collect();
        let place = places.get(chance.below(places.len())).filter(|_| chance.one_in(2));
        let conversation = place.map_or(ConversationId::LOBBY, |place| place.id);
        Command::Say { conversation, what: Saying::Text(text) }
    };
    world.event(index, Event::Command(say), dies);
}

/// The name of a person of this world.
fn somebody(world: &World, chance: &mut Chance) -> Option<UserName> {
    let at = chance.below(world.devices.len());
    world.devices.get(at).map(|device| device.name.clone())
}

/// Somebody makes a group, or changes one; not everything that people ask for is granted.
fn regroup(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let client = world.devices.get(index.0).and_then(Device::client);
    let views = client.iter().flat_map(|client| client.conversations());
    let groups: Vec<_> =
        views.filter(|view| view.kind == ConversationKind::Group).map(|view| view.id).collect();
    let (Some(whom), Ok(name)) =
        (somebody(world, chance), GroupName::parse(&format!("+group{}", chance.below(3))))
    else {
        return;
    };
    let command = match groups.get(chance.below(groups.len())) {
        Some(id) if !chance.one_in(6) => match chance.below(10) {
            0..4 => Command::Invite(*id, whom),
            4 | 5 => Command::Remove(*id, whom),
            6 => Command::Rename(*id, name),
            7 => Command::SetOwner(*id, whom),
            _ => Command::Leave(*id),
        },
        _ => Command::CreateGroup(name, vec![whom]),
    };
    let dies = chance.one_in(20).then(|| chance.below(3));
    world.event(index, Event::Command(command), dies);
}

/// After the faults have ended, everyone can say something everywhere, and is heard.
fn last_words(world: &mut World) -> Result<(), String> {
    for index in (0..world.devices.len()).map(DeviceIndex) {
        let client = world.devices.get(index.0).and_then(Device::client);
        let places: Vec<_> = client.iter().flat_map(|client| client.conversations()).collect();
        for place in places.into_iter().filter(|place| place.suite.is_some()) {
            let what = Saying::Text(format!("last words of {}", index.0));
            world.command(index, Command::Say { conversation: place.id, what });
        }
    }
    world.settle()
}

/// The channel that people make, join and leave as they like.
const DEN: &str = "#den";

fn den(client: &Client) -> Option<ConversationId> {
    client.find(&ConversationName::parse(DEN).ok()?)
}

fn come_and_go(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let Ok(name) = ChannelName::parse(DEN) else { return };
    let client = world.devices.get(index.0).and_then(Device::client);
    let command = match client.and_then(den) {
        // Not everything that people ask for is granted.
        _ if chance.one_in(2) => Command::Leave(ConversationId::LOBBY),
        Some(den) if chance.one_in(3) => Command::Leave(den),
        _ if chance.one_in(4) => Command::Create(name, Access::Open),
        _ => Command::Join(name),
    };
    world.command(index, command);
}

/// Somebody whose account exists takes another device into use.
fn add_device(world: &mut World, owner: DeviceIndex) {
    let online = world.devices.get(owner.0).filter(|device| {
        device.client().is_some_and(|client| client.seen(ConversationId::LOBBY).is_some())
    });
    if let Some(name) = online.map(|device| device.name.clone()) {
        world.add_device(&name);
    }
}
