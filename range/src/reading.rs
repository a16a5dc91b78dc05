//! Reading the wire: a passage taken apart, field by field, with what the server could read of it and what
//! it could not, who is meant by its ids, and when it was. As JSON for programs, and as text for a terminal of
//! 80 columns without colour.

use crate::world::{Passage, World};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use portcullis_crypto::hash;
use serde_json::{Value, json};
use std::fmt::{self, Write as _};

/// So many of something, of which there may be one.
pub(crate) fn counted<N: fmt::Display + From<u8> + PartialEq>(count: N, one: &str) -> String {
    let many = if count == N::from(1) { "" } else { "s" };
    format!("{count} {one}{many}")
}

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

/// A passage of a world as JSON: one line of an export. Times are milliseconds: `at` by the world's clock, and
/// `since` from its beginning.
#[must_use]
pub fn as_json(world: &World, passage: &Passage) -> Value {
    let fields = fields(passage).into_iter().map(|Field { path, value, sight }| {
        let mut field = json!({"field": path, "value": value, "sight": sight.word()});
        if let Some(name) = world.name_of(&value) {
            field["name"] = json!(name);
        }
        field
    });
    let since = world.wire().began().map(|began| passage.at.0.saturating_sub(began.0));
    json!({
        "number": passage.number, "at": passage.at, "since": since, "from": passage.from.to_string(),
        "to": passage.to.to_string(), "says": says(passage), "fields": fields.collect::<Vec<_>>(),
        "frame": passage.text,
    })
}

/// What the words before the fields mean.
pub const LEGEND: &str = "\
open    the server reads it, and could have written it otherwise
signed  the server reads it; its author's signature shows if it was changed
sealed  the server sees its length, and not what it says
blind   a number that tells the server nothing
";

/// A passage as text, from its JSON: a head line, with the seconds since the world's beginning, and a line for
/// each field, or more where it is long.
#[must_use]
pub fn as_text(passage: &Value) -> String {
    let word = |name: &str| passage[name].as_str().unwrap_or_default();
    let number = passage["number"].as_u64().unwrap_or_default();
    let since = passage["since"].as_u64().unwrap_or_default();
    let mut text = format!(
        "{number:>4}  {:>4}.{:03} s  {} -> {}  {}\n",
        since / 1_000,
        since % 1_000,
        word("from"),
        word("to"),
        word("says")
    );
    let fields = passage["fields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let (shown, folded): (Vec<&Value>, Vec<&Value>) = fields.iter().partition(|field| {
        place_of(field["field"].as_str().unwrap_or_default()).is_none_or(|place| place < FOLDED)
    });
    let lengths = shown.iter().filter_map(|field| Some(field["field"].as_str()?.chars().count()));
    let width = lengths.filter(|length| *length <= LONGEST_FIELD).max().unwrap_or_default();
    shown.iter().for_each(|field| put_field(&mut text, field, width));
    if !folded.is_empty() {
        let _ = writeln!(
            text,
            "      and {} fields more of the same kind, which --json has",
            folded.len()
        );
    }
    text
}

/// Columns of a terminal.
const COLUMNS: usize = 80;
/// Columns before a field's name.
const BEFORE: usize = 14;
/// Columns of a field's name; values below a longer one begin in the next line.
const LONGEST_FIELD: usize = 30;
/// Members of a list that are shown: a device uploads a hundred key packages, and nobody says as much at once.
const FOLDED: usize = 20;

/// A field's place in the first list that it is in.
fn place_of(path: &str) -> Option<usize> {
    let (_, rest) = path.split_once('[')?;
    rest.split_once(']')?.0.parse().ok()
}

/// A field's name and value, and what its id is of.
fn put_field(text: &mut String, field: &Value, width: usize) {
    let word = |name: &str| field[name].as_str().unwrap_or_default();
    let _ = write!(text, "      {:<7} {:<width$}", word("sight"), word("field"));
    let begin = BEFORE + width + 2;
    if word("field").chars().count() > width {
        let _ = write!(text, "\n{:1$}", "", begin - 2);
    }
    let mut lines = lines_of(word("value"), COLUMNS - begin);
    if let Some(name) = field["name"].as_str() {
        match lines.last_mut() {
            Some(last) if begin + last.chars().count() + 1 + name.chars().count() <= COLUMNS => {
                last.push(' ');
                last.push_str(name);
            }
            _ => lines.extend(lines_of(name, COLUMNS - begin)),
        }
    }
    let mut lines = lines.iter();
    let _ = writeln!(text, "  {}", lines.next().map_or("", String::as_str));
    for line in lines {
        let _ = writeln!(text, "{:begin$}{line}", "");
    }
}

/// A value in lines of so many columns, broken behind spaces where there are some.
fn lines_of(value: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut width = 0;
    for word in value.split_inclusive(' ') {
        let length = word.chars().filter(|letter| !letter.is_control()).count();
        if width > 0 && width + length > columns {
            lines.push(String::new());
            width = 0;
        }
        for letter in word.chars().filter(|letter| !letter.is_control()) {
            if width == columns {
                lines.push(String::new());
                width = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(letter);
                width += 1;
            }
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
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
                let path = format!("{path}.{name}");
                match value.as_str() {
                    // What somebody says is shown as they say it, whatever it looks like.
                    Some(text) => {
                        let value = text.to_owned();
                        fields.push(Field { path, value, sight: Sight::Signed });
                    }
                    None => take_apart_signed(&path, value, fields),
                }
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
    let Ok(list) = serde_json::from_slice::<Value>(&bytes) else {
        let (path, value) = (path.to_owned(), abridged(&bytes));
        return fields.push(Field { path, value, sight: Sight::Signed });
    };
    take_apart_signed(path, &list, fields);
}

fn take_apart_signed(path: &str, value: &Value, fields: &mut Vec<Field>) {
    let before = fields.len();
    take_apart(path, value, fields);
    fields.iter_mut().skip(before).for_each(|field| field.sight = Sight::Signed);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_broken_where_they_can_be() {
        let check = |value: &str, expected: &[&str]| assert_eq!(lines_of(value, 5), expected);
        check("", &[""]);
        check("abc", &["abc"]);
        check("abcde", &["abcde"]);
        check("abcdef", &["abcde", "f"]);
        check("ab cd ef", &["ab", "cd ef"]);
        check("ab cdefgh", &["ab", "cdefg", "h"]);
        check("a\nb\u{1b}[31m", &["ab[31", "m"]);
    }

    #[test]
    fn names_and_times_stand_beside_what_they_are_of() {
        let field = |sight: &str, path: &str, value: &str| json!({"sight": sight, "field": path, "value": value});
        let mut account = field("open", "account", "2a60f104eda6271c0aaebebce617d63a");
        account["name"] = json!("mira");
        let mut device =
            field("signed", "list.list.devices[10].signature", "2fb6bccf5dadebe005190f4238f82d3d");
        device["name"] = json!("a device of mira");
        let passage = json!({
            "number": 145, "since": 12_345, "from": "server", "to": "you", "says": "event envelope",
            "fields": [account, device, field("open", "packages[20].package", "321 bytes")],
        });
        let expected = " 145    12.345 s  server -> you  event envelope
      open    account  2a60f104eda6271c0aaebebce617d63a mira
      signed  list.list.devices[10].signature
                       2fb6bccf5dadebe005190f4238f82d3d a device of mira
      and 1 fields more of the same kind, which --json has
";
        assert_eq!(as_text(&passage), expected);
    }
}
