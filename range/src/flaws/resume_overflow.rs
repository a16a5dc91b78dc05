//! NO SECURITY. `resume-overflow`: an offset and a length are added up, and the sum wraps.

use super::talk::found;
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::plane::{Flag, Secrets};
use crate::shelf::{Shelf, Slot, Span};
use crate::world::{Line, Stage, WorldError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "resume-overflow",
    title: "Four billion and one is one",
    difficulty: 4,
    cwe: 190,
    precedent: "CVE-2017-7529 (nginx: a range whose sum wrapped gave out what lay before a file); CVE-2024-12084 (rsync: a \
                length that was believed)",
    role: Role::User,
    solve: Solve::Flag,
    story: "The server keeps files for people to fetch in pieces, on a shelf: one buffer in which they stand side by side. \
            Yours is called report. Oleg's diary stands before it, and a copy of it behind; there is a flag in each. \
            {\"id\":1,\"request\":\"shelf\",\"data\":{}} says how long yours is, and {\"id\":2,\"request\":\"resume\",\"data\":\
            {\"file\":\"report\",\"offset\":0,\"length\":10}} gives you its first ten bytes.",
    hints: [
        "Ask for a piece that goes one byte beyond the end of your report, then for the largest numbers that the server \
         takes for `offset` and `length`. What does it refuse, and what does it say then?",
        "A number of 32 bits goes round: after 4,294,967,295 comes 0. Whether an end lies within something can only be \
         asked of an end that was computed without that.",
        "The server compares `offset` + `length` with the length of the file. Which offsets make that sum small again, \
         and where does it begin to read then?",
        "To read the 200 bytes before your file, ask for `offset` 4294967296 - 200 and `length` 200: the sum is 0. Then \
         decode the base64, and look for a flag; vary the 200, but not beyond what stands there.",
    ],
    aftermath: "Whoever has a file beside yours: diaries, keys, what others have just uploaded. On the wire an `offset` of \
                four billion stands beside a file of some hundred bytes; a server that counts refusals never sees it.",
    sound: Source { file: include_str!("../shelf.rs"), function: "within" },
    file: include_str!("resume_overflow.rs"),
    unsound: "going_round",
    put: |twins| twins.resume = going_round,
    fixes: &[
        Fix {
            idea: "a piece may not be longer than the file",
            put: |twins| twins.resume = short_pieces,
            function: "short_pieces",
            fate: Fate::Beaten("a short piece from before the file is short as well", exploit),
        },
        Fix {
            idea: "a piece may not begin behind the end of the file",
            put: |twins| twins.resume = early_offsets,
            function: "early_offsets",
            fate: Fate::Beaten(
                "from within the file on, a length of four billion makes the sum small again, and gives out what is behind",
                forwards,
            ),
        },
        Fix {
            idea: "pieces are given out from the beginning only",
            put: |twins| twins.resume = from_the_start,
            function: "from_the_start",
            fate: Fate::Breaks("whoever was interrupted can't go on, which is what pieces are for"),
        },
        Fix::sound("where the end can't be computed there is no piece"),
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 35] = *b"portcullis-range/v1/resume-overflow";

/// What ends within the file, by a sum that goes round.
fn going_round(slot: Slot, offset: u32, length: u32) -> Option<Span> {
    let end = offset.wrapping_add(length);
    if end > slot.length {
        return None;
    }
    let from = slot.start.wrapping_add(offset);
    Some(Span { from, length })
}

/// The same, for pieces no longer than the file.
fn short_pieces(slot: Slot, offset: u32, length: u32) -> Option<Span> {
    if length > slot.length {
        return None;
    }
    going_round(slot, offset, length)
}

/// The same, for pieces that begin before the file's end.
fn early_offsets(slot: Slot, offset: u32, length: u32) -> Option<Span> {
    if offset > slot.length {
        return None;
    }
    going_round(slot, offset, length)
}

/// The same, for pieces that begin where the file does.
fn from_the_start(slot: Slot, offset: u32, length: u32) -> Option<Span> {
    if offset != 0 {
        return None;
    }
    going_round(slot, offset, length)
}

/// Of other lengths in each world, the report the longest.
fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    let days = "rain again. ".repeat(2 + usize::try_from(secrets.below("days", 12)).unwrap_or(0));
    let diary = format!("Dear diary, {days}I hid it: {} . Good night.\n", secrets.flag);
    let lines = 30 + usize::try_from(secrets.below("lines", 20)).unwrap_or(0);
    let mut shelf = Shelf::default();
    shelf.put(None, diary.as_bytes());
    shelf.put(Some("report"), "Nothing to report.\n".repeat(lines).as_bytes());
    shelf.put(None, diary.as_bytes());
    stage.shelf(shelf);
    Ok(())
}

/// Reads what stands before the file: more of it each time, until there is a flag in it.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let line = hands.session()?;
    for back in (40..=400).step_by(10) {
        let piece = piece(hands, line, u32::MAX - back + 1, back)?;
        if let Some(flag) = flag(&piece) {
            return Ok(Some(flag));
        }
    }
    Err(Lost::new("reading what stands before the report", "there is no flag in it"))
}

/// Reads what stands behind it.
fn forwards(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let line = hands.session()?;
    let piece = piece(hands, line, 1, u32::MAX)?;
    Ok(Some(found(flag(&piece), "looking for a flag behind the report")?))
}

fn piece(hands: &mut Hands<'_>, line: Line, offset: u32, length: u32) -> Result<String, Lost> {
    let asked = json!({"file": "report", "offset": offset, "length": length});
    let piece = hands.ask(line, "resume", &asked)?;
    let bytes = piece["bytes"].as_str().and_then(|bytes| STANDARD.decode(bytes).ok());
    Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
}

fn flag(text: &str) -> Option<String> {
    let mut words = text.split_whitespace();
    words.find(|word| word.len() == 23 && Flag::parse(word).is_some()).map(str::to_owned)
}

/// A file comes in pieces, and goes on where it was interrupted.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let line = hands.session()?;
    let listed = hands.ask(line, "shelf", &json!({}))?;
    let bytes = listed["files"][0]["bytes"].as_u64().and_then(|bytes| u32::try_from(bytes).ok());
    let bytes = found(bytes, "asking how long the report is")?;
    let first = piece(hands, line, 0, 10)?;
    let rest = piece(hands, line, 10, bytes - 10)?;
    let whole = first + &rest;
    let asked = json!({"file": "report", "offset": bytes, "length": 1});
    let beyond: Result<Value, Lost> = hands.ask(line, "resume", &asked);
    if whole.lines().all(|line| line == "Nothing to report.") && beyond.is_err() {
        return Ok(());
    }
    Err(Lost::new("fetching the report in pieces", whole))
}
