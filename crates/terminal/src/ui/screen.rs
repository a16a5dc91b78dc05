//! The layout of the screen and its drawing:
//!
//! ```text
//! title
//! conversations │ messages │ people
//! status
//! input
//! ```
//!
//! Panes at the sides give way where the messages would become too narrow.

use super::panes::form::Drawing;
use super::panes::messages::{Messages, rule};
use super::panes::row::Row;
use super::panes::{conversations, overlay, people, status, transfers};
use super::safe_text::SafeLine;
use super::scroll::Sight;
use super::state::{Drawn, Overlay, Ui};
use super::view::{FormView, LineKind, View};
use super::wrap::{Room, wrap};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Columns of a pane at the side.
const SIDE_COLUMNS: u16 = 16;

/// Columns of the screen from which the conversations are shown unasked.
const CONVERSATIONS_FROM: u16 = 60;

/// Columns of the screen from which the people are shown unasked.
const PEOPLE_FROM: u16 = 76;

/// Columns that the messages keep, whatever was asked for.
const MESSAGE_COLUMNS: u16 = 20;

/// Rows of the screen from which there is a title.
const TITLE_FROM: u16 = 5;

/// Rows of the screen from which there is a status line.
const STATUS_FROM: u16 = 3;

/// Rows that a long draft takes at most, if a third of the screen has so many.
const INPUT_ROWS: u16 = 8;

/// Rows that an alarm takes at most.
const ALARM_ROWS: u16 = 4;

impl Ui {
    /// Draws everything.
    pub fn render(&mut self, view: &View, frame: &mut Frame<'_>) {
        self.follow(view);
        let screen = frame.area();
        let cursor = self.draw(view, frame.buffer_mut(), screen);
        if let Some(cursor) = cursor.filter(|cursor| screen.contains(*cursor)) {
            frame.set_cursor_position(cursor);
        }
    }

    fn draw(&mut self, view: &View, buffer: &mut Buffer, screen: Rect) -> Option<Position> {
        if screen.is_empty() {
            return None;
        }
        let mut cursor;
        if let (Some(form), Some(form_view)) = (&self.form, &view.form) {
            let (theme, now) = (self.theme, view.now);
            cursor = Drawing { form, view: form_view, theme, now }.draw(buffer, screen);
            if let Some(hint) = &self.hint {
                let rows = status::hint(hint, theme, usize::from(screen.width));
                for (row, hint) in (0..screen.height).rev().zip(rows.iter().rev()) {
                    hint.draw(buffer, screen, row);
                }
            }
        } else {
            cursor = self.draw_chat(view, buffer, screen);
        }
        match &mut self.overlay {
            Overlay::None => {}
            Overlay::Help(above) => {
                *above = overlay::help((*above, view.visits), self.theme, buffer, screen);
                cursor = None;
            }
            Overlay::Password(form) => {
                let (none, now) = (FormView::default(), view.now);
                let view = form.answer(view.given.as_ref()).unwrap_or(&none);
                cursor = Drawing { form, view, theme: self.theme, now }.draw(buffer, screen);
            }
        }
        if let Some(dialog) = &view.dialog {
            overlay::dialog(dialog, self.theme, buffer, screen);
            cursor = None;
        }
        cursor
    }

    fn draw_chat(&mut self, view: &View, buffer: &mut Buffer, screen: Rect) -> Option<Position> {
        let width = usize::from(screen.width);
        let prompt = prompt(view, width);
        let first = width.saturating_sub(prompt.width() + 1).max(1);
        let indent = if width > 20 { 2 } else { 0 };
        let laid = self.place().input.lay_out(first, width.saturating_sub(indent + 1).max(1));
        let wanted = u16::try_from(laid.rows.len()).unwrap_or(u16::MAX);
        let hint = self.hint.as_ref().map(|hint| status::hint(hint, self.theme, width));
        let status = hint.as_ref().map_or(1, Vec::len);
        let parts = Parts::of(screen, wanted.min(INPUT_ROWS), status);
        if parts.title.height > 0 {
            status::title(view, self.theme, width).draw(buffer, parts.title, 0);
        }
        self.draw_body(view, buffer, parts.body);
        let status = hint.unwrap_or_else(|| vec![self.status_row(view, width)]);
        for (row, status) in (0..parts.status.height).zip(status) {
            status.draw(buffer, parts.status, row);
        }
        // The rows around the cursor.
        let above = (laid.cursor.1 + 1).saturating_sub(usize::from(parts.input.height));
        for (row, (index, text)) in
            (0..parts.input.height).zip(laid.rows.iter().enumerate().skip(above))
        {
            let head = Row::new();
            let head = match index {
                0 => head.safe(prompt.clone(), self.theme.strong()),
                _ => head.gap(indent, self.theme.text()),
            };
            head.safe(text.clone(), self.theme.text()).draw(buffer, parts.input, row);
        }
        let before = if laid.cursor.1 == 0 { prompt.width() } else { indent };
        Some(Position {
            x: screen.x + u16::try_from(before + laid.cursor.0).ok()?.min(screen.width - 1),
            y: parts.input.y + u16::try_from(laid.cursor.1 - above).ok()?,
        })
    }

    fn status_row(&self, view: &View, width: usize) -> Row {
        match &self.completion {
            Some(completion) => {
                let (all, at) = completion.candidates();
                status::candidates(all, at, self.theme, width)
            }
            None => status::status(view, self.theme, width, !self.drawn.conversations),
        }
    }

    /// The panes side by side, and the alarm above them.
    fn draw_body(&mut self, view: &View, buffer: &mut Buffer, mut body: Rect) {
        if let Some(alarm) = &view.alarm {
            body = self.draw_alarm(alarm, buffer, body);
        }
        let transfers = transfers::rows(view, body.height);
        let below = Rect { y: body.bottom() - transfers, height: transfers, ..body };
        transfers::draw(view, self.theme, buffer, below);
        body.height -= transfers;
        let panes = self.panes(body);
        self.drawn = Drawn {
            people: panes.people.is_some(),
            conversations: panes.conversations.is_some(),
            ..self.drawn
        };
        if let Some(area) = panes.conversations {
            conversations::draw(view, self.theme, buffer, area);
            self.separator(buffer, Rect { x: area.right(), width: 1, ..area });
        }
        if let Some(area) = panes.people {
            people::draw(view, self.theme, buffer, area);
            self.separator(buffer, Rect { x: area.x - 1, width: 1, ..area });
        }
        self.draw_messages(view, buffer, panes.messages);
        fence(buffer, panes.messages);
    }

    /// Draws the alarm at the top; returns what is left.
    fn draw_alarm(&self, alarm: &str, buffer: &mut Buffer, body: Rect) -> Rect {
        let (width, style) = (usize::from(body.width), self.theme.alarm());
        let text = SafeLine::name(&format!("!! {alarm}"));
        let rows = wrap(&text, Room::all(width.saturating_sub(2).max(1)));
        let wanted = u16::try_from(rows.len()).unwrap_or(u16::MAX);
        let height = wanted.min(ALARM_ROWS).min(body.height);
        for (row, text) in (0..height).zip(rows) {
            let line = Row::new().own(" ", style).safe(text, style);
            line.fill(width, 0, style).draw(buffer, body, row);
        }
        Rect { y: body.y + height, height: body.height - height, ..body }
    }

    fn separator(&self, buffer: &mut Buffer, area: Rect) {
        for row in 0..area.height {
            Row::new().own("│", self.theme.faint()).draw(buffer, area, row);
        }
    }

    fn panes(&self, body: Rect) -> Panes {
        let wanted = |asked: Option<bool>, from| asked.unwrap_or(body.width >= from);
        let mut panes = Panes { conversations: None, messages: body, people: None };
        let has_room = |panes: &Panes| panes.messages.width > SIDE_COLUMNS + MESSAGE_COLUMNS;
        if wanted(self.conversations, CONVERSATIONS_FROM) && has_room(&panes) {
            panes.conversations = Some(Rect { width: SIDE_COLUMNS, ..body });
            panes.messages.x += SIDE_COLUMNS + 1;
            panes.messages.width -= SIDE_COLUMNS + 1;
        }
        if wanted(self.people, PEOPLE_FROM) && has_room(&panes) {
            panes.messages.width -= SIDE_COLUMNS + 1;
            let x = panes.messages.right() + 1;
            panes.people = Some(Rect { x, width: SIDE_COLUMNS, ..body });
        }
        panes
    }

    fn draw_messages(&mut self, view: &View, buffer: &mut Buffer, area: Rect) {
        let messages = Messages { view, theme: self.theme, width: usize::from(area.width) };
        let height = usize::from(area.height);
        let rows_of = |index| messages.rows(index).len();
        let sight = self.place().scroll.settle(&view.lines, height, rows_of);
        let Some(sight) = sight else {
            self.drawn.is_oldest = true;
            return self.draw_welcome(view, buffer, area);
        };
        self.drawn.is_oldest = sight.is_oldest;
        let mut rows = Vec::new();
        let mut hidden = sight.position.hidden;
        for index in (0..=sight.position.line).rev() {
            rows.extend(messages.rows(index).into_iter().rev().skip(hidden));
            hidden = 0;
            if rows.len() >= sight.height {
                break;
            }
        }
        let shown = u16::try_from(sight.height).unwrap_or(u16::MAX).min(area.height);
        for (row, line) in (0..shown).rev().zip(&rows) {
            line.draw(buffer, area, row);
        }
        if sight.has_below && area.height > 1 {
            self.draw_below(view, sight, buffer, area);
        }
    }

    /// Says that lines are below the pane.
    fn draw_below(&self, view: &View, sight: Sight, buffer: &mut Buffer, area: Rect) {
        let below = view.lines.iter().rev().take(sight.new_below);
        let new = below.filter(|line| matches!(line.what, LineKind::Message(_))).count();
        let text = match new {
            0 => "↓ more below · Esc".to_owned(),
            1 => "↓ 1 new message · Esc".to_owned(),
            _ => format!("↓ {new} new messages · Esc"),
        };
        let style = if new > 0 { self.theme.warning() } else { self.theme.faint() };
        rule(&text, style, usize::from(area.width)).draw(buffer, area, area.height - 1);
    }

    fn draw_welcome(&self, view: &View, buffer: &mut Buffer, area: Rect) {
        let text = match view.open {
            Some(_) => "Nothing was said here yet.",
            None => "No conversation is open. /join #NAME enters one, F1 shows all there is.",
        };
        let width = usize::from(area.width);
        let rows = wrap(&SafeLine::own(text), Room::all(width.saturating_sub(4).max(1)));
        let top = area.height.saturating_sub(u16::try_from(rows.len()).unwrap_or(0)) / 2;
        for (row, text) in (top..area.height).zip(rows) {
            let gap = width.saturating_sub(text.width()) / 2;
            let row_text = Row::new().gap(gap, self.theme.faint()).safe(text, self.theme.faint());
            row_text.draw(buffer, area, row);
        }
    }
}

/// The screen's rows from top to bottom.
struct Parts {
    title: Rect,
    body: Rect,
    status: Rect,
    input: Rect,
}

impl Parts {
    fn of(screen: Rect, wanted: u16, status: usize) -> Self {
        let input = wanted.min(screen.height / 3).max(1);
        let title = u16::from(screen.height >= TITLE_FROM);
        let status = u16::try_from(status).unwrap_or(1).min(screen.height / STATUS_FROM);
        let body = screen.height.saturating_sub(input + title + status);
        let mut y = screen.y;
        let mut next = |height| {
            let part = Rect { y, height, ..screen };
            y += height;
            part
        };
        Self { title: next(title), body: next(body), status: next(status), input: next(input) }
    }
}

struct Panes {
    conversations: Option<Rect>,
    messages: Rect,
    people: Option<Rect>,
}

/// Names the conversation that Enter sends to.
fn prompt(view: &View, width: usize) -> SafeLine {
    let name = view.open_conversation().map(|conversation| SafeLine::name(&conversation.name));
    match name {
        Some(name) if width > 20 => SafeLine::join(&[&name.cut(width / 4), &SafeLine::own(" ❯ ")]),
        _ => SafeLine::own("❯ "),
    }
}

/// Keeps right-to-left text inside its pane: terminals that order a row by the rules of Unicode
/// would carry a name that begins with a digit from the next pane into the text. The separators of
/// such rows get a left-to-right mark, which takes no column.
fn fence(buffer: &mut Buffer, messages: Rect) {
    for row in messages.y..messages.bottom() {
        let cells = (messages.x..messages.right()).filter_map(|column| buffer.cell((column, row)));
        let text: String = cells.map(ratatui::buffer::Cell::symbol).collect();
        if !SafeLine::piece(&text).is_right_to_left() {
            continue;
        }
        for column in [messages.x.checked_sub(1), Some(messages.right())].into_iter().flatten() {
            if let Some(cell) = buffer.cell_mut((column, row)).filter(|cell| cell.symbol() == "│")
            {
                cell.set_symbol("│\u{200e}");
            }
        }
    }
}
