//! Frames of the classroom's protocol: one JSON object in each WebSocket text message.
//!
//! ```text
//! {"type":"signed_data","data":…,"counter":N,"signature":"<base64>"}
//! {"type":"client_list_request"}    {"type":"client_list","servers":[{"address":…,"clients":[PEM…]}]}
//! {"type":"client_update_request"}  {"type":"client_update","clients":[PEM…]}
//! ```
//!
//! `data` is an object, or an object's text as a string. Fields that are not known are ignored; a key that
//! stands twice, too deep nesting and what lies beyond a limit are refused. Says nothing of who sent it:
//! that is [`SignedFrame::verify`].

use super::chat::Chat;
use super::json::{Json, raw_fields};
use crate::limits;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use core::fmt;
use core::ops::Range;

/// Why a text is no frame, or a PEM no guest's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BadFrame {
    /// Longer than a frame of its type may be.
    Long,
    /// Not one JSON object, a key that stands twice in one, or more keys than any frame has.
    Json,
    /// Nested deeper than any frame is.
    Deep,
    /// Of a type that the protocol does not have, or none.
    Type,
    /// A field that its type needs is missing or of another shape.
    Field,
    /// More recipients, servers or clients than one frame may name.
    Many,
    /// Not the PEM of a public key.
    Pem,
    /// A public key that nobody here may use: not RSA with e = 65537 and 2,048 to 4,096 bits.
    Key,
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Long => "the frame is too long",
            Self::Json => "not one JSON object, or a key that stands twice",
            Self::Deep => "nested too deep",
            Self::Type => "a type that the protocol does not have",
            Self::Field => "a field is missing, or not what its type needs",
            Self::Many => "more recipients or clients than a frame may name",
            Self::Pem => "not the PEM of a public key",
            Self::Key => "not an RSA key of 2048 to 4096 bits with e = 65537",
        })
    }
}

impl core::error::Error for BadFrame {}

/// What one text frame is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// Something that a key has signed; whether it has, [`SignedFrame::verify`] tells.
    Signed(SignedFrame),
    /// Asks for [`Incoming::List`].
    ListRequest,
    /// Who is connected, by server.
    List {
        /// Each server of the neighbourhood, the asked one among them.
        servers: Vec<ServerList>,
    },
    /// Who is connected to the server that sends this.
    Update {
        /// PEMs, as that server received them.
        clients: Vec<String>,
    },
    /// Asks for [`Incoming::Update`].
    UpdateRequest,
}

/// One server's clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerList {
    /// What `destination_servers` names it by, for instance `localhost:12345`.
    pub address: String,
    /// PEMs, as that server received them.
    pub clients: Vec<String>,
}

/// A frame of type `signed_data`, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedFrame {
    text: String,
    form: Form,
    data: String,
    data_at: Range<usize>,
    counter: u64,
    signature: Vec<u8>,
    payload: Payload,
}

/// How `data` was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// As a string that holds an object's text, as the protocol's text says.
    Text,
    /// As an object.
    Object,
}

/// What a signed frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// The first frame of a client.
    Hello {
        /// Its key, as sent; [`super::GuestKey::parse`] reads it.
        public_key: String,
    },
    /// A private message, or a group's.
    Chat(Chat),
    /// Said to everybody, for all to read.
    PublicChat {
        /// What the sender takes for its fingerprint.
        sender: String,
        /// The text.
        message: String,
    },
    /// The first frame between servers.
    ServerHello {
        /// The address of the server that connects.
        sender: String,
        /// What it says of the server that it connects to: of Portcullis, not in the protocol's text.
        made_for: Option<MadeFor>,
    },
    /// A type of data that the protocol's text does not have.
    Other,
}

/// For whom a `server_hello` was made: signed with it, so that it is worth nothing anywhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeFor {
    /// The address of the server that is connected to.
    pub recipient: String,
    /// What that one gave to be signed, on this connection alone; empty where it gave nothing.
    pub challenge: String,
}

impl Incoming {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`BadFrame`], for every text that the protocol does not have.
    pub fn read(text: &str) -> Result<Self, BadFrame> {
        if text.len() > limits::GUEST_LIST_BYTES {
            return Err(BadFrame::Long);
        }
        let frame = Json::read(text)?;
        let kind = frame.field("type").and_then(Json::text).ok_or(BadFrame::Type)?;
        let is_list = matches!(kind, "client_list" | "client_update");
        if text.len() > limits::GUEST_FRAME_BYTES && !is_list {
            return Err(BadFrame::Long);
        }
        match kind {
            "signed_data" => SignedFrame::of(text, &frame).map(Self::Signed),
            "client_list_request" => Ok(Self::ListRequest),
            "client_update_request" => Ok(Self::UpdateRequest),
            "client_list" => server_lists(&frame).map(|servers| Self::List { servers }),
            "client_update" => clients(&frame).map(|clients| Self::Update { clients }),
            _ => Err(BadFrame::Type),
        }
    }
}

fn server_lists(frame: &Json<'_>) -> Result<Vec<ServerList>, BadFrame> {
    let Some(Json::List(servers)) = frame.field("servers") else { return Err(BadFrame::Field) };
    if servers.len() > limits::GUEST_SERVERS {
        return Err(BadFrame::Many);
    }
    let read = |server: &Json<'_>| {
        let address = server.field("address").and_then(Json::text).ok_or(BadFrame::Field)?;
        Ok(ServerList { address: address.to_owned(), clients: clients(server)? })
    };
    servers.iter().map(read).collect()
}

fn clients(of: &Json<'_>) -> Result<Vec<String>, BadFrame> {
    let clients = of.field("clients").and_then(Json::texts).ok_or(BadFrame::Field)?;
    match clients.len() > limits::GUEST_CLIENTS {
        true => Err(BadFrame::Many),
        false => Ok(clients.into_iter().map(str::to_owned).collect()),
    }
}

impl SignedFrame {
    fn of(text: &str, frame: &Json<'_>) -> Result<Self, BadFrame> {
        let (form, data) = match frame.field("data").ok_or(BadFrame::Field)? {
            Json::Text(data) => (Form::Text, Some(data.as_ref())),
            Json::Object(_) => (Form::Object, None),
            _ => return Err(BadFrame::Field),
        };
        let data_at = place_of("data", text)?;
        let data = data.or_else(|| text.get(data_at.clone())).ok_or(BadFrame::Field)?;
        let payload = Payload::read(&Json::read_field(data)?)?;
        let counter = counter(frame.field("counter")).ok_or(BadFrame::Field)?;
        let signature = frame.field("signature").and_then(Json::text).and_then(from_base64);
        let signature = signature.ok_or(BadFrame::Field)?;
        let (text, data) = (text.to_owned(), data.to_owned());
        Ok(Self { text, form, data, data_at, counter, signature, payload })
    }

    /// The frame, exactly as received.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How `data` was sent.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The object's text: as sent, or what the string holds.
    #[must_use]
    pub fn data(&self) -> &str {
        &self.data
    }

    /// Where in [`Self::text`] the value of `data` stands.
    pub(super) const fn data_at(&self) -> &Range<usize> {
        &self.data_at
    }

    /// The sender's own number, 0 to 2^53.
    #[must_use]
    pub const fn counter(&self) -> u64 {
        self.counter
    }

    /// The signature, not verified by itself.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// What it says.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }
}

impl Payload {
    fn read(data: &Json<'_>) -> Result<Self, BadFrame> {
        if !matches!(data, Json::Object(_)) {
            return Err(BadFrame::Field);
        }
        let text = |name| {
            let text = data.field(name).and_then(Json::text).map(str::to_owned);
            text.ok_or(BadFrame::Field)
        };
        Ok(match data.field("type").and_then(Json::text).ok_or(BadFrame::Type)? {
            "hello" => Self::Hello { public_key: text("public_key")? },
            "chat" => Self::Chat(Chat::read(data)?),
            "public_chat" => {
                Self::PublicChat { sender: text("sender")?, message: text("message")? }
            }
            "server_hello" => Self::ServerHello {
                sender: text("sender")?,
                made_for: match data.field("recipient") {
                    Some(_) => {
                        let (recipient, challenge) = (text("recipient")?, text("challenge")?);
                        Some(MadeFor { recipient, challenge })
                    }
                    None => None,
                },
            },
            _ => Self::Other,
        })
    }
}

/// Where a field's value stands in an object's text.
fn place_of(name: &str, object: &str) -> Result<Range<usize>, BadFrame> {
    let fields = raw_fields(object)?;
    let (_, value) = fields.iter().find(|(key, _)| key == name).ok_or(BadFrame::Field)?;
    // The value is a slice of the text, so the distance of their addresses is its place.
    let start = value.get().as_ptr().addr() - object.as_ptr().addr();
    Ok(start..start + value.get().len())
}

/// Digits alone, so that the number that counts is the one that was signed.
fn counter(value: Option<&Json<'_>>) -> Option<u64> {
    let Some(Json::Token(token)) = value else { return None };
    let digits = token.bytes().all(|byte| byte.is_ascii_digit());
    token.parse().ok().filter(|counter| digits && *counter <= limits::GUEST_COUNTER)
}

/// Standard base64 (RFC 4648 section 4); whether it is padded differs from client to client.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

pub(super) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// A signed frame around this `data`.
    fn around(data: &str) -> String {
        format!(r#"{{"type":"signed_data","data":{data},"counter":1,"signature":"AAAA"}}"#)
    }

    fn check(text: &str, expected: Option<BadFrame>) {
        assert_eq!(Incoming::read(text).err(), expected, "{}", text.get(..90).unwrap_or(text));
    }

    #[test]
    fn unsigned_frames_are_what_they_say() {
        let check = |text: &str, expected: Incoming| assert_eq!(Incoming::read(text), Ok(expected));
        check(r#"{"type":"client_list_request"}"#, Incoming::ListRequest);
        check(r#" {"since":[1,{}],"type":"client_update_request"}"#, Incoming::UpdateRequest);
        let update = r#"{"type":"client_update","clients":["a","b\n"]}"#;
        check(update, Incoming::Update { clients: vec!["a".into(), "b\n".into()] });
        let servers = vec![
            ServerList { address: "localhost:1".into(), clients: vec!["a".into()] },
            ServerList { address: String::new(), clients: vec![] },
        ];
        let list = r#"{"type":"client_list","servers":[{"address":"localhost:1","clients":["a"],"x":0},{"clients":[],"address":""}]}"#;
        check(list, Incoming::List { servers });
    }

    #[test]
    fn other_texts_are_refused_for_a_reason() {
        check("", Some(BadFrame::Json));
        check("hello", Some(BadFrame::Json));
        check("[]", Some(BadFrame::Type));
        check("{}", Some(BadFrame::Type));
        check(r#"{"type":7}"#, Some(BadFrame::Type));
        check(r#"{"type":"error"}"#, Some(BadFrame::Type));
        check(
            r#"{"type":"client_list_request","type":"client_list_request"}"#,
            Some(BadFrame::Json),
        );
        check(r#"{"type":"client_list"}"#, Some(BadFrame::Field));
        check(r#"{"type":"client_list","servers":[{"address":"a"}]}"#, Some(BadFrame::Field));
        check(r#"{"type":"client_list","servers":["a"]}"#, Some(BadFrame::Field));
        check(r#"{"type":"client_update","clients":"a"}"#, Some(BadFrame::Field));
        check(r#"{"type":"client_update","clients":[1]}"#, Some(BadFrame::Field));
        let deep = ["[", "]"].map(|bracket| bracket.repeat(100_000)).concat();
        check(&format!(r#"{{"type":"client_list_request","x":{deep}}}"#), Some(BadFrame::Deep));
    }

    #[test]
    fn data_is_an_object_or_the_text_of_one() {
        let check = |data: &str, expected: Result<Form, BadFrame>| {
            let form = match Incoming::read(&around(data)) {
                Ok(Incoming::Signed(frame)) => Ok(frame.form()),
                Ok(other) => unreachable!("{other:?}"),
                Err(bad) => Err(bad),
            };
            assert_eq!(form, expected, "{data}");
        };
        check(r#"{"type":"poll"}"#, Ok(Form::Object));
        check(r#""{\"type\":\"poll\"}""#, Ok(Form::Text));
        check(r#""[]""#, Err(BadFrame::Field));
        check(r#""""#, Err(BadFrame::Json));
        check(r#""\"{}\"""#, Err(BadFrame::Field));
        check("[]", Err(BadFrame::Field));
        check("null", Err(BadFrame::Field));
        check("{}", Err(BadFrame::Type));
        check(r#"{"type":"poll","type":"poll"}"#, Err(BadFrame::Json));
        check(r#""{\"type\":\"poll\",\"a\":0,\"a\":0}""#, Err(BadFrame::Json));
        let deep = [r#"{"type":"poll","a":"#, &"[".repeat(7), &"]".repeat(7), "}"].concat();
        check(&deep, Err(BadFrame::Deep));
        check(&serde_json::to_string(&deep).unwrap(), Err(BadFrame::Deep));
        let less = deep.replace("[]", "0");
        check(&less, Ok(Form::Object));
        check(&serde_json::to_string(&less).unwrap(), Ok(Form::Text));
        check(r#"{"type":"hello"}"#, Err(BadFrame::Field));
        check(r#"{"type":"hello","public_key":["a"]}"#, Err(BadFrame::Field));
        check(r#"{"type":"public_chat","sender":"a"}"#, Err(BadFrame::Field));
        check(r#"{"type":"server_hello","sender":1}"#, Err(BadFrame::Field));
        check(r#"{"type":"chat"}"#, Ok(Form::Object));
    }

    #[test]
    fn the_data_is_kept_as_it_was_sent() {
        let check = |frame: &str, expected: &str| {
            let Ok(Incoming::Signed(read)) = Incoming::read(frame) else { unreachable!("{frame}") };
            assert_eq!((read.text(), read.data()), (frame, expected));
            assert!(frame[read.data_at().clone()].starts_with(['{', '"']));
        };
        let data = "{ \"type\" :\"poll\", \"n\":1.0 }";
        check(&around(data), data);
        check(&around(&format!("  {data}\n")), data);
        check(&around(&serde_json::to_string(&format!(" {data}")).unwrap()), &format!(" {data}"));
        check(&around(data).replace("\"data\"", "\"d\\u0061ta\""), data);
    }

    #[test]
    fn counters_are_whole_numbers_that_every_client_can_count_to() {
        let check = |token: &str, expected: Option<u64>| {
            let text = around(r#"{"type":"poll"}"#).replace(":1,", &format!(":{token},"));
            let counter = match Incoming::read(&text) {
                Ok(Incoming::Signed(frame)) => Some(frame.counter()),
                _ => None,
            };
            assert_eq!(counter, expected, "{token}");
        };
        check("0", Some(0));
        check("9007199254740992", Some(1 << 53));
        check("9007199254740993", None);
        check("18446744073709551616", None);
        for token in ["-1", "-0", "1.0", "1e3", "01", "\"1\"", "null", "[1]"] {
            check(token, None);
        }
    }

    #[test]
    fn signatures_are_base64_however_padded() {
        let check = |signature: &str, expected: Option<&[u8]>| {
            let text = around(r#"{"type":"poll"}"#).replace("AAAA", signature);
            let bytes = match Incoming::read(&text) {
                Ok(Incoming::Signed(frame)) => Some(frame.signature().to_vec()),
                _ => None,
            };
            assert_eq!(bytes.as_deref(), expected, "{signature}");
        };
        check("", Some(&[]));
        check("AQI=", Some(&[1, 2]));
        check("AQI", Some(&[1, 2]));
        for signature in ["A", "AQI==", "AQ I=", "AQJ=", "_-==", "ü"] {
            check(signature, None);
        }
    }

    #[test]
    fn what_is_listed_and_how_long_it_is_has_limits() {
        let list = |field: &str, items: usize, item: &str| {
            let items = vec![item; items].join(",");
            format!(r#"{{"type":"client_{field}":[{items}]}}"#)
        };
        let clients = r#"update","clients"#;
        check(&list(clients, limits::GUEST_CLIENTS, "\"\""), None);
        check(&list(clients, limits::GUEST_CLIENTS + 1, "\"\""), Some(BadFrame::Many));
        let servers = r#"list","servers"#;
        let server = r#"{"address":"","clients":[]}"#;
        check(&list(servers, limits::GUEST_SERVERS, server), None);
        check(&list(servers, limits::GUEST_SERVERS + 1, server), Some(BadFrame::Many));
        let long = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 40));
        check(&list(clients, 1, &long(limits::GUEST_LIST_BYTES)), None);
        check(&list(clients, 1, &long(limits::GUEST_LIST_BYTES + 40)), Some(BadFrame::Long));
        let said = |bytes: usize| {
            let said = r#"{"type":"public_chat","sender":"","message":""}"#;
            let fill = bytes - around(said).len();
            around(&said.replace("e\":\"\"}", &format!("e\":\"{}\"}}", "x".repeat(fill))))
        };
        check(&said(limits::GUEST_FRAME_BYTES), None);
        check(&said(limits::GUEST_FRAME_BYTES + 1), Some(BadFrame::Long));
        let recipients = |field: &str, count: usize| {
            let items = vec!["\"AAAA\""; count].join(",");
            around(&format!(r#"{{"type":"chat","{field}":[{items}]}}"#))
        };
        for field in ["destination_servers", "symm_keys"] {
            check(&recipients(field, limits::GUEST_RECIPIENTS), None);
            check(&recipients(field, limits::GUEST_RECIPIENTS + 1), Some(BadFrame::Many));
        }
        check(&recipients("destination_servers", 10_000), Some(BadFrame::Long));
    }
}
