//! JSON as it was sent: objects keep their order, numbers keep their digits, and a key stands once.
//!
//! What a guest signed is one of several renderings of such a value ([`Style`]), none of which survives a
//! map or a floating-point number. `serde_json` reads the grammar, one level at a time. Leaves out what
//! the values mean. Source: RFC 8259; `json.dumps` of Python, `JSON.stringify` of ECMAScript.

use super::frame::BadFrame;
use super::signing::{Letters, Order, Spacing, Style};
use crate::limits;
use core::fmt;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A value, borrowing from the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Json<'a> {
    /// `null`, `true`, `false` or a number: the token as it was sent.
    Token(&'a str),
    /// A string, unescaped.
    Text(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object, in the order in which it was sent.
    Object(Object<'a>),
}

/// The fields of an object, each key once.
pub(super) type Object<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

impl<'a> Json<'a> {
    /// Reads one value.
    pub(super) fn read(text: &'a str) -> Result<Self, BadFrame> {
        Self::nested(text, limits::GUEST_NESTING)
    }

    /// Each level is parsed from the slice that the level above found, so that the depth is ours to bound.
    fn nested(text: &'a str, depth: usize) -> Result<Self, BadFrame> {
        let text = text.trim_matches(WHITE_SPACE);
        match text.as_bytes().first() {
            Some(b'{') => {
                let below = depth.checked_sub(1).ok_or(BadFrame::Deep)?;
                let fields = raw_fields(text)?.into_iter();
                let read =
                    |(key, raw): (_, &'a RawValue)| Ok((key, Self::nested(raw.get(), below)?));
                fields.map(read).collect::<Result<_, _>>().map(Self::Object)
            }
            Some(b'[') => {
                let below = depth.checked_sub(1).ok_or(BadFrame::Deep)?;
                let items =
                    serde_json::from_str::<Vec<&RawValue>>(text).map_err(|_| BadFrame::Json)?;
                let read = |raw: &'a RawValue| Self::nested(raw.get(), below);
                items.into_iter().map(read).collect::<Result<_, _>>().map(Self::List)
            }
            Some(b'"') => serde_json::from_str(text)
                .map(|Text(text)| Self::Text(text))
                .map_err(|_| BadFrame::Json),
            _ => {
                let token = serde_json::from_str::<&RawValue>(text).map_err(|_| BadFrame::Json)?;
                Ok(Self::Token(token.get()))
            }
        }
    }

    /// The value of an object's field.
    pub(super) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        Some(text)
    }

    /// The texts, if it is a list of nothing else.
    pub(super) fn texts(&self) -> Option<Vec<&str>> {
        let Self::List(items) = self else { return None };
        items.iter().map(Self::text).collect()
    }

    /// A text of one's own.
    pub(super) fn of(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Adds the value to `to`, in this style.
    pub(super) fn write(&self, style: Style, to: &mut String) {
        let (comma, colon) = match style.spacing {
            Spacing::None => (",", ":"),
            Spacing::Blanks => (", ", ": "),
        };
        match self {
            Self::Token(token) => to.push_str(token),
            Self::Text(text) => write_text(text, style.letters, to),
            Self::List(items) => {
                to.push('[');
                for (place, item) in items.iter().enumerate() {
                    to.push_str(if place > 0 { comma } else { "" });
                    item.write(style, to);
                }
                to.push(']');
            }
            Self::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                if style.order == Order::Sorted {
                    fields.sort_by(|(one, _), (other, _)| one.cmp(other));
                }
                to.push('{');
                for (place, (key, value)) in fields.into_iter().enumerate() {
                    to.push_str(if place > 0 { comma } else { "" });
                    write_text(key, style.letters, to);
                    to.push_str(colon);
                    value.write(style, to);
                }
                to.push('}');
            }
        }
    }
}

/// What JSON counts as white space.
const WHITE_SPACE: [char; 4] = [' ', '\t', '\n', '\r'];

/// The fields of an object, each value as its slice of the text.
pub(super) fn raw_fields(text: &str) -> Result<Vec<(Cow<'_, str>, &RawValue)>, BadFrame> {
    serde_json::from_str(text).map(|Fields(fields)| fields).map_err(|_| BadFrame::Json)
}

/// Escapes what must be; with [`Letters::Ascii`] also all that is not printable ASCII.
fn write_text(text: &str, letters: Letters, to: &mut String) {
    to.push('"');
    for letter in text.chars() {
        match letter {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\u{8}' => to.push_str("\\b"),
            '\u{c}' => to.push_str("\\f"),
            ' '..='~' => to.push(letter),
            '\u{7f}'.. if letters == Letters::AsTheyAre => to.push(letter),
            _ => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    to.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    to.push('"');
}

/// A string, borrowed where it holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Read)
    }
}

/// One object's fields; a key that stands twice means two things to two readers, so it is refused.
struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::new();
                while let Some((Text(key), value)) = map.next_entry()? {
                    let twice = fields.iter().any(|(known, _)| *known == key);
                    if twice || fields.len() == limits::GUEST_FIELDS {
                        return Err(A::Error::custom("a key twice, or too many"));
                    }
                    fields.push((key, value));
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Read)
    }
}
