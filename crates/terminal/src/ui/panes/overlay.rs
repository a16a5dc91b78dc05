//! What lies over the chat: the help, made from the tables of keys and commands, and dialogs.

use super::row::Row;
use crate::ui::command;
use crate::ui::keys::BINDINGS;
use crate::ui::safe_text::SafeLine;
use crate::ui::theme::Theme;
use crate::ui::view::{Dialog, Level};
use crate::ui::wrap::{Room, wrap};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::widgets::{Block, Clear, Widget as _};

/// Columns of an overlay where there is room.
const WIDTH: u16 = 72;

/// Columns of what stands before an explanation in the help.
const TERM_COLUMNS: usize = 22;

/// Draws the help, for visitors of a classroom what they can do; `above` rows are scrolled out, at most as many as there
/// are to scroll. Returns how many.
pub(in crate::ui) fn help(
    (above, visits): (usize, bool),
    theme: Theme,
    buffer: &mut Buffer,
    screen: Rect,
) -> usize {
    let inside = frame("Help", screen, usize::from(screen.height), theme, buffer);
    let rows = help_rows(visits, theme, usize::from(inside.width));
    let height = usize::from(inside.height);
    let above = above.min(rows.len().saturating_sub(height));
    for (row, line) in (0..inside.height).zip(rows.iter().skip(above)) {
        line.draw(buffer, inside, row);
    }
    let foot = match rows.len() > height {
        true => " PageUp, PageDown: scroll · Esc: close ",
        false => " Esc: close ",
    };
    caption(foot, theme, buffer, inside);
    above
}

/// What stands beside names and messages, and what it means.
const MARKS: [(&str, &str); 11] = [
    ("bob✓", "verified: you compared safety numbers"),
    ("bob", "not verified: trusted since the first contact"),
    (
        "~abcd…?",
        "a guest, not bound: a classroom key, no account; its words may come from elsewhere",
    ),
    ("bob!", "something is wrong; it says what"),
    ("●  ○", "is here, is not here"),
    ("»", "names you"),
    ("╭", "the message below answers this one"),
    ("+", "reactions, and how many gave each"),
    ("×", "was deleted by its author"),
    ("…", "on its way to the server"),
    ("⟦U+202E⟧  ␛", "a hidden character that somebody sent, shown by its number"),
];

/// Those that a visitor never sees.
const MARKS_OF_ACCOUNTS: [&str; 6] = ["bob✓", "bob", "bob!", "╭", "+", "×"];

fn help_rows(visits: bool, theme: Theme, width: usize) -> Vec<Row> {
    let heading = |text| Row::new().own(text, theme.strong());
    let mut rows = vec![heading("Commands")];
    for (_, usage, help) in command::offered(visits) {
        rows.extend(term(usage, help, theme, width));
    }
    rows.extend(term("//TEXT", "say a text that begins with /", theme, width));
    rows.extend([Row::new(), heading("Keys")]);
    for binding in BINDINGS.iter().filter(|binding| !binding.shown.is_empty()) {
        rows.extend(term(binding.shown, binding.help, theme, width));
    }
    rows.extend([Row::new(), heading("Marks")]);
    let is_seen = |mark: &&str| !visits || !MARKS_OF_ACCOUNTS.contains(mark);
    for (mark, meaning) in MARKS.iter().filter(|(mark, _)| is_seen(mark)) {
        rows.extend(term(mark, meaning, theme, width));
    }
    rows
}

/// A term and its explanation, side by side where there is room.
fn term(term: &'static str, meaning: &'static str, theme: Theme, width: usize) -> Vec<Row> {
    let head = Row::new().own("  ", theme.text()).own(term, theme.text());
    let indent = if width < 2 * TERM_COLUMNS { 4 } else { TERM_COLUMNS };
    let texts = wrap(&SafeLine::own(meaning), Room::all(width.saturating_sub(indent).max(1)));
    let texts = texts.into_iter().map(|text| Row::new().safe(text, theme.faint()));
    let mut rows = Vec::new();
    if head.width() < indent {
        rows.push(head.fill(indent, 0, theme.text()));
    } else {
        rows.extend([head, Row::new().gap(indent, theme.text())]);
    }
    for (index, text) in texts.enumerate() {
        match rows.pop() {
            Some(row) if index == 0 => rows.push(row.and(text)),
            last => {
                rows.extend(last);
                rows.push(Row::new().gap(indent, theme.text()).and(text));
            }
        }
    }
    rows
}

/// Draws a dialog.
pub(in crate::ui) fn dialog(dialog: &Dialog, theme: Theme, buffer: &mut Buffer, screen: Rect) {
    let style = match dialog.level {
        Level::Info => theme.text(),
        Level::Warning => theme.warning(),
        Level::Alarm => theme.failure(),
    };
    let width = usize::from(WIDTH.min(screen.width)).saturating_sub(4).max(1);
    let body = dialog.body.iter().flat_map(|text| SafeLine::body(text));
    let rows: Vec<_> = body.flat_map(|line| wrap(&line, Room::all(width))).collect();
    let inside = frame(&dialog.title, screen, rows.len() + 2, theme, buffer);
    for (row, text) in (0..inside.height).zip(rows) {
        Row::new().safe(text, style).draw(buffer, inside, row);
    }
    let foot = match &dialog.yes {
        Some(yes) => format!(" y: {yes} · n: no "),
        None => " Esc: close ".to_owned(),
    };
    caption(&foot, theme, buffer, inside);
}

/// A frame in the middle of the screen, `rows` high if there is room; returns its inside.
pub(in crate::ui) fn frame(
    title: &str,
    screen: Rect,
    rows: usize,
    theme: Theme,
    buffer: &mut Buffer,
) -> Rect {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(screen.height);
    let width = WIDTH.min(screen.width);
    let area = Rect {
        x: screen.x + (screen.width - width) / 2,
        y: screen.y + (screen.height - rows) / 2,
        width,
        height: rows,
    };
    clear(buffer, screen, area);
    let block = Block::bordered().border_style(theme.faint());
    let inside = block.inner(area);
    block.render(area, buffer);
    let title = SafeLine::name(title).cut(usize::from(width.saturating_sub(6)));
    let top = Rect { x: area.x + 2.min(width), width: width.saturating_sub(4), ..area };
    Row::new()
        .own(" ", theme.text())
        .safe(title, theme.strong())
        .own(" ", theme.text())
        .draw(buffer, top, 0);
    Rect { x: inside.x + 1.min(inside.width), width: inside.width.saturating_sub(2), ..inside }
}

/// Clears an area. A wide character that it would halve goes altogether.
fn clear(buffer: &mut Buffer, screen: Rect, area: Rect) {
    for row in area.y..area.bottom() {
        let Some(left) = area.x.checked_sub(1).filter(|left| *left >= screen.x) else {
            break;
        };
        let is_wide = |cell: &&mut Cell| SafeLine::name(cell.symbol()).width() > 1;
        if let Some(cell) = buffer.cell_mut((left, row)).filter(is_wide) {
            cell.set_symbol(" ");
        }
    }
    Clear.render(area, buffer);
}

/// Words in the lower edge of a frame.
fn caption(text: &str, theme: Theme, buffer: &mut Buffer, inside: Rect) {
    let text = SafeLine::name(text).cut(usize::from(inside.width));
    let area = Rect { y: inside.bottom(), height: 1, ..inside };
    if buffer.area.contains(area.as_position()) {
        Row::new().safe(text, theme.faint()).draw(buffer, area, 0);
    }
}
