//! NO SECURITY. `stale-member`: whoever is removed from a group still knows its key.

use super::at_desk::{at, flag_of, idle, place, posts, question, user, was_read};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::{Hands, YOU};
use crate::lesson::{Act, Actor, Cue, Key, Removal, bound, open_word, unpad};
use crate::plane::Secrets;
use crate::world::{Stage, WorldError};
use portcullis_proto::Bytes;
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "stale-member",
    title: "Shown out, with the key in the pocket",
    difficulty: 2,
    cwe: 324,
    precedent: "Roesler, Mainka and Schwenk 2017 (eprint 2017/713): groups of messengers and those who have left them",
    role: Role::Member,
    solve: Solve::Flag,
    story: "You were in Mira's group, #attic, under AES-GCM, and your client still holds its key (ask the desk's connection \
            for `keys`: your own client answers). Mira has removed you, and told Oleg a flag since. The desk gives what it \
            passes to anybody who asks.",
    hints: [
        "Fetch `posts`. You still get all of #attic: which of the words in it can you open?",
        "Being removed must mean something to the encryption. A list of members keeps nobody from decrypting.",
        "The nonce stands before you, the key is the one of `keys`, and the additional data are kind, sender and place, \
         each behind its length as 8 bytes, big-endian.",
        "AESGCM(key).decrypt(nonce, body, aad) for the last word of `posts`, with \
         aad = b\"\".join(len(p).to_bytes(8, \"big\") + p for p in (b\"word\", b\"mira\", b\"#attic\")).",
    ],
    aftermath: "Everybody in the group, from the removal on, for as long as they talk. On the wire: a member was removed, \
                and no frame of the kind `key` went out, or it went out and was of no use.",
    sound: Source { file: include_str!("../lesson/suite.rs"), function: "next_key" },
    file: include_str!("stale_member.rs"),
    unsound: "same_key",
    put: |twins| twins.lesson.next_key = same_key,
    fixes: &[
        Fix::sound("a key that nobody knows is made, and given to those who stay"),
        Fix {
            idea: "the next key is derived from the last one and its number",
            put: |twins| twins.lesson.next_key = turned_on,
            function: "turned_on",
            fate: Fate::Beaten(
                "whoever knows the last one derives the next one as well",
                derive_on,
            ),
        },
        Fix {
            idea: "the next key is derived from the last one and the names of those who stay",
            put: |twins| twins.lesson.next_key = of_those_who_stay,
            function: "of_those_who_stay",
            fate: Fate::Beaten("whoever has left knows who has not", derive_of_names),
        },
        Fix {
            idea: "once only one is left with whoever removes, the key stays: there is nobody to keep out",
            put: |twins| twins.lesson.next_key = if_three_stay,
            function: "if_three_stay",
            fate: Fate::Beaten("the one to keep out is the one who has left", exploit),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 32] = *b"portcullis-range/v1/stale-member";

/// The key that the group has: it works, and the list of members says who is in.
/// No message about keys has to be sent to anybody.
fn same_key(removal: &Removal) -> Key {
    removal.old.clone()
}

/// A key derived from the last one.
fn turned_on(removal: &Removal) -> Key {
    removal.old.derive(&removal.epoch.to_be_bytes())
}

/// A key derived from the last one and from who stays.
fn of_those_who_stay(removal: &Removal) -> Key {
    let names: Vec<&str> = removal.remaining.iter().map(|name| name.as_str()).collect();
    removal.old.derive(names.join(" ").as_bytes())
}

/// A fresh key, if it is for three or more.
fn if_three_stay(removal: &Removal) -> Key {
    if removal.remaining.len() < 3 {
        return removal.old.clone();
    }
    removal.fresh.derive(&removal.epoch.to_be_bytes())
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", mira)?;
    stage.actor("oleg", idle)?;
    stage.share(&["#attic"], &["mira", "oleg", YOU])?;
    let attic = place("#attic")?;
    stage.acts("mira", Act::Say(attic.clone(), "welcome to the attic, both".to_owned()))?;
    stage.acts("mira", Act::Remove(attic.clone(), user(YOU)?))?;
    let told = format!("just for us, Oleg: {}", secrets.flag);
    stage.acts("mira", Act::Say(attic, told))
}

/// Mira greets the attic if she is greeted.
fn mira(_: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Asked(text) if text == "good evening" => at("#attic", "good evening, Oleg", Act::Say),
        _ => Vec::new(),
    }
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_on(hands, Key::clone)
}

/// Derives the next key from the old one and its number.
fn derive_on(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_on(hands, |old| old.derive(&2_u64.to_be_bytes()))
}

/// Derives the next key from the old one and the names of those who stay.
fn derive_of_names(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_on(hands, |old| old.derive(b"mira oleg"))
}

/// Opens the last message with a key made of the one that the learner's client still holds.
fn read_on(hands: &mut Hands<'_>, next: fn(&Key) -> Key) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let keys = hands.ask(desk, "keys", &json!({}))?;
    let old = keys["#attic"].as_str().and_then(Bytes::from_base64);
    let old = old.and_then(|bytes| bytes.as_slice().try_into().ok()).map(Key::from_bytes);
    let old = old.ok_or_else(|| Lost::new("looking for my key of #attic", &keys))?;
    let last = posts(hands, desk)?.pop();
    let last = last.ok_or_else(|| Lost::new("reading on", "nothing was passed"))?;
    let nonce = last.nonce.as_slice().try_into().ok();
    let text = nonce.and_then(|nonce| {
        open_word(&next(&old), &nonce, &bound(&last.header()), last.body.as_slice())
    });
    let text = text.ok_or_else(|| Lost::new("opening the last word", "it is under another key"))?;
    let text = unpad(&text).map(String::from_utf8_lossy);
    let flag = text.and_then(|text| flag_of(&text));
    flag.map(Some).ok_or_else(|| Lost::new("reading the last word", "there is no flag in it"))
}

/// Those who stay read each other.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    question(hands, desk, "mira", "good evening")?;
    was_read(hands, "oleg", ("mira", "#attic", "good evening, Oleg"))
}
