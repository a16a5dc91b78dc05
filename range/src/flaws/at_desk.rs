//! What the exploits and honest uses at the lesson's desk have in common.

use super::Lost;
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue, Sealed};
use crate::plane::{Flag, Secrets};
use crate::world::Line;
pub(super) use crate::world::{channel as place, user};
use portcullis_proto::ChannelName;
use serde_json::json;

/// Nobody of the lesson does anything by themselves.
pub(super) const fn idle(_: &Actor, _: &Cue, _: &Secrets) -> Vec<Act> {
    Vec::new()
}

/// One act at a place; none where the place has no such name.
pub(super) fn at(
    name: &str,
    text: impl Into<String>,
    act: fn(ChannelName, String) -> Act,
) -> Vec<Act> {
    place(name).map(|place| act(place, text.into())).into_iter().collect()
}

/// The sealed messages that the desk has passed, the oldest first.
pub(super) fn posts(hands: &mut Hands<'_>, desk: Line) -> Result<Vec<Sealed>, Lost> {
    let page = hands.ask(desk, "posts", &json!({"after": 0}))?;
    let posts = page["posts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let read = posts.iter().map(|post| serde_json::from_value(post["message"].clone()));
    read.collect::<Result<_, _>>().map_err(|error| Lost::new("reading what was passed", error))
}

/// Asks somebody something in the open. What they answer in the open is not waited for.
pub(super) fn question(
    hands: &mut Hands<'_>,
    desk: Line,
    to: &str,
    text: &str,
) -> Result<(), Lost> {
    hands.ask(desk, "ask", &json!({"to": to, "text": text})).map(drop)
}

/// Whether somebody has read this, from this sender at this place.
pub(super) fn was_read(
    hands: &mut Hands<'_>,
    by: &str,
    (sender, place, text): (&str, &str, &str),
) -> Result<(), Lost> {
    let read = hands.read_by(by);
    let row = (sender.to_owned(), place.to_owned(), text.to_owned());
    match read.contains(&row) {
        true => Ok(()),
        false => Err(Lost::new("what somebody was to read", format!("is not among {read:?}"))),
    }
}

/// The flag that stands somewhere in a text.
pub(super) fn flag_of(text: &str) -> Option<String> {
    let mut words = text.split(' ');
    words.find(|word| word.len() == 23 && Flag::parse(word).is_some()).map(str::to_owned)
}
