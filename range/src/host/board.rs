//! The board and its pages, as JSON: what the command line prints and a browser will show.

use super::{Answer, Host, Refused, lock, now};
use crate::flaws::{self, Fate, Flaw, NONCE, Solve};
use crate::limits;
use crate::plane::{Receipt, Row};
use crate::reading;
use crate::twins::Twins;
use crate::world::{Passage, World};
use portcullis_proto::UserName;
use serde_json::{Value, json};

impl Host {
    /// All flaws, and how far somebody has come with each.
    #[must_use]
    pub(super) fn board(&self, name: &UserName) -> Value {
        let rows: Vec<Value> = flaws::ALL
            .iter()
            .map(|flaw| {
                let row = self.row(name, flaw.slug);
                json!({
                    "slug": flaw.slug, "title": flaw.title, "difficulty": flaw.difficulty,
                    "role": flaw.role.to_string(), "state": state(&row), "hints": row.hints,
                })
            })
            .collect();
        json!({"learner": name, "class": self.class, "flaws": rows})
    }

    /// A flaw's page: what it is once it is solved, and before that only what to do.
    #[must_use]
    pub(super) fn show(&self, name: &UserName, flaw: &'static Flaw) -> Value {
        let row = self.row(name, flaw.slug);
        let nonce = self.nonce(name, flaw);
        let hints = flaw.hints.get(..row.hints).unwrap_or_default().iter();
        let hints: Vec<String> = hints.map(|hint| hint.replace(NONCE, &nonce)).collect();
        let fixes: Vec<&str> = flaw.fixes.iter().map(|fix| fix.idea).collect();
        let mut page = json!({
            "slug": flaw.slug, "title": flaw.title, "difficulty": flaw.difficulty,
            "role": flaw.role.to_string(), "state": state(&row), "solved_by": solved_by(flaw),
            "submits": !matches!(flaw.solve, Solve::State(_)),
            "story": flaw.story.replace(NONCE, &nonce), "hints": hints, "fixes": fixes,
        });
        if row.receipt.is_some()
            && let Some(page) = page.as_object_mut()
        {
            page.insert("cwe".to_owned(), json!(flaw.cwe));
            page.insert("precedent".to_owned(), json!(flaw.precedent));
            page.insert("aftermath".to_owned(), json!(flaw.aftermath));
        }
        page
    }

    /// How to get into a learner's world.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn entrance(&self, name: &UserName, flaw: &'static Flaw) -> Result<Value, Refused> {
        let slot = self.slot(name, flaw)?;
        let (variant, made, has_desk, has_browsers) = {
            let slot = lock(&slot);
            let world = slot.world();
            let (desk, browsers) = (world.map(World::has_desk), world.map(World::has_browsers));
            (slot.variant, slot.made, desk == Some(true), browsers == Some(true))
        };
        let ticket = self.ticket(name, flaw, variant);
        let at = |door: &str| format!("ws://{}/worlds/{ticket}/{door}", self.address);
        Ok(json!({
            "role": flaw.role.to_string(), "state": state(&self.row(name, flaw.slug)),
            "solved_by": solved_by(flaw), "made": made,
            "subprotocol": super::socket::SUBPROTOCOL,
            "connect": at("connect"), "session": at("session"), "desk": has_desk.then(|| at("desk")),
            "page": has_browsers.then(|| at("page?at=https://cats.example")),
            "workshop": at("workshop"), "wire": flaw.role.holds_the_wire().then(|| at("wire")),
            "account": crate::hands::YOU, "password": crate::world::password(crate::hands::YOU),
        }))
    }

    /// What went over a world's connections after the passage of this number: all of them where that is where
    /// the learner stands, or after a solve; before it, users see their own alone.
    ///
    /// # Errors
    /// [`Refused`].
    pub(super) fn wire(
        &self,
        name: &UserName,
        flaw: &'static Flaw,
        after: u64,
    ) -> Result<Value, Refused> {
        let slot = self.slot(name, flaw)?;
        let slot = lock(&slot);
        let world = slot.world().ok_or_else(|| Refused::World("this world is gone".to_owned()))?;
        let sees_all = flaw.role.holds_the_wire() || self.row(name, flaw.slug).receipt.is_some();
        let wire = world.wire();
        let own = |passage: &&Passage| passage.from.is_learner() || passage.to.is_learner();
        let shown = || wire.passages().filter(|passage| sees_all || own(passage));
        let opening = shown().filter(|passage| passage.number <= wire.scene()).count();
        let mut bytes = 0;
        let has_room = |passage: &&Passage| {
            let is_first = bytes == 0;
            bytes += passage.text.len();
            is_first || bytes <= limits::PAGE_BYTES
        };
        let page = shown().filter(|passage| passage.number > after).take(limits::PAGE);
        let page = page.take_while(has_room);
        let page: Vec<Value> = page.map(|passage| reading::as_json(world, passage)).collect();
        Ok(json!({
            "made": slot.made, "count": wire.count(), "scene": wire.scene(), "opening": opening, "passages": page,
        }))
    }

    /// The sound and the unsound function, after a solve.
    ///
    /// # Errors
    /// [`Refused::NotYet`].
    pub(super) fn diff(&self, name: &UserName, flaw: &'static Flaw) -> Result<Value, Refused> {
        if self.row(name, flaw.slug).receipt.is_none() {
            return Err(Refused::NotYet);
        }
        Ok(json!({
            "slug": flaw.slug, "title": flaw.title, "cwe": flaw.cwe, "precedent": flaw.precedent,
            "of_the_chat": Twins::with(flaw.put).changes_the_chat(),
            "sound": flaw.sound.text(), "unsound": flaw.source(flaw.unsound).text(),
        }))
    }

    /// All of somebody's receipts.
    #[must_use]
    pub(super) fn receipts(&self, name: &UserName) -> Vec<Receipt> {
        let rows = flaws::ALL.iter().map(|flaw| self.row(name, flaw.slug));
        rows.filter_map(|row| row.receipt).collect()
    }
}

/// How far somebody has come, in a word.
pub(super) fn state(row: &Row) -> &'static str {
    match (&row.receipt, row.fixed) {
        (Some(_), true) => "solved and fixed",
        (Some(_), false) => "solved",
        (None, _) if *row == Row::default() => "open",
        (None, _) => "begun",
    }
}

const fn solved_by(flaw: &Flaw) -> &'static str {
    match flaw.solve {
        Solve::Flag => "submit the flag",
        Solve::State(_) => "the range sees it as soon as it has happened",
        Solve::Answer(_) => "submit the value that the story asks for",
    }
}

/// An answer, for programs and people.
pub(super) fn answer(answer: &Answer) -> Value {
    let test = |name: &str, passed: bool, got: Option<String>| json!({"test": name, "passed": passed, "got": got});
    match answer {
        Answer::Solved(receipt, score) => {
            json!({"verdict": "solved", "receipt": receipt, "scoreboard": score})
        }
        Answer::Foreign => json!({
            "verdict": "foreign",
            "message": "this is a flag, and somebody else's; your own lies in your own world",
        }),
        Answer::Wrong => json!({"verdict": "wrong", "message": "that is not it"}),
        Answer::Tried { exploit, honest, why } => {
            let tests = [
                test(
                    "the exploit fails",
                    exploit.is_err(),
                    match exploit {
                        Ok(()) => Some("the exploit wins".to_owned()),
                        Err(lost) => Some(lost.to_string()),
                    },
                ),
                test(
                    "honest use works",
                    honest.is_ok(),
                    honest.as_ref().err().map(ToString::to_string),
                ),
            ];
            let why = match why {
                Fate::Holds => "this is what the chat does",
                Fate::Beaten(why, _) | Fate::Breaks(why) => why,
            };
            let holds = exploit.is_err() && honest.is_ok();
            json!({"verdict": if holds { "holds" } else { "does not hold" }, "tests": tests, "why": why})
        }
    }
}

/// The time, for whoever prints progress.
pub(super) fn minutes_since(row: &Row) -> u64 {
    now().0.saturating_sub(row.at.0) / 60_000
}
