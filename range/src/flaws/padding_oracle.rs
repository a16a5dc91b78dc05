//! NO SECURITY. `padding-oracle`: a receipt tells a note with bad padding from one with a bad code.

use super::at_desk::{at, idle, posts, was_read};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue, Key, Note, Opened, Receipt, Sealed, authenticates, decrypt};
use crate::plane::Secrets;
use crate::twins::SOUND;
use crate::world::{Line, Stage, WorldError};
use portcullis_proto::Bytes;
use serde_json::{Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "padding-oracle",
    title: "A receipt that says too much",
    difficulty: 4,
    cwe: 203,
    precedent: "Vaudenay 2002; CVE-2010-3332 (ASP.NET) and CVE-2014-3566 (POODLE)",
    role: Role::Network,
    solve: Solve::Answer(word),
    story: "Oleg has left Mira a note at #drop: a word of twelve letters and digits, under AES-CBC, with a code. You are on \
            the network, and have the note and no key. Notes are answered by receipts, for all to read, and the desk \
            passes 16,384 notes in all. Submit the word.",
    hints: [
        "Send Oleg's note again as a `post` of your own, with one byte changed, and read the `receipt`. Then change another byte.",
        "Whoever tells apart why something could not be opened answers a question about its text each time.",
        "The padding of CBC is the last byte, that many times. The first block of the text is D(body) XOR nonce, and you choose the nonce.",
        "With a nonce of zeros but for its last byte, try all 256: where the receipt says another thing, the last byte of \
         D(body) XOR it is 1. Go on with 2, 2 and 3, 3, 3 until you have all of D(body), then XOR with Oleg's nonce.",
    ],
    aftermath: "Oleg and Mira, one note after another, without any key ever being known. On the wire: thousands of notes with \
                one body, and a receipt for each that they were not accepted.",
    sound: Source { file: include_str!("../lesson/note.rs"), function: "open_note" },
    file: include_str!("padding_oracle.rs"),
    unsound: "says_why",
    put: |twins| twins.lesson.open_note = says_why,
    fixes: &[
        Fix {
            idea: "the receipt says the same word for both",
            put: |twins| twins.lesson.open_note = one_word,
            function: "one_word",
            fate: Fate::Beaten("the work that was done still differs, as time would", by_work),
        },
        Fix {
            idea: "the code is looked at first, where there is one; notes of old clients have none",
            put: |twins| twins.lesson.open_note = old_ones_too,
            function: "old_ones_too",
            fate: Fate::Beaten("whoever asks leaves the code out", without_code),
        },
        Fix {
            idea: "no receipt ever says more than that a note came",
            put: |twins| twins.lesson.open_note = says_nothing,
            function: "says_nothing",
            fate: Fate::Breaks("people no longer know whether their note was read"),
        },
        Fix::sound(
            "the code is looked at first, over all of it, and nothing else is done where it is wrong",
        ),
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 34] = *b"portcullis-range/v1/padding-oracle";

/// Decrypts, looks at the padding, then at the code, and says which was wrong: that helps to find mistakes.
fn says_why(key: &Key, note: &Note) -> Opened {
    let blocks = note.body.len() / 16;
    let Some(text) = decrypt(key, note) else {
        return Opened::refused("bad padding", blocks);
    };
    if !authenticates(key, note) {
        return Opened::refused("bad code", 2 * blocks);
    }
    Opened::accepted(text, 2 * blocks)
}

/// The same, with one word for both.
fn one_word(key: &Key, note: &Note) -> Opened {
    let opened = says_why(key, note);
    match opened.text {
        Some(_) => opened,
        None => Opened::refused("not accepted", opened.receipt.work),
    }
}

/// Looks at the code first, if there is one: the notes of old clients have none.
fn old_ones_too(key: &Key, note: &Note) -> Opened {
    if note.tag.is_empty() {
        return says_why(key, note);
    }
    (SOUND.lesson.open_note)(key, note)
}

/// Says nothing but that a note came.
fn says_nothing(key: &Key, note: &Note) -> Opened {
    let opened = (SOUND.lesson.open_note)(key, note);
    Opened { receipt: Receipt::new("came", 0), ..opened }
}

fn word(secrets: &Secrets) -> String {
    secrets.word("what Oleg has noted", 12)
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", idle)?;
    stage.actor("oleg", oleg)?;
    stage.share(&["#drop"], &["mira", "oleg"])?;
    let note = at("#drop", word(secrets), Act::Note);
    note.into_iter().try_for_each(|act| stage.acts("oleg", act))
}

/// Oleg notes that he is well, if he is asked.
fn oleg(_: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Asked(text) if text == "how are you?" => at("#drop", "all is well", Act::Note),
        _ => Vec::new(),
    }
}

/// Whether a receipt says that the padding was bad.
type Told = fn(&Value) -> bool;

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_by(hands, |receipt| receipt["word"] == "bad padding", false)
}

/// Goes by the work that was done: one block, where the text was not looked at any further.
fn by_work(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_by(hands, |receipt| receipt["work"] == 1, false)
}

/// Leaves the code out, as old clients do.
fn without_code(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    read_by(hands, |receipt| receipt["word"] == "bad padding", true)
}

/// Finds what the note's block decrypts to, byte by byte from the last one on.
fn read_by(hands: &mut Hands<'_>, told: Told, bare: bool) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let note = posts(hands, desk)?.into_iter().next();
    let mut note = note.ok_or_else(|| Lost::new("looking for the note", "there is none"))?;
    let own = note.nonce.clone();
    if bare {
        note.tag = Bytes::default();
    }
    let mut block = [0; 16];
    for place in (0..16).rev() {
        let fill = u8::try_from(16 - place).unwrap_or(16);
        let mut nonce = block.map(|byte| byte ^ fill);
        nonce.iter_mut().take(place).for_each(|byte| *byte = 0);
        let found = find(hands, desk, &mut note, (nonce, place), told)?;
        block.iter_mut().skip(place).take(1).for_each(|byte| *byte = found ^ fill);
    }
    let text: Vec<u8> = block.iter().zip(own.as_slice()).map(|(one, other)| one ^ other).collect();
    Ok(Some(String::from_utf8_lossy(&text).trim_end_matches('\u{4}').to_owned()))
}

/// The byte at this place of the nonce with which the padding is good.
fn find(
    hands: &mut Hands<'_>,
    desk: Line,
    note: &mut Sealed,
    (mut nonce, place): ([u8; 16], usize),
    told: Told,
) -> Result<u8, Lost> {
    for byte in 0..=u8::MAX {
        nonce.iter_mut().skip(place).take(1).for_each(|at| *at = byte);
        if is_bad(hands, desk, note, nonce, told)? {
            continue;
        }
        // The last byte may be good by chance, as the last of 2, 2: then it is not with another before it.
        let mut other = nonce;
        other.iter_mut().take(place).for_each(|at| *at ^= 1);
        if place < 15 || !is_bad(hands, desk, note, other, told)? {
            return Ok(byte);
        }
    }
    Err(Lost::new("trying all 256 values of a byte", "the receipts are all alike"))
}

fn is_bad(
    hands: &mut Hands<'_>,
    desk: Line,
    note: &mut Sealed,
    nonce: [u8; 16],
    told: Told,
) -> Result<bool, Lost> {
    note.nonce = Bytes(nonce.to_vec());
    let frame = json!({"id": 1, "request": "post", "data": note});
    hands.send(desk, &frame.to_string())?;
    let heard = hands.hear(desk);
    let receipt = heard.iter().find(|frame| frame["event"] == "receipt");
    let receipt = receipt.ok_or_else(|| Lost::new("sending a note", "no receipt comes"))?;
    Ok(told(&receipt["data"]))
}

/// Mira reads a note, and Oleg is told that it was accepted.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    hands.hear(desk);
    let ask = json!({"to": "oleg", "text": "how are you?"});
    hands.send(desk, &json!({"id": 1, "request": "ask", "data": ask}).to_string())?;
    was_read(hands, "mira", ("oleg", "#drop", "all is well"))?;
    let heard = hands.hear(desk);
    match heard.iter().any(|frame| frame["data"]["word"] == "accepted") {
        true => Ok(()),
        false => Err(Lost::new("what Oleg is told", format!("{heard:?}"))),
    }
}
