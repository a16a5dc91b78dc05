//! The bars: the open conversation at the top, and at the bottom the connection, the identity and
//! the suite. While Tab walks, or the last line was not understood, the lower bar says so.

use super::conversations;
use super::row::Row;
use crate::ui::safe_text::SafeLine;
use crate::ui::state::Hint;
use crate::ui::theme::Theme;
use crate::ui::view::{Connection, Conversation, ConversationKind, Level, Trust, View};
use crate::ui::wrap::{Room as WrapRoom, wrap};
use ratatui::style::Style;

/// The bar at the top.
pub(in crate::ui) fn title(view: &View, theme: Theme, width: usize) -> Row {
    let style = theme.bar();
    let (Some(conversation), bold) = (view.open_conversation(), theme.bar().bold()) else {
        return Row::new().own(" Portcullis", style).fill(width, 0, style);
    };
    let online = view.people.iter().filter(|person| person.online).count();
    let (kind, right) = match conversation.kind {
        ConversationKind::Channel => ("channel", format!("{online} online ")),
        ConversationKind::Direct => ("direct", presence(view, &conversation.name).to_owned()),
        ConversationKind::Guest => ("", presence(view, &conversation.name).to_owned()),
        ConversationKind::Group => ("group", members(conversation.members)),
    };
    let room = width.saturating_sub(2);
    let name = SafeLine::name(&conversation.name).cut(room);
    let mut row = Row::new().own(" ", style).safe(name, bold).own(" ", style);
    let kind = if kind.is_empty() { String::new() } else { format!("· {kind} ") };
    let about = SafeLine::name(&format!("{kind}· {}", protection(conversation)));
    // What protects a conversation matters more than who is here.
    if row.width() + about.width() <= width {
        row = row.safe(about, style);
    }
    if row.width() + right.chars().count() >= width {
        return row.fill(width, 0, style);
    }
    row.fill(width, right.chars().count(), style).text(&right, style)
}

/// Whether the other one of a direct is here.
fn presence(view: &View, name: &str) -> &'static str {
    match view.people.iter().find(|person| person.name == name) {
        Some(person) if person.online => "online ",
        Some(_) => "away ",
        None => "",
    }
}

fn members(count: Option<u64>) -> String {
    match count {
        Some(1) => "1 member ".to_owned(),
        Some(count) => format!("{count} members "),
        None => String::new(),
    }
}

/// The suite, and in an encrypted conversation whether the others are who they seem to be, in words:
/// "encrypted: mls · not verified".
fn protection(conversation: &Conversation) -> String {
    let suite = &conversation.suite;
    let words = match (&conversation.trust, conversation.kind) {
        (None, _) => return suite.clone(),
        (Some(Trust::Verified), ConversationKind::Direct) => "verified",
        (Some(Trust::Verified), _) => "all verified",
        (Some(Trust::NotVerified), _) => "not verified",
        (Some(Trust::Guest), _) => "guest, no forward secrecy, not bound",
        (Some(Trust::Warning(reason)), _) => reason,
    };
    format!("{suite} · {words}")
}

/// The bar at the bottom: what fits of it, the most important first.
pub(in crate::ui) fn status(view: &View, theme: Theme, width: usize, list_hidden: bool) -> Row {
    let style = theme.bar();
    let (mark, connection) = connection(view.status.connection, theme);
    let mut row = Row::new().own(" ", style).own(mark, style).text(&connection, style);
    let suite = view.open_conversation().map(protection);
    let elsewhere = if list_hidden { elsewhere(view) } else { String::new() };
    let parts = [elsewhere, suite.unwrap_or_default(), view.status.identity.clone()];
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let part = SafeLine::join(&[&SafeLine::own(" │ "), &SafeLine::name(part)]);
        if row.width() + part.width() <= width {
            row = row.safe(part, style);
        }
    }
    let help = SafeLine::own("F1 help ");
    if row.width() + help.width() + 2 <= width {
        row = row.fill(width, help.width(), style).safe(help, style);
    }
    row.fill(width, 0, style)
}

fn connection(connection: Connection, _theme: Theme) -> (&'static str, String) {
    match connection {
        Connection::Online => ("● ", "online".to_owned()),
        Connection::Connecting => ("◌ ", "connecting …".to_owned()),
        Connection::Reconnecting { in_seconds: 0 } => ("◌ ", "reconnecting …".to_owned()),
        Connection::Reconnecting { in_seconds } => {
            ("○ ", format!("connection lost, again in {in_seconds} s"))
        }
        Connection::Offline => ("○ ", "offline".to_owned()),
    }
}

/// "#dev 3, bob 1!": what is unread where nobody sees the list.
fn elsewhere(view: &View) -> String {
    let others = view
        .conversations
        .iter()
        .filter(|one| Some(one.key) != view.open && one.unread > 0 && (!one.muted || one.mention));
    let others = others.map(|one| format!("{} {}", one.name, conversations::unread(one)));
    others.collect::<Vec<_>>().join(", ")
}

/// Rows of a hint at most.
pub(in crate::ui) const HINT_ROWS: usize = 3;

/// A hint in place of the bar at the bottom, in as many rows as it takes.
pub(in crate::ui) fn hint(hint: &Hint, theme: Theme, width: usize) -> Vec<Row> {
    let style = match hint.level {
        Level::Info => theme.bar(),
        Level::Warning => theme.warning().reversed(),
        Level::Alarm => theme.alarm(),
    };
    let text = SafeLine::name(&hint.text);
    let rows = wrap(&text, WrapRoom::all(width.saturating_sub(2).max(1))).into_iter();
    let row = |text| Row::new().own(" ", style).safe(text, style).fill(width, 0, style);
    rows.take(HINT_ROWS).map(row).collect()
}

/// The candidates of a completion in place of the bar, the chosen one in sight.
pub(in crate::ui) fn candidates(all: &[String], at: usize, theme: Theme, width: usize) -> Row {
    let style = theme.bar();
    let safe: Vec<_> = all.iter().map(|one| SafeLine::name(one)).collect();
    let widths = |range: &[SafeLine]| range.iter().map(|one| one.width() + 2).sum::<usize>();
    let mut first = 0;
    while first < at && safe.get(first..=at).is_some_and(|range| widths(range) + 4 > width) {
        first += 1;
    }
    let mut row = Row::new().own(if first > 0 { "… " } else { " " }, style);
    for (index, one) in safe.into_iter().enumerate().skip(first) {
        let chosen = if index == at { Style::new().bold().underlined() } else { style };
        row = row.own(" ", chosen).safe(one, chosen).own(" ", chosen);
    }
    row.fill(width, 0, style)
}
