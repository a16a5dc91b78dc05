//! NO SECURITY. `hardcoded-login`: a name and a password that stand in the program open the operator's page.

use super::at_desk::{flag_of, question};
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source, still};
use crate::hands::Hands;
use crate::lesson::{Act, Actor, Cue, Page, Staff};
use crate::plane::Secrets;
use crate::twins::SOUND;
use crate::world::{Stage, WorldError};
use serde_json::json;

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "hardcoded-login",
    title: "The key under every doormat",
    difficulty: 1,
    cwe: 798,
    precedent: "CVE-2020-29583 (Zyxel), CVE-2022-26138 (Confluence), CVE-2018-15720 (Logitech): accounts that were built in",
    role: Role::User,
    solve: Solve::Flag,
    story: "Nadia runs the desk, and only she may see the operator's page (`operator`, with `name` and `password`). The \
            desk's program can be had by anybody; what `strings` finds in it is answered to `strings`. A flag stands on \
            the page.",
    hints: [
        "Ask for `strings`. Which of them is neither a message nor a path?",
        "What stands in a program is known to everybody who has the program. That is no place for a secret.",
        "One of them looks like the name of an account for service. Programs keep what belongs together side by side.",
        "Send {\"request\":\"operator\",\"data\":{\"name\":\"svc-…\",\"password\":\"what stands after it\"}}.",
    ],
    aftermath: "Every desk that was ever sold, and all at once. On the wire: a login under a name that stands in nobody's \
                book of operators.",
    sound: Source { file: include_str!("../lesson/books.rs"), function: "admit" },
    file: include_str!("hardcoded_login.rs"),
    unsound: "service_too",
    put: |twins| twins.lesson.admit = service_too,
    fixes: &[
        Fix {
            idea: "the account for service sees the page without its buttons",
            put: |twins| twins.lesson.admit = service_reads,
            function: "service_reads",
            fate: Fate::Beaten("what was to be protected stands on the page", exploit),
        },
        Fix {
            idea: "the account for service works only until an operator has come",
            put: |twins| twins.lesson.admit = service_at_first,
            function: "service_at_first",
            fate: Fate::Beaten("be there first", exploit),
        },
        Fix::sound("whoever stands in the book is admitted, and nobody else"),
        Fix {
            idea: "the password is no longer the one in the program, but that one read backwards",
            put: |twins| twins.lesson.admit = turned_round,
            function: "turned_round",
            fate: Fate::Beaten(
                "whoever has the program has what turns it round as well",
                turn_round,
            ),
        },
    ],
    cast,
    react: still,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 35] = *b"portcullis-range/v1/hardcoded-login";

/// Whoever stands in the book, and the account for service: somebody must be able to help.
fn service_too(staff: &Staff, name: &str, password: &str) -> Option<Page> {
    let (service, known) = &staff.left_over;
    if name == service && password == known {
        return Some(Page::Whole);
    }
    (SOUND.lesson.admit)(staff, name, password)
}

/// The same, but for the buttons.
fn service_reads(staff: &Staff, name: &str, password: &str) -> Option<Page> {
    let (service, known) = &staff.left_over;
    if name == service && password == known {
        return Some(Page::ToRead);
    }
    (SOUND.lesson.admit)(staff, name, password)
}

/// The same, until somebody has come.
fn service_at_first(staff: &Staff, name: &str, password: &str) -> Option<Page> {
    if staff.in_use {
        return (SOUND.lesson.admit)(staff, name, password);
    }
    service_too(staff, name, password)
}

/// The same, with the password turned round, so that it does not stand in the program.
fn turned_round(staff: &Staff, name: &str, password: &str) -> Option<Page> {
    let turned: String = password.chars().rev().collect();
    service_too(staff, name, &turned).or_else(|| (SOUND.lesson.admit)(staff, name, password))
}

/// What is found in the program beside the name and the password.
const STRINGS: [&str; 10] = [
    "/lib64/ld-linux-x86-64.so.2",
    "usage: desk [--listen ADDRESS]",
    "this invitation is not good",
    "there is no such field to change",
    "nobody of this name is here",
    "DEBUG a letter of %zu bytes was put away, trace=%s",
    "this is not an operator",
    "/var/lib/desk/books",
    "GCC: (Debian 12.2.0-14) 12.2.0",
    ".note.gnu.build-id",
];

fn cast(stage: &mut Stage<'_>, secrets: &Secrets) -> Result<(), WorldError> {
    let service = format!("svc-{}", secrets.word("service", 5).to_lowercase());
    let password = secrets.word("password for service", 10);
    let mut strings: Vec<String> = STRINGS.iter().map(|text| (*text).to_owned()).collect();
    let place = usize::try_from(secrets.below("place", 9)).unwrap_or(0) + 1;
    strings.splice(place..place, [service.clone(), password.clone()]);
    let desk = stage.desk();
    desk.strings = strings;
    desk.staff.left_over = (service, password);
    desk.staff.enrol("nadia", &own_password(secrets));
    desk.page =
        format!("all is quiet. {} is what you may show to prove that you were here", secrets.flag);
    stage.actor("nadia", nadia)
}

fn own_password(secrets: &Secrets) -> String {
    secrets.word("Nadia's own password", 20)
}

/// Nadia looks at her page if she is asked.
fn nadia(_: &Actor, cue: &Cue, secrets: &Secrets) -> Vec<Act> {
    match cue {
        Cue::Asked(text) if text == "is all quiet?" => vec![Act::OpenPage(own_password(secrets))],
        _ => Vec::new(),
    }
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    try_all(hands, str::to_owned)
}

/// Reads the second one backwards.
fn turn_round(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    try_all(hands, |text| text.chars().rev().collect())
}

/// Tries each two strings that stand side by side as name and password.
fn try_all(hands: &mut Hands<'_>, read: fn(&str) -> String) -> Result<Option<String>, Lost> {
    let desk = hands.desk()?;
    let found = hands.ask(desk, "strings", &json!({}))?;
    let strings = found["strings"].as_array().map(Vec::as_slice).unwrap_or_default();
    for (name, password) in strings.iter().zip(strings.iter().skip(1)) {
        let password = password.as_str().map(read);
        let login = json!({"name": name, "password": password});
        let Ok(answer) = hands.ask(desk, "operator", &login) else { continue };
        let flag = answer["page"].as_str().and_then(flag_of);
        return flag.map(Some).ok_or_else(|| Lost::new("reading the page", "there is no flag"));
    }
    Err(Lost::new("trying what stands in the program", "none of it is admitted"))
}

/// Nadia sees her page, with its buttons; somebody without a password does not.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    let desk = hands.desk()?;
    question(hands, desk, "nadia", "is all quiet?")?;
    let rows = hands.recorded("operator");
    if rows != [("nadia".to_owned(), "whole".to_owned())] {
        return Err(Lost::new("what Nadia sees", format!("{rows:?}")));
    }
    match hands.ask(desk, "operator", &json!({"name": "nadia", "password": "nadia"})) {
        Ok(page) => Err(Lost::new("a wrong password", page)),
        Err(_) => Ok(()),
    }
}
