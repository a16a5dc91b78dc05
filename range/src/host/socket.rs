//! The ways into a world: WebSockets under the range's own subprotocol, so that neither product's clients
//! can be pointed at the other by mistake.
//!
//! | door | what it is |
//! |---|---|
//! | `connect` | the ordinary wire of `docs/protocol.md`, from the greeting on |
//! | `session` | the same, already logged in as the learner's account, for scripts |
//! | `desk` | the desk of a lesson that has one, in frames like the chat's |
//! | `wire` | what the server's operator, or somebody on the network, can do: hold frames, pass, replace, drop and make them |

use super::{Host, Refused, SharedSlot, lock};
use crate::flaws::Flaw;
use crate::limits;
use crate::world::{Decision, HeldId, Line, World};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::{SinkExt as _, StreamExt as _};
use portcullis_proto::UserName;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The range's own, which the chat does not speak.
pub const SUBPROTOCOL: &str = "portcullis-range.v1";

/// Which way in.
#[derive(Clone, Copy)]
enum Door {
    Connect,
    Session,
    Desk,
    Wire,
}

/// `GET /worlds/TICKET/DOOR` with an upgrade.
pub(super) async fn enter(
    State(host): State<Arc<Host>>,
    Path((ticket, door)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let door = match door.as_str() {
        "connect" => Door::Connect,
        "session" => Door::Session,
        "desk" => Door::Desk,
        "wire" => Door::Wire,
        _ => return Refused::NoFlaw.into_response(),
    };
    let Some((name, flaw)) = host.holder_of(&ticket) else {
        return Refused::Stranger.into_response();
    };
    if matches!(door, Door::Wire) && !flaw.role.holds_the_wire() {
        return Refused::NotYourPlace.into_response();
    }
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(limits::FRAME_BYTES);
    if upgrade.selected_protocol().is_none() {
        let why = format!("this world speaks the subprotocol {SUBPROTOCOL}, and no other");
        return Refused::Malformed(why).into_response();
    }
    match host.slot(&name, flaw) {
        Ok(slot) => upgrade.on_upgrade(move |socket| async move {
            match door {
                Door::Connect => talk(host, name, slot, socket, World::connect).await,
                Door::Session => talk(host, name, slot, socket, World::session).await,
                Door::Desk => talk(host, name, slot, socket, World::connect_desk).await,
                Door::Wire => operate(host, name, slot, socket).await,
            }
        }),
        Err(refused) => refused.into_response(),
    }
}

impl Host {
    /// What opens the doors of a learner's world: it changes with every reset.
    pub(super) fn ticket(&self, name: &UserName, flaw: &'static Flaw, variant: u32) -> String {
        let ticket = self.root.ticket(self.whose(name, flaw, variant));
        let mut tickets = lock(&self.tickets);
        // One for each world: an older world's opens nothing any more.
        tickets.retain(|_, (holder, of)| holder != name || of.slug != flaw.slug);
        tickets.insert(ticket.clone(), (name.clone(), flaw));
        ticket
    }

    /// Whose world a ticket opens.
    fn holder_of(&self, ticket: &str) -> Option<(UserName, &'static Flaw)> {
        let found = lock(&self.tickets).get(ticket).cloned();
        found.filter(|(name, flaw)| {
            let resets = self.row(name, flaw.slug).resets;
            self.root.ticket(self.whose(name, flaw, resets)) == ticket
        })
    }
}

/// A connection to the world's server, until either side ends it.
async fn talk(
    host: Arc<Host>,
    name: UserName,
    slot: SharedSlot,
    socket: WebSocket,
    begin: fn(&mut World) -> Result<Line, crate::world::WorldError>,
) {
    let (outbox, mut unsent) = mpsc::unbounded_channel();
    let (mut sink, mut stream) = socket.split();
    let (begun, generation) = {
        let mut slot = lock(&slot);
        let begun = slot.with(begin);
        if let Ok(line) = begun {
            slot.attach(line, outbox);
        }
        (begun, slot.generation)
    };
    let line = match begun {
        Ok(line) => line,
        Err(error) => return end(sink, &error.to_string()).await,
    };
    let why = loop {
        tokio::select! {
            text = unsent.recv() => match text {
                Some(text) => if sink.send(Message::text(text)).await.is_err() { break None },
                None => break Some("the world has closed this connection".to_owned()),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let mut slot = lock(&slot);
                    if slot.generation != generation {
                        break Some("this world was begun anew".to_owned());
                    }
                    let sent = slot.with(|world| world.send(line, &text));
                    let looked = host.look(&name, &slot).map_err(|refused| refused.to_string());
                    if let Err(why) = sent.map_err(|error| error.to_string()).and(looked) {
                        break Some(why);
                    }
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Binary(_))) => break Some("frames are text".to_owned()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
            },
        }
    };
    {
        let mut slot = lock(&slot);
        if slot.generation == generation {
            slot.detach(line);
        }
    }
    if let Some(why) = why {
        end(sink, &why).await;
    }
}

/// What an operator may want.
#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
enum Order {
    /// Hold all frames from now on, or let them go.
    Hold { on: bool },
    /// A held frame goes on as it is.
    Pass { frame: u64 },
    /// These go on in the place of a held frame; none drops it.
    Replace { frame: u64, with: Vec<String> },
    /// Somebody's connection breaks; they come back by themselves.
    Sever { whose: String },
    /// A frame that nobody made: down to this person, or up in their name.
    Send { whose: String, up: bool, text: String },
}

/// The operator's hand on the wire.
async fn operate(host: Arc<Host>, name: UserName, slot: SharedSlot, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let (mut woken, generation) = {
        let mut slot = lock(&slot);
        (slot.watch(), slot.generation)
    };
    let mut told = BTreeSet::new();
    let why = loop {
        let answer = tokio::select! {
            woken = woken.recv() => match woken {
                Some(()) => None,
                None => break Some("this world was begun anew".to_owned()),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let mut slot = lock(&slot);
                    if slot.generation != generation {
                        break Some("this world was begun anew".to_owned());
                    }
                    let done = obey(&mut slot, &text);
                    let looked = host.look(&name, &slot).map_err(|refused| refused.to_string());
                    Some(done.and(looked).map_or_else(|why| json!({"refused": why}), |()| json!({"done": true})))
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => None,
                Some(Ok(Message::Binary(_))) => break Some("frames are text".to_owned()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => break None,
            },
        };
        let held = lock(&slot).world().map(World::held).unwrap_or_default();
        let waiting: BTreeSet<HeldId> = held.iter().map(|held| held.id).collect();
        let fresh = held.into_iter().filter(|held| told.insert(held.id));
        let mut messages: Vec<String> =
            answer.into_iter().map(|answer| answer.to_string()).collect();
        messages.extend(fresh.map(|held| {
            json!({"frame": held.id.0, "whose": held.whose, "up": held.up, "text": held.text})
                .to_string()
        }));
        told.retain(|id| waiting.contains(id));
        for message in messages {
            if sink.send(Message::text(message)).await.is_err() {
                break;
            }
        }
    };
    {
        let mut slot = lock(&slot);
        if slot.generation == generation {
            // What was held goes on once nobody is there to decide.
            let _ = slot.with(|world| world.hold(false));
        }
    }
    if let Some(why) = why {
        end(sink, &why).await;
    }
}

fn obey(slot: &mut super::slot::Slot, text: &str) -> Result<(), String> {
    let order = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let done = slot.with(|world| match order {
        Order::Hold { on } => world.hold(on),
        Order::Pass { frame } => world.decide(HeldId(frame), Decision::Pass),
        Order::Replace { frame, with } => world.decide(HeldId(frame), Decision::Replace(with)),
        Order::Sever { whose } => world.sever(&whose),
        Order::Send { whose, up, text } => world.inject(&whose, up, &text),
    });
    done.map_err(|error| error.to_string())
}

async fn end(mut sink: futures_util::stream::SplitSink<WebSocket, Message>, why: &str) {
    // 123 bytes fit into a close frame (RFC 6455 section 5.5).
    let reason: String = why.chars().take(100).collect();
    let close = CloseFrame { code: close_code::POLICY, reason: reason.into() };
    // They may be gone already.
    let _ = sink.send(Message::Close(Some(close))).await;
}
