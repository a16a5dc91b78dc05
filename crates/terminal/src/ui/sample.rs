//! Views for the tests: an afternoon in #lobby.

use super::view::*;

pub(super) const LOBBY: ConversationKey = ConversationKey([1; 16]);
pub(super) const DEV: ConversationKey = ConversationKey([2; 16]);
pub(super) const TEAM: ConversationKey = ConversationKey([5; 16]);
const START: u64 = 1_795_385_355_000;

/// What a view holds as soon as somebody is logged in.
pub(super) fn empty() -> View {
    View {
        conversations: vec![conversation(LOBBY, "#lobby", 0)],
        open: Some(LOBBY),
        people: vec![person("alice", true, Trust::Verified)],
        status: Status {
            connection: Connection::Online,
            identity: "alice · device laptop".into(),
            own_name: "alice".into(),
        },
        now: START,
        ..View::default()
    }
}

/// Several conversations, people and kinds of lines.
pub(super) fn busy() -> View {
    let mut view = empty();
    view.conversations = vec![
        conversation(LOBBY, "#lobby", 0),
        Conversation { mention: true, ..conversation(DEV, "#dev", 3) },
        Conversation { muted: true, ..conversation(ConversationKey([3; 16]), "#random", 40) },
        Conversation {
            kind: ConversationKind::Direct,
            trust: Some(Trust::Verified),
            ..encrypted(ConversationKey([4; 16]), "bob", 1)
        },
    ];
    view.conversations.insert(3, encrypted(TEAM, "+team", 0));
    view.people = vec![
        person("alice", true, Trust::Verified),
        person("bob", true, Trust::Verified),
        Person {
            display_name: Some("Carol C".into()),
            ..person("carol", true, Trust::NotVerified)
        },
        person("dave", false, Trust::NotVerified),
        person("mallory", true, Trust::Warning("the identity key changed".into())),
    ];
    view.lines = afternoon();
    view.unread_from = Some(LineKey(6));
    view
}

fn afternoon() -> Vec<Line> {
    vec![
        line(0, 0, LineKind::Notice { text: "you joined #lobby".into(), level: Level::Info }),
        said(
            1,
            1,
            "bob",
            Trust::Verified,
            "Good evening everybody, is the lab open tomorrow? I left my notes there.",
        ),
        said(2, 2, "carol", Trust::NotVerified, "It is, from nine. The key is with the porter."),
        line(3, 2, LineKind::Gap { missing: Some(3) }),
        said(
            4,
            130,
            "bob",
            Trust::Verified,
            "The steps are:\n  1. cargo run --release -- up\n  2. /join #dev",
        ),
        said(
            5,
            131,
            "mallory",
            Trust::Warning("signed by a device that is not on the list".into()),
            "trust me",
        ),
        line(
            6,
            132,
            LineKind::Message(Message {
                mention: true,
                ..message("carol", Trust::NotVerified, "alice: see you there?")
            }),
        ),
        own(7, 133, "Yes.", Delivery::Sent),
        own(
            8,
            133,
            "https://example.org/a/very/long/address/that/does/not/fit/into/one/row",
            Delivery::Failed("you were removed from #lobby".into()),
        ),
        own(9, 134, "On my way", Delivery::Sending),
    ]
}

pub(super) fn conversation(key: ConversationKey, name: &str, unread: u32) -> Conversation {
    Conversation {
        key,
        name: name.into(),
        kind: ConversationKind::Channel,
        suite: "signed, not encrypted".into(),
        trust: None,
        members: None,
        unread,
        mention: false,
        muted: false,
        gone: false,
    }
}

fn encrypted(key: ConversationKey, name: &str, unread: u32) -> Conversation {
    Conversation {
        kind: ConversationKind::Group,
        suite: "encrypted: mls".into(),
        trust: Some(Trust::NotVerified),
        members: Some(3),
        ..conversation(key, name, unread)
    }
}

pub(super) fn person(name: &str, online: bool, trust: Trust) -> Person {
    Person { name: name.into(), display_name: None, online, trust }
}

pub(super) fn line(key: u64, minutes: u64, what: LineKind) -> Line {
    Line { key: LineKey(key), at: START + minutes * 60_000, what }
}

pub(super) fn said(key: u64, minutes: u64, sender: &str, trust: Trust, text: &str) -> Line {
    line(key, minutes, LineKind::Message(message(sender, trust, text)))
}

fn own(key: u64, minutes: u64, text: &str, state: Delivery) -> Line {
    let message = Message { own: true, state, ..message("alice", Trust::Verified, text) };
    line(key, minutes, LineKind::Message(message))
}

fn message(sender: &str, trust: Trust, text: &str) -> Message {
    Message { sender: sender.into(), text: text.into(), trust, ..Message::default() }
}

/// An evening in a group: changes of its members and of its messages.
pub(super) fn group() -> View {
    let mut view = View { open: Some(TEAM), unread_from: None, ..busy() };
    let notice = |key, text: &str| {
        line(key, key, LineKind::Notice { text: text.into(), level: Level::Info })
    };
    let answer =
        |sender: &str, text: &str| Some(Quote { sender: sender.into(), text: text.into() });
    let with = |key, message| line(key, key, LineKind::Message(message));
    let reactions = vec![("👍".into(), 2), ("❤️".into(), 1)];
    view.lines = vec![
        notice(0, "alice made this conversation with bob"),
        notice(1, "alice added carol"),
        with(
            2,
            Message { reactions, ..message("bob", Trust::Verified, "The lab is open from nine.") },
        ),
        with(
            3,
            Message {
                answers: answer(
                    "bob",
                    "The lab is open from nine, and the key is with the porter.",
                ),
                change: Change::Edited,
                ..message("carol", Trust::NotVerified, "Thank you! I shall be there at ten.")
            },
        ),
        with(4, Message { change: Change::Deleted, ..message("carol", Trust::NotVerified, "") }),
        with(
            5,
            Message {
                own: true,
                answers: answer("", "a message that is not here"),
                marks: "read by bob".into(),
                ..message("alice", Trust::Verified, "Until then.")
            },
        ),
        with(
            6,
            Message {
                own: true,
                change: Change::Edited,
                marks: "delivered to carol".into(),
                ..message("alice", Trust::Verified, "I bring the long cable, the short one")
            },
        ),
        said(
            7,
            7,
            "bob",
            Trust::Verified,
            "(a message of the kind \"poll\", which this version can't show)",
        ),
        notice(8, "bob named this group +team"),
    ];
    view
}

/// A classroom guest in the lobby, and a private conversation with it.
pub(super) fn classroom() -> View {
    const GUEST: &str = "~abcdefgh23456722";
    let mut view = empty();
    let with_guest = ConversationKey([6; 16]);
    view.conversations.push(Conversation {
        kind: ConversationKind::Guest,
        suite: "encrypted: classic".into(),
        trust: Some(Trust::Guest),
        members: Some(2),
        ..conversation(with_guest, GUEST, 1)
    });
    view.people.push(person(GUEST, true, Trust::Guest));
    view.people.push(person("bob", true, Trust::Verified));
    view.lines = vec![
        said(1, 1, "bob", Trust::Verified, "Is the class here?"),
        said(2, 2, GUEST, Trust::Guest, "bob: we are"),
    ];
    view
}

/// What an attacker would send.
pub(super) fn hostile() -> View {
    let mut view = empty();
    view.conversations.push(conversation(DEV, "#\u{202e}ved\u{1b}[2J", 2000));
    view.people.push(Person {
        display_name: Some("alice\u{200b}\n✓".into()),
        ..person("ali\u{1b}[31mce", true, Trust::NotVerified)
    });
    let texts = [
        "\u{1b}[2J\u{1b}[H\u{1b}]0;owned\u{7}gone?",
        "invoice\u{202e}fdp.exe",
        "one\n22:10 alice✓: my password is hunter2\r\nthree\rfour",
        "a\u{200b}b\u{200d}c\u{e0041}\u{e0042}d\u{feff}",
        "Z\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}algo",
        "\u{301}starts with a mark\u{0}\u{7f}\u{9b}",
        "\u{2066}isolated\u{2069} \u{61c}\u{200e}\u{200f}",
    ];
    for (key, text) in (0..).zip(texts) {
        view.lines.push(said(key, key, "mall\u{202e}ory\nbob", Trust::NotVerified, text));
    }
    view.lines.push(changed(9, "one\n22:10 \u{202e}two\u{1b}[2J"));
    view
}

/// A message with a text of others wherever there can be one.
pub(super) fn changed(key: u64, text: &str) -> Line {
    let everywhere = Message {
        answers: Some(Quote { sender: format!("b{text}"), text: text.into() }),
        reactions: vec![(text.into(), 1)],
        change: Change::Edited,
        marks: text.into(),
        ..message("mallory", Trust::NotVerified, "no more")
    };
    line(key, key, LineKind::Message(everywhere))
}

/// Writing of the world.
pub(super) fn world() -> View {
    let mut view = empty();
    view.people.push(person("007", true, Trust::NotVerified));
    let texts = [
        "今晩は、皆さん。明日は九時から研究室が開いています。鍵は受付にあります。",
        "שלום לכולם, המעבדה פתוחה מחר משעה 9.",
        "مرحبا بالجميع",
        "می‌خواهم",
        "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪 ❤️",
        "Việt Nam, Größe, naïve, e\u{301}tude",
        "안녕하세요 สวัสดี नमस्ते",
    ];
    for (key, text) in (0..).zip(texts) {
        view.lines.push(said(key, key, "carol", Trust::NotVerified, text));
    }
    view
}
