//! Which rows of a conversation are in sight. The position is held by a line's key, so that it
//! stays where the reader left it, whatever arrives below or is loaded above. Keys only wish; the
//! wish is granted when the pane is drawn and its width is known. It leaves out drawing.

use super::view::{Line, LineKey};

/// The reader's position in one conversation; by default at the newest line.
#[derive(Debug, Default)]
pub(super) struct Scroll {
    held: Option<Held>,
    wish: Option<Wish>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    /// The lowest line in sight.
    line: LineKey,
    /// How many of its rows are below the pane.
    hidden: usize,
    /// The newest line when the reader began to scroll.
    newest: LineKey,
}

/// Where the reader wants to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// A page of older lines.
    PageUp,
    /// A page of newer lines.
    PageDown,
    /// The oldest line.
    Oldest,
    /// The newest line.
    Newest,
}

/// The lowest line in sight and how many of its rows are below the pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) hidden: usize,
}

/// What is in sight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) position: Position,
    /// Rows for lines: one less than the pane has where lines are below, to say so.
    pub(super) height: usize,
    /// Whether the oldest line is in sight.
    pub(super) is_oldest: bool,
    /// Whether lines are below the pane.
    pub(super) has_below: bool,
    /// How many of them came while the reader was away.
    pub(super) new_below: usize,
}

impl Scroll {
    /// Asks for another position; granted by the next `settle`.
    pub(super) fn wish(&mut self, wish: Wish) {
        self.wish = Some(wish);
    }

    /// Whether the newest line is in sight.
    pub(super) fn is_newest(&self) -> bool {
        self.held.is_none()
    }

    /// Grants what was wished for, in a pane of `height` rows, where line `index` takes
    /// `rows(index)`. `None`: there are no lines.
    pub(super) fn settle(
        &mut self,
        lines: &[Line],
        height: usize,
        rows: impl Fn(usize) -> usize,
    ) -> Option<Sight> {
        let newest = lines.last()?.key;
        let height = height.max(1);
        let mut walk = Walk { lines: lines.len(), height, rows };
        let fits = walk.up(walk.bottom(), height).is_none();
        walk.height = height.saturating_sub(1).max(1);
        let here = self.held.and_then(|held| {
            let line = lines.iter().rposition(|line| line.key == held.line)?;
            Some(Position { line, hidden: held.hidden.min((walk.rows)(line).saturating_sub(1)) })
        });
        let position = match (self.wish.take(), here) {
            _ if fits => walk.bottom(),
            (wish, here) => walk.go(here.unwrap_or(walk.bottom()), wish),
        };
        let has_below = position != walk.bottom();
        let height = if has_below { walk.height } else { height };
        let began = self.held.map_or(newest, |held| held.newest);
        self.held = match (has_below, lines.get(position.line)) {
            (true, Some(line)) => {
                Some(Held { line: line.key, hidden: position.hidden, newest: began })
            }
            _ => None,
        };
        let new_below = lines.iter().rev().take_while(|line| line.key != began).count();
        Some(Sight {
            position,
            height,
            is_oldest: walk.up(position, height).is_none(),
            has_below,
            new_below: if has_below { new_below } else { 0 },
        })
    }
}

struct Walk<Rows> {
    lines: usize,
    height: usize,
    rows: Rows,
}

impl<Rows: Fn(usize) -> usize> Walk<Rows> {
    fn bottom(&self) -> Position {
        Position { line: self.lines.saturating_sub(1), hidden: 0 }
    }

    /// The position at which the oldest row is the pane's first.
    fn top(&self) -> Position {
        self.down(Position { line: 0, hidden: (self.rows)(0) }, self.height)
    }

    /// Two rows stay in sight from page to page, so that the eye finds its place.
    fn page(&self) -> usize {
        self.height.saturating_sub(2).max(1)
    }

    fn go(&self, here: Position, wish: Option<Wish>) -> Position {
        let there = match wish {
            None => here,
            Some(Wish::PageUp) => self.up(here, self.page()).unwrap_or(self.top()),
            Some(Wish::PageDown) => self.down(here, self.page()),
            Some(Wish::Oldest) => self.top(),
            Some(Wish::Newest) => self.bottom(),
        };
        match self.up(there, self.height - 1) {
            Some(_) => there,
            None => self.top().max(there),
        }
    }

    /// So many rows up; `None` past the oldest row.
    fn up(&self, from: Position, rows: usize) -> Option<Position> {
        let (mut line, mut hidden) = (from.line, from.hidden + rows);
        loop {
            let all = (self.rows)(line);
            if hidden < all {
                return Some(Position { line, hidden });
            }
            hidden -= all;
            line = line.checked_sub(1)?;
        }
    }

    /// So many rows down, at most to the newest.
    fn down(&self, from: Position, rows: usize) -> Position {
        let (mut at, mut left) = (from, rows);
        while left > at.hidden {
            if at.line + 1 >= self.lines {
                return self.bottom();
            }
            left -= at.hidden;
            at = Position { line: at.line + 1, hidden: (self.rows)(at.line + 1) };
        }
        Position { line: at.line, hidden: at.hidden - left }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use super::Wish::*;
    use super::*;
    use crate::ui::sample;
    use crate::ui::view::LineKind;

    fn lines(range: std::ops::Range<u64>) -> Vec<Line> {
        let gap = LineKind::Gap { missing: None };
        range.map(|key| sample::line(key, 0, gap.clone())).collect()
    }

    /// Ten lines of two rows in a pane of six, of which one row is for the hint.
    #[test]
    fn wishes() {
        let lines = lines(0..10);
        for (wishes, expected) in [
            (&[][..], (9, 0)),
            (&[PageUp], (8, 1)),
            (&[PageUp, PageUp], (6, 0)),
            (&[PageUp, PageDown], (9, 0)),
            (&[Oldest], (2, 1)),
            (&[Oldest, PageDown], (3, 0)),
            (&[Oldest, PageUp], (2, 1)),
            (&[Oldest, Newest], (9, 0)),
        ] {
            let mut scroll = Scroll::default();
            let mut sight = scroll.settle(&lines, 6, |_| 2).unwrap();
            for wish in wishes {
                scroll.wish(*wish);
                sight = scroll.settle(&lines, 6, |_| 2).unwrap();
            }
            assert_eq!((sight.position.line, sight.position.hidden), expected, "{wishes:?}");
            assert_eq!(
                sight.is_oldest,
                wishes.last() == Some(&Oldest) || wishes == [Oldest, PageUp]
            );
            assert_eq!(scroll.is_newest(), !sight.has_below);
        }
    }

    #[test]
    fn the_position_holds() {
        let mut scroll = Scroll::default();
        scroll.wish(PageUp);
        let before = scroll.settle(&lines(10..20), 5, |_| 2).unwrap();
        let after = scroll.settle(&lines(0..23), 5, |_| 2).unwrap();
        assert_eq!(before.new_below, 0);
        assert_eq!(after.new_below, 3);
        assert_eq!(after.position, Position { line: 18, hidden: before.position.hidden });
        let wider = scroll.settle(&lines(0..23), 5, |_| 1).unwrap();
        assert_eq!(wider.position, Position { line: 18, hidden: 0 });
    }

    #[test]
    fn few_lines_do_not_scroll() {
        for wish in [PageUp, PageDown, Oldest, Newest] {
            let mut scroll = Scroll::default();
            assert_eq!(scroll.settle(&[], 5, |_| 2), None);
            scroll.wish(wish);
            let sight = scroll.settle(&lines(0..2), 4, |_| 2).unwrap();
            assert_eq!(sight.position, Position { line: 1, hidden: 0 }, "{wish:?}");
            assert!(sight.is_oldest && !sight.has_below && sight.height == 4);
        }
    }
}
