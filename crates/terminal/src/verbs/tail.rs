//! `tail`: prints what was said, and goes on as more is said.
//!
//! Everything that is printed comes out of the home or was just put there, so that it is verified and
//! in order. The home remembers up to where `tail` has printed, after it has: a crash between prints
//! something twice, never nothing.

use std::collections::BTreeMap;

use portcullis_client_core::{Body, History, IdentityState, Message, Show};
use portcullis_proto::{
    ConversationId, ConversationName, DeviceId, PersonName, Reference, Timestamp,
};
use serde::Serialize;

use super::{Common, Failure, Session, output, within};

/// Stored messages that are read at once.
const PAGE: u32 = 256;

/// What to print.
#[derive(Debug, Clone, Default)]
pub struct Tail {
    /// One conversation; all of the account's if there is none.
    pub within: Option<ConversationName>,
    /// From this sequence number on, of each conversation; otherwise what was not printed yet.
    pub from: Option<u64>,
    /// Ends after so many lines.
    pub count: Option<u64>,
}

#[derive(Serialize)]
struct Line<'a> {
    conversation: &'a ConversationName,
    /// Of a group, since others may make one of the same name.
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation_id: Option<ConversationId>,
    seq: u64,
    id: Reference,
    sender: &'a PersonName,
    /// A classroom guest, who has no account, and whose words name no place: they could have been said
    /// elsewhere, or before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    guest: bool,
    device: DeviceId,
    sent_at: Timestamp,
    #[serde(flatten)]
    what: What<'a>,
    verified: bool,
    identity: &'static str,
}

/// What an entry holds; the messages that it speaks of by their ids.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum What<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<Reference>,
    },
    Edit {
        target: Reference,
        text: &'a str,
    },
    Delete {
        target: Reference,
    },
    Reaction {
        target: Reference,
        emoji: &'a str,
    },
    /// Who takes part has changed: the words that follow the sender's name.
    Notice {
        text: String,
    },
    /// A kind that this version does not know.
    Unknown {
        name: &'a str,
    },
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
    if let Some(name) = &what.within {
        // Not one of several.
        session.find(name)?;
    }
    let known: Vec<_> = session.device().client().conversations().collect();
    for view in known {
        tailing.begin(&mut session, view.id, &view.name, view.suite.is_some())?;
        tailing.print_new(&mut session, view.id)?;
    }
    while tailing.left != Some(0) {
        let shows = session.next().await?;
        tailing.follow(&mut session, &shows)?;
    }
    Ok(())
}

/// How far a conversation is printed.
struct Place {
    name: ConversationName,
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
    fn follow(&mut self, session: &mut Session, shows: &[Show]) -> Result<(), Failure> {
        for show in shows {
            match show {
                Show::Conversation(view) => {
                    self.begin(session, view.id, &view.name, view.suite.is_some())?;
                }
                Show::Message(Message { conversation, .. })
                | Show::Sent { conversation, .. }
                | Show::CaughtUp(conversation, _) => self.print_new(session, *conversation)?,
                Show::Left(id) => {
                    self.print_new(session, *id)?;
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
            Some(name) if self.places.is_empty() && !session.may_come(name) => {
                session.find(name)?.map(drop).ok_or_else(|| Session::not_there(name))
            }
            _ => Ok(()),
        }
    }

    /// Finds out from where on a conversation is to be printed.
    fn begin(
        &mut self,
        session: &mut Session,
        id: ConversationId,
        name: &ConversationName,
        is_encrypted: bool,
    ) -> Result<(), Failure> {
        if let Some(place) = self.places.get_mut(&id) {
            place.name.clone_from(name);
            return Ok(());
        }
        // Whoever makes another group of the name that is followed is not heard.
        let is_found = self.what.within.is_some() && !self.places.is_empty();
        let by_id = format!("+{id}");
        let is_meant = |wanted: &ConversationName| wanted == name || wanted.as_str() == by_id;
        if is_found || !self.what.within.as_ref().is_none_or(is_meant) {
            return Ok(());
        }
        let read = session.device().client().seen(id).map_or(0, |seen| seen.seq);
        // What this device has read of a channel so far, it has read. An encrypted conversation is read
        // by whatever command comes first.
        let read = if is_encrypted { 0 } else { read };
        let home = session.device_mut().home_mut();
        let remembered = match home.tailed(id)? {
            Some(remembered) => remembered,
            None => {
                home.set_tailed([(id, read)])?;
                read
            }
        };
        let printed = self.what.from.map_or(remembered, |from| from.saturating_sub(1));
        let counts = printed <= remembered;
        let name = name.clone();
        self.places.insert(id, Place { name, printed, remembered, counts });
        Ok(())
    }

    /// Prints what the home has up to where the log was read. What this device has said itself may lie
    /// there before the rest up to it does.
    fn print_new(&mut self, session: &mut Session, id: ConversationId) -> Result<(), Failure> {
        let read = self.read_up_to(session, id)?;
        while let Some(place) = self.places.get(&id) {
            if place.printed >= read || self.left == Some(0) {
                return Ok(());
            }
            let home = session.device().home();
            let mut page = home.messages_after(id, place.printed, PAGE)?;
            page.retain(|message| message.seq <= read);
            let ends = page.is_empty();
            let printed = page.iter().try_for_each(|message| self.print_one(message));
            if ends && let Some(place) = self.places.get_mut(&id) {
                place.printed = read;
            }
            self.remember(session)?;
            printed?;
        }
        Ok(())
    }

    /// Up to where this device has read a conversation. One with a guest has no log but the home's.
    fn read_up_to(&self, session: &Session, id: ConversationId) -> Result<u64, Failure> {
        let name = self.places.get(&id).map(|place| &place.name);
        if matches!(name, Some(ConversationName::Classic(_))) {
            let last = session.device().home().messages_before(id, u64::MAX, 1)?;
            return Ok(last.last().map_or(0, |message| message.seq));
        }
        Ok(session.device().client().seen(id).map_or(0, |seen| seen.seq))
    }

    fn print_one(&mut self, message: &Message) -> Result<(), Failure> {
        let Some(place) = self.places.get_mut(&message.conversation) else {
            return Ok(());
        };
        if self.left != Some(0) {
            output::line(&line(&place.name, message))?;
            self.left = self.left.map(|left| left - 1);
            place.printed = message.seq;
        }
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

fn line<'a>(name: &'a ConversationName, message: &'a Message) -> Line<'a> {
    let is_group = matches!(name, ConversationName::Group(_));
    Line {
        conversation: name,
        conversation_id: is_group.then_some(message.conversation),
        seq: message.seq,
        id: message.id,
        sender: &message.sender,
        guest: message.identity == IdentityState::Guest,
        device: message.device,
        sent_at: message.sent_at,
        what: what(&message.body),
        verified: message.identity != IdentityState::Changed,
        identity: output::identity(message.identity),
    }
}

fn what(body: &Body) -> What<'_> {
    match body {
        Body::Text { text, reply_to } => What::Text { text, reply_to: *reply_to },
        Body::Edit { target, text } => What::Edit { target: *target, text },
        Body::Delete { target } => What::Delete { target: *target },
        Body::Reaction { target, emoji } => What::Reaction { target: *target, emoji },
        Body::Notices(notices) => {
            let words: Vec<String> = notices.iter().map(ToString::to_string).collect();
            What::Notice { text: words.join("; ") }
        }
        Body::Offer(offered) => What::Notice { text: offered.to_string() },
        Body::Step(step) => What::Notice { text: step.to_string() },
        Body::Unknown(name) => What::Unknown { name },
    }
}
