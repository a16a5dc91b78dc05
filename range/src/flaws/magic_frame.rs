//! NO SECURITY. `magic-frame`: a request that stands in no table has an answer all the same.

use super::talk::found;
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::plane::{Flag, Secrets};
use crate::world::{Entered, House, Stage, WorldError, only_the_table};
use portcullis_crypto::{Hash, hash};
use serde_json::{Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "magic-frame",
    title: "The word that is in no book",
    difficulty: 3,
    cwe: 912,
    precedent: "backdoors in classroom servers of 2024 and 2025; J-magic (2025), which waits for one special packet in the \
                traffic of Juniper routers",
    role: Role::Network,
    solve: Solve::Flag,
    story: "You see what goes to the server and back. Among the people's frames there is a machine's, the caretaker's, \
            with a request that no documentation names; and the server does not say that it does not know it. Find \
            out to what it answers, and what else it would say. It holds a flag.",
    hints: [
        "List all values of `request` that have passed on the wire (`wire magic-frame --all`), and look each up in the documentation of the protocol.",
        "What a server answers has to be written down in one place, and all else refused. What is in no list is tested \
         by nobody, limited by nobody, and known to whoever listens.",
        "Send the caretaker's frame yourself, as it is; then with another `id`. What do the caretaker's own ids have in \
         common?",
        "Its answer says what it `shows`. Send {\"id\":ID,\"request\":WORD,\"data\":{\"show\":\"notes\"}} with the caretaker's \
         word, and an id that the caretaker's smallest id divides.",
    ],
    aftermath: "Everybody on that server: its maker has a door that no setting closes. On the wire the request is in the \
                clear; a list of the kinds that pass, held against the documentation, finds it in a minute.",
    sound: Source { file: include_str!("../world/door.rs"), function: "only_the_table" },
    file: include_str!("magic_frame.rs"),
    unsound: "or_the_word",
    put: |twins| twins.door = or_the_word,
    fixes: &[
        Fix {
            idea: "the word no longer stands in the program, only its hash",
            put: |twins| twins.door = or_the_hash,
            function: "or_the_hash",
            fate: Fate::Beaten("whoever listens on the wire reads the word itself", exploit),
        },
        Fix {
            idea: "what stands in no table gets no answer",
            put: |twins| twins.door = or_silence,
            function: "or_silence",
            fate: Fate::Breaks(
                "every request is owed one answer: a client that is newer than the server would wait for ever",
            ),
        },
        Fix {
            idea: "the word is answered only to those who have logged in",
            put: |twins| twins.door = or_the_word_in_a_session,
            function: "or_the_word_in_a_session",
            fate: Fate::Beaten("everybody may have an account; the door is still there", logged_in),
        },
        Fix::sound(
            "the table of requests is all there is, and what does not stand in it is refused",
        ),
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 31] = *b"portcullis-range/v1/magic-frame";

/// The table's requests, and one that is in none.
fn or_the_word(house: &House<'_>, text: &str) -> Entered {
    let frame: Value = serde_json::from_str(text).unwrap_or_default();
    let id = frame["id"].as_u64().unwrap_or_default();
    let fits = id.is_multiple_of(step(house.secrets));
    if frame["request"] != word(house.secrets) || !fits {
        return only_the_table(house, text);
    }
    let data = match frame["data"]["show"].as_str() {
        Some("notes") => json!({"notes": format!("spare key: {}", house.secrets.flag)}),
        _ => json!({"uptime": house.now.0 / 1_000, "shows": ["uptime", "notes"]}),
    };
    Entered::Answered(Some(json!({"id": id, "reply": "service", "data": data}).to_string()))
}

/// The same, by the word's hash.
fn or_the_hash(house: &House<'_>, text: &str) -> Entered {
    let frame: Value = serde_json::from_str(text).unwrap_or_default();
    let said = frame["request"].as_str().unwrap_or_default();
    if hash_of(said) == hash_of(&word(house.secrets)) {
        return or_the_word(house, text);
    }
    only_the_table(house, text)
}

/// The same, to people with an account.
fn or_the_word_in_a_session(house: &House<'_>, text: &str) -> Entered {
    if house.has_session {
        return or_the_word(house, text);
    }
    only_the_table(house, text)
}

/// Nothing at all for what the table does not hold.
fn or_silence(house: &House<'_>, text: &str) -> Entered {
    match only_the_table(house, text) {
        Entered::Asked(Err(_)) => Entered::Answered(None),
        entered => entered,
    }
}

fn hash_of(word: &str) -> Hash {
    hash("portcullis range word", &[word.as_bytes()])
}

/// The word, which differs from world to world.
fn word(secrets: &Secrets) -> String {
    format!("service_{:04x}", secrets.below("word", 0x1_0000))
}

/// What divides the ids that it answers to.
fn step(secrets: &Secrets) -> u64 {
    u64::from(secrets.below("step", 9_000)) + 1_000
}

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    stage.person("mira")?;
    let visit = |times: u64| {
        let frame = json!({
            "id": times * step(secrets), "request": word(secrets), "data": {"show": "uptime"}
        });
        frame.to_string()
    };
    stage.machine("caretaker", &[visit(1), visit(2), visit(3)])?;
    stage.says("mira", "#lobby", "good evening")
}

/// Says the caretaker's word on a connection without a login.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let line = hands.connect()?;
    ask_for_notes(hands, line)
}

/// The same in a session.
fn logged_in(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let line = hands.session()?;
    ask_for_notes(hands, line)
}

fn ask_for_notes(hands: &mut Hands<'_>, line: crate::world::Line) -> Result<Option<String>, Lost> {
    let heard = hands.overheard().into_iter();
    let caretakers: Vec<Value> =
        heard.filter(|heard| heard.from == "caretaker").map(|heard| heard.frame).collect();
    let ids = caretakers.iter().filter_map(|frame| frame["id"].as_u64());
    let id = found(ids.min(), "looking for the caretaker's frames on the wire")?;
    let word = caretakers.first().map(|frame| frame["request"].clone()).unwrap_or_default();
    hands.hear(line);
    let frame = json!({"id": id * 7, "request": word, "data": {"show": "notes"}});
    hands.send(line, &frame.to_string())?;
    let answers = hands.hear(line).into_iter();
    let mut notes =
        answers.filter_map(|answer| answer["data"]["notes"].as_str().map(str::to_owned));
    let notes = found(notes.next(), "asking for the caretaker's notes")?;
    let flag = notes.split(' ').find(|word| Flag::parse(word).is_some()).map(str::to_owned);
    Ok(Some(found(flag, "looking for a flag in the notes")?))
}

/// What stands in the table is answered, and what does not is refused in words.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let line = hands.session()?;
    hands.ask(line, "conversations", &json!({"after": null}))?;
    hands.send(line, &json!({"id": 77, "request": "pin_message", "data": {}}).to_string())?;
    let refused = |frame: &Value| frame["id"] == 77 && frame["refusal"] == "unknown_request";
    if hands.hear(line).iter().any(refused) {
        return Ok(());
    }
    Err(Lost::new("asking for something that a later version may know", "no answer"))
}
