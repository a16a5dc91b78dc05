//! The keys: one table with a row for each, from which the dispatch and the help are made. Several
//! keys may share one line of the help; the first of them carries it.

use super::input::Edit;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What a key means in the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Send the line, or obey it.
    Send,
    /// The next candidate of the completion.
    Complete,
    /// The candidate before.
    CompleteBack,
    /// Close what is open, or return to the newest line.
    Dismiss,
    /// Leave, when pressed twice.
    Quit,
    /// Leave if the line is empty, else delete a character.
    QuitOrDelete,
    /// A page of older lines.
    PageUp,
    /// A page of newer lines.
    PageDown,
    /// The oldest line.
    Oldest,
    /// The newest line.
    Newest,
    /// The conversation above.
    Previous,
    /// The conversation below.
    Next,
    /// The next conversation with something unread.
    NextUnread,
    /// Show or hide the keys and commands.
    Help,
    /// Show or hide the people.
    People,
    /// Show or hide the conversations.
    Conversations,
    /// Draw everything again.
    Redraw,
    /// Change the line.
    Edit(Edit),
}

/// A row of the key table.
#[derive(Debug)]
pub struct Binding {
    /// The key.
    pub code: KeyCode,
    /// What is held down with it.
    pub modifiers: KeyModifiers,
    /// What it means.
    pub meaning: Meaning,
    /// The keys as the help shows them; "" where another row speaks for this one.
    pub shown: &'static str,
    /// What they do, in words.
    pub help: &'static str,
}

const NONE: KeyModifiers = KeyModifiers::NONE;
const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
const ALT: KeyModifiers = KeyModifiers::ALT;
const SHIFT: KeyModifiers = KeyModifiers::SHIFT;

const fn row(
    code: KeyCode,
    modifiers: KeyModifiers,
    meaning: Meaning,
    shown: &'static str,
    help: &'static str,
) -> Binding {
    Binding { code, modifiers, meaning, shown, help }
}

const fn same(code: KeyCode, modifiers: KeyModifiers, meaning: Meaning) -> Binding {
    row(code, modifiers, meaning, "", "")
}

/// All keys, in the order of the help. Besides: Alt-1 to Alt-9 open a conversation by its place.
#[rustfmt::skip]
pub static BINDINGS: &[Binding] = &[
    row(KeyCode::F(1), NONE, Meaning::Help, "F1", "keys and commands"),
    row(KeyCode::F(2), NONE, Meaning::People, "F2 F3", "show or hide people, conversations"),
    same(KeyCode::F(3), NONE, Meaning::Conversations),
    row(KeyCode::Enter, NONE, Meaning::Send, "Enter", "send"),
    row(KeyCode::Enter, ALT, Meaning::Edit(Edit::Newline), "Alt-Enter, Ctrl-J", "a new line in the message"),
    same(KeyCode::Char('j'), CONTROL, Meaning::Edit(Edit::Newline)),
    row(KeyCode::Tab, NONE, Meaning::Complete, "Tab, Shift-Tab", "complete a command, name or channel"),
    same(KeyCode::BackTab, NONE, Meaning::CompleteBack),
    row(KeyCode::Up, ALT, Meaning::Previous, "Alt-Up, Alt-Down", "switch conversation; also Ctrl-P, Ctrl-N"),
    same(KeyCode::Down, ALT, Meaning::Next),
    same(KeyCode::Char('p'), CONTROL, Meaning::Previous),
    same(KeyCode::Char('n'), CONTROL, Meaning::Next),
    row(KeyCode::Null, ALT, Meaning::Next, "Alt-1 … Alt-9", "open a conversation by its place"),
    row(KeyCode::Char('a'), ALT, Meaning::NextUnread, "Alt-A", "next conversation with something unread"),
    row(KeyCode::PageUp, NONE, Meaning::PageUp, "PageUp, PageDown", "scroll"),
    same(KeyCode::PageDown, NONE, Meaning::PageDown),
    row(KeyCode::Home, CONTROL, Meaning::Oldest, "Ctrl-Home, Ctrl-End", "to the oldest, newest line"),
    same(KeyCode::Home, ALT, Meaning::Oldest),
    same(KeyCode::End, CONTROL, Meaning::Newest),
    same(KeyCode::End, ALT, Meaning::Newest),
    row(KeyCode::Esc, NONE, Meaning::Dismiss, "Esc", "close; back to the newest line"),
    row(KeyCode::Up, NONE, Meaning::Edit(Edit::Up), "Up, Down", "what you sent before"),
    same(KeyCode::Down, NONE, Meaning::Edit(Edit::Down)),
    row(KeyCode::Home, NONE, Meaning::Edit(Edit::Home), "Ctrl-A, Ctrl-E", "start, end of the line"),
    same(KeyCode::End, NONE, Meaning::Edit(Edit::End)),
    same(KeyCode::Char('a'), CONTROL, Meaning::Edit(Edit::Home)),
    same(KeyCode::Char('e'), CONTROL, Meaning::Edit(Edit::End)),
    row(KeyCode::Char('b'), ALT, Meaning::Edit(Edit::WordLeft), "Alt-B, Alt-F", "back, forward by a word"),
    same(KeyCode::Char('f'), ALT, Meaning::Edit(Edit::WordRight)),
    same(KeyCode::Left, CONTROL, Meaning::Edit(Edit::WordLeft)),
    same(KeyCode::Right, CONTROL, Meaning::Edit(Edit::WordRight)),
    same(KeyCode::Left, ALT, Meaning::Edit(Edit::WordLeft)),
    same(KeyCode::Right, ALT, Meaning::Edit(Edit::WordRight)),
    row(KeyCode::Char('u'), CONTROL, Meaning::Edit(Edit::CutToStart), "Ctrl-U, Ctrl-K", "cut to the start, end"),
    same(KeyCode::Char('k'), CONTROL, Meaning::Edit(Edit::CutToEnd)),
    row(KeyCode::Char('w'), CONTROL, Meaning::Edit(Edit::CutWordBefore), "Ctrl-W, Alt-D", "cut a word before, after"),
    same(KeyCode::Char('d'), ALT, Meaning::Edit(Edit::CutWordAfter)),
    same(KeyCode::Backspace, ALT, Meaning::Edit(Edit::CutWordBefore)),
    row(KeyCode::Char('y'), CONTROL, Meaning::Edit(Edit::Yank), "Ctrl-Y", "insert what was cut"),
    same(KeyCode::Left, NONE, Meaning::Edit(Edit::Left)),
    same(KeyCode::Right, NONE, Meaning::Edit(Edit::Right)),
    same(KeyCode::Char('b'), CONTROL, Meaning::Edit(Edit::Left)),
    same(KeyCode::Char('f'), CONTROL, Meaning::Edit(Edit::Right)),
    same(KeyCode::Backspace, NONE, Meaning::Edit(Edit::Backspace)),
    same(KeyCode::Backspace, SHIFT, Meaning::Edit(Edit::Backspace)),
    same(KeyCode::Char('h'), CONTROL, Meaning::Edit(Edit::Backspace)),
    same(KeyCode::Delete, NONE, Meaning::Edit(Edit::Delete)),
    row(KeyCode::Char('l'), CONTROL, Meaning::Redraw, "Ctrl-L", "draw the screen again"),
    row(KeyCode::Char('c'), CONTROL, Meaning::Quit, "Ctrl-C twice", "quit; also Ctrl-D on an empty line"),
    same(KeyCode::Char('d'), CONTROL, Meaning::QuitOrDelete),
];

/// What a key means, or `None` if it is a letter to insert, or nothing.
#[must_use]
pub fn meaning(key: KeyEvent) -> Option<Meaning> {
    let (code, modifiers) = normal(key);
    let is_meant = |row: &&Binding| row.code == code && row.modifiers == modifiers;
    BINDINGS.iter().find(is_meant).map(|row| row.meaning)
}

/// The letter that a key types. Right Alt arrives as Control and Alt together.
#[must_use]
pub fn letter(key: KeyEvent) -> Option<char> {
    let held = key.modifiers & (CONTROL | ALT);
    match key.code {
        KeyCode::Char(letter) if held.is_empty() || held == CONTROL | ALT => Some(letter),
        _ => None,
    }
}

/// The place of a conversation in the list, from 0, that Alt and a digit mean.
#[must_use]
pub fn place(key: KeyEvent) -> Option<usize> {
    match (key.code, key.modifiers) {
        (KeyCode::Char(digit @ '1'..='9'), ALT) => Some(digit as usize - '1' as usize),
        _ => None,
    }
}

/// Terminals differ in whether they report Shift with letters and with Shift-Tab.
fn normal(key: KeyEvent) -> (KeyCode, KeyModifiers) {
    match key.code {
        KeyCode::Char(letter) => {
            (KeyCode::Char(letter.to_ascii_lowercase()), key.modifiers & (CONTROL | ALT))
        }
        KeyCode::Tab if key.modifiers.contains(SHIFT) => (KeyCode::BackTab, NONE),
        KeyCode::BackTab => (KeyCode::BackTab, NONE),
        code => (code, key.modifiers),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_one_thing() {
        for row in BINDINGS {
            let same =
                |other: &&Binding| (other.code, other.modifiers) == (row.code, row.modifiers);
            assert_eq!(BINDINGS.iter().filter(same).count(), 1, "{row:?}");
            assert_eq!(row.shown.is_empty(), row.help.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn letters_and_meanings() {
        for (code, modifiers, expected, typed) in [
            (KeyCode::Char('a'), NONE, None, Some('a')),
            (KeyCode::Char('A'), SHIFT, None, Some('A')),
            (KeyCode::Char('@'), CONTROL | ALT, None, Some('@')),
            (KeyCode::Char('W'), CONTROL | SHIFT, Some(Meaning::Edit(Edit::CutWordBefore)), None),
            (KeyCode::Tab, SHIFT, Some(Meaning::CompleteBack), None),
            (KeyCode::BackTab, SHIFT, Some(Meaning::CompleteBack), None),
            (KeyCode::Char('x'), ALT, None, None),
        ] {
            let key = KeyEvent::new(code, modifiers);
            assert_eq!((meaning(key), letter(key)), (expected, typed), "{key:?}");
        }
        assert_eq!(place(KeyEvent::new(KeyCode::Char('3'), ALT)), Some(2));
    }
}
