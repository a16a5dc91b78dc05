//! The ways into a world: WebSockets under the range's own subprotocol, so that neither product's clients
//! can be pointed at the other by mistake.
//!
//! | door | what it is |
//! |---|---|
//! | `connect` | the ordinary wire of `docs/protocol.md`, from the greeting on |
//! | `session` | the same, already logged in as the learner's account, for scripts |
//! | `desk` | the desk of a lesson that has one, in frames like the chat's |
//! | `page?at=ADDRESS` | a web page of the learner's: the session of whoever comes to it in their browser |
//! | `workshop` | orders: to an ordinary client of the learner's, and what else is in their power |
//! | `wire` | the same, and the frames that they hold |
//!
//! A client that keeps what it has seen says which world it means, by `?made=` and the time at which that was made: a
//! world that was made anew with the same secrets would look to it like a server that lies about its past.
//!
//! What the frames on a connection led to has been sent before a ping on it is answered (RFC 6455 section
//! 5.5.2), so a script need not guess how long to listen.

use super::talk::{self, Caller};
use super::{Host, Refused, lock};
use crate::flaws::Flaw;
use crate::limits;
use crate::world::World;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use portcullis_proto::{Timestamp, UserName};
use serde::Deserialize;
use std::sync::Arc;

/// The range's own, which the chat does not speak.
pub const SUBPROTOCOL: &str = "portcullis-range.v1";

/// What a door's address may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Where the page is to be.
    at: Option<String>,
    /// When the world was made that is meant: one made anew with the same secrets opens no door then.
    made: Option<u64>,
}

/// `GET /worlds/TICKET/DOOR` with an upgrade.
pub(super) async fn enter(
    State(host): State<Arc<Host>>,
    Path((ticket, door)): Path<(String, String)>,
    Query(asked): Query<Asked>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(limits::FRAME_BYTES);
    if upgrade.selected_protocol().is_none() {
        let why = format!("this world speaks the subprotocol {SUBPROTOCOL}, and no other");
        return Refused::Malformed(why).into_response();
    }
    match open(host, &ticket, &door, asked, upgrade) {
        Ok(opened) => opened,
        Err(refused) => refused.into_response(),
    }
}

/// What is wrong is said before the upgrade, where a program can read it.
fn open(
    host: Arc<Host>,
    ticket: &str,
    door: &str,
    Asked { at, made }: Asked,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refused> {
    let (name, flaw) = host.holder_of(ticket).ok_or(Refused::WorldGone)?;
    if door == "wire" && !flaw.role.holds_the_wire() {
        return Err(Refused::NotYourPlace);
    }
    let slot = host.slot(&name, flaw)?;
    if made.is_some_and(|made| lock(&slot).made != Timestamp(made)) {
        return Err(Refused::WorldGone);
    }
    let caller = Caller::new(host, name, slot)?;
    let opened = match door {
        "connect" => upgrade.on_upgrade(|socket| talk::talk(caller, socket, World::connect)),
        "session" => upgrade.on_upgrade(|socket| talk::talk(caller, socket, World::session)),
        "desk" => upgrade.on_upgrade(|socket| talk::talk(caller, socket, World::connect_desk)),
        "page" => {
            let at = at.ok_or(Refused::Malformed("where is the page? `page?at=…`".to_owned()))?;
            // It is up once the door is open.
            let come = caller.with(|slot| slot.put_up_page(&at)).map_err(Refused::World)?;
            upgrade.on_upgrade(move |socket| talk::show_page(caller, socket, at, come))
        }
        "workshop" => upgrade.on_upgrade(|socket| talk::take_orders(caller, socket, false)),
        "wire" => upgrade.on_upgrade(|socket| talk::take_orders(caller, socket, true)),
        _ => return Err(Refused::NoDoor),
    };
    Ok(opened)
}

impl Host {
    /// What opens the doors of a learner's world: it changes with every reset.
    pub(super) fn ticket(&self, name: &UserName, flaw: &'static Flaw, variant: u32) -> String {
        let ticket = self.key_of(name, flaw, variant);
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
            self.key_of(name, flaw, self.row(name, flaw.slug).worlds()) == ticket
        })
    }

    /// What opens a learner's world that was begun anew so many times.
    pub(crate) fn key_of(&self, name: &UserName, flaw: &Flaw, variant: u32) -> String {
        let token = lock(&self.records).book.learner(name).and_then(|own| own.token.clone());
        self.root.ticket(self.whose(name, flaw, variant), &token.unwrap_or_default())
    }
}
