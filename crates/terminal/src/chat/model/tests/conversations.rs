//! Which conversations there are, what they are called, and which is open.

use super::*;

#[test]
fn whoever_is_brought_in_hears_of_it() {
    let mut model = online();
    model.show(conversation(PLAN, "+plan", Role::Member, 0));
    let made = entry(1, "noor", Body::Notices(vec![Notice::Created(vec![user("mira")])]));
    model.show(Show::Message(Message { conversation: PLAN, ..made }));
    model.show(conversation(PLAN, "+plan", Role::Member, 0));
    let rows: Vec<_> =
        model.view().conversations.iter().map(|one| (one.name.clone(), one.unread)).collect();
    assert_eq!(rows, [("#lobby".into(), 0), ("+plan".into(), 1)]);
    let lines: Vec<String> = model.view().lines.iter().map(shown).collect();
    let words = "Info noor has brought you into +plan: open it, and /leave there leaves it.";
    assert_eq!(lines, [words]);
    model.open(PLAN);
    model.show(conversation(PLAN, "+plan", Role::Member, 0));
    assert_eq!(model.view().conversations[1].unread, 0);
    let lines: Vec<String> = model.view().lines.iter().map(shown).collect();
    assert_eq!(lines, ["Info noor made this conversation with mira"]);
}

#[test]
fn whoever_is_taken_out_hears_by_whom() {
    let check = |sender: &str, notice: Notice, expected: &str| {
        let mut model = online();
        model.show(conversation(PLAN, "+plan", Role::Member, 0));
        let gone = entry(1, sender, Body::Notices(vec![notice]));
        model.show(Show::Message(Message { conversation: PLAN, ..gone }));
        model.show(Show::Left(PLAN));
        assert_eq!(shown(&model.view().lines[0]), expected);
        let listed = model.view().conversations.len();
        assert_eq!(listed, if sender == "noor" && expected.contains(':') { 2 } else { 1 });
    };
    let removed = Notice::Removed(vec![user("mira")]);
    check("noor", removed, "Info You are no longer in +plan: noor removed mira.");
    check("mira", Notice::Left, "Info You are no longer in +plan.");
    check("noor", Notice::Left, "Info You are no longer in +plan.");
}

/// What is being typed for a conversation must not be said in another, whatever becomes of it.
#[test]
fn a_conversation_that_is_lost_stays_to_be_read() {
    let check = |sender: &str, notice: Notice, is_kept: bool| {
        let mut model = online();
        model.show(conversation(PLAN, "+plan", Role::Member, 0));
        model.open(PLAN);
        let said = Message { conversation: PLAN, ..message(1, "noor", "secret") };
        model.show(Show::Message(said));
        let gone = entry(2, sender, Body::Notices(vec![notice]));
        model.show(Show::Message(Message { conversation: PLAN, ..gone }));
        model.show(Show::Left(PLAN));
        assert_eq!(model.opened(), Some(PLAN));
        assert!(model.is_outside(PLAN));
        assert_eq!(shown(&model.view().lines[0]), "noor: secret");
        assert!(shown(model.view().lines.last().unwrap()).starts_with("Info You are no longer in"));
        assert!(model.view().conversations[1].gone);
        assert_eq!(model.open_unread(), None);
        model.open(LOBBY);
        assert_eq!(model.view().conversations.len(), 1 + usize::from(is_kept));
        model.show(conversation(PLAN, "+plan", Role::Member, 0));
        assert!(!model.is_outside(PLAN), "brought in again");
    };
    check("noor", Notice::Removed(vec![user("mira")]), true);
    check("mira", Notice::Left, false);
}

#[test]
fn groups_of_one_name_are_told_apart() {
    let id = |bytes: [u8; 3]| {
        let mut all = [7; 16];
        all[..3].copy_from_slice(&bytes);
        ConversationId::from_bytes(all)
    };
    let check = |ids: &[[u8; 3]], expected: &[&str]| {
        let mut model = online();
        for bytes in ids {
            model.show(conversation(id(*bytes), "+lab", Role::Member, 0));
        }
        let view = model.view();
        let names: Vec<_> = view.conversations.iter().skip(1).map(|one| one.name.clone()).collect();
        assert_eq!(names, expected);
    };
    check(&[[1, 2, 3]], &["+lab"]);
    check(&[[1, 2, 3], [1, 3, 3]], &["+lab·0102", "+lab·0103"]);
    check(&[[1, 2, 3], [1, 2, 4]], &["+lab·010203", "+lab·010204"]);
}

#[test]
fn guests_are_marked_and_listed() {
    let name = || GuestName::parse("~abcdefgh23456722").unwrap();
    let mut model = online();
    let said = Message {
        sender: PersonName::Guest(name()),
        identity: IdentityState::Guest,
        ..message(1, "noor", "hello")
    };
    model.show(Show::Message(said));
    assert_eq!(shown(&model.view().lines[0]), "~abcdefgh23456722: hello");
    let LineKind::Message(line) = &model.view().lines[0].what else { panic!() };
    assert_eq!(line.trust, Trust::Guest);
    let people = |model: &mut Model| -> Vec<(String, Trust)> {
        let people = &model.view().people;
        people.iter().map(|person| (person.name.clone(), person.trust.clone())).collect()
    };
    let here = [(name().to_string(), Trust::Guest)];
    let guest = GuestView { name: name(), dialect: "text".into(), server: "localhost:1".into() };
    model.show(Show::Guests(vec![guest]));
    assert_eq!(people(&mut model), here);
    model.show(Show::GuestsPresence { came: Vec::new(), went: vec![name()] });
    assert_eq!(people(&mut model), []);
    model.show(Show::GuestsPresence { came: vec![name()], went: Vec::new() });
    assert_eq!(people(&mut model), here);
    model.show(conversation(PLAN, "~abcdefgh23456722", Role::Member, 1));
    let row = model.view().conversations[1].clone();
    assert_eq!((row.kind, row.suite.as_str()), (ConversationKind::Guest, "encrypted: classic"));
    model.show(Show::Left(PLAN));
    let last = shown(model.view().lines.last().unwrap());
    assert_eq!(last, "Info The conversation with ~abcdefgh23456722 is closed.");
}

#[test]
fn what_was_asked_for_opens() {
    const OTHER: ConversationId = ConversationId::from_bytes([8; 16]);
    let mut model = online();
    model.show(conversation(PLAN, "+plan", Role::Member, 0));
    model.want(ConversationName::parse("+plan").unwrap());
    model.show(conversation(PLAN, "+plan", Role::Member, 0));
    assert_eq!(model.opened(), Some(LOBBY), "another group of this name");
    model.show(conversation(OTHER, "+plan", Role::Owner, 0));
    assert_eq!(model.opened(), Some(OTHER));
    model.want(ConversationName::parse("noor").unwrap());
    let refusal = Refusal::new(Code::NotFound, "there is no account called noor");
    model.show(Show::Refused { what: "find this account", refusal });
    model.show(conversation(ConversationId::from_bytes([9; 16]), "noor", Role::Owner, 1));
    assert_eq!(model.opened(), Some(OTHER), "nobody waits for it any more");
}

#[test]
fn a_chat_begins_in_the_lobby() {
    let device = DeviceName::parse("laptop").unwrap();
    let mut model = Model::new("ws://127.0.0.1:1".into(), None, &device);
    let view = |id, name| match conversation(id, name, Role::Member, 1) {
        Show::Conversation(view) => view,
        _ => unreachable!(),
    };
    const FIRST: ConversationId = ConversationId::from_bytes([0; 16]);
    model.restore([view(FIRST, "+plan"), view(PLAN, "+plan"), view(LOBBY, "#lobby")].into_iter());
    assert_eq!(model.opened(), Some(LOBBY));
    model.open(ConversationId::from_bytes([9; 16]));
    assert_eq!(model.opened(), Some(LOBBY), "the one that was open is gone");
}
