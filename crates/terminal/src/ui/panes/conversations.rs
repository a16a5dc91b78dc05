//! The list of conversations: what is open, what is unread, what names the reader.

use super::row::Row;
use crate::ui::safe_text::SafeLine;
use crate::ui::theme::Theme;
use crate::ui::view::{Conversation, View};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the list; it scrolls so that the open conversation is in sight.
pub(in crate::ui) fn draw(view: &View, theme: Theme, buffer: &mut Buffer, area: Rect) {
    let open = view.conversations.iter().position(|one| Some(one.key) == view.open);
    let first = open.map_or(0, |open| (open + 1).saturating_sub(usize::from(area.height)));
    let shown = view.conversations.iter().skip(first).take(usize::from(area.height));
    for (row, conversation) in (0..).zip(shown) {
        let is_open = Some(conversation.key) == view.open;
        line(conversation, is_open, theme, usize::from(area.width)).draw(buffer, area, row);
    }
}

fn line(conversation: &Conversation, is_open: bool, theme: Theme, width: usize) -> Row {
    let style = match () {
        () if is_open => theme.bar(),
        () if conversation.mention => theme.warning(),
        () if conversation.muted || conversation.gone => theme.faint(),
        () if conversation.unread > 0 => theme.strong(),
        () => theme.text(),
    };
    let count = unread(conversation);
    let name = SafeLine::name(&conversation.name);
    let room = width.saturating_sub(count.width() + 2);
    Row::new()
        .own(if is_open { "▸" } else { " " }, style)
        .safe(name.cut(room), style)
        .fill(width, count.width() + 1, style)
        .safe(count, style)
        .own(" ", style)
}

/// "3", "3!" where one of them names the reader, "z" for quiet.
pub(in crate::ui) fn unread(conversation: &Conversation) -> SafeLine {
    let count = match conversation.unread {
        0 if conversation.muted => "z".to_owned(),
        0 => String::new(),
        1000.. => "999+".to_owned(),
        count => count.to_string(),
    };
    SafeLine::name(&format!("{count}{}", if conversation.mention { "!" } else { "" }))
}
