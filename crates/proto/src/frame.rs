//! Frames: one JSON object in each WebSocket text message.
//!
//! ```text
//! client  {"id":7,"request":"join","data":{"name":"#lobby"}}
//! server  {"id":7,"reply":"conversation","data":{…}}
//!         {"id":7,"refusal":"not_found","message":"…"}
//!         {"event":"envelope","data":{…}}
//! ```

use crate::{Code, Event, Refusal, Reply, Request, RequestKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A request with its id, as a client sends it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClientFrame {
    /// Of the client's choice; the reply repeats it.
    pub id: u64,
    /// The request.
    #[serde(flatten)]
    pub request: Request,
}

impl ClientFrame {
    /// The frame's text.
    #[must_use]
    pub fn encode(&self) -> String {
        to_text(self)
    }
}

/// Reads a request. A frame that gives an id is answered under it even when the rest is refused;
/// without one the answer's id is 0.
///
/// # Errors
/// [`Code::Malformed`] and [`Code::UnknownRequest`], with the id to answer under.
pub fn decode_request(text: &str) -> Result<(u64, Request), (u64, Refusal)> {
    let frame: RawRequest<'_> = serde_json::from_str(text).map_err(|error| {
        let message = format!("not a request frame: {}", describe(&error));
        (0, Refusal::new(Code::Malformed, message))
    })?;
    let kind = RequestKind::from_name(&frame.request).ok_or_else(|| {
        (frame.id, Refusal::new(Code::UnknownRequest, "there is no request of this name"))
    })?;
    let data = frame.data.map_or("{}", RawValue::get);
    let request = kind.read(data).map_err(|error| {
        let message = format!("{}: {}", kind.name(), describe(&error));
        (frame.id, Refusal::new(Code::Malformed, message))
    })?;
    Ok((frame.id, request))
}

/// What a server's frame says.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerFrame {
    /// The result of the request with this id.
    Reply(u64, Reply),
    /// The request with this id was not carried out.
    Refusal(u64, Refusal),
    /// Something unasked.
    Event(Event),
}

impl ServerFrame {
    /// Reads a server's frame.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it. Unknown kinds of replies and events are not errors.
    pub fn decode(text: &str) -> Result<Self, String> {
        let frame: RawServer<'_> = serde_json::from_str(text).map_err(|error| describe(&error))?;
        match (frame.id, frame.reply, frame.refusal, frame.event) {
            (Some(id), Some(name), None, None) => {
                let reply = read(text, "reply", &name, |reply| matches!(reply, Reply::Unknown))?;
                Ok(Self::Reply(id, reply))
            }
            (Some(id), None, Some(code), None) => {
                let message = frame.message.unwrap_or_default().into_owned();
                let refusal = Refusal { code, message, retry_after: frame.retry_after };
                Ok(Self::Refusal(id, refusal))
            }
            (None, None, None, Some(name)) => {
                let event = read(text, "event", &name, |event| matches!(event, Event::Unknown))?;
                Ok(Self::Event(event))
            }
            _ => Err("neither a reply nor a refusal nor an event".to_owned()),
        }
    }
}

/// The frame of a reply.
#[must_use]
pub fn encode_reply(id: u64, reply: &Reply) -> String {
    #[derive(Serialize)]
    struct Frame<'a> {
        id: u64,
        #[serde(flatten)]
        reply: &'a Reply,
    }
    to_text(&Frame { id, reply })
}

/// The frame of a refusal.
#[must_use]
pub fn encode_refusal(id: u64, refusal: &Refusal) -> String {
    #[derive(Serialize)]
    struct Frame<'a> {
        id: u64,
        refusal: Code,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
    }
    let Refusal { code, message, retry_after } = refusal;
    to_text(&Frame { id, refusal: *code, message, retry_after: *retry_after })
}

/// The frame of an event.
#[must_use]
pub fn encode_event(event: &Event) -> String {
    to_text(event)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequest<'a> {
    id: u64,
    #[serde(borrow)]
    request: Cow<'a, str>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawServer<'a> {
    id: Option<u64>,
    #[serde(borrow)]
    reply: Option<Cow<'a, str>>,
    refusal: Option<Code>,
    #[serde(borrow)]
    message: Option<Cow<'a, str>>,
    retry_after: Option<u64>,
    #[serde(borrow)]
    event: Option<Cow<'a, str>>,
}

/// Reads a tagged frame. serde gives an unknown name up as soon as it brings data along, so then the
/// name alone is looked at.
fn read<T: DeserializeOwned>(
    text: &str,
    tag: &str,
    name: &str,
    is_unknown: fn(&T) -> bool,
) -> Result<T, String> {
    serde_json::from_str(text).or_else(|error| {
        let alone = serde_json::json!({ tag: name });
        let known = serde_json::from_value::<T>(alone).ok().filter(is_unknown);
        known.ok_or_else(|| describe(&error))
    })
}

/// What a JSON error says of the form. serde's texts for wrong types quote the value, which may be a
/// secret in the wrong field, so only those that quote field names pass.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let about_fields = ["unknown field", "missing field", "duplicate field", "recursion limit"];
    if about_fields.iter().any(|start| text.starts_with(start)) && text.len() < 200 {
        return text;
    }
    let what = match error.classify() {
        Category::Io | Category::Syntax => "not JSON",
        Category::Eof => "the JSON ends too early",
        Category::Data => "a field has the wrong type or form",
    };
    format!("{what}, at column {}", error.column())
}

/// Writing these types to memory can't fail: no map keys, no IO.
fn to_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ChannelName;

    fn check_request(text: &str, expected: Result<(u64, &str), (u64, Code)>) {
        let read = decode_request(text);
        let read = read.map(|(id, request)| (id, request.kind().name()));
        assert_eq!(read.map_err(|(id, refusal)| (id, refusal.code)), expected, "{text}");
    }

    #[test]
    fn requests_are_read_strictly() {
        let deep = format!("{{\"id\":1,\"request\":\"join\",\"data\":{}", "[".repeat(100_000));
        check_request(r##"{"id":7,"request":"join","data":{"name":"#Lobby"}}"##, Ok((7, "join")));
        check_request(r#"{"id":7,"request":"sign_out"}"#, Ok((7, "sign_out")));
        check_request(r#"{"id":7,"request":"sign_out","data":{"x":1}}"#, Err((7, Code::Malformed)));
        check_request(r#"{"id":7,"request":"magic","data":{}}"#, Err((7, Code::UnknownRequest)));
        check_request(r#"{"id":7,"request":"join","data":{"name":3}}"#, Err((7, Code::Malformed)));
        check_request(r#"{"id":7,"request":"join","data":{}}"#, Err((7, Code::Malformed)));
        check_request(r#"{"id":-7,"request":"sign_out"}"#, Err((0, Code::Malformed)));
        check_request(r#"{"id":1,"id":2,"request":"sign_out"}"#, Err((0, Code::Malformed)));
        check_request(r#"{"id":1,"request":"sign_out","x":0}"#, Err((0, Code::Malformed)));
        check_request(r#"{"id":1,"request":"sign_out"} {}"#, Err((0, Code::Malformed)));
        check_request(&deep, Err((0, Code::Malformed)));
        check_request("", Err((0, Code::Malformed)));
        check_request("null", Err((0, Code::Malformed)));
    }

    #[test]
    fn a_refusal_never_quotes_a_value() {
        let text = r#"{"id":7,"request":"fetch","data":{"conversation":"hunter2"}}"#;
        let (_, refusal) = decode_request(text).unwrap_err();
        assert!(!refusal.message.contains("hunter2"), "{}", refusal.message);
    }

    #[test]
    fn a_client_frame_reads_back() {
        let request = Request::Join { name: ChannelName::lobby() };
        let text = ClientFrame { id: 3, request: request.clone() }.encode();
        assert_eq!(decode_request(&text), Ok((3, request)));
    }

    fn check_server(text: &str, expected: Option<ServerFrame>) {
        assert_eq!(ServerFrame::decode(text).ok(), expected, "{text}");
    }

    #[test]
    fn server_frames_are_read_leniently() {
        let refusal = Refusal::rate_limited(1500);
        check_server(&encode_reply(1, &Reply::Done), Some(ServerFrame::Reply(1, Reply::Done)));
        check_server(&encode_refusal(2, &refusal), Some(ServerFrame::Refusal(2, refusal)));
        check_server(&encode_event(&Event::Lagging), Some(ServerFrame::Event(Event::Lagging)));
        let unknown = ServerFrame::Event(Event::Unknown);
        check_server(r#"{"event":"party","data":{"x":[1,2]}}"#, Some(unknown.clone()));
        check_server(r#"{"data":3,"event":"party"}"#, Some(unknown));
        let later = r#"{"id":1,"reply":"done","more":true}"#;
        check_server(later, Some(ServerFrame::Reply(1, Reply::Done)));
        check_server(
            r#"{"id":1,"reply":"poll","data":{}}"#,
            Some(ServerFrame::Reply(1, Reply::Unknown)),
        );
        let code = r#"{"id":1,"refusal":"moved","message":"m"}"#;
        let unknown = Refusal::new(Code::Unknown, "m");
        check_server(code, Some(ServerFrame::Refusal(1, unknown)));
        check_server(r#"{"id":1}"#, None);
        check_server(r#"{"event":"envelope","data":{}}"#, None);
    }
}
