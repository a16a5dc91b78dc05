//! What people do with files in a run: they offer, answer, halt, cancel, and change what they have offered.

use crate::{Chance, Device, DeviceIndex, World};
use portcullis_client_core::{Client, Command, TransferState, TransferView};
use portcullis_proto::{ConversationId, TransferId};

/// Some bytes move, and now and then somebody wants something.
pub(super) fn one_step(world: &mut World) {
    let mut chance = world.chance.fork();
    for _ in 0..3 {
        let index = DeviceIndex(chance.below(world.devices.len()));
        world.move_files(index, true);
    }
    let index = DeviceIndex(chance.below(world.devices.len()));
    match chance.below(60) {
        0..3 => offer(world, index, &mut chance),
        3..12 => act(world, index, &mut chance, answer),
        12 => act(world, index, &mut chance, |_, id| Command::Pause(id)),
        13..15 => act(world, index, &mut chance, |_, id| Command::Resume(id)),
        15 if chance.one_in(3) => act(world, index, &mut chance, |_, id| Command::Cancel(id)),
        16 if chance.one_in(3) => change_a_file(world, index, &mut chance),
        17..19 => trust(world, index, &mut chance),
        19..23 => meet(world, index, &mut chance),
        23..27 => world.tick(),
        _ => {}
    }
}

/// A file of one to three chunks.
fn offer(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let places: Vec<ConversationId> = client(world, index)
        .into_iter()
        .flat_map(Client::conversations)
        .filter(|place| place.suite.is_some())
        .map(|place| place.id)
        .collect();
    let Some(place) = places.get(chance.below(places.len())) else {
        return;
    };
    let size = 1 + chance.below(600_000);
    let seed = chance.below(256);
    let content = (0..size).map(|at| (at.wrapping_mul(31) + seed).to_le_bytes()[0]).collect();
    world.offer(index, *place, content, chance.one_in(3));
}

/// Somebody makes sure of a direct with somebody else, where files can be sent.
fn meet(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let at = chance.below(world.devices.len());
    if let Some(name) = world.devices.get(at).map(|device| device.name.clone()) {
        world.command(index, Command::Tell(name.into(), String::new()));
    }
}

fn answer(chance: &mut Chance, transfer: TransferId) -> Command {
    let place = (!chance.one_in(8)).then(|| "downloads".to_owned());
    Command::Answer { transfer, place }
}

/// Does something about a transfer that a device knows.
fn act(
    world: &mut World,
    index: DeviceIndex,
    chance: &mut Chance,
    what: fn(&mut Chance, TransferId) -> Command,
) {
    let views = transfers(world, index);
    if let Some(view) = views.get(chance.below(views.len())) {
        let command = what(chance, view.transfer);
        let dies = chance.one_in(30).then(|| chance.below(3));
        world.event(index, portcullis_client_core::Event::Command(command), dies);
    }
}

fn change_a_file(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let files = world.devices.get_mut(index.0).map(|device| &mut device.disk.places);
    let mut files = files.into_iter().flatten();
    if let Some((_, content)) = files.nth(chance.below(4)) {
        let at = chance.below(content.len());
        content.get_mut(at).into_iter().for_each(|byte| *byte ^= 1);
    }
}

/// Somebody may be reached directly, or has their files taken without asking.
fn trust(world: &mut World, index: DeviceIndex, chance: &mut Chance) {
    let at = chance.below(world.devices.len());
    let Some(name) = world.devices.get(at).map(|device| device.name.clone()) else {
        return;
    };
    let command = match chance.one_in(4) {
        true => Command::AutoAccept(name, Some(1_000_000)),
        false => Command::AllowDirect(name, !chance.one_in(4)),
    };
    world.command(index, command);
}

/// After the faults have ended, everyone answers and goes on with what was halted, and all of it comes to rest.
pub(super) fn go_on(world: &mut World) -> Result<(), String> {
    world.settle_but_files()?;
    for index in (0..world.devices.len()).map(DeviceIndex) {
        for view in transfers(world, index) {
            match view.state {
                TransferState::Paused | TransferState::Failed(_) => {
                    world.command(index, Command::Resume(view.transfer));
                }
                TransferState::Offered => {
                    let mut chance = world.chance.fork();
                    let command = answer(&mut chance, view.transfer);
                    world.command(index, command);
                }
                _ => {}
            }
        }
    }
    world.settle()
}

fn client(world: &World, index: DeviceIndex) -> Option<&Client> {
    world.devices.get(index.0).and_then(Device::client)
}

fn transfers(world: &World, index: DeviceIndex) -> Vec<TransferView> {
    client(world, index).map(Client::transfers).unwrap_or_default()
}
