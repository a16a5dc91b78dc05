//! Breaks a line into rows by display width: between words where that is possible, between
//! user-perceived characters where it is not. It leaves out hyphenation and the finer rules of
//! UAX #14: a terminal's readers expect breaks at spaces.

use super::safe_text::{SafeLine, graphemes, width};

/// Columns that a wrapped line has: the first row may be shorter, because a name stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Columns of the first row; 0 leaves it empty.
    pub(super) first: usize,
    /// Columns of the other rows, at least 1.
    pub(super) rest: usize,
}

impl Room {
    /// The same width for every row.
    pub(super) fn all(columns: usize) -> Self {
        Self { first: columns, rest: columns }
    }
}

/// The line's rows; at least one. No row is wider than its room; a character that is wider than a
/// whole row is shown as `…`.
pub(super) fn wrap(line: &SafeLine, room: Room) -> Vec<SafeLine> {
    let mut rows = Rows { room, done: Vec::new(), row: String::new(), used: 0, soft: true };
    for word in words(line.as_str()) {
        rows.push_word(word);
    }
    rows.finish()
}

struct Rows {
    room: Room,
    done: Vec<SafeLine>,
    row: String,
    used: usize,
    /// Whether the row was opened by a break between words, so that spaces at its start are dropped.
    soft: bool,
}

impl Rows {
    fn room(&self) -> usize {
        if self.done.is_empty() { self.room.first } else { self.room.rest.max(1) }
    }

    fn left(&self) -> usize {
        self.room().saturating_sub(self.used)
    }

    /// Whether another row would have more room than what is left of this one.
    fn may_break(&self) -> bool {
        self.used > 0 || (self.done.is_empty() && self.room.first < self.room.rest.max(1))
    }

    fn push_word(&mut self, word: &str) {
        let columns = width(word);
        let blank = word.bytes().all(|byte| byte == b' ');
        if blank && self.used == 0 && !self.done.is_empty() && self.soft {
            return;
        }
        if columns <= self.left() {
            return self.push(word, columns);
        }
        if blank {
            return self.break_row(true);
        }
        let fits_a_row = columns <= self.room.rest.max(1);
        let room_is_poor = self.left() < columns.min(self.room.rest / 3);
        if self.may_break() && (fits_a_row || room_is_poor) {
            self.break_row(true);
        }
        self.push_pieces(word);
    }

    fn push_pieces(&mut self, word: &str) {
        for grapheme in graphemes(word) {
            let columns = width(grapheme);
            if columns > self.left() && self.may_break() {
                self.break_row(false);
            }
            if columns > self.left() {
                self.push("…", 1);
            } else {
                self.push(grapheme, columns);
            }
        }
    }

    fn push(&mut self, text: &str, columns: usize) {
        self.row.push_str(text);
        self.used += columns;
    }

    fn break_row(&mut self, soft: bool) {
        let row = std::mem::take(&mut self.row);
        self.done.push(SafeLine::piece(row.trim_end_matches(' ')));
        self.used = 0;
        self.soft = soft;
    }

    fn finish(mut self) -> Vec<SafeLine> {
        if self.used > 0 || self.done.is_empty() {
            self.break_row(true);
        }
        self.done
    }
}

/// Splits into words and runs of spaces; wide characters, which are written without spaces, are
/// words of their own.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut end = 0;
        let mut blank = None;
        for grapheme in graphemes(rest) {
            let is_wide = width(grapheme) > 1;
            let is_blank = grapheme == " ";
            if end > 0 && (is_wide || blank != Some(is_blank)) {
                break;
            }
            blank = Some(is_blank);
            end += grapheme.len();
            if is_wide {
                break;
            }
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some(word)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, first: usize, rest: usize, expected: &[&str]) {
        let rows = wrap(&SafeLine::name(text), Room { first, rest });
        let rows: Vec<_> = rows.iter().map(SafeLine::as_str).collect();
        assert_eq!(rows, expected, "{text:?} in {first}, {rest}");
    }

    #[test]
    fn rows() {
        check("", 5, 5, &[""]);
        check("hello", 5, 5, &["hello"]);
        check("hello world", 5, 5, &["hello", "world"]);
        check("hello world", 7, 7, &["hello", "world"]);
        check("hello   world", 5, 5, &["hello", "world"]);
        check("  code stays", 6, 20, &["  code", "stays"]);
        check("incomprehensible", 5, 5, &["incom", "prehe", "nsibl", "e"]);
        check("an incomprehensible", 10, 10, &["an incompr", "ehensible"]);
        check("漢字漢字", 5, 5, &["漢字", "漢字"]);
        check("漢字", 1, 1, &["…", "…"]);
        check("ab", 1, 1, &["a", "b"]);
        check("👩‍👩‍👧‍👦👩‍👩‍👧‍👦", 3, 3, &["👩‍👩‍👧‍👦", "👩‍👩‍👧‍👦"]);
        check("e\u{301}e\u{301}", 1, 1, &["e\u{301}", "e\u{301}"]);
        check("hello", 0, 5, &["", "hello"]);
        check("hello you", 2, 5, &["", "hello", "you"]);
        check("a b", 0, 0, &["", "a", "b"]);
    }

    proptest! {
        #[test]
        fn no_row_is_too_wide_and_nothing_is_lost(text in "[ a漢é👍\u{301}-\u{303}bש]{0,40}", first in 0usize..12, rest in 1usize..12) {
            let line = SafeLine::name(&text);
            let rows = wrap(&line, Room { first, rest });
            for (index, row) in rows.iter().enumerate() {
                let room = if index == 0 { first } else { rest };
                prop_assert!(row.width() <= room, "{row:?}");
            }
            if rest > 1 {
                let shown: String = rows.iter().map(SafeLine::as_str).collect();
                prop_assert_eq!(shown.replace(' ', ""), line.as_str().replace(' ', ""));
            }
        }
    }
}
