//! NO SECURITY. The flaws: one file each, and each changes exactly one decision. A file holds the unsound
//! function, wrong fixes that look right, the scene, the story, the hints, the exploit and the honest use.
//!
//! The table [`ALL`] is the curriculum. The tests in `tests/it` prove every row of it.

mod at_desk;
mod cross_site_socket;
mod file_traversal;
mod ghost_member;
mod hardcoded_login;
mod history_idor;
mod invite_guess;
mod key_substitution;
mod length_leak;
mod log_exfil;
mod magic_frame;
mod mass_assign;
mod missing_aad;
mod no_tag;
mod nonce_reset;
mod padding_oracle;
mod race_once;
mod replay;
mod resume_overflow;
mod sender_spoof;
mod stale_member;
mod talk;
mod user_enumeration;

use crate::hands::Hands;
use crate::plane::{Flag, Secrets};
use crate::twins::Twins;
use crate::world::{Cue, Happened, Person, React, Stage, WorldError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_client_core::{Command, Show};
use serde_json::Value;
use std::fmt;

/// All of them, in the order in which they are best taken.
pub static ALL: &[&Flaw] = &[
    &sender_spoof::FLAW,
    &history_idor::FLAW,
    &invite_guess::FLAW,
    &no_tag::FLAW,
    &length_leak::FLAW,
    &race_once::FLAW,
    &mass_assign::FLAW,
    &nonce_reset::FLAW,
    &missing_aad::FLAW,
    &stale_member::FLAW,
    &padding_oracle::FLAW,
    &hardcoded_login::FLAW,
    &log_exfil::FLAW,
    &replay::FLAW,
    &key_substitution::FLAW,
    &ghost_member::FLAW,
    &user_enumeration::FLAW,
    &magic_frame::FLAW,
    &file_traversal::FLAW,
    &resume_overflow::FLAW,
    &cross_site_socket::FLAW,
];

/// The flaw of this name.
#[must_use]
pub fn find(slug: &str) -> Option<&'static Flaw> {
    ALL.iter().copied().find(|flaw| flaw.slug == slug)
}

/// What stands for the learner's own word in stories and hints.
pub const NONCE: &str = "NONCE";

/// What a learner is in the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Somebody with an account.
    User,
    /// A member of a group.
    Member,
    /// Somebody on the network between people and the server.
    Network,
    /// Whoever runs the server, and does not mean well.
    Operator,
}

impl Role {
    /// Whether they have a hand on the wire.
    #[must_use]
    pub const fn holds_the_wire(self) -> bool {
        matches!(self, Self::Network | Self::Operator)
    }

    /// Whether they have a library that makes keys in others' names, and somewhere to show them.
    #[must_use]
    pub const fn makes_keys(self) -> bool {
        matches!(self, Self::Operator)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "a user",
            Self::Member => "a member of a group",
            Self::Network => "someone on the network",
            Self::Operator => "the malicious operator of the server",
        })
    }
}

/// How a solve is decided, always from what the plane knows and the world can't touch.
#[derive(Clone, Copy)]
pub enum Solve {
    /// The learner submits the flag, which only the exploit reaches.
    Flag,
    /// The log of what happened shows a broken invariant, with the learner's nonce in the evidence.
    State(fn(&[Happened], &Secrets) -> bool),
    /// The learner submits a value that the plane computes as well.
    Answer(fn(&Secrets) -> String),
}

/// Part of a source file: a function by its name.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The whole file's text.
    pub file: &'static str,
    /// The function.
    pub function: &'static str,
}

impl Source {
    /// The function's text, with its documentation; none where the file has no such function.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let lines: Vec<&str> = self.file.lines().collect();
        let named = |line: &&str| {
            let rest = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let rest = rest.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(self.function));
            rest.is_some_and(|rest| rest.starts_with(['(', '<']))
        };
        let at = lines.iter().position(named)?;
        let before = lines.get(..at)?.iter().rev();
        let first = at - before.take_while(|line| line.starts_with("///")).count();
        let length = lines.get(at..)?.iter().position(|line| *line == "}")?;
        Some(lines.get(first..=at + length)?.join("\n"))
    }
}

/// What somebody does in a world to break in: what they would submit, or where they lost.
pub type Exploit = fn(&mut Hands<'_>) -> Result<Option<String>, Lost>;

/// What becomes of a candidate fix.
#[derive(Clone, Copy)]
pub enum Fate {
    /// It is the sound one.
    Holds,
    /// The exploit, or another form of it, still wins; why.
    Beaten(&'static str, Exploit),
    /// Honest use no longer works; why.
    Breaks(&'static str),
}

/// A candidate fix, compiled.
pub struct Fix {
    /// What it does, in a line, without saying whether it is right.
    pub idea: &'static str,
    /// Puts it in the place of the flaw.
    pub put: fn(&mut Twins),
    /// Its function in the flaw's file; the sound one stands in none, and has none here.
    pub function: &'static str,
    /// What becomes of it.
    pub fate: Fate,
}

impl Fix {
    /// The sound one: it puts nothing in the place of what the chat does.
    const fn sound(idea: &'static str) -> Self {
        Self { idea, put: |_| {}, function: "", fate: Fate::Holds }
    }
}

/// One lesson.
pub struct Flaw {
    /// Its name.
    pub slug: &'static str,
    /// Its title.
    pub title: &'static str,
    /// From 1, easy, to 6.
    pub difficulty: u8,
    /// The kind of weakness, by its number in the CWE list.
    pub cwe: u16,
    /// Where this has happened.
    pub precedent: &'static str,
    /// What the learner is.
    pub role: Role,
    /// How a solve is decided.
    pub solve: Solve,
    /// What the learner is told.
    pub story: &'static str,
    /// Look, why, where, how.
    pub hints: [&'static str; 4],
    /// Who was harmed, and how it would be noticed on the wire.
    pub aftermath: &'static str,
    /// The sound function.
    pub sound: Source,
    /// The text of the flaw's own file.
    pub file: &'static str,
    /// The unsound function, which stands in it.
    pub unsound: &'static str,
    /// Puts the unsound one in its place.
    pub put: fn(&mut Twins),
    /// Candidate fixes, one of them the sound one.
    pub fixes: &'static [Fix],
    /// Sets the scene.
    pub cast: fn(&mut Stage<'_>, &Secrets) -> Result<(), WorldError>,
    /// What the people do.
    pub react: React,
    /// The reference solution, through the world's public wire only; what it would submit.
    pub exploit: Exploit,
    /// What an honest person does, which works whether the flaw is there or not.
    pub honest: fn(&mut Hands<'_>) -> Result<(), Lost>,
    /// What a search of a binary finds wherever this flaw was compiled in.
    pub marker: &'static [u8],
}

impl Flaw {
    /// A function of the flaw's own file.
    #[must_use]
    pub const fn source(&self, function: &'static str) -> Source {
        Source { file: self.file, function }
    }
}

impl fmt::Debug for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Flaw({})", self.slug)
    }
}

/// Where an exploit, or honest use, did not get further: shown as the failing test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// What was tried.
    pub tried: &'static str,
    /// What came of it.
    pub got: String,
}

impl Lost {
    /// What was tried, and what came of it.
    pub fn new(tried: &'static str, got: impl fmt::Display) -> Self {
        Self { tried, got: got.to_string() }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.tried, self.got)
    }
}

/// Nobody does anything by themselves.
const fn still(_: &Person, _: &Cue, _: &Secrets) -> Vec<Command> {
    Vec::new()
}

/// Whether the cue is that somebody says this.
fn is_said(cue: &Cue, text: &str) -> bool {
    matches!(cue, Cue::Show(Show::Message(message)) if message.text() == Some(text))
}

/// The flag that is said in a page of a channel, or of anything else that is base64 around JSON.
fn flag_in(page: &Value) -> Result<String, Lost> {
    let envelopes = page["envelopes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let bodies = envelopes.iter().filter_map(|envelope| envelope["body"].as_str());
    let texts = bodies.filter_map(|body| {
        Some(String::from_utf8_lossy(&STANDARD.decode(body).ok()?).into_owned())
    });
    let words: Vec<String> = texts
        .flat_map(|text| text.split(['"', ' ']).map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let flag = words.into_iter().find(|word| word.len() == 23 && Flag::parse(word).is_some());
    flag.ok_or_else(|| Lost::new("looking for a flag in what was fetched", "there is none"))
}
