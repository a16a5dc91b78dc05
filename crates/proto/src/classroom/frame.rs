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
    },
    /// A type of data that the protocol's text does not have.
    Other,
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
        let payload = Payload::read(&Json::read(data)?)?;
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
            "server_hello" => Self::ServerHello { sender: text("sender")? },
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
