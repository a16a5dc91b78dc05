//! The classroom's protocol as a whole: golden frames of each dialect, made by other programs, and that
//! what we write is what such a client would have written.

use super::*;
use crate::limits;
use portcullis_crypto::classic::ClassicKey;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::PathBuf;

pub(super) fn sender() -> ClassicKey {
    ClassicKey::from_pkcs8(include_bytes!("../../tests/golden/classroom/sender.pk8")).unwrap()
}

pub(super) fn recipient() -> ClassicKey {
    ClassicKey::from_pkcs8(include_bytes!("../../tests/golden/classroom/recipient.pk8")).unwrap()
}

/// The guest with this key, whose PEM has the dialect's layout.
pub(super) fn guest(key: &ClassicKey, dialect: impl Into<Dialect>) -> GuestKey {
    GuestKey::parse(&pem_of(key.public().spki(), dialect.into().pem)).unwrap()
}

pub(super) fn signed(text: &str) -> SignedFrame {
    match Incoming::read(text) {
        Ok(Incoming::Signed(frame)) => frame,
        other => panic!("{other:?}: {text}"),
    }
}

pub(super) fn chat(frame: &SignedFrame) -> &Chat {
    let Payload::Chat(chat) = frame.payload() else { panic!("{:?}", frame.payload()) };
    chat
}

/// What the golden frames say, in letters that are escaped differently.
const SAID: &str = "é \"\\\"\n😀 </b>\u{7f}";

const OUTGOING: Outgoing<'_> = Outgoing { to: &[], text: SAID, iv: &[7; 16], key: &[9; 16] };

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/classroom")
}

/// The `hello`, `public_chat` and `chat` of one dialect; counters 0, 1, 2.
fn golden_frames(id: DialectId) -> [SignedFrame; 3] {
    let file = golden().join(format!("{}.jsonl", id.name()));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}", file.display()));
    let frames: Vec<_> = text.lines().map(signed).collect();
    frames.try_into().unwrap()
}

#[test]
fn every_dialect_has_golden_frames_and_a_name_of_its_own() {
    let known: BTreeSet<String> = DialectId::all().map(DialectId::name).collect();
    assert_eq!(known.len(), DIALECTS.len());
    let files = std::fs::read_dir(golden()).unwrap().map(|entry| entry.unwrap().path());
    let frames = files.filter(|path| path.extension().is_some_and(|end| end == "jsonl"));
    let names = frames.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), known);
}

#[test]
fn golden_frames_are_read_verified_and_recognised() {
    for id in DialectId::all() {
        let [hello, public, private] = golden_frames(id);
        let Payload::Hello { public_key } = hello.payload() else { panic!("{hello:?}") };
        let key = GuestKey::parse(public_key).unwrap();
        assert_eq!(key.key(), &sender().public());
        let signing = hello.verify(key.key(), None).unwrap();
        let found = DialectId::recognise(&hello, signing, public_key);
        assert_eq!((found, found.row()), (id, id.row()));

        let Payload::PublicChat { sender, message } = public.payload() else {
            panic!("{public:?}")
        };
        assert_eq!((message.as_str(), sender), (SAID, &key.fingerprint(id.row().fingerprint)));
        assert_eq!(found.with_fingerprint(key.fingerprint_in(sender).unwrap()), id);

        let opened = open_chat(chat(&private), &recipient(), &key).unwrap();
        assert_eq!((opened.text.as_str(), opened.inner), (SAID, Inner::Flat));
        assert_eq!(opened.answer_in(id.row(), chat(&private), &key), id.row());
        let own = guest(&recipient(), id).fingerprint(id.row().fingerprint);
        assert_eq!(opened.participants, [sender.clone(), own]);
        for (frame, counter) in [hello, public, private].iter().zip(0..) {
            assert_eq!((frame.counter(), frame.form()), (counter, id.row().form));
            assert_eq!(frame.verify(key.key(), Some(signing)), Ok(signing), "{id:?}");
            assert!(frame.verify(&recipient().public(), Some(signing)).is_err());
        }
    }
}

/// What was signed, without what differs each time. The frames whose letters no recipe makes anew have
/// blanks before their colons.
fn shape(frame: &SignedFrame) -> String {
    let mut text = frame.data().replace("\" :", "\":");
    if let Payload::Chat(Chat { sealed: Some(sealed), .. }) = frame.payload() {
        let [key] = sealed.keys.as_slice() else { panic!("one recipient") };
        for (bytes, name) in [(&sealed.iv, "IV"), (key, "KEY"), (&sealed.text, "TEXT")] {
            text = text.replace(&frame::to_base64(bytes), name);
        }
    }
    text
}

#[test]
fn what_we_write_is_what_a_client_of_the_dialect_writes() {
    for id in DialectId::all() {
        let (row, ours, theirs) = (id.row(), sender(), guest(&recipient(), id));
        let outgoing = Outgoing { to: &[(&theirs, "localhost:12345")], ..OUTGOING };
        let written = [
            write_hello(id, &ours, 0),
            write_public_chat(id, &ours, 1, SAID),
            write_chat(id, &ours, 2, &outgoing),
        ];
        for (written, golden) in written.into_iter().zip(golden_frames(id)) {
            let written = signed(&written.unwrap());
            assert_eq!(shape(&written), shape(&golden), "{id:?}");
            let accepted = if row.accepts == Accepts::Object { Form::Object } else { row.form };
            assert_eq!((written.form(), written.counter()), (accepted, golden.counter()));
            let signing = written.verify(&ours.public(), Some(row.signing));
            assert_eq!(signing, Ok(row.signing));
            if let Payload::Chat(chat) = written.payload() {
                let opened = open_chat(chat, &recipient(), &guest(&ours, id)).unwrap();
                assert_eq!((opened.text.as_str(), opened.inner), (SAID, row.inner));
                assert_eq!(chat.destinations, ["localhost:12345"]);
                let sealed = chat.sealed.as_ref().unwrap();
                assert_eq!(sealed.iv, OUTGOING.iv[..row.iv_bytes]);
            }
        }
    }
}

/// JSON as anybody may send it.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        "\\PC{0,8}".prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// `serde_json` sorts keys and escapes what must be, as `SORTED` does; its own reader takes any style.
    #[test]
    fn any_json_is_rendered_as_it_was_meant(value in any_json()) {
        let (text, pretty) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
        let (compact, pretty) = (json::Json::read(&text), json::Json::read(&pretty));
        prop_assert_eq!(&compact, &pretty);
        for recipe in RECIPES {
            let Recipe::Anew(style, _) = recipe else { continue };
            let mut written = String::new();
            compact.as_ref().unwrap().write(style, &mut written);
            let again: serde_json::Value = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert!(style.letters == Letters::AsTheyAre || written.is_ascii());
            let plain = style.spacing == Spacing::None && style.letters == Letters::AsTheyAre;
            prop_assert!(!plain || written == text);
        }
    }

    #[test]
    fn whatever_is_said_is_read_and_verified(
        message in any::<String>(), dialect in 0..DIALECTS.len(), counter in 0..=limits::GUEST_COUNTER,
    ) {
        let dialect = DialectId::all().nth(dialect).unwrap();
        let written = write_public_chat(dialect, &sender(), counter, &message).unwrap();
        let frame = signed(&written);
        let key = guest(&sender(), dialect);
        let Payload::PublicChat { sender, message: read } = frame.payload() else { panic!() };
        prop_assert!(read == &message && key.is_fingerprint(sender));
        prop_assert_eq!(frame.counter(), counter);
        prop_assert_eq!(frame.verify(key.key(), None).unwrap().salt, dialect.row().signing.salt);
    }

    /// Whoever changes a signed frame changes nothing of what it says, or it is not signed any more.
    #[test]
    fn a_changed_frame_says_the_same_or_is_not_signed(
        dialect in 0..DIALECTS.len(), at in any::<prop::sample::Index>(), letter in "[ -~\n]", drop in 0..3_usize,
    ) {
        let dialect = DialectId::all().nth(dialect).unwrap();
        let written = write_public_chat(dialect, &sender(), 10, "pay 10, \"é\"").unwrap();
        let frame = signed(&written);
        let signing = frame.verify(&sender().public(), None).unwrap();
        let letters: Vec<char> = written.chars().collect();
        let at = at.index(letters.len());
        let rest = letters.iter().skip(at + drop);
        let changed: String = letters.iter().take(at).chain(&letter.chars().collect::<Vec<_>>()).chain(rest).collect();
        if let Ok(Incoming::Signed(changed)) = Incoming::read(&changed)
            && let Ok(found) = changed.verify(&sender().public(), None)
        {
            prop_assert_eq!(changed.payload(), frame.payload());
            prop_assert_eq!(changed.counter(), frame.counter());
            prop_assert_eq!(changed.reference(found), frame.reference(signing));
        }
    }
}
