//! The people of the open conversation: who is here, and whose identity was compared. Account
//! names come first, since display names can be anything.

use super::row::Row;
use crate::ui::safe_text::SafeLine;
use crate::ui::theme::Theme;
use crate::ui::view::{Person, Trust, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the pane.
pub(in crate::ui) fn draw(view: &View, theme: Theme, buffer: &mut Buffer, area: Rect) {
    let height = usize::from(area.height);
    let hidden = match view.people.len().checked_sub(height) {
        None | Some(0) => 0,
        Some(_) => view.people.len() - height.saturating_sub(1),
    };
    let shown = view.people.len() - hidden;
    for (row, person) in (0..).zip(view.people.iter().take(shown)) {
        let is_self = person.name == view.status.own_name;
        line(person, is_self, theme, usize::from(area.width)).draw(buffer, area, row);
    }
    if hidden > 0 {
        let more = format!("  and {hidden} more");
        let last = area.height.saturating_sub(1);
        Row::new().text(&more, theme.faint()).draw(buffer, area, last);
    }
}

/// The mark stands first, where no name can pass for it.
fn line(person: &Person, is_self: bool, theme: Theme, width: usize) -> Row {
    let (mark, mark_style) = match person.trust {
        _ if is_self => (" ", theme.text()),
        Trust::Verified => ("✓", theme.good()),
        Trust::NotVerified => (" ", theme.text()),
        Trust::Guest => ("?", theme.warning()),
        Trust::Warning(_) => ("!", theme.warning()),
    };
    let (dot, dot_style) = match person.online {
        true => ("● ", theme.good()),
        false => ("○ ", theme.faint()),
    };
    let name_style = match (&person.trust, person.online) {
        (Trust::Warning(_), _) => theme.warning(),
        _ if is_self => theme.strong(),
        (_, true) => theme.name(&person.name),
        (_, false) => theme.faint(),
    };
    let name = SafeLine::name(&person.name).cut(width.saturating_sub(3));
    let row = Row::new().own(mark, mark_style).own(dot, dot_style).safe(name, name_style);
    let beside = match &person.display_name {
        _ if is_self => SafeLine::own("(you)"),
        Some(display) if *display != person.name => SafeLine::name(display),
        _ => return row,
    };
    let beside = beside.cut(width.saturating_sub(row.width() + 1));
    if beside.width() > 2 { row.own(" ", theme.faint()).safe(beside, theme.faint()) } else { row }
}
