//! The rows about files that come and go, between the messages and the bar at the bottom.

use super::row::Row;
use crate::ui::safe_text::SafeLine;
use crate::ui::theme::Theme;
use crate::ui::view::{Transfer, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Rows at most; `/transfers` tells of all.
const MOST: u16 = 3;

/// Cells of a bar.
const BAR_CELLS: usize = 10;

/// Rows that the transfers take of a body of this height: never more than a third.
pub(in crate::ui) fn rows(view: &View, height: u16) -> u16 {
    u16::try_from(view.transfers.len()).unwrap_or(MOST).min(MOST).min(height / 3)
}

/// Draws as many as there is room for.
pub(in crate::ui) fn draw(view: &View, theme: Theme, buffer: &mut Buffer, area: Rect) {
    let hidden = view.transfers.len().saturating_sub(usize::from(area.height));
    for (row, transfer) in (0..area.height).zip(&view.transfers) {
        let more = if row + 1 == area.height { hidden } else { 0 };
        line(transfer, more, theme, usize::from(area.width)).draw(buffer, area, row);
    }
}

/// `▸ report.pdf from alice  ████░░░░░░  42 %  12 MB/s, 0:41 left`. What can be done matters more than the name.
fn line(transfer: &Transfer, more: usize, theme: Theme, width: usize) -> Row {
    let state = SafeLine::name(&transfer.state);
    let more = match more {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let bar = transfer.percent.map_or_else(String::new, |percent| {
        let filled = usize::from(percent.min(100)) * BAR_CELLS / 100;
        let bar = "█".repeat(filled) + &"░".repeat(BAR_CELLS - filled);
        format!("{bar} {percent:>3} %  ")
    });
    let bar = SafeLine::name(&bar);
    let taken = bar.width() + state.width() + more.chars().count() + 4;
    let what = SafeLine::name(&transfer.what).cut(width.saturating_sub(taken).max(width / 4));
    Row::new()
        .own("▸ ", theme.strong())
        .safe(what, theme.strong())
        .own("  ", theme.text())
        .safe(bar, theme.good())
        .safe(state, theme.text())
        .text(&more, theme.faint())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(transfer: Transfer, width: u16, expected: &str) {
        let view = View { transfers: vec![transfer; 4], ..View::default() };
        let area = Rect { x: 0, y: 0, width, height: rows(&view, 4) };
        let mut buffer = Buffer::empty(area);
        draw(&view, Theme::Plain, &mut buffer, area);
        let row: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(row.trim_end(), expected);
    }

    #[test]
    fn what_matters_stays_in_sight() {
        let coming = Transfer {
            what: "report.pdf from alice".to_owned(),
            state: "12 MB/s, 0:41 left".to_owned(),
            percent: Some(42),
        };
        check(
            coming.clone(),
            80,
            "▸ report.pdf from alice  ████░░░░░░  42 %  12 MB/s, 0:41 left (and 3 more)",
        );
        check(coming, 60, "▸ report.pdf fro…  ████░░░░░░  42 %  12 MB/s, 0:41 left (an…");
        let offered = Transfer {
            what: "alice offers \u{1b}[2Jreport.pdf".to_owned(),
            state: "/get 1 or /decline 1".to_owned(),
            percent: None,
        };
        check(offered, 80, "▸ alice offers ␛[2Jreport.pdf  /get 1 or /decline 1 (and 3 more)");
    }
}
