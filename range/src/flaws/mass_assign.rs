//! NO SECURITY. `mass-assign`: a change of one's profile writes whatever fields it names.

use super::at_desk::idle;
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{NoSuchField, Profile};
use crate::plane::Secrets;
use crate::world::{Happened, Stage, WorldError};
use serde_json::{Map, Value, json};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "mass-assign",
    title: "A form with one field too many",
    difficulty: 1,
    cwe: 915,
    precedent: "GitHub 2012, and CVE-2023-2515: Mattermost let a change of a profile raise its owner",
    role: Role::User,
    solve: Solve::State(broken),
    story: "The desk keeps a profile of you: a motto, a colour, and what you are, a guest. You may change it by `profile`. \
            Become an admin, with your word, NONCE, as your motto, so that everybody sees whose work it was.",
    hints: [
        "Send `profile` with nothing in it. Which fields does the answer show that the form does not?",
        "What a server writes must be chosen by the server. Whoever copies all the fields of a request lets the sender choose.",
        "The answer names a field `role`. What if your change names it as well?",
        "Send {\"request\":\"profile\",\"data\":{\"motto\":\"NONCE\",\"role\":\"…\"}} with what you want to be.",
    ],
    aftermath: "Everybody over whom an admin has power. On the wire: a `profile` request that holds a field which no client of \
                the desk ever sends.",
    sound: Source { file: include_str!("../lesson/books.rs"), function: "update" },
    file: include_str!("mass_assign.rs"),
    unsound: "every_field",
    put: |twins| twins.lesson.update = every_field,
    fixes: &[
        Fix {
            idea: "a change that names `role` is refused",
            put: |twins| twins.lesson.update = but_role,
            function: "but_role",
            fate: Fate::Beaten(
                "`Role` is the same field to whoever writes it, and not the same text",
                capital,
            ),
        },
        Fix {
            idea: "nobody may write that they are `admin`",
            put: |twins| twins.lesson.update = but_admin,
            function: "but_admin",
            fate: Fate::Beaten("spaces around it are taken away after the check", spaced),
        },
        Fix::sound(
            "a change is read as the two fields that may be changed, and anything else is refused",
        ),
        Fix {
            idea: "only admins may change profiles",
            put: |twins| twins.lesson.update = admins_only,
            function: "admins_only",
            fate: Fate::Breaks("guests can't change their own motto any more"),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 31] = *b"portcullis-range/v1/mass-assign";

/// Copies what was sent into the profile, field by field.
/// A new field in the form then needs no work here.
fn every_field(profile: &mut Profile, change: &Map<String, Value>) -> Result<(), NoSuchField> {
    change.iter().try_for_each(|(field, value)| profile.set(field, value))
}

/// Copies what was sent, unless it names the role.
fn but_role(profile: &mut Profile, change: &Map<String, Value>) -> Result<(), NoSuchField> {
    if change.contains_key("role") {
        return Err(NoSuchField);
    }
    every_field(profile, change)
}

/// Copies what was sent, unless it says `admin`.
fn but_admin(profile: &mut Profile, change: &Map<String, Value>) -> Result<(), NoSuchField> {
    if change.values().any(|value| value == "admin") {
        return Err(NoSuchField);
    }
    every_field(profile, change)
}

/// Copies what an admin has sent.
fn admins_only(profile: &mut Profile, change: &Map<String, Value>) -> Result<(), NoSuchField> {
    if profile.role != "admin" {
        return Err(NoSuchField);
    }
    every_field(profile, change)
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.actor("mira", idle)
}

/// The learner is an admin, and their motto holds their word.
fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    happened.iter().any(|happened| match happened {
        Happened::Recorded { by, record } => {
            let holds = record.value.contains(&secrets.nonce);
            by.is_learner() && record.book == "profile" && record.row == "admin" && holds
        }
        _ => false,
    })
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    change(hands, "role", "admin")
}

fn capital(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    change(hands, "Role", "admin")
}

fn spaced(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    change(hands, "role", " admin ")
}

fn change(hands: &mut Hands<'_>, field: &str, value: &str) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let motto = format!("made by {}", hands.nonce());
    hands.ask(desk, "profile", &json!({"motto": motto, field: value}))?;
    Ok(None)
}

/// A guest changes their motto, and is a guest.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    let change = json!({"motto": "slow and steady", "colour": "green"});
    let profile = hands.ask(desk, "profile", &change)?;
    let wanted = json!({"motto": "slow and steady", "colour": "green", "role": "guest"});
    match profile == wanted {
        true => Ok(()),
        false => Err(Lost::new("changing my motto", profile)),
    }
}
