//! A server that lies: whatever it drops, reorders, takes back, forks, invents or swaps, the client
//! notices, and says so in these words.

use portcullis_client_core::{Command, Saying, Show};
use portcullis_crypto::{AuthKey, IdentityKey, LeafKey, Stretch};
use portcullis_proto::{
    Access, ChannelName, ConversationId, ConversationName, DeviceEntry, DeviceId, DeviceName,
    Envelope, Event, Refusal, Reply, ServerFrame, Timestamp, UserName, encode_event,
    encode_refusal, encode_reply,
};
use portcullis_sim::{Chance, DeviceIndex, World};
use std::cell::RefCell;
use std::rc::Rc;

const LOBBY: ConversationId = ConversationId::LOBBY;
const ALICE: DeviceIndex = DeviceIndex(0);
const BOB: DeviceIndex = DeviceIndex(1);

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

/// Alice and Bob, who have talked before.
fn world() -> World {
    let mut world = World::new(1, Stretch::LIGHT).unwrap();
    world.add_device(&name("alice"));
    world.add_device(&name("bob"));
    world.settle().unwrap();
    for text in ["one", "two", "three"] {
        say(&mut world, ALICE, text);
    }
    say(&mut world, BOB, "four");
    world
}

fn say(world: &mut World, who: DeviceIndex, text: &str) {
    world.command(who, Command::Say { conversation: LOBBY, what: Saying::Text(text.into()) });
    // A world with a liar in it may never come to rest; what was shown by then is what counts.
    let _ = world.settle();
}

/// Lies to Bob only, frame by frame.
fn lie_to_bob(world: &mut World, mut lie: impl FnMut(ServerFrame) -> Vec<ServerFrame> + 'static) {
    world.liar = Some(Box::new(move |to, text| {
        if to != BOB {
            return vec![text];
        }
        let frames = lie(ServerFrame::decode(&text).unwrap());
        frames.iter().map(encode).collect()
    }));
}

fn encode(frame: &ServerFrame) -> String {
    match frame {
        ServerFrame::Reply(id, reply) => encode_reply(*id, reply),
        ServerFrame::Refusal(id, refusal) => encode_refusal(*id, refusal),
        ServerFrame::Event(event) => encode_event(event),
    }
}

/// Changes every list of envelopes that goes to Bob: those of pages, and single ones.
fn change_envelopes(
    world: &mut World,
    mut change: impl FnMut(Vec<Envelope>) -> Vec<Envelope> + 'static,
) {
    lie_to_bob(world, move |frame| match frame {
        ServerFrame::Event(Event::Envelope(envelope)) => {
            let changed = change(vec![envelope]);
            changed.into_iter().map(|e| ServerFrame::Event(Event::Envelope(e))).collect()
        }
        ServerFrame::Reply(id, Reply::Fetched(mut page)) => {
            page.envelopes = change(page.envelopes);
            vec![ServerFrame::Reply(id, Reply::Fetched(page))]
        }
        frame => vec![frame],
    });
}

/// What Bob was warned of, in order.
fn warned(world: &World) -> Vec<String> {
    world.devices[BOB.0].warnings().map(ToString::to_string).collect()
}

fn texts(world: &World) -> Vec<String> {
    let shown = world.devices[BOB.0].shows.iter().filter_map(|show| match show {
        Show::Message(message) => message.text().map(str::to_owned),
        _ => None,
    });
    shown.collect()
}

fn assert_warned(world: &World, expected: &str) {
    let warned = warned(world);
    assert!(warned.iter().any(|words| words == expected), "{expected:?} is not among {warned:#?}");
}

#[test]
fn an_honest_server_gives_no_cause() {
    let mut world = world();
    say(&mut world, ALICE, "five");
    assert_eq!(warned(&world), Vec::<String>::new());
    assert_eq!(texts(&world), ["one", "two", "three", "four", "five"]);
}

#[test]
fn a_dropped_message_leaves_a_gap() {
    let mut world = world();
    change_envelopes(&mut world, |envelopes| {
        envelopes.into_iter().filter(|envelope| envelope.seq != 5).collect()
    });
    say(&mut world, ALICE, "dropped");
    say(&mut world, ALICE, "after");
    assert_warned(&world, "The server sent message number 6 where number 5 belongs.");
    assert!(!texts(&world).contains(&"after".to_owned()));
}

/// Leaves number 5 out and closes the gap behind it.
fn drop_and_renumber(world: &mut World) {
    change_envelopes(world, |envelopes| {
        let kept = envelopes.into_iter().filter(|envelope| envelope.seq != 5);
        let closed = |mut envelope: Envelope| {
            envelope.seq -= u64::from(envelope.seq > 5);
            envelope
        };
        kept.map(closed).collect()
    });
}

#[test]
fn a_closed_gap_is_missed_by_its_number() {
    let mut world = world();
    drop_and_renumber(&mut world);
    say(&mut world, ALICE, "dropped");
    say(&mut world, ALICE, "after");
    assert_warned(&world, "A message of alice is missing before the next.");
}

#[test]
fn a_forked_conversation_shows_in_what_others_have_seen() {
    let mut world = world();
    drop_and_renumber(&mut world);
    world.add_device(&name("carol"));
    world.settle().unwrap();
    say(&mut world, DeviceIndex(2), "only for alice");
    say(&mut world, ALICE, "did you see that?");
    assert_warned(
        &world,
        "The server shows alice another conversation than you: what you were shown up to number 5 differs.",
    );
}

#[test]
fn reordered_messages_show() {
    let mut world = world();
    let held: Rc<RefCell<Option<Envelope>>> = Rc::default();
    change_envelopes(&mut world, move |envelopes| {
        let mut out = Vec::new();
        for mut envelope in envelopes {
            match envelope.seq {
                5 => *held.borrow_mut() = Some(envelope),
                6 => {
                    envelope.seq = 5;
                    out.push(envelope);
                    if let Some(mut earlier) = held.borrow_mut().clone() {
                        earlier.seq = 6;
                        out.push(earlier);
                    }
                }
                _ => out.push(envelope),
            }
        }
        out
    });
    say(&mut world, ALICE, "first");
    say(&mut world, ALICE, "second");
    assert_warned(&world, "A message of alice is missing before the next.");
    assert_warned(&world, "A message of alice came a second time; it is not shown again.");
}

#[test]
fn a_rewound_conversation_is_noticed() {
    let mut world = world();
    lie_to_bob(&mut world, |frame| match frame {
        ServerFrame::Reply(id, Reply::Conversations { mut conversations, more }) => {
            conversations.iter_mut().for_each(|summary| summary.head = 2);
            vec![ServerFrame::Reply(id, Reply::Conversations { conversations, more })]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let _ = world.settle();
    let words =
        "The server has taken messages back: you have read up to number 4, and it now ends at 2.";
    assert_warned(&world, words);
}

#[test]
fn a_rewritten_past_is_noticed() {
    let mut world = world();
    lie_to_bob(&mut world, |frame| match frame {
        ServerFrame::Reply(id, Reply::Fetched(mut page)) => {
            page.base.chain = Envelope::chain_start(LOBBY);
            vec![ServerFrame::Reply(id, Reply::Fetched(page))]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    world.command(ALICE, Command::Say { conversation: LOBBY, what: Saying::Text("five".into()) });
    let _ = world.settle();
    let words = "The server has changed what you have already read, at or before number 4.";
    assert_warned(&world, words);
}

#[test]
fn a_changed_text_is_not_shown() {
    let mut world = world();
    change_envelopes(&mut world, |mut envelopes| {
        for envelope in envelopes.iter_mut().filter(|envelope| envelope.seq == 5) {
            let text = String::from_utf8_lossy(&envelope.body.0[64..]).replace("pay 10", "pay 99");
            envelope.body.0.truncate(64);
            envelope.body.0.extend(text.bytes());
        }
        envelopes
    });
    say(&mut world, ALICE, "pay 10");
    assert_warned(
        &world,
        "Message number 5 is not from alice, though the server says so; it is not shown.",
    );
    assert!(!texts(&world).iter().any(|text| text.starts_with("pay")));
}

#[test]
fn a_message_under_another_name_is_not_shown() {
    let mut world = world();
    let bobs: Rc<RefCell<Option<Envelope>>> = Rc::default();
    let log = world.log().fetch(LOBBY, 3, 4, 1, usize::MAX).unwrap();
    *bobs.borrow_mut() = log.envelopes.first().cloned();
    change_envelopes(&mut world, move |mut envelopes| {
        for envelope in envelopes.iter_mut().filter(|envelope| envelope.seq == 5) {
            let from = bobs.borrow();
            let from = from.as_ref().unwrap();
            (envelope.account, envelope.device) = (from.account, from.device);
        }
        envelopes
    });
    say(&mut world, ALICE, "I am bob");
    assert_warned(
        &world,
        "Message number 5 is not from bob, though the server says so; it is not shown.",
    );
}

#[test]
fn a_replayed_message_is_not_shown_again() {
    let mut world = world();
    let old = world.log().fetch(LOBBY, 0, 1, 1, usize::MAX).unwrap().envelopes.remove(0);
    change_envelopes(&mut world, move |envelopes| {
        let replay = |envelope: Envelope| match envelope.seq {
            5 => Envelope { seq: 5, ..old.clone() },
            _ => envelope,
        };
        envelopes.into_iter().map(replay).collect()
    });
    say(&mut world, ALICE, "five");
    assert_warned(&world, "A message of alice came a second time; it is not shown again.");
    assert_eq!(texts(&world).iter().filter(|text| *text == "one").count(), 1);
}

#[test]
fn messages_that_are_spoken_of_must_be_shown() {
    let mut world = world();
    lie_to_bob(&mut world, |frame| match frame {
        ServerFrame::Event(Event::Envelope(_)) => vec![],
        ServerFrame::Reply(id, Reply::Fetched(mut page)) => {
            page.envelopes.clear();
            vec![ServerFrame::Reply(id, Reply::Fetched(page))]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    say(&mut world, ALICE, "five");
    let words = "The server speaks of messages up to number 5, and shows none after 4.";
    assert_warned(&world, words);
}

/// A device that the account's identity never signed.
fn invented(
    version: u64,
    of: &portcullis_proto::AccountCard,
    signer: &IdentityKey,
) -> portcullis_proto::SignedList {
    let mut chance = Chance::new(77);
    let last = of.lists.last().unwrap().open(of.account, &of.identity).unwrap();
    let mut list = last.list().clone();
    list.version = version;
    list.previous = last.hash();
    list.devices.push(DeviceEntry {
        device: DeviceId::from_bytes([66; 16]),
        name: DeviceName::parse("spy").unwrap(),
        auth: AuthKey::generate(chance.rng()).public(),
        leaf: LeafKey::generate(chance.rng()).public(),
        added_at: Timestamp(0),
    });
    list.sign(signer)
}

#[test]
fn an_invented_device_is_refused() {
    let mut world = World::new(1, Stretch::LIGHT).unwrap();
    world.add_device(&name("alice"));
    world.add_device(&name("bob"));
    lie_to_bob(&mut world, |frame| match frame {
        ServerFrame::Reply(id, Reply::Account(mut card)) if card.name.as_str() == "alice" => {
            let operator = IdentityKey::generate(Chance::new(5).rng());
            let forged = invented(2, &card, &operator);
            card.lists.push(forged);
            vec![ServerFrame::Reply(id, Reply::Account(card))]
        }
        frame => vec![frame],
    });
    world.settle().unwrap();
    say(&mut world, ALICE, "hello");
    assert_warned(
        &world,
        "The server shows a list of alice's devices that alice has not signed; it is not used.",
    );
    assert_eq!(texts(&world), ["hello"]);
}

#[test]
fn a_message_of_an_unlisted_device_is_not_shown() {
    let mut world = world();
    change_envelopes(&mut world, |mut envelopes| {
        for envelope in envelopes.iter_mut().filter(|envelope| envelope.seq == 5) {
            envelope.device = DeviceId::from_bytes([66; 16]);
        }
        envelopes
    });
    say(&mut world, ALICE, "five");
    assert_warned(
        &world,
        "Message number 5 comes from a device that alice has not signed; it is not shown.",
    );
}

#[test]
fn a_swapped_identity_key_is_shown_and_not_used() {
    let mut world = world();
    lie_to_bob(&mut world, |frame| match frame {
        ServerFrame::Reply(id, Reply::Account(mut card)) => {
            card.identity = IdentityKey::generate(Chance::new(5).rng()).public();
            vec![ServerFrame::Reply(id, Reply::Account(card))]
        }
        frame => vec![frame],
    });
    world.command(BOB, Command::ShowSafetyNumber(name("alice")));
    let _ = world.settle();
    assert_warned(
        &world,
        "The identity key of alice has changed. Either alice has made a new account, or somebody stands between you. Compare safety numbers (/verify alice), then /accept alice.",
    );
}

#[test]
fn an_older_device_list_is_shown_and_not_used() {
    let mut world = world();
    // Alice adds a device, and Bob learns of it.
    let first: Rc<RefCell<Option<portcullis_proto::SignedList>>> = Rc::default();
    let alice = world.log().account_by_name(&name("alice")).unwrap().unwrap().id;
    let lists = world.log().lists(alice, 0, 1).unwrap();
    *first.borrow_mut() = lists.first().map(|list| list.signed.clone());
    world.add_device(&name("alice"));
    world.settle().unwrap();
    assert_warned(&world, "alice has added a device: device 2.");
    lie_to_bob(&mut world, move |frame| match frame {
        ServerFrame::Reply(id, Reply::Account(mut card)) => {
            card.lists = first.borrow().clone().into_iter().collect();
            vec![ServerFrame::Reply(id, Reply::Account(card))]
        }
        frame => vec![frame],
    });
    world.command(BOB, Command::ShowSafetyNumber(name("alice")));
    let _ = world.settle();
    assert_warned(
        &world,
        "The server shows an older list of alice's devices than it did before; it is not used.",
    );
}

#[test]
fn a_cheap_stretching_stops_the_login() {
    let mut world = World::new(1, Stretch::STANDARD).unwrap();
    world.add_device(&name("alice"));
    world.add_device(&name("bob"));
    lie_to_bob(&mut world, |frame| match frame {
        ServerFrame::Reply(id, Reply::RegisterChallenge { account, response, mut stretching }) => {
            stretching.memory_kib = 8;
            let reply = Reply::RegisterChallenge { account, response, stretching };
            vec![ServerFrame::Reply(id, reply)]
        }
        frame => vec![frame],
    });
    let _ = world.settle();
    assert_warned(
        &world,
        "The server asks for a weaker protection of your password than this program allows; the login was stopped.",
    );
}

#[test]
fn nobody_forgets_because_the_server_says_that_they_left() {
    let mut world = world();
    let old = world.log().fetch(LOBBY, 0, 1, 1, usize::MAX).unwrap().envelopes.remove(0);
    let mut told = false;
    lie_to_bob(&mut world, move |frame| match frame {
        ServerFrame::Event(Event::Envelope(_)) if !told => {
            told = true;
            let left = ServerFrame::Event(Event::Left { conversation: LOBBY });
            let again = Envelope { seq: 5, ..old.clone() };
            vec![left, ServerFrame::Event(Event::Envelope(again))]
        }
        frame => vec![frame],
    });
    say(&mut world, ALICE, "five");
    assert_warned(&world, "The server sent something that can't be read.");
    assert_warned(&world, "A message of alice came a second time; it is not shown again.");
}

#[test]
fn a_conversation_that_is_not_listed_is_not_forgotten() {
    let mut world = world();
    world.command(ALICE, Command::Create(ChannelName::parse("#tea").unwrap(), Access::Open));
    let _ = world.settle();
    world.command(BOB, Command::Join(ChannelName::parse("#tea").unwrap()));
    let _ = world.settle();
    let tea = world.devices[BOB.0]
        .client()
        .unwrap()
        .find(&ConversationName::parse("#tea").unwrap())
        .unwrap();
    world.command(ALICE, Command::Say { conversation: tea, what: Saying::Text("pay 10".into()) });
    let _ = world.settle();
    // Out of the list and back, with a log that begins again.
    let mut lists = 0;
    lie_to_bob(&mut world, move |frame| match frame {
        ServerFrame::Reply(id, Reply::Conversations { mut conversations, more }) => {
            lists += 1;
            conversations.retain(|summary| lists > 1 || summary.conversation != tea);
            vec![ServerFrame::Reply(id, Reply::Conversations { conversations, more })]
        }
        ServerFrame::Reply(id, Reply::Fetched(mut page)) if page.conversation == tea => {
            page.base.seq = 0;
            page.base.chain = Envelope::chain_start(tea);
            vec![ServerFrame::Reply(id, Reply::Fetched(page))]
        }
        frame => vec![frame],
    });
    for _ in 0..2 {
        let link = world.link_of(BOB).unwrap();
        world.cut(link);
        let _ = world.settle();
    }
    world.command(ALICE, Command::Say { conversation: tea, what: Saying::Text("more".into()) });
    let _ = world.settle();
    assert_eq!(texts(&world).iter().filter(|text| *text == "pay 10").count(), 1);
}

#[test]
fn a_copied_home_that_has_something_to_say_is_noticed_before_it_speaks() {
    let mut world = world();
    // Bob's copy has a message waiting when the original says as many.
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    let copy_before = world.devices[BOB.0].copy_of_home();
    world.command(
        BOB,
        Command::Say { conversation: LOBBY, what: Saying::Text("from the copy".into()) },
    );
    let copy = world.devices[BOB.0].copy_of_home();
    world.crash_device(BOB);
    world.devices[BOB.0].restore_home(copy_before);
    world.settle().unwrap();
    say(&mut world, BOB, "from the original");
    world.crash_device(BOB);
    world.devices[BOB.0].restore_home(copy);
    world.settle().unwrap();
    assert_warned(
        &world,
        "This home was restored from an older copy. Its history stays; it goes on as a new device.",
    );
    let log = world.log().fetch(LOBBY, 0, 9, 9, usize::MAX).unwrap().envelopes;
    assert_eq!(log.len(), 5, "nothing was signed with a number that was used before");
    let failed = |show: &Show| matches!(show, Show::Failed { .. });
    assert!(world.devices[BOB.0].shows.iter().any(failed));
}

#[test]
fn a_busy_server_is_asked_again() {
    let mut world = world();
    let mut busy = 3;
    lie_to_bob(&mut world, move |frame| match frame {
        ServerFrame::Reply(id, Reply::Opened(_) | Reply::Account(_)) if busy > 0 => {
            busy -= 1;
            vec![ServerFrame::Refusal(id, Refusal::rate_limited(1_000))]
        }
        frame => vec![frame],
    });
    let link = world.link_of(BOB).unwrap();
    world.cut(link);
    world.add_device(&name("carol"));
    world.settle().unwrap();
    say(&mut world, DeviceIndex(2), "I am new");
    assert_eq!(texts(&world).last().map(String::as_str), Some("I am new"));
    assert_eq!(warned(&world), Vec::<String>::new());
}

#[test]
fn a_home_from_an_old_copy_goes_on_as_a_new_device() {
    let mut world = world();
    let old = world.devices[BOB.0].copy_of_home();
    say(&mut world, BOB, "five");
    world.crash_device(BOB);
    world.devices[BOB.0].restore_home(old);
    world.settle().unwrap();
    assert_warned(
        &world,
        "This home was restored from an older copy. Its history stays; it goes on as a new device.",
    );
    say(&mut world, BOB, "six");
    let log = world.log().fetch(LOBBY, 0, 9, 9, usize::MAX).unwrap().envelopes;
    assert_eq!(log.len(), 6);
    assert_ne!(log[4].device, log[5].device, "the old device's key is not used again");
    assert_eq!(texts(&world).last().map(String::as_str), Some("six"));
}
