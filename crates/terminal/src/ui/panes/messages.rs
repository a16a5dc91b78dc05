//! The messages of the open conversation. What others wrote never reaches the columns of time and
//! name: continuation rows are indented, so that no text can pass for another's message.

use super::row::Row;
use crate::ui::clock::LocalTime;
use crate::ui::safe_text::SafeLine;
use crate::ui::theme::Theme;
use crate::ui::view::{Change, Delivery, Level, Line, LineKind, Message, Quote, Trust, View};
use crate::ui::wrap::{Room, wrap};
use ratatui::style::Style;

/// Columns from which names stand in a column of their own.
const ALIGNED_FROM: usize = 72;

/// Columns of that column, and of the bar after it.
const NAME_COLUMNS: usize = 16;

/// Columns below which the time is left out.
const TIMED_FROM: usize = 24;

/// Columns of "22:09 ".
const TIME_COLUMNS: usize = 6;

/// Makes rows of lines.
pub(in crate::ui) struct Messages<'a> {
    pub(in crate::ui) view: &'a View,
    pub(in crate::ui) theme: Theme,
    pub(in crate::ui) width: usize,
}

impl Messages<'_> {
    /// The rows of line `index`, with what stands between it and the line before.
    pub(in crate::ui) fn rows(&self, index: usize) -> Vec<Row> {
        let Some(line) = self.view.lines.get(index) else {
            return Vec::new();
        };
        let before = index.checked_sub(1).and_then(|before| self.view.lines.get(before));
        let mut rows = Vec::new();
        if before.is_none() && self.view.has_older {
            rows.push(self.rule("PageUp: older messages", self.theme.faint()));
        }
        if before.is_none_or(|before| self.local(before.at).day() != self.local(line.at).day()) {
            rows.push(self.rule(&self.local(line.at).date(), self.theme.faint()));
        }
        if self.view.unread_from == Some(line.key) {
            rows.push(self.rule("new", self.theme.warning()));
        }
        match &line.what {
            LineKind::Message(message) => rows.extend(self.message(line, message)),
            LineKind::Notice { text, level } => rows.extend(self.notice(line, text, *level)),
            LineKind::Gap { missing } => rows.push(self.gap(*missing)),
        }
        rows
    }

    fn local(&self, at: u64) -> LocalTime {
        LocalTime::new(at, self.view.utc_offset_seconds)
    }

    fn rule(&self, text: &str, style: Style) -> Row {
        rule(text, style, self.width)
    }

    fn gap(&self, missing: Option<u64>) -> Row {
        let text = match missing {
            Some(1) => "a message is missing here".to_owned(),
            Some(count) => format!("{count} messages are missing here"),
            None => "messages are missing here".to_owned(),
        };
        self.rule(&text, self.theme.warning())
    }

    fn message(&self, line: &Line, message: &Message) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some(quote) = &message.answers {
            rows.push(self.quote(quote));
        }
        let text_style = match message.state {
            Delivery::Sending => self.theme.faint(),
            Delivery::Sent | Delivery::Failed(_) => self.theme.text(),
        };
        let head = self.message_head(line, message);
        rows.extend(self.under_head(head, &SafeLine::body(&message.text), text_style));
        self.add_tail(&mut rows, message);
        if message.change == Change::Deleted {
            rows.extend(self.remark("×", "deleted by its author", self.theme.faint()));
        }
        if !message.reactions.is_empty() {
            rows.extend(self.remark("+", &reactions(message), self.theme.text()));
        }
        if let Delivery::Failed(reason) = &message.state {
            let reason = format!("not sent: {reason}");
            rows.extend(self.remark("✗", &reason, self.theme.failure()));
        }
        if let Trust::Warning(reason) = &message.trust {
            rows.extend(self.remark("!", reason, self.theme.warning()));
        }
        rows
    }

    /// What a message answers, in one row above it.
    fn quote(&self, quote: &Quote) -> Row {
        let words = match quote.sender.as_str() {
            "" => quote.text.clone(),
            sender => format!("{sender}: {}", quote.text),
        };
        let style = self.theme.faint();
        let before = self.remark_head("╭", style);
        let room = self.width.saturating_sub(before.width());
        before.safe(SafeLine::name(&words).cut(room), style)
    }

    /// What the program adds to a message's last row, or below it where there is no room.
    fn add_tail(&self, rows: &mut Vec<Row>, message: &Message) {
        let edited = (message.change == Change::Edited).then(|| "(edited)".to_owned());
        let sending = (message.state == Delivery::Sending).then(|| "…".to_owned());
        let marks = (!message.marks.is_empty()).then(|| format!("· {}", message.marks));
        let tail: Vec<String> = [edited, sending, marks].into_iter().flatten().collect();
        if tail.is_empty() {
            return;
        }
        let tail = SafeLine::name(&tail.join(" "));
        let style = self.theme.faint();
        match rows.pop() {
            Some(last) if last.width() + 1 + tail.width() <= self.width => {
                rows.push(last.own(" ", style).safe(tail, style));
            }
            last => {
                rows.extend(last);
                let room = self.width.saturating_sub(self.indent());
                rows.push(self.indented().safe(tail.cut(room), style));
            }
        }
    }

    fn message_head(&self, line: &Line, message: &Message) -> Row {
        let name_style = match (&message.trust, message.own) {
            (Trust::Warning(_), _) => self.theme.warning(),
            (_, true) => self.theme.strong(),
            (_, false) => self.theme.name(&message.sender),
        };
        let (mark, mark_style) = match message.trust {
            Trust::Verified if message.own => ("", self.theme.text()),
            Trust::Verified => ("✓", self.theme.good()),
            Trust::NotVerified => ("", self.theme.text()),
            Trust::Guest => ("?", self.theme.warning()),
            Trust::Warning(_) => ("!", self.theme.warning()),
        };
        let row = self.time(line, message.mention);
        let name = SafeLine::name(&message.sender);
        if self.is_aligned() {
            let name = name.cut(NAME_COLUMNS - 1);
            let room = NAME_COLUMNS.saturating_sub(name.width() + mark.chars().count());
            return row
                .gap(room, self.theme.text())
                .safe(name, name_style)
                .own(mark, mark_style)
                .own(" │ ", self.theme.faint());
        }
        row.safe(name.cut((self.width / 2).max(4)), name_style)
            .own(mark, mark_style)
            .own(": ", self.theme.faint())
    }

    fn notice(&self, line: &Line, text: &str, level: Level) -> Vec<Row> {
        let (mark, style) = match level {
            Level::Info => ("·", self.theme.faint()),
            Level::Warning => ("!", self.theme.warning()),
            Level::Alarm => ("!!", self.theme.alarm()),
        };
        let time = self.time(line, false);
        let head = match self.is_aligned() {
            true => time.and(self.in_name_column(mark, style)),
            false => time.own(mark, style).own(" ", style),
        };
        self.under_head(head, &SafeLine::body(text), style)
    }

    fn time(&self, line: &Line, mention: bool) -> Row {
        if self.width < TIMED_FROM {
            return Row::new();
        }
        let row = Row::new().text(&self.local(line.at).hour_and_minute(), self.theme.faint());
        match mention {
            true => row.own("»", self.theme.mention()),
            false => row.own(" ", self.theme.text()),
        }
    }

    fn is_aligned(&self) -> bool {
        self.width >= ALIGNED_FROM
    }

    /// Columns before every row but a message's first.
    fn indent(&self) -> usize {
        match self.width {
            ALIGNED_FROM.. => TIME_COLUMNS + NAME_COLUMNS + 3,
            TIMED_FROM.. => TIME_COLUMNS,
            _ => 2.min(self.width.saturating_sub(1)),
        }
    }

    fn indented(&self) -> Row {
        match self.is_aligned() {
            true => Row::new()
                .gap(TIME_COLUMNS, Style::new())
                .and(self.in_name_column("", Style::new())),
            false => Row::new().gap(self.indent(), Style::new()),
        }
    }

    /// A mark at the right of the name column, and the bar after it.
    fn in_name_column(&self, mark: &'static str, style: Style) -> Row {
        let room = NAME_COLUMNS - mark.chars().count();
        Row::new().gap(room, Style::new()).own(mark, style).own(" │ ", self.theme.faint())
    }

    fn under_head(&self, head: Row, lines: &[SafeLine], style: Style) -> Vec<Row> {
        let rest = self.width.saturating_sub(self.indent()).max(1);
        let first = self.width.saturating_sub(head.width()).min(rest);
        let mut head = Some(head);
        let mut rows = Vec::new();
        for line in lines {
            let room = if head.is_some() { Room { first, rest } } else { Room::all(rest) };
            for text in wrap(line, room) {
                let before = head.take().unwrap_or_else(|| self.indented());
                rows.push(before.safe(text, style));
            }
        }
        rows
    }

    /// The program's remark on a message. Its mark stands left of where the message's own text can
    /// reach, so that no message can remark upon itself.
    fn remark(&self, mark: &'static str, reason: &str, style: Style) -> Vec<Row> {
        self.under_head(self.remark_head(mark, style), &[SafeLine::name(reason)], style)
    }

    fn remark_head(&self, mark: &'static str, style: Style) -> Row {
        match self.is_aligned() {
            true => Row::new().gap(TIME_COLUMNS, style).and(self.in_name_column(mark, style)),
            false => {
                let before = self.indent().saturating_sub(2);
                Row::new().gap(before, Style::new()).own(mark, style).own(" ", style)
            }
        }
    }
}

/// "👍 2 ❤ 1".
fn reactions(message: &Message) -> String {
    let each = message.reactions.iter().map(|(emoji, count)| format!("{emoji} {count}"));
    each.collect::<Vec<_>>().join("  ")
}

/// A line across the pane with words in it. It begins where no message's text can.
pub(in crate::ui) fn rule(text: &str, style: Style, width: usize) -> Row {
    let text = SafeLine::name(text).cut(width.saturating_sub(4));
    let rest = width.saturating_sub(text.width() + 4);
    Row::new().own("── ", style).safe(text, style).text(&format!(" {}", "─".repeat(rest)), style)
}
