//! What the screen is given for what the core shows.

use super::*;
use crate::ui::view::{Delivery, Line, LineKind, Trust};
use portcullis_client_core::PersonView;
use portcullis_proto::{Access, AccountId, ChannelName};

const LOBBY: ConversationId = ConversationId::LOBBY;
const PLAN: ConversationId = ConversationId::from_bytes([7; 16]);

fn user(name: &str) -> UserName {
    UserName::parse(name).unwrap()
}

fn conversation(id: ConversationId, name: &str, role: Role, unread: u64) -> Show {
    let name = ChannelName::parse(name).unwrap();
    Show::Conversation(ConversationView {
        id,
        name,
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

fn message(seq: u64, sender: &str, text: &str) -> Message {
    let own = sender == "mira";
    Message {
        conversation: LOBBY,
        seq,
        id: reference(seq),
        account: AccountId::from_bytes([1; 16]),
        sender: user(sender),
        device: DeviceId::from_bytes([2; 16]),
        sent_at: Timestamp(seq * 1000),
        text: Some(text.to_owned()),
        unknown_kind: None,
        identity: if own { IdentityState::Own } else { IdentityState::NotVerified },
        own,
    }
}

fn pending(id: u64, text: &str) -> Show {
    let at = Timestamp(0);
    Show::Pending { conversation: LOBBY, id: reference(id), text: text.to_owned(), at }
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
            format!("{mention}{}: {}{state}", message.sender, message.text)
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
    let row = model.view().conversations[1].clone();
    assert_eq!((row.name.as_str(), row.unread, row.mention), ("#plan", 2, true));
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
