//! One row of a pane: safe texts and the program's own words, each with its style. The only way
//! onto the screen, so that nothing unsafe gets there.

use crate::ui::safe_text::SafeLine;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// One row.
#[derive(Debug, Clone, Default)]
pub(in crate::ui) struct Row {
    parts: Vec<(SafeLine, Style)>,
}

impl Row {
    pub(in crate::ui) fn new() -> Self {
        Self::default()
    }

    /// Appends the program's own words.
    pub(in crate::ui) fn own(self, text: &'static str, style: Style) -> Self {
        self.safe(SafeLine::own(text), style)
    }

    /// Appends a text that was made safe.
    pub(in crate::ui) fn safe(mut self, text: SafeLine, style: Style) -> Self {
        self.parts.push((text, style));
        self
    }

    /// Appends a text of any origin, made safe, as one line.
    pub(in crate::ui) fn text(self, text: &str, style: Style) -> Self {
        self.safe(SafeLine::name(text), style)
    }

    /// Appends spaces.
    pub(in crate::ui) fn gap(self, columns: usize, style: Style) -> Self {
        self.text(&" ".repeat(columns), style)
    }

    /// Appends spaces, so that `columns` are filled if another `tail` columns follow.
    pub(in crate::ui) fn fill(self, columns: usize, tail: usize, style: Style) -> Self {
        let gap = columns.saturating_sub(self.width() + tail);
        self.gap(gap, style)
    }

    /// Appends another row.
    pub(in crate::ui) fn and(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        self
    }

    /// Columns that it takes.
    pub(in crate::ui) fn width(&self) -> usize {
        self.parts.iter().map(|(text, _)| text.width()).sum()
    }

    /// Draws it into one row of the buffer; what does not fit is cut off with `…`.
    pub(in crate::ui) fn draw(&self, buffer: &mut Buffer, area: Rect, row: u16) {
        if row >= area.height || area.width == 0 {
            return;
        }
        let mut left = usize::from(area.width);
        let mut column = area.x;
        for (text, style) in &self.parts {
            let text = text.cut(left);
            left -= text.width();
            (column, _) =
                buffer.set_stringn(column, area.y + row, text.as_str(), usize::MAX, *style);
        }
    }
}
