//! The six families of classroom clients, as rows of habits, and the frames that come of them. Written
//! from the protocol's text and its table of what real clients do, and from nothing of ours.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::json::{Json, Style};
use super::key::{COLUMNS, COLUMNS_ENDED, Key, Layout, ONE_LINE, ONE_LINE_ENDED, PublicKey};

/// What one family's clients do.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) name: &'static str,
    /// `data` is sent as a string; else as an object.
    pub(crate) sends_text: bool,
    /// Which forms of `data` it takes from others.
    pub(crate) accepts: Accepts,
    /// How it writes JSON.
    pub(crate) style: Style,
    /// What it signs.
    pub(crate) signs: Signs,
    /// Bytes of salt in its signatures.
    pub(crate) salt: usize,
    /// It ignores what it can't verify; else it shows that.
    pub(crate) insists: bool,
    pub(crate) first_counter: i64,
    /// The PEM in its `hello`.
    pub(crate) pem: Layout,
    pub(crate) fingerprint: fn(&PublicKey) -> String,
    /// What it encrypts in a `chat`.
    pub(crate) inner: Inner,
    /// Bytes of the IV of a `chat`.
    pub(crate) iv: usize,
    /// It uploads a file as the field `file` of a form; else as the body itself.
    pub(crate) uploads_form: bool,
    /// It breaks at a `client_list` that comes right after `hello`.
    pub(crate) registers_late: bool,
    /// It speaks inside TLS alone, and trusts a root that it brings along.
    pub(crate) speaks_tls: bool,
    /// It hears nothing more after a `chat` of its own.
    pub(crate) ends_at_echo: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Accepts {
    Both,
    Text,
    Object,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Signs {
    /// (a) the text of `data` as sent, and the counter.
    AsSent,
    /// (b) tight, sorted JSON, and the counter.
    Sorted,
    /// (c) JSON with spaces, and the counter.
    Spaced,
    /// (d) `{"counter":N,"data":{…}}`, tight and sorted.
    Whole,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Inner {
    /// `{"participants":[…],"message":…}`
    Flat,
    /// `{"chat":{"participants":[…],"message":…}}`
    Nested,
    /// `chat` is no string but an object of its own.
    Own,
}

const TIGHT: Style = Style { sorted: false, spaced: false, ascii: false };

/// Follows the protocol's text in everything.
pub(crate) static BY_THE_TEXT: Family = Family {
    name: "by the text",
    sends_text: true,
    accepts: Accepts::Text,
    style: TIGHT,
    signs: Signs::AsSent,
    salt: 32,
    insists: true,
    first_counter: 0,
    pem: ONE_LINE,
    fingerprint: |key| base64(&hash(&key.pem(ONE_LINE))),
    inner: Inner::Flat,
    iv: 16,
    uploads_form: true,
    registers_late: false,
    speaks_tls: false,
    ends_at_echo: false,
};

/// Sends `data` as a string, and takes it as an object alone.
static WANTS_OBJECTS: Family = Family {
    name: "wants objects",
    accepts: Accepts::Object,
    salt: 222,
    insists: false,
    first_counter: 1,
    pem: COLUMNS_ENDED,
    fingerprint: |key| base64(&hash(&key.pem(COLUMNS_ENDED))),
    inner: Inner::Nested,
    ..BY_THE_TEXT
};

/// Speaks inside TLS alone.
static SORTED: Family = Family {
    name: "sorted",
    sends_text: false,
    accepts: Accepts::Both,
    style: Style { ascii: true, ..TIGHT },
    signs: Signs::Sorted,
    insists: false,
    first_counter: 1,
    pem: COLUMNS,
    fingerprint: |key| hex(&hash(&key.pem(COLUMNS))),
    speaks_tls: true,
    ..BY_THE_TEXT
};

/// Breaks at an early list.
static SPACED: Family = Family {
    name: "spaced",
    sends_text: false,
    accepts: Accepts::Both,
    style: Style { spaced: true, ascii: true, ..TIGHT },
    signs: Signs::Spaced,
    salt: 222,
    insists: false,
    pem: COLUMNS_ENDED,
    fingerprint: |key| base64(&hash(&base64(key.pem(COLUMNS_ENDED).as_bytes()))),
    inner: Inner::Nested,
    registers_late: true,
    ..BY_THE_TEXT
};

/// Breaks at an echo.
static WHOLE: Family = Family {
    name: "whole",
    sends_text: false,
    accepts: Accepts::Object,
    signs: Signs::Whole,
    first_counter: 1,
    pem: ONE_LINE_ENDED,
    fingerprint: |key| base64(hex(&hash(&key.pem(ONE_LINE_ENDED))).as_bytes()),
    iv: 12,
    uploads_form: false,
    ends_at_echo: true,
    ..BY_THE_TEXT
};

/// Signs with spaces what it sends without, and has its own shape of `chat`.
static OWN_SHAPE: Family = Family {
    name: "own shape",
    sends_text: false,
    accepts: Accepts::Both,
    signs: Signs::Spaced,
    insists: false,
    fingerprint: |key| hex(&hash(&key.pem(COLUMNS_ENDED))),
    inner: Inner::Own,
    uploads_form: false,
    ..BY_THE_TEXT
};

pub(crate) static FAMILIES: [&Family; 6] =
    [&BY_THE_TEXT, &WANTS_OBJECTS, &SORTED, &SPACED, &WHOLE, &OWN_SHAPE];

/// What a client makes of another's frame.
#[derive(Debug)]
pub(crate) struct Signed {
    /// What `data` says, whichever form it has.
    pub(crate) data: Json,
    pub(crate) counter: i64,
    signature: Vec<u8>,
    as_sent: Option<String>,
}

impl Family {
    /// A `signed_data` of this key.
    pub(crate) fn frame(&self, key: &Key, counter: i64, data: &Json) -> String {
        let text = data.write(self.style);
        let as_sent = self.sends_text.then_some(text.as_str());
        let signature = key.sign(self.salt, &self.signed_bytes(data, as_sent, counter));
        self.frame_of(data, counter, &signature)
    }

    /// The frame, whatever its signature.
    pub(crate) fn frame_of(&self, data: &Json, counter: i64, signature: &[u8]) -> String {
        let data = match self.sends_text {
            true => Json::text(data.write(self.style)),
            false => data.clone(),
        };
        let fields = [
            ("type", Json::text("signed_data")),
            ("data", data),
            ("counter", Json::Number(counter)),
            ("signature", Json::text(base64(signature))),
        ];
        Json::object(fields).write(self.style)
    }

    /// Reads a `signed_data`; the error says why this family ignores it.
    pub(crate) fn read(&self, frame: &Json) -> Result<Signed, &'static str> {
        let (data, as_sent) = match (frame.get("data"), self.accepts) {
            (Some(Json::Text(text)), Accepts::Both | Accepts::Text) => {
                (Json::read(text).ok_or("its data is not JSON")?, Some(text.clone()))
            }
            (Some(data @ Json::Object(_)), Accepts::Both | Accepts::Object) => (data.clone(), None),
            _ => return Err("its data has the other form"),
        };
        let Some(Json::Number(counter)) = frame.get("counter") else {
            return Err("it has no counter");
        };
        let signature = frame.get_text("signature").and_then(unbase64).ok_or("no signature")?;
        Ok(Signed { data, counter: *counter, signature, as_sent })
    }

    /// Whether this is the key's, by the way in which this family signs.
    pub(crate) fn verify(&self, signed: &Signed, key: &PublicKey) -> bool {
        let bytes = self.signed_bytes(&signed.data, signed.as_sent.as_deref(), signed.counter);
        key.verify(self.salt, &bytes, &signed.signature)
    }

    fn signed_bytes(&self, data: &Json, as_sent: Option<&str>, counter: i64) -> Vec<u8> {
        let sorted = Style { sorted: true, spaced: false, ..self.style };
        let text = match self.signs {
            // Who has got an object writes it as its sender's library would have.
            Signs::AsSent => as_sent.map_or_else(|| data.write(self.style), ToOwned::to_owned),
            Signs::Sorted => data.write(sorted),
            Signs::Spaced => data.write(Style { spaced: true, ..self.style }),
            Signs::Whole => {
                let whole = [("counter", Json::Number(counter)), ("data", data.clone())];
                return Json::object(whole).write(sorted).into_bytes();
            }
        };
        format!("{text}{counter}").into_bytes()
    }
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn unbase64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A family that can't read itself would prove nothing about a server.
#[test]
fn each_family_reads_its_own() {
    use super::chat::Recipient;
    let (sender, recipient) = (Key::number(0), Key::number(1));
    for family in FAMILIES {
        let text = "\"é\"\n\u{1f600}";
        let to = Recipient { key: recipient.public(), server: "localhost:1".to_owned() };
        let sent = family.frame(&sender, 7, &family.chat(&sender, &[to], text));
        let mut frame = Json::read(&sent).unwrap();
        if family.sends_text && family.accepts == Accepts::Object {
            frame = with_object(frame);
        }
        let read = family.read(&frame).unwrap();
        assert_eq!(read.counter, 7);
        assert!(family.verify(&read, &sender.public()), "{}", family.name);
        assert!(!family.verify(&read, &recipient.public()), "{}", family.name);
        let opened = family.open_chat(&read.data, &recipient).unwrap();
        let participants = [&sender, &recipient].map(|key| (family.fingerprint)(&key.public()));
        assert_eq!((opened.message.as_str(), opened.participants), (text, participants.to_vec()));
        assert!(family.open_chat(&read.data, &sender).is_none(), "{}", family.name);
    }
}

/// What the own server of the family that wants objects makes of its frames.
#[cfg(test)]
fn with_object(frame: Json) -> Json {
    let Json::Object(fields) = frame else { panic!("an object") };
    let fields = fields.into_iter().map(|(name, value)| match (name.as_str(), value) {
        ("data", Json::Text(text)) => (name, Json::read(&text).unwrap()),
        (_, value) => (name, value),
    });
    Json::Object(fields.collect())
}
