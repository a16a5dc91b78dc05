//! What visitors do, against a server that lists and relays, with keys of the pool.

use super::*;
use crate::client::tests::rng;
use crate::defences::SOUND;
use crate::effect::Effect;
use crate::event::Saying;
use crate::message::Message;
use crate::show::GuestWarning;
use portcullis_crypto::testing::perform_with_key;
use portcullis_proto::PersonName;
use portcullis_proto::classroom::{Incoming, Payload, ServerList, write_list};

const TEXT: DialectId = DialectId::BY_THE_TEXT;

/// A visitor with its store, and what it has shown and sent.
struct Desk {
    visit: Visit,
    number: usize,
    store: BTreeMap<Key, Vec<u8>>,
    shown: Vec<Show>,
    sent: Vec<String>,
    now: u64,
}

impl Desk {
    fn new(number: usize, dialect: DialectId) -> Self {
        let visit = Visit::new(dialect, SOUND);
        let (store, shown, sent) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { visit, number, store, shown, sent, now: 1_000_000 }
    }

    fn handle(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = Timestamp(self.now);
            let seed = self.now + self.number as u64 + self.store.len() as u64;
            for effect in self.visit.handle(event, now, &mut rng(seed)) {
                match effect {
                    Effect::Persist(writes) => {
                        for Write { key, value } in writes {
                            match value {
                                Some(value) => self.store.insert(key, value.to_vec()),
                                None => self.store.remove(&key),
                            };
                        }
                    }
                    Effect::Transfer(_) => unreachable!("nobody sends files on a visit"),
                    Effect::Send(frame) => self.sent.push(frame),
                    Effect::Show(show) => self.shown.push(show),
                    Effect::Work(id, job) => {
                        events.push(Event::Worked(id, perform_with_key(self.number, *job)));
                    }
                    Effect::Disconnect => panic!("no reason to go"),
                }
            }
        }
    }

    /// Its program ends, and begins again.
    fn restart(&mut self, dialect: DialectId) {
        let records = self.store.iter().map(|(key, value)| (*key, value.as_slice()));
        self.visit = Visit::restore(dialect, SOUND, records).unwrap();
        self.shown.clear();
    }

    fn say(&mut self, conversation: ConversationId, text: &str) {
        let what = Saying::Text(text.to_owned());
        self.handle(Event::Command(Command::Say { conversation, what }));
    }

    fn tell(&mut self, name: &GuestName, text: &str) {
        let name = PersonName::Guest(name.clone());
        self.handle(Event::Command(Command::Tell(name, text.to_owned())));
    }

    fn name(&self) -> GuestName {
        self.visit.name().unwrap().clone()
    }

    fn pem(&self) -> String {
        self.visit.own.as_ref().unwrap().public.pem().to_owned()
    }

    /// The texts that came in, each with its conversation's name and its author's.
    fn heard(&self) -> Vec<(String, String, String)> {
        let names: BTreeMap<_, _> =
            self.visit.conversations().map(|view| (view.id, view.name.to_string())).collect();
        let heard = self.shown.iter().filter_map(|show| match show {
            Show::Message(message @ Message { own: false, .. }) => {
                assert_eq!(message.identity, IdentityState::Guest);
                let name = names[&message.conversation].clone();
                Some((name, message.sender.to_string(), message.text().unwrap().to_owned()))
            }
            _ => None,
        });
        heard.collect()
    }

    fn warnings(&self) -> Vec<&Warning> {
        let warnings = self.shown.iter().filter_map(|show| match show {
            Show::Warning { warning, .. } => Some(warning),
            _ => None,
        });
        warnings.collect()
    }

    /// Why what was said came to nothing.
    fn failures(&self) -> Vec<&str> {
        let failures = self.shown.iter().filter_map(|show| match show {
            Show::Failed { reason, .. } => Some(reason.as_str()),
            Show::Refused { refusal, .. } => Some(refusal.message.as_str()),
            _ => None,
        });
        failures.collect()
    }

    fn wait(&mut self, millis: u64) {
        self.now += millis;
        self.handle(Event::Tick);
    }
}

fn list(desks: &[&Desk]) -> String {
    let clients = desks.iter().map(|desk| desk.pem()).collect();
    write_list(&[ServerList { address: "localhost:1".into(), clients }])
}

/// A server: answers lists, passes everything else on to all but its sender, until nothing is under way.
fn relay(desks: &mut [Desk]) {
    loop {
        let sent: Vec<(usize, String)> = desks
            .iter_mut()
            .enumerate()
            .flat_map(|(at, desk)| std::mem::take(&mut desk.sent).into_iter().map(move |f| (at, f)))
            .collect();
        if sent.is_empty() {
            return;
        }
        for (from, frame) in sent {
            match Incoming::read(&frame).unwrap() {
                Incoming::ListRequest => {
                    let list = list(&desks.iter().collect::<Vec<_>>());
                    desks[from].handle(Event::Frame(list));
                }
                Incoming::Signed(signed) if matches!(signed.payload(), Payload::Hello { .. }) => {}
                _ => {
                    let others = desks.iter_mut().enumerate().filter(|(at, _)| *at != from);
                    others.for_each(|(_, desk)| desk.handle(Event::Frame(frame.clone())));
                }
            }
        }
    }
}

/// Visitors in these dialects who know each other.
fn met(dialects: &[DialectId]) -> Vec<Desk> {
    let desks = dialects.iter().enumerate();
    let mut desks: Vec<Desk> = desks.map(|(at, dialect)| Desk::new(at, *dialect)).collect();
    desks.iter_mut().for_each(|desk| desk.handle(Event::Connected));
    relay(&mut desks);
    desks.iter_mut().for_each(|desk| desk.shown.clear());
    desks
}

fn counters(frames: &[String]) -> Vec<u64> {
    let frames = frames.iter().filter_map(|frame| match Incoming::read(frame).unwrap() {
        Incoming::Signed(frame) => Some(frame.counter()),
        _ => None,
    });
    frames.collect()
}

#[test]
fn a_visitor_says_hello_and_asks_who_is_there() {
    let mut desk = Desk::new(0, TEXT);
    desk.handle(Event::Connected);
    let frames: Vec<Incoming> = desk.sent.iter().map(|f| Incoming::read(f).unwrap()).collect();
    let [Incoming::Signed(hello), Incoming::ListRequest] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    let Payload::Hello { public_key } = hello.payload() else { panic!("{hello:?}") };
    let key = GuestKey::parse(public_key).unwrap();
    assert_eq!(key.name(), &desk.name());
    assert!(hello.verify(key.key(), None).is_ok());
    assert!(desk.shown.is_empty(), "nobody has answered");
    let list = list(&[&desk, &met(&[TEXT, TEXT])[1]]);
    desk.handle(Event::Frame(list.clone()));
    desk.handle(Event::Frame(list));
    let [Show::Listed, Show::GuestsPresence { came, went }] = desk.shown.as_slice() else {
        panic!("{:?}", desk.shown);
    };
    assert_eq!((came.len(), went.len()), (1, 0));
}

#[test]
fn the_counter_grows_across_restarts() {
    let mut desk = Desk::new(0, TEXT);
    desk.handle(Event::Connected);
    desk.say(PUBLIC, "one");
    assert_eq!(counters(&desk.sent), [1, 2]);
    let name = desk.name();
    desk.restart(TEXT);
    desk.sent.clear();
    desk.handle(Event::Connected);
    assert_eq!((counters(&desk.sent), desk.name()), (vec![3], name));
    // As it was persisted before anything was sent.
    desk.restart(TEXT);
    assert_eq!(desk.visit.own.as_ref().unwrap().counter, 3);
}

#[test]
fn all_dialects_are_understood() {
    for dialect in DialectId::all() {
        let mut desks = met(&[TEXT, dialect]);
        let (first, second) = (desks[0].name(), desks[1].name());
        desks[1].say(PUBLIC, "hé, all");
        desks[1].tell(&first, "and you");
        relay(&mut desks);
        let private = ConversationId::classic(
            desks[1].visit.own.as_ref().unwrap().public.id(),
            desks[0].visit.own.as_ref().unwrap().device(),
        );
        desks[0].say(private, "answered");
        relay(&mut desks);
        let from = |conversation: &str, name: &GuestName, text: &str| {
            (conversation.to_owned(), name.to_string(), text.to_owned())
        };
        let expected =
            [from("#lobby", &second, "hé, all"), from(second.as_str(), &second, "and you")];
        assert_eq!(desks[0].heard(), expected, "{dialect:?}");
        assert_eq!(desks[1].heard(), [from(first.as_str(), &first, "answered")], "{dialect:?}");
        for desk in &desks {
            assert!(desk.warnings().is_empty() && desk.failures().is_empty(), "{dialect:?}");
        }
    }
}

#[test]
fn whoever_begins_to_speak_otherwise_is_understood() {
    for dialect in DialectId::all() {
        let mut desks = met(&[TEXT, TEXT]);
        desks[1].say(PUBLIC, "before");
        relay(&mut desks);
        desks[1].restart(dialect);
        desks[1].handle(Event::Connected);
        desks[1].say(PUBLIC, "after");
        relay(&mut desks);
        assert_eq!((desks[0].heard().len(), desks[0].warnings()), (2, vec![]), "{dialect:?}");
    }
}

#[test]
fn what_was_not_looked_at_is_counted_and_kept() {
    let mut desks = met(&[TEXT, TEXT]);
    let name = desks[0].name();
    desks[1].say(PUBLIC, "to all");
    desks[1].tell(&name, "to you");
    relay(&mut desks);
    let desk = &mut desks[0];
    let unread =
        |desk: &Desk| desk.visit.conversations().map(|view| view.unread).collect::<Vec<_>>();
    desk.restart(TEXT);
    assert_eq!(unread(desk), [1, 1]);
    let ids: Vec<_> = desk.visit.conversations().map(|view| view.id).collect();
    desk.handle(Event::Command(Command::MarkRead(ids[1])));
    assert_eq!(unread(desk), [1, 0]);
    desk.handle(Event::Command(Command::MarkRead(PUBLIC)));
    desk.restart(TEXT);
    assert_eq!(unread(desk), [0, 0]);
    let kept = desk.store.keys().filter(|key| matches!(key, Key::Message(..))).count();
    assert_eq!(kept, 2);
    desk.handle(Event::Command(Command::Leave(ids[1])));
    desk.restart(TEXT);
    assert_eq!(unread(desk), [0]);
}

#[test]
fn nothing_is_shown_twice() {
    let mut desks = met(&[TEXT, TEXT]);
    let name = desks[0].name();
    desks[1].say(PUBLIC, "first");
    desks[1].say(PUBLIC, "second");
    desks[1].tell(&name, "third");
    let frames = desks[1].sent.clone();
    relay(&mut desks);
    let replayed = Warning::Guest(GuestWarning::Replayed { name: desks[1].name() });
    let listed = list(&[&desks[0], &desks[1]]);
    let desk = &mut desks[0];
    // In the same connection, in a later one, and after a restart; said once in each.
    for again in 0..3 {
        assert_eq!(desk.heard().len(), if again == 0 { 3 } else { 0 });
        desk.shown.clear();
        for frame in &frames {
            desk.handle(Event::Frame(frame.clone()));
        }
        assert_eq!((desk.heard().len(), desk.warnings()), (0, vec![&replayed]), "{again}");
        if again > 0 {
            desk.restart(TEXT);
        }
        desk.handle(Event::Disconnected);
        desk.handle(Event::Connected);
        desk.handle(Event::Frame(listed.clone()));
        desk.shown.clear();
    }
}

#[test]
fn a_counter_that_was_used_is_refused_as_long_as_its_key_is_listed() {
    let mut desks = met(&[TEXT, TEXT]);
    desks[1].say(PUBLIC, "before anybody listened");
    let early = std::mem::take(&mut desks[1].sent);
    desks[1].say(PUBLIC, "later");
    relay(&mut desks);
    let (alone, both) = (list(&[&desks[0]]), list(&[&desks[0], &desks[1]]));
    let desk = &mut desks[0];
    desk.handle(Event::Frame(early[0].clone()));
    assert_eq!(desk.heard().len(), 1);
    // Whoever goes and comes may begin to count anew.
    desk.handle(Event::Frame(alone));
    desk.handle(Event::Frame(both));
    desk.handle(Event::Frame(early[0].clone()));
    assert_eq!(desk.heard().len(), 2);
}

#[test]
fn whoever_is_not_listed_yet_waits_for_the_next_list() {
    let mut desks = met(&[TEXT, TEXT]);
    let (alone, both) = (list(&[&desks[0]]), list(&[&desks[0], &desks[1]]));
    let name = desks[0].name();
    desks[1].say(PUBLIC, "hello");
    desks[1].tell(&name, "hello, you");
    let frames = std::mem::take(&mut desks[1].sent);
    for (list, expected) in [(&both, 2), (&alone, 0)] {
        let desk = &mut Desk::new(0, TEXT);
        desk.handle(Event::Connected);
        desk.handle(Event::Frame(alone.clone()));
        desk.sent.clear();
        desk.shown.clear();
        frames.iter().for_each(|frame| desk.handle(Event::Frame(frame.clone())));
        assert!(desk.sent.is_empty(), "it was asked a moment ago");
        desk.wait(limits::VISIT_AGAIN_MILLIS);
        desk.wait(limits::VISIT_AGAIN_MILLIS);
        assert_eq!(desk.sent, [write_list_request()], "asked once");
        assert!(desk.shown.is_empty());
        desk.handle(Event::Frame(list.clone()));
        assert_eq!(desk.heard().len(), expected);
        // Nobody of the list has said it: said once, for it costs nothing to do.
        assert_eq!(desk.warnings().len(), usize::from(expected == 0));
    }
}

#[test]
fn frames_that_wait_for_a_list_are_bounded() {
    let mut desks = met(&[TEXT, TEXT]);
    let both = list(&[&desks[0], &desks[1]]);
    (0..limits::VISIT_HELD + 1).for_each(|_| desks[1].say(PUBLIC, "hello"));
    let frames = std::mem::take(&mut desks[1].sent);
    let desk = &mut Desk::new(0, TEXT);
    desk.handle(Event::Connected);
    frames.into_iter().for_each(|frame| desk.handle(Event::Frame(frame)));
    desk.handle(Event::Frame(both));
    assert_eq!(desk.heard().len(), limits::VISIT_HELD);
}

#[test]
fn whom_nobody_lists_nothing_is_said_to() {
    let mut desks = met(&[TEXT, TEXT]);
    let (name, alone) = (desks[1].name(), list(&[&desks[0]]));
    let desk = &mut desks[0];
    let check = |desk: &mut Desk, expected: &[&str]| {
        assert_eq!(desk.failures(), expected);
        desk.shown.clear();
    };
    desk.tell(&GuestName::parse("~aaaabbbbccccdddd").unwrap(), "hello");
    assert_eq!(std::mem::take(&mut desk.sent), [write_list_request()]);
    desk.handle(Event::Frame(alone.clone()));
    check(desk, &["~aaaabbbbccccdddd is not here"]);
    // Gone, and never talked with.
    desk.tell(&name, "hello");
    desk.handle(Event::Frame(alone.clone()));
    check(desk, &[&format!("{name} is not here")]);
    desk.handle(Event::Command(Command::ListChannels));
    check(desk, &["a classroom server knows no accounts, channels or groups"]);
    desk.handle(Event::Disconnected);
    desk.tell(&name, "hello");
    check(desk, &["there is no connection"]);
}

#[test]
fn a_server_that_never_answers_is_not_waited_for() {
    let mut desks = met(&[TEXT, TEXT]);
    let (name, alone) = (desks[1].name(), list(&[&desks[0]]));
    let desk = &mut desks[0];
    desk.tell(&name, "");
    let talk = desk.visit.conversations().nth(1).unwrap().id;
    desk.handle(Event::Frame(alone));
    desk.sent.clear();
    desk.say(talk, "are you there?");
    desk.wait(limits::VISIT_ANSWER_MILLIS - 1);
    assert!(desk.failures().is_empty());
    assert_eq!(std::mem::take(&mut desk.sent), [write_list_request()]);
    // Nor is somebody who is looked up forgotten without a word.
    desk.tell(&GuestName::parse("~aaaabbbbccccdddd").unwrap(), "and you?");
    desk.wait(1);
    let unsaid = "the server does not say who is there";
    assert_eq!(desk.failures(), [&format!("~aaaabbbbccccdddd: {unsaid}"), unsaid]);
    desk.wait(limits::VISIT_LIST_MILLIS);
    assert_eq!(desk.sent, [write_list_request()], "asked again");
}

/// Whoever tells somebody something wants to see that it was said, whatever is open.
#[test]
fn what_is_told_is_shown_where_it_stands() {
    let mut desks = met(&[TEXT, TEXT]);
    let name = desks[1].name();
    for text in ["the first", "another", ""] {
        desks[0].shown.clear();
        desks[0].tell(&name, text);
        let shown = desks[0].shown.iter().any(|show| {
            matches!(show, Show::Conversation(view) if view.name.to_string() == name.as_str())
        });
        let sent = desks[0].shown.iter().any(|show| matches!(show, Show::Sent { .. }));
        assert_eq!((shown, sent), (true, !text.is_empty()), "{text}");
    }
}

#[test]
fn what_is_said_without_a_connection_waits_for_one() {
    let mut desks = met(&[TEXT, TEXT]);
    let name = desks[1].name();
    desks[0].tell(&name, "");
    let talk = desks[0].visit.conversations().nth(1).unwrap().id;
    desks[0].handle(Event::Disconnected);
    desks[0].say(PUBLIC, "meanwhile");
    desks[0].say(talk, "and you");
    assert!(desks[0].sent.is_empty());
    desks[0].handle(Event::Connected);
    relay(&mut desks);
    let texts: Vec<String> = desks[1].heard().into_iter().map(|(.., text)| text).collect();
    assert_eq!(texts, ["meanwhile", "and you"]);
    assert!(desks[0].failures().is_empty());
}

/// As what accounts have not sent yet is.
#[test]
fn what_waits_outlives_the_program_and_is_said_once() {
    let mut desks = met(&[TEXT, TEXT]);
    let name = desks[1].name();
    desks[0].tell(&name, "");
    let talk = desks[0].visit.conversations().nth(1).unwrap().id;
    desks[0].handle(Event::Disconnected);
    desks[0].say(PUBLIC, "meanwhile");
    desks[0].say(talk, "and you");
    let unsaid = |desk: &Desk| {
        let texts = desk.visit.unsaid().map(|show| match show {
            Show::Pending { body: crate::message::Body::Text { text, .. }, .. } => text,
            other => panic!("{other:?}"),
        });
        texts.collect::<Vec<_>>()
    };
    desks[0].restart(TEXT);
    assert_eq!(unsaid(&desks[0]), ["meanwhile", "and you"]);
    for _ in 0..2 {
        desks[0].handle(Event::Connected);
        relay(&mut desks);
        desks[0].restart(TEXT);
        assert!(unsaid(&desks[0]).is_empty());
    }
    let texts: Vec<String> = desks[1].heard().into_iter().map(|(.., text)| text).collect();
    assert_eq!(texts, ["meanwhile", "and you"]);
    // What fails waits no longer, and what a closed conversation had waits for nobody.
    desks[0].say(talk, "for nobody");
    desks[0].handle(Event::Connected);
    let alone = list(&[&desks[0]]);
    desks[0].handle(Event::Frame(alone));
    assert_eq!(desks[0].failures(), ["this guest is not here"]);
    desks[0].handle(Event::Disconnected);
    desks[0].say(talk, "for nobody");
    desks[0].handle(Event::Command(Command::Leave(talk)));
    desks[0].restart(TEXT);
    assert!(unsaid(&desks[0]).is_empty());
}

#[test]
fn what_the_protocol_does_not_have_is_not_said() {
    let mut desks = met(&[TEXT]);
    let desk = &mut desks[0];
    let target = portcullis_proto::Reference::from_bytes([1; 16]);
    for what in [
        Saying::Text(String::new()),
        Saying::Text("x".repeat(portcullis_proto::limits::TEXT_BYTES + 1)),
        Saying::Delete { target },
    ] {
        desk.shown.clear();
        desk.handle(Event::Command(Command::Say { conversation: PUBLIC, what }));
        assert_eq!(desk.failures().len(), 1);
    }
    assert!(desk.sent.is_empty());
}

#[test]
fn nonsense_is_passed_over() {
    let mut desks = met(&[TEXT]);
    let desk = &mut desks[0];
    for text in ["", "[]", "{\"type\":\"motd\"}", "{\"type\":\"client_list\",\"servers\":0}"] {
        desk.handle(Event::Frame(text.to_owned()));
    }
    assert_eq!(desk.warnings(), [&Warning::Nonsense]);
    let strange = write_list(&[ServerList { address: String::new(), clients: vec!["x".into()] }]);
    desk.handle(Event::Frame(strange));
    desk.say(PUBLIC, "still here");
    assert_eq!(desk.sent.len(), 1);
}

#[test]
fn records_of_others_are_refused() {
    let check = |key: Key, value: &[u8]| {
        let restored = Visit::restore(TEXT, SOUND, [(key, value)]);
        assert_eq!(restored.err(), Some(BadRecord(key)));
    };
    check(Key::Classic, b"{}");
    check(Key::Account, b"");
    check(Key::Guest(AccountId::from_bytes([1; 16])), b"{\"v\":2,\"r\":{}}");
    check(Key::GuestSeen(portcullis_proto::Reference::from_bytes([1; 16])), b"null");
}
