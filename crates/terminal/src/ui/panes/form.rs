//! The forms on the screen: register, log in, unlock, change the password.

use super::overlay;
use super::row::Row;
use crate::ui::input::InputLine;
use crate::ui::login::{Form, Purpose};
use crate::ui::safe_text::SafeLine;
use crate::ui::theme::Theme;
use crate::ui::view::{FormView, Registration};
use crate::ui::wrap::{Room, wrap};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Columns of the labels.
const LABEL_COLUMNS: usize = 14;

/// A form and what the shell says about it.
pub(in crate::ui) struct Drawing<'a> {
    pub(in crate::ui) form: &'a Form,
    pub(in crate::ui) view: &'a FormView,
    pub(in crate::ui) theme: Theme,
    /// For the sign that something is going on.
    pub(in crate::ui) now: u64,
}

impl Drawing<'_> {
    /// Draws the form; returns where the cursor belongs.
    pub(in crate::ui) fn draw(&self, buffer: &mut Buffer, screen: Rect) -> Option<Position> {
        let rows = self.rows(usize::from(screen.width.min(68)));
        let inside = overlay::frame("Portcullis", screen, rows.len() + 2, self.theme, buffer);
        // On a small screen the fields matter more than the words above them.
        let cut = rows.len().saturating_sub(usize::from(inside.height));
        let first = rows.iter().take(cut).take_while(|(_, is_field)| !is_field).count();
        let mut cursor = None;
        for (row, (line, _)) in (0..inside.height).zip(rows.iter().skip(first)) {
            line.draw(buffer, inside, row);
        }
        if self.view.busy.is_none() {
            let field = rows.iter().position(|(_, is_field)| *is_field)? + self.focus();
            let row = u16::try_from(field.checked_sub(first)?).ok()?;
            let column = u16::try_from(self.cursor_column()).ok()?;
            if row < inside.height && column < inside.width {
                cursor = Some(Position { x: inside.x + column, y: inside.y + row });
            }
        }
        cursor
    }

    fn focus(&self) -> usize {
        let focus = self.form.focus();
        self.form.fields().iter().position(|field| *field == focus).unwrap_or(0)
    }

    fn cursor_column(&self) -> usize {
        let focus = self.form.focus();
        let typed = self.form.line(focus).map(InputLine::before_cursor);
        let typed = typed.map_or(self.form.dots(focus), |text| SafeLine::name(text).width());
        LABEL_COLUMNS + typed
    }

    /// The rows, and which of them are fields.
    fn rows(&self, width: usize) -> Vec<(Row, bool)> {
        let theme = self.theme;
        let mut rows = Vec::new();
        let mut words = |text: &str, style| {
            let room = Room::all(width.saturating_sub(4).max(1));
            let wrapped = wrap(&SafeLine::name(text), room);
            rows.extend(wrapped.into_iter().map(|text| (Row::new().safe(text, style), false)));
        };
        let (heading, about) = self.words();
        words(heading, theme.strong());
        words(&about, theme.faint());
        words("", theme.text());
        for field in self.form.fields() {
            let is_focus = *field == self.form.focus();
            let style = if is_focus { theme.strong() } else { theme.text() };
            let label = field.label(self.form.purpose);
            let row = Row::new().own(if is_focus { "▸ " } else { "  " }, style).own(label, style);
            let row = row.fill(LABEL_COLUMNS, 0, style);
            let row = match self.form.line(*field) {
                Some(line) => row.text(line.text(), theme.text()),
                None => row.text(&"•".repeat(self.form.dots(*field)), theme.text()),
            };
            rows.push((row, true));
        }
        self.foot(width, &mut rows);
        rows
    }

    fn foot(&self, width: usize, rows: &mut Vec<(Row, bool)>) {
        let theme = self.theme;
        let mut words = |text: &str, style| {
            let room = Room::all(width.saturating_sub(4).max(1));
            let wrapped = wrap(&SafeLine::name(text), room);
            rows.extend(wrapped.into_iter().map(|text| (Row::new().safe(text, style), false)));
        };
        words("", theme.text());
        let error = self.form.error.as_ref().or(self.view.error.as_ref());
        match (&self.view.busy, error) {
            (Some(busy), _) => words(&format!("{} {busy} …", self.spinner()), theme.text()),
            (None, Some(error)) => words(&format!("✗ {error}"), theme.failure()),
            (None, None) => words(self.form.advice().unwrap_or(""), theme.faint()),
        }
        words("", theme.text());
        words(self.keys(), theme.faint());
    }

    fn words(&self) -> (&'static str, String) {
        let server = &self.view.server;
        match self.form.purpose {
            Purpose::Register => ("Make a new account", format!("at {server}")),
            Purpose::LogIn => ("Log in on this new device", format!("at {server}")),
            Purpose::Unlock => {
                let account = self.view.account.as_deref().unwrap_or_default();
                ("Welcome back", format!("{account} at {server}"))
            }
            Purpose::Revoke => (
                "Take a device off the list",
                match self.form.device() {
                    Some(name) => format!("{name} can't log in any more, nor say anything."),
                    None => String::new(),
                },
            ),
            Purpose::ChangePassword => {
                ("Change your password", "Your devices and messages stay as they are.".to_owned())
            }
        }
    }

    fn keys(&self) -> &'static str {
        match (self.form.purpose, self.view.registration) {
            (Purpose::Register, _) => "Enter: go on · Tab: next · F2: I have an account",
            (Purpose::LogIn, Registration::Closed) => "Enter: go on · Ctrl-C twice: quit",
            (Purpose::Unlock, _) => "Enter: go on · F2: another account · Ctrl-C twice: quit",
            (Purpose::Revoke, _) => "Enter: go on · Esc: leave it as it is",
            (Purpose::LogIn, _) => "Enter: go on · Tab: next · F2: make a new account",
            (Purpose::ChangePassword, _) => "Enter: go on · Tab: next · Esc: leave it as it is",
        }
    }

    fn spinner(&self) -> char {
        const SIGNS: [char; 4] = ['◐', '◓', '◑', '◒'];
        let index = usize::try_from(self.now / 250 % 4).unwrap_or(0);
        SIGNS.get(index).copied().unwrap_or('◌')
    }
}
