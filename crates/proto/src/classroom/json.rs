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

    /// Reads what stands, or could stand, in a field of a frame.
    pub(super) fn read_field(text: &'a str) -> Result<Self, BadFrame> {
        Self::nested(text, limits::GUEST_NESTING - 1)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const PLAIN: Style =
        Style { order: Order::AsSent, spacing: Spacing::None, letters: Letters::AsTheyAre };

    fn written(text: &str, style: Style) -> String {
        let mut written = String::new();
        Json::read(text).unwrap().write(style, &mut written);
        written
    }

    #[test]
    fn a_value_is_rendered_as_other_programs_render_it() {
        let text = r#" { "b" : [ 1.50 , -0, 1e400, 12345678901234567890 ] ,"a":{"z":"\u00e9\/\u007f", "y":null},"":[] ,"c":"😀\b\f\n\r\t\u0001\"\\" } "#;
        let check = |order, spacing, letters, expected: &str| {
            assert_eq!(written(text, Style { order, spacing, letters }), expected);
        };
        check(
            Order::AsSent,
            Spacing::None,
            Letters::AsTheyAre,
            "{\"b\":[1.50,-0,1e400,12345678901234567890],\"a\":{\"z\":\"é/\u{7f}\",\"y\":null},\"\":[],\"c\":\"😀\\b\\f\\n\\r\\t\\u0001\\\"\\\\\"}",
        );
        check(
            Order::Sorted,
            Spacing::Blanks,
            Letters::Ascii,
            r#"{"": [], "a": {"y": null, "z": "\u00e9/\u007f"}, "b": [1.50, -0, 1e400, 12345678901234567890], "c": "\ud83d\ude00\b\f\n\r\t\u0001\"\\"}"#,
        );
    }

    fn check(text: &str, expected: Option<BadFrame>) {
        assert_eq!(Json::read(text).err(), expected, "{}", text.get(..60).unwrap_or(text));
    }

    #[test]
    fn what_is_not_one_value_is_refused() {
        let texts = [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "01",
            "1.",
            "+1",
            "NaN",
            "nul",
            "truefalse",
            "\"",
            "\"\n\"",
            "\"\\ud800\"",
            "\"\\x\"",
            "{} {}",
            "1 2",
            "\u{feff}{}",
            "\u{a0}1",
        ];
        for text in texts {
            check(text, Some(BadFrame::Json));
            let nested = format!("{{\"a\":{text}}}");
            assert!(Json::read(&nested).is_err(), "{nested}");
        }
    }

    #[test]
    fn a_key_stands_once_at_every_level() {
        check(r#"{"a":1,"b":1}"#, None);
        check(r#"{"a":1,"a":1}"#, Some(BadFrame::Json));
        check(r#"{"a":1,"\u0061":1}"#, Some(BadFrame::Json));
        check(r#"{"a":[{"b":{"c":1,"d":1,"c":2}}]}"#, Some(BadFrame::Json));
        check(r#"{"a":{"a":{"a":1}}}"#, None);
    }

    #[test]
    fn objects_are_bounded() {
        let object = |keys: usize| {
            let keys: Vec<_> = (0..keys).map(|key| format!("\"{key}\":0")).collect();
            format!("{{{}}}", keys.join(","))
        };
        check(&object(limits::GUEST_FIELDS), None);
        check(&object(limits::GUEST_FIELDS + 1), Some(BadFrame::Json));
        check(&object(100_000), Some(BadFrame::Json));
    }

    #[test]
    fn nesting_is_bounded_without_recursion() {
        let nested = |open: &str, close: &str, levels: usize| {
            [open.repeat(levels), "1".to_owned(), close.repeat(levels)].concat()
        };
        let most = limits::GUEST_NESTING;
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[0,{\"a\":", "}]")] {
            let levels = open.matches(['[', '{']).count();
            check(&nested(open, close, most / levels), None);
            check(&nested(open, close, most / levels + 1), Some(BadFrame::Deep));
            check(&nested(open, close, 100_000), Some(BadFrame::Deep));
            check(&open.repeat(100_000), Some(BadFrame::Json));
        }
    }

    #[test]
    fn what_was_rendered_is_read_as_the_same() {
        let texts = ["null", "-1.5e-7", r#""a\"b""#, "[]", r#"{"b":[{"c":"ü"},true],"a":""}"#];
        for text in texts {
            assert_eq!(written(text, PLAIN), text);
        }
    }
}
