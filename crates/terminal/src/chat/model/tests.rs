//! What the screen is given for what the core shows.

mod conversations;

use super::*;
use crate::ui::view::{Change, Delivery, Line, LineKind, Message as MessageView, Trust};
use portcullis_client_core::{
    Body, GroupWarning, GuestView, IdentityState, MemberView, Notice, PersonView,
};
use portcullis_proto::{Access, AccountId, GroupName, PersonName, Reference};

const LOBBY: ConversationId = ConversationId::LOBBY;
const PLAN: ConversationId = ConversationId::from_bytes([7; 16]);

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn conversation(id: ConversationId, name: &str, role: Role, unread: u64) -> Show {
    let name = ConversationName::parse(name).unwrap();
    let (kind, suite) = match &name {
        ConversationName::Channel(_) => (Kind::Channel, None),
        ConversationName::Group(_) => (Kind::Group, Some("mls")),
        ConversationName::Direct(_) => (Kind::Direct, Some("mls")),
        ConversationName::Classic(_) => (Kind::Classic, Some("classic")),
    };
    Show::Conversation(ConversationView {
        id,
        kind,
        name,
        suite,
        trust: if kind == Kind::Classic {
            IdentityState::Guest
        } else {
            IdentityState::NotVerified
        },
        access: Access::Open,
        role,
        unread,
        members: None,
    })
}

fn reference(seq: u64) -> Reference {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&seq.to_be_bytes());
    Reference::from_bytes(bytes)
}

fn text(text: &str) -> Body {
    Body::Text { text: text.to_owned(), reply_to: None }
}

fn message(seq: u64, sender: &str, said: &str) -> Message {
    entry(seq, sender, text(said))
}

fn entry(seq: u64, sender: &str, body: Body) -> Message {
    let own = sender == "mira";
    Message {
        conversation: LOBBY,
        seq,
        id: reference(seq),
        account: AccountId::from_bytes([1; 16]),
        sender: user(sender).into(),
        device: DeviceId::from_bytes([2; 16]),
        sent_at: Timestamp(seq * 1000),
        body,
        identity: if own { IdentityState::Own } else { IdentityState::NotVerified },
        own,
    }
}

fn pending(id: u64, said: &str) -> Show {
    waiting(id, text(said))
}

fn waiting(id: u64, body: Body) -> Show {
    Show::Pending { conversation: LOBBY, id: reference(id), body, at: Timestamp(0) }
}

/// mira's screen, in `#lobby`.
fn online() -> Model {
    let device = DeviceName::parse("laptop").unwrap();
    let mut model = Model::new("ws://127.0.0.1:1".into(), None, &device);
    let device = DeviceId::from_bytes([2; 16]);
    model.show(Show::Online { name: user("mira"), device });
    model.show(conversation(LOBBY, "#lobby", Role::Member, 0));
    model.show(Show::Listed);
    model
}

/// A line in one row: its mark, its sender, its text.
fn shown(line: &Line) -> String {
    match &line.what {
        LineKind::Notice { text, level } => format!("{level:?} {text}"),
        LineKind::Gap { missing } => format!("gap {missing:?}"),
        LineKind::Message(message) => {
            let state = match &message.state {
                Delivery::Sending => " …",
                Delivery::Sent => "",
                Delivery::Failed(reason) => &format!(" ✗ {reason}"),
            };
            let mention = if message.mention { "»" } else { "" };
            let answers = message.answers.as_ref();
            let answers = answers.map(|quote| format!("[{}: {}] ", quote.sender, quote.text));
            let change = match message.change {
                Change::None => "",
                Change::Edited => " (edited)",
                Change::Deleted => " (deleted)",
            };
            let reactions: Vec<String> =
                message.reactions.iter().map(|(emoji, count)| format!(" {emoji}{count}")).collect();
            let marks =
                if message.marks.is_empty() { "" } else { &format!(" ({})", message.marks) };
            let (answers, reactions) = (answers.unwrap_or_default(), reactions.concat());
            let MessageView { sender, text, .. } = message;
            format!("{mention}{sender}: {answers}{text}{change}{reactions}{state}{marks}")
        }
    }
}

fn check(shows: Vec<Show>, expected: &[&str]) {
    let mut model = online();
    shows.into_iter().for_each(|show| model.show(show));
    let lines: Vec<String> = model.view().lines.iter().map(shown).collect();
    assert_eq!(lines, expected);
}

#[test]
fn lines_stand_in_the_order_of_the_log() {
    let sent = |id, seq| Show::Sent { conversation: LOBBY, id: reference(id), seq };
    let failed = |id| Show::Failed { conversation: LOBBY, id: reference(id), reason: "why".into() };
    let said = |seq, sender, text| Show::Message(message(seq, sender, text));
    check(vec![pending(2, "hi")], &["mira: hi …"]);
    check(vec![pending(2, "hi"), sent(2, 2)], &["mira: hi"]);
    // The envelope takes the waiting line's place, whichever comes first, and once.
    check(vec![pending(2, "hi"), sent(2, 2), said(2, "mira", "hi")], &["mira: hi"]);
    check(vec![pending(2, "hi"), said(2, "mira", "hi"), sent(2, 2)], &["mira: hi"]);
    check(
        vec![pending(2, "hi"), said(1, "noor", "ho"), said(2, "mira", "hi")],
        &["noor: ho", "mira: hi"],
    );
    check(
        vec![pending(9, "hi"), said(1, "noor", "ho"), failed(9), said(2, "noor", "he")],
        &["noor: ho", "mira: hi ✗ why", "noor: he"],
    );
    check(vec![said(1, "noor", "hello Mira!")], &["»noor: hello Mira!"]);
    check(
        vec![said(1, "noor", "ho"), Show::Done("Done.".into()), said(2, "noor", "he")],
        &["noor: ho", "Info Done.", "noor: he"],
    );
}

/// What becomes of noor's "hello" (1), mira's "hi" (2) and otto's "ho" (3) by what follows from 4 on.
fn check_changes(follows: &[(u64, &str, Body)], expected: [&str; 3]) {
    let said = [message(1, "noor", "hello"), message(2, "mira", "hi"), message(3, "otto", "ho")];
    let changes = follows.iter().map(|(seq, sender, body)| entry(*seq, sender, body.clone()));
    let all: Vec<Message> = said.into_iter().chain(changes).collect();
    let lines = |model: &mut Model| -> Vec<String> {
        let lines = model.view().lines.iter();
        lines.filter(|line| matches!(line.what, LineKind::Message(_))).map(shown).collect()
    };
    let mut live = online();
    all.iter().for_each(|message| live.show(Show::Message(message.clone())));
    assert_eq!(lines(&mut live), expected, "as it comes");
    let mut twice = live;
    all.iter().for_each(|message| twice.show(Show::Message(message.clone())));
    assert_eq!(lines(&mut twice), expected, "and again");
    let mut loaded = online();
    for page in all.rchunks(2) {
        loaded.add_history(LOBBY, page, true);
    }
    assert_eq!(lines(&mut loaded), expected, "loaded from the end, page by page");
}

#[test]
fn changes_of_messages() {
    let edit = |seq, text: &str| Body::Edit { target: reference(seq), text: text.to_owned() };
    let delete = |seq| Body::Delete { target: reference(seq) };
    let react =
        |seq, emoji: &str| Body::Reaction { target: reference(seq), emoji: emoji.to_owned() };
    let answer =
        |seq, text: &str| Body::Text { text: text.to_owned(), reply_to: Some(reference(seq)) };
    let same = ["noor: hello", "mira: hi", "otto: ho"];
    check_changes(&[], same);
    check_changes(&[(4, "mira", edit(2, "hi!"))], [same[0], "mira: hi! (edited)", same[2]]);
    check_changes(
        &[(4, "noor", edit(1, "hallo")), (5, "noor", edit(1, "hola"))],
        ["noor: hola (edited)", same[1], same[2]],
    );
    check_changes(
        &[(4, "noor", react(3, "👍")), (5, "noor", delete(1)), (6, "mira", react(1, "👍"))],
        ["noor:  (deleted)", same[1], "otto: ho 👍1"],
    );
    check_changes(
        &[(4, "noor", react(2, "👍")), (5, "otto", react(2, "❤")), (6, "mira", react(2, "👍"))],
        [same[0], "mira: hi 👍2 ❤1", same[2]],
    );
    check_changes(
        &[(4, "noor", react(2, "👍")), (5, "noor", react(2, "❤")), (6, "otto", react(2, ""))],
        [same[0], "mira: hi ❤1", same[2]],
    );
    check_changes(&[(4, "noor", react(2, "👍")), (5, "noor", react(2, ""))], same);
    // What nobody but its author may change; the core refuses it, and here it would not count either.
    check_changes(&[(4, "otto", edit(1, "evil")), (5, "otto", delete(2))], same);
    check(
        vec![
            Show::Message(message(1, "noor", "hello")),
            Show::Message(entry(2, "otto", answer(1, "hello noor"))),
            Show::Message(entry(3, "otto", answer(9, "who?"))),
            Show::Message(entry(4, "noor", edit(1, "hallo"))),
        ],
        &[
            "noor: hallo (edited)",
            "otto: [noor: hallo] hello noor",
            "otto: [: an earlier message] who?",
        ],
    );
}

#[test]
fn own_changes_wait_and_may_fail() {
    let sent = |id, seq| Show::Sent { conversation: LOBBY, id: reference(id), seq };
    let failed = |id| Show::Failed { conversation: LOBBY, id: reference(id), reason: "why".into() };
    let edit = || waiting(9, Body::Edit { target: reference(1), text: "hi!".into() });
    let said = || Show::Message(message(1, "mira", "hi"));
    check(vec![said(), edit()], &["mira: hi! (edited) …"]);
    check(vec![said(), edit(), sent(9, 2)], &["mira: hi! (edited)"]);
    check(vec![said(), edit(), failed(9)], &["mira: hi", "Warning Not changed: why."]);
    check(vec![said(), failed(9)], &["mira: hi", "Warning Not sent: why."]);
}

#[test]
fn an_id_that_two_have_chosen_changes_neither_for_the_other() {
    let mine = message(1, "noor", "hello");
    let same_id = Message { id: reference(1), ..message(2, "otto", "mine, too") };
    let edit = entry(3, "otto", Body::Edit { target: reference(1), text: "evil".into() });
    let expected = ["noor: hello", "otto: evil (edited)"];
    check([mine, same_id, edit].map(Show::Message).into(), &expected);
}

#[test]
fn marks_stand_behind_own_messages() {
    let mark = |name, delivered, read| {
        let name = user(name);
        Show::Mark { conversation: LOBBY, name, delivered, read }
    };
    let mut shows: Vec<Show> =
        (1..4).map(|seq| Show::Message(message(seq, "mira", "hi"))).collect();
    shows.extend([mark("noor", 1, 1), mark("noor", 2, 1), mark("otto", 3, 2), mark("mira", 3, 3)]);
    check(
        shows,
        &[
            "mira: hi (read by noor)",
            "mira: hi (read by otto, delivered to noor)",
            "mira: hi (delivered to otto)",
        ],
    );
}

#[test]
fn changes_of_members_are_lines() {
    let notices = Body::Notices(vec![
        Notice::Before(3),
        Notice::Added(vec![user("otto")]),
        Notice::Renamed(GroupName::parse("+plan").unwrap()),
    ]);
    check(
        vec![
            Show::Message(entry(5, "noor", notices)),
            Show::Message(entry(6, "noor", Body::Unknown("poll".into()))),
        ],
        &[
            "Info 3 entries were sent before this device was added\nnoor added otto\nnoor named this group +plan",
            "noor: (a message of the kind \"poll\", which this version can't show)",
        ],
    );
}

#[test]
fn a_password_over_the_chat_waits_for_its_answer() {
    let given = |model: &mut Model| {
        let given = model.view().given.clone();
        given.map(|given| (given.busy.is_some(), given.error))
    };
    let refused = |what| Show::Refused { what, refusal: Refusal::new(Code::LoginFailed, "wrong") };
    let mut model = online();
    model.password_given();
    model.show(refused("list users"));
    model.show(Show::Done("noor may join.".into()));
    assert_eq!(given(&mut model), Some((true, None)), "these are other answers");
    model.show(refused("change the password"));
    assert_eq!(given(&mut model), Some((false, Some("wrong".to_owned()))));
    for taken in [Show::PasswordChanged, Show::Done(DEVICE_REMOVED.into())] {
        model.password_given();
        model.show(taken);
        assert_eq!(given(&mut model), None);
    }
}

#[test]
fn messages_are_counted_from_the_last() {
    let mut model = online();
    let delete = Body::Delete { target: reference(4) };
    for message in [
        message(1, "noor", "one"),
        message(2, "mira", "two"),
        message(3, "noor", "three"),
        message(4, "mira", "four"),
        entry(5, "mira", delete),
    ] {
        model.show(Show::Message(message));
    }
    model.show(pending(9, "waits"));
    let check = |back, own, expected: Option<&str>| {
        let picked = model.pick(back, own).map(|picked| picked.words);
        assert_eq!(picked.as_deref(), expected, "{back} {own}");
    };
    check(1, false, Some("noor: three"));
    check(2, false, Some("mira: two"));
    check(3, false, Some("noor: one"));
    check(4, false, None);
    check(0, false, None);
    check(1, true, Some("mira: two"));
    check(2, true, None);
}

#[test]
fn what_a_message_said_before_stays_within_reach() {
    let mut model = online();
    assert!(!model.tell_versions(None));
    let edit = |text: &str| Body::Edit { target: reference(1), text: text.into() };
    model.show(Show::Message(message(1, "noor", "one")));
    model.show(Show::Message(message(2, "noor", "untouched")));
    model.show(Show::Message(entry(3, "noor", edit("uno"))));
    model.show(Show::Message(entry(4, "noor", edit("un\nalso"))));
    assert!(model.tell_versions(None));
    let last = shown(model.view().lines.last().unwrap());
    let rows: Vec<&str> = last.lines().map(|row| row.rsplit(" · ").next().unwrap()).collect();
    assert_eq!(rows, ["Info What it has said, the last as it is now:", "one", "uno", "un␊also"]);
    assert!(model.tell_versions(Some(1)));
    assert_eq!(shown(model.view().lines.last().unwrap()), "Info Never changed: noor: untouched");
}

#[test]
fn members_are_listed() {
    let member =
        |name, owner, identity| MemberView { name: user(name), owner, devices: 2, identity };
    let members = vec![
        member("mira", true, IdentityState::Own),
        member("noor", false, IdentityState::Changed),
    ];
    let code = "0123 4567".into();
    check(
        vec![Show::Members { conversation: LOBBY, members, code }],
        &[
            "Info Members of #lobby:\n  mira (owner) · 2 devices · you\n  noor · 2 devices · identity changed!\nThe keys: 0123 4567 (the same for all who see this list)",
        ],
    );
}

#[test]
fn what_answers_a_message_from_before_this_device() {
    let answer = |seq| {
        let body = Body::Text { text: "yes".into(), reply_to: Some(reference(1)) };
        entry(seq, "noor", body)
    };
    let check = |has_older, expected: &str| {
        let mut model = online();
        model.add_history(LOBBY, &[answer(7)], has_older);
        assert_eq!(shown(&model.view().lines[0]), format!("noor: [: {expected}] yes"));
    };
    check(true, "an earlier message");
    check(false, "a message from before this device was added");
}

#[test]
fn a_page_of_changes_alone_is_followed_by_another() {
    let mut model = online();
    let react =
        |seq| entry(seq, "noor", Body::Reaction { target: reference(1), emoji: "👍".into() });
    assert_eq!(model.wants_history(false), Some((LOBBY, u64::MAX)));
    model.add_history(LOBBY, &[react(3), react(4)], true);
    assert_eq!(model.wants_history(false), Some((LOBBY, 3)));
    model.add_history(LOBBY, &[message(1, "mira", "hi"), react(2)], true);
    assert_eq!(model.wants_history(false), None);
    assert_eq!(shown(&model.view().lines[0]), "mira: hi 👍1");
}

#[test]
fn a_text_that_the_core_refuses_is_not_lost() {
    let mut model = online();
    model.saying("too long");
    let id = reference(1);
    model.show(Show::Failed { conversation: LOBBY, id, reason: "why".into() });
    assert_eq!(shown(&model.view().lines[0]), "mira: too long ✗ why");
}

#[test]
fn a_key_stays_when_the_envelope_comes() {
    let mut model = online();
    model.show(pending(2, "hi"));
    let before = model.view().lines[0].key;
    model.show(Show::Message(message(2, "mira", "hi")));
    assert_eq!(model.view().lines[0].key, before);
}

#[test]
fn history_goes_before_what_is_there() {
    let mut model = online();
    model.show(Show::Message(message(3, "noor", "three")));
    assert_eq!(model.wants_history(false), Some((LOBBY, 3)));
    let older = [message(1, "noor", "one"), message(2, "noor", "two"), message(3, "noor", "three")];
    model.add_history(LOBBY, &older, true);
    let lines: Vec<String> = model.view().lines.iter().map(shown).collect();
    assert_eq!(lines, ["noor: one", "noor: two", "noor: three"]);
    assert!(model.view().has_older);
    assert_eq!(model.wants_history(false), None);
    assert_eq!(model.wants_history(true), Some((LOBBY, 1)));
    model.add_history(LOBBY, &[], false);
    assert_eq!(model.wants_history(true), None);
}

#[test]
fn unread_messages_are_counted_and_marked() {
    let mut model = online();
    model.show(conversation(PLAN, "#plan", Role::Member, 0));
    for seq in 1..4 {
        let sender = if seq == 2 { "mira" } else { "noor" };
        let said = Message { conversation: PLAN, ..message(seq, sender, "mira?") };
        model.show(Show::Message(said));
    }
    let react = Body::Reaction { target: reference(1), emoji: "👍".into() };
    model.show(Show::Message(Message { conversation: PLAN, ..entry(4, "noor", react) }));
    let row = model.view().conversations[1].clone();
    assert_eq!((row.name.as_str(), row.unread, row.mention), ("#plan", 2, true), "messages count");
    model.open(PLAN);
    let first = model.view().lines[0].key;
    assert_eq!(model.view().unread_from, Some(first));
    assert_eq!(model.open_unread(), Some(PLAN));
    model.show(conversation(PLAN, "#plan", Role::Member, 0));
    assert_eq!(model.open_unread(), None);
    assert!(!model.view().conversations[1].mention);
}

#[test]
fn what_was_unread_before_a_restart_is_marked() {
    let mut model = online();
    model.show(conversation(LOBBY, "#lobby", Role::Member, 1));
    let older = [message(1, "noor", "old"), message(2, "noor", "new"), message(3, "mira", "own")];
    model.add_history(LOBBY, &older, false);
    let second = model.view().lines[1].key;
    assert_eq!(model.view().unread_from, Some(second));
}

#[test]
fn alarms_stay_until_they_are_dealt_with() {
    let mut model = online();
    let noor = PersonView { name: user("noor"), online: true, identity: None };
    model.show(Show::People { people: vec![noor], first: true, more: false });
    let name = user("noor");
    let warning = Warning::IdentityChanged { name: name.clone() };
    model.show(Show::Message(message(1, "noor", "hi")));
    model.show(Show::Warning { conversation: None, warning });
    let view = model.view();
    assert!(shown(&view.lines[1]).starts_with("Alarm The identity key of noor has changed."));
    assert!(view.alarm.as_ref().unwrap().contains("/accept noor"));
    assert!(matches!(view.people[0].trust, Trust::Warning(_)));
    model.accepted(&name);
    assert_eq!(model.view().alarm, None);
}

#[test]
fn forms() {
    let mut model = online();
    assert_eq!(model.view().form, None);
    model.show(Show::Need(Need::Password));
    assert_eq!(model.view().form.as_ref().unwrap().account.as_deref(), Some("mira"));
    let device = DeviceName::parse("laptop").unwrap();
    let mut model = Model::new("ws://127.0.0.1:1".into(), None, &device);
    let error = |model: &mut Model| model.view().form.as_ref().unwrap().error.clone();
    let refusal = Refusal::new(Code::RegistrationClosed, "an invitation is needed");
    model.show(Show::Progress("protecting the password"));
    model.show(Show::Refused { what: "register", refusal });
    assert_eq!(error(&mut model).as_deref(), Some("an invitation is needed"));
    let form = model.view().form.clone().unwrap();
    assert_eq!((form.busy, form.registration), (None, Registration::Invite));
}

#[test]
fn warnings_have_levels() {
    let name = user("noor");
    for (warning, expected) in [
        (Warning::Rewound { seen: 2, head: 1 }, Level::Alarm),
        (Warning::NotAuthentic { author: name.clone(), seq: 1 }, Level::Alarm),
        (Warning::Missing { author: name.clone(), count: 1 }, Level::Warning),
        (Warning::DeviceRevoked { name }, Level::Info),
        (Warning::OwnDeviceRevoked, Level::Warning),
        (GroupWarning::ReplayedWelcome.into(), Level::Alarm),
        (GroupWarning::LostPlace.into(), Level::Warning),
        (GroupWarning::FoundAgain { count: 0 }.into(), Level::Info),
    ] {
        assert_eq!(words::level(&warning), expected, "{warning}");
    }
}

#[test]
fn a_warning_outlives_the_form() {
    let device = DeviceName::parse("laptop").unwrap();
    let mut model = Model::new("ws://127.0.0.1:1".into(), None, &device);
    model.show(Show::Warning { conversation: None, warning: Warning::Restored });
    model.show(Show::Online { name: user("mira"), device: DeviceId::from_bytes([2; 16]) });
    model.show(conversation(LOBBY, "#lobby", Role::Member, 0));
    model.show(Show::Listed);
    model.view();
    let words = format!("Warning {}", Warning::Restored);
    let lines: Vec<String> = model.view().lines.iter().map(shown).collect();
    assert_eq!(lines.iter().filter(|line| **line == words).count(), 1, "{lines:#?}");
}
