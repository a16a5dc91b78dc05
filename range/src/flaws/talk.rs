//! What several lessons say and read: names, things that are said, and frames of the chat's protocol.

use super::Lost;
use crate::hands::Hands;
use crate::world::{Cue, Decision, Held, Person};
pub(super) use crate::world::{channel, user};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_client_core::{Command, Message, Saying, Show};
use portcullis_proto::ConversationName;
use serde_json::Value;

/// The message that somebody sees.
pub(super) const fn message(cue: &Cue) -> Option<&Message> {
    match cue {
        Cue::Show(Show::Message(message)) => Some(message),
        _ => None,
    }
}

/// Says this where a person finds a conversation of that name; nothing where they find none.
pub(super) fn say(person: &Person, place: &str, what: Saying) -> Vec<Command> {
    let place = ConversationName::parse(place).ok().and_then(|name| person.find(&name));
    let say = place.map(|conversation| Command::Say { conversation, what });
    say.into_iter().collect()
}

/// The same, for a text.
pub(super) fn say_text(person: &Person, place: &str, text: &str) -> Vec<Command> {
    say(person, place, Saying::Text(text.to_owned()))
}

/// The frames that passed from one to the other, the oldest first.
pub(super) fn passed(hands: &mut Hands<'_>, from: &str, to: &str) -> Vec<Value> {
    let all = hands.overheard().into_iter();
    all.filter(|heard| heard.from == from && heard.to == to).map(|heard| heard.frame).collect()
}

/// What is signed in an envelope of a channel: JSON after 64 bytes of signature.
pub(super) fn signed(envelope: &Value) -> Option<Value> {
    let body = STANDARD.decode(envelope["body"].as_str()?).ok()?;
    serde_json::from_slice(body.get(64..)?).ok()
}

/// Something that was to be found.
pub(super) fn found<T>(thing: Option<T>, tried: &'static str) -> Result<T, Lost> {
    thing.ok_or_else(|| Lost::new(tried, "it is not there"))
}

/// A frame that is held, as JSON.
pub(super) fn parsed(held: &Held) -> Option<Value> {
    serde_json::from_str(&held.text).ok()
}

/// This frame goes on in the place of another.
pub(super) fn replace(frame: &Value) -> Option<Vec<String>> {
    Some(vec![frame.to_string()])
}

/// Decides on all frames that are held, and on those that follow within a few seconds: what goes on in
/// their place, or nothing for those that go on as they are.
pub(super) fn steer(
    hands: &mut Hands<'_>,
    mut rule: impl FnMut(&Held) -> Option<Vec<String>>,
) -> Result<(), Lost> {
    let mut left = 0..STEERED;
    for _ in 0..SECONDS {
        while let Some(held) = hands.held().into_iter().next() {
            if left.next().is_none() {
                return Err(Lost::new("steering the wire", "it does not come to rest"));
            }
            let decision = rule(&held).map_or(Decision::Pass, Decision::Replace);
            hands.decide(held.id, decision)?;
        }
        hands.wait(1)?;
    }
    Ok(())
}

/// Seconds that it waits for more: clients go on with what waits as time passes.
const SECONDS: u32 = 3;

/// Frames that an exploit decides on at most.
const STEERED: usize = 2_000;
