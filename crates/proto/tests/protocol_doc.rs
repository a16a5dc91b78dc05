//! `docs/protocol.md` shows every frame as it really is: its examples are read by this crate's own
//! types, written again and compared, and none may be missing. The tables of codes and limits are
//! compared as well. Leaves out the prose.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use portcullis_crypto::{ClassicPublic, Hash};
use portcullis_proto::classroom::{self, DialectId, GuestKey};
use portcullis_proto::{
    AccountId, ClientFrame, Code, Content, ConversationId, DeviceId, DeviceList, Envelope, Event,
    FileStep, Kind, Manifest, Reference, Reply, Request, RequestKind, ServerFrame, SignedContent,
    decode_request, encode_event, encode_refusal, encode_reply, limits,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The file as it is now, so that a change of it alone makes the test run anew.
const TEXT: &str = include_str!("../../../docs/protocol.md");

/// The texts of the fenced examples with this marker.
fn examples(marker: &str) -> Vec<&'static str> {
    let fence = format!("```json {marker}\n");
    let after = TEXT.split(fence.as_str()).skip(1);
    after.map(|rest| rest.split("\n```").next().expect("a closed fence")).collect()
}

fn requests() -> Vec<(u64, Request)> {
    let read = |text: &str| decode_request(text).unwrap_or_else(|bad| panic!("{bad:?}: {text}"));
    examples("client").into_iter().map(read).collect()
}

fn frames() -> Vec<ServerFrame> {
    let read = |text: &str| ServerFrame::decode(text).unwrap_or_else(|bad| panic!("{bad}: {text}"));
    examples("server").into_iter().map(read).collect()
}

/// Equal as JSON, but for fields that are `null` on one side and left out on the other.
fn check_same(text: &str, written: &str) {
    let [shown, written] = [text, written].map(|text| {
        let mut value: Value = serde_json::from_str(text).unwrap();
        drop_nulls(&mut value);
        value
    });
    assert_eq!(shown, written);
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[test]
fn every_fence_has_a_marker_that_is_read() {
    let fences = TEXT.lines().filter(|line| line.starts_with("```j"));
    for fence in fences {
        let known = ["client", "server", "content", "list", "manifest"];
        let marker = fence.strip_prefix("```json ").unwrap_or_default();
        assert!(known.contains(&marker), "{fence}");
    }
}

#[test]
fn examples_are_what_is_written() {
    for (text, (id, request)) in examples("client").iter().zip(requests()) {
        check_same(text, &ClientFrame { id, request }.encode());
    }
    for (text, frame) in examples("server").iter().zip(frames()) {
        let written = match frame {
            ServerFrame::Reply(id, reply) => encode_reply(id, &reply),
            ServerFrame::Refusal(id, refusal) => encode_refusal(id, &refusal),
            ServerFrame::Event(event) => encode_event(&event),
        };
        check_same(text, &written);
    }
}

#[test]
fn every_request_has_an_example_and_an_answer_under_its_id() {
    let requests = requests();
    let shown: BTreeSet<_> = requests.iter().map(|(_, request)| request.kind()).collect();
    assert_eq!(shown, RequestKind::ALL.iter().copied().collect());
    for (id, request) in requests {
        let answers = |frame: &ServerFrame| matches!(frame, ServerFrame::Reply(to, _) if *to == id);
        let kind = request.kind();
        assert_eq!(frames().iter().filter(|f| answers(f)).count(), 1, "{kind:?}");
    }
}

/// The name of a reply. A new variant stops this from compiling: give it an example too.
fn reply_name(reply: &Reply) -> &'static str {
    match reply {
        Reply::Done => "done",
        Reply::RegisterChallenge { .. } => "register_challenge",
        Reply::LoginChallenge { .. } => "login_challenge",
        Reply::LoggedIn(_) => "logged_in",
        Reply::Opened(_) => "opened",
        Reply::Conversations { .. } => "conversations",
        Reply::Channels { .. } => "channels",
        Reply::Conversation(_) => "conversation",
        Reply::Submitted { .. } => "submitted",
        Reply::Fetched(_) => "fetched",
        Reply::Users { .. } => "users",
        Reply::Account(_) => "account",
        Reply::KeyPackages { .. } => "key_packages",
        Reply::GroupInfo { .. } => "group_info",
        Reply::ListVersions { .. } => "list_versions",
        Reply::Guests { .. } => "guests",
        Reply::Blob { .. } => "blob",
        Reply::RelayKey { .. } => "relay_key",
        Reply::Unknown => panic!("an example that this version does not know"),
    }
}

const REPLIES: usize = 18;

/// The name of an event; see [`reply_name`].
fn event_name(event: &Event) -> &'static str {
    match event {
        Event::Hello { .. } => "hello",
        Event::Envelope(_) => "envelope",
        Event::Conversation(_) => "conversation",
        Event::Left { .. } => "left",
        Event::Presence { .. } => "presence",
        Event::Guests { .. } => "guests",
        Event::DeviceList { .. } => "device_list",
        Event::KeyPackages(_) => "key_packages",
        Event::Lagging => "lagging",
        Event::Stopping => "stopping",
        Event::Closed { .. } => "closed",
        Event::Unknown => panic!("an example that this version does not know"),
    }
}

const EVENTS: usize = 11;

#[test]
fn every_reply_and_event_has_an_example() {
    let (mut replies, mut events) = (BTreeSet::new(), BTreeSet::new());
    for frame in frames() {
        match frame {
            ServerFrame::Reply(_, reply) => drop(replies.insert(reply_name(&reply))),
            ServerFrame::Event(event) => drop(events.insert(event_name(&event))),
            ServerFrame::Refusal(..) => {}
        }
    }
    assert_eq!((replies.len(), events.len()), (REPLIES, EVENTS));
}

/// Every code that a server sends. A new one stops this from compiling.
fn codes() -> BTreeSet<Code> {
    let mut codes = BTreeSet::new();
    let mut next = Some(Code::Malformed);
    while let Some(code) = next {
        codes.insert(code);
        next = match code {
            Code::Malformed => Some(Code::TooLarge),
            Code::TooLarge => Some(Code::UnknownRequest),
            Code::UnknownRequest => Some(Code::NotNow),
            Code::NotNow => Some(Code::LoginFailed),
            Code::LoginFailed => Some(Code::NameTaken),
            Code::NameTaken => Some(Code::RegistrationClosed),
            Code::RegistrationClosed => Some(Code::NotFound),
            Code::NotFound => Some(Code::Forbidden),
            Code::Forbidden => Some(Code::RateLimited),
            Code::RateLimited => Some(Code::EpochChanged),
            Code::EpochChanged => Some(Code::ListRefused),
            Code::ListRefused => Some(Code::ReferenceReused),
            Code::ReferenceReused => Some(Code::NoRoom),
            Code::NoRoom => Some(Code::Unavailable),
            Code::Unavailable | Code::Unknown => None,
        };
    }
    codes
}

#[test]
fn every_code_has_an_example_and_a_row() {
    let refusals = frames().into_iter().filter_map(|frame| match frame {
        ServerFrame::Refusal(_, refusal) => Some(refusal.code),
        _ => None,
    });
    assert_eq!(refusals.collect::<BTreeSet<_>>(), codes());
    for code in codes() {
        assert!(TEXT.contains(&format!("\n| `{}` |", code.name())), "{code:?}");
    }
}

#[test]
fn limits_are_the_programs() {
    let check = |what: &str, limit: usize| {
        let digits = limit.to_string();
        let mut shown = String::new();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                shown.push(',');
            }
            shown.push(digit);
        }
        let row = format!("\n| {what} | {shown}");
        let end = TEXT.split_once(&row).map(|(_, end)| end);
        let next = end.and_then(|end| end.chars().next());
        assert!(next.is_some_and(|c| !c.is_ascii_digit()), "{row}");
    };
    check("a frame from the client", limits::CLIENT_FRAME_BYTES);
    check("a frame from the server", limits::SERVER_FRAME_BYTES);
    check("envelopes in a submit", limits::SUBMIT_ENVELOPES);
    check("an envelope's body", limits::ENVELOPE_BYTES);
    check("a text", limits::TEXT_BYTES);
    check("references in a content", limits::CONTENT_REFERENCES);
    check("envelopes in a page", limits::FETCH_ENVELOPES as usize);
    check("bytes of bodies in a page", limits::FETCH_BYTES);
    let pages = "rows in a page of users, channels, conversations, guests";
    check(pages, limits::PAGE_ROWS as usize);
    check("devices in a list", limits::DEVICES);
    check("revoked devices in a list", limits::REVOKED_DEVICES);
    check("a signed device list", limits::DEVICE_LIST_BYTES);
    check("versions of a list in one answer", limits::DEVICE_LIST_VERSIONS);
    check("changes in a `presence` event", limits::PRESENCE_CHANGES);
    check("changes in a `guests` event", limits::PRESENCE_CHANGES);
    check("a device's key for guests", limits::CLASSIC_KEY_BYTES);
    check("a frame for a guest, or of one", limits::GUEST_FRAME_BYTES);
    check("an invitation code", limits::INVITE_BYTES);
    check("devices in an encrypted conversation", limits::GROUP_DEVICES);
    check("devices that one commit welcomes", limits::COMMIT_DEVICES);
    check("a group's public state", limits::GROUP_INFO_BYTES);
    check("a welcome", limits::WELCOME_BYTES);
    check(
        "single-use key packages of a device, and key packages in an upload",
        limits::KEY_PACKAGES,
    );
    check("a key package", limits::KEY_PACKAGE_BYTES);
    check("accounts whose list versions are asked for", limits::LIST_VERSIONS);
}

/// The example session is a real one: its signatures verify and its chain fits.
#[test]
fn what_is_signed_and_hashed_is_as_it_says() {
    let list: DeviceList = serde_json::from_str(examples("list")[0]).unwrap();
    let mut published = None;
    for (_, request) in requests() {
        if let Request::PublishList { list } = request {
            published = Some(list);
        }
    }
    let (mut identity, mut said, mut page) = (None, None, None);
    for frame in frames() {
        match frame {
            ServerFrame::Reply(_, Reply::LoggedIn(logged_in)) => {
                identity = Some(logged_in.identity)
            }
            ServerFrame::Reply(_, Reply::Fetched(fetched)) => page = Some(fetched),
            // The first is a message; the one in an inbox is nothing that these types read.
            ServerFrame::Event(Event::Envelope(envelope)) => said = said.or(Some(envelope)),
            _ => {}
        }
    }
    let opened = published.unwrap().open(list.account, &identity.unwrap());
    assert_eq!(opened.unwrap().list(), &list);

    let said: Envelope = said.unwrap();
    let page = page.unwrap();
    assert_eq!(page.envelopes.as_slice(), std::slice::from_ref(&said));
    assert_eq!(page.base.chain, Envelope::chain_start(said.conversation));
    let key = list.keys_of(said.device).unwrap().auth;
    let content = SignedContent::from_body(&said.body).unwrap().open(&key);
    let mut shown = serde_json::to_string(&compact(examples("content")[0])).unwrap();
    shown += &" ".repeat(shown.len().next_power_of_two() - shown.len());
    assert_eq!(Content::decode(shown.as_bytes()), content);
    assert_ne!(said.chain_after(page.base.chain), Hash::from_bytes([0; 32]));
}

/// What is said about files, and what is in a transfer.
#[test]
fn files_are_offered_and_answered() {
    let kinds: Vec<Kind> = examples("content")
        .into_iter()
        .skip(1)
        .map(|text| {
            let mut shown = serde_json::to_string(&compact(text)).unwrap();
            let padded = shown.len().next_power_of_two();
            shown += &" ".repeat(padded - shown.len());
            Content::decode(shown.as_bytes()).unwrap().kind
        })
        .collect();
    let [Kind::Offer(offer), Kind::Step(step)] = kinds.as_slice() else {
        panic!("an offer and a step: {kinds:?}");
    };
    assert_eq!(*step, FileStep::Accepted { direct: true });
    let text = serde_json::to_string(&compact(examples("manifest")[0])).unwrap();
    let manifest = Manifest::decode(text.as_bytes()).unwrap();
    assert_eq!(manifest.tops().first(), Some(&&offer.title));
    assert_eq!(manifest.entries().len(), usize::try_from(offer.files).unwrap());
}

/// The example guest's id and name are its key's, and what is said to it was signed by the key that the
/// device publishes.
#[test]
fn guests_are_their_keys() {
    let card = frames().into_iter().find_map(|frame| match frame {
        ServerFrame::Reply(_, Reply::Guests { guests, .. }) => guests.into_iter().next(),
        _ => None,
    });
    let (mut own, mut said) = (None, None);
    for (_, request) in requests() {
        match request {
            Request::PublishClassicKey { key, .. } => own = Some(key),
            Request::GuestChat { guest, frame, .. } => said = Some((guest, frame)),
            _ => {}
        }
    }
    let (card, (guest, frame)) = (card.unwrap(), said.unwrap());
    assert_eq!(GuestKey::parse(&card.pem).unwrap().id(), card.guest);
    assert_eq!(guest, card.guest);
    assert!(DialectId::from_name(&card.dialect).is_some());
    let own = ClassicPublic::from_spki(own.unwrap().as_slice()).unwrap();
    let Ok(classroom::Incoming::Signed(frame)) = classroom::Incoming::read(&frame) else {
        panic!("a signed frame");
    };
    assert!(frame.verify(&own, None).is_ok());
    let fixed = [AccountId::GATEWAY.to_string(), ConversationId::CLASSROOM.to_string()];
    assert!(fixed.iter().all(|id| TEXT.contains(&format!("`{id}`"))), "{fixed:?}");
    assert_eq!(AccountId::GATEWAY.as_bytes(), DeviceId::GATEWAY.as_bytes());
}

/// Ids that both sides compute are those of the examples.
#[test]
fn computed_ids_are_as_shown() {
    let mut shown = Vec::new();
    for (_, request) in requests() {
        if let Request::Commit { envelope, welcome, .. } = request {
            shown.extend(welcome.unwrap().devices.into_iter().map(|d| (envelope.reference, d)));
        }
    }
    let [(commit, device)] = shown[..] else { panic!("one device is welcomed") };
    let list: DeviceList = serde_json::from_str(examples("list")[0]).unwrap();
    let (mut welcomes, mut directs) = (0, 0);
    for frame in frames() {
        match frame {
            ServerFrame::Event(Event::Envelope(e)) if e.conversation.is_computed() => {
                assert_eq!(e.conversation, ConversationId::inbox(device));
                assert_eq!(e.reference, Reference::of_welcome(commit, device));
                welcomes += 1;
            }
            ServerFrame::Reply(_, Reply::Conversations { conversations, .. }) => {
                for summary in conversations {
                    let Some(with) = summary.with else { continue };
                    let direct = ConversationId::direct(list.account, with.account);
                    assert_eq!(summary.conversation, direct);
                    directs += 1;
                }
            }
            _ => {}
        }
    }
    assert_eq!((welcomes, directs), (1, 1));
}

fn compact(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
