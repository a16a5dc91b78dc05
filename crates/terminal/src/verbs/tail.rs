//! `tail`: prints what was said, and goes on as more is said.
//!
//! Everything that is printed comes out of the home or was just put there, so that it is verified and
//! in order. The home remembers up to where `tail` has printed, after it has: a crash between prints
//! something twice, never nothing.

use std::collections::BTreeMap;

use portcullis_client_core::{History, IdentityState, Message, Show};
use portcullis_proto::{ChannelName, ConversationId, DeviceId, Reference, Timestamp, UserName};
use serde::Serialize;

use super::{Common, Failure, Session, output, within};

/// Stored messages that are read at once.
const PAGE: u32 = 256;

/// What to print.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// One conversation; all of the account's if there is none.
    pub within: Option<ChannelName>,
    /// From this sequence number on, of each conversation; otherwise what was not printed yet.
    pub from: Option<u64>,
    /// Ends after so many messages.
    pub count: Option<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    conversation: &'a ChannelName,
    seq: u64,
    id: Reference,
    sender: &'a UserName,
    device: DeviceId,
    sent_at: Timestamp,
    text: &'a str,
    verified: bool,
    identity: &'static str,
}

/// Prints messages until it has printed enough, or for ever.
///
/// # Errors
/// [`Failure`].
pub async fn tail(common: &Common, what: &Tail) -> Result<(), Failure> {
    within(common.timeout, run(common, what)).await
}

async fn run(common: &Common, what: &Tail) -> Result<(), Failure> {
    if what.count == Some(0) {
        return Ok(());
    }
    let mut session = Session::begin(common, History::All).await?;
    let mut tailing = Tailing { what, places: BTreeMap::new(), left: what.count };
    tailing.print_stored(&mut session)?;
    while tailing.left != Some(0) {
        let shows = session.next().await?;
        let printed = tailing.print(&mut session, &shows);
        tailing.remember(&mut session)?;
        printed?;
    }
    Ok(())
}

/// How far a conversation is printed.
struct Place {
    name: ChannelName,
    /// The last number that was printed, or just before the first that is to be.
    printed: u64,
    /// Up to where the home says it is printed.
    remembered: u64,
    /// Nothing was left out before, so the home is to remember how far it is.
    counts: bool,
}

struct Tailing<'a> {
    what: &'a Tail,
    places: BTreeMap<ConversationId, Place>,
    left: Option<u64>,
}

impl Tailing<'_> {
    /// What the home has that is to be printed.
    fn print_stored(&mut self, session: &mut Session) -> Result<(), Failure> {
        let known: Vec<_> = session.device().client().conversations().collect();
        for view in known {
            self.begin(session, view.id, view.name)?;
            let mut page = self.stored_page(session, view.id)?;
            while !page.is_empty() && self.left != Some(0) {
                let printed = page.iter().try_for_each(|message| self.print_one(message));
                self.remember(session)?;
                printed?;
                page = self.stored_page(session, view.id)?;
            }
        }
        Ok(())
    }

    fn stored_page(&self, session: &Session, id: ConversationId) -> Result<Vec<Message>, Failure> {
        let Some(place) = self.places.get(&id) else {
            return Ok(Vec::new());
        };
        Ok(session.device().home().messages_after(id, place.printed, PAGE)?)
    }

    fn print(&mut self, session: &mut Session, shows: &[Show]) -> Result<(), Failure> {
        for show in shows {
            match show {
                Show::Conversation(view) => self.begin(session, view.id, view.name.clone())?,
                Show::Message(message) => self.print_one(message)?,
                Show::Left(id) => {
                    let left = self.places.remove(id);
                    if let (Some(place), Some(_)) = (left, &self.what.within) {
                        return Err(Session::not_there(&place.name));
                    }
                }
                Show::Refused { what, refusal } if !refusal.code.passes() => {
                    return Err(Failure::refused(what, refusal));
                }
                _ => {}
            }
        }
        match &self.what.within {
            Some(name) if session.is_listed() && session.find(name).is_none() => {
                Err(Session::not_there(name))
            }
            _ => Ok(()),
        }
    }

    /// Finds out from where on a conversation is to be printed.
    fn begin(
        &mut self,
        session: &mut Session,
        id: ConversationId,
        name: ChannelName,
    ) -> Result<(), Failure> {
        let wanted = self.what.within.as_ref().is_none_or(|wanted| *wanted == name);
        if !wanted || self.places.contains_key(&id) {
            return Ok(());
        }
        let read = session.device().client().seen(id).map_or(0, |seen| seen.seq);
        let home = session.device_mut().home_mut();
        let remembered = match home.tailed(id)? {
            Some(remembered) => remembered,
            None => {
                // What this device has read so far, it has read.
                home.set_tailed([(id, read)])?;
                read
            }
        };
        let printed = self.what.from.map_or(remembered, |from| from.saturating_sub(1));
        let counts = printed <= remembered;
        self.places.insert(id, Place { name, printed, remembered, counts });
        Ok(())
    }

    fn print_one(&mut self, message: &Message) -> Result<(), Failure> {
        let Some(place) = self.places.get_mut(&message.conversation) else {
            return Ok(());
        };
        if message.seq <= place.printed || self.left == Some(0) {
            return Ok(());
        }
        if let Some(text) = &message.text {
            output::line(&line(&place.name, message, text))?;
            self.left = self.left.map(|left| left - 1);
        }
        place.printed = message.seq;
        Ok(())
    }

    /// Has the home remember how far it is printed.
    fn remember(&mut self, session: &mut Session) -> Result<(), Failure> {
        let moved = self
            .places
            .iter_mut()
            .filter(|(_, place)| place.counts && place.printed > place.remembered);
        let moved: Vec<_> = moved
            .map(|(id, place)| {
                place.remembered = place.printed;
                (*id, place.printed)
            })
            .collect();
        if !moved.is_empty() {
            session.device_mut().home_mut().set_tailed(moved)?;
        }
        Ok(())
    }
}

fn line<'a>(name: &'a ChannelName, message: &'a Message, text: &'a str) -> Line<'a> {
    let identity = match message.identity {
        IdentityState::NotVerified => "not_verified",
        IdentityState::Verified => "verified",
        IdentityState::Changed => "changed",
        IdentityState::Own => "own",
    };
    Line {
        conversation: name,
        seq: message.seq,
        id: message.id,
        sender: &message.sender,
        device: message.device,
        sent_at: message.sent_at,
        text,
        verified: message.identity != IdentityState::Changed,
        identity,
    }
}
