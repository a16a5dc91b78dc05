//! JSON as the classroom's clients write it: in the order in which they made it, or sorted; tight, or
//! with spaces; as UTF-8, or escaped to ASCII. Signatures are over such texts, so each client has to
//! be able to write again what another has written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value whose objects keep their order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Truth(bool),
    Number(i64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// How a family's library writes JSON.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Keys in their order, at every depth.
    pub(crate) sorted: bool,
    /// `", "` and `": "`.
    pub(crate) spaced: bool,
    /// Everything beyond ASCII as `\u…`.
    pub(crate) ascii: bool,
}

impl Json {
    pub(crate) fn object<'a>(fields: impl IntoIterator<Item = (&'a str, Json)>) -> Self {
        Self::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    pub(crate) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        Self::List(texts.into_iter().map(Self::Text).collect())
    }

    pub(crate) fn read(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// A field of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }

    /// A field of an object, if it is a text.
    pub(crate) fn get_text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A field of an object, if it is a list of texts.
    pub(crate) fn get_texts(&self, name: &str) -> Option<Vec<&str>> {
        let Self::List(items) = self.get(name)? else { return None };
        let texts = items.iter().map(|item| match item {
            Self::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    pub(crate) fn write(&self, style: Style) -> String {
        let mut text = String::new();
        self.write_to(&mut text, style);
        text
    }

    fn write_to(&self, text: &mut String, style: Style) {
        match self {
            Self::Null => text.push_str("null"),
            Self::Truth(truth) => text.push_str(&truth.to_string()),
            Self::Number(number) => text.push_str(&number.to_string()),
            Self::Text(value) => write_text(text, value, style.ascii),
            Self::List(items) => {
                text.push('[');
                for (index, item) in items.iter().enumerate() {
                    separate(text, index, style);
                    item.write_to(text, style);
                }
                text.push(']');
            }
            Self::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                if style.sorted {
                    fields.sort_by_key(|(name, _)| name);
                }
                text.push('{');
                for (index, (name, value)) in fields.into_iter().enumerate() {
                    separate(text, index, style);
                    write_text(text, name, style.ascii);
                    text.push_str(if style.spaced { ": " } else { ":" });
                    value.write_to(text, style);
                }
                text.push('}');
            }
        }
    }
}

fn separate(text: &mut String, index: usize, style: Style) {
    if index > 0 {
        text.push_str(if style.spaced { ", " } else { "," });
    }
}

fn write_text(text: &mut String, value: &str, ascii: bool) {
    let quoted = serde_json::to_string(value).unwrap();
    for character in quoted.chars() {
        if ascii && !character.is_ascii() {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(character);
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON without fractions")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Json, E> {
        Ok(Json::Truth(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Json, E> {
        i64::try_from(number).map(Json::Number).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(field) = fields.next_entry()? {
            object.push(field);
        }
        Ok(Json::Object(object))
    }
}

#[test]
fn a_value_is_written_as_each_family_writes_it() {
    let check = |[sorted, spaced, ascii]: [bool; 3], expected: &str| {
        let value = Json::read(r#"{"b":[1,"\u00e9"],"a":{"d":null,"c":true}}"#).unwrap();
        assert_eq!(value.write(Style { sorted, spaced, ascii }), expected);
    };
    check([false, false, false], r#"{"b":[1,"é"],"a":{"d":null,"c":true}}"#);
    check([true, false, true], r#"{"a":{"c":true,"d":null},"b":[1,"\u00e9"]}"#);
    check([false, true, false], r#"{"b": [1, "é"], "a": {"d": null, "c": true}}"#);
}
