//! What goes over a learner's WebSockets once they are through a door: frames of a world, or orders and
//! what came of them.
//!
//! Each loop first sends what there is to send, and only then reads: so whatever was read before has been
//! answered when a ping is.

use super::line::Place;
use super::slot::{Slot, SlotError};
use super::{Host, Refused, SharedSlot, lock};
use crate::world::{HeldId, Line, Order, World, WorldError};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use portcullis_proto::UserName;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;
use tokio::sync::oneshot;

const BEGUN_ANEW: &str = "this world was begun anew";

/// Somebody who has come to a world of theirs.
pub(super) struct Caller {
    host: Arc<Host>,
    name: UserName,
    slot: SharedSlot,
    /// The world they came to; the slot may get another.
    generation: u64,
    /// Among this world's doors, and among all that this learner has open.
    _places: [Place; 2],
}

impl Caller {
    /// # Errors
    /// [`Refused`] where they hold as many doors as they may.
    pub(super) fn new(host: Arc<Host>, name: UserName, slot: SharedSlot) -> Result<Self, Refused> {
        let of_all = host.room(&name)?;
        let (generation, of_world) = {
            let slot = lock(&slot);
            (slot.generation, slot.room()?)
        };
        Ok(Self { host, name, slot, generation, _places: [of_world, of_all] })
    }

    /// Does something in the world that they came to, and looks whether that solves it. What went wrong, in
    /// words.
    pub(super) fn with<T, E: Display>(
        &self,
        act: impl FnOnce(&mut Slot) -> Result<T, E>,
    ) -> Result<T, String> {
        let mut slot = lock(&self.slot);
        if slot.generation != self.generation {
            return Err(BEGUN_ANEW.to_owned());
        }
        let done = act(&mut slot);
        let looked = self.host.look(&self.name, &slot).map_err(|refused| refused.to_string());
        done.map_err(|error| error.to_string()).and_then(|done| looked.map(|()| done))
    }

    fn is_outdated(&self) -> bool {
        lock(&self.slot).generation != self.generation
    }

    /// Does what is ordered, if it is this learner's to order.
    fn order(&self, text: &str) -> Result<Value, String> {
        let order: Order = serde_json::from_str(text).map_err(|error| error.to_string())?;
        self.with(|slot| match order.is_for(slot.flaw.role) {
            true => slot.with(|world| world.obey(order)).map_err(|error| error.to_string()),
            false => Err(Refused::NotYourPlace.to_string()),
        })
    }
}

/// What comes over a WebSocket.
enum Said {
    Text(String),
    /// A ping or a pong, which is answered already.
    Nothing,
    /// It is over; and what they are told, if they still listen.
    End(Option<&'static str>),
}

fn said(message: Option<Result<Message, axum::Error>>) -> Said {
    match message {
        Some(Ok(Message::Text(text))) => Said::Text(text.as_str().to_owned()),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Said::Nothing,
        Some(Ok(Message::Binary(_))) => Said::End(Some("frames are text")),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Said::End(None),
    }
}

/// A connection to the world's server, or to the desk, until either side ends it.
pub(super) async fn talk(
    caller: Caller,
    socket: WebSocket,
    begin: fn(&mut World) -> Result<Line, WorldError>,
) {
    match caller.with(|slot| slot.with(begin)) {
        Ok(line) => converse(caller, socket, line).await,
        Err(why) => end(socket, &why).await,
    }
}

/// A page of the learner's: once somebody comes, the page's connection in their browser.
pub(super) async fn show_page(
    caller: Caller,
    mut socket: WebSocket,
    at: String,
    mut come: oneshot::Receiver<Line>,
) {
    let line = loop {
        tokio::select! {
            biased;
            line = &mut come => match line {
                Ok(line) => break line,
                Err(_) => return end(socket, BEGUN_ANEW).await,
            },
            message = socket.recv() => match said(message) {
                Said::Text(_) => return end(socket, "nobody has come to this page yet").await,
                Said::Nothing => {}
                Said::End(why) => return end(socket, why.unwrap_or_default()).await,
            },
        }
    };
    let visit = json!({"event": "visit", "data": {"page": at}}).to_string();
    // If they are gone, that shows when there is something to send.
    let _ = socket.send(Message::text(visit)).await;
    converse(caller, socket, line).await;
}

async fn converse(caller: Caller, mut socket: WebSocket, line: Line) {
    let mut unsent = match caller.with(|slot| Ok::<_, SlotError>(slot.attach(line))) {
        Ok(unsent) => unsent,
        Err(why) => return end(socket, &why).await,
    };
    let why = loop {
        tokio::select! {
            biased;
            text = unsent.take() => match text {
                Some(text) => if socket.send(Message::text(text)).await.is_err() { break None },
                None => break Some("the world has closed this connection".to_owned()),
            },
            message = socket.recv() => match said(message) {
                Said::Text(text) => {
                    if let Err(why) = caller.with(|slot| slot.with(|world| world.send(line, &text))) {
                        break Some(why);
                    }
                }
                Said::Nothing => {}
                Said::End(why) => break why.map(str::to_owned),
            },
        }
    };
    // An outdated world has let go of it already.
    let _ = caller.with(|slot| {
        slot.detach(line);
        Ok::<_, SlotError>(())
    });
    // Whoever sees the connection end may come again.
    drop(caller);
    end(socket, &why.unwrap_or_default()).await;
}

/// Orders, one after the other, each with its answer; and for whoever asks for them the frames that are
/// held, those that an order led to before its answer.
pub(super) async fn take_orders(caller: Caller, mut socket: WebSocket, tells_held: bool) {
    let begun = caller.with(|slot| {
        if tells_held {
            slot.lay_hand();
        }
        Ok::<_, SlotError>(slot.watch())
    });
    let mut woken = match begun {
        Ok(woken) => woken,
        Err(why) => return end(socket, &why).await,
    };
    let mut told = BTreeSet::new();
    let why = loop {
        let answer = tokio::select! {
            biased;
            woken = woken.recv() => match woken {
                Some(()) => None,
                None => break Some(BEGUN_ANEW),
            },
            message = socket.recv() => match said(message) {
                Said::Text(text) => {
                    let done = caller.order(&text);
                    if caller.is_outdated() {
                        break Some(BEGUN_ANEW);
                    }
                    Some(done.map_or_else(|why| json!({"refused": why}), |told| json!({"done": told})))
                }
                Said::Nothing => None,
                Said::End(why) => break why,
            },
        };
        let fresh = if tells_held { fresh(&caller, &mut told) } else { Vec::new() };
        for message in fresh.into_iter().chain(answer) {
            // If they are gone, that shows when they are listened to.
            let _ = socket.send(Message::text(message.to_string())).await;
        }
    };
    if tells_held {
        // In an outdated world nothing is held any more.
        let _ = caller.with(Slot::lift_hand);
    }
    // Whoever sees the connection end may come again.
    drop(caller);
    end(socket, why.unwrap_or_default()).await;
}

/// The frames that are held and were not told yet.
fn fresh(caller: &Caller, told: &mut BTreeSet<HeldId>) -> Vec<Value> {
    let held = lock(&caller.slot).world().map(World::held).unwrap_or_default();
    let waiting: BTreeSet<HeldId> = held.iter().map(|held| held.id).collect();
    let fresh = held.into_iter().filter(|held| told.insert(held.id));
    let fresh = fresh.map(
        |held| json!({"frame": held.id.0, "whose": held.whose, "up": held.up, "text": held.text}),
    );
    let fresh = fresh.collect();
    told.retain(|id| waiting.contains(id));
    fresh
}

/// Ends a connection, with a word on why if there is one.
async fn end(mut socket: WebSocket, why: &str) {
    if why.is_empty() {
        return;
    }
    // 123 bytes fit into a close frame (RFC 6455 section 5.5).
    let reason: String = why.chars().take(100).collect();
    let close = CloseFrame { code: close_code::POLICY, reason: reason.into() };
    // They may be gone already.
    let _ = socket.send(Message::Close(Some(close))).await;
}
