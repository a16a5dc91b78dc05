//! The input line: a text, a cursor between its characters, and the editing keys that readline
//! made common. It leaves out what keys mean (`keys.rs`) and what becomes of the text.

use super::safe_text::{SafeLine, graphemes};

/// One change of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character under the cursor.
    Delete,
    /// One character to the left.
    Left,
    /// One character to the right.
    Right,
    /// To the start of the word.
    WordLeft,
    /// To the end of the word.
    WordRight,
    /// To the start of the line.
    Home,
    /// To the end of the line.
    End,
    /// Cut from the cursor to the end of the line.
    CutToEnd,
    /// Cut from the start of the line to the cursor.
    CutToStart,
    /// Cut the word before the cursor.
    CutWordBefore,
    /// Cut the word after the cursor.
    CutWordAfter,
    /// Insert what was cut last.
    Yank,
    /// Begin a new line in the same message.
    Newline,
    /// A line up, or an older entry of the history.
    Up,
    /// A line down, or a newer entry of the history.
    Down,
}

/// A text being typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InputLine {
    text: String,
    /// Byte position between two characters.
    cursor: usize,
    limit: usize,
}

impl InputLine {
    /// An empty line that takes at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    #[must_use]
    pub fn before_cursor(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Replaces everything; the cursor stands at the end.
    pub fn set(&mut self, text: &str) {
        self.text.clear();
        self.cursor = 0;
        self.insert(text);
    }

    /// Takes the text out and leaves the line empty.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts at the cursor, as typed or pasted: line breaks of any system become `\n`, other
    /// control characters but tabs are left out. Returns whether all of it fitted.
    pub fn insert(&mut self, text: &str) -> bool {
        for grapheme in graphemes(&with_newlines(text)) {
            if grapheme.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
                continue;
            }
            if self.text.len() + grapheme.len() > self.limit {
                return false;
            }
            self.text.insert_str(self.cursor, grapheme);
            self.cursor += grapheme.len();
        }
        self.settle();
        true
    }

    /// Replaces the text from byte `start` to the cursor.
    pub(super) fn replace_before(&mut self, start: usize, text: &str) {
        if start <= self.cursor && self.text.is_char_boundary(start) {
            self.text.replace_range(start..self.cursor, "");
            self.cursor = start;
            self.insert(text);
        }
    }

    /// Changes the line. `Up` and `Down` return false where only the history can go on.
    pub fn edit(&mut self, edit: Edit, cut: &mut String) -> bool {
        match edit {
            Edit::Backspace => drop(self.cut_from(self.left())),
            Edit::Delete => drop(self.cut_to(self.right())),
            Edit::Left => self.cursor = self.left(),
            Edit::Right => self.cursor = self.right(),
            Edit::WordLeft => self.cursor = self.word_left(char::is_alphanumeric),
            Edit::WordRight => self.cursor = self.word_right(),
            Edit::Home => self.cursor = self.line_start(),
            Edit::End => self.cursor = self.line_end(),
            Edit::CutToEnd => keep(cut, self.cut_to(self.line_end())),
            Edit::CutToStart => keep(cut, self.cut_from(self.line_start())),
            Edit::CutWordBefore => {
                keep(cut, self.cut_from(self.word_left(|character| !character.is_whitespace())));
            }
            Edit::CutWordAfter => keep(cut, self.cut_to(self.word_right())),
            Edit::Yank => _ = self.insert(cut),
            Edit::Newline => _ = self.insert("\n"),
            Edit::Up => return self.line_up(),
            Edit::Down => return self.line_down(),
        }
        true
    }

    /// The line as rows: `first` columns for the first, `rest` for the others.
    pub(super) fn lay_out(&self, first: usize, rest: usize) -> LaidOut {
        let mut laid = LaidOut { rows: Vec::new(), cursor: (0, 0) };
        let (mut row, mut used, mut position) = (Vec::new(), 0, 0);
        for grapheme in graphemes(&self.text) {
            let shown = SafeLine::name(grapheme);
            let room = if laid.rows.is_empty() { first } else { rest };
            let is_break = grapheme == "\n";
            if !is_break && used + shown.width() > room && used > 0 {
                laid.rows.push(SafeLine::join(&row.iter().collect::<Vec<_>>()));
                (row, used) = (Vec::new(), 0);
            }
            if position == self.cursor {
                laid.cursor = (used, laid.rows.len());
            }
            position += grapheme.len();
            if is_break {
                laid.rows.push(SafeLine::join(&row.iter().collect::<Vec<_>>()));
                (row, used) = (Vec::new(), 0);
            } else {
                used += shown.width();
                row.push(shown);
            }
        }
        if position == self.cursor {
            laid.cursor = (used, laid.rows.len());
        }
        laid.rows.push(SafeLine::join(&row.iter().collect::<Vec<_>>()));
        laid
    }

    /// Puts the cursor between two characters again: what was inserted may have joined.
    fn settle(&mut self) {
        let ends = graphemes(&self.text).scan(0, |end, grapheme| {
            *end += grapheme.len();
            Some(*end)
        });
        let cursor = self.cursor;
        self.cursor = std::iter::once(0).chain(ends).find(|end| *end >= cursor).unwrap_or(0);
    }

    fn after_cursor(&self) -> &str {
        self.text.get(self.cursor..).unwrap_or_default()
    }

    fn left(&self) -> usize {
        self.cursor - graphemes(self.before_cursor()).next_back().map_or(0, str::len)
    }

    fn right(&self) -> usize {
        self.cursor + graphemes(self.after_cursor()).next().map_or(0, str::len)
    }

    fn word_left(&self, is_word: impl Fn(char) -> bool + Copy) -> usize {
        self.before_cursor().trim_end_matches(|c| !is_word(c)).trim_end_matches(is_word).len()
    }

    fn word_right(&self) -> usize {
        let word = self.after_cursor().trim_start_matches(|c: char| !c.is_alphanumeric());
        self.text.len() - word.trim_start_matches(char::is_alphanumeric).len()
    }

    fn line_start(&self) -> usize {
        self.before_cursor().rfind('\n').map_or(0, |position| position + 1)
    }

    fn line_end(&self) -> usize {
        self.cursor + self.after_cursor().find('\n').unwrap_or(self.after_cursor().len())
    }

    fn cut_from(&mut self, start: usize) -> String {
        let cut = self.text.drain(start..self.cursor).collect();
        self.cursor = start;
        self.settle();
        cut
    }

    fn cut_to(&mut self, end: usize) -> String {
        let cut = self.text.drain(self.cursor..end).collect();
        self.settle();
        cut
    }

    fn column(&self) -> usize {
        graphemes(self.text.get(self.line_start()..self.cursor).unwrap_or_default()).count()
    }

    fn line_up(&mut self) -> bool {
        let column = self.column();
        let Some(end) = self.line_start().checked_sub(1) else {
            return false;
        };
        self.cursor = end;
        self.go_to_column(column);
        true
    }

    fn line_down(&mut self) -> bool {
        let column = self.column();
        if self.line_end() == self.text.len() {
            return false;
        }
        self.cursor = self.line_end() + 1;
        self.go_to_column(column);
        true
    }

    fn go_to_column(&mut self, column: usize) {
        let (start, end) = (self.line_start(), self.line_end());
        let line = self.text.get(start..end).unwrap_or_default();
        self.cursor = start + graphemes(line).take(column).map(str::len).sum::<usize>();
    }
}

/// An input line on the screen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LaidOut {
    pub(super) rows: Vec<SafeLine>,
    /// Column and row.
    pub(super) cursor: (usize, usize),
}

/// Line breaks of any system as `\n`. Terminals paste them as `\r`.
pub(super) fn with_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// An empty cut leaves the last one in place.
fn keep(cut: &mut String, text: String) {
    if !text.is_empty() {
        *cut = text;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::Edit::*;
    use super::*;
    use proptest::prelude::*;

    /// A line with its cursor at `|`.
    fn line(text: &str) -> InputLine {
        let (before, after) = text.split_once('|').unwrap();
        InputLine { text: format!("{before}{after}"), cursor: before.len(), limit: 100 }
    }

    fn shown(line: &InputLine) -> String {
        format!("{}|{}", line.before_cursor(), line.after_cursor())
    }

    fn check(text: &str, edits: &[Edit], expected: &str) {
        let (mut line, mut cut) = (line(text), "CUT".to_owned());
        for edit in edits {
            line.edit(*edit, &mut cut);
        }
        assert_eq!(shown(&line), expected, "{text} {edits:?}");
    }

    #[test]
    fn editing() {
        check("ab|c", &[Backspace], "a|c");
        check("|abc", &[Backspace], "|abc");
        check("ab|c", &[Delete], "ab|");
        check("a👩‍👩‍👧|b", &[Backspace], "a|b");
        check("ae\u{301}|b", &[Left], "a|e\u{301}b");
        check("a|漢b", &[Right, Right, Right], "a漢b|");
        check("one two-three|", &[WordLeft], "one two-|three");
        check("one two-three|", &[WordLeft, WordLeft, WordLeft, WordLeft], "|one two-three");
        check("|one two", &[WordRight, WordRight], "one two|");
        check("one\ntw|o", &[Home], "one\n|two");
        check("o|ne\ntwo", &[End], "one|\ntwo");
        check("one| two", &[CutToEnd, Home, Yank], " two|one");
        check("one |two", &[CutToStart, End, Yank], "twoone |");
        check("one two-three |", &[CutWordBefore], "one |");
        check("one| two three", &[CutWordAfter], "one| three");
        check("one|", &[CutToEnd, Yank], "oneCUT|");
        check("one|", &[Newline], "one\n|");
        check("one\ntw|o", &[Up], "on|e\ntwo");
        check("on|e\nt\nthree", &[Down, Down], "one\nt\nt|hree");
    }

    #[test]
    fn pasting() {
        for (text, pasted, expected) in [
            ("a|b", "x\r\ny\rz", "ax\ny\nz|b"),
            ("|", "\x1b[31mred\x07", "[31mred|"),
            ("|", "a\tb", "a\tb|"),
            ("e|x", "\u{301}", "e\u{301}|x"),
        ] {
            let mut line = line(text);
            assert!(line.insert(pasted));
            assert_eq!(shown(&line), expected);
        }
        let mut full = InputLine::new(5);
        assert!(!full.insert("漢字"));
        assert_eq!(full.text(), "漢");
    }

    #[test]
    fn layout() {
        let check = |text: &str, first, rest, rows: &[&str], cursor| {
            let laid = line(text).lay_out(first, rest);
            let shown: Vec<_> = laid.rows.iter().map(SafeLine::as_str).collect();
            assert_eq!((shown.as_slice(), laid.cursor), (rows, cursor), "{text}");
        };
        check("|", 5, 5, &[""], (0, 0));
        check("abc|de", 3, 4, &["abc", "de"], (0, 1));
        check("abc|", 3, 4, &["abc"], (3, 0));
        check("a\n|b", 9, 9, &["a", "b"], (0, 1));
        check("漢|字", 3, 2, &["漢", "字"], (0, 1));
        check("\u{202e}|a", 9, 9, &["⟦U+202E⟧a"], (8, 0));
    }

    proptest! {
        #[test]
        fn the_cursor_stays_between_characters(steps in prop::collection::vec((0usize..17, "[a é漢\u{301}\u{200d}👩\n]{1,3}"), 0..40)) {
            let edits = [Backspace, Delete, Left, Right, WordLeft, WordRight, Home, End, CutToEnd,
                CutToStart, CutWordBefore, CutWordAfter, Yank, Newline, Up, Down];
            let (mut line, mut cut) = (InputLine::new(60), String::new());
            for (step, text) in steps {
                match edits.get(step) {
                    Some(edit) => _ = line.edit(*edit, &mut cut),
                    None => _ = line.insert(&text),
                }
                prop_assert!(line.text.len() <= 60);
                prop_assert!(line.text.is_char_boundary(line.cursor));
                for columns in [1, 2, 7] {
                    let laid = line.lay_out(columns, columns);
                    prop_assert!(laid.cursor.1 < laid.rows.len());
                }
            }
        }
    }
}
