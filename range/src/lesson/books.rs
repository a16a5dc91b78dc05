//! The desk's books: invitations, a profile, who is an operator, and the log, with the sound decisions.

use super::suite::{Key, mac, same};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Invitations, each for one person.
#[derive(Debug, Clone, Default)]
pub struct Invites {
    open: BTreeSet<String>,
}

/// Somebody wants to come in by an invitation. What the desk does for it is done in steps, one in a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The invitation.
    pub code: String,
    /// Who.
    pub name: String,
    /// How many steps were done already.
    pub steps: u32,
    /// Who has come in so far.
    pub seated: Vec<String>,
}

/// What a step ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There is another, in a second.
    Next,
    /// They are in.
    Seated,
    /// They are not let in.
    Refused,
}

impl Invites {
    /// Gives out an invitation.
    pub fn give(&mut self, code: String) {
        self.open.insert(code);
    }

    /// Whether an invitation is still good.
    #[must_use]
    pub fn is_open(&self, code: &str) -> bool {
        self.open.contains(code)
    }

    /// Marks an invitation as used, and says whether it was good until now.
    pub fn mark(&mut self, code: &str) -> bool {
        self.open.remove(code)
    }
}

/// Looks and marks in one step: whoever was first is in.
pub fn claim(invites: &mut Invites, claim: &Claim) -> Step {
    match invites.mark(&claim.code) {
        true => Step::Seated,
        false => Step::Refused,
    }
}

/// What the desk knows of somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// What they say of themselves.
    pub motto: String,
    /// Their colour on the screen.
    pub colour: String,
    /// What they are: `guest` or `admin`.
    pub role: String,
}

/// A change names a field that there is not, or that is not its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchField;

impl Default for Profile {
    fn default() -> Self {
        Self { motto: String::new(), colour: "grey".to_owned(), role: "guest".to_owned() }
    }
}

impl Profile {
    /// Writes a field; the case of its name and the spaces around what is written don't matter.
    ///
    /// # Errors
    /// [`NoSuchField`].
    pub fn set(&mut self, field: &str, value: &Value) -> Result<(), NoSuchField> {
        let value = value.as_str().ok_or(NoSuchField)?.trim().to_owned();
        match field.trim().to_ascii_lowercase().as_str() {
            "motto" => self.motto = value,
            "colour" => self.colour = value,
            "role" => self.role = value.to_ascii_lowercase(),
            _ => return Err(NoSuchField),
        }
        Ok(())
    }
}

/// Reads a change as what it may be, and knows no other field.
pub fn update(profile: &mut Profile, change: &Map<String, Value>) -> Result<(), NoSuchField> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        motto: Option<String>,
        colour: Option<String>,
    }
    let change = serde_json::from_value(Value::Object(change.clone()));
    let Change { motto, colour } = change.map_err(|_| NoSuchField)?;
    profile.motto = motto.unwrap_or_else(|| profile.motto.clone());
    profile.colour = colour.unwrap_or_else(|| profile.colour.clone());
    Ok(())
}

/// Who may see the operator's page.
#[derive(Debug, Clone, Default)]
pub struct Staff {
    /// Operators, each with the code of their password.
    pub book: Vec<(String, [u8; 32])>,
    /// A name and a password that stand in the program itself, left from when it was made.
    pub left_over: (String, String),
    /// Whether anybody has ever opened the page.
    pub in_use: bool,
}

/// What somebody sees of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// All, with the buttons.
    Whole,
    /// All, without the buttons.
    ToRead,
}

impl Staff {
    /// Writes somebody into the book.
    pub fn enrol(&mut self, name: &str, password: &str) {
        self.book.push((name.to_owned(), code_of(name, password)));
    }
}

/// Only who stands in the book, with their own password.
pub fn admit(staff: &Staff, name: &str, password: &str) -> Option<Page> {
    let given = code_of(name, password);
    let mut rows = staff.book.iter();
    rows.any(|(known, code)| known == name && same(code, &given)).then_some(Page::Whole)
}

/// What stands in the book for a password. The passwords here are long and random, so one pass is enough.
fn code_of(name: &str, password: &str) -> [u8; 32] {
    mac(&Key::from_bytes([0; 32]), &[name.as_bytes(), password.as_bytes()])
}

/// A line that goes into the log.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The desk's own key for names of lines.
    pub key: &'a Key,
    /// The line's number.
    pub number: u64,
    /// What was written to the operator.
    pub text: &'a str,
}

/// A name that is the line's own, from its number alone.
pub fn trace(entry: &Entry<'_>) -> String {
    let code = mac(entry.key, &[b"trace", &entry.number.to_be_bytes()]);
    code.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
