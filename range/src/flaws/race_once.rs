//! NO SECURITY. `race-once`: an invitation for one is looked at, and only then marked as used.

use super::at_desk::idle;
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Claim, Invites, Step};
use crate::plane::Secrets;
use crate::world::{Happened, Stage, WorldError};
use serde_json::json;
use std::collections::BTreeMap;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "race-once",
    title: "Two through a door for one",
    difficulty: 3,
    cwe: 367,
    precedent: "CVE-2022-24751 (Zulip) and CVE-2024-1949 (Mattermost): two requests at once, where one was meant",
    role: Role::User,
    solve: Solve::State(broken),
    story: "The desk gives out invitations (`invite`), each for one person, and lets in whoever brings one (`claim`, with \
            `code` and `name`). It works in steps, one in a second. Have it let in two people by one invitation, under \
            two names that both hold your word, NONCE.",
    hints: [
        "Claim a seat and watch your connection: there is a frame before the answer. What has the desk done by then, and what not?",
        "To look and to mark must be one step. Between the two, whoever looks sees what was true before.",
        "A claim is first looked at, and marked a second later. Other connections are served in that second.",
        "Open two connections to the desk, get one code, send claim(code, \"NONCE-a\") on the one and \
         claim(code, \"NONCE-b\") on the other without waiting for the answer; then let seconds pass.",
    ],
    aftermath: "Whoever pays for seats, votes or coupons. On the wire: two claims with one code in the same second, from two \
                connections, and two seats for it afterwards.",
    sound: Source { file: include_str!("../lesson/books.rs"), function: "claim" },
    file: include_str!("race_once.rs"),
    unsound: "look_then_mark",
    put: |twins| twins.lesson.claim = look_then_mark,
    fixes: &[
        Fix {
            idea: "the desk looks a second time, just before it marks",
            put: |twins| twins.lesson.claim = look_twice,
            function: "look_twice",
            fate: Fate::Beaten("both look a second time before either marks", exploit),
        },
        Fix {
            idea: "whoever has a seat already is refused",
            put: |twins| twins.lesson.claim = new_names,
            function: "new_names",
            fate: Fate::Beaten("it is two names, and neither has a seat yet", exploit),
        },
        Fix {
            idea: "the desk marks first and looks afterwards",
            put: |twins| twins.lesson.claim = mark_then_look,
            function: "mark_then_look",
            fate: Fate::Breaks("it finds the invitation used, by itself, and lets nobody in"),
        },
        Fix::sound("one step marks and says whether it was good until then"),
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 29] = *b"portcullis-range/v1/race-once";

/// Looks in one step, and marks in the next.
fn look_then_mark(invites: &mut Invites, claim: &Claim) -> Step {
    if claim.steps == 0 {
        return if invites.is_open(&claim.code) { Step::Next } else { Step::Refused };
    }
    invites.mark(&claim.code);
    Step::Seated
}

/// Looks in two steps, and marks in the third.
fn look_twice(invites: &mut Invites, claim: &Claim) -> Step {
    if claim.steps < 2 {
        return if invites.is_open(&claim.code) { Step::Next } else { Step::Refused };
    }
    invites.mark(&claim.code);
    Step::Seated
}

/// Refuses who has a seat; then looks in one step, and marks in the next.
fn new_names(invites: &mut Invites, claim: &Claim) -> Step {
    if claim.seated.contains(&claim.name) {
        return Step::Refused;
    }
    look_then_mark(invites, claim)
}

/// Marks in one step, and looks in the next.
fn mark_then_look(invites: &mut Invites, claim: &Claim) -> Step {
    if claim.steps == 0 {
        invites.mark(&claim.code);
        return Step::Next;
    }
    if invites.is_open(&claim.code) { Step::Seated } else { Step::Refused }
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", idle)
}

/// Two seats by one invitation, and the learner's word in both names.
fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    let mut seats: BTreeMap<&str, u32> = BTreeMap::new();
    for happened in happened {
        let Happened::Recorded { by, record } = happened else { continue };
        if by.is_learner() && record.book == "seat" && record.value.contains(&secrets.nonce) {
            *seats.entry(record.row.as_str()).or_default() += 1;
        }
    }
    seats.values().any(|count| *count > 1)
}

/// Claims twice before a second has passed.
fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    let lines = [hands.desk()?, hands.desk()?];
    let code = invitation(hands)?;
    for (line, name) in lines.into_iter().zip(["a", "b"]) {
        let data = json!({"code": code, "name": format!("{}-{name}", hands.nonce())});
        let claim = json!({"id": 1, "request": "claim", "data": data});
        hands.send(line, &claim.to_string())?;
    }
    hands.wait(4)?;
    Ok(None)
}

fn invitation(hands: &mut Hands<'_>) -> Result<String, Lost> {
    let desk = hands.desk()?;
    let invite = hands.ask(desk, "invite", &json!({}))?;
    let code = invite["code"].as_str().map(str::to_owned);
    code.ok_or_else(|| Lost::new("asking for an invitation", "there is no code"))
}

/// One comes in, and the next one by the same invitation does not.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let code = invitation(hands)?;
    for (name, seats) in [("ada", 1), ("bob", 1)] {
        let desk = hands.desk()?;
        let data = json!({"code": code, "name": format!("{}-{name}", hands.nonce())});
        let claim = json!({"id": 1, "request": "claim", "data": data});
        hands.send(desk, &claim.to_string())?;
        hands.wait(4)?;
        let seated = hands.recorded("seat");
        if seated.len() != seats {
            return Err(Lost::new("coming in one after the other", format!("seats: {seated:?}")));
        }
    }
    Ok(())
}
