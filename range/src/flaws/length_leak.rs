//! NO SECURITY. `length-leak`: texts are encrypted as long as they are, so a known answer is told by its size.

use super::at_desk::{at, idle, posts, question, was_read};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue};
use crate::plane::Secrets;
use crate::world::{Stage, WorldError};
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "length-leak",
    title: "Eight envelopes of eight sizes",
    difficulty: 2,
    cwe: 203,
    precedent: "Coull and Dyer 2014: what is typed in iMessage is told by the sizes of its encrypted messages",
    role: Role::Network,
    solve: Solve::Answer(answer),
    story: "Oleg has asked Mira ten things, and each time she has touched one of the eight answers that her client \
            offers (ask her for \"help\": it lists them, 0 to 7). You are on the network, see the ten sealed answers \
            at #answers, and have no key. Submit the ten numbers, with spaces between them.",
    hints: [
        "Fetch `posts` from the desk, decode each body, and write down how long it is.",
        "Encryption hides what a text says, and not how long it is: that has to be hidden by itself.",
        "AES-GCM makes every text longer by the same 16 bytes, and the sender adds one byte where the text ends.",
        "For each body: the longest of the answers a with len(a) + 1 + 16 <= len(body) is the one that was sent.",
    ],
    aftermath: "Oleg and Mira, though nobody has opened anything. Nobody could notice: whoever listens sends nothing. On \
                the wire, bodies of many different lengths are the sign that this can be done.",
    sound: Source { file: include_str!("../lesson/suite.rs"), function: "pad" },
    file: include_str!("length_leak.rs"),
    unsound: "as_long_as_it_is",
    put: |twins| twins.lesson.pad = as_long_as_it_is,
    fixes: &[
        Fix::sound("every text is filled up to the next multiple of 256 bytes"),
        Fix {
            idea: "texts are filled up to whole blocks of the cipher, 16 bytes",
            put: |twins| twins.lesson.pad = whole_blocks,
            function: "whole_blocks",
            fate: Fate::Beaten("each of the eight still fills another number of blocks", exploit),
        },
        Fix {
            idea: "up to 15 bytes more, and how many differs from text to text",
            put: |twins| twins.lesson.pad = some_more,
            function: "some_more",
            fate: Fate::Beaten("the sizes lie further from each other than that", exploit),
        },
        Fix {
            idea: "every text is made exactly 64 bytes long",
            put: |twins| twins.lesson.pad = always_64,
            function: "always_64",
            fate: Fate::Breaks("what is longer arrives without its end"),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 31] = *b"portcullis-range/v1/length-leak";

/// What Mira's client offers.
const ANSWERS: [&str; 8] = [
    "yes",
    "not today, I am afraid",
    "no, and please do not ask me that again",
    "I am on my way and shall be there in half an hour, wait",
    "it is in the drawer under the window, behind the old maps of the harbour",
    "ask the doctor first, and tell nobody else in the house before she has given you an answer",
    "sell all of it before noon, the papers as well, and burn the letter that came with them only yesterday evening",
    "meet me at the bridge at nine, bring the passports and both keys, and if I am not there by ten then go without me, both of you",
];

/// How often Mira answers.
const ROUNDS: u32 = 10;

/// Marks where the text ends, and adds nothing: a byte more would be a byte more to send.
fn as_long_as_it_is(text: &[u8]) -> Vec<u8> {
    let mut padded = text.to_vec();
    padded.push(0x80);
    padded
}

/// Fills a text up to whole blocks.
fn whole_blocks(text: &[u8]) -> Vec<u8> {
    let mut padded = as_long_as_it_is(text);
    padded.resize(padded.len().next_multiple_of(16), 0);
    padded
}

/// Adds up to 15 bytes, by what the text is.
fn some_more(text: &[u8]) -> Vec<u8> {
    let mut padded = as_long_as_it_is(text);
    let more = text.iter().fold(7_u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte));
    padded.resize(padded.len() + usize::from(more % 16), 0);
    padded
}

/// Makes every text 64 bytes long.
fn always_64(text: &[u8]) -> Vec<u8> {
    let mut padded = as_long_as_it_is(text.get(..63).unwrap_or(text));
    padded.resize(64, 0);
    padded
}

fn choice(secrets: &Secrets, round: u32) -> u32 {
    secrets.below(&format!("answer {round}"), 8)
}

fn text_of(choice: u32) -> &'static str {
    let choice = usize::try_from(choice).ok();
    choice.and_then(|choice| ANSWERS.get(choice)).copied().unwrap_or_default()
}

fn answer(secrets: &Secrets) -> String {
    let choices = (0..ROUNDS).map(|round| choice(secrets, round).to_string());
    choices.collect::<Vec<_>>().join(" ")
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", mira)?;
    stage.actor("oleg", idle)?;
    stage.share(&["#answers"], &["mira", "oleg"])?;
    for round in 0..ROUNDS {
        for act in at("#answers", text_of(choice(secrets, round)), Act::Say) {
            stage.acts("mira", act)?;
        }
    }
    Ok(())
}

/// Mira's client lists what it offers, and she answers a farewell.
fn mira(_: &Actor, cue: &Cue, _: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Asked(text) if text == "help" => {
            let rows = ANSWERS.iter().enumerate();
            let rows = rows.map(|(number, text)| format!("{number}: {text}"));
            vec![Act::Answer(rows.collect::<Vec<_>>().join("\n"))]
        }
        Cue::Asked(text) if text == "good night" => at("#answers", text_of(7), Act::Say),
        _ => Vec::new(),
    }
}

/// Measures the bodies, and compares them with what Mira's client offers.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let ask = json!({"to": "mira", "text": "help"});
    hands.send(desk, &json!({"id": 1, "request": "ask", "data": ask}).to_string())?;
    let heard = hands.hear(desk);
    let list = heard.iter().find_map(|frame| frame["data"]["text"].as_str());
    let list = list.ok_or_else(|| Lost::new("asking Mira for help", "no answer"))?;
    let listed = posts(hands, desk)?;
    let lengths: Vec<usize> = list
        .lines()
        .filter_map(|row| row.split_once(": "))
        .map(|(_, text)| text.len() + 1 + 16)
        .collect();
    let told = listed.iter().take(10).map(|sealed| {
        let length = sealed.body.as_slice().len();
        lengths.iter().rposition(|known| *known <= length).unwrap_or_default().to_string()
    });
    Ok(Some(told.collect::<Vec<_>>().join(" ")))
}

/// Oleg reads the whole answer, however long.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    question(hands, desk, "mira", "good night")?;
    was_read(hands, "oleg", ("mira", "#answers", text_of(7)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::twins::SOUND;
    use std::collections::BTreeSet;

    #[test]
    fn the_answers_can_be_told_apart_as_the_fixes_say() {
        let blocks: BTreeSet<_> =
            ANSWERS.iter().map(|text| whole_blocks(text.as_bytes()).len()).collect();
        assert_eq!(blocks.len(), ANSWERS.len());
        assert!(ANSWERS.is_sorted_by_key(|text| text.len()));
        for (one, next) in ANSWERS.iter().zip(ANSWERS.iter().skip(1)) {
            assert!(next.len() >= one.len() + 16, "{one} and {next}");
        }
        let longest = ANSWERS.map(|text| (SOUND.lesson.pad)(text.as_bytes()).len());
        assert_eq!(longest, [256; 8]);
    }
}
