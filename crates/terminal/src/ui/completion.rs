//! Completion: Tab walks through what the word before the cursor may become. Commands come from
//! their table, people with the most recent speakers first, channels and groups from the list.

use super::command::{self, Argument};
use super::input::InputLine;
use super::view::{LineKind, View};

/// A walk through candidates.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Completion {
    /// Byte position of the word that is completed.
    start: usize,
    typed: String,
    candidates: Vec<String>,
    after: &'static str,
    /// Which candidate is in the line.
    at: usize,
}

impl Completion {
    /// Puts the first (or last) candidate into the line. `None`: there is nothing to offer.
    /// A single candidate is put in and done with, so that the next Tab begins anew.
    pub(super) fn begin(line: &mut InputLine, view: &View, backwards: bool) -> Offer {
        let Some(mut completion) = Self::find(line.before_cursor(), view) else {
            return Offer::Nothing;
        };
        if backwards {
            completion.at = completion.candidates.len().saturating_sub(1);
        }
        completion.put(line);
        if completion.candidates.len() == 1 { Offer::Done } else { Offer::Several(completion) }
    }

    /// Goes on to the next candidate, or the one before.
    pub(super) fn step(&mut self, line: &mut InputLine, backwards: bool) {
        let count = self.candidates.len();
        self.at = if backwards { self.at + count - 1 } else { self.at + 1 } % count.max(1);
        self.put(line);
    }

    /// Puts back what was typed.
    pub(super) fn undo(&self, line: &mut InputLine) {
        line.replace_before(self.start, &self.typed);
    }

    /// The candidates, and which of them is in the line.
    pub(super) fn candidates(&self) -> (&[String], usize) {
        (&self.candidates, self.at)
    }

    fn put(&self, line: &mut InputLine) {
        if let Some(candidate) = self.candidates.get(self.at) {
            line.replace_before(self.start, &format!("{candidate}{}", self.after));
        }
    }

    fn find(before: &str, view: &View) -> Option<Self> {
        // A space with a backslash before it is within a path.
        let mut spaces = before.char_indices().rev().filter(|(at, letter)| {
            letter.is_whitespace() && !before.get(..*at).is_some_and(|head| head.ends_with('\\'))
        });
        let start = spaces.next().map_or(0, |(at, space)| at + space.len_utf8());
        let typed = before.get(start..)?;
        let (candidates, after) = candidates(before.get(..start)?, typed, view);
        (!candidates.is_empty()).then(|| Self {
            start,
            typed: typed.to_owned(),
            candidates,
            after,
            at: 0,
        })
    }
}

/// What Tab did.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offer {
    /// Nothing fits.
    Nothing,
    /// One thing fits, and is in the line.
    Done,
    /// Several fit; the first is in the line.
    Several(Completion),
}

fn candidates(before: &str, typed: &str, view: &View) -> (Vec<String>, &'static str) {
    if before.is_empty() && typed.starts_with('/') && !typed.starts_with("//") {
        let names = command::offered(view.visits).into_iter().map(|(name, ..)| format!("/{name}"));
        return (beginning(names, typed), " ");
    }
    match argument(before) {
        Some(Argument::New) => (Vec::new(), ""),
        Some(Argument::User | Argument::Users) => {
            let users = people(view).filter(|name| !name.starts_with('~'));
            (beginning(users, bare(typed)), " ")
        }
        Some(Argument::Person) => (beginning(people(view), bare(typed)), " "),
        Some(Argument::Channel) => {
            let typed = format!("#{}", typed.trim_start_matches('#'));
            (beginning(conversations(view), &typed), " ")
        }
        Some(Argument::Word(words)) => {
            (beginning(words.iter().map(|word| (*word).to_owned()), typed), " ")
        }
        Some(Argument::Paths) => {
            let found = super::paths::beginning(typed);
            let names = beginning(people(view).chain(conversations(view)), typed);
            let first = before.split_whitespace().count() == 1 && !typed.is_empty();
            let names =
                names.into_iter().filter(|_| first).filter(|name| !name.starts_with(['#', '~']));
            (found.into_iter().chain(names).collect(), "")
        }
        Some(Argument::Text) => in_text(typed, view, " "),
        None if before.starts_with('/') && !before.starts_with("//") => (Vec::new(), ""),
        None => in_text(typed, view, if before.is_empty() { ": " } else { " " }),
    }
}

fn in_text(typed: &str, view: &View, after: &'static str) -> (Vec<String>, &'static str) {
    match typed {
        "" => (Vec::new(), ""),
        _ if typed.starts_with(['#', '+']) => (beginning(conversations(view), typed), " "),
        _ => (beginning(people(view), bare(typed)), after),
    }
}

/// What kind of argument follows the words `before`, if they begin with a command that takes one.
fn argument(before: &str) -> Option<Argument> {
    let mut words = before.strip_prefix('/')?.split_whitespace();
    let entry = command::find(&words.next()?.to_lowercase())?;
    match entry.arguments.get(words.count()) {
        Some(argument) => Some(*argument),
        None => {
            let repeats = |last: &Argument| {
                matches!(last, Argument::Text | Argument::Users | Argument::Paths)
            };
            entry.arguments.last().copied().filter(repeats)
        }
    }
}

fn bare(typed: &str) -> &str {
    typed.strip_prefix('@').unwrap_or(typed)
}

fn beginning(names: impl Iterator<Item = String>, typed: &str) -> Vec<String> {
    let typed = typed.to_lowercase();
    let mut found = Vec::new();
    for name in names.filter(|name| name.to_lowercase().starts_with(&typed)) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// The most recent speakers first, then everybody by name.
fn people(view: &View) -> impl Iterator<Item = String> {
    let speakers = view.lines.iter().rev().filter_map(|line| match &line.what {
        LineKind::Message(message) if !message.own => Some(message.sender.clone()),
        _ => None,
    });
    let mut others: Vec<_> = view.people.iter().map(|person| person.name.clone()).collect();
    others.sort();
    let own = view.status.own_name.clone();
    speakers.chain(others).filter(move |name| *name != own)
}

fn conversations(view: &View) -> impl Iterator<Item = String> {
    view.conversations.iter().map(|conversation| conversation.name.clone())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use crate::ui::sample;

    /// What each of `tabs` Tabs makes of the line.
    fn check(typed: &str, expected: &[&str]) {
        check_in(&sample::busy(), typed, expected);
    }

    fn check_in(view: &View, typed: &str, expected: &[&str]) {
        let mut line = InputLine::new(200);
        line.insert(typed);
        let mut shown = Vec::new();
        match Completion::begin(&mut line, view, false) {
            Offer::Nothing => {}
            Offer::Done => shown.push(line.text().to_owned()),
            Offer::Several(mut completion) => {
                for _ in 0..completion.candidates.len() {
                    shown.push(line.text().to_owned());
                    completion.step(&mut line, false);
                }
                assert_eq!(Some(line.text()), shown.first().map(String::as_str), "in a circle");
                completion.undo(&mut line);
                assert_eq!(line.text(), typed);
            }
        }
        assert_eq!(shown, expected, "{typed}");
    }

    #[test]
    fn guests() {
        let view = sample::classroom();
        check_in(&view, "/msg ~", &["/msg ~abcdefgh23456722 "]);
        check_in(&view, "hi ~a", &["hi ~abcdefgh23456722 "]);
        check_in(&view, "/kick ~", &[]);
        check_in(&view, "/guests o", &["/guests on ", "/guests off "]);
    }

    #[test]
    fn words() {
        check("/inv", &["/invite "]);
        check("/l", &["/list ", "/leave "]);
        check("/m", &["/msg ", "/members "]);
        check("/invite da", &["/invite dave "]);
        check("/invite @da", &["/invite dave "]);
        check("/invite dave car", &["/invite dave carol "]);
        check("/group b", &[]);
        check("/group team car", &["/group team carol "]);
        check("/msg da", &["/msg dave "]);
        check("/msg dave hi b", &["/msg dave hi bob "]);
        check("see +", &["see +team "]);
        check("/join de", &["/join #dev "]);
        check("/create #new inv", &["/create #new invitation "]);
        check("/verify bob ", &["/verify bob yes "]);
        check("/list ", &[]);
        check("/all hi b", &["/all hi bob "]);
        check("car", &["carol: "]);
        check("hi CAR", &["hi carol "]);
        check("see #d", &["see #dev "]);
        check("", &[]);
        check("zzz", &[]);
        check("/zzz b", &[]);
    }
}
