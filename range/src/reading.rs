//! Reading the wire: a passage taken apart, field by field, with what the server could read of it and what
//! it could not.

use crate::world::Passage;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_crypto::hash;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a field is to whoever runs the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// It reads it.
    Open,
    /// It reads it, and its author's signature keeps it from changing it unseen.
    Signed,
    /// It sees how long it is, and no more.
    Sealed,
    /// A number that looks random and gives nothing away.
    Blind,
}

impl Sight {
    const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Signed => "signed",
            Self::Sealed => "sealed",
            Self::Blind => "blind",
        }
    }
}

/// A field of a frame.
struct Field {
    path: String,
    value: String,
    sight: Sight,
}

/// A passage as JSON: one line of an export.
#[must_use]
pub fn as_json(passage: &Passage) -> Value {
    let fields: Vec<Value> = fields(passage)
        .into_iter()
        .map(
            |field| json!({"field": field.path, "value": field.value, "sight": field.sight.word()}),
        )
        .collect();
    json!({
        "number": passage.number, "at": passage.at, "from": passage.from.to_string(),
        "to": passage.to.to_string(), "says": says(passage), "fields": fields, "frame": passage.text,
    })
}

/// What the words before the fields mean.
pub const LEGEND: &str = "\
open    the server reads it, and could have written it otherwise
signed  the server reads it; its author's signature shows if it was changed
sealed  the server sees its length, and not what it says
blind   a number that tells the server nothing
";

/// A passage as text, from its JSON: a head line, and a line for each field.
#[must_use]
pub fn as_text(passage: &Value) -> String {
    let word = |name: &str| passage[name].as_str().unwrap_or_default();
    let number = passage["number"].as_u64().unwrap_or_default();
    let mut text = format!("{number:>4}  {} -> {}  {}\n", word("from"), word("to"), word("says"));
    for field in passage["fields"].as_array().into_iter().flatten() {
        let word = |name: &str| field[name].as_str().unwrap_or_default();
        let _ =
            writeln!(text, "      {:<7} {:<26} {}", word("sight"), word("field"), word("value"));
    }
    text
}

/// What the frame is, in a word: its request, reply, refusal or event.
fn says(passage: &Passage) -> String {
    let Ok(frame) = serde_json::from_str::<Value>(&passage.text) else {
        return "not JSON".to_owned();
    };
    let kinds = ["request", "reply", "refusal", "event"];
    let kind = kinds.iter().find_map(|kind| Some((*kind, frame.get(*kind)?.as_str()?)));
    let id = frame.get("id").map(|id| format!(" #{id}")).unwrap_or_default();
    kind.map_or_else(
        || "a frame of no known kind".to_owned(),
        |(kind, name)| format!("{kind} {name}{id}"),
    )
}

fn fields(passage: &Passage) -> Vec<Field> {
    let mut fields = Vec::new();
    if let Ok(frame) = serde_json::from_str::<Value>(&passage.text) {
        let own = |name: &&str| !["id", "request", "reply", "event", "refusal"].contains(name);
        for (name, value) in frame.as_object().into_iter().flatten() {
            if own(&name.as_str()) {
                take_apart(if name == "data" { "" } else { name }, value, &mut fields);
            }
        }
    }
    fields
}

fn take_apart(path: &str, value: &Value, fields: &mut Vec<Field>) {
    let below =
        |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(name, value)| take_apart(&below(name), value, fields))
        }
        Value::Array(values) => {
            for (place, value) in values.iter().enumerate() {
                take_apart(&format!("{path}[{place}]"), value, fields);
            }
        }
        Value::String(text) => of_text(path, text, fields),
        other => fields.push(Field {
            path: path.to_owned(),
            value: other.to_string(),
            sight: Sight::Open,
        }),
    }
}

/// A text is a word, or bytes in base64: what bytes hold hangs on the field's name.
fn of_text(path: &str, text: &str, fields: &mut Vec<Field>) {
    let name = path.rsplit('.').next().unwrap_or(path);
    let name = name.split('[').next().unwrap_or(name);
    let sight = match name {
        "body" => return of_body(path, text, fields),
        "list" => return of_signed(path, text, fields),
        "welcome" | "group_info" | "wrapped_identity" => Sight::Sealed,
        "upload" | "response" | "finalization" => Sight::Blind,
        "request" if text.len() > 40 => Sight::Blind,
        _ => Sight::Open,
    };
    let value = match STANDARD.decode(text) {
        Ok(bytes) if bytes.len() >= 16 && text.len() > 40 => abridged(&bytes),
        _ => text.to_owned(),
    };
    fields.push(Field { path: path.to_owned(), value, sight });
}

/// An envelope's body: a signature and a signed text in a channel, or what only clients can open.
fn of_body(path: &str, text: &str, fields: &mut Vec<Field>) {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    let signed = bytes.get(64..).and_then(|rest| serde_json::from_slice::<Value>(rest).ok());
    match signed {
        Some(content) if content.is_object() => {
            for (name, value) in content.as_object().into_iter().flatten() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                fields.push(Field { path: format!("{path}.{name}"), value, sight: Sight::Signed });
            }
        }
        _ => {
            let readable = std::str::from_utf8(&bytes).ok().filter(|text| !text.contains('\0'));
            let (value, sight) = match readable {
                Some(readable) => (format!("{readable:?}"), Sight::Open),
                None => (abridged(&bytes), Sight::Sealed),
            };
            fields.push(Field { path: path.to_owned(), value, sight });
        }
    }
}

/// A device list: JSON in base64, signed.
fn of_signed(path: &str, text: &str, fields: &mut Vec<Field>) {
    let bytes = STANDARD.decode(text).unwrap_or_default();
    let value = String::from_utf8(bytes).unwrap_or_else(|bytes| abridged(bytes.as_bytes()));
    fields.push(Field { path: path.to_owned(), value, sight: Sight::Signed });
}

/// Bytes by their length and a short hash, so that the same bytes are seen to be the same.
fn abridged(bytes: &[u8]) -> String {
    let short: String = hash("range wire", &[bytes])
        .as_bytes()
        .iter()
        .take(4)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{} bytes, ≡{short}", bytes.len())
}
