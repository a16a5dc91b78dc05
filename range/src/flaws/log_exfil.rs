//! NO SECURITY. `log-exfil`: what names a line of the log is the text that the line must not hold.

use super::at_desk::{flag_of, idle};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Entry};
use crate::plane::Secrets;
use crate::world::{Stage, WorldError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "log-exfil",
    title: "The log that keeps a diary",
    difficulty: 1,
    cwe: 532,
    precedent: "CVE-2022-32217 (Rocket.Chat: tokens in the log), CVE-2023-5339 (Mattermost: keystrokes in the log)",
    role: Role::User,
    solve: Solve::Flag,
    story: "Letters to the desk's operator (`write`) go into a drawer that nobody else can open. The desk keeps a log \
            (`log`), which anybody may read: it says that a letter came and not what was in it, and names each line by a \
            trace, so that one can ask about it. Mira has written a letter, with a flag in it.",
    hints: [
        "Write a letter of one letter, and a long one, and compare their traces.",
        "A log is read by more people than what it tells of. Nothing of a secret may go into it, in any form.",
        "The trace is made of letters, digits and a few signs, and is longer the longer the letter is. Which encoding is that?",
        "Ask for `log`, take what stands after `trace=`, and decode it: base64.b64decode(trace).",
    ],
    aftermath: "Everybody who ever wrote to the operator, and whoever the log was sent on to. On the wire nothing is odd; in \
                the log, traces of many lengths are the sign.",
    sound: Source { file: include_str!("../lesson/books.rs"), function: "trace" },
    file: include_str!("log_exfil.rs"),
    unsound: "of_the_text",
    put: |twins| twins.lesson.trace = of_the_text,
    fixes: &[
        Fix::sound("the trace is made from the number of the line, with a key of the desk's own"),
        Fix {
            idea: "the text is masked before it is encoded",
            put: |twins| twins.lesson.trace = masked,
            function: "masked",
            fate: Fate::Beaten("one letter of your own shows the mask", unmask),
        },
        Fix {
            idea: "the trace is cut to 48 signs",
            put: |twins| twins.lesson.trace = cut,
            function: "cut",
            fate: Fate::Beaten("36 bytes are enough to give away much", exploit),
        },
        Fix {
            idea: "lines have no trace",
            put: |twins| twins.lesson.trace = none,
            function: "none",
            fate: Fate::Breaks("nobody can say any more which line they ask about"),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 29] = *b"portcullis-range/v1/log-exfil";

/// The text, encoded: it differs from letter to letter, and nobody can read it at a glance.
/// It is handy as well when something has to be looked into.
fn of_the_text(entry: &Entry<'_>) -> String {
    STANDARD.encode(entry.text)
}

/// The text, masked and encoded.
fn masked(entry: &Entry<'_>) -> String {
    let bytes: Vec<u8> = entry.text.bytes().map(|byte| byte ^ 0x5c).collect();
    STANDARD.encode(bytes)
}

/// The text, encoded and cut.
fn cut(entry: &Entry<'_>) -> String {
    let trace = of_the_text(entry);
    trace.get(..48).map_or(trace.clone(), str::to_owned)
}

/// Nothing.
fn none(_: &Entry<'_>) -> String {
    "-".to_owned()
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", idle)?;
    let letter = format!("keep {} for me, in your drawer, until I come for it", secrets.flag);
    stage.acts("mira", Act::Write(letter))
}

/// Decodes the traces.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    look(hands, 0)
}

/// Writes a letter of one letter first, which shows the mask.
fn unmask(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let trace = hands.ask(desk, "write", &json!({"text": "A"}))?;
    let byte = trace["trace"].as_str().and_then(|trace| STANDARD.decode(trace).ok());
    let byte = byte.and_then(|bytes| bytes.first().copied());
    look(hands, byte.ok_or_else(|| Lost::new("a letter of my own", trace))? ^ b'A')
}

fn look(hands: &mut Hands<'_>, mask: u8) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let log = hands.ask(desk, "log", &json!({}))?;
    let lines = log["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    let traces = lines.iter().filter_map(|line| line.as_str()?.split_once("trace="));
    let mut texts = traces.filter_map(|(_, trace)| {
        let bytes = STANDARD.decode(trace).ok()?;
        Some(bytes.iter().map(|byte| char::from(byte ^ mask)).collect::<String>())
    });
    let flag = texts.find_map(|text| flag_of(&text));
    flag.map(Some).ok_or_else(|| Lost::new("decoding the traces", "there is no flag in them"))
}

/// Whoever has written a letter finds their own line again.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    let mut traces = Vec::new();
    for text in ["the lamp on the stairs is broken", "and the one in the hall"] {
        let written = hands.ask(desk, "write", &json!({"text": text}))?;
        traces.push(written["trace"].as_str().unwrap_or_default().to_owned());
    }
    let log = hands.ask(desk, "log", &json!({}))?;
    let lines = log["lines"].as_array().map(Vec::as_slice).unwrap_or_default();
    for trace in traces {
        let ends = format!("trace={trace}");
        let own =
            lines.iter().filter(|line| line.as_str().is_some_and(|line| line.ends_with(&ends)));
        let count = own.count();
        if count != 1 {
            return Err(Lost::new("finding my line in the log", format!("{count} are named so")));
        }
    }
    Ok(())
}
