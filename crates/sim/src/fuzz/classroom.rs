//! The gateway's decoder: whatever a classroom client sends.

use portcullis_proto::classroom::{
    Accepts, DialectId, Form, GuestBody, GuestKey, Incoming, Payload, PemLayout, SignedFrame,
    for_dialect, pem_of, write_list, write_update,
};
use std::sync::LazyLock;

/// The key that has signed the seeds.
static KEY: LazyLock<Option<GuestKey>> = LazyLock::new(|| {
    let frames = include_str!("../../../proto/tests/golden/classroom/text.jsonl");
    match Incoming::read(frames.lines().next()?) {
        Ok(Incoming::Signed(frame)) => key_of(&frame),
        _ => None,
    }
});

/// One text frame, or a PEM.
pub(super) fn classroom_frame(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(key) = GuestKey::parse(text) {
        pem(text, &key);
    }
    match Incoming::read(text) {
        Ok(Incoming::Signed(frame)) => signed(text, frame),
        Ok(Incoming::List { servers }) => {
            let written = write_list(&servers);
            assert_eq!(Incoming::read(&written), Ok(Incoming::List { servers }));
        }
        Ok(Incoming::Update { clients }) => {
            let written = write_update(clients.iter().map(String::as_str));
            assert_eq!(Incoming::read(&written), Ok(Incoming::Update { clients }));
        }
        Ok(Incoming::ListRequest | Incoming::UpdateRequest) => {}
        Err(bad) => assert!(bad.to_string().len() < 100, "a long refusal"),
    }
}

fn pem(text: &str, key: &GuestKey) {
    assert_eq!(key.pem(), text);
    for layout in PemLayout::ALL {
        let again = GuestKey::parse(&pem_of(key.key().spki(), layout));
        assert!(again.is_ok_and(|again| again == *key && again.name() == key.name()));
    }
}

fn key_of(frame: &SignedFrame) -> Option<GuestKey> {
    let Payload::Hello { public_key } = frame.payload() else { return None };
    GuestKey::parse(public_key).ok()
}

/// Every client is told the same, and it stays signed by whoever signed it.
fn signed(text: &str, frame: SignedFrame) {
    assert_eq!(frame.text(), text);
    let own = key_of(&frame);
    for dialect in DialectId::all() {
        let relayed = for_dialect(&frame, dialect);
        let unchanged = dialect.row().accepts == Accepts::AsSent || frame.form() == Form::Object;
        assert!(!unchanged || relayed == text, "a frame that was changed for {dialect:?}");
        let again = Incoming::read(&relayed);
        assert!(matches!(again, Ok(Incoming::Signed(_))), "not passed on: {again:?}");
        let Ok(Incoming::Signed(again)) = again else { continue };
        assert_eq!((again.payload(), again.counter()), (frame.payload(), frame.counter()));
        assert_eq!(
            (again.signature(), again.data().trim()),
            (frame.signature(), frame.data().trim())
        );
    }
    let Some(key) = own.or_else(|| KEY.clone()) else { return };
    if let Ok(signing) = frame.verify(key.key(), None) {
        assert_eq!(frame.verify(key.key(), Some(signing)), Ok(signing));
        let dialect = DialectId::recognise(&frame, signing, key.pem());
        assert_eq!(DialectId::from_name(&dialect.name()), Some(dialect));
        assert_eq!((dialect.row().form, dialect.row().signing), (frame.form(), signing));
    }
    let body = GuestBody { key, frame };
    assert_eq!(GuestBody::from_body(&body.to_body()), Ok(body));
}
