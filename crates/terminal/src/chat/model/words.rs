//! What the program says in the message pane: which warning alarms, and lists in words.

use super::code;
use crate::ui::safe_text::SafeLine;
use crate::ui::view::{Dialog, Level};
use portcullis_client_core::{
    ConversationView, DeviceView, GroupWarning, GuestView, GuestWarning, IdentityState, MemberView,
    Warning,
};
use portcullis_crypto::SafetyNumber;
use portcullis_proto::{ConversationKind, DeviceId, PersonName, Role, Timestamp, UserName};

/// Columns of what a guest's server is called.
const SERVER_COLUMNS: usize = 40;

/// How much a warning matters: an alarm where somebody may be lying, a warning where something is
/// missing or is one's own to look after, and a plain notice for what people do every day.
pub(super) fn level(warning: &Warning) -> Level {
    match warning {
        Warning::Rewound { .. }
        | Warning::Forked { .. }
        | Warning::BrokenChain { .. }
        | Warning::Withheld { .. }
        | Warning::OutOfOrder { .. }
        | Warning::NotKept { .. }
        | Warning::Replayed { .. }
        | Warning::NotAuthentic { .. }
        | Warning::UnlistedDevice { .. }
        | Warning::IdentityChanged { .. }
        | Warning::OlderList { .. }
        | Warning::ForgedList { .. }
        | Warning::WeakStretching
        | Warning::KindChanged
        | Warning::RefusedChange { .. }
        | Warning::Files(_) => Level::Alarm,
        Warning::Skipped { .. }
        | Warning::Missing { .. }
        | Warning::Restored
        | Warning::OwnDeviceAdded { .. }
        | Warning::OwnDeviceRevoked
        | Warning::Nonsense => Level::Warning,
        Warning::DeviceAdded { .. } | Warning::DeviceRevoked { .. } => Level::Info,
        Warning::Group(warning) => group_level(warning),
        Warning::Guest(warning) => guest_level(warning),
    }
}

fn guest_level(warning: &GuestWarning) -> Level {
    match warning {
        GuestWarning::NotAuthentic { .. }
        | GuestWarning::Replayed { .. }
        | GuestWarning::OtherAuthor { .. }
        | GuestWarning::NotAddressed { .. } => Level::Alarm,
        GuestWarning::Unreadable { .. } | GuestWarning::Shared { .. } => Level::Warning,
    }
}

fn group_level(warning: &GroupWarning) -> Level {
    match warning {
        GroupWarning::RefusedCommit { .. }
        | GroupWarning::RefusedWelcome { .. }
        | GroupWarning::RefusedEntry { .. }
        | GroupWarning::RefusedKeyPackage { .. }
        | GroupWarning::ReplayedWelcome => Level::Alarm,
        GroupWarning::Strayed { .. }
        | GroupWarning::Unreadable { .. }
        | GroupWarning::MembersChanged { .. }
        | GroupWarning::OwnerChanged { .. }
        | GroupWarning::LostPlace
        | GroupWarning::Lost
        | GroupWarning::WelcomeNotForUs => Level::Warning,
        GroupWarning::FoundAgain { .. } => Level::Info,
    }
}

/// The open channels, for `/list`.
pub(super) fn channels(channels: &[ConversationView]) -> String {
    let row = |channel: &ConversationView| {
        let members = match channel.members {
            Some(1) => " · 1 member".to_owned(),
            Some(count) => format!(" · {count} members"),
            None => String::new(),
        };
        let role = match channel.role {
            Role::Owner => " · yours",
            Role::Member => " · joined",
            Role::Invited => " · you are invited",
            Role::Outside => "",
        };
        format!("  {}{members}{role}", channel.name)
    };
    match channels {
        [] => "No open channels; /create #NAME makes one.".to_owned(),
        some => {
            let rows: Vec<String> = some.iter().map(row).collect();
            format!("Open channels:\n{}", rows.join("\n"))
        }
    }
}

/// The classroom guests who are here: their names, and by which server they are reached.
pub(super) fn guests(guests: &[GuestView]) -> String {
    let row = |guest: &GuestView| {
        // The server can call itself anything.
        let server = SafeLine::name(&guest.server).cut(SERVER_COLUMNS);
        format!("  {} · at {} · dialect: {}", guest.name, server.as_str(), guest.dialect)
    };
    match guests {
        [] => "No guests are here.".to_owned(),
        some => {
            let rows: Vec<String> = some.iter().map(row).collect();
            format!("{} here:\n{}", some.len(), rows.join("\n"))
        }
    }
}

/// This account's devices, for `/devices`.
pub(super) fn devices(devices: &[DeviceView], utc_offset_seconds: i32) -> String {
    let row = |device: &DeviceView| {
        let added = crate::ui::date_and_time(device.added_at.0, utc_offset_seconds);
        let this = if device.this { " (this one)" } else { "" };
        format!("  {}{this} · {} · since {added}", device.name, short(device.id))
    };
    match devices {
        [] => "No devices are known before the first login.".to_owned(),
        some => {
            let rows: Vec<String> = some.iter().map(row).collect();
            let rows = rows.join("\n");
            format!("Your devices:\n{rows}")
        }
    }
}

/// Who takes part in an encrypted conversation, for `/members`.
pub(super) fn members(name: &str, members: &[MemberView], code: &str) -> String {
    let row = |member: &MemberView| {
        let owner = if member.owner { " (owner)" } else { "" };
        let devices = match member.devices {
            1 => "1 device".to_owned(),
            count => format!("{count} devices"),
        };
        let identity = match member.identity {
            IdentityState::Own => "you",
            IdentityState::Verified => "verified",
            IdentityState::NotVerified => "not verified",
            IdentityState::Guest => "guest",
            IdentityState::Changed => "identity changed!",
        };
        format!("  {}{owner} · {devices} · {identity}", member.name)
    };
    let rows: Vec<String> = members.iter().map(row).collect();
    let rows = rows.join("\n");
    format!("Members of {name}:\n{rows}\nThe keys: {code} (the same for all who see this list)")
}

/// That somebody has brought the reader into a conversation.
pub(super) fn invited(by: &PersonName, about: &ConversationView) -> String {
    match about.kind {
        ConversationKind::Direct => format!("{by} has begun a direct conversation with you."),
        _ => format!(
            "{by} has brought you into {}: open it, and /leave there leaves it.",
            about.name
        ),
    }
}

/// The question whether to leave a group that one owns.
pub(in crate::chat) fn leave_own(name: &str, others: usize) -> Dialog {
    let body = match others {
        0 => "You are its only member: nobody can bring you back.",
        _ => {
            "You own this group. Who joined it first after you will own it, and only members can bring you back."
        }
    };
    Dialog {
        title: format!("Leave {name}?"),
        body: vec![body.to_owned()],
        yes: Some("leave it".to_owned()),
        level: Level::Warning,
    }
}

/// What a message has said, for `/history`. Each text stays in a row of its own.
pub(super) fn versions(
    message: &str,
    versions: &[(&str, Timestamp)],
    utc_offset_seconds: i32,
) -> String {
    let row = |(text, at): &(&str, Timestamp)| {
        let when = crate::ui::date_and_time(at.0, utc_offset_seconds);
        format!("  {when} · {}", SafeLine::name(text))
    };
    match versions {
        [] | [_] => format!("Never changed: {message}"),
        some => {
            let rows: Vec<String> = some.iter().map(row).collect();
            format!("What it has said, the last as it is now:\n{}", rows.join("\n"))
        }
    }
}

/// The beginning of a device's id: enough to tell devices of one name apart.
pub(in crate::chat) fn short(id: DeviceId) -> String {
    id.to_string().chars().take(8).collect()
}

/// The lines of a text beside the middle rows of a code.
fn beside(code: &[String], text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let first = code.len().saturating_sub(lines.len()) / 2;
    let line = |row: usize| row.checked_sub(first).and_then(|at| lines.get(at)).copied();
    let rows = code.len().max(lines.len());
    let code = |row| code.get(row).map_or("", String::as_str);
    (0..rows).map(|row| format!("{}   {}", code(row), line(row).unwrap_or_default())).collect()
}

/// The question whether two safety numbers are the same.
pub(super) fn safety_number(
    name: &UserName,
    number: &SafetyNumber,
    state: IdentityState,
) -> Dialog {
    let verified = match state {
        IdentityState::Verified => "You compared this number before, and it was the same.",
        IdentityState::Changed => {
            "This is the number with the NEW key, which you have not accepted."
        }
        IdentityState::NotVerified | IdentityState::Own | IdentityState::Guest => {
            "You have not compared it yet."
        }
    };
    let mut body = vec![
        format!(
            "{name} sees a number too, by /verify with your name. Compare the two where nobody can change what you say: face to face, or by a voice you know."
        ),
        String::new(),
    ];
    body.extend(beside(&code::rows(number.digits()), &number.to_string()));
    body.push(verified.to_owned());
    let asks = state != IdentityState::Changed;
    if asks {
        body.push("Do they match?".to_owned());
    } else {
        body.push(format!("If they match: /accept {name}, then /verify {name}."));
    }
    Dialog {
        title: format!("Safety number with {name}"),
        body,
        yes: asks.then(|| "they match".to_owned()),
        level: if asks { Level::Info } else { Level::Warning },
    }
}
