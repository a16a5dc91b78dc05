//! What was sent before, for Up and Down. It lives as long as the program: texts that were sent
//! encrypted do not lie in a file of their own.

use super::input::InputLine;

/// Lines that the history keeps; as many as anybody scrolls through by hand.
const HISTORY_LINES: usize = 500;

/// What was sent before, and the draft that was left to look at it.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: Vec<String>,
    /// How far back, 1 for the newest.
    back: usize,
    draft: String,
}

impl History {
    /// Remembers a line; the same line twice counts once.
    pub(super) fn remember(&mut self, line: &str) {
        self.back = 0;
        self.draft.clear();
        if self.lines.last().is_some_and(|last| last == line) {
            return;
        }
        if self.lines.len() >= HISTORY_LINES {
            self.lines.remove(0);
        }
        self.lines.push(line.to_owned());
    }

    /// Shows the next older entry.
    pub(super) fn older(&mut self, line: &mut InputLine) {
        let Some(index) = self.lines.len().checked_sub(self.back + 1) else {
            return;
        };
        if self.back == 0 {
            self.draft = line.text().to_owned();
        }
        self.back += 1;
        line.set(self.lines.get(index).map_or("", String::as_str));
    }

    /// Shows the next newer entry, and the draft at the end.
    pub(super) fn newer(&mut self, line: &mut InputLine) {
        match self.back {
            0 => {}
            1 => {
                self.back = 0;
                line.set(&std::mem::take(&mut self.draft));
            }
            back => {
                self.back = back - 1;
                let index = self.lines.len().saturating_sub(self.back);
                line.set(self.lines.get(index).map_or("", String::as_str));
            }
        }
    }

    /// What is typed now is a draft of its own.
    pub(super) fn leave(&mut self) {
        self.back = 0;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_history_keeps_the_draft() {
        let mut history = History::default();
        let mut line = InputLine::new(100);
        line.insert("draft");
        history.older(&mut line);
        assert_eq!(line.text(), "draft");
        ["one", "two", "two"].iter().for_each(|text| history.remember(text));
        for (older, expected) in [
            (true, "two"),
            (true, "one"),
            (true, "one"),
            (false, "two"),
            (false, "draft"),
            (false, "draft"),
        ] {
            if older {
                history.older(&mut line)
            } else {
                history.newer(&mut line)
            }
            assert_eq!(line.text(), expected);
        }
    }
}
