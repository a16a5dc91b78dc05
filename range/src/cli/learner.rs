//! The learner's verbs: ask, and print what comes as plain text.

use super::Where;
use super::ask::{Range, make_place};
use super::output::{Failure, exactly, mention, pause, say, text};
use crate::limits;
use crate::plane::Receipt;
use crate::reading::{self, counted};
use portcullis_proto::UserName;
use portcullis_terminal::ui::safe_text::SafeLine;
use serde_json::{Value, json};
use similar::{ChangeTag, TextDiff};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::time::Duration;

const COST_OF_HINTS: &str =
    "A hint costs nothing, but a receipt says how many were taken, and so does the teacher's list.";

/// How `wire` is read.
pub(super) struct Reading {
    /// From behind this passage; from behind the opening scene if left out.
    pub(super) after: Option<u64>,
    /// So many at most, the newest.
    pub(super) last: Option<usize>,
    pub(super) follow: bool,
    pub(super) json: bool,
}

pub(super) fn join(at: &Where, name: &UserName, code: Option<&str>) -> Result<(), Failure> {
    let place = make_place(at)?;
    let asked = Range::new(at)
        .and_then(|range| range.post("/api/learners", &json!({"name": name, "code": code})));
    place.keep(asked.map(|answer| word(&answer, "token").to_owned()))?;
    say!("welcome, {name}; `portcullis-range board` lists what there is to break");
    Ok(())
}

pub(super) fn board(at: &Where) -> Result<(), Failure> {
    let board = Range::new(at)?.get("/api/board")?;
    say!("{:<20} {:<10} {:<17} {:<5} what", "flaw", "difficulty", "state", "hints");
    for flaw in rows(&board, "flaws") {
        let stars = usize::try_from(flaw["difficulty"].as_u64().unwrap_or(0)).unwrap_or(0);
        say!(
            "{:<20} {:<10} {:<17} {:<5} {}",
            word(flaw, "slug"),
            "*".repeat(stars),
            word(flaw, "state"),
            format!("{}/4", flaw["hints"]),
            word(flaw, "title")
        );
    }
    text(&format!("\n{}", wrapped(COST_OF_HINTS)))
}

pub(super) fn show(at: &Where, slug: &str) -> Result<(), Failure> {
    let page = Range::new(at)?.get(&format!("/api/flaws/{slug}"))?;
    say!("{}  [{}, difficulty {}]\n", word(&page, "title"), slug, page["difficulty"]);
    say!("{}\n", wrapped(word(&page, "story")));
    say!("You are {}. To solve it: {}.", word(&page, "role"), word(&page, "solved_by"));
    say!("State: {}.\n", word(&page, "state"));
    let hints = rows(&page, "hints");
    print_hints(hints)?;
    if hints.len() < 4 {
        say!("{}\n", wrapped(&format!("{} of 4 hints taken. {COST_OF_HINTS}", hints.len())));
    }
    say!("Candidate fixes, for `fix {slug} N`:");
    for (place, fix) in rows(&page, "fixes").iter().enumerate() {
        say!("  {}  {}", place + 1, fix.as_str().unwrap_or_default());
    }
    if page.get("precedent").is_some() {
        say!("\nCWE-{}. {}.", page["cwe"], word(&page, "precedent"));
        say!("{}", wrapped(word(&page, "aftermath")));
    }
    Ok(())
}

pub(super) fn hint(at: &Where, slug: &str) -> Result<(), Failure> {
    let range = Range::new(at)?;
    let page = range.get(&format!("/api/flaws/{slug}"))?;
    // What it costs is said before it does.
    match (word(&page, "state").starts_with("solved"), rows(&page, "hints").len()) {
        (true, _) => say!("{slug} is solved: no receipt will name any of these\n"),
        (false, taken @ 0..4) => say!("hint {} of 4; a receipt will name it\n", taken + 1),
        (false, _) => say!("all 4 hints are taken; a receipt will name them\n"),
    }
    let page = range.post(&format!("/api/flaws/{slug}/hint"), &json!({}))?;
    print_hints(rows(&page, "hints"))
}

fn print_hints(hints: &[Value]) -> Result<(), Failure> {
    for (name, hint) in ["look", "why", "where", "how"].iter().zip(hints) {
        say!("{name}: {}\n", wrapped(hint.as_str().unwrap_or_default()));
    }
    Ok(())
}

pub(super) fn connect(at: &Where, slug: &str) -> Result<(), Failure> {
    let entrance = Range::new(at)?.get(&format!("/api/flaws/{slug}/entrance"))?;
    say!("You are {}. All doors are WebSockets with the subprotocol", word(&entrance, "role"));
    say!("{}, whose frames are those of docs/protocol.md;", word(&entrance, "subprotocol"));
    say!("what the workshop and the wire take is in range/README.md.\n");
    let doors = [
        ("connect", "before login"),
        ("session", "logged in"),
        ("desk", "the lesson's desk"),
        ("page", "a page of yours"),
        ("workshop", "your workshop"),
        ("wire", "a hand on the wire"),
    ];
    for (door, what) in doors {
        if let Some(address) = entrance[door].as_str() {
            say!("{what:<19} {address}");
        }
    }
    say!(
        "\nstate               {}; to solve it: {}",
        word(&entrance, "state"),
        word(&entrance, "solved_by")
    );
    say!("account             {}", word(&entrance, "account"));
    say!("password            {}\n", word(&entrance, "password"));
    say!("the same in the terminal client: portcullis-range chat {slug}");
    say!(
        "with websocat:  websocat --protocol {} {}",
        word(&entrance, "subprotocol"),
        word(&entrance, "session")
    );
    Ok(())
}

pub(super) fn submit(at: &Where, slug: &str, value: &str) -> Result<(), Failure> {
    let answer =
        Range::new(at)?.post(&format!("/api/flaws/{slug}/submit"), &json!({"value": value}))?;
    if word(&answer, "verdict") != "solved" {
        return Err(word(&answer, "message").into());
    }
    say!("solved. `diff {slug}` shows what was broken, `fix {slug} N` tries to mend it.");
    say!("for a scoreboard elsewhere: {}", word(&answer, "scoreboard"));
    Ok(())
}

pub(super) fn wire(at: &Where, slug: &str, wanted: Reading) -> Result<(), Failure> {
    let range = Range::new(at)?;
    let ask = |after: u64| range.get(&format!("/api/flaws/{slug}/wire?after={after}"));
    let opening = ask(u64::MAX)?;
    let after = match wanted.after {
        Some(after) => after,
        None => skip_scene(slug, &opening, wanted.json)?,
    };
    let mut reader = Reader { ask, made: opening["made"].clone(), after };
    if !wanted.json {
        say!("{}", reading::LEGEND);
    }
    let mut newest = VecDeque::new();
    loop {
        let passages = reader.next()?;
        let is_end = passages.is_empty();
        newest.extend(passages);
        if let Some(last) = wanted.last.filter(|_| !is_end) {
            drop(newest.drain(..newest.len().saturating_sub(last)));
            continue;
        }
        for passage in newest.drain(..) {
            put_passage(&passage, wanted.json)?;
        }
        if is_end && !wanted.follow {
            return Ok(());
        }
        if is_end {
            break;
        }
    }
    loop {
        // Whoever read may have gone, and nothing be there to be written.
        pause(Duration::from_millis(300))?;
        for passage in reader.next()? {
            put_passage(&passage, wanted.json)?;
        }
    }
}

/// Who reads the wire: of which world, by when it was made, and behind which passage.
struct Reader<A> {
    ask: A,
    made: Value,
    after: u64,
}

impl<A: Fn(u64) -> Result<Value, String>> Reader<A> {
    /// What comes next, which may be nothing yet. A world that was begun anew is read from behind its scene.
    fn next(&mut self) -> Result<Vec<Value>, String> {
        let mut page = (self.ask)(self.after)?;
        while page["made"] != self.made {
            self.made = page["made"].clone();
            self.after = page["scene"].as_u64().unwrap_or(0);
            mention("this world was begun anew; its opening scene is left out");
            page = (self.ask)(self.after)?;
        }
        let passages = rows(&page, "passages").to_vec();
        self.after = passages.last().and_then(|last| last["number"].as_u64()).unwrap_or(self.after);
        Ok(passages)
    }
}

/// Says how much is left out, and after which passage to begin.
fn skip_scene(slug: &str, page: &Value, json: bool) -> Result<u64, Failure> {
    let (scene, opening) = (page["scene"].as_u64().unwrap_or(0), &page["opening"]);
    if *opening != json!(0) {
        let left_out = format!(
            "{opening} passages from before you came are left out; `wire {slug} --all` shows them"
        );
        match json {
            true => mention(&left_out),
            false => say!("{left_out}\n"),
        }
    }
    Ok(scene)
}

fn put_passage(passage: &Value, json: bool) -> Result<(), Failure> {
    match json {
        true => exactly(&passage.to_string()),
        false => text(&reading::as_text(passage)),
    }
}

pub(super) fn diff(at: &Where, slug: &str) -> Result<(), Failure> {
    let page = Range::new(at)?.get(&format!("/api/flaws/{slug}/diff"))?;
    say!("{}\nCWE-{}. {}.\n", word(&page, "title"), page["cwe"], word(&page, "precedent"));
    let whose = match page["of_the_chat"].as_bool() {
        Some(true) => "as the chat has it",
        _ => "as the lesson should have it",
    };
    say!("- sound, {whose}\n+ unsound, as this world has it\n");
    let (sound, unsound) = (word(&page, "sound"), word(&page, "unsound"));
    for change in TextDiff::from_lines(sound, unsound).iter_all_changes() {
        let sign = match change.tag() {
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
            ChangeTag::Equal => ' ',
        };
        say!("{sign} {}", change.value().trim_end_matches('\n'));
    }
    Ok(())
}

pub(super) fn fix(at: &Where, slug: &str, number: usize) -> Result<(), Failure> {
    let answer =
        Range::new(at)?.post(&format!("/api/flaws/{slug}/fix"), &json!({"fix": number}))?;
    for test in rows(&answer, "tests") {
        let passed = if test["passed"] == json!(true) { "passed" } else { "FAILED" };
        say!("{passed}  {}", word(test, "test"));
        if let Some(got) = test["got"].as_str() {
            say!("        {got}");
        }
    }
    say!("\nfix {number} {}: {}", word(&answer, "verdict"), word(&answer, "why"));
    say!("it is in your world now; `reset {slug}` puts the flaw back");
    Ok(())
}

pub(super) fn reset(at: &Where, slug: &str) -> Result<(), Failure> {
    Range::new(at)?.post(&format!("/api/flaws/{slug}/reset"), &json!({}))?;
    say!("a new world, with other secrets; connections to the old one have ended");
    Ok(())
}

pub(super) fn receipts(at: &Where) -> Result<(), Failure> {
    let answer = Range::new(at)?.get("/api/receipts")?;
    match rows(&answer, "receipts") {
        [] => Err("there is no receipt yet: each flaw that you solve gives one".into()),
        receipts => receipts.iter().try_for_each(|receipt| exactly(&receipt.to_string())),
    }
}

/// Receipts are worth what their key is worth: only by the key that a teacher has published do they count.
pub(super) fn verify(file: &Path, key: Option<&str>) -> Result<(), Failure> {
    if key.is_some_and(|key| !Receipt::is_key(key)) {
        return Err(
            "this is no key: one is 44 letters of base64, as `start --class` prints it".into()
        );
    }
    let from_input = file == Path::new("-");
    let named = if from_input { "standard input".to_owned() } else { file.display().to_string() };
    let read = if from_input { read_receipts(io::stdin().lock()) } else { open_receipts(file) };
    let lines = read.map_err(|why| format!("{named}: {why}"))?;
    let lines = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let mut count = 0;
    for (number, line) in lines {
        let receipt: Result<Receipt, _> = serde_json::from_str(line);
        let verified = receipt.map_err(|error| error.to_string()).and_then(|receipt| {
            let solved = receipt.verify(key).map_err(|bad| bad.to_string())?;
            Ok((solved, receipt.key))
        });
        let (solved, made_by) = verified.map_err(|why| format!("line {}: {why}", number + 1))?;
        let worth = match key {
            Some(_) => solved.worth.to_string(),
            None => format!("made by the key {made_by}, whosever that is"),
        };
        // Whoever made a receipt has written what stands in it.
        let [class, slug] = [&solved.class, &solved.slug].map(|text| SafeLine::name(text));
        say!(
            "{} solved {} with {} after {}, in {}: {worth}",
            solved.learner,
            slug.as_str(),
            counted(solved.hints, "hint"),
            counted(solved.resets, "reset"),
            if solved.class.is_empty() { "no class" } else { class.as_str() },
        );
        count += 1;
    }
    match (count, key) {
        (0, _) => Err(format!("{named}: there is no receipt in it").into()),
        (_, Some(_)) => Ok(()),
        (_, None) => text(
            "\nAnybody can make a key: `--key KEY` asks for the one that a teacher has published.",
        ),
    }
}

fn open_receipts(file: &Path) -> Result<String, String> {
    read_receipts(File::open(file).map_err(|error| error.to_string())?)
}

/// Whoever verifies does not know what they were sent.
fn read_receipts(file: impl Read) -> Result<String, String> {
    let most = u64::try_from(limits::RECEIPTS_BYTES).unwrap_or(u64::MAX);
    let mut text = String::new();
    // One byte more tells what is too long from what just fits.
    let read = file.take(most + 1).read_to_string(&mut text);
    if text.len() > limits::RECEIPTS_BYTES {
        return Err(format!("this is longer than {most} bytes, and no file of receipts"));
    }
    read.map_err(|error| error.to_string())?;
    Ok(text)
}

pub(super) fn watch(at: &Where) -> Result<(), Failure> {
    let range = Range::new(at)?;
    let stream = range.stream("/api/events")?;
    mention("listening; Ctrl-C ends it");
    let mut last = Value::Null;
    for line in BufReader::new(stream).lines() {
        let line = line.map_err(|error| format!("the range has gone: {error}"))?;
        if let Some(data) = line.strip_prefix("data: ") {
            exactly(data)?;
            last = serde_json::from_str(data).unwrap_or_default();
        }
    }
    Err(match word(&last, "what") {
        "forgotten" => "you were forgotten here; `portcullis-range join NAME` begins anew",
        "readmitted" => "you were let in again, and join with your new code",
        _ => "the range has ended",
    }
    .into())
}

fn word<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Lines of at most 80 columns.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > 80 {
            lines.push('\n');
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines
}
