//! Files between people: who has accepted one has it whole, once, and word for word; or it has clearly ended.

use super::Violation;
use crate::{Device, Offered, World};
use portcullis_client_core::{RecipientState, TransferState, TransferView};
use portcullis_proto::TransferId;
use portcullis_server_core::store::Store as _;

/// Checks all transfers of a world that has come to rest, and in which nobody has halted any.
pub(super) fn check(world: &World) -> Result<(), Violation> {
    for (number, device) in world.devices.iter().enumerate() {
        let who = format!("device {number} ({device:?})");
        check_received(&who, world, device)?;
        for view in device.client().iter().flat_map(|client| client.transfers()) {
            check_view(&who, device, &view)?;
            if view.own {
                check_recipients(&who, world, &view)?;
            }
        }
        check_leftovers(&who, device)?;
    }
    check_blobs(world)
}

/// What came is what was offered, and came once.
fn check_received(who: &str, world: &World, device: &Device) -> Result<(), Violation> {
    let mut seen = Vec::new();
    for (id, content) in &device.disk.received {
        let offered = world.offers.get(id).map(|offered: &Offered| &offered.content);
        if offered != Some(content) {
            return Err(Violation(format!("{who} has got something else for {id}")));
        }
        if seen.contains(id) {
            return Err(Violation(format!("{who} has got {id} twice")));
        }
        seen.push(*id);
    }
    Ok(())
}

/// A transfer that somebody takes part in is over here, and says so truly.
fn check_view(who: &str, device: &Device, view: &TransferView) -> Result<(), Violation> {
    let id = view.transfer;
    let has_it = device.disk.received.iter().any(|(received, _)| *received == id);
    let done = matches!(view.state, TransferState::Done(_));
    if !view.own && done != has_it {
        return Err(Violation(format!("{who} says {:?} of {id}", view.state)));
    }
    let unanswered = |state: &RecipientState| *state == RecipientState::Asked;
    let waits = view.own && view.recipients.iter().any(|(_, state)| unanswered(state));
    if !(view.state.is_over() || view.state == TransferState::Offered || waits) {
        return Err(Violation(format!("{who} leaves {id} {:?}", view.state)));
    }
    Ok(())
}

/// What the sender is told of its recipients is so.
fn check_recipients(who: &str, world: &World, view: &TransferView) -> Result<(), Violation> {
    for (name, state) in &view.recipients {
        let theirs = || world.devices.iter().filter(|device| device.name == *name);
        let has_it = |device: &Device| device.disk.received.iter().any(|r| r.0 == view.transfer);
        let goes_on = |device: &Device| {
            let views = device.client().map(|client| client.transfers()).unwrap_or_default();
            let mut here = views.iter().filter(|theirs| theirs.transfer == view.transfer);
            here.any(|theirs| !theirs.state.is_over() && theirs.state != TransferState::Offered)
        };
        let copies = theirs().filter(|device| has_it(device)).count();
        let fits = match state {
            RecipientState::Received => copies == 1,
            RecipientState::Accepted => view.state.is_over() && !theirs().any(goes_on),
            _ => !theirs().any(goes_on),
        };
        if !fits {
            let what = format!("{who} says that {name} has {state:?}; copies: {copies}; {view:?}");
            return Err(Violation(what));
        }
    }
    Ok(())
}

/// Nothing lies about but what a transfer needs that goes on.
fn check_leftovers(who: &str, device: &Device) -> Result<(), Violation> {
    let Some(client) = device.client() else {
        return Ok(());
    };
    let views = client.transfers();
    let goes_on = |id: &TransferId| views.iter().any(|v| v.transfer == *id && !v.state.is_over());
    match device.disk.leftovers().find(|id| !goes_on(id)) {
        Some(id) => Err(Violation(format!("{who} keeps parts of {id}, which is over"))),
        None => Ok(()),
    }
}

/// The server keeps no bytes that nobody can ask for, and none of a transfer that its sender has ended.
fn check_blobs(world: &World) -> Result<(), Violation> {
    for (id, offered) in &world.offers {
        let sender = world.devices.get(offered.by.0).and_then(Device::client);
        let views = sender.map(|client| client.transfers()).unwrap_or_default();
        let over = views.iter().any(|view| view.transfer == *id && view.state.is_over());
        if over && world.store.blob(*id)?.is_some() {
            return Err(Violation(format!("the server keeps {id}, which is over")));
        }
    }
    match world.blob_files() {
        (rows, files) if files > rows => {
            Err(Violation(format!("the server has {files} files for {rows} blobs")))
        }
        _ => Ok(()),
    }
}
